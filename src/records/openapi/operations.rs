//! How an operation is described, and the operations that each kind has for itself.

use serde_json::{Map, Value, json};

use super::super::entry::Entry;
use super::super::kind::Part;
use super::super::order::sorts_of;
use super::super::registry::Registry;
use super::super::rows::RowEntry;
use super::super::shaping;
use super::parameters::{any_of, known, list_filters, query, several, uuid};
use super::schemas::{reference, shaped};
use super::{a, set};

/// Who says what an operation does.
pub(in crate::records) enum Describe {
    /// One description for all kinds.
    Once(fn(&Registry) -> Operation),
    /// One for each kind.
    Kind(fn(&Of<'_>) -> Operation),
    /// One for each part of each kind.
    Part(fn(&Of<'_>, &Part) -> Operation),
    /// One for each list of rows of each kind.
    Rows(fn(&Of<'_>, &RowEntry) -> Operation),
}

/// A kind whose operations are described.
pub(in crate::records) struct Of<'a> {
    pub(super) entry: &'a Entry,
    /// Of its schema, such as `RiskTreatment`.
    pub(super) name: String,
}

/// An operation in the making.
pub(in crate::records) struct Operation {
    value: Map<String, Value>,
}

impl Operation {
    /// With what every operation has.
    pub(super) fn new(id: String, tag: &str, summary: String, about: &str) -> Self {
        let value = json!({
            "operationId": id,
            "tags": [tag],
            "summary": summary,
            "description": about,
        });
        let value = match value {
            Value::Object(value) => value,
            _ => Map::new(),
        };
        Self { value }
    }

    /// With parameters.
    pub(super) fn with(mut self, parameters: impl IntoIterator<Item = Value>) -> Self {
        let list = self.value.entry("parameters").or_insert(json!([]));
        if let Value::Array(list) = list {
            list.extend(parameters);
        }
        self
    }

    /// With components as parameters.
    pub(super) fn known(self, names: &[&str]) -> Self {
        self.with(names.iter().map(|name| known(name)))
    }

    /// With a body of one of the media types.
    pub(super) fn takes(mut self, media: &[&str], schema: &str) -> Self {
        let content: Map<_, _> = media
            .iter()
            .map(|media| {
                (
                    (*media).to_owned(),
                    json!({"schema": reference("schemas", schema)}),
                )
            })
            .collect();
        let body = json!({"required": true, "content": content});
        self.value.insert("requestBody".to_owned(), body);
        self
    }

    /// With an answer that has a schema and an example of the same name.
    pub(super) fn answers(self, status: &str, about: &str, schema: &str) -> Self {
        let shown = reference("schemas", schema);
        self.answers_as(status, about, shown, schema)
    }

    /// With an answer that has a schema and an example.
    pub(super) fn answers_as(
        mut self,
        status: &str,
        about: &str,
        schema: Value,
        example: &str,
    ) -> Self {
        let content = json!({"application/json": {
            "schema": schema,
            "examples": {"example": reference("examples", example)},
        }});
        let response = json!({"description": about, "content": content});
        self.value
            .insert("responses".to_owned(), json!({status: response}));
        self
    }

    /// With nothing to answer.
    pub(super) fn done(mut self, about: &str) -> Self {
        let responses = json!({"204": {"description": about}});
        self.value.insert("responses".to_owned(), responses);
        self
    }

    /// With an `ETag` in the answer.
    pub(super) fn tagged(mut self) -> Self {
        self.value.insert("x-etag".to_owned(), json!(true));
        self
    }

    /// With operations on what was just made, for clients and tools that follow links.
    fn linked(mut self, links: Value) -> Self {
        let made = self
            .value
            .get_mut("responses")
            .and_then(|responses| responses.get_mut("201"));
        if let Some(made) = made {
            set(made, "links", links);
        }
        self
    }

    pub(super) fn into_value(self) -> Value {
        Value::Object(self.value)
    }
}

impl Of<'_> {
    pub(super) fn operation(&self, id: String, summary: String, about: &str) -> Operation {
        Operation::new(id, &self.tag(), summary, about)
    }

    pub(super) fn tag(&self) -> String {
        super::capital(self.entry.info.many)
    }

    pub(super) fn singular(&self) -> &str {
        self.entry.info.name
    }

    fn plural(&self) -> String {
        self.entry.info.path.replace('-', "_")
    }

    fn links(&self) -> Value {
        let name = self.singular();
        let parameters =
            json!({"tenant_id": "$request.path.tenant_id", "id": "$response.body#/id"});
        ["get", "update", "archive"]
            .into_iter()
            .map(|verb| {
                let link =
                    json!({"operationId": format!("{verb}_{name}"), "parameters": parameters});
                (verb.to_owned(), link)
            })
            .collect::<Map<_, _>>()
            .into()
    }

    /// Name of the component for `fields`.
    pub(super) fn fields_name(&self) -> String {
        format!("{}Fields", self.name)
    }

    /// Name of the component for `expand`.
    pub(super) fn expand_name(&self) -> String {
        format!("{}Expand", self.name)
    }

    /// How records of this kind can be shown.
    pub(super) fn shaping(&self) -> [Value; 2] {
        let expandable = shaping::expandable(self.entry)
            .into_iter()
            .map(|(name, _)| name);
        [
            several(
                "fields",
                shaping::all_fields(self.entry),
                "Only these fields.",
            ),
            several(
                "expand",
                expandable.collect(),
                "Shows what is referred to as well.",
            ),
        ]
    }

    /// What lists of this kind alone can be filtered by: declared fields and references.
    fn filters(&self) -> Vec<Value> {
        let entry = self.entry;
        let fields = entry.filters.iter().map(|field| {
            let values = entry.values_of(field);
            match (entry.is_boolean(field), values.is_empty()) {
                (true, _) => query(field, json!({"type": "boolean"}), "With this value."),
                (false, true) => query(
                    field,
                    json!({"type": "string"}),
                    "One or more values, separated by commas.",
                ),
                (false, false) => several(field, values, "With any of these values."),
            }
        });
        let references = entry.reference_filters().map(|(field, kind)| {
            query(
                field,
                uuid(),
                &format!("Refers to this {}.", kind.replace('_', " ")),
            )
        });
        fields.chain(references).collect()
    }

    /// The orders that lists of this kind can have.
    fn sort(&self) -> Value {
        let names = sorts_of(Some(self.entry));
        let both = names
            .iter()
            .flat_map(|name| [(*name).to_owned(), format!("-{name}")]);
        let schema =
            json!({"type": "string", "enum": both.collect::<Vec<_>>(), "default": "-created_at"});
        query(
            "sort",
            schema,
            "Order; `-` turns it round. What has no value comes last.",
        )
    }

    pub(in crate::records) fn list(&self) -> Operation {
        let info = &self.entry.info;
        self.operation(
            format!("list_{}", self.plural()),
            format!("List {}", info.many),
            "In pages, filtered and ordered as asked; archived ones only with `archived=true`.",
        )
        .known(&["tenant_id"])
        .with(list_filters())
        .with([any_of(
            "status",
            &format!("{}State", self.name),
            "In any of these states.",
        )])
        .with([self.sort()])
        .known(&[&self.fields_name(), &self.expand_name()])
        .with(self.filters())
        .answers("200", "A page of the list.", &format!("{}Page", self.name))
    }

    pub(in crate::records) fn create(&self) -> Operation {
        let info = &self.entry.info;
        let about = format!(
            "{} Roles: {}. Clauses: {}.",
            info.about,
            self.entry.authors.names().join(", "),
            info.clauses.join(", ")
        );
        self.operation(
            format!("create_{}", self.singular()),
            format!("Create {}", a(info.one)),
            &about,
        )
        .known(&["tenant_id", "Idempotency-Key"])
        .takes(&["application/json"], &format!("{}Input", self.name))
        .answers("201", "It is made.", &self.name)
        .linked(self.links())
        .tagged()
    }

    pub(in crate::records) fn batch(&self) -> Operation {
        self.operation(
            format!("batch_{}", self.plural()),
            format!("Change many {} at once", self.entry.info.many),
            "Up to 100 operations, each with its own status and problem, or all or nothing with `atomic`.",
        )
        .known(&["tenant_id", "Idempotency-Key"])
        .takes(&["application/json"], &format!("{}Batch", self.name))
        .answers_as(
            "200",
            "What became of each operation.",
            reference("schemas", &format!("{}BatchOutcome", self.name)),
            "BatchOutcome",
        )
    }

    pub(in crate::records) fn get(&self) -> Operation {
        self.operation(
            format!("get_{}", self.singular()),
            format!("Read {}", a(self.entry.info.one)),
            "Whole, or in the form that `fields` and `expand` ask for; such a form has no `ETag`.",
        )
        .known(&["tenant_id", "id", "If-None-Match"])
        .known(&[&self.fields_name(), &self.expand_name()])
        .answers_as("200", "The record.", shaped(&self.name), &self.name)
        .tagged()
    }

    pub(in crate::records) fn update(&self) -> Operation {
        self.operation(
            format!("update_{}", self.singular()),
            format!("Change {}", a(self.entry.info.one)),
            "A JSON merge patch (RFC 7396): what is left out stays, null clears. The state changes only through transitions; approved content does not change (GEN-2).",
        )
        .known(&["tenant_id", "id", "If-Match"])
        .takes(
            &["application/merge-patch+json", "application/json"],
            &format!("{}Patch", self.name),
        )
        .answers("200", "The changed record.", &self.name)
        .tagged()
    }

    pub(in crate::records) fn archive(&self) -> Operation {
        self.operation(
            format!("archive_{}", self.singular()),
            format!("Archive {}", a(self.entry.info.one)),
            "Drafts and what has ended leave the lists and keep their address and history; `restore` brings them back.",
        )
        .known(&["tenant_id", "id", "If-Match"])
        .done("It is archived.")
    }
}
