//! The fields that every record has, as schemas.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::typed_refs::{PERSON, REFERS_TO};
use crate::http::schema;

/// Longest title, in characters.
const TITLE_LIMIT: u32 = 200;

/// Fields of the spine that clients write.
pub(super) const WRITABLE: &[&str] = &[
    "title",
    "owner_id",
    "next_review_on",
    "audience",
    "audience_roles",
    "audience_people",
];
/// Those that are no content: changing them makes nobody an author, and approval leaves them open.
pub(super) const NO_CONTENT: &[&str] = &[
    "owner_id",
    "next_review_on",
    "audience",
    "audience_roles",
    "audience_people",
];
/// Fields of the spine that the server writes.
pub(super) const READ_ONLY: &[&str] = &[
    "id",
    "ref",
    "status",
    "version",
    "in_force",
    "approved_by",
    "approved_on",
    "created_at",
    "created_by",
    "updated_at",
    "updated_by",
    "archived_at",
];

/// Audience that is named.
pub(super) const NAMED: &str = "named";
/// Audience of everybody in the tenant.
pub(super) const EVERYBODY: &str = "everybody";

/// Who sees a record, as clients write it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Audience {
    #[serde(default = "readers")]
    pub(super) audience: String,
    #[serde(default)]
    pub(super) audience_roles: Vec<String>,
    #[serde(default)]
    pub(super) audience_people: Vec<Uuid>,
}

fn readers() -> String {
    "readers".to_owned()
}

fn person(about: &str, read_only: bool) -> Value {
    let mut schema = json!({"type": ["string", "null"], "format": "uuid", "description": about, REFERS_TO: PERSON});
    if let (true, Value::Object(keys)) = (read_only, &mut schema) {
        keys.insert("readOnly".to_owned(), json!(true));
    }
    schema
}

fn properties() -> Map<String, Value> {
    let properties = json!({
        "id": {"type": "string", "format": "uuid", "readOnly": true, "description": "Made by the server, UUIDv7."},
        "ref": {"type": "string", "readOnly": true, "description": "What people call it; counted for each tenant and kind.", "example": "RSK-014"},
        "title": {"$ref": "#/components/schemas/Title"},
        "status": {"type": "string", "readOnly": true, "description": "State in its lifecycle; changes only through transitions."},
        "version": {"type": "integer", "format": "int32", "readOnly": true, "description": "Counts changes; the ETag."},
        "owner_id": person("The person responsible.", false),
        "next_review_on": {"type": ["string", "null"], "format": "date", "description": "Civil date of the next review; reminders are sent before it."},
        "in_force": {"type": ["integer", "null"], "format": "int32", "readOnly": true, "description": "Number of the approved version that holds now; null when none does."},
        "approved_by": person("Who approved the newest version.", true),
        "approved_on": {"type": ["string", "null"], "format": "date", "readOnly": true, "description": "Civil date of that approval."},
        "audience": {"type": "string", "enum": ["readers", "everybody", "named"], "default": "readers", "description": "Who sees it: the readers of the kind; everybody in the tenant, what is in force; or only those named, and the owner."},
        "audience_roles": {"type": "array", "items": {"$ref": "#/components/schemas/Role"}, "maxItems": 12, "default": [], "description": "Roles named."},
        "audience_people": {"type": "array", "items": {"type": "string", "format": "uuid", REFERS_TO: PERSON}, "maxItems": 200, "default": [], "description": "People named."},
        "created_at": {"type": "string", "format": "date-time", "readOnly": true, "description": "UTC."},
        "created_by": person("Who made it; null for the system.", true),
        "updated_at": {"type": "string", "format": "date-time", "readOnly": true, "description": "UTC."},
        "updated_by": person("Who changed it last; null for the system.", true),
        "archived_at": {"type": ["string", "null"], "format": "date-time", "readOnly": true, "description": "When it was archived."},
    });
    match properties {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn fields_of(body_schema: &Value) -> Map<String, Value> {
    let fields = body_schema.get("properties").and_then(Value::as_object);
    fields.cloned().unwrap_or_default()
}

/// Schema of what clients send: the writable spine and the body, flat.
pub(super) fn input_schema(body_schema: &Value) -> Value {
    let mut all = properties();
    all.extend(fields_of(body_schema));
    let mut required = vec![json!("title")];
    let of_body = body_schema.get("required").and_then(Value::as_array);
    let read_only = |name: &Value| {
        let field = name.as_str().and_then(|name| all.get(name));
        field.and_then(|field| field.get("readOnly")) == Some(&json!(true))
    };
    required.extend(
        of_body
            .into_iter()
            .flatten()
            .filter(|name| !read_only(name))
            .cloned(),
    );
    json!({"type": "object", "properties": all, "required": required, "additionalProperties": false})
}

/// Schema of the title, to which [`input_schema`] refers.
pub(super) fn title_schema() -> Value {
    let mut schema = json!({"type": "string", "minLength": 1, "maxLength": TITLE_LIMIT, "pattern": "\\S", "description": "What it is called; not only blanks."});
    schema::spell_out(&mut schema);
    schema
}

/// What clients read of every record, save the state, which each kind says for itself.
pub(super) fn output_fields() -> Map<String, Value> {
    let mut fields = properties();
    fields.remove("status");
    fields
}
