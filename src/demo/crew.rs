//! Who has joined, and who of them is signed in.

use std::collections::HashMap;

use chrono::{NaiveDate, TimeDelta};
use serde_json::Value;

use super::client::{Api, Fault, Record};

/// Everybody who joined, by address.
#[derive(Default)]
pub(super) struct Crew {
    /// Ids of accounts.
    pub(super) ids: HashMap<String, String>,
    /// Callers that are signed in.
    pub(super) signed_in: HashMap<String, Api>,
}

impl Crew {
    /// The account of somebody.
    pub(super) fn id(&self, email: &str) -> Result<&str, Fault> {
        let id = self.ids.get(email);
        id.map(String::as_str)
            .ok_or_else(|| Fault::new(format!("{email} has not joined.")))
    }

    /// Somebody as a caller.
    pub(super) fn api(&self, email: &str) -> Result<&Api, Fault> {
        let api = self.signed_in.get(email);
        api.ok_or_else(|| Fault::new(format!("{email} is not signed in.")))
    }
}

/// A client organisation whose records are being made.
pub(super) struct Office<'a> {
    /// Everybody.
    pub(super) crew: &'a Crew,
    /// The tenant.
    pub(super) tenant: &'a str,
    /// Its civil date.
    pub(super) today: NaiveDate,
}

impl Office<'_> {
    /// The civil date in this many days.
    pub(super) fn in_days(&self, days: i64) -> String {
        (self.today + TimeDelta::days(days)).to_string()
    }

    /// Somebody makes a record of the kind at `path`; `owner` answers for it.
    pub(super) async fn make(
        &self,
        by: &Api,
        path: &str,
        owner: Option<&str>,
        mut body: Value,
    ) -> Result<Record, Fault> {
        if let (Some(owner), Some(fields)) = (owner, body.as_object_mut()) {
            fields.insert("owner_id".to_owned(), self.crew.id(owner)?.into());
        }
        by.make(&format!("/v1/tenants/{}/{path}", self.tenant), &body)
            .await
    }
}
