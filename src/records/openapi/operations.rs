//! The operations of one kind.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::super::{Entry, shaping};
use super::examples::{
    EXAMPLE_ID, EXAMPLE_INSTANT, comment_example, evidence_example, link_example, output_example,
    version_example,
};
use super::parameters::{
    common_filters, idempotency_key, if_match, paging, parameter, query, tenant_id, uuid,
};
use super::schemas::{list_of, reference};
use super::set;

/// The routes of one kind.
pub(super) struct Of<'a> {
    pub(super) entry: &'a Entry,
    pub(super) name: String,
}

/// An operation in the making.
pub(super) struct Operation {
    pub(super) id: String,
    pub(super) summary: String,
    pub(super) about: String,
    pub(super) parameters: Vec<Value>,
    pub(super) body: Option<(&'static str, String)>,
    pub(super) success: (&'static str, String, Option<(Value, Value)>),
    pub(super) etag: bool,
}

impl Of<'_> {
    pub(super) fn paths(&self) -> Map<String, Value> {
        let base = format!("/v1/tenants/{{tenant_id}}/{}", self.entry.info.path);
        let one = format!("{base}/{{id}}");
        let mut paths = BTreeMap::new();
        let mut add = |path: String, verb: &str, operation: Operation| {
            let item: &mut Map<String, Value> = paths.entry(path).or_default();
            item.insert(verb.to_owned(), self.finish(operation));
        };
        add(base.clone(), "get", self.list());
        add(base.clone(), "post", self.create());

        add(format!("{base}/batch"), "post", self.batch());
        add(one.clone(), "get", self.get());
        add(one.clone(), "patch", self.update());
        add(one.clone(), "delete", self.archive());
        add(format!("{one}/transitions"), "get", self.of_record("list", "transitions", "TransitionOption", "Transitions from the present state: which you can make, and for the others why not.", json!({"to": self.entry.moves.first().map(|known| known.to), "allowed": true, "why_not": null, "rule": null, "approves": false, "asks_reason": false, "by": ["aims_manager"]})));
        add(format!("{one}/transitions"), "post", self.transition());
        add(
            format!("{one}/links"),
            "get",
            self.of_record(
                "list",
                "links",
                "Link",
                "References of the record, mirrored, and links made by hand.",
                link_example(),
            ),
        );
        add(
            format!("{one}/links"),
            "post",
            self.attach(
                "link",
                "NewLink",
                "Link",
                "Links the record to another one, or to a unit of a catalogue.",
                link_example(),
            ),
        );
        add(
            format!("{one}/links/{{link_id}}"),
            "delete",
            self.delete_link(),
        );
        add(
            format!("{one}/evidence"),
            "get",
            self.of_record(
                "list",
                "evidence",
                "EvidenceRef",
                "Where the proof for the record is to be found.",
                evidence_example(),
            ),
        );
        add(
            format!("{one}/evidence"),
            "post",
            self.attach(
                "evidence",
                "NewEvidenceRef",
                "EvidenceRef",
                "Attaches a reference to evidence.",
                evidence_example(),
            ),
        );
        add(
            format!("{one}/comments"),
            "get",
            self.of_record(
                "list",
                "comments",
                "Comment",
                "Remarks, oldest first.",
                comment_example(),
            ),
        );
        add(
            format!("{one}/comments"),
            "post",
            self.attach(
                "comment",
                "NewComment",
                "Comment",
                "Makes a remark; who may read the record may do that.",
                comment_example(),
            ),
        );
        let mut history = self.of_record("list", "history", "RecordEvent", "What happened to the record, newest first.", json!({"seq": 12, "at": EXAMPLE_INSTANT, "actor_id": EXAMPLE_ID, "action": "moved", "request_id": null, "data": {"from": "a", "to": "b", "reason": null}}));
        history.parameters.extend(paging());
        add(format!("{one}/history"), "get", history);
        add(
            format!("{one}/versions"),
            "get",
            self.of_record(
                "list",
                "versions",
                "RecordVersionSummary",
                "Approved versions, newest first.",
                version_example(),
            ),
        );
        add(format!("{one}/versions/{{number}}"), "get", self.version());
        add(format!("{one}/deadlines"), "get", self.of_record("list", "deadlines", "RecordDeadline", "What is due of this record.", json!({"name": "review", "due_on": "2027-06-28", "set_on": "2027-01-11", "person_id": null, "roles": ["aims_manager"]})));
        for part in self.entry.parts {
            let items = format!("{one}/{}", part.field);
            let key = format!("{items}/{{key}}");
            add(items, "get", self.list_part(part));
            for (verb, operation) in self.part_item(part) {
                add(key.clone(), verb, operation);
            }
        }
        paths
            .into_iter()
            .map(|(path, item)| (path, Value::Object(item)))
            .collect()
    }

    /// Operations on what was just made, for clients and tools that follow links.
    fn links(&self) -> Value {
        let name = self.singular();
        let parameters =
            json!({"tenant_id": "$request.path.tenant_id", "id": "$response.body#/id"});
        ["get", "update", "archive", "transition"]
            .into_iter()
            .map(|verb| {
                let link =
                    json!({"operationId": format!("{verb}_{name}"), "parameters": parameters});
                (verb.to_owned(), link)
            })
            .collect::<Map<_, _>>()
            .into()
    }

    fn finish(&self, operation: Operation) -> Value {
        let (status, about, content) = operation.success;
        let mut success = json!({"description": about});
        if let Some((schema, example)) = content {
            set(
                &mut success,
                "content",
                json!({"application/json": {"schema": schema, "example": example}}),
            );
        }
        if status == "201" && operation.etag {
            set(&mut success, "links", self.links());
        }
        let mut value = json!({
            "operationId": operation.id,
            "summary": operation.summary,
            "description": operation.about,
            "tags": [self.tag()],
            "parameters": operation.parameters,
            "responses": {status: success},
        });
        if let Some((media, schema)) = operation.body {
            let mut content = Map::new();
            content.insert(media.to_owned(), json!({"schema": reference(&schema)}));
            if media != "application/json" {
                content.insert(
                    "application/json".to_owned(),
                    json!({"schema": reference(&schema)}),
                );
            }
            set(
                &mut value,
                "requestBody",
                json!({"required": true, "content": content}),
            );
        }
        if operation.etag {
            set(&mut value, "x-etag", json!(true));
        }
        value
    }

    fn tag(&self) -> String {
        let many = self.entry.info.many;
        let (first, rest) = many.split_at(many.len().min(1));
        format!("{}{rest}", first.to_uppercase())
    }

    pub(super) fn singular(&self) -> &str {
        self.entry.info.name
    }

    fn plural(&self) -> String {
        self.entry.info.path.replace('-', "_")
    }

    pub(super) fn of_id(&self) -> Vec<Value> {
        vec![
            tenant_id(),
            parameter(
                "path",
                "id",
                uuid(),
                &format!("The {}.", self.entry.info.one),
            ),
        ]
    }

    pub(super) fn record(&self) -> Option<(Value, Value)> {
        Some((reference(&self.name), output_example(self.entry)))
    }

    fn shaping(&self) -> [Value; 2] {
        let expandable: Vec<_> = shaping::expandable(self.entry)
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        [
            query(
                "fields",
                json!({"type": "string"}),
                &format!(
                    "Only these fields, separated by commas: {}.",
                    shaping::all_fields(self.entry).join(", ")
                ),
            ),
            query(
                "expand",
                json!({"type": "string"}),
                &format!(
                    "Shows what is referred to as well; any of {}.",
                    expandable.join(", ")
                ),
            ),
        ]
    }

    fn list(&self) -> Operation {
        let info = &self.entry.info;
        let mut parameters = vec![tenant_id()];
        parameters.extend(common_filters());
        parameters.extend(self.shaping());
        for field in self.entry.filters {
            let about = "One or more values, separated by commas.";
            parameters.push(query(field, json!({"type": "string"}), about));
        }
        for (field, kind) in self.entry.reference_filters() {
            let about = format!("Refers to this {}.", kind.replace('_', " "));
            parameters.push(query(field, uuid(), &about));
        }
        Operation {
            id: format!("list_{}", self.plural()),
            summary: format!("List {}", info.many),
            about: format!("{} States: {}.", info.about, self.entry.states.join(", ")),
            parameters,
            body: None,
            success: (
                "200",
                "A page of the list.".to_owned(),
                Some((
                    list_of(&self.name),
                    json!({"items": [output_example(self.entry)], "next_cursor": null}),
                )),
            ),
            etag: false,
        }
    }

    fn create(&self) -> Operation {
        let info = &self.entry.info;
        Operation {
            id: format!("create_{}", self.singular()),
            summary: format!("Create a {}", info.one),
            about: format!(
                "{} Roles: {}. Clauses: {}.",
                info.about,
                self.entry.authors.names().join(", "),
                info.clauses.join(", ")
            ),
            parameters: vec![tenant_id(), idempotency_key()],
            body: Some(("application/json", format!("{}Input", self.name))),
            success: ("201", "It is made.".to_owned(), self.record()),
            etag: true,
        }
    }

    fn batch(&self) -> Operation {
        Operation {
            id: format!("batch_{}", self.plural()),
            summary: format!("Change many {} at once", self.entry.info.many),
            about: "Up to 100 operations, each with its own status and problem, or all or nothing with `atomic`.".to_owned(),
            parameters: vec![tenant_id(), idempotency_key()],
            body: Some(("application/json", "Batch".to_owned())),
            success: ("200", "What became of each operation.".to_owned(), Some((reference("BatchOutcome"), json!({"committed": true, "items": [{"status": 201, "record": output_example(self.entry), "problem": null}]})))),
            etag: false,
        }
    }

    fn get(&self) -> Operation {
        let mut parameters = self.of_id();
        parameters.extend(self.shaping());
        parameters.push(parameter(
            "header",
            "If-None-Match",
            json!({"type": "string"}),
            "Answers 304 when the record is still this version.",
        ));
        Operation {
            id: format!("get_{}", self.singular()),
            summary: format!("Read a {}", self.entry.info.one),
            about: self.entry.info.about.to_owned(),
            parameters,
            body: None,
            success: ("200", "The record.".to_owned(), self.record()),
            etag: true,
        }
    }

    fn update(&self) -> Operation {
        let mut parameters = self.of_id();
        parameters.push(if_match());
        Operation {
            id: format!("update_{}", self.singular()),
            summary: format!("Change a {}", self.entry.info.one),
            about: "A JSON merge patch (RFC 7396): what is left out stays, null clears. The state changes only through transitions; approved content does not change (GEN-2).".to_owned(),
            parameters,
            body: Some(("application/merge-patch+json", format!("{}Patch", self.name))),
            success: ("200", "The changed record.".to_owned(), self.record()),
            etag: true,
        }
    }

    fn archive(&self) -> Operation {
        let mut parameters = self.of_id();
        parameters.push(if_match());
        Operation {
            id: format!("archive_{}", self.singular()),
            summary: format!("Archive a {}", self.entry.info.one),
            about: "It leaves the lists and keeps its address and history.".to_owned(),
            parameters,
            body: None,
            success: ("204", "It is archived.".to_owned(), None),
            etag: false,
        }
    }

    fn transition(&self) -> Operation {
        let mut parameters = self.of_id();
        parameters.extend([if_match(), idempotency_key()]);
        Operation {
            id: format!("transition_{}", self.singular()),
            summary: format!("Move a {} to another state", self.entry.info.one),
            about: "Refused with 409 and the allowed states when there is no such transition, with 403 or 422 and the rule when one stands in the way.".to_owned(),
            parameters,
            body: Some(("application/json", "TransitionRequest".to_owned())),
            success: ("200", "The moved record.".to_owned(), self.record()),
            etag: true,
        }
    }
}
