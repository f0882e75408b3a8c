//! The committed schema is the one that the code makes.

use super::*;
use serde_json::json;

/// `SLUICE_WRITE_SCHEMA=1 cargo test -p sluice-config` writes it anew; what is built from then on reads it.
#[test]
fn the_committed_schema_is_the_one_that_the_model_makes() {
    let made = made::from_the_model();
    if std::env::var_os("SLUICE_WRITE_SCHEMA").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/sluice.schema.json"), made)
            .unwrap();
    } else {
        assert!(
            schema() == made,
            "config/sluice.schema.json is not up to date: run with SLUICE_WRITE_SCHEMA=1"
        );
    }
}

#[test]
fn what_has_a_default_is_not_required() {
    assert!(Shape::root().field("listeners").is_some_and(|listeners| !listeners.required("api")));
    let provider = SCHEMA.pointer("/$defs/Provider/required").unwrap();
    assert_eq!(provider, &json!(["name", "kind"]));
}

#[test]
fn null_is_nowhere_a_value() {
    assert!(!schema().contains("null"));
}

#[test]
fn every_shape_of_text_that_the_schema_names_is_known_to_the_walker() {
    let text = schema();
    let names = text.split("\"x-text\": \"").skip(1).filter_map(|rest| rest.split('"').next());
    let unknown: Vec<_> = names.filter(|name| crate::text::shape_named(name).is_none()).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}
