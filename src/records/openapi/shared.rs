//! Operations that are the same for every kind, described once.

use serde_json::json;

use super::super::registry::Registry;
use super::super::trail::WORD_LIMIT;
use super::operations::Operation;
use super::parameters::{any_of, list_filters, query, uuid};

/// The group of all of them.
pub(super) const TAG: &str = "Records";

fn operation(id: &str, summary: &str, about: &str) -> Operation {
    Operation::new(id.to_owned(), TAG, summary.to_owned(), about)
}

/// On one record of any kind.
fn of_record(id: &str, summary: &str, about: &str) -> Operation {
    operation(id, summary, about).known(&["tenant_id", "kind", "id"])
}

/// A list that hangs on a record.
fn list_of(id: &str, summary: &str, about: &str, schema: &str) -> Operation {
    of_record(id, summary, about)
        .known(&["limit", "cursor"])
        .answers("200", "A page of the list.", schema)
}

/// Something to be added to a record.
fn attach(id: &str, summary: &str, about: &str, input: &str, output: &str) -> Operation {
    of_record(id, summary, about)
        .known(&["Idempotency-Key"])
        .takes(&["application/json"], input)
        .answers("201", "It is added.", output)
}

pub(in crate::records) fn search(_: &Registry) -> Operation {
    operation(
        "search_records",
        "Search records of all kinds",
        "Records of any kind by text, state, owner and date.",
    )
    .known(&["tenant_id", "sort"])
    .with(list_filters())
    .with([
        any_of("status", "RecordState", "In any of these states."),
        any_of("kind", "RecordKind", "Of any of these kinds."),
    ])
    .answers("200", "A page of records.", "FoundRecordPage")
}

pub(in crate::records) fn list_transitions(_: &Registry) -> Operation {
    of_record(
        "list_record_transitions",
        "List the transitions of a record",
        "Transitions from the present state: which you can make, and for the others why not.",
    )
    .answers("200", "The whole list.", "TransitionOptionList")
}

pub(in crate::records) fn make_transition(_: &Registry) -> Operation {
    of_record(
        "make_transition",
        "Move a record to another state",
        "Refused with 409 and the allowed states when there is no such transition, with 403 or 422 and the rule when one stands in the way.",
    )
    .known(&["If-Match", "Idempotency-Key"])
    .takes(&["application/json"], "TransitionRequest")
    .answers("200", "The moved record.", "AnyRecord")
    .tagged()
}

pub(in crate::records) fn list_links(_: &Registry) -> Operation {
    list_of(
        "list_record_links",
        "List the links of a record",
        "References of the record, mirrored, and links made by hand, oldest first.",
        "LinkPage",
    )
}

pub(in crate::records) fn create_link(_: &Registry) -> Operation {
    attach(
        "create_record_link",
        "Link a record",
        "Links the record to another one, or to a unit of a catalogue.",
        "NewLink",
        "Link",
    )
}

pub(in crate::records) fn delete_link(_: &Registry) -> Operation {
    of_record(
        "delete_record_link",
        "Take a link away from a record",
        "Only links made by hand; the others follow their fields.",
    )
    .known(&["link_id"])
    .done("It is gone.")
}

pub(in crate::records) fn get_link(_: &Registry) -> Operation {
    of_record("get_record_link", "Read a link of a record", "One link.")
        .known(&["link_id"])
        .answers("200", "The link.", "Link")
}

pub(in crate::records) fn list_evidence(_: &Registry) -> Operation {
    list_of(
        "list_record_evidence",
        "List the evidence of a record",
        "Pieces of evidence that are attached to the record or refer to it, oldest first.",
        "AnyRecordPage",
    )
}

pub(in crate::records) fn create_evidence(_: &Registry) -> Operation {
    attach(
        "create_record_evidence",
        "Attach evidence to a record",
        "Attaches a piece of evidence by its `id`, or makes one from its fields and attaches it. What is approved can be given evidence too.",
        "NewAttachment",
        "AnyRecord",
    )
    .tagged()
}

pub(in crate::records) fn restore(_: &Registry) -> Operation {
    of_record(
        "restore_record",
        "Restore an archived record",
        "It comes back as it was when it was archived.",
    )
    .known(&["If-Match"])
    .answers("200", "The restored record.", "AnyRecord")
    .tagged()
}

pub(in crate::records) fn list_shares(_: &Registry) -> Operation {
    list_of(
        "list_record_shares",
        "List with whom a record is shared",
        "External auditors who may read the record, each until a date.",
        "SharePage",
    )
}

pub(in crate::records) fn create_share(_: &Registry) -> Operation {
    of_record(
        "create_record_share",
        "Share a record with an external auditor",
        "Until a date; sharing again changes the date.",
    )
    .known(&["Idempotency-Key"])
    .takes(&["application/json"], "NewShare")
    .answers("200", "It is shared.", "Share")
}

pub(in crate::records) fn delete_share(_: &Registry) -> Operation {
    of_record(
        "delete_record_share",
        "End what is shared with an external auditor",
        "The auditor sees the record no longer.",
    )
    .known(&["person_id"])
    .done("It is no longer shared.")
}

pub(in crate::records) fn get_settings(_: &Registry) -> Operation {
    operation(
        "get_settings",
        "Read the settings of a tenant",
        "With the defaults of what has not been set.",
    )
    .known(&["tenant_id"])
    .answers("200", "The settings.", "Settings")
    .tagged()
}

pub(in crate::records) fn update_settings(_: &Registry) -> Operation {
    operation(
        "update_settings",
        "Change the settings of a tenant",
        "A JSON merge patch (RFC 7396): what is left out stays, null brings the default back.",
    )
    .known(&["tenant_id", "If-Match"])
    .takes(
        &["application/merge-patch+json", "application/json"],
        "SettingsPatch",
    )
    .answers("200", "The settings.", "Settings")
    .tagged()
}

pub(in crate::records) fn list_comments(_: &Registry) -> Operation {
    list_of(
        "list_record_comments",
        "List the comments on a record",
        "Remarks, oldest first.",
        "CommentPage",
    )
}

pub(in crate::records) fn create_comment(_: &Registry) -> Operation {
    attach(
        "create_record_comment",
        "Comment on a record",
        "Makes a remark; viewers and auditors do not.",
        "NewComment",
        "Comment",
    )
}

pub(in crate::records) fn get_comment(_: &Registry) -> Operation {
    of_record(
        "get_record_comment",
        "Read a comment on a record",
        "One remark.",
    )
    .known(&["comment_id"])
    .answers("200", "The comment.", "Comment")
}

pub(in crate::records) fn list_history(_: &Registry) -> Operation {
    list_of(
        "list_record_history",
        "List the history of a record",
        "What happened to the record, newest first.",
        "RecordEventPage",
    )
}

pub(in crate::records) fn list_events(_: &Registry) -> Operation {
    let instant = || json!({"type": "string", "format": "date-time"});
    let word = || json!({"type": "string", "maxLength": WORD_LIMIT});
    operation(
        "list_events",
        "Read the audit trail of a tenant",
        "Everything that happened, refusals included, in its order: who, when, what, before and after. Each event carries the hash of the one before it, so that a copy can be checked. Of records, those events are told that happened to records you see.",
    )
    .known(&["tenant_id", "limit", "cursor"])
    .with([
        query("after", json!({"type": "integer", "minimum": 0, "maximum": u32::MAX}), "Only events after this number: what has happened since the last look."),
        query("action", word(), "Of this action, such as `refused`."),
        query("kind", word(), "To something of this kind, such as `risk` or `membership`."),
        query("subject_id", uuid(), "To this record, membership or the like."),
        query("actor_id", uuid(), "By this person."),
        query("since", instant(), "At or after this instant."),
        query("until", instant(), "Before this instant."),
    ])
    .answers("200", "A page of the trail.", "AuditEventPage")
}

pub(in crate::records) fn list_versions(_: &Registry) -> Operation {
    list_of(
        "list_record_versions",
        "List the versions of a record",
        "Approved versions, newest first.",
        "RecordVersionSummaryPage",
    )
}

pub(in crate::records) fn get_version(_: &Registry) -> Operation {
    of_record(
        "get_record_version",
        "Read an approved version of a record",
        "As it was approved; it never changes (GEN-2).",
    )
    .known(&["number"])
    .answers("200", "The version.", "RecordVersion")
}

pub(in crate::records) fn list_deadlines(_: &Registry) -> Operation {
    list_of(
        "list_record_deadlines",
        "List the deadlines of a record",
        "What is due of this record, first things first.",
        "RecordDeadlinePage",
    )
}
