"""Instructions that the operations of a request take, against those that they took: `tests/run instructions`.

Seconds swing with the machine and its neighbours; instructions do not. `target/release/micro` does one operation n
and 2n times under valgrind's callgrind: what the second run executes more, divided by n, is what the operation
takes, without the start of the process. Only the thread that works is counted, not the gateway's writers of lines
and records.

`baseline.json` holds what each took, and where that was: compiler, build, valgrind, C library, and the features of the
processor that valgrind shows to the program (memchr and blake3 choose by them; it shows none of AVX-512, so that a
newer processor does not count otherwise than an older one with AVX2). Elsewhere the figures mean nothing, and the step
is skipped, which it says. More than the tolerance above the baseline fails; more than it below is told, since the gain
could be lost again unseen. Whoever means the change writes the new baseline and commits it with the change:

    PYTHONPATH=tests python3 -m instructions --accept

Repeated on one machine most figures are the same to the instruction. Not those of `cache-hit`, `cache-store` and
`request`: hash seeds, times and the order of threads move them by up to half a percent, well within the tolerance.
"""
