//! The desk: what a handler needs before anybody is signed in, and the check of credentials.

use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::json;

use super::accounts::{self, Account, Email};
use super::passwords::{self, Verdict};
use super::refresh::Seal;
use super::throttle::{self, Buckets};
use super::tokens::Tokens;
use crate::config::Config;
use crate::http::edge::RequestId;
use crate::http::shared::Shared;
use crate::problem::{Problem, Result};
use crate::schema::users;
use crate::tenancy::{Actor, Callers, Platform, Roles, TenantTx};

/// Extractor: the parts of the program that sign-in works with.
pub struct Desk {
    /// The request.
    pub req: HttpRequest,
    /// Settings.
    pub config: web::Data<Config>,
    /// The door to the database.
    pub platform: web::Data<Platform>,
    /// Access tokens.
    pub tokens: web::Data<Tokens>,
    /// Who was seen lately.
    pub callers: web::Data<Callers>,
    shared: Buckets,
}

impl Desk {
    fn find(req: &HttpRequest) -> Result<Self> {
        Ok(Self {
            config: part(req)?,
            platform: part(req)?,
            tokens: part(req)?,
            callers: part(req)?,
            shared: part::<Arc<dyn Shared>>(req)?,
            req: req.clone(),
        })
    }

    /// Changes something as the owner of an account.
    pub async fn write<T>(
        &self,
        account: uuid::Uuid,
        work: impl AsyncFnOnce(&mut TenantTx<'_>) -> Result<T>,
    ) -> Result<T> {
        let actor = Actor::Person {
            id: account,
            roles: Roles::default(),
            of_firm: false,
        };
        let request_id = self
            .req
            .extensions()
            .get::<RequestId>()
            .map(|id| Arc::clone(&id.0));
        self.platform.write(actor, request_id, work).await
    }

    /// The account with this address.
    pub async fn account(&self, email: &Email) -> Result<Option<Account>> {
        self.platform
            .read(async |tx| accounts::by_email(tx, email).await)
            .await
    }

    /// Counts a sign-up: 429 when this address has had too many.
    pub async fn count_signup(&self) -> Result<()> {
        throttle::signup(&self.shared, &self.req).await
    }

    /// Counts a try with a password: 429 when there were too many.
    pub async fn count_try(&self, email: &Email) -> Result<()> {
        throttle::password(&self.shared, &self.req, email).await
    }

    /// The seal of refresh tokens.
    pub(super) fn seal(&self) -> Seal {
        Seal::new(&self.tokens.keys().derive("refresh tokens"))
    }

    /// 429 when this address has presented too many tokens that were none.
    pub async fn check_guesses(&self) -> Result<()> {
        throttle::check_guesses(&self.shared, &self.req).await
    }

    /// Counts a refresh token or an invitation that was none.
    pub async fn count_guess(&self) {
        throttle::count_guess(&self.shared, &self.req).await;
    }

    /// Whether `password` is that of `account`; takes as long when there is no account. Count the
    /// try first. A password hashed with old parameters is hashed anew.
    pub async fn is_right(
        &self,
        email: &Email,
        account: Option<&Account>,
        password: String,
    ) -> Result<bool> {
        let stored = account
            .filter(|account| account.disabled_at.is_none())
            .map(|account| account.password_hash.clone());
        let verdict = passwords::verify(password.clone(), stored).await?;
        if verdict == Verdict::Wrong {
            return Ok(false);
        }
        throttle::password_was_right(&self.shared, email).await;
        if let (Verdict::RightButOld, Some(account)) = (verdict, account) {
            self.hash_anew(account, password).await?;
        }
        Ok(true)
    }

    async fn hash_anew(&self, account: &Account, password: String) -> Result<()> {
        let hash = passwords::hash(password).await?;
        let row = diesel::update(
            users::table
                .find(account.id)
                .filter(users::password_hash.eq(account.password_hash.clone())),
        )
        .set(users::password_hash.eq(hash));
        self.write(account.id, async |tx| {
            tx.switch(account.id, None).await?;
            tx.run(async |db| row.execute(&mut &*db).await).await?;
            tx.event(
                "account.password_rehashed",
                "account",
                account.id,
                &json!({}),
            )
        })
        .await
    }
}

impl FromRequest for Desk {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        std::future::ready(Self::find(req))
    }
}

/// A part that `app.rs` has put into every worker.
fn part<T: 'static>(req: &HttpRequest) -> Result<web::Data<T>> {
    req.app_data::<web::Data<T>>()
        .cloned()
        .ok_or_else(|| Problem::internal(format!("{} is missing", std::any::type_name::<T>())))
}

/// JSON of an answer.
pub fn json_of(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(Problem::internal)
}
