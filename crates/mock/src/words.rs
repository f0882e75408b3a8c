//! The prose from which the model has learnt which word follows which.
//!
//! Written for this purpose. What matters is not the story but that the common words (the, and, of, to, was, that)
//! meet many neighbours, so that the walk through them seldom repeats a whole sentence.

/// Sentences, separated by white space; punctuation belongs to the word before it.
pub(crate) const PROSE: &str = "
Once upon a time there was a small town by the sea, and everyone in the town knew the keeper of the lighthouse.
The keeper was an old woman who had lived on the hill for most of her life. Every evening she climbed the stairs with
a lamp in her hand and a book in her pocket. She liked to read while the light turned slowly above the water. In the
morning she walked down to the harbour to hear the news and to buy bread, fish and a little tea. The people of the
town said that she could tell the weather by the sound of the wind, and they were usually right.

One day a letter came from a place that nobody knew. It was short, and the paper was old, but the hand that had written
it was clear and careful. The letter said that a ship would come before the end of the winter with a gift for the town.
Nobody believed it at first. The baker said that it was a joke, and the teacher thought that it was a mistake. The
keeper said nothing, but from that day she looked at the sea a little longer than before.

The winter was long and cold. Snow lay on the roofs, and the boats stayed in the harbour for weeks at a time. People
met in the evening to talk, to mend the nets and to tell stories about the summer. The children asked the keeper about
the ship, and she told them that a good light is never wasted. When the days grew longer, some of them began to hope.
They watched the water from the wall behind the church, and each of them wanted to be the first to see a sail.

It is easy to forget how much of a good day depends on small things. A warm room, a full cup and a friend who listens
are often enough. Most problems become smaller when we write them down, and some of them are gone before the page is
full. The best plans are simple, because a simple plan can be changed without fear. When something goes wrong, it helps
to look at the last thing that worked and to go on from there. We learn more from a careful question than from a quick
answer, and more from a mistake than from luck.

The river begins in the mountains, where the air is thin and the nights are clear. It runs through the forest, past the
old mill and under the stone bridge, before it reaches the wide green fields. In spring the water is high and brown with
earth. In summer the children swim in it, and the farmers take what they need for their gardens. Nobody owns the river,
but everyone who lives near it feels that it belongs to them. At night you can hear it from every house in the valley,
and after a while you only notice it when you are far away.

There are many ways to build a thing, and most of them work for a while. The good ones are easy to understand, easy to
change and hard to break. A careful worker measures twice, keeps the tools in order and leaves the room cleaner than
before. It takes time to make something simple, but the time comes back every day. If you cannot explain what a part
is for, it is probably not needed. The same is true of words in a letter and of people in a meeting.

The teacher walked home along the harbour with her coat closed against the wind. She had been thinking about the letter
all day. What kind of gift could be so large that it needed a ship? Who would send it to a town that was not on every
map? She stopped at the corner, where the light from the lighthouse crossed the street, and counted the seconds until
it came again. There was something calm about it. The world was large and dark, but here was a light that kept its word.

At last, on a bright morning in early spring, the ship came. It was smaller than they had expected, with blue sails and
a crew of three. The captain was a young man with a serious face, and he asked for the keeper by name. Many years ago,
he said, his father had been lost in a storm, and the light on the hill had brought him home. He had never forgotten it.
Now the son had come with a box of books, enough for a school and for a library, and with seeds for every garden in the
town. The old woman smiled and said that the light had only done its work.

In the summer they built the library next to the church. The baker gave the wood, the teacher chose the shelves, and the
children carried the books up the hill one by one. By the time the leaves began to fall, there was a book in every house,
and on most evenings somebody was reading aloud. The keeper still climbed the stairs with her lamp, and sometimes she
was not alone. A girl from the harbour had asked to learn the work, and the old woman was glad to teach her. First you
clean the glass, she said, then you fill the lamp, and then you wait. The waiting is the most important part.

If you walk through the town today, you can still see the blue sail above the door of the library. The light still turns,
although nobody has to climb the stairs to fill the lamp. People come from far away to see it, and they ask how the story
began. The answer depends on whom you ask. Some say that it began with a storm, and others say that it began with a letter.
The children say that it began with a light, and they are probably right.

A market is held in the square on the first day of every month. There are apples and honey in the autumn, flowers in the
spring, and bread all through the year. The farmers come down from the valley before it is light and stay until the last
basket is empty. It is the best place to hear what has happened, who is well and who needs help. Nobody is in a hurry,
because everything that matters is already there. Music begins in the afternoon, and by the evening even the serious ones
are dancing.

To understand a system, follow one thing all the way through it. Note where it waits, where it changes and who decides.
Most of the time is lost in the places between the parts, not in the parts themselves. Measure before you change anything,
and measure again after it. A number without a question is only a number, but a good question can make even a small number
useful. Then tell somebody what you have found, in plain words, and listen to what they ask.
";
