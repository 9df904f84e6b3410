//! Settings of a tenant: one struct with defaults; what differs from them is stored.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::hearing::{self, Happened, What};
use super::row::RawJson;
use super::store;
use crate::catalog;
use crate::http::merge_patch;
use crate::http::schema::Shape;
use crate::problem::{FieldError, Problem, Result};
use crate::schema::settings;
use crate::tenancy::TenantTx;

/// Name of settings in events, and for those who hear that they changed.
pub const SETTINGS: &str = "settings";

/// Settings of a tenant.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Months from one review of a record to the next, where a kind is reviewed in cycles.
    #[schema(minimum = 1, maximum = 36, default = 12)]
    pub review_cycle_months: u32,
    /// Months between management reviews.
    #[schema(minimum = 1, maximum = 24, default = 12)]
    pub management_review_months: u32,
    /// Days before a due date on which reminders go out; 0 is the day itself.
    #[schema(min_items = 1, max_items = 10)]
    pub warning_days: Vec<u16>,
    /// Months after which accepted evidence is stale, where its catalogue unit says nothing else.
    #[schema(minimum = 1, maximum = 60, default = 12)]
    pub evidence_fresh_months: u32,
    /// Inputs that a management review needs besides the seven of the standard.
    #[schema(max_items = 5)]
    pub added_review_inputs: Vec<AddedInput>,
    /// Months of operating records that stage 2 of a certification needs.
    #[schema(minimum = 0, maximum = 24, default = 3)]
    pub operating_record_months: u32,
    /// The version of each catalogue that the tenant works by; the newest where none is pinned.
    #[schema(additional_properties, value_type = BTreeMap<String, u32>)]
    pub catalogs: BTreeMap<String, u32>,
    /// Controls of the tenant's own, beside those of Annex A.
    #[schema(max_items = 50)]
    pub own_controls: Vec<OwnControl>,
}

/// An input that a tenant may add to its management reviews.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AddedInput {
    /// Status of risks and impacts.
    RiskAndImpactStatus,
    /// Objectives.
    Objectives,
    /// Incidents and concerns.
    IncidentsAndConcerns,
    /// Resources.
    Resources,
    /// Changed law.
    RegulatoryChange,
}

/// A control of the tenant's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnControl {
    /// Its number: `X.1`, `X.2` and so on.
    #[schema(
        min_length = 3,
        max_length = 6,
        pattern = "^X\\.[1-9][0-9]{0,2}$",
        example = "X.1"
    )]
    pub unit: String,
    /// Its title.
    #[schema(
        min_length = 1,
        max_length = 200,
        example = "Register of prompt templates"
    )]
    pub title: String,
    /// What it asks for.
    #[serde(default)]
    #[schema(max_length = 4000)]
    pub text: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            review_cycle_months: 12,
            management_review_months: 12,
            warning_days: vec![30, 14, 7, 1, 0],
            evidence_fresh_months: 12,
            added_review_inputs: Vec::new(),
            operating_record_months: 3,
            catalogs: BTreeMap::new(),
            own_controls: Vec::new(),
        }
    }
}

/// Settings, once they have been read in a transaction.
#[derive(Default)]
struct Known(Option<(i32, Settings)>);

impl Settings {
    /// The settings of the tenant of a transaction.
    pub async fn read(tx: &mut TenantTx<'_>) -> Result<Self> {
        Ok(Self::read_version(tx).await?.1)
    }

    /// The settings with their version; 0 while nothing has been set.
    pub(super) async fn read_version(tx: &mut TenantTx<'_>) -> Result<(i32, Self)> {
        let Known(known) = tx.take_memo();
        let found = match known {
            Some(known) => known,
            None => {
                let query = settings::table
                    .find(tx.scope())
                    .select((settings::version, settings::body));
                let row: Option<(i32, RawJson)> = tx
                    .run(async |db| query.first(&mut &*db).await.optional())
                    .await?;
                match row {
                    Some((version, body)) => (
                        version,
                        serde_json::from_str(&body.0).map_err(Problem::internal)?,
                    ),
                    None => (0, Self::default()),
                }
            }
        };
        tx.keep_memo(Known(Some(found.clone())));
        Ok(found)
    }

    /// The warning days of a tenant, for whoever looks at many tenants.
    pub async fn warning_days(db: &AsyncPgConnection, tenant_id: Uuid) -> QueryResult<Vec<i32>> {
        let query = settings::table.find(tenant_id).select(settings::body);
        let body: Option<RawJson> = query.first(&mut &*db).await.optional()?;
        let own: Option<Self> = body
            .map(|body| serde_json::from_str(&body.0))
            .transpose()
            .map_err(|error| diesel::result::Error::DeserializationError(Box::new(error)))?;
        let days = own.unwrap_or_default().warning_days;
        Ok(days.into_iter().map(i32::from).collect())
    }

    /// Changes settings by a merge patch; null brings a default back.
    pub(super) async fn change(
        tx: &mut TenantTx<'_>,
        precondition: impl FnOnce(i32) -> Result<()>,
        patch: Map<String, Value>,
    ) -> Result<(i32, Self)> {
        let (version, old) = Self::read_version(tx).await?;
        precondition(version)?;
        let before = serde_json::to_value(&old).map_err(Problem::internal)?;
        let mut content = before.clone();
        merge_patch::apply(&mut content, &Value::Object(patch));
        Shape::cached::<Self>()
            .check(&content)
            .map_err(Problem::invalid_all)?;
        let new: Self = serde_json::from_value(content).map_err(Problem::internal)?;
        new.judge()?;
        let after = serde_json::to_value(&new).map_err(Problem::internal)?;
        if after == before {
            return Ok((version, old));
        }
        let row = (
            settings::version.eq(version + 1),
            settings::body.eq(after.clone()),
        );
        let upsert = diesel::insert_into(settings::table)
            .values((settings::tenant_id.eq(tx.scope()), row.clone()))
            .on_conflict(settings::tenant_id)
            .do_update()
            .set(row);
        tx.queue_fixed(upsert);
        let changes = store::differences(&before, &after);
        tx.event(
            "changed",
            SETTINGS,
            tx.scope(),
            &json!({"changes": changes}),
        )?;
        tx.keep_memo(Known(Some((version + 1, new.clone()))));
        let happened = Happened {
            kind: SETTINGS,
            id: tx.scope(),
            reference: SETTINGS.to_owned(),
            what: What::Changed(store::names(&changes)),
        };
        hearing::tell_all(tx, &happened).await?;
        Ok((version + 1, new))
    }

    fn judge(&self) -> Result<()> {
        let mut faults = Vec::new();
        for (id, version) in &self.catalogs {
            let known = catalog::catalog(id).is_some_and(|catalog| catalog.version == *version);
            if !known {
                faults.push(FieldError {
                    pointer: format!("/catalogs/{id}"),
                    detail: "There is no such version of a catalogue.".to_owned(),
                });
            }
        }
        for (at, control) in self.own_controls.iter().enumerate() {
            let twice = self
                .own_controls
                .iter()
                .take(at)
                .any(|other| other.unit == control.unit);
            if twice {
                faults.push(FieldError {
                    pointer: format!("/own_controls/{at}/unit"),
                    detail: "appears twice".to_owned(),
                });
            }
        }
        match faults.is_empty() {
            true => Ok(()),
            false => Err(Problem::invalid_all(faults)),
        }
    }

    /// The version of a catalogue that the tenant works by.
    pub fn pinned(&self, catalog: &str) -> Option<u32> {
        let newest = || Some(catalog::catalog(catalog)?.version);
        self.catalogs.get(catalog).copied().or_else(newest)
    }

    /// The version of the catalogue that a unit is looked up in; none when there is no such unit.
    pub fn version_of(&self, catalog: &str, unit: &str) -> Option<u32> {
        let known = catalog::catalog(catalog)?;
        let own = catalog == catalog::ISO_42001
            && self.own_controls.iter().any(|control| control.unit == unit);
        (own || known.unit(unit).is_some()).then_some(known.version)
    }

    /// The controls that a Statement of Applicability decides on: those of Annex A and the
    /// tenant's own, with their titles.
    pub fn controls(&self) -> Vec<(String, String)> {
        let annex = catalog::catalog(catalog::ISO_42001)
            .into_iter()
            .flat_map(|catalog| &catalog.units)
            .filter(|unit| unit.kind == catalog::UnitKind::Control)
            .map(|unit| (unit.id.clone(), unit.title.clone()));
        let own = self
            .own_controls
            .iter()
            .map(|control| (control.unit.clone(), control.title.clone()));
        annex.chain(own).collect()
    }
}
