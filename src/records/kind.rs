//! What a kind of record is: one Rust struct for its body, and what the standard says about it.

use std::borrow::Cow;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::hearing::{Happened, Hears};
use super::lifecycle::Lives;
use super::rules::RuleId;
use super::spine::{EVERYBODY, NAMED};
use super::typed_refs::Ref;
use crate::problem::Result;
use crate::tenancy::{Roles, TenantTx};

/// Names of a kind and its place in the standard.
#[derive(Debug)]
pub struct KindInfo {
    /// In the database and in links, such as `risk_treatment`.
    pub name: &'static str,
    /// In addresses, such as `risk-treatments`.
    pub path: &'static str,
    /// Of human references, such as `TRT` in TRT-003.
    pub prefix: &'static str,
    /// One of them, in a sentence: `risk treatment`.
    pub one: &'static str,
    /// Many of them: `risk treatments`.
    pub many: &'static str,
    /// Clauses of ISO/IEC 42001 it serves.
    pub clauses: &'static [&'static str],
    /// What it is, in a sentence or two, for the documentation.
    pub about: &'static str,
}

impl KindInfo {
    /// `a` or `an`, before its name.
    pub fn article(&self) -> &'static str {
        article(self.one)
    }

    /// [`KindInfo::article`] at the beginning of a sentence.
    pub fn article_first(&self) -> &'static str {
        match self.article() {
            "an" => "An",
            _ => "A",
        }
    }
}

/// A kind of record. The implementing struct is its body: stored as JSON, shown in the API as
/// part of the flat record, described in the OpenAPI document by its [`ToSchema`]. States and
/// transitions stand beside it, in `lifecycle!`.
///
/// Fields marked `read_only` in the schema are computed; they keep their value unless
/// [`Kind::compute`] or [`Kind::entering`] sets them.
#[expect(
    async_fn_in_trait,
    reason = "everything runs on the thread of its worker"
)]
pub trait Kind: Lives + Serialize + DeserializeOwned + ToSchema + Clone + 'static {
    /// Names and clauses.
    const INFO: KindInfo;
    /// Who creates records of this kind and changes their content.
    const AUTHORS: Roles;
    /// Who does so with the records they own.
    const OWNERS: Roles = Roles::of(&[]);
    /// Who sees all of them, drafts included, unless a record names its audience.
    const READERS: Roles = Roles::READERS;
    /// Fields of the body that lists may be filtered by, at most four; references are besides.
    const FILTERS: &'static [&'static str] = &[];
    /// Fields of the body that lists may be sorted by, at most three: numbers, dates, closed sets.
    const SORTS: &'static [&'static str] = &[];
    /// Lists in the body whose items have an address of their own.
    const PARTS: &'static [Part] = &[];
    /// Fields that may still change once the content is frozen (GEN-2).
    const STAYS_OPEN: &'static [&'static str] = &[];
    /// Of which there is only one that has not ended.
    const ONE_FOR: Option<OneFor> = None;
    /// Kinds whose records are approved, frozen and put away together with one of this kind, by the
    /// field of theirs that refers to it. What stays open of theirs, stays open.
    const CHILDREN: &'static [(&'static str, &'static str)] = &[];
    /// Rules that judge the content at every write; those of transitions stand in the lifecycle.
    const RULES: &'static [&'static RuleId] = &[];
    /// What it reacts to.
    const HEARS: &'static [Hears] = &[];
    /// Where records of this kind hang on others: `…/{id}/evidence` lists and attaches them.
    const ATTACHES_AS: Option<&'static str> = None;

    /// A valid body for the documentation; references in it are replaced in tests.
    fn example() -> Value;

    /// Computes read-only fields, at every write. `before` is the record as it was; none for a
    /// new one.
    async fn compute(
        _record: &mut Record<Self>,
        _before: Option<&Record<Self>>,
        _tx: &mut TenantTx<'_>,
    ) -> Result<()> {
        Ok(())
    }

    /// Judges the content, whenever it is made or changed.
    async fn judge(
        _record: &Record<Self>,
        _before: Option<&Record<Self>>,
        _tx: &mut TenantTx<'_>,
    ) -> Result<()> {
        Ok(())
    }

    /// Fields that a transition sets; `record` is in its new state.
    async fn entering(
        _record: &mut Record<Self>,
        _from: Self::State,
        _tx: &mut TenantTx<'_>,
    ) -> Result<()> {
        Ok(())
    }

    /// What follows once a record of this kind has been made.
    async fn made(_record: &Record<Self>, _tx: &mut TenantTx<'_>) -> Result<()> {
        Ok(())
    }

    /// What follows from a transition for other records.
    async fn moved(
        _record: &Record<Self>,
        _from: Self::State,
        _tx: &mut TenantTx<'_>,
    ) -> Result<()> {
        Ok(())
    }

    /// What follows from something that happened to a record of another kind; see
    /// [`Kind::HEARS`].
    async fn heard(_happened: &Happened, _tx: &mut TenantTx<'_>) -> Result<()> {
        Ok(())
    }

    /// When something of this record is due, besides its review date.
    fn deadlines(_record: &Record<Self>) -> Vec<Deadline> {
        Vec::new()
    }
}

/// Of which there is only one that has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OneFor {
    /// One in a tenant.
    Tenant,
    /// One for each value of these fields together.
    Fields(&'static [&'static str]),
}

/// A record with its typed body.
#[derive(Clone, Debug)]
pub struct Record<K: Lives> {
    /// Made by the server, UUIDv7.
    pub id: Uuid,
    /// What people call it, such as RSK-014.
    pub reference: String,
    /// Title.
    pub title: String,
    /// State in its lifecycle.
    pub status: K::State,
    /// The person responsible.
    pub owner_id: Option<Uuid>,
    /// Civil date of the next review.
    pub next_review_on: Option<NaiveDate>,
    /// Who made it; none for the system.
    pub created_by: Option<Uuid>,
    /// Everybody who changed the content since the last approval.
    pub authors: Vec<Uuid>,
    /// Number of the approved version that holds now.
    pub in_force: Option<i32>,
    /// Who approved the newest version.
    pub approved_by: Option<Uuid>,
    /// Civil date of that approval.
    pub approved_on: Option<NaiveDate>,
    /// Who sees it.
    pub seen_by: SeenBy,
    /// The fields of the kind.
    pub body: K,
}

/// Who sees a record, besides its owner and those it is shared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeenBy {
    /// The readers of its kind.
    Readers,
    /// Everybody in the tenant, what is in force.
    Everybody,
    /// The holders of these roles, besides people by name.
    Named(Roles),
}

impl SeenBy {
    pub(super) fn read(audience: &str, roles: &[String]) -> Self {
        match audience {
            NAMED => Self::Named(Roles::parse(roles.iter().map(String::as_str))),
            EVERYBODY => Self::Everybody,
            _ => Self::Readers,
        }
    }
}

impl<K: Kind> Record<K> {
    /// Whether the holders of all these roles see what is in force of it.
    pub fn is_seen_by(&self, roles: Roles) -> bool {
        let seen = match self.seen_by {
            SeenBy::Readers => K::READERS,
            SeenBy::Everybody => return true,
            SeenBy::Named(named) => named,
        };
        roles.iter().all(|role| seen.has(role))
    }

    /// A reference to it.
    pub fn link(&self) -> Ref<K> {
        Ref::to(self.id)
    }
}

/// Something due: `Deadline::on("action", date).for_person(owner)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deadline {
    pub(super) name: Cow<'static, str>,
    pub(super) due: Due,
    pub(super) person: Option<Uuid>,
    pub(super) roles: Roles,
    pub(super) warn: Option<&'static [i32]>,
    pub(super) escalate: Option<(u16, Roles)>,
}

/// When something is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// By the end of a civil date in the tenant's zone.
    On(NaiveDate),
    /// At an instant.
    At(DateTime<Utc>),
}

impl Deadline {
    /// Due by the end of a civil date. The name is unique within the record: `review`, `action`,
    /// `expiry`; what follows a slash tells several of one sort apart and is not shown to people
    /// (`acknowledgement/019abc12-…`).
    pub fn on(name: impl Into<Cow<'static, str>>, date: NaiveDate) -> Self {
        Self::new(name.into(), Due::On(date))
    }

    /// Due at an instant, such as 72 hours after somebody became aware. People are reminded the
    /// warning days before it to the minute, and when it is reached.
    pub fn at(name: impl Into<Cow<'static, str>>, instant: DateTime<Utc>) -> Self {
        Self::new(name.into(), Due::At(instant))
    }

    fn new(name: Cow<'static, str>, due: Due) -> Self {
        Self {
            name,
            due,
            person: None,
            roles: Roles::default(),
            warn: None,
            escalate: None,
        }
    }

    /// The person responsible.
    pub fn for_person(self, person: Option<Uuid>) -> Self {
        Self { person, ..self }
    }

    /// The person responsible, or the holders of these roles while nobody is.
    pub fn for_person_or(self, person: Option<Uuid>, roles: Roles) -> Self {
        match person {
            Some(_) => self.for_person(person),
            None => self.for_roles(roles),
        }
    }

    /// Roles whose holders are reminded besides the person.
    pub fn for_roles(self, roles: Roles) -> Self {
        Self { roles, ..self }
    }

    /// Days before it on which people are reminded, instead of the tenant's. A kind has them
    /// from the standard, not from its users, so that a tenant has few different ones.
    pub fn warn(self, days: &'static [i32]) -> Self {
        Self {
            warn: Some(days),
            ..self
        }
    }

    /// After so many days overdue the holders of these roles are told too.
    pub fn escalate(self, days: u16, to: Roles) -> Self {
        Self {
            escalate: Some((days.max(1), to)),
            ..self
        }
    }
}

/// A list in the body whose items have an address: `management-reviews/{id}/inputs/{type}`.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// The list's field and its place in the address.
    pub field: &'static str,
    /// The field of an item that names it.
    pub key: &'static str,
    /// One item, in a sentence.
    pub one: &'static str,
    /// The field of an item with the person who may write that item without being an author.
    pub person: Option<&'static str>,
}

/// `an` where the first letter of a noun asks for it, or `a`.
pub(super) fn article(noun: &str) -> &'static str {
    match noun.starts_with(['a', 'e', 'i', 'o', 'u', 'A', 'E', 'I', 'O']) {
        true => "an",
        false => "a",
    }
}

/// `risk_treatment` → `RiskTreatment`.
pub(super) fn pascal(name: &str) -> String {
    name.split('_')
        .flat_map(|word| {
            let (first, rest) = word.split_at(word.len().min(1));
            [first.to_uppercase(), rest.to_owned()]
        })
        .collect()
}
