//! Accounts: one for a person across all firms and tenants, known by an e-mail address.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::json;
use uuid::Uuid;

use super::passwords;
use crate::problem::{Problem, Result};
use crate::schema::users;
use crate::tenancy::TenantTx;

/// Characters of the longest address (RFC 5321 section 4.5.3.1).
const LONGEST_EMAIL: usize = 254;

/// An e-mail address as accounts are known by: checked, trimmed, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email(String);

impl Email {
    /// Reads an address; 422 at `pointer` when it is none.
    pub fn parse(text: &str, pointer: &str) -> Result<Self> {
        let fault = |detail: &str| Problem::invalid(pointer, detail);
        let bad = || fault("must be an e-mail address such as ana@example.org");
        let normal = text.trim().to_lowercase();
        let (name, domain) = normal.rsplit_once('@').ok_or_else(bad)?;
        if !name.is_ascii() {
            return Err(fault(
                "must have only letters from a to z, digits and signs before the @",
            ));
        }
        // The domain as it stands in the DNS: the same whichever way it is written (RFC 5891).
        let domain = match domain.is_ascii() {
            true => domain.to_owned(),
            false => idna::domain_to_ascii_strict(domain)
                .map_err(|_bad| fault("must have a domain that can exist after the @"))?,
        };
        let normal = format!("{name}@{domain}");
        if normal.len() > LONGEST_EMAIL || normal.parse::<lettre::Address>().is_err() {
            return Err(bad());
        }
        Ok(Self(normal))
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An account.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = users, check_for_backend(diesel::pg::Pg))]
pub struct Account {
    /// Its id.
    pub id: Uuid,
    /// Its address.
    pub email: String,
    /// The person's name.
    pub name: String,
    /// Argon2id, PHC string.
    pub password_hash: String,
    /// Language tag of mails.
    pub locale: String,
    /// IANA zone of the person.
    pub time_zone: String,
    /// Whether reminders come by mail.
    pub notify_by_mail: bool,
    /// Optimistic lock.
    pub version: i32,
    /// Since when it cannot sign in.
    pub disabled_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// The account with this address, disabled ones too.
pub async fn by_email(tx: &mut TenantTx<'_>, email: &Email) -> Result<Option<Account>> {
    let query = users::table
        .filter(users::email.eq(email.as_str()))
        .select(Account::as_select());
    tx.run(async |db| query.first(&mut &*db).await.optional())
        .await
}

/// The account with this id.
pub async fn by_id(tx: &mut TenantTx<'_>, id: Uuid) -> Result<Account> {
    let query = users::table.find(id).select(Account::as_select());
    tx.run(async |db| query.first(&mut &*db).await).await
}

/// 409: what was checked of an account may not hold any more.
pub fn just_changed() -> Problem {
    Problem::conflict("The account has just been changed elsewhere; try again.")
}

/// A person who will get an account.
pub struct NewAccount {
    /// Its id.
    pub id: Uuid,
    /// Its address.
    pub email: Email,
    /// The person's name.
    pub name: String,
    /// Hash of the password.
    pub password_hash: String,
}

impl NewAccount {
    /// Checks the password and hashes it; 422 at `pointer` when it is not good enough.
    pub async fn prepare(
        email: Email,
        name: String,
        password: String,
        pointer: &str,
    ) -> Result<Self> {
        if let Some(fault) = passwords::fault(&password, email.as_str()) {
            return Err(Problem::invalid(pointer, fault));
        }
        Ok(Self {
            id: Uuid::now_v7(),
            email,
            name,
            password_hash: passwords::hash(password).await?,
        })
    }

    /// Makes the account; the transaction must be in the scope of its id.
    pub async fn insert(self, tx: &mut TenantTx<'_>) -> Result<()> {
        let Self {
            id,
            email,
            name,
            password_hash,
        } = self;
        let row = diesel::insert_into(users::table).values((
            users::id.eq(id),
            users::email.eq(email.as_str()),
            users::name.eq(&name),
            users::password_hash.eq(password_hash),
            users::created_at.eq(tx.now()),
            users::updated_at.eq(tx.now()),
        ));
        tx.run(async |db| row.execute(&mut &*db).await).await?;
        // No personal data: events outlive the account.
        tx.event("account.created", "account", id, &json!({}))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_normalised_and_checked() {
        let email = Email::parse(" Ana@Example.ORG ", "/email").unwrap();
        assert_eq!(email.as_str(), "ana@example.org");
        for bad in [
            "",
            "ana",
            "@example.org",
            "a b@example.org",
            "a@b\r\nBcc: c@d.org",
        ] {
            assert_eq!(
                Email::parse(bad, "/email").unwrap_err().status,
                422,
                "{bad}"
            );
        }
    }

    #[test]
    fn a_domain_is_the_same_however_it_is_written() {
        for same in [
            "ana@müller.example",
            " Ana@MÜLLER.example ",
            "ana@xn--mller-kva.example",
        ] {
            let email = Email::parse(same, "/email").unwrap();
            assert_eq!(email.as_str(), "ana@xn--mller-kva.example", "{same}");
        }
        let problem = Email::parse("änna@example.org", "/email").unwrap_err();
        assert!(problem.errors[0].detail.contains("before the @"));
    }
}
