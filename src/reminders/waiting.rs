//! Whether a reminder that waits is still true, and why not: asked by whoever plans and once more
//! by whoever sends.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use diesel::prelude::*;
use uuid::Uuid;

use super::open::Open;
use super::plan::Lead;
use super::recipients::{self, Recipient};
use crate::schema::reminders;
use crate::tenancy::MemberAccount;

/// Its deadline is no longer there as it was.
pub(super) const MET_OR_MOVED: &str = "met or moved";
/// Nobody is reminded so long before it any more.
const NO_SUCH_DAY: &str = "the warning days have changed";
/// It waited so long that the next one has come.
const OVERTAKEN: &str = "a later reminder has taken its place";
/// The recipient does not belong to the tenant any more.
const HAS_LEFT: &str = "recipient has left";
/// The recipient does not want mail.
const SWITCHED_OFF: &str = "mail switched off";
/// It is no longer the recipient's.
const NOT_THEIRS: &str = "no longer responsible";

/// A reminder that is in the ledger and planned.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = reminders, check_for_backend(diesel::pg::Pg))]
pub(super) struct Waiting {
    pub(super) id: Uuid,
    pub(super) record_id: Uuid,
    pub(super) deadline: String,
    pub(super) due_on: NaiveDate,
    due_at: Option<DateTime<Utc>>,
    lead_days: i32,
    lead_hours: i32,
    recipient_id: Uuid,
}

/// What decides in a tenant whether a reminder is true.
pub(super) struct View<'a> {
    pub(super) members: &'a [MemberAccount],
    /// The warning days of its settings.
    pub(super) warn: &'a [i32],
    pub(super) zone: Tz,
    pub(super) now: DateTime<Utc>,
}

impl View<'_> {
    /// The tenant's civil date.
    pub(super) fn today(&self) -> NaiveDate {
        self.now.with_timezone(&self.zone).date_naive()
    }
}

impl Waiting {
    /// Whether it is about this deadline as it is now.
    fn is_about(&self, open: &Open) -> bool {
        (self.record_id, &self.deadline) == (open.record_id, &open.name)
            && (self.due_on, self.due_at) == (open.due_on, open.due_at)
    }

    /// Its deadline and its recipient, if it is still true; otherwise why not.
    pub(super) fn judge<'m, 'o>(
        &self,
        deadlines: impl IntoIterator<Item = &'o Open>,
        view: &View<'m>,
    ) -> Result<(&'o Open, Recipient<'m>), &'static str> {
        let (zone, today) = (view.zone, view.today());
        let lead = Lead {
            days: self.lead_days,
            hours: self.lead_hours,
        };
        let open = deadlines
            .into_iter()
            .find(|open| self.is_about(open))
            .ok_or(MET_OR_MOVED)?;
        let schedule = open.schedule(view.warn);
        if !schedule.leads().contains(&lead) {
            return Err(NO_SUCH_DAY);
        }
        let present = schedule.current(zone, view.now).map(|step| step.lead);
        if present.is_some_and(|present| present < lead) {
            return Err(OVERTAKEN);
        }
        let step = schedule.step(lead, zone).ok_or(MET_OR_MOVED)?;
        recipients::of(view.members, open, &step, today)
            .into_iter()
            .find(|found| found.person() == self.recipient_id)
            .map(|recipient| (open, recipient))
            .ok_or_else(|| self.missing(view.members, today))
    }

    /// Why the recipient is none any more.
    fn missing(&self, members: &[MemberAccount], today: NaiveDate) -> &'static str {
        let mut here = members
            .iter()
            .map(|member| (member, &member.holding))
            .filter(|(_, held)| held.user_id == self.recipient_id && held.holds(today));
        match here.next() {
            None => HAS_LEFT,
            Some((member, _)) if !recipients::wants_mail(member) => SWITCHED_OFF,
            Some(_) => NOT_THEIRS,
        }
    }
}
