//! Tasks: something somebody has to do, from whatever record (clauses 6.2, 9.3.3 and 10.1).

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::aims::RUNNERS;
use crate::records::{AnyRef, Deadline, Kind, KindInfo, Record, lifecycle};
use crate::tenancy::{Role, Roles};

/// A task. Its owner is who has to do it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// What has to be done.
    #[serde(default)]
    #[schema(max_length = 4000)]
    pub text: Option<String>,
    /// The record it comes from.
    #[serde(default)]
    pub about: Option<AnyRef>,
    /// Civil date by which it is done.
    #[schema(value_type = String, format = Date)]
    pub due_on: NaiveDate,
    /// How urgent it is.
    #[serde(default)]
    #[schema(default = "normal")]
    pub priority: Priority,
    /// What came of it.
    #[serde(default)]
    #[schema(max_length = 4000)]
    pub outcome: Option<String>,
}

/// How urgent a task is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// When there is time.
    Low,
    /// As planned.
    #[default]
    Normal,
    /// Before others.
    High,
}

lifecycle! {
    /// States of a task.
    TaskState of Task: Open, Doing, Done, Cancelled;
    start Open; frozen [Done, Cancelled];
    Open -> Doing by [AimsManager, Consultant, Lead] or [owner];
    Open -> Done by [AimsManager, Consultant, Lead] or [owner];
    Doing -> Done by [AimsManager, Consultant, Lead] or [owner];
    any -> Cancelled by [AimsManager, Lead] => asks_reason;
}

impl Kind for Task {
    const INFO: KindInfo = KindInfo {
        name: "task",
        path: "tasks",
        prefix: "TSK",
        one: "task",
        many: "tasks",
        clauses: &["6.2", "9.3.3", "10.1"],
        about: "Something somebody has to do by a date, from whatever record. Its owner sees it and does it, whatever their role.",
    };
    const AUTHORS: Roles = RUNNERS;
    const OWNERS: Roles = Roles::of(&[
        Role::TopManagement,
        Role::SystemOwner,
        Role::RiskOwner,
        Role::ProcessOwner,
        Role::Overseer,
        Role::InternalAuditor,
    ]);
    const FILTERS: &'static [&'static str] = &["priority"];
    const SORTS: &'static [&'static str] = &["due_on", "priority"];

    fn deadlines(record: &Record<Self>) -> Vec<Deadline> {
        let manager = Roles::of(&[Role::AimsManager]);
        vec![Deadline::on("task", record.body.due_on).for_person_or(record.owner_id, manager)]
    }

    fn example() -> Value {
        json!({
            "title": "Train the credit officers on automation bias",
            "text": "Half a day each, with cases of our own",
            "due_on": "2027-09-30",
            "priority": "high",
        })
    }
}
