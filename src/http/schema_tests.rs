use super::*;
use serde::Deserialize;

#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "only its schema is looked at")]
struct Address {
    #[schema(max_length = 5)]
    town: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Option3 {
    Treat,
    Retain,
}

#[derive(Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is looked at")]
enum Tagged {
    Place(Address),
    Person { name: String },
}

#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "only its schema is looked at")]
struct Body {
    #[schema(read_only)]
    id: Uuid,
    #[schema(min_length = 1, max_length = 3)]
    title: String,
    due: Option<NaiveDate>,
    option: Option<Option3>,
    address: Option<Address>,
    tagged: Option<Tagged>,
    #[schema(minimum = 1, maximum = 5)]
    level: Option<i32>,
    #[schema(max_items = 2)]
    owners: Option<Vec<Uuid>>,
    #[schema(read_only)]
    known: Vec<Address>,
    #[schema(read_only)]
    counts: Option<Vec<i32>>,
}

#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "only its schema is looked at")]
struct Flat {
    #[serde(flatten)]
    address: Address,
    note: String,
}

fn faults<T: ToSchema>(value: Value) -> Vec<String> {
    let shape = Shape::input::<T>();
    assert_eq!(shape.fault(), None);
    let faults = shape.check(&value).err().unwrap_or_default();
    faults
        .into_iter()
        .map(|fault| format!("{} {}", fault.pointer, fault.detail))
        .collect()
}

#[test]
fn good_input_passes() {
    let good = json!({
        "title": "äöü", "due": "2024-02-29", "option": "treat", "level": 5,
        "address": { "town": "Bonn" }, "tagged": { "kind": "person", "name": "x" },
        "owners": ["019a2b3c-4d5e-7f60-8a1b-2c3d4e5f6071"],
    });
    assert_eq!(faults::<Body>(good), [""; 0]);
    let null = json!({ "title": "a", "due": null, "option": null, "tagged": null });
    assert_eq!(faults::<Body>(null), [""; 0]);
    let place = json!({ "title": "a", "tagged": { "kind": "place", "town": "Ulm" } });
    assert_eq!(faults::<Body>(place), [""; 0]);
}

#[test]
fn a_read_only_list_is_read_only_even_when_it_is_empty() {
    let written = json!({ "title": "a", "known": [], "counts": [1] });
    let refused = ["/counts is read-only", "/known is read-only"];
    assert_eq!(faults::<Body>(written), refused);
}

#[test]
fn all_faults_are_told_at_once() {
    let bad = json!({
        "id": "019a2b3c-4d5e-7f60-8a1b-2c3d4e5f6071", "due": "2023-02-29", "option": "eat",
        "level": 6, "address": { "town": "Bologna", "x/y": 1 }, "owners": [1, "2", "3"],
        "tagged": { "kind": "person" }, "extra": 1,
    });
    assert_eq!(
        faults::<Body>(bad),
        [
            "/address/town must not be longer than 5 characters",
            "/address/x~1y is not a field of this resource",
            "/due must be a date such as 2026-03-31, from 1900-01-01 to 2200-12-31",
            "/extra is not a field of this resource",
            "/id is read-only",
            "/level must not be more than 5",
            "/option is not one of: treat, retain",
            "/owners must not have more than 2 items",
            "/owners/0 must be a string",
            "/owners/1 must be a UUID such as 019a2b3c-4d5e-7f60-8a1b-2c3d4e5f6071",
            "/owners/2 must be a UUID such as 019a2b3c-4d5e-7f60-8a1b-2c3d4e5f6071",
            "/tagged/name is required",
            "/title is required",
        ]
    );
}

#[test]
fn types_are_named() {
    let bad = json!({ "title": "", "address": 7, "level": 1.5, "due": "1899-12-31" });
    assert_eq!(
        faults::<Body>(bad),
        [
            "/address must be an object or null",
            "/due must be a date such as 2026-03-31, from 1900-01-01 to 2200-12-31",
            "/level must be a whole number or null",
            "/title must not be empty",
        ]
    );
    assert_eq!(faults::<Body>(json!([])), [" must be an object"]);
    let huge = json!({ "title": "a", "level": 99_999_999_999_i64 });
    assert_eq!(faults::<Body>(huge), ["/level must not be more than 5"]);
}

#[test]
fn tags_are_named() {
    let unknown = json!({ "title": "a", "tagged": { "kind": "alien", "x": 1 } });
    assert_eq!(
        faults::<Body>(unknown),
        ["/tagged/kind is not one of: place, person"]
    );
    let missing = json!({ "title": "a", "tagged": {} });
    assert_eq!(faults::<Body>(missing), ["/tagged/kind is required"]);
    let closed = json!({ "title": "a", "tagged": { "kind": "place", "town": "Ulm", "x": 1 } });
    assert_eq!(
        faults::<Body>(closed),
        ["/tagged/x is not a field of this resource"]
    );
}

#[test]
fn flattened_objects_are_closed_too() {
    assert_eq!(
        faults::<Flat>(json!({ "town": "Ulm", "note": "x" })),
        [""; 0]
    );
    assert_eq!(
        faults::<Flat>(json!({ "town": "Ulm", "note": "x", "more": 1 })),
        ["/more is not a field of this resource"]
    );
}

#[test]
fn instants_are_rfc_3339() {
    assert!(is_instant("2026-03-31T09:00:00Z"));
    assert!(is_instant("2026-03-31T09:00:00.123456+02:00"));
    for bad in [
        "2026-03-31 09:00:00Z",
        "2026-03-31T09:00:00",
        "2026-03-31",
        "9999999",
    ] {
        assert!(!is_instant(bad), "{bad}");
    }
}
