//! What would be sent until some day, if everything stayed as it is.
//!
//! A page is merged from streams: one for each lead, of deadlines in the order in which that lead
//! comes. Each stream is asked for no more than a page, so a page costs the same whatever the
//! tenant holds.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use diesel::prelude::*;
use diesel::result::QueryResult;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_util::future::try_join_all;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::open::Open;
use super::plan::{self, Lead, Step};
use super::recipients;
use crate::records::RecordKind;
use crate::schema::{deadlines, records};
use crate::tenancy::MemberAccount;

/// Different ways in which deadlines of a tenant have a time of their own; kinds have a few.
const PROFILES_MOST: i64 = 32;

/// A reminder that would be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
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
    #[schema(value_type = RecordKind, example = "risk")]
    pub kind: String,
    /// Reference of the record.
    #[schema(example = "RSK-014")]
    pub r#ref: String,
    /// Title of the record; null where its recipient is told of it without seeing it.
    pub title: Option<String>,
    /// Due date.
    pub due_on: NaiveDate,
    /// The instant, where it is due at one.
    pub due_at: Option<DateTime<Utc>>,
    /// Days before the due date; negative when overdue.
    pub lead_days: i32,
    /// Hours besides, before what is due at an instant.
    pub lead_hours: i32,
    /// `responsible`, `nobody_left` (stands in, because nobody responsible can be reached) or
    /// `escalated` (overdue for too long).
    #[schema(value_type = recipients::Why, example = "responsible")]
    pub why: String,
}

/// Where a page begins: after this instant, record, deadline and recipient.
pub(super) type Position = (DateTime<Utc>, Uuid, String, Uuid);

/// A span of time in a tenant's zone, and where the page begins in it.
#[derive(Clone, Debug)]
pub(super) struct Span {
    /// The warning days of the tenant's settings.
    pub(super) warn: Vec<i32>,
    pub(super) zone: Tz,
    pub(super) now: DateTime<Utc>,
    pub(super) until: NaiveDate,
    pub(super) after: Option<Position>,
}

impl Span {
    /// The instant after which, and the place in it after which, reminders are wanted.
    fn begin(&self) -> (DateTime<Utc>, Option<(Uuid, String)>) {
        match &self.after {
            Some((at, record, name, _)) => (*at, Some((*record, name.clone()))),
            None => (self.now, None),
        }
    }

    /// The instant before which they are wanted.
    fn end(&self) -> DateTime<Utc> {
        let end = self.until.succ_opt();
        end.and_then(|end| plan::midnight(end, self.zone))
            .unwrap_or(self.now)
    }
}

/// What the deadlines of a stream have in common besides the lead.
#[derive(Clone, Debug, Default, Queryable)]
pub(super) struct Profile {
    warn: Option<Vec<i32>>,
    escalate_after: Option<i32>,
    instant: bool,
}

/// The ways in which deadlines of a tenant have a time of their own, and the usual one.
pub(super) async fn profiles(db: &AsyncPgConnection, tenant_id: Uuid) -> QueryResult<Vec<Profile>> {
    let own_time = deadlines::warn
        .is_not_null()
        .or(deadlines::escalate_after.is_not_null())
        .or(deadlines::due_at.is_not_null());
    let mut found: Vec<Profile> = deadlines::table
        .filter(deadlines::tenant_id.eq(tenant_id))
        .filter(own_time)
        .select((
            deadlines::warn,
            deadlines::escalate_after,
            deadlines::due_at.is_not_null(),
        ))
        .distinct()
        .limit(PROFILES_MOST)
        .load(&mut &*db)
        .await?;
    found.push(Profile::default());
    Ok(found)
}

/// The deadlines that the next reminders of a span are about, at most so many for each lead.
pub(super) async fn streams(
    db: &AsyncPgConnection,
    tenant_id: Uuid,
    profiles: &[Profile],
    span: &Span,
    most: i64,
) -> QueryResult<Vec<(Lead, Open)>> {
    let mut streams = Vec::new();
    for profile in profiles {
        let leads = plan::leads(
            profile.warn.as_deref().unwrap_or(&span.warn),
            profile.escalate_after,
            profile.instant,
        );
        streams.extend(leads.into_iter().map(async |lead| {
            let deadlines = stream(db, tenant_id, profile, lead, span, most).await?;
            let of_lead = deadlines.into_iter().map(move |open| (lead, open));
            QueryResult::Ok(of_lead)
        }));
    }
    Ok(try_join_all(streams).await?.into_iter().flatten().collect())
}

/// The deadlines of a profile to which a lead comes within a span, in the order of its coming.
async fn stream(
    db: &AsyncPgConnection,
    tenant_id: Uuid,
    profile: &Profile,
    lead: Lead,
    span: &Span,
    most: i64,
) -> QueryResult<Vec<Open>> {
    let query = deadlines::table
        .inner_join(
            records::table.on(records::tenant_id
                .eq(deadlines::tenant_id)
                .and(records::id.eq(deadlines::record_id))),
        )
        .filter(deadlines::tenant_id.eq(tenant_id))
        .filter(deadlines::warn.is_not_distinct_from(profile.warn.clone()))
        .filter(deadlines::escalate_after.is_not_distinct_from(profile.escalate_after))
        .filter(records::archived_at.is_null())
        .limit(most)
        .select(Open::as_select())
        .into_boxed();
    let (from, place) = span.begin();
    let onwards = place.map(|(record, name)| {
        let same_record = deadlines::record_id
            .eq(record)
            .and(deadlines::name.ge(name));
        deadlines::record_id.gt(record).or(same_record)
    });
    if profile.instant {
        let (first, end) = (from + lead.length(), span.end() + lead.length());
        let query = query.filter(deadlines::due_at.lt(end)).order((
            deadlines::due_at,
            deadlines::record_id,
            deadlines::name,
        ));
        return match onwards {
            Some(onwards) => {
                let same = deadlines::due_at.eq(first).and(onwards.nullable());
                let query = query.filter(deadlines::due_at.gt(first).or(same));
                query.load(&mut &*db).await
            }
            None => {
                query
                    .filter(deadlines::due_at.gt(first))
                    .load(&mut &*db)
                    .await
            }
        };
    }
    let lead = TimeDelta::days(lead.days.into());
    let today = from.with_timezone(&span.zone).date_naive();
    let morning = plan::instant(today, span.zone);
    let query = query
        .filter(deadlines::due_at.is_null())
        .filter(deadlines::due_on.ge(today + lead))
        .filter(deadlines::due_on.le(span.until + lead))
        .order((deadlines::due_on, deadlines::record_id, deadlines::name));
    let later = deadlines::due_on.gt(today + lead);
    match onwards {
        _ if morning > Some(from) => query.load(&mut &*db).await,
        Some(onwards) if morning == Some(from) => {
            query.filter(later.or(onwards)).load(&mut &*db).await
        }
        _ => query.filter(later).load(&mut &*db).await,
    }
}

/// A page of at most `most` reminders from the first `looked_at` steps, and where the next page
/// begins if there may be more.
pub(super) fn merge(
    found: Vec<(Lead, Open)>,
    members: &[MemberAccount],
    span: &Span,
    looked_at: usize,
    most: usize,
) -> (Vec<PreviewItem>, Option<Position>) {
    let coming: BTreeMap<(DateTime<Utc>, Uuid, String), (Step, Open)> = found
        .into_iter()
        .filter_map(|(lead, open)| {
            let step = open.schedule(&span.warn).step(lead, span.zone)?;
            let key = (step.send_at, open.record_id, open.name.clone());
            let comes = step.send_at > span.now && step.on <= span.until;
            comes.then_some((key, (step, open)))
        })
        .collect();
    let mut page = Vec::new();
    let mut last = None;
    for (number, ((send_at, record_id, name), (step, open))) in coming.into_iter().enumerate() {
        if number == looked_at {
            return (page, last);
        }
        if step.on >= open.set_on {
            for recipient in recipients::of(members, &open, &step, step.on) {
                let place = (send_at, record_id, name.clone(), recipient.person());
                if span.after.as_ref().is_some_and(|after| place <= *after) {
                    continue;
                }
                if page.len() == most {
                    return (page, last);
                }
                page.push(PreviewItem::new(&open, &step, &recipient));
                last = Some(place);
            }
        }
        last = Some((send_at, record_id, name, Uuid::max()));
    }
    (page, None)
}

impl PreviewItem {
    fn new(open: &Open, step: &Step, recipient: &recipients::Recipient<'_>) -> Self {
        let (kind, reference, title) = open.record.clone();
        Self {
            send_at: step.send_at,
            record_id: open.record_id,
            deadline: open.name.clone(),
            recipient_id: recipient.person(),
            kind,
            r#ref: reference,
            title: Some(title),
            due_on: open.due_on,
            due_at: open.due_at,
            lead_days: step.lead.days,
            lead_hours: step.lead.hours,
            why: recipient.why.as_str().to_owned(),
        }
    }
}
