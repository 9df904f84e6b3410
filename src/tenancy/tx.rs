//! One transaction that sees one tenant.
//!
//! Opening is one message, `BEGIN; SET LOCAL app.tenant_id = '…'`, that travels with the first
//! query. What a write changes is queued and travels together with the next query or with the
//! events at the end; foreign keys are checked at the commit, so the order in which queued
//! statements arrive does not matter. COMMIT travels with the last message, unless a statement in
//! it has yet to be prepared. A read's COMMIT is not awaited: the next user of the connection
//! queues behind it. A cancelled transaction takes its connection out of the pool.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use diesel::pg::Pg;
use diesel::query_builder::QueryFragment;
use diesel::result::QueryResult;
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use futures_util::future::{LocalBoxFuture, join_all, maybe_done};
use futures_util::{FutureExt, poll};
use tokio::task::unconstrained;
use uuid::Uuid;

use super::chain::Chain;
use super::db::{Connection, Db, is_preparing, nothing_is_prepared};
use super::prepared::{OneRow, Prepared};
use super::roles::Roles;
use crate::problem::{Problem, Result};

/// A client organisation, as far as a transaction needs to know it.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// Its id; also the value of `app.tenant_id`.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// The zone of its civil dates.
    pub zone: Tz,
}

/// Who acts in a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A person with these roles in the tenant.
    Person {
        /// Whose account.
        id: Uuid,
        /// Roles in the tenant of the transaction; none outside of one.
        roles: Roles,
        /// Whether they belong today to a consultancy that works for the tenant, whatever roles
        /// they hold there; false outside of a tenant.
        of_firm: bool,
    },
    /// The scheduler. It never approves (GEN-1).
    System,
}

impl Actor {
    /// The person, if it is one.
    pub fn person(&self) -> Option<Uuid> {
        match self {
            Self::Person { id, .. } => Some(*id),
            Self::System => None,
        }
    }

    /// The roles held; the scheduler has none.
    pub fn roles(&self) -> Roles {
        match self {
            Self::Person { roles, .. } => *roles,
            Self::System => Roles::default(),
        }
    }

    /// Whether a person of a consultancy acts in its client. Such a person never approves for the
    /// client (GEN-1), but for what an AIMS manager approves under a dated mandate.
    pub fn is_of_firm(&self) -> bool {
        match self {
            Self::Person { roles, of_firm, .. } => *of_firm || roles.is_of_consultancy(),
            Self::System => false,
        }
    }
}

/// Reads and writes inside one tenant, as one actor, at one instant.
pub struct TenantTx<'c> {
    pub(super) connection: &'c AsyncPgConnection,
    /// Sent with the first query.
    pub(super) opening: Option<String>,
    pub(super) queued: Vec<LocalBoxFuture<'c, QueryResult<usize>>>,
    /// What is queued may have to be prepared without our knowing.
    may_prepare: bool,
    pub(super) chain: Option<Chain>,
    pub(super) scope: Option<Uuid>,
    pub(super) failed: bool,
    /// The next message is the last one.
    last: bool,
    /// COMMIT has been sent.
    ended: bool,
    pub(super) tenant: Option<Tenant>,
    pub(super) actor: Actor,
    now: DateTime<Utc>,
    request_id: Option<Arc<str>>,
    /// What features remember while the transaction lasts, by type.
    memos: HashMap<TypeId, Box<dyn Any>>,
}

/// Whether a transaction may change anything.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Read,
    Write,
}

/// What a transaction is opened with.
pub(super) struct Opening {
    pub(super) mode: Mode,
    pub(super) tenant: Option<Tenant>,
    pub(super) actor: Actor,
    pub(super) now: DateTime<Utc>,
    pub(super) request_id: Option<Arc<str>>,
}

/// Runs `work` in a transaction: commits when it succeeds, rolls back when it does not.
pub(super) async fn transaction<T>(
    db: &Db,
    opening: Opening,
    work: impl AsyncFnOnce(&mut TenantTx<'_>) -> Result<T>,
) -> Result<T> {
    let connection = Guard(Some(db.connection().await?));
    let outcome = {
        let mut tx = TenantTx::new(connection.get()?, opening);
        let outcome = match work(&mut tx).await {
            Ok(value) => tx.end().await.map(|()| value),
            Err(problem) => Err(problem),
        };
        if outcome.is_err() {
            tx.abandon().await;
        }
        outcome
    };
    connection.keep();
    outcome
}

/// Closes the connection of a transaction that was cancelled half-way.
struct Guard(Option<Connection>);

impl Guard {
    fn get(&self) -> Result<&AsyncPgConnection> {
        self.0
            .as_deref()
            .ok_or_else(|| Problem::internal("the connection is gone"))
    }

    /// The transaction has ended in order: the connection may be used again.
    fn keep(mut self) {
        self.0.take();
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            drop(Connection::take(connection));
        }
    }
}

impl<'c> TenantTx<'c> {
    fn new(connection: &'c AsyncPgConnection, opening: Opening) -> Self {
        let Opening {
            mode,
            tenant,
            actor,
            now,
            request_id,
        } = opening;
        let begin = match mode {
            Mode::Read => "BEGIN READ ONLY",
            Mode::Write => "BEGIN",
        };
        let scope = tenant.as_ref().map(|tenant| tenant.id);
        Self {
            connection,
            opening: Some(format!("{begin};{}", set_scope(scope))),
            queued: Vec::new(),
            may_prepare: false,
            chain: (mode == Mode::Write).then(Chain::default),
            scope,
            failed: false,
            last: false,
            ended: false,
            tenant,
            actor,
            now,
            request_id,
            memos: HashMap::new(),
        }
    }

    /// Takes what a feature has kept by [`TenantTx::keep_memo`]; its default if nothing.
    pub fn take_memo<T: Default + 'static>(&mut self) -> T {
        self.memos
            .remove(&TypeId::of::<T>())
            .and_then(|memo| memo.downcast().ok())
            .map_or_else(T::default, |memo| *memo)
    }

    /// Keeps something until the transaction ends or a part of it is taken back.
    pub fn keep_memo<T: 'static>(&mut self, memo: T) {
        self.memos.insert(TypeId::of::<T>(), Box::new(memo));
    }

    pub(super) fn forget_memos(&mut self) {
        self.memos.clear();
    }

    /// The tenant whose rows are seen.
    pub fn tenant(&self) -> Result<&Tenant> {
        self.tenant
            .as_ref()
            .ok_or_else(|| Problem::internal("this transaction has no tenant"))
    }

    /// Id of whose rows are seen: the tenant's, or in [`Platform`] work that of the firm or
    /// account switched to; nil when none was chosen, which sees no row.
    pub fn scope(&self) -> Uuid {
        self.scope.unwrap_or_default()
    }

    /// Who acts.
    pub fn actor(&self) -> Actor {
        self.actor
    }

    /// Does what follows from something by itself: as the system, and nobody's own act.
    pub async fn as_system<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        let actor = std::mem::replace(&mut self.actor, Actor::System);
        let outcome = work(self).await;
        self.actor = actor;
        outcome
    }

    /// The instant of everything in this transaction.
    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// The tenant's civil date.
    pub fn today(&self) -> Result<NaiveDate> {
        Ok(self.now.with_timezone(&self.tenant()?.zone).date_naive())
    }

    /// Id of the request, for events.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// Runs queries. The opening and all queued statements travel before them in the same
    /// message, and so do the queries of one `work` that are polled together.
    pub async fn run<T>(
        &mut self,
        work: impl AsyncFnOnce(&'c AsyncPgConnection) -> QueryResult<T>,
    ) -> Result<T> {
        if self.ended {
            return Err(Problem::internal("the transaction has ended"));
        }
        let (mut opener, mut closer) = (self.connection, self.connection);
        let opening = self.opening.take();
        let begin = async {
            match &opening {
                Some(sql) => opener.batch_execute(sql).await,
                None => Ok(()),
            }
        };
        let head = self
            .chain
            .as_mut()
            .and_then(|chain| chain.lock(self.connection, self.scope));
        let head = async {
            match head {
                Some(head) => head.await.map(Some),
                None => Ok(None),
            }
        };
        let queued = join_all(std::mem::take(&mut self.queued));
        let may_prepare = std::mem::take(&mut self.may_prepare);
        // Polled in this order, so that they are sent in this order; all at once, whatever of the
        // task's budget is left.
        let connection = self.connection;
        let mut message = pin!(unconstrained(async {
            futures_util::join!(begin, head, queued, work(connection))
        }));
        nothing_is_prepared();
        let sent = poll!(&mut message);
        let mut commit = pin!(maybe_done(closer.batch_execute("COMMIT")));
        if self.last && !may_prepare && !is_preparing() {
            self.ended = true;
            let _ = poll!(&mut commit);
        }
        let (begun, head, queued, found) = match sent {
            Poll::Ready(answers) => answers,
            Poll::Pending => message.await,
        };
        let outcome = begun.and(head).and_then(|head| {
            queued
                .into_iter()
                .collect::<QueryResult<Vec<_>>>()
                .map(|_| head)
        });
        let found = match (outcome, found) {
            (Ok(head), Ok(found)) => {
                if let (Some(chain), Some(head)) = (self.chain.as_mut(), head) {
                    chain.locked(head);
                }
                found
            }
            (Ok(_), Err(diesel::result::Error::NotFound)) => return Err(Problem::not_found()),
            (Err(error), _) | (_, Err(error)) => {
                self.failed = true;
                return Err(error.into());
            }
        };
        if self.last {
            self.ended = true;
            let _ = poll!(&mut commit);
            if self.is_write() {
                commit.as_mut().await;
                commit.take_output().unwrap_or(Ok(()))?;
            }
        }
        Ok(found)
    }

    /// Says that the next query of a read is its only one left, so that COMMIT can travel with it.
    pub fn last(&mut self) {
        self.last = !self.is_write();
    }

    fn is_write(&self) -> bool {
        self.chain.is_some()
    }

    /// Queues one statement; it travels with the next [`TenantTx::run`], at the latest before
    /// the commit. Statements queued together must not depend on each other's order.
    pub fn queue<F>(&mut self, statement: impl FnOnce(&'c AsyncPgConnection) -> F)
    where
        F: Future<Output = QueryResult<usize>> + 'c,
    {
        self.may_prepare = true;
        self.queued.push(statement(self.connection).boxed_local());
    }

    /// Queues a statement of a fixed shape, which is kept prepared. A transaction that ends with
    /// nothing but such statements is committed in the same round trip.
    pub fn queue_fixed(&mut self, statement: impl Statement<'c>) {
        self.queued.push(fixed(self.connection, statement));
    }

    /// As [`TenantTx::queue_fixed`], and fails unless the statement hits exactly one row.
    pub fn queue_fixed_one(&mut self, statement: impl Statement<'c>) {
        self.queue_fixed(OneRow(statement));
    }

    /// Appends an event to the hash chain of the tenant (or firm, or account).
    pub fn event(
        &mut self,
        action: &str,
        kind: &str,
        id: Uuid,
        data: &serde_json::Value,
    ) -> Result<()> {
        self.event_by(self.actor, action, kind, id, data)
    }

    /// As [`TenantTx::event`], as the act of somebody else: what follows by itself from what a
    /// person did is done by the system.
    pub fn event_by(
        &mut self,
        actor: Actor,
        action: &str,
        kind: &str,
        id: Uuid,
        data: &serde_json::Value,
    ) -> Result<()> {
        let (actor, now) = (actor.person(), self.now);
        let request_id = self.request_id.clone();
        self.chain
            .as_mut()
            .ok_or_else(|| Problem::internal("a read cannot record an event"))?
            .append(super::chain::NewEvent {
                at: now,
                actor_id: actor,
                action: action.to_owned(),
                subject_kind: kind.to_owned(),
                subject_id: id,
                request_id: request_id.as_deref().map(str::to_owned),
                data: data.clone(),
            });
        Ok(())
    }

    /// Sends everything queued and the events so far.
    pub async fn flush(&mut self) -> Result<()> {
        self.settle().await?;
        if self.queued.is_empty() {
            return Ok(());
        }
        self.run(async |_| Ok(())).await
    }

    /// Queues what writes the events so far.
    async fn settle(&mut self) -> Result<()> {
        let unsettled = self.chain.as_ref().is_some_and(Chain::is_unsettled);
        if unsettled && !self.chain.as_ref().is_some_and(Chain::is_locked) {
            // The head of the chain has to be known before the events can be hashed.
            self.run(async |_| Ok(())).await?;
        }
        let (connection, scope) = (self.connection, self.scope());
        if let Some(chain) = self.chain.as_mut().filter(|_| unsettled) {
            let statements = chain.settle(connection, scope);
            self.queued.extend(statements);
        }
        Ok(())
    }

    async fn end(&mut self) -> Result<()> {
        if self.failed {
            // PostgreSQL would answer COMMIT with a silent rollback.
            return Err(Problem::internal("a failed query was ignored"));
        }
        if self.is_write() {
            self.settle().await?;
        }
        if self.ended || (self.opening.is_some() && self.queued.is_empty()) {
            return Ok(());
        }
        self.last = true;
        self.run(async |_| Ok(())).await
    }

    pub(super) async fn run_alone(&mut self, sql: &str) -> Result<()> {
        let mut connection = self.connection;
        connection.batch_execute(sql).await.map_err(|error| {
            self.failed = true;
            Problem::from(error)
        })
    }

    async fn abandon(&mut self) {
        self.queued.clear();
        if self.opening.is_none() && !self.ended {
            let mut connection = self.connection;
            // A connection that cannot roll back is broken and will not be reused.
            let _ = connection.batch_execute("ROLLBACK").await;
        }
    }
}

/// What [`TenantTx::queue_fixed`] takes.
pub trait Statement<'c>: QueryFragment<Pg> + Send + 'c {}

impl<'c, S: QueryFragment<Pg> + Send + 'c> Statement<'c> for S {}

pub(super) fn fixed<'c>(
    connection: &'c AsyncPgConnection,
    statement: impl Statement<'c>,
) -> LocalBoxFuture<'c, QueryResult<usize>> {
    async move { Prepared(statement).execute(&mut &*connection).await }.boxed_local()
}

/// The statement that chooses whose rows are seen; written from a typed id.
pub(super) fn set_scope(scope: Option<Uuid>) -> String {
    match scope {
        Some(id) => format!("SET LOCAL app.tenant_id = '{id}'"),
        None => "SET LOCAL app.tenant_id = ''".to_owned(),
    }
}
