//! Evidence (clause 7.5): the proof that something is as it should be. It is accepted by a second
//! person, serves as many records and requirements as it can, and ages (GEN-3).

use chrono::{Months, NaiveDate};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::aims::RUNNERS;
use crate::aims::rules::GEN_3;
use crate::catalog;
use crate::problem::{Problem, Result};
use crate::records::{
    AnyRef, Cause, Deadline, Guarded, Kind, KindInfo, New, Record, SeenBy, Settings, UnitRef, Unmet, lifecycle, spawn,
};
use crate::aims::improvement::task::{Priority, Task};
use crate::tenancy::{Role, Roles, TenantTx};

/// The deadline after which evidence is stale.
const FRESHNESS: &str = "freshness";
/// Days for the renewal of stale evidence.
const RENEWAL_DAYS: u64 = 30;

/// A piece of evidence. Its owner is asked to renew it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// What it is.
    pub kind: EvidenceKind,
    /// Where it is: an address, or a place in another system.
    #[serde(default)]
    #[schema(max_length = 2000)]
    pub location: Option<String>,
    /// SHA-256 of the file, if it is one, in hexadecimal.
    #[serde(default)]
    #[schema(min_length = 64, max_length = 64, pattern = "^[0-9a-f]{64}$")]
    pub sha256: Option<String>,
    /// Civil date it was collected.
    #[schema(value_type = String, format = Date)]
    pub collected_on: NaiveDate,
    /// First civil date of what it is about.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Date)]
    pub period_from: Option<NaiveDate>,
    /// Last civil date of what it is about.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Date)]
    pub period_to: Option<NaiveDate>,
    /// What it shows.
    #[serde(default)]
    #[schema(max_length = 4000)]
    pub shows: Option<String>,
    /// Clauses, controls and duties it serves.
    #[serde(default)]
    #[schema(max_items = 50)]
    pub serves: Vec<UnitRef>,
    /// Records it proves something of, besides those it is attached to.
    #[serde(default)]
    #[schema(max_items = 50)]
    pub proves: Vec<AnyRef>,
    /// How sensitive it is.
    #[serde(default)]
    #[schema(default = "internal")]
    pub sensitivity: Sensitivity,
    /// Last civil date on which it counts as fresh; computed when it is accepted.
    #[serde(default)]
    #[schema(read_only, value_type = Option<String>, format = Date)]
    pub fresh_until: Option<NaiveDate>,
}

/// What evidence is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceKind {
    /// A file.
    File,
    /// An address.
    Link,
    /// A record in this or another system.
    Record,
    /// A measurement.
    Measurement,
    /// A statement of somebody.
    Attestation,
    /// An interview.
    Interview,
}

/// How sensitive evidence is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sensitivity {
    /// For everybody.
    Public,
    /// For the organisation.
    #[default]
    Internal,
    /// For few.
    Confidential,
}

lifecycle! {
    /// States of evidence.
    EvidenceState of Evidence: Collected, Accepted, Rejected, Stale, Archived;
    start Collected; frozen [Accepted, Rejected, Stale, Archived];
    Collected -> Accepted by [AimsManager, InternalAuditor, RiskOwner, SystemOwner, ProcessOwner] except [author, owner] if [GEN_3: can_be_found] => approves;
    Collected -> Rejected by [AimsManager, InternalAuditor, RiskOwner, SystemOwner, ProcessOwner] => asks_reason;
    Accepted -> Stale by [] => after(FRESHNESS);
    Stale -> Collected by [AimsManager, Consultant, Lead] or [owner] => revises;
    Stale -> Archived by [AimsManager] => withdraws;
    Accepted -> Archived by [AimsManager] => asks_reason, withdraws;
}

impl Kind for Evidence {
    const INFO: KindInfo = KindInfo {
        name: "evidence",
        path: "evidence",
        prefix: "EVD",
        one: "piece of evidence",
        many: "pieces of evidence",
        clauses: &["7.5.1", "7.5.3"],
        about: "The proof that something is as it should be. A second person accepts it; it serves as many records and requirements as it can, and goes stale (GEN-3).",
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
    const FILTERS: &'static [&'static str] = &["kind", "sensitivity"];
    const SORTS: &'static [&'static str] = &["collected_on", "fresh_until"];
    const ATTACHES_AS: Option<&'static str> = Some("evidence");

    async fn judge(record: &Record<Self>, _before: Option<&Record<Self>>, tx: &mut TenantTx<'_>) -> Result<()> {
        let evidence = &record.body;
        if evidence.collected_on > tx.today()? {
            return Err(Problem::invalid("/collected_on", "lies in the future"));
        }
        if evidence.period_from.zip(evidence.period_to).is_some_and(|(from, to)| from > to) {
            return Err(Problem::invalid("/period_to", "lies before period_from"));
        }
        Ok(())
    }

    async fn entering(record: &mut Record<Self>, _from: EvidenceState, tx: &mut TenantTx<'_>) -> Result<()> {
        record.body.fresh_until = match record.status {
            EvidenceState::Accepted => fresh_until(&record.body, tx).await?,
            EvidenceState::Collected => None,
            _ => record.body.fresh_until,
        };
        Ok(())
    }

    /// GEN-3: its owner is asked to renew what has become stale.
    async fn moved(record: &Record<Self>, _from: EvidenceState, tx: &mut TenantTx<'_>) -> Result<()> {
        if record.status != EvidenceState::Stale {
            return Ok(());
        }
        let due_on = tx.today()? + chrono::Days::new(RENEWAL_DAYS);
        // Others see the task than the evidence that names its audience.
        let title = match record.seen_by {
            SeenBy::Named(_) => format!("Renew {}", record.reference),
            _ => format!("Renew {}: {}", record.reference, record.title),
        };
        let renewal = New {
            title,
            owner_id: record.owner_id,
            body: Task {
                text: Some("The evidence is no longer fresh.".to_owned()),
                about: Some(AnyRef { kind: Self::INFO.name.to_owned(), id: record.id }),
                due_on,
                priority: Priority::Normal,
                outcome: None,
            },
        };
        spawn(tx, renewal, &Cause::of(record, format!("{} has become stale", record.reference))).await.map(drop)
    }

    fn deadlines(record: &Record<Self>) -> Vec<Deadline> {
        let accepted = record.status == EvidenceState::Accepted;
        let until = record.body.fresh_until.filter(|_| accepted);
        until
            .map(|due_on| Deadline::on(FRESHNESS, due_on).for_person_or(record.owner_id, Roles::of(&[Role::AimsManager])))
            .into_iter()
            .collect()
    }

    fn example() -> Value {
        json!({
            "title": "Bias test of release 2.3",
            "kind": "file",
            "location": "https://files.example.org/bias-test-2.3.pdf",
            "collected_on": "2026-03-10",
            "shows": "Selection ratio 0.86",
            "serves": [{"catalog": "iso42001", "unit": "A.6.2.4"}],
        })
    }
}

/// Evidence that nobody can find proves nothing.
async fn can_be_found(evidence: &Record<Evidence>, _tx: &mut TenantTx<'_>) -> Guarded {
    let stated = [EvidenceKind::Attestation, EvidenceKind::Interview].contains(&evidence.body.kind);
    let text = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.trim().is_empty());
    let found = text(&evidence.body.location) || (stated && text(&evidence.body.shows));
    Unmet::unless(found, "/location", "Accepted evidence says where it is, or what was stated.")
}

/// The shortest freshness of the units it serves, else the tenant's default, from its collection.
async fn fresh_until(evidence: &Evidence, tx: &mut TenantTx<'_>) -> Result<Option<NaiveDate>> {
    let of_units = evidence
        .serves
        .iter()
        .filter_map(|serves| catalog::unit(&serves.catalog, &serves.unit)?.freshness_months)
        .min();
    let months = match of_units {
        Some(months) => months,
        None => Settings::read(tx).await?.evidence_fresh_months,
    };
    Ok(evidence.collected_on.checked_add_months(Months::new(months)))
}
