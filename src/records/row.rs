//! A record as the database has it, and as JSON.

use std::ops::{Deref, DerefMut};

use chrono::{DateTime, NaiveDate, Utc};
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::pg::{Pg, PgValue};
use diesel::prelude::*;
use diesel::sql_types::Jsonb;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::kind::SeenBy;
use crate::problem::{Problem, Result};
use crate::schema::records;

/// JSON that is handed through as it is stored, without being parsed.
#[derive(Clone, Debug, PartialEq, Eq, FromSqlRow)]
pub struct RawJson(pub String);

impl FromSql<Jsonb, Pg> for RawJson {
    /// The binary form of `jsonb`: a version byte (1), then text.
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        match value.as_bytes() {
            [1, text @ ..] => Ok(Self(std::str::from_utf8(text)?.to_owned())),
            _ => Err("jsonb in an unknown format".into()),
        }
    }
}

/// The spine of a record: what every kind has.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = records, check_for_backend(Pg))]
pub struct Spine {
    /// Id.
    pub id: Uuid,
    /// Name of its kind.
    pub kind: String,
    /// Human reference.
    #[diesel(column_name = ref_)]
    pub reference: String,
    /// Title.
    pub title: String,
    /// State.
    pub status: String,
    /// Optimistic lock.
    pub version: i32,
    /// The person responsible.
    pub owner_id: Option<Uuid>,
    /// Next review.
    pub next_review_on: Option<NaiveDate>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Who made it.
    pub created_by: Option<Uuid>,
    /// When it was changed.
    pub updated_at: DateTime<Utc>,
    /// Who changed it.
    pub updated_by: Option<Uuid>,
    /// Everybody who changed the content since the last approval.
    pub authors: Vec<Uuid>,
    /// Number of the approved version that holds now.
    pub in_force: Option<i32>,
    /// Who approved the newest version.
    pub approved_by: Option<Uuid>,
    /// Civil date of that approval.
    pub approved_on: Option<NaiveDate>,
    /// Who sees it: `readers`, `everybody` or `named`.
    pub audience: String,
    /// Roles named.
    pub audience_roles: Vec<String>,
    /// People named.
    pub audience_people: Vec<Uuid>,
    /// When it was archived.
    pub archived_at: Option<DateTime<Utc>>,
}

impl Spine {
    /// Who sees it.
    pub(super) fn seen_by(&self) -> SeenBy {
        SeenBy::read(&self.audience, &self.audience_roles)
    }
}

/// A stored record, for reading; its body stays text.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = records, check_for_backend(Pg))]
pub struct Stored {
    /// What every kind has.
    #[diesel(embed)]
    pub spine: Spine,
    /// The fields of its kind.
    pub body: RawJson,
}

/// A record being made or changed.
#[derive(Clone, Debug)]
pub struct Row {
    /// What every kind has.
    pub spine: Spine,
    /// The fields of its kind.
    pub body: Value,
}

impl Deref for Stored {
    type Target = Spine;
    fn deref(&self) -> &Spine {
        &self.spine
    }
}

impl Deref for Row {
    type Target = Spine;
    fn deref(&self) -> &Spine {
        &self.spine
    }
}

impl DerefMut for Row {
    fn deref_mut(&mut self) -> &mut Spine {
        &mut self.spine
    }
}

/// Bytes that a spine takes as JSON, with a title of usual length.
const SPINE_SIZE: usize = 512;

/// The part of the spine that clients see, in the order they see it.
#[derive(Serialize)]
struct Shown<'a> {
    id: Uuid,
    r#ref: &'a str,
    title: &'a str,
    status: &'a str,
    version: i32,
    owner_id: Option<Uuid>,
    next_review_on: Option<NaiveDate>,
    in_force: Option<i32>,
    approved_by: Option<Uuid>,
    approved_on: Option<NaiveDate>,
    audience: &'a str,
    audience_roles: &'a [String],
    audience_people: &'a [Uuid],
    created_at: DateTime<Utc>,
    created_by: Option<Uuid>,
    updated_at: DateTime<Utc>,
    updated_by: Option<Uuid>,
    archived_at: Option<DateTime<Utc>>,
}

impl Stored {
    /// The flat record as JSON text: the spine, then the body as stored.
    pub fn to_json(&self) -> Result<String> {
        let mut text = Vec::with_capacity(self.json_size());
        self.write_json(&mut text)?;
        String::from_utf8(text).map_err(Problem::internal)
    }

    /// Bytes that the flat record takes, roughly.
    pub(super) fn json_size(&self) -> usize {
        self.body.0.len() + SPINE_SIZE
    }

    /// Appends the flat record as JSON text.
    pub(super) fn write_json(&self, out: &mut Vec<u8>) -> Result<()> {
        let shown = Shown {
            id: self.id,
            r#ref: &self.reference,
            title: &self.title,
            status: &self.status,
            version: self.version,
            owner_id: self.owner_id,
            next_review_on: self.next_review_on,
            in_force: self.in_force,
            approved_by: self.approved_by,
            approved_on: self.approved_on,
            audience: &self.audience,
            audience_roles: &self.audience_roles,
            audience_people: &self.audience_people,
            created_at: self.created_at,
            created_by: self.created_by,
            updated_at: self.updated_at,
            updated_by: self.updated_by,
            archived_at: self.archived_at,
        };
        serde_json::to_writer(&mut *out, &shown).map_err(Problem::internal)?;
        if let Some(fields) = self
            .body
            .0
            .strip_prefix('{')
            .filter(|fields| *fields != "}")
        {
            out.pop();
            out.push(b',');
            out.extend_from_slice(fields.as_bytes());
        }
        Ok(())
    }

    /// For changing it.
    pub fn into_row(self) -> Result<Row> {
        let Self { spine, body } = self;
        let body = serde_json::from_str(&body.0).map_err(Problem::internal)?;
        Ok(Row { spine, body })
    }
}

impl Row {
    /// As it would be read back.
    pub fn to_stored(&self) -> Stored {
        Stored {
            spine: self.spine.clone(),
            body: RawJson(self.body.to_string()),
        }
    }

    /// What an event tells of it, flat: the writable spine, what approval sets, and the body.
    pub fn told(&self) -> Value {
        let mut told = self.content();
        if let Value::Object(fields) = &mut told {
            fields.insert("in_force".to_owned(), json!(self.in_force));
            fields.insert("approved_by".to_owned(), json!(self.approved_by));
            fields.insert("approved_on".to_owned(), json!(self.approved_on));
        }
        told
    }

    /// What people may change, flat: the writable spine and the body.
    pub fn content(&self) -> Value {
        let mut content = self.body.clone();
        if let Value::Object(fields) = &mut content {
            let spine = json!({
                "title": self.title,
                "owner_id": self.owner_id,
                "next_review_on": self.next_review_on,
                "audience": self.audience,
                "audience_roles": self.audience_roles,
                "audience_people": self.audience_people,
            });
            if let Value::Object(spine) = spine {
                fields.extend(spine);
            }
        }
        content
    }
}
