//! Operations on what hangs on a record, and on the items of its lists.

use serde_json::{Value, json};

use super::super::Part;
use super::super::kind::pascal;
use super::examples::version_example;
use super::operations::{Of, Operation};
use super::parameters::{idempotency_key, if_match, parameter, uuid};
use super::schemas::{list_of, reference};
use super::set;

impl Of<'_> {
    pub(super) fn of_record(
        &self,
        verb: &str,
        what: &str,
        schema: &str,
        about: &str,
        example: Value,
    ) -> Operation {
        Operation {
            id: format!("{verb}_{}_{what}", self.singular()),
            summary: format!("List the {what} of a {}", self.entry.info.one),
            about: about.to_owned(),
            parameters: self.of_id(),
            body: None,
            success: (
                "200",
                "The list.".to_owned(),
                Some((
                    list_of(schema),
                    json!({"items": [example], "next_cursor": null}),
                )),
            ),
            etag: false,
        }
    }

    pub(super) fn attach(
        &self,
        what: &str,
        input: &str,
        output: &str,
        about: &str,
        example: Value,
    ) -> Operation {
        let mut parameters = self.of_id();
        parameters.push(idempotency_key());
        Operation {
            id: format!("create_{}_{what}", self.singular()),
            summary: format!("Add {what} to a {}", self.entry.info.one),
            about: about.to_owned(),
            parameters,
            body: Some(("application/json", input.to_owned())),
            success: (
                "201",
                "It is added.".to_owned(),
                Some((reference(output), example)),
            ),
            etag: false,
        }
    }

    pub(super) fn delete_link(&self) -> Operation {
        let mut parameters = self.of_id();
        parameters.push(parameter("path", "link_id", uuid(), "The link."));
        Operation {
            id: format!("delete_{}_link", self.singular()),
            summary: format!("Take a link away from a {}", self.entry.info.one),
            about: "Only links made by hand; the others follow their fields.".to_owned(),
            parameters,
            body: None,
            success: ("204", "It is gone.".to_owned(), None),
            etag: false,
        }
    }

    pub(super) fn version(&self) -> Operation {
        let mut parameters = self.of_id();
        parameters.push(parameter(
            "path",
            "number",
            json!({"type": "integer", "format": "int32", "minimum": 1}),
            "Number of the version.",
        ));
        let mut example = version_example();
        set(&mut example, "content", self.entry.example.clone());
        Operation {
            id: format!("get_{}_version", self.singular()),
            summary: format!("Read an approved version of a {}", self.entry.info.one),
            about: "As it was approved; it never changes (GEN-2).".to_owned(),
            parameters,
            body: None,
            success: (
                "200",
                "The version.".to_owned(),
                Some((reference("RecordVersion"), example)),
            ),
            etag: false,
        }
    }

    fn part_schema(&self, part: &Part) -> String {
        format!("{}{}", self.name, pascal(part.field))
    }

    fn part_example(&self, part: &Part) -> Value {
        let first = self.entry.example.pointer(&format!("/{}/0", part.field));
        first.cloned().unwrap_or(json!({}))
    }

    pub(super) fn list_part(&self, part: &Part) -> Operation {
        let mut operation = self.of_record(
            "list",
            part.field,
            &self.part_schema(part),
            &format!("Each {} has an address of its own.", part.one),
            self.part_example(part),
        );
        operation.etag = true;
        operation
    }

    pub(super) fn part_item(&self, part: &Part) -> [(&'static str, Operation); 3] {
        let base = || {
            let mut parameters = self.of_id();
            parameters.push(parameter(
                "path",
                "key",
                json!({"type": "string"}),
                &format!("The `{}` of the {}.", part.key, part.one),
            ));
            parameters
        };
        let operation =
            |verb: &str, summary: &str, about: &str, write: bool, body: bool| Operation {
                id: format!(
                    "{verb}_{}_{}",
                    self.singular(),
                    part.field.trim_end_matches('s')
                ),
                summary: format!("{summary} {} of a {}", part.one, self.entry.info.one),
                about: about.to_owned(),
                parameters: base().into_iter().chain(write.then(if_match)).collect(),
                body: body.then(|| ("application/json", self.part_schema(part))),
                success: match write {
                    true => ("200", "The changed record.".to_owned(), self.record()),
                    false => (
                        "200",
                        "The item.".to_owned(),
                        Some((reference(&self.part_schema(part)), self.part_example(part))),
                    ),
                },
                etag: true,
            };
        [
            (
                "get",
                operation("get", "Read one", "One item of the list.", false, false),
            ),
            (
                "put",
                operation(
                    "put",
                    "Write one",
                    "Puts it in the place of the one with this name, or adds it. The name may be left out of the body.",
                    true,
                    true,
                ),
            ),
            (
                "delete",
                operation(
                    "delete",
                    "Take out one",
                    "Takes it out of the list.",
                    true,
                    false,
                ),
            ),
        ]
    }
}
