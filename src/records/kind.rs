//! What a kind of record is: one Rust struct for its body, and what the standard says about it.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use chrono::{DateTime, NaiveDate, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use utoipa::openapi::RefOr;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

use super::lifecycle::Lifecycle;
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

/// A kind of record. The implementing struct is its body: stored as JSON, shown in the API as
/// part of the flat record, described in the OpenAPI document by its [`ToSchema`].
///
/// Fields marked `read_only` in the schema are computed by [`Kind::settle`].
#[expect(
    async_fn_in_trait,
    reason = "everything runs on the thread of its worker"
)]
pub trait Kind: Serialize + DeserializeOwned + ToSchema + Clone + 'static {
    /// Names and clauses.
    const INFO: KindInfo;
    /// Who creates records of this kind and changes their content.
    const AUTHORS: Roles;
    /// Hot fields of the body that lists may be filtered by.
    const FILTERS: &'static [Filter] = &[];
    /// Lists in the body whose items have an address of their own.
    const PARTS: &'static [Part] = &[];
    /// Fields that may still change once the content is frozen (GEN-2).
    const STAYS_OPEN: &'static [&'static str] = &[];

    /// States, transitions, who makes them and which rules guard them.
    fn lifecycle() -> Lifecycle<Self>;

    /// A valid body for the documentation; references in it are replaced in tests.
    fn example() -> Value;

    /// Computes read-only fields and judges the content, at every write. `before` is the body as
    /// it was, with its computed fields; none for a new record.
    async fn settle(
        _record: &mut Record<Self>,
        _before: Option<&Self>,
        _tx: &mut TenantTx<'_>,
    ) -> Result<()> {
        Ok(())
    }

    /// What a transition brings with it: fields it sets, other records it moves.
    async fn moved(_record: &mut Record<Self>, _from: &str, _tx: &mut TenantTx<'_>) -> Result<()> {
        Ok(())
    }

    /// When something of this record is due, besides its review date.
    fn deadlines(_record: &Record<Self>) -> Vec<Deadline> {
        Vec::new()
    }
}

/// A record with its typed body.
#[derive(Clone, Debug)]
pub struct Record<K> {
    /// Made by the server, UUIDv7.
    pub id: Uuid,
    /// What people call it, such as RSK-014.
    pub reference: String,
    /// Title.
    pub title: String,
    /// State in its lifecycle.
    pub status: String,
    /// The person responsible.
    pub owner_id: Option<Uuid>,
    /// Who last changed the content.
    pub authored_by: Option<Uuid>,
    /// The fields of the kind.
    pub body: K,
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

/// A hot field: it has a plain generated column in `records`, because under row-level security
/// only leakproof operators on plain columns use an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// `ai_system_id=`: the AI system it is about.
    AiSystem,
    /// `risk_id=`: the risk it is about.
    Risk,
    /// `level=low,high`: computed risk level.
    Level,
    /// `above_tolerance=true`: whether the level is above the tolerance.
    AboveTolerance,
}

impl Filter {
    /// The query parameter, which is also the field and the column.
    pub const fn parameter(self) -> &'static str {
        match self {
            Self::AiSystem => "ai_system_id",
            Self::Risk => "risk_id",
            Self::Level => "level",
            Self::AboveTolerance => "above_tolerance",
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
}

/// Where the schema of a reference says what it refers to.
pub const REFERS_TO: &str = "x-refers-to";
/// The value of [`REFERS_TO`] for people.
pub const PERSON: &str = "person";

/// A reference to a record of another kind in the same tenant. The kernel checks that the record
/// exists, and mirrors the reference into `links`, where a foreign key guards it.
pub struct Ref<K> {
    id: Uuid,
    kind: PhantomData<fn() -> K>,
}

impl<K> Ref<K> {
    /// The record's id.
    pub fn id(&self) -> Uuid {
        self.id
    }
}

impl<K> Clone for Ref<K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for Ref<K> {}

impl<K> fmt::Debug for Ref<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.id)
    }
}

impl<K> Serialize for Ref<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.id.serialize(serializer)
    }
}

impl<'de, K> Deserialize<'de> for Ref<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Uuid::deserialize(deserializer).map(|id| Self {
            id,
            kind: PhantomData,
        })
    }
}

impl<K: Kind> PartialSchema for Ref<K> {
    fn schema() -> RefOr<Schema> {
        let about = format!("Id of a record of the kind {}.", K::INFO.name);
        reference_schema(K::INFO.name, &about)
    }
}

impl<K: Kind> ToSchema for Ref<K> {
    fn name() -> Cow<'static, str> {
        Cow::Owned(format!("{}Id", pascal(K::INFO.name)))
    }
}

/// A reference to a person who is or was able to reach the tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PersonId(pub Uuid);

impl PartialSchema for PersonId {
    fn schema() -> RefOr<Schema> {
        reference_schema(
            PERSON,
            "Id of a person of the tenant (`user_id` of a member).",
        )
    }
}

impl ToSchema for PersonId {}

fn reference_schema(to: &str, about: &str) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)))
        .description(Some(about))
        .extensions(Some(Extensions::builder().add(REFERS_TO, to).build()))
        .build()
        .into()
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
