//! The files of `catalogs/`, and how each becomes a catalogue.
//!
//! The rows are read strictly: a field that nobody here knows is a fault, so that a fact added to
//! a file is either used or refused, never lost.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Catalog, DocumentKind, Unit, UnitKind};

const ISO_42001: &str = include_str!("../../catalogs/iso42001.yaml");
const NIST_AI_RMF: &str = include_str!("../../catalogs/nist-ai-rmf.yaml");
const EU_AI_ACT: &str = include_str!("../../catalogs/eu-ai-act.yaml");
const ISO_27001: &str = include_str!("../../catalogs/iso27001.yaml");
const CROSSWALK: &str = include_str!("../../catalogs/crosswalk.yaml");

/// All catalogues, that of the management system first.
pub(super) fn read_all() -> Vec<Catalog> {
    vec![
        read::<Iso42001>(ISO_42001).into(),
        read::<NistAiRmf>(NIST_AI_RMF).into(),
        read::<EuAiAct>(EU_AI_ACT).into(),
        read::<Iso27001>(ISO_27001).into(),
    ]
}

/// The crosswalk, as it is written.
pub(super) fn read_crosswalk() -> CrosswalkFile {
    read(CROSSWALK)
}

#[expect(
    clippy::expect_used,
    reason = "the files are part of the program, and its tests read every one"
)]
fn read<T: DeserializeOwned>(text: &str) -> T {
    serde_saphyr::from_str(text).expect("an embedded catalogue is well-formed")
}

/// What a file says of itself.
#[derive(Deserialize)]
pub(super) struct Head {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) edition: String,
    pub(super) catalog_version: u32,
    pub(super) note: String,
}

#[derive(Deserialize)]
struct Iso42001 {
    catalog: Head,
    clauses: Vec<Iso42001Clause>,
    objectives: Vec<Objective>,
    controls: Vec<Iso42001Control>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Iso42001Clause {
    id: String,
    parent: Option<String>,
    title: String,
    group: String,
    assessable: bool,
    #[serde(default)]
    mandatory_document: bool,
    document_kind: Option<DocumentKind>,
    #[serde(default)]
    documents: Vec<String>,
    #[serde(default)]
    evidence: Vec<String>,
    freshness_months: Option<u32>,
    summary: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Objective {
    id: String,
    title: String,
    group: String,
    objective: String,
    #[serde(default)]
    sub_objectives: Vec<SubObjective>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SubObjective {
    id: String,
    title: String,
    objective: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Iso42001Control {
    id: String,
    /// Always an ancestor of `parent`; a test says so.
    #[serde(rename = "objective")]
    _objective: String,
    parent: String,
    title: String,
    group: String,
    mandatory_document: bool,
    evidence: Vec<String>,
    freshness_months: u32,
    summary: String,
}

impl From<Iso42001> for Catalog {
    fn from(file: Iso42001) -> Self {
        let clauses = file.clauses.into_iter().map(Unit::from);
        let objectives = file.objectives.into_iter().flat_map(|row| {
            let Objective {
                id,
                title,
                group,
                objective,
                sub_objectives,
            } = row;
            let parts = sub_objectives.into_iter().map(|part| Unit {
                parent: Some(id.clone()),
                group: Some(group.clone()),
                summary: Some(part.objective),
                ..Unit::new(part.id, part.title, UnitKind::Objective)
            });
            let parts: Vec<_> = parts.collect();
            let whole = Unit {
                group: Some(group),
                summary: Some(objective),
                ..Unit::new(id, title, UnitKind::Objective)
            };
            std::iter::once(whole).chain(parts)
        });
        let controls = file.controls.into_iter().map(Unit::from);
        let units = clauses.chain(objectives).chain(controls).collect();
        Self::new(file.catalog, units)
    }
}

impl From<Iso42001Clause> for Unit {
    fn from(row: Iso42001Clause) -> Self {
        let Iso42001Clause {
            id,
            parent,
            title,
            group,
            assessable,
            mandatory_document,
            document_kind,
            documents,
            evidence,
            freshness_months,
            summary,
        } = row;
        Self {
            parent,
            group: Some(group),
            assessable,
            summary,
            mandatory_document,
            document_kind,
            documents,
            evidence,
            freshness_months,
            ..Self::new(id, title, UnitKind::Clause)
        }
    }
}

impl From<Iso42001Control> for Unit {
    fn from(row: Iso42001Control) -> Self {
        let Iso42001Control {
            id,
            _objective,
            parent,
            title,
            group,
            mandatory_document,
            evidence,
            freshness_months,
            summary,
        } = row;
        Self {
            parent: Some(parent),
            group: Some(group),
            assessable: true,
            summary: Some(summary),
            mandatory_document,
            evidence,
            freshness_months: Some(freshness_months),
            ..Self::new(id, title, UnitKind::Control)
        }
    }
}

#[derive(Deserialize)]
struct NistAiRmf {
    catalog: Head,
    functions: Vec<Function>,
    categories: Vec<Category>,
    subcategories: Vec<Subcategory>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Function {
    id: String,
    text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Category {
    id: String,
    function: String,
    title: String,
    text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Subcategory {
    id: String,
    category: String,
    title: String,
    text: String,
}

impl From<NistAiRmf> for Catalog {
    fn from(file: NistAiRmf) -> Self {
        let functions = file.functions.into_iter().map(|row| Unit {
            summary: Some(row.text),
            ..Unit::new(row.id.clone(), row.id, UnitKind::Function)
        });
        let categories = file.categories.into_iter().map(|row| Unit {
            parent: Some(row.function),
            summary: Some(row.text),
            ..Unit::new(row.id, row.title, UnitKind::Category)
        });
        let subcategories = file.subcategories.into_iter().map(|row| Unit {
            parent: Some(row.category),
            assessable: true,
            summary: Some(row.text),
            ..Unit::new(row.id, row.title, UnitKind::Subcategory)
        });
        let units = functions.chain(categories).chain(subcategories).collect();
        Self::new(file.catalog, units)
    }
}

#[derive(Deserialize)]
struct EuAiAct {
    catalog: Head,
    articles: Vec<Article>,
    obligations: Vec<Obligation>,
}

/// `number`, `chapter` and `section` say where the article stands; its id and order do too.
#[derive(Deserialize)]
struct Article {
    id: String,
    title: String,
    applies_from: BTreeMap<String, NaiveDate>,
    note: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Obligation {
    id: String,
    article: String,
    addressees: Vec<String>,
    risk_classes: Vec<String>,
    title: String,
    summary: String,
    applies_from: BTreeMap<String, NaiveDate>,
    evidence: Vec<String>,
    note: Option<String>,
}

impl From<EuAiAct> for Catalog {
    /// An article that is one duty as a whole stands in both lists of the file under one id. Here
    /// it is one unit: an article that is assessed by itself, with what the duty says.
    fn from(file: EuAiAct) -> Self {
        let (whole, parts): (Vec<_>, Vec<_>) = file
            .obligations
            .into_iter()
            .partition(|duty| duty.id == duty.article);
        let mut whole: BTreeMap<_, _> = whole
            .into_iter()
            .map(|duty| (duty.id.clone(), Unit::from(duty)))
            .collect();
        let articles = file
            .articles
            .into_iter()
            .map(|row| match whole.remove(&row.id) {
                Some(duty) => Unit {
                    title: row.title,
                    kind: UnitKind::Article,
                    parent: None,
                    note: duty.note.or(row.note),
                    ..duty
                },
                None => Unit {
                    note: row.note,
                    applies_from: row.applies_from,
                    ..Unit::new(row.id, row.title, UnitKind::Article)
                },
            });
        let parts = parts.into_iter().map(Unit::from);
        let units = articles.chain(parts).collect();
        Self::new(file.catalog, units)
    }
}

impl From<Obligation> for Unit {
    fn from(row: Obligation) -> Self {
        let Obligation {
            id,
            article,
            addressees,
            risk_classes,
            title,
            summary,
            applies_from,
            evidence,
            note,
        } = row;
        Self {
            parent: Some(article),
            assessable: true,
            summary: Some(summary),
            note,
            evidence,
            addressees,
            risk_classes,
            applies_from,
            ..Self::new(id, title, UnitKind::Obligation)
        }
    }
}

#[derive(Deserialize)]
struct Iso27001 {
    catalog: Head,
    clauses: Vec<Iso27001Clause>,
    themes: Vec<Theme>,
    controls: Vec<Iso27001Control>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Iso27001Clause {
    id: String,
    parent: Option<String>,
    title: String,
    assessable: bool,
    #[serde(default)]
    mandatory_document: bool,
    #[serde(default)]
    documents: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Theme {
    id: String,
    title: String,
    theme: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Iso27001Control {
    id: String,
    title: String,
    theme: String,
}

impl From<Iso27001> for Catalog {
    fn from(file: Iso27001) -> Self {
        let areas: BTreeMap<String, String> = file
            .themes
            .iter()
            .map(|row| (row.theme.clone(), row.id.clone()))
            .collect();
        let clauses = file.clauses.into_iter().map(|row| Unit {
            parent: row.parent,
            assessable: row.assessable,
            mandatory_document: row.mandatory_document,
            documents: row.documents,
            ..Unit::new(row.id, row.title, UnitKind::Clause)
        });
        let themes = file
            .themes
            .into_iter()
            .map(|row| Unit::new(row.id, row.title, UnitKind::Objective));
        let controls = file.controls.into_iter().map(|row| Unit {
            parent: areas.get(&row.theme).cloned(),
            assessable: true,
            ..Unit::new(row.id, row.title, UnitKind::Control)
        });
        let units = clauses.chain(themes).chain(controls).collect();
        Self::new(file.catalog, units)
    }
}

#[derive(Deserialize)]
pub(super) struct CrosswalkFile {
    pub(super) catalog: CrosswalkHead,
    pub(super) mappings: Vec<Mapping>,
    pub(super) eu_ai_act_not_covered: Vec<super::Uncovered>,
}

#[derive(Deserialize)]
pub(super) struct CrosswalkHead {
    pub(super) catalog_version: u32,
    pub(super) note: String,
}

/// What one unit of ISO/IEC 42001 maps to.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mapping {
    pub(super) iso42001: String,
    pub(super) note: Option<String>,
    pub(super) maps: Vec<Target>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Target {
    pub(super) framework: String,
    #[serde(rename = "ref")]
    pub(super) unit: String,
    pub(super) relation: super::Relation,
    pub(super) strength: u8,
}
