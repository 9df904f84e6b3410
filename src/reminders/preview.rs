//! What would be sent until some day, if everything stayed as it is.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::ledger::Open;
use super::plan;
use super::recipients::{self, Member};

/// A reminder that would be sent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
pub struct PreviewItem {
    /// When it would go out.
    pub send_at: DateTime<Utc>,
    /// The record.
    pub record_id: Uuid,
    /// Name of the deadline within the record.
    #[schema(example = "review")]
    pub deadline: String,
    /// Who would get it.
    pub recipient_id: Uuid,
    /// Kind of the record.
    #[schema(example = "risk")]
    pub kind: String,
    /// Reference of the record.
    #[schema(example = "RSK-014")]
    pub r#ref: String,
    /// Title of the record.
    pub title: String,
    /// Due date.
    pub due_on: NaiveDate,
    /// Days before the due date; negative when overdue.
    pub lead_days: i32,
}

/// Reminders after `now` up to the end of `until` in the zone, in the order of sending.
pub(super) fn project(
    open: &[Open],
    members: &[Member],
    zone: Tz,
    now: DateTime<Utc>,
    until: NaiveDate,
) -> Vec<PreviewItem> {
    let mut items = Vec::new();
    for open in open {
        let (kind, reference, title) = &open.record;
        let coming = plan::steps(open.due_on, open.set_on, zone)
            .take_while(|step| step.on <= until)
            .filter(|step| step.send_at > now);
        for step in coming {
            for member in recipients::of(members, open.person_id, &open.roles, step.on) {
                if member.wants_mail() {
                    items.push(PreviewItem {
                        send_at: step.send_at,
                        record_id: open.record_id,
                        deadline: open.name.clone(),
                        recipient_id: member.user_id,
                        kind: kind.clone(),
                        r#ref: reference.clone(),
                        title: title.clone(),
                        due_on: open.due_on,
                        lead_days: step.lead_days,
                    });
                }
            }
        }
    }
    items.sort();
    items
}
