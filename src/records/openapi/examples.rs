//! Examples: a kind's own, and those of what all records have.

use serde_json::{Value, json};

use super::super::registry::Entry;

/// An id that documents can show.
pub(super) const EXAMPLE_ID: &str = "019416c0-9b1c-7d2e-8f3a-5b6c7d8e9f01";
/// An instant that documents can show.
pub(super) const EXAMPLE_INSTANT: &str = "2027-02-22T09:30:00Z";

/// A valid input, from the kind's own example.
pub(super) fn input_example(entry: &Entry) -> Value {
    let mut example = entry.example.clone();
    if let Value::Object(fields) = &mut example
        && !fields.contains_key("title")
    {
        let title = format!("An example of a {}", entry.info.one);
        fields.insert("title".to_owned(), json!(title));
    }
    example
}

/// A record as it would be read.
pub(super) fn output_example(entry: &Entry) -> Value {
    let mut example = json!({
        "id": EXAMPLE_ID, "ref": format!("{}-001", entry.info.prefix), "status": entry.start, "version": 1,
        "owner_id": null, "next_review_on": null, "created_at": EXAMPLE_INSTANT, "created_by": EXAMPLE_ID,
        "updated_at": EXAMPLE_INSTANT, "updated_by": EXAMPLE_ID, "archived_at": null,
    });
    if let (Value::Object(fields), Value::Object(input)) = (&mut example, input_example(entry)) {
        fields.extend(input);
    }
    example
}

pub(super) fn link_example() -> Value {
    json!({"id": EXAMPLE_ID, "relation": "serves", "field": null, "to_id": null, "to_kind": null, "to_version": null, "person_id": null, "catalog": "iso42001", "unit": "6.1.2", "created_at": EXAMPLE_INSTANT, "created_by": EXAMPLE_ID})
}

pub(super) fn evidence_example() -> Value {
    json!({"id": EXAMPLE_ID, "title": "Bias test of release 2.3", "location": "https://files.example.org/bias-test-2.3.pdf", "collected_on": "2027-03-10", "note": "Selection ratio 0.86", "created_at": EXAMPLE_INSTANT, "created_by": EXAMPLE_ID})
}

pub(super) fn comment_example() -> Value {
    json!({"id": EXAMPLE_ID, "text": "Please add the data source.", "created_at": EXAMPLE_INSTANT, "created_by": EXAMPLE_ID})
}

pub(super) fn version_example() -> Value {
    json!({"number": 1, "title": "AI risk criteria", "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "approved_by": EXAMPLE_ID, "approved_at": EXAMPLE_INSTANT})
}
