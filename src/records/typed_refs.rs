//! References as typed fields of a body: to a kind, to any record, to a person, to a unit of a
//! catalogue. Their schemas say what they refer to.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::openapi::{Ref as Named, RefOr};
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

use super::closed::RecordKind;
use super::kind::{Kind, pascal};

/// Where the schema of a reference says what it refers to.
pub const REFERS_TO: &str = "x-refers-to";
/// The value of [`REFERS_TO`] for people.
pub const PERSON: &str = "person";
/// The value of [`REFERS_TO`] for records of any kind.
pub const ANY: &str = "any";
/// The value of [`REFERS_TO`] for units of a catalogue.
pub const UNIT: &str = "unit";

/// A reference to a record of another kind in the same tenant. The kernel checks that the record
/// exists, and mirrors the reference into `links`, where a foreign key guards it.
pub struct Ref<K> {
    id: Uuid,
    kind: PhantomData<fn() -> K>,
}

impl<K> Ref<K> {
    /// A reference to the record with this id.
    pub fn to(id: Uuid) -> Self {
        Self {
            id,
            kind: PhantomData,
        }
    }

    /// The record's id.
    pub fn id(&self) -> Uuid {
        self.id
    }
}

impl<K> PartialEq for Ref<K> {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl<K> Eq for Ref<K> {}

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
        Uuid::deserialize(deserializer).map(Self::to)
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

/// A reference to a record of any kind in the same tenant.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnyRef {
    /// Its kind, such as `risk`.
    pub kind: String,
    /// Its id.
    pub id: Uuid,
}

impl PartialSchema for AnyRef {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .description(Some("A record of any kind."))
            .property("kind", Named::from_schema_name(RecordKind::name()))
            .required("kind")
            .property("id", id_schema("Id of the record."))
            .required("id")
            .extensions(Some(Extensions::builder().add(REFERS_TO, ANY).build()))
            .build()
            .into()
    }
}

impl ToSchema for AnyRef {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((RecordKind::name().into_owned(), RecordKind::schema()));
    }
}

/// A reference to a clause, control, article or other unit of a catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnitRef {
    /// The catalogue, such as `iso42001`.
    pub catalog: String,
    /// The unit, such as `6.1.2` or `A.5.2`.
    pub unit: String,
}

impl UnitRef {
    /// A unit of ISO/IEC 42001.
    pub fn iso_42001(unit: &str) -> Self {
        Self {
            catalog: crate::catalog::ISO_42001.to_owned(),
            unit: unit.to_owned(),
        }
    }
}

impl PartialSchema for UnitRef {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .description(Some("A unit of a catalogue."))
            .property("catalog", bounded("The catalogue, such as `iso42001`."))
            .required("catalog")
            .property("unit", bounded("The unit, such as `6.1.2` or `A.5.2`."))
            .required("unit")
            .extensions(Some(Extensions::builder().add(REFERS_TO, UNIT).build()))
            .build()
            .into()
    }
}

impl ToSchema for UnitRef {}

fn bounded(about: &str) -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(60))
        .description(Some(about))
        .build()
        .into()
}

fn id_schema(about: &str) -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)))
        .description(Some(about))
        .build()
        .into()
}

fn reference_schema(to: &str, about: &str) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)))
        .description(Some(about))
        .extensions(Some(Extensions::builder().add(REFERS_TO, to).build()))
        .build()
        .into()
}
