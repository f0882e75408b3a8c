use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::json::{JsonError, Scanner, samples, validate};

/// The members of the object that takes `range`.
fn members_in(body: &Bytes, range: Range<usize>) -> Vec<Member> {
    let mut members = Vec::new();
    let text = &body[range.clone()];
    let moved = |found: Range<usize>| found.start + range.start..found.end + range.start;
    Scanner::new(text)
        .object(|scanner, name| {
            members.push(Member { name: moved(name.range()), value: moved(scanner.skip()?) });
            Ok::<_, JsonError>(())
        })
        .unwrap();
    members
}

fn members(body: &Bytes) -> Vec<Member> {
    members_in(body, 0..body.len())
}

/// Applies `edit` and returns the new text.
fn spliced(text: &str, edit: impl FnOnce(&mut Splice, &[Member])) -> String {
    let body = Bytes::from(text.to_owned());
    let mut splice = Splice::new(body.clone());
    edit(&mut splice, &members(&body));
    String::from_utf8(splice.into_segments().into_bytes().to_vec()).unwrap()
}

#[test]
fn without_edits_the_very_same_bytes_come_out() {
    let body = Bytes::from_static(b" {\"a\" : 1.10} ");
    let segments = Splice::new(body.clone()).into_segments();
    assert_eq!((segments.iter().count(), segments.len()), (1, body.len()));
    let same = segments.into_bytes();
    assert_eq!((same.as_ptr(), same.len()), (body.as_ptr(), body.len()));
}

#[test]
fn a_value_is_replaced_and_nothing_else() {
    let replaced = spliced(r#"{ "model" : "a" , "seed":9007199254740993}"#, |splice, members| {
        splice.replace(members[0].value.clone(), Bytes::from_static(b"\"bb\""));
    });
    assert_eq!(replaced, r#"{ "model" : "bb" , "seed":9007199254740993}"#);
}

#[test]
fn a_removed_member_takes_the_right_comma_along() {
    let text = r#"{ "a":1 , "b":2 , "c":3 }"#;
    for (gone, left) in [
        (&[0][..], r#"{ "b":2 , "c":3 }"#),
        (&[1], r#"{ "a":1 , "c":3 }"#),
        (&[2], r#"{ "a":1 , "b":2 }"#),
        (&[0, 1], r#"{ "c":3 }"#),
        (&[1, 2], r#"{ "a":1 }"#),
        (&[0, 2], r#"{ "b":2 }"#),
        (&[2, 0], r#"{ "b":2 }"#),
        (&[2, 1, 0], r#"{  }"#),
        (&[1, 1], r#"{ "a":1 , "c":3 }"#),
    ] {
        let result = spliced(text, |splice, members| {
            for &index in gone {
                splice.remove_member(&members[index]);
            }
        });
        assert_eq!(result, left, "without {gone:?}");
    }
}

#[test]
fn a_member_is_added_at_the_end() {
    for (text, longer) in [
        ("{}", r#"{"x":1}"#),
        ("{ \n}\n", "{\"x\":1 \n}\n"),
        (r#"{"a":1}"#, r#"{"a":1,"x":1}"#),
        ("{\"a\":\"}\" \n} ", "{\"a\":\"}\",\"x\":1 \n} "),
        (r#"{"a":{}}"#, r#"{"a":{},"x":1}"#),
    ] {
        let result = spliced(text, |splice, _| {
            splice.insert_member("x", b"1");
        });
        assert_eq!(result, longer);
    }
}

#[test]
fn added_members_keep_their_order_and_names_are_escaped() {
    let result = spliced("{}", |splice, _| {
        splice.insert_member("a\"\n", b"1").insert_member("b", b"[2]").insert_member("c", b"3");
    });
    assert_eq!(result, r#"{"a\"\n":1,"b":[2],"c":3}"#);
}

#[test]
fn removing_and_adding_meet_in_the_right_comma() {
    for (gone, result) in
        [(&[0][..], r#"{"b":2,"x":9}"#), (&[1], r#"{"a":1,"x":9}"#), (&[0, 1], r#"{"x":9}"#)]
    {
        let text = spliced(r#"{"a":1,"b":2}"#, |splice, members| {
            splice.insert_member("x", b"9");
            for &index in gone {
                splice.remove_member(&members[index]);
            }
        });
        assert_eq!(text, result);
    }
}

#[test]
fn a_nested_object_is_edited_in_place() {
    let text = r#"{"m":[{"text":"x", "cache_control":{"type":"ephemeral"}},{"cache_control":1}],"o":{ } }"#;
    let body = Bytes::from(text);
    let outer = members(&body);
    let mut splice = Splice::new(body.clone());
    let items = outer[0].value.clone();
    Scanner::new(&body[items.clone()])
        .array(|scanner, _| {
            let item = scanner.skip()?;
            let inner = members_in(&body, item.start + items.start..item.end + items.start);
            splice.remove_member(inner.last().unwrap());
            Ok::<_, JsonError>(())
        })
        .unwrap();
    splice.insert_member_into(outer[1].value.clone(), "include_usage", b"true").insert_member("z", b"0");
    assert_eq!(
        splice.into_segments().into_bytes(),
        r#"{"m":[{"text":"x"},{}],"o":{"include_usage":true },"z":0 }"#
    );
}

#[test]
fn an_edit_inside_of_a_removed_or_replaced_part_goes_with_it() {
    let text = r#"{"a":{"x":1,"y":2},"b":{"x":1},"c":3}"#;
    let body = Bytes::from(text);
    let outer = members(&body);
    let mut splice = Splice::new(body.clone());
    for member in &outer[..2] {
        splice.remove_member(&members_in(&body, member.value.clone())[0]);
        splice.insert_member_into(member.value.clone(), "z", b"0");
    }
    splice.remove_member(&outer[0]).replace(outer[1].value.clone(), Bytes::from_static(b"null"));
    assert_eq!(splice.into_segments().into_bytes(), r#"{"b":null,"c":3}"#);
}

#[test]
fn ranges_of_another_body_do_not_panic() {
    let mut splice = Splice::new(Bytes::from_static(b"{}"));
    splice
        .replace(5..9, Bytes::from_static(b"1"))
        .remove_member(&Member { name: 40..44, value: 45..50 })
        .insert_member_into(90..99, "a", b"1");
    assert!(!splice.into_segments().is_empty());
}

#[test]
fn segments_show_sizes_and_no_text() {
    let segments = Segments::from(Bytes::from_static(b"{\"prompt\":\"secret\"}"));
    assert_eq!(format!("{segments:?}"), "Segments([19])");
}

/// What is done to a member in the property test.
#[derive(Debug, Clone)]
enum Fate {
    Keep,
    Remove,
    Replace(String),
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![Just(Fate::Keep), Just(Fate::Remove), samples::value().prop_map(Fate::Replace)]
}

proptest! {
    #[test]
    fn a_splice_changes_only_the_named_members(
        (samples, text) in samples::object(8),
        fates in vec(fate(), 8),
        added in vec(samples::value(), 0..3),
    ) {
        let body = Bytes::from(text);
        let members = members(&body);
        let mut splice = Splice::new(body.clone());
        let mut expected = Vec::new();
        let mut cut = 0;
        for ((sample, member), fate) in samples.iter().zip(&members).zip(fates) {
            let written = |value: &str| format!("{}{}{value}", sample.name, sample.colon);
            let span = member.name.start..member.value.end;
            prop_assert_eq!(body.slice(span), written(&sample.value));
            match fate {
                Fate::Keep => expected.push(written(&sample.value)),
                Fate::Remove => {
                    splice.remove_member(member);
                    cut += 1;
                }
                Fate::Replace(value) => {
                    splice.replace(member.value.clone(), value.clone().into());
                    expected.push(written(&value));
                }
            }
        }
        for (index, value) in added.iter().enumerate() {
            splice.insert_member(&format!("new {index}"), value.as_bytes());
            expected.push(format!("\"new {index}\":{value}"));
        }

        let result = splice.into_segments().into_bytes();
        prop_assert_eq!(validate(&result), Ok(()), "{}", String::from_utf8_lossy(&result));
        let found: Vec<String> = self::members(&result)
            .iter()
            .map(|member| String::from_utf8_lossy(&result[member.name.start..member.value.end]).into_owned())
            .collect();
        prop_assert_eq!(found, expected);
        if cut == 0 && added.is_empty() {
            let gaps = |text: &Bytes| {
                let mut end = 0;
                let mut gaps = Vec::new();
                for member in self::members(text) {
                    gaps.push(text.slice(end..member.name.start));
                    end = member.value.end;
                }
                gaps.push(text.slice(end..));
                gaps
            };
            prop_assert_eq!(gaps(&result), gaps(&body), "white space moved");
        }
    }

    #[test]
    fn removing_leaves_every_other_byte_where_it_was(
        (_, text) in samples::object(6),
        gone in vec(any::<bool>(), 6),
    ) {
        let body = Bytes::from(text);
        let mut splice = Splice::new(body.clone());
        let mut removed = vec![false; body.len()];
        for (member, _) in members(&body).iter().zip(&gone).filter(|(_, gone)| **gone) {
            splice.remove_member(member);
            removed[member.name.start..member.value.end].fill(true);
        }
        // Every segment is a piece of the original, in order; what lies between is removed text, white space
        // and at most one comma for each removed member.
        let mut pos = 0;
        let mut commas = 0;
        let mut check_gap = |gap: Range<usize>| {
            for (byte, removed) in body[gap.clone()].iter().zip(&removed[gap]) {
                commas += usize::from(*byte == b',' && !removed);
                assert!(*removed || *byte == b',' || is_space(*byte));
            }
        };
        for segment in splice.into_segments() {
            let start = segment.as_ptr() as usize - body.as_ptr() as usize;
            check_gap(pos..start);
            assert!(!removed[start..start + segment.len()].contains(&true));
            pos = start + segment.len();
        }
        check_gap(pos..body.len());
        prop_assert!(commas <= members(&body).iter().zip(&gone).filter(|(_, gone)| **gone).count());
    }
}
