//! Which unit of one framework answers which unit of another.
//!
//! An expert mapping, directed from ISO/IEC 42001. It helps to reuse evidence and to find gaps; it
//! proves no conformity.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ISO_42001, files};

static CROSSWALK: LazyLock<Crosswalk> = LazyLock::new(|| files::read_crosswalk().into());

/// The whole mapping.
#[derive(Clone, Debug)]
pub struct Crosswalk {
    /// Version of the mapping; it grows with every change.
    pub version: u32,
    /// What the mapping is, and is not.
    pub note: String,
    /// Its links, in the order of ISO/IEC 42001.
    pub links: Vec<CrosswalkLink>,
    /// Duties of the EU AI Act that ISO/IEC 42001 does not reach.
    pub uncovered: Vec<Uncovered>,
}

/// A link between the units of two frameworks.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CrosswalkLink {
    /// Catalogue it comes from.
    #[schema(example = "iso42001")]
    pub from_catalog: String,
    /// Unit it comes from.
    #[schema(example = "6.1.2")]
    pub from_unit: String,
    /// Catalogue it goes to.
    #[schema(example = "nist-ai-rmf")]
    pub to_catalog: String,
    /// Unit it goes to.
    #[schema(example = "MAP 5.1")]
    pub to_unit: String,
    /// How the first relates to the second.
    pub relation: Relation,
    /// 3: reuse evidence as it is; 2: reuse it with review; 1: show as reference only.
    #[schema(minimum = 1, maximum = 3, example = 2)]
    pub strength: u8,
    /// A remark on the unit of ISO/IEC 42001.
    pub note: Option<String>,
}

impl CrosswalkLink {
    /// The same link, read from its other end.
    #[must_use]
    pub fn reversed(&self) -> Self {
        let Self {
            from_catalog,
            from_unit,
            to_catalog,
            to_unit,
            relation,
            strength,
            note,
        } = self.clone();
        Self {
            from_catalog: to_catalog,
            from_unit: to_unit,
            to_catalog: from_catalog,
            to_unit: from_unit,
            relation: relation.reversed(),
            strength,
            note,
        }
    }
}

/// How a unit relates to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// Both ask for the same; evidence for one serves the other.
    Equal,
    /// The first is contained in the second: meeting the second meets it.
    Subset,
    /// The first contains the second: meeting it meets the second.
    Superset,
    /// They overlap; evidence can be reused in part, after review.
    Intersects,
}

impl Relation {
    fn reversed(self) -> Self {
        match self {
            Self::Subset => Self::Superset,
            Self::Superset => Self::Subset,
            Self::Equal | Self::Intersects => self,
        }
    }
}

/// A duty of the EU AI Act that a management system does not meet by itself.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Uncovered {
    /// The duty, a unit of `eu-ai-act`.
    #[serde(rename = "ref")]
    pub unit: String,
    /// Its short title.
    pub title: String,
    /// How far it is reached.
    pub coverage: Coverage,
    /// Why.
    pub reason: String,
}

/// How far a duty is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Coverage {
    /// Not at all.
    None,
    /// Its theme only.
    ThematicOnly,
}

impl From<files::CrosswalkFile> for Crosswalk {
    fn from(file: files::CrosswalkFile) -> Self {
        let links = file.mappings.into_iter().flat_map(|mapping| {
            let files::Mapping {
                iso42001,
                note,
                maps,
            } = mapping;
            maps.into_iter().map(move |target| {
                let files::Target {
                    framework,
                    unit,
                    relation,
                    strength,
                } = target;
                CrosswalkLink {
                    from_catalog: ISO_42001.to_owned(),
                    from_unit: iso42001.clone(),
                    to_catalog: framework,
                    to_unit: unit,
                    relation,
                    strength,
                    note: note.clone(),
                }
            })
        });
        Self {
            version: file.catalog.catalog_version,
            note: file.catalog.note,
            links: links.collect(),
            uncovered: file.eu_ai_act_not_covered,
        }
    }
}

/// The whole mapping.
pub fn crosswalk() -> &'static Crosswalk {
    &CROSSWALK
}
