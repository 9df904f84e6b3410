//! Acknowledgements of a policy (clauses 5.2 and 7.3): one row for each person and version.
//!
//! Publishing asks everybody in the audience who holds a place on that day (POL-2). Who joins
//! later is not asked until the next version, and may acknowledge all the same.

use chrono::{DateTime, Days, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::policy::Policy;
use crate::problem::{Problem, Result};
use crate::records::{
    Cause, Deadline, Known, PersonId, Record, Rows, add_rows_for, count_rows, forget_deadlines, in_force,
};
use crate::tenancy::{Actor, Role, Roles, TenantTx, holders_of};

/// What is due for somebody who is asked.
const DEADLINE: &str = "acknowledgement";
/// Days overdue after which the AIMS manager is told.
const ESCALATED_AFTER: u16 = 14;

/// That somebody has read and understood a version of a policy, or is asked to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Acknowledgement {
    /// The version that is meant; it must be the one in force.
    #[schema(minimum = 1)]
    pub version: i32,
    /// Whose it is.
    #[serde(default)]
    #[schema(read_only)]
    pub person_id: Option<PersonId>,
    /// When the version came into force; for those who were not asked, when they acknowledged.
    #[serde(default)]
    #[schema(read_only)]
    pub asked_at: Option<DateTime<Utc>>,
    /// Civil date by which it is due; none for those who were not asked.
    #[serde(default)]
    #[schema(read_only, value_type = Option<String>, format = Date)]
    pub due_on: Option<NaiveDate>,
    /// Civil date on which it was given; none while it is pending.
    #[serde(default)]
    #[schema(read_only, value_type = Option<String>, format = Date)]
    pub done_on: Option<NaiveDate>,
}

impl Rows for Acknowledgement {
    type Of = Policy;
    const LIST: &'static str = "acknowledgements";
    const ONE: &'static str = "acknowledgement";
    const ABOUT: &'static str = "Who has acknowledged which version, and who is asked to. Everybody gives their own, of the version in force; pending ones are made by publishing. Who joins later is asked with the next version, and may acknowledge this one all the same.";
    const WRITERS: Roles = Roles::of(&[]);
    const OWN: bool = true;
    /// The pending row becomes the one that is given.
    const REPLACES: bool = true;
    const DEADLINE: Option<&'static str> = Some(DEADLINE);

    fn example() -> Value {
        json!({"version": 1})
    }

    fn key(&self) -> String {
        format!("{}{}", of_version(self.version), self.person().unwrap_or_default())
    }

    fn at(&self) -> DateTime<Utc> {
        self.asked_at.unwrap_or_default()
    }

    fn person(&self) -> Option<Uuid> {
        self.person_id.map(|person| person.0)
    }

    fn sent_by(self, sender: Actor) -> Self {
        Self { person_id: sender.person().map(PersonId), ..self }
    }

    fn due(&self) -> Option<Deadline> {
        let due_on = self.due_on.filter(|_| self.done_on.is_none())?;
        let deadline = Deadline::on(DEADLINE, due_on).for_person(self.person());
        Some(deadline.escalate(ESCALATED_AFTER, Roles::of(&[Role::AimsManager])))
    }

    async fn complete(self, record: &Record<Policy>, known: &Known<'_, Self>, tx: &mut TenantTx<'_>) -> Result<Self> {
        let Some(policy) = in_force::<Policy>(tx, record.id).await? else {
            return Err(Problem::conflict("No version of this policy is in force."));
        };
        if policy.in_force != Some(self.version) {
            return Err(Problem::invalid("/version", "is not the version in force"));
        }
        let today = tx.today()?;
        match known.get(&self.key()) {
            Some(given) if given.done_on.is_some() => Ok(given.clone()),
            Some(pending) => Ok(Self { done_on: Some(today), ..pending.clone() }),
            None if policy.body.ack_required && tx.actor().roles().meets(policy.body.asked()) => {
                Ok(Self { asked_at: Some(tx.now()), done_on: Some(today), ..self })
            }
            None => Err(Problem::forbidden("You are not among those who are asked to acknowledge this policy.")),
        }
    }

    fn tally_schema() -> Option<Value> {
        Some(json!({
            "type": "object",
            "description": "Coverage of the version in force, for those who see the whole record: `done` ÷ `asked`.",
            "required": ["version", "asked", "done"],
            "properties": {
                "version": {"type": "integer", "format": "int32", "description": "The version in force."},
                "asked": {"type": "integer", "format": "int64", "description": "People asked when it came into force."},
                "done": {"type": "integer", "format": "int64", "description": "Those of them who have acknowledged it."},
            },
        }))
    }

    async fn tally(record: &Record<Policy>, tx: &mut TenantTx<'_>) -> Result<Value> {
        let Some(version) = record.in_force else { return Ok(Value::Null) };
        let key = of_version(version);
        let asked = count_rows::<Self>(tx, record.id, &key, &["due_on"]).await?;
        let done = count_rows::<Self>(tx, record.id, &key, &["due_on", "done_on"]).await?;
        Ok(json!({"version": version, "asked": asked, "done": done}))
    }
}

/// How the keys of a version's rows begin.
fn of_version(version: i32) -> String {
    format!("v{version}:")
}

/// POL-2: the version that has come into force is put before everybody in its audience. What was
/// pending of an older one stays as history and is due no more.
pub(super) async fn ask(policy: &Record<Policy>, tx: &mut TenantTx<'_>) -> Result<()> {
    forget_deadlines::<Acknowledgement>(tx, policy.id);
    let Some(version) = policy.in_force.filter(|_| policy.body.ack_required) else {
        return Ok(());
    };
    let (now, today) = (tx.now(), tx.today()?);
    let pending = |person| Acknowledgement {
        version,
        person_id: Some(PersonId(person)),
        asked_at: Some(now),
        due_on: today.checked_add_days(Days::new(policy.body.ack_due_days.into())),
        done_on: None,
    };
    let people = holders_of(tx, policy.body.asked()).await?;
    let rows: Vec<_> = people.into_iter().map(pending).collect();
    let cause = Cause::of(policy, format!("version {version} of {} came into force", policy.reference));
    add_rows_for(tx, policy, rows, &cause).await.map(drop)
}
