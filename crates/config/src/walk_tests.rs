//! Completion and stand-ins; the messages are in the snapshots of `validate`.

use super::*;

fn table(entries: &[(&str, ValueKind)]) -> Value {
    let table = entries.iter().map(|(name, kind)| ((*name).to_owned(), Value::new(None, kind.clone())));
    Value::new(None, ValueKind::Table(table.collect()))
}

fn codes(value: Value) -> Vec<&'static str> {
    let mut problems = Problems::default();
    let complete = walk(value, &mut problems);
    assert!(complete.try_deserialize::<crate::Settings>().is_ok());
    let report = problems.report("f", &crate::mask::Masked::of_text(""));
    report.iter().map(|one| one.code).collect()
}

#[test]
fn whatever_is_wrong_the_result_can_be_read() {
    let kinds = [
        ValueKind::Nil,
        ValueKind::Boolean(true),
        ValueKind::I64(-1),
        ValueKind::U64(u64::MAX),
        ValueKind::I128(i128::MAX),
        ValueKind::Float(0.5),
        ValueKind::String("x".to_owned()),
        ValueKind::Array(vec![Value::new(None, ValueKind::Nil), table(&[])]),
        table(&[("x", ValueKind::Nil)]).kind,
    ];
    let Kind::Fields(fields) = Shape::root().kind() else { panic!("a map") };
    for name in fields.keys() {
        for kind in &kinds {
            let auth = ("auth", table(&[("mode", "open".into())]).kind);
            let found = codes(table(&[auth, (name.as_str(), kind.clone())]));
            let fine = matches!((name.as_str(), kind), ("state_dir", ValueKind::String(_)));
            assert_eq!(found.is_empty(), fine, "{name}: {kind:?} gives {found:?}");
        }
    }
}

#[test]
fn defaults_alone_are_complete_and_silent() {
    let mut defaults = defaults();
    crate::derived::fill(&mut defaults);
    assert!(codes(defaults).is_empty());
}
