//! The door for work that has no tenant yet, or has many.

use std::sync::Arc;
use std::task::Poll;

use diesel::result::QueryResult;
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use futures_util::poll;
use tokio::task::unconstrained;
use uuid::Uuid;

use super::caller::Membership;
use super::chain::Chain;
use super::db::Db;
use super::tx::{Actor, Mode, Opening, Tenant, TenantTx, set_scope, transaction};
use crate::clock::Clock;
use crate::problem::Result;

/// Tenants asked in one message; bounds what the socket has to hold.
const VISITS_IN_FLIGHT: usize = 50;

/// The door for features that work before a tenant is chosen (identity, consultancies) and for
/// jobs. `app.rs` hands it out; handlers of records never see it.
#[derive(Clone)]
pub struct Platform {
    db: Db,
    clock: Clock,
}

impl Platform {
    /// A door over one pool.
    pub fn new(db: Db, clock: Clock) -> Self {
        Self { db, clock }
    }

    /// The clock all work runs by.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The pool, for the readiness check.
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// Reads platform tables.
    pub async fn read<T>(
        &self,
        work: impl AsyncFnOnce(&mut TenantTx<'_>) -> Result<T>,
    ) -> Result<T> {
        transaction(
            &self.db,
            self.opening(Mode::Read, Actor::System, None, None),
            work,
        )
        .await
    }

    /// Changes platform tables; call [`TenantTx::switch`] before touching what a firm, account
    /// or tenant owns, and before recording its event.
    pub async fn write<T>(
        &self,
        actor: Actor,
        request_id: Option<Arc<str>>,
        work: impl AsyncFnOnce(&mut TenantTx<'_>) -> Result<T>,
    ) -> Result<T> {
        transaction(
            &self.db,
            self.opening(Mode::Write, actor, None, request_id),
            work,
        )
        .await
    }

    /// A job's transaction in one tenant.
    pub async fn system<T>(
        &self,
        tenant: Tenant,
        work: impl AsyncFnOnce(&mut TenantTx<'_>) -> Result<T>,
    ) -> Result<T> {
        transaction(
            &self.db,
            self.opening(Mode::Write, Actor::System, Some(tenant), None),
            work,
        )
        .await
    }

    pub(super) fn opening(
        &self,
        mode: Mode,
        actor: Actor,
        tenant: Option<Tenant>,
        request_id: Option<Arc<str>>,
    ) -> Opening {
        Opening {
            mode,
            tenant,
            actor,
            now: self.clock.now(),
            request_id,
        }
    }
}

impl TenantTx<'_> {
    /// Moves a transaction of [`Platform`] on to another scope: a tenant, a firm or an account.
    /// What was queued and the events of the scope before are sent first.
    pub async fn switch(&mut self, scope: Uuid, tenant: Option<Tenant>) -> Result<()> {
        if self.scope != Some(scope) {
            self.flush().await?;
            self.scope = Some(scope);
            if let Some(chain) = self.chain.as_mut() {
                *chain = Chain::default();
            }
            match self.opening.as_mut() {
                Some(opening) => {
                    opening.push(';');
                    opening.push_str(&set_scope(Some(scope)));
                }
                None => {
                    let sql = set_scope(Some(scope));
                    self.run_alone(&sql).await?;
                }
            }
        }
        self.tenant = tenant;
        Ok(())
    }

    /// [`TenantTx::switch`] to a tenant in which the actor has a place: with the roles held there.
    pub async fn enter(&mut self, place: &Membership) -> Result<()> {
        self.switch(place.tenant.id, Some(place.tenant.clone()))
            .await?;
        if let Actor::Person { id, .. } = self.actor {
            self.actor = Actor::Person {
                id,
                roles: place.roles,
                of_firm: place.of_firm,
            };
        }
        Ok(())
    }

    /// Visits many tenants with the same query in one message: the portfolio's read. `query`
    /// must put its statement on the wire when first polled, which holds once the connection has
    /// prepared it; the first tenant is therefore asked alone.
    pub async fn visit<T>(
        &mut self,
        tenants: &[Uuid],
        query: impl AsyncFn(&AsyncPgConnection, Uuid) -> QueryResult<T>,
    ) -> Result<Vec<T>> {
        let Some((first, rest)) = tenants.split_first() else {
            return Ok(Vec::new());
        };
        self.switch(*first, None).await?;
        let mut found = vec![self.run(async |db| query(db, *first).await).await?];
        let connection = self.connection;
        for chunk in rest.chunks(VISITS_IN_FLIGHT) {
            let mut waiting = Vec::with_capacity(chunk.len());
            for tenant in chunk {
                let sql = set_scope(Some(*tenant));
                let mut set = Box::pin(async move {
                    let mut connection = connection;
                    connection.batch_execute(&sql).await
                });
                // Sent at once, whatever of the task's budget is left.
                let mut ask = Box::pin(unconstrained(query(connection, *tenant)));
                // Polled here, one after the other: that is the order on the wire.
                let set_done = poll!(&mut set);
                let ask_done = poll!(&mut ask);
                waiting.push((set, set_done, ask, ask_done));
            }
            for (set, set_done, ask, ask_done) in waiting {
                let set_done = match set_done {
                    Poll::Ready(done) => done,
                    Poll::Pending => set.await,
                };
                let answer = match ask_done {
                    Poll::Ready(done) => done,
                    Poll::Pending => ask.await,
                };
                found.push(set_done.and(answer)?);
            }
        }
        self.scope = None;
        Ok(found)
    }
}
