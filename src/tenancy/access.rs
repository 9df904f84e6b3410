//! Whether this caller may do this in the tenant of the path.
//!
//! The permission stands in the type: a handler that takes `Access<Writes>` cannot be reached by
//! somebody who may only read. What is not visible answers 404, as a random id does; 403 is for
//! what the caller may see but not do.

use std::marker::PhantomData;
use std::sync::Arc;

use actix_web::{FromRequest, HttpRequest};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use uuid::Uuid;

use super::caller::{Caller, Membership, data};
use super::roles::{FirmRole, Role, Roles};
use super::tx::{Actor, Mode, Opening, TenantTx, transaction};
use crate::config::Config;
use crate::http::limits;
use crate::http::shared::Shared;
use crate::problem::{Problem, Refused, Result};

/// A permission in a tenant.
pub trait Permission: 'static {
    /// What a refusal says the caller lacks.
    const NEEDS: &'static str;
    /// Whether the caller has it.
    fn held(membership: &Membership, caller: &Caller) -> bool;
}

macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident: $needs:literal, $held:expr;)*) => { $(
        $(#[$doc])*
        pub struct $name;
        impl Permission for $name {
            const NEEDS: &'static str = $needs;
            fn held(membership: &Membership, caller: &Caller) -> bool {
                let held: fn(&Membership, &Caller) -> bool = $held;
                held(membership, caller)
            }
        }
    )* };
}

permissions! {
    /// Knows the tenant: whoever can see it.
    Member: "a place in this tenant", |_, _| true;
    /// Reads records; the kind and the record decide which.
    Reads: "a role in this tenant", |place, _| place.roles != Roles::default();
    /// Reads what is due in the whole tenant.
    Oversees: "a role that reads records", |place, _| place.roles.meets(Roles::READERS);
    /// Writes records; the kind decides which.
    Writes: "a role that writes records", |place, _| place.roles.meets(Roles::WRITERS);
    /// Takes part: adds the rows of the own person, such as an acknowledgement.
    TakesPart: "a role that takes part", |place, _| {
        place.roles.meets(Roles::WRITERS) || place.roles.has(Role::Employee)
    };
    /// Invites and lists people.
    Invites: "top_management, aims_manager or lead", |place, caller| {
        place.roles.meets(Roles::INVITERS) || owns(place, caller)
    };
    /// Changes the tenant itself.
    Manages: "aims_manager, or owner of the consultancy", |place, caller| {
        place.roles.has(Role::AimsManager) || place.roles.has(Role::TopManagement) || owns(place, caller)
    };
    /// Ends an engagement from the client's side.
    Ends: "top_management", |place, _| place.roles.has(Role::TopManagement);
}

/// Whether the caller owns the firm that runs the tenant.
fn owns(place: &Membership, caller: &Caller) -> bool {
    place
        .consultancy_id
        .is_some_and(|firm| caller.firm(firm).is_ok_and(|role| role == FirmRole::Owner))
}

/// Name of the path parameter that holds the tenant.
pub struct TenantPath;

impl TenantPath {
    /// As in the route patterns.
    pub const NAME: &'static str = "tenant_id";
}

/// The caller, authorised for the tenant in the path. The only way to a tenant's data.
pub struct Access<P> {
    caller: Caller,
    place: Membership,
    permission: PhantomData<P>,
}

impl<P: Permission> Access<P> {
    /// The caller.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The caller's place in the tenant.
    pub fn place(&self) -> &Membership {
        &self.place
    }

    /// The tenant.
    pub fn tenant_id(&self) -> Uuid {
        self.place.tenant.id
    }

    /// Reads in the tenant.
    pub async fn read<T>(
        &self,
        work: impl AsyncFnOnce(&mut TenantTx<'_>) -> Result<T>,
    ) -> Result<T> {
        self.transaction(Mode::Read, work).await
    }

    /// Changes something in the tenant: everything `work` does, or nothing of it.
    pub async fn write<T>(
        &self,
        work: impl AsyncFnOnce(&mut TenantTx<'_>) -> Result<T>,
    ) -> Result<T> {
        self.transaction(Mode::Write, work).await
    }

    async fn transaction<T>(
        &self,
        mode: Mode,
        work: impl AsyncFnOnce(&mut TenantTx<'_>) -> Result<T>,
    ) -> Result<T> {
        let outcome = transaction(self.caller.platform.db(), self.opening(mode), work).await;
        if let Err(problem) = &outcome
            && let Some(refused) = problem.refused.as_deref()
        {
            self.record(refused).await?;
        }
        outcome
    }

    /// A refusal by a rule is an event, in a transaction of its own: what it refused was taken
    /// back.
    async fn record(&self, refused: &Refused) -> Result<()> {
        let Refused { kind, id, data } = refused;
        let opening = self.opening(Mode::Write);
        transaction(self.caller.platform.db(), opening, async |tx| {
            tx.event("refused", kind, *id, data)
        })
        .await
    }

    fn opening(&self, mode: Mode) -> Opening {
        let actor = Actor::Person {
            id: self.caller.user_id(),
            roles: self.place.roles,
            of_firm: self.place.of_firm,
        };
        self.caller.platform.opening(
            mode,
            actor,
            Some(self.place.tenant.clone()),
            self.caller.request_id.clone(),
        )
    }
}

impl<P: Permission> FromRequest for Access<P> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self>>;

    fn from_request(req: &HttpRequest, payload: &mut actix_web::dev::Payload) -> Self::Future {
        let caller = Caller::from_request(req, payload);
        let req = req.clone();
        async move {
            let caller = caller.await?;
            // An id that cannot be one looks like one that is not there.
            let tenant_id: Uuid = req
                .match_info()
                .get(TenantPath::NAME)
                .and_then(|id| id.parse().ok())
                .ok_or_else(Problem::not_found)?;
            let place = caller.tenant(tenant_id)?.clone();
            if !P::held(&place, &caller) {
                return Err(Problem::forbidden(format!("This needs {}.", P::NEEDS)));
            }
            let shared = data::<Arc<dyn Shared>>(&req)?;
            let config = data::<Config>(&req)?;
            limits::tenant(shared.as_ref().as_ref(), config.rate_limit, tenant_id).await?;
            Ok(Self {
                caller,
                place,
                permission: PhantomData,
            })
        }
        .boxed_local()
    }
}
