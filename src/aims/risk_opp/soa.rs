//! The Statement of Applicability (clause 6.1.3): which controls apply, why, and how far they are.
//! One in a tenant, revised over the years; top management approves it together with its entries.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::openapi::{Ref as Named, RefOr};
use utoipa::openapi::schema::{ArrayBuilder, Schema};
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

use super::facts::facts;
use super::soa_entry::{SoaEntry, SoaEntryState, contradiction, lacks};
use crate::aims::RUNNERS;
use crate::aims::improvement::waiver::Waiver;
use crate::aims::rules::{SOA_1, SOA_2, SOA_3, SOA_4};
use crate::catalog::ISO_42001;
use crate::problem::Result;
use crate::records::{
    Cause, Guarded, Happened, Hears, Kind, KindInfo, New, OneFor, Record, Ref, RuleId, SETTINGS, Settings, Unmet, What,
    amend, find, follow, get, lifecycle, spawn_all,
};
use crate::tenancy::{Roles, TenantTx};

/// Most faults of a sort that a refusal tells one by one.
const MOST_TOLD: usize = 50;
/// Most changes that a statement remembers until it is reviewed.
const MOST_CAUSES: usize = 50;
/// Settings that say which controls there are.
const SETTINGS_THAT_MATTER: &[&str] = &["catalogs", "own_controls"];
/// Fields of others that the decisions on controls rest on, by kind.
const FIELDS_THAT_MATTER: &[(&str, &[&str])] = &[
    ("risk", &["ai_system_id", "source", "category", "treatment_option", "level"]),
    ("risk_treatment", &["risk_id", "option", "controls", "action"]),
    ("ai_system", &["technique", "autonomy", "origin", "supplier_name", "used_by", "decision_effect", "personal_data", "in_scope"]),
    (SETTINGS, SETTINGS_THAT_MATTER),
];

/// A Statement of Applicability. Its entries are records of their own (`soa-entries?soa_id=`),
/// made with it: one for each control of Annex A and each of your own.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Soa {
    /// What it rests on: the scope, the risk assessment.
    #[serde(default)]
    #[schema(max_length = 4000)]
    pub basis: Option<String>,
    /// The version of the catalogue of ISO/IEC 42001 whose controls it decides on.
    #[serde(default)]
    #[schema(read_only)]
    pub catalog_version: Option<u32>,
    /// Whether something has changed that it rests on, and is not in an approved version yet.
    #[serde(default)]
    #[schema(read_only)]
    pub review_required: bool,
    /// What has changed (SOA-4). The next approval after it was reviewed clears it.
    #[serde(default)]
    #[schema(read_only)]
    pub review_causes: ReviewCauses,
}

/// What has changed since a Statement of Applicability was reviewed, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReviewCauses(Vec<ReviewCause>);

impl PartialSchema for ReviewCauses {
    fn schema() -> RefOr<Schema> {
        ArrayBuilder::new()
            .description(Some("What has changed since the statement was reviewed, oldest first."))
            .items(Named::from_schema_name(ReviewCause::name()))
            .max_items(Some(MOST_CAUSES))
            .build()
            .into()
    }
}

impl ToSchema for ReviewCauses {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((ReviewCause::name().into_owned(), ReviewCause::schema()));
    }
}

impl ReviewCauses {
    /// Remembers one more; of a record that is remembered and not reviewed yet, nothing is added.
    fn add(&mut self, new: ReviewCause) {
        self.0.retain(|known| known.id != new.id || !known.reviewed);
        let is_known = self.0.iter().any(|known| known.id == new.id);
        if !is_known && self.0.len() < MOST_CAUSES {
            self.0.push(new);
        }
    }

    fn review(&mut self) {
        self.0.iter_mut().for_each(|cause| cause.reviewed = true);
    }

    fn forget_reviewed(&mut self) {
        self.0.retain(|cause| !cause.reviewed);
    }
}

/// Something that changed and that a Statement of Applicability rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReviewCause {
    /// Kind of the record, or `settings`.
    pub kind: String,
    /// Id of the record.
    pub id: Uuid,
    /// Its human reference.
    pub r#ref: String,
    /// What happened, as a sentence.
    pub because: String,
    /// Civil date on which it happened.
    #[schema(value_type = String, format = Date)]
    pub on: NaiveDate,
    /// Whether the statement has been submitted for approval since.
    pub reviewed: bool,
}

/// A reference to a Statement of Applicability.
pub type SoaId = Ref<Soa>;

lifecycle! {
    /// States of a Statement of Applicability.
    SoaState of Soa: Draft, InReview, Approved, ReviewRequired, Withdrawn;
    start Draft; frozen [InReview, Approved, ReviewRequired, Withdrawn];
    Draft -> InReview by [AimsManager, Consultant, Lead]
        if [SOA_1: has_each_control_once, SOA_2: justifies_each, SOA_3: contradicts_no_fact];
    InReview -> Draft by [AimsManager, TopManagement, Lead] => asks_reason;
    InReview -> Approved by [TopManagement]
        if [SOA_1: has_each_control_once, SOA_2: justifies_each, SOA_3: contradicts_no_fact] => approves;
    Approved -> ReviewRequired by [];
    Approved -> Draft by [AimsManager, Consultant, Lead] => revises, asks_reason;
    ReviewRequired -> Draft by [AimsManager, Consultant, Lead] => revises;
    any -> Withdrawn by [TopManagement] => withdraws, asks_reason;
}

impl Kind for Soa {
    const INFO: KindInfo = KindInfo {
        name: "soa",
        path: "soas",
        prefix: "SOA",
        one: "Statement of Applicability",
        many: "Statements of Applicability",
        clauses: &["6.1.3"],
        about: "Which controls of Annex A and of your own apply, why, and how far they are: one entry for each (SOA-1), justified in own words (SOA-2), none excluded against the facts (SOA-3). Top management approves it with its entries as one version. A new or changed treatment, risk or system, and a new set of controls, ask for its review (SOA-4); what is in force stays in force.",
    };
    const AUTHORS: Roles = RUNNERS;
    const FILTERS: &'static [&'static str] = &["review_required"];
    const ONE_FOR: Option<OneFor> = Some(OneFor::Tenant);
    const CHILDREN: &'static [(&'static str, &'static str)] = &[("soa_entry", "/soa_id")];
    const RULES: &'static [&'static RuleId] = &[&SOA_4];
    const HEARS: &'static [Hears] = &[
        Hears::Made("risk"),
        Hears::Changed("risk"),
        Hears::Moved("risk", "closed"),
        Hears::Made("risk_treatment"),
        Hears::Changed("risk_treatment"),
        Hears::Moved("risk_treatment", "cancelled"),
        Hears::Made("ai_system"),
        Hears::Changed("ai_system"),
        Hears::Moved("ai_system", "retired"),
        Hears::Archived("risk"),
        Hears::Archived("risk_treatment"),
        Hears::Archived("ai_system"),
        Hears::Moved("waiver", "expired"),
        Hears::Moved("waiver", "refused"),
        Hears::Changed(SETTINGS),
    ];

    async fn compute(record: &mut Record<Self>, _before: Option<&Record<Self>>, tx: &mut TenantTx<'_>) -> Result<()> {
        if record.status == SoaState::Draft {
            record.body.catalog_version = Settings::read(tx).await?.pinned(ISO_42001);
        }
        record.body.review_required = !record.body.review_causes.0.is_empty();
        Ok(())
    }

    /// Whoever submits it has reviewed what changed; what changes after that is not approved.
    async fn entering(record: &mut Record<Self>, _from: SoaState, _tx: &mut TenantTx<'_>) -> Result<()> {
        let causes = &mut record.body.review_causes;
        match record.status {
            SoaState::InReview => causes.review(),
            SoaState::Approved => causes.forget_reviewed(),
            _ => {}
        }
        Ok(())
    }

    async fn made(record: &Record<Self>, tx: &mut TenantTx<'_>) -> Result<()> {
        fill(record, tx).await
    }

    async fn moved(record: &Record<Self>, _from: SoaState, tx: &mut TenantTx<'_>) -> Result<()> {
        match record.status {
            SoaState::Draft => fill(record, tx).await,
            SoaState::Approved if record.body.review_required => {
                let cause = Cause::of(record, "something changed while it was being approved");
                follow::<Self>(tx, record.id, SoaState::ReviewRequired, &cause).await
            }
            SoaState::Withdrawn => {
                let cause = Cause::of(record, format!("{} was withdrawn", record.reference));
                for entry in entries(record, tx).await? {
                    follow::<SoaEntry>(tx, entry.id, SoaEntryState::Withdrawn, &cause).await?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// SOA-4: what it rests on has changed. A first draft is being written anyway.
    async fn heard(happened: &Happened, tx: &mut TenantTx<'_>) -> Result<()> {
        use SoaState::{Approved, Draft, InReview, ReviewRequired};
        let Some(because) = because(happened, tx).await? else { return Ok(()) };
        let living = find::<Self>().in_states(&[Draft, InReview, Approved, ReviewRequired]);
        for soa in living.load(tx).await? {
            if happened.kind == SETTINGS && soa.status == Draft {
                fill(&soa, tx).await?;
            }
            if soa.status != Draft || soa.in_force.is_some() {
                ask_for_review(&soa, happened, &because, tx).await?;
            }
        }
        Ok(())
    }

    fn example() -> Value {
        json!({
            "title": "Statement of Applicability",
            "basis": "AIMS scope and the risk assessment of March; all systems in scope.",
        })
    }
}

/// Its entries, in the order they were made.
async fn entries(soa: &Record<Soa>, tx: &mut TenantTx<'_>) -> Result<Vec<Record<SoaEntry>>> {
    let mut entries = find::<SoaEntry>().about(soa.id).load(tx).await?;
    entries.retain(|entry| entry.body.soa_id == soa.link());
    entries.reverse();
    Ok(entries)
}

/// Makes the entries that are missing, undecided.
async fn fill(soa: &Record<Soa>, tx: &mut TenantTx<'_>) -> Result<()> {
    let known = entries(soa, tx).await?;
    let controls = Settings::read(tx).await?.controls();
    let missing = controls
        .into_iter()
        .filter(|(control, _)| !known.iter().any(|entry| entry.body.control == *control))
        .map(|(control, title)| New {
            title: format!("{control} {title}"),
            owner_id: None,
            body: SoaEntry::undecided(soa, &control),
        });
    let cause = Cause::of(soa, format!("{} has an entry for each control", soa.reference));
    spawn_all(tx, missing.collect(), &cause).await
}

/// What happened, as a sentence, if it bears on the decisions.
async fn because(happened: &Happened, tx: &mut TenantTx<'_>) -> Result<Option<String>> {
    let reference = &happened.reference;
    Ok(match &happened.what {
        What::Made => Some(format!("{reference} is new.")),
        What::Changed(fields) => {
            let that_matter = FIELDS_THAT_MATTER.iter().find(|(kind, _)| *kind == happened.kind);
            let changed: Vec<&str> = fields
                .iter()
                .map(String::as_str)
                .filter(|field| that_matter.is_some_and(|(_, fields)| fields.contains(field)))
                .collect();
            (!changed.is_empty()).then(|| format!("{reference} has changed: {}.", changed.join(", ")))
        }
        What::Moved(_) if happened.kind == "waiver" => {
            let waiver = get::<Waiver>(tx, happened.id).await?;
            let was_granted = waiver.approved_by.is_some() && waiver.body.rule == SOA_3.id;
            was_granted.then(|| format!("{reference} holds no longer."))
        }
        What::Archived(true) => Some(format!("{reference} was archived.")),
        What::Archived(false) => Some(format!("{reference} was restored.")),
        What::Moved(to) => Some(format!("{reference} is {to}.")),
    })
}

/// SOA-4: remembers what changed, and moves what is approved to be reviewed.
async fn ask_for_review(soa: &Record<Soa>, happened: &Happened, because: &str, tx: &mut TenantTx<'_>) -> Result<()> {
    let on = tx.today()?;
    let cause = Cause::heard(happened, because);
    amend::<Soa>(tx, soa.id, &cause, |soa| {
        soa.body.review_causes.add(ReviewCause {
            kind: happened.kind.to_owned(),
            id: happened.id,
            r#ref: happened.reference.clone(),
            because: because.to_owned(),
            on,
            reviewed: false,
        });
    })
    .await
    .map(drop)?;
    match soa.status {
        SoaState::Approved => follow::<Soa>(tx, soa.id, SoaState::ReviewRequired, &cause).await,
        _ => Ok(()),
    }
}

/// A fault at the entry of a control.
fn at(control: &str) -> String {
    format!("/entries/{control}")
}

/// The first faults, and how many more there are.
fn told(mut faults: Vec<Unmet>) -> Guarded {
    let more = faults.len().saturating_sub(MOST_TOLD);
    if more > 0 {
        faults.truncate(MOST_TOLD);
        faults.push(Unmet::new("/entries", format!("And {more} more.")));
    }
    Ok(faults)
}

/// SOA-1: one entry for each control, and none for what is no control.
async fn has_each_control_once(soa: &Record<Soa>, tx: &mut TenantTx<'_>) -> Guarded {
    let entries = entries(soa, tx).await?;
    let controls = Settings::read(tx).await?.controls();
    let of = |control: &str| -> Vec<&str> {
        let found = entries.iter().filter(|entry| entry.body.control.0 == control);
        found.map(|entry| entry.reference.as_str()).collect()
    };
    let mut faults = Vec::new();
    for (control, _) in &controls {
        match of(control).as_slice() {
            [] => faults.push(Unmet::new(at(control), format!("{control} has no entry."))),
            [_] => {}
            many => faults.push(Unmet::new(
                at(control),
                format!("{control} has more than one entry: {}.", many.join(", ")),
            )),
        }
    }
    let is_control = |entry: &Record<SoaEntry>| controls.iter().any(|(control, _)| entry.body.control == *control);
    for entry in entries.iter().filter(|entry| !is_control(entry)) {
        let control = &entry.body.control.0;
        let detail = format!("{} is about {control}, which is no control any more.", entry.reference);
        faults.push(Unmet::new(at(control), detail));
    }
    told(faults)
}

/// SOA-2: each entry is decided and justified.
async fn justifies_each(soa: &Record<Soa>, tx: &mut TenantTx<'_>) -> Guarded {
    let mut faults = Vec::new();
    for entry in entries(soa, tx).await? {
        let lacking: Vec<&str> = lacks(&entry).into_iter().map(|(_, what)| what).collect();
        if !lacking.is_empty() {
            let control = &entry.body.control.0;
            let detail = format!("{control} ({}) {}.", entry.reference, lacking.join(", "));
            faults.push(Unmet::new(at(control), detail));
        }
    }
    told(faults)
}

/// SOA-3: no exclusion contradicts the facts of today.
async fn contradicts_no_fact(soa: &Record<Soa>, tx: &mut TenantTx<'_>) -> Guarded {
    let facts = facts(tx).await?;
    let mut faults = Vec::new();
    for entry in entries(soa, tx).await? {
        if let Some(detail) = contradiction(&entry, &facts, tx).await? {
            faults.push(Unmet::by_facts(at(&entry.body.control.0), detail));
        }
    }
    told(faults)
}
