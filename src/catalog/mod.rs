//! The frameworks' catalogues: clauses, controls and articles that records are linked to, and the
//! crosswalk between them.
//!
//! The files of `catalogs/` are part of the program; they are read once, at first use, and never
//! change while it runs. They are global: tenants pin a version, none edits a catalogue. Numbers
//! and short titles are facts of the standards; summaries are own words and replace no licensed
//! copy.
//!
//! | file | question |
//! |---|---|
//! | `files.rs` | how does a file become a catalogue? |
//! | `crosswalk.rs` | which unit of one framework answers which unit of another? |
//! | `routes.rs` | how do clients read all this? |

mod crosswalk;
mod files;
mod routes;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use crosswalk::{Coverage, Crosswalk, CrosswalkLink, Relation, Uncovered, crosswalk};
pub use routes::routes;

/// Id of the catalogue of ISO/IEC 42001, the standard that a tenant's system follows.
pub const ISO_42001: &str = "iso42001";

static CATALOGS: LazyLock<Vec<Catalog>> = LazyLock::new(files::read_all);

/// A framework's catalogue.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Catalog {
    /// Its id: `iso42001`, `nist-ai-rmf`, `eu-ai-act` or `iso27001`.
    #[schema(example = "iso42001")]
    pub id: String,
    /// Full name of the framework.
    pub title: String,
    /// Edition of the framework.
    #[schema(example = "2023")]
    pub edition: String,
    /// Version of this catalogue; it grows with every change.
    #[schema(example = 1)]
    pub version: u32,
    /// What the catalogue is, and is not.
    pub note: String,
    /// Its units, in the order of the framework.
    pub units: Vec<Unit>,
    #[serde(skip)]
    places: HashMap<String, usize>,
}

impl Catalog {
    fn new(head: files::Head, units: Vec<Unit>) -> Self {
        let files::Head {
            id,
            title,
            edition,
            catalog_version: version,
            note,
        } = head;
        let places = units.iter().enumerate();
        let places = places.map(|(place, unit)| (unit.id.clone(), place));
        Self {
            id,
            title,
            edition,
            version,
            note,
            places: places.collect(),
            units,
        }
    }

    /// The unit with an id.
    pub fn unit(&self, id: &str) -> Option<&Unit> {
        self.units.get(*self.places.get(id)?)
    }
}

/// What a unit is in its framework.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UnitKind {
    /// A clause of a management system standard, with or without clauses below it.
    Clause,
    /// A control objective or an area of controls.
    Objective,
    /// A control of an annex.
    Control,
    /// A function of NIST AI RMF.
    Function,
    /// A category of NIST AI RMF.
    Category,
    /// A subcategory of NIST AI RMF.
    Subcategory,
    /// An article of a law; assessed by itself where it is one duty as a whole.
    Article,
    /// One of several duties of an article.
    Obligation,
}

/// A clause, control, subcategory, article or duty.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Unit {
    /// Its id, as the framework numbers it.
    #[schema(example = "6.1.2")]
    pub id: String,
    /// Short title.
    #[schema(example = "AI risk assessment")]
    pub title: String,
    /// What it is.
    pub kind: UnitKind,
    /// The unit it is part of.
    #[schema(example = "6.1")]
    pub parent: Option<String>,
    /// Group of the management system; ISO/IEC 42001 only.
    #[schema(example = "RISK-OPP")]
    pub group: Option<String>,
    /// Whether it is assessed by itself; false for what only holds others together.
    pub assessable: bool,
    /// What it asks for, in own words; NIST AI RMF: the outcome statement.
    pub summary: Option<String>,
    /// A remark on it.
    pub note: Option<String>,
    /// Whether documented information is asked for: by a clause always, by a control where it is
    /// applied.
    pub mandatory_document: bool,
    /// How that documented information is kept.
    pub document_kind: Option<DocumentKind>,
    /// The documents asked for.
    pub documents: Vec<String>,
    /// Kinds of records that normally carry the proof.
    #[schema(example = json!(["risk_assessment", "risk"]))]
    pub evidence: Vec<String>,
    /// Months after which evidence counts as stale.
    pub freshness_months: Option<u32>,
    /// Roles that a duty of the EU AI Act is addressed to.
    pub addressees: Vec<String>,
    /// Risk classes that a duty of the EU AI Act applies to.
    pub risk_classes: Vec<String>,
    /// First day of application, for `all` or for the named case; EU AI Act only.
    pub applies_from: BTreeMap<String, NaiveDate>,
}

impl Unit {
    fn new(id: String, title: String, kind: UnitKind) -> Self {
        Self {
            id,
            title,
            kind,
            parent: None,
            group: None,
            assessable: false,
            summary: None,
            note: None,
            mandatory_document: false,
            document_kind: None,
            documents: Vec::new(),
            evidence: Vec::new(),
            freshness_months: None,
            addressees: Vec::new(),
            risk_classes: Vec::new(),
            applies_from: BTreeMap::new(),
        }
    }
}

/// How documented information is kept (clause 7.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DocumentKind {
    /// A living document.
    Maintained,
    /// A record kept as evidence.
    Retained,
    /// Both.
    Both,
}

/// All catalogues.
pub fn catalogs() -> &'static [Catalog] {
    &CATALOGS
}

/// The catalogue with an id.
pub fn catalog(id: &str) -> Option<&'static Catalog> {
    catalogs().iter().find(|catalog| catalog.id == id)
}

/// A unit of a catalogue.
pub fn unit(catalog_id: &str, unit_id: &str) -> Option<&'static Unit> {
    catalog(catalog_id)?.unit(unit_id)
}

/// Whether a catalogue has a unit.
pub fn has(catalog_id: &str, unit_id: &str) -> bool {
    unit(catalog_id, unit_id).is_some()
}
