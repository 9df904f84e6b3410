//! Operations on the items of a record's lists that have an address of their own.

use serde_json::json;

use super::super::kind::{Part, pascal};
use super::super::rows::RowEntry;
use super::a;
use super::operations::{Of, Operation};
use super::parameters::{parameter, query};

impl Of<'_> {
    /// Of the schema of one item.
    pub(super) fn part_name(&self, part: &Part) -> String {
        format!("{}{}", self.name, pascal(part.field))
    }

    fn part_id(&self, verb: &str, part: &Part) -> String {
        let item = part.field.trim_end_matches('s');
        format!("{verb}_{}_{item}", self.singular())
    }

    pub(in crate::records) fn list_part(&self, part: &Part) -> Operation {
        self.operation(
            format!("list_{}_{}", self.singular(), part.field),
            format!("List the {} of {}", part.field, a(self.entry.info.one)),
            &format!("Each {} has an address of its own.", part.one),
        )
        .known(&["tenant_id", "id"])
        .answers(
            "200",
            "The whole list.",
            &format!("{}List", self.part_name(part)),
        )
        .tagged()
    }

    fn of_item(&self, verb: &str, summary: &str, part: &Part, about: &str) -> Operation {
        let key = parameter(
            "path",
            "key",
            json!({"type": "string"}),
            &format!("The `{}` of the {}.", part.key, part.one),
        );
        self.operation(
            self.part_id(verb, part),
            format!("{summary} {} of {}", part.one, a(self.entry.info.one)),
            about,
        )
        .known(&["tenant_id", "id"])
        .with([key])
        .tagged()
    }

    pub(in crate::records) fn get_part(&self, part: &Part) -> Operation {
        self.of_item("get", "Read one", part, "One item of the list.")
            .answers("200", "The item.", &self.part_name(part))
    }

    pub(in crate::records) fn put_part(&self, part: &Part) -> Operation {
        let about = "Puts it in the place of the one with this name, or adds it. The name may be left out of the body.";
        self.of_item("put", "Write one", part, about)
            .known(&["If-Match"])
            .takes(&["application/json"], &self.part_name(part))
            .answers("200", "The changed record.", &self.name)
    }

    pub(in crate::records) fn delete_part(&self, part: &Part) -> Operation {
        self.of_item("delete", "Take out one", part, "Takes it out of the list.")
            .known(&["If-Match"])
            .answers("200", "The changed record.", &self.name)
    }
}

/// Operations on rows under a record.
impl Of<'_> {
    pub(in crate::records) fn list_rows(&self, rows: &RowEntry) -> Operation {
        let instant = json!({"type": "string", "format": "date-time"});
        let person = json!({"type": "string", "format": "uuid"});
        self.operation(
            format!("list_{}_{}", self.singular(), rows.list),
            format!("List the {} of {}", rows.list, a(self.entry.info.one)),
            &format!("{} In the order of time.", rows.about),
        )
        .known(&["tenant_id", "id", "limit", "cursor"])
        .with([
            query("from", instant.clone(), "At or after this instant."),
            query("until", instant, "At or before this instant."),
            query("person_id", person, "About this person."),
        ])
        .answers(
            "200",
            "A page of the list.",
            &format!("{}Page", rows.schema_name),
        )
    }

    pub(in crate::records) fn add_rows(&self, rows: &RowEntry) -> Operation {
        self.operation(
            format!("add_{}_{}", self.singular(), rows.list),
            format!("Add {} to {}", rows.list, a(self.entry.info.one)),
            &format!(
                "One {}, or up to 1,000 as `items`. What is there already is not added again.",
                rows.one
            ),
        )
        .known(&["tenant_id", "id", "Idempotency-Key"])
        .takes(&["application/json"], &format!("{}Input", rows.schema_name))
        .answers("200", "What became of them.", "RowsAdded")
    }
}
