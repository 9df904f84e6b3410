//! Who is calling, and which tenants may they reach.
//!
//! The token is verified and the account's memberships are read at most once a second; the truth
//! is PostgreSQL, so a revoked session or an ended engagement is effective everywhere within
//! [`FRESH`], and at once in the process that ended it (and in all that share a Redis).

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::AUTHORIZATION;
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, web};
use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use futures_util::future::LocalBoxFuture;
use futures_util::{FutureExt, try_join};
use quick_cache::sync::Cache;
use uuid::Uuid;

use super::holding::{Holding, within, zone_of};
use super::platform::Platform;
use super::roles::{FirmRole, Roles};
use super::tx::Tenant;
use crate::config::Config;
use crate::http::edge::RequestId;
use crate::http::limits;
use crate::http::shared::Shared;
use crate::problem::{Problem, Result};
use crate::schema::{consultancy_members, engagements, memberships, sessions, tenants, users};

/// How long what was read of a caller is believed.
const FRESH: Duration = Duration::from_secs(1);
/// Callers remembered at once; the least used make room.
const REMEMBERED: usize = 10_000;

/// What a valid access token says.
#[derive(Clone, Copy, Debug)]
pub struct SignedIn {
    /// The account.
    pub user_id: Uuid,
    /// The session the token belongs to.
    pub session_id: Uuid,
    /// When the token ends.
    pub expires_at: DateTime<Utc>,
}

/// Verifies access tokens; `identity` implements it.
pub trait VerifyToken: Send + Sync {
    /// What the token says, if it is genuine and not expired at `now`.
    fn verify(&self, token: &str, now: DateTime<Utc>) -> Option<SignedIn>;
}

/// A person's place in a tenant.
#[derive(Clone, Debug)]
pub struct Membership {
    /// The tenant.
    pub tenant: Tenant,
    /// Roles held there now; none for the owner of the firm that runs it, who manages the tenant
    /// without seeing its records.
    pub roles: Roles,
    /// The firm that runs the tenant, if any.
    pub consultancy_id: Option<Uuid>,
    /// Whether the person belongs today to a firm that works for the tenant: the one that runs
    /// it, or one with a running engagement there.
    pub of_firm: bool,
}

/// A person's place in a consultancy.
#[derive(Clone, Copy, Debug)]
pub struct FirmMembership {
    /// The firm.
    pub consultancy_id: Uuid,
    /// The role there.
    pub role: FirmRole,
}

/// Who is calling.
#[derive(Clone, Debug)]
pub struct Identity {
    /// What the token says.
    pub signed_in: SignedIn,
    /// The person's name.
    pub name: String,
    /// The person's address.
    pub email: String,
    /// Places in consultancies.
    pub firms: Vec<FirmMembership>,
    /// Tenants visible now.
    pub tenants: Vec<Membership>,
}

impl Identity {
    /// The account.
    pub fn user_id(&self) -> Uuid {
        self.signed_in.user_id
    }

    /// The person's place in a tenant; 404 when it is not visible.
    pub fn tenant(&self, id: Uuid) -> Result<&Membership> {
        self.tenants
            .iter()
            .find(|membership| membership.tenant.id == id)
            .ok_or_else(Problem::not_found)
    }

    /// The person's role in a firm; 404 when they do not belong to it.
    pub fn firm(&self, id: Uuid) -> Result<FirmRole> {
        self.firms
            .iter()
            .find(|firm| firm.consultancy_id == id)
            .map(|firm| firm.role)
            .ok_or_else(Problem::not_found)
    }
}

/// The callers of the last second, by token.
pub struct Callers {
    tokens: Arc<dyn VerifyToken>,
    shared: Arc<dyn Shared>,
    known: Cache<String, (Instant, Arc<Identity>)>,
}

impl Callers {
    /// Verifies with `tokens`; revocations travel through `shared`.
    pub fn new(tokens: Arc<dyn VerifyToken>, shared: Arc<dyn Shared>) -> Self {
        Self {
            tokens,
            shared,
            known: Cache::new(REMEMBERED),
        }
    }

    /// Forgets what is known, because memberships, accounts or the clock have changed.
    pub fn forget_all(&self) {
        self.known.clear();
    }

    /// Makes a session's tokens worthless at once, here and where Redis is shared.
    pub async fn revoke(&self, session: Uuid, until: Duration) {
        self.shared.revoke(session, until).await;
        self.forget_all();
    }

    /// Who sent this token.
    pub async fn identify(&self, platform: &Platform, token: &str) -> Result<Arc<Identity>> {
        let now = platform.clock().now();
        let known = self
            .known
            .get(token)
            .filter(|(at, who)| at.elapsed() < FRESH && who.signed_in.expires_at > now)
            .map(|(_, who)| who);
        let who = match known {
            Some(who) => who,
            None => {
                let signed_in = self
                    .tokens
                    .verify(token, now)
                    .ok_or_else(Problem::unauthenticated)?;
                let read_at = Instant::now();
                let who = Arc::new(load(platform, signed_in).await?);
                self.known
                    .insert(token.to_owned(), (read_at, Arc::clone(&who)));
                who
            }
        };
        if self.shared.is_revoked(who.signed_in.session_id).await {
            return Err(Problem::unauthenticated());
        }
        Ok(who)
    }
}

/// Reads what the account may reach, in one round trip.
async fn load(platform: &Platform, signed_in: SignedIn) -> Result<Identity> {
    let now = platform.clock().now();
    let user_id = signed_in.user_id;
    let session = sessions::table
        .inner_join(users::table)
        .filter(sessions::id.eq(signed_in.session_id))
        .filter(sessions::user_id.eq(user_id))
        .filter(sessions::revoked_at.is_null())
        .filter(users::disabled_at.is_null())
        .select((users::name, users::email));
    let firms = consultancy_members::table
        .filter(consultancy_members::user_id.eq(user_id))
        .filter(consultancy_members::ended_at.is_null())
        .select((
            consultancy_members::consultancy_id,
            consultancy_members::role,
        ));
    let places = Holding::open()
        .filter(memberships::user_id.eq(user_id))
        .select((
            Holding::as_select(),
            (tenants::name, tenants::consultancy_id),
        ));
    let owned = tenants::table
        .inner_join(
            consultancy_members::table.on(consultancy_members::consultancy_id
                .nullable()
                .eq(tenants::consultancy_id)),
        )
        .filter(consultancy_members::user_id.eq(user_id))
        .filter(consultancy_members::ended_at.is_null())
        .filter(consultancy_members::role.eq(FirmRole::Owner.as_str()))
        .select((
            tenants::id,
            tenants::name,
            tenants::time_zone,
            tenants::consultancy_id,
        ));
    // Firms of the person that work for a client whose role they hold: mostly none.
    let serving = engagements::table
        .inner_join(memberships::table.on(memberships::tenant_id.eq(engagements::tenant_id)))
        .inner_join(tenants::table.on(tenants::id.eq(engagements::tenant_id)))
        .inner_join(
            consultancy_members::table
                .on(consultancy_members::consultancy_id.eq(engagements::consultancy_id)),
        )
        .filter(memberships::user_id.eq(user_id))
        .filter(memberships::engagement_id.is_null())
        .filter(memberships::ended_at.is_null())
        .filter(consultancy_members::user_id.eq(user_id))
        .filter(consultancy_members::ended_at.is_null())
        .filter(engagements::ended_at.is_null())
        .select((
            tenants::id,
            tenants::time_zone,
            engagements::starts_on,
            engagements::ends_on,
        ));
    let (session, firms, places, owned, serving) = platform
        .read(async |tx| {
            tx.run(async |db| {
                try_join!(
                    session.first::<(String, String)>(&mut &*db),
                    firms.load::<(Uuid, String)>(&mut &*db),
                    places.load::<Place>(&mut &*db),
                    owned.load::<(Uuid, String, String, Option<Uuid>)>(&mut &*db),
                    serving.load::<(Uuid, String, NaiveDate, Option<NaiveDate>)>(&mut &*db),
                )
            })
            .await
        })
        .await
        .map_err(|problem| match problem.status {
            404 => Problem::unauthenticated(),
            _ => problem,
        })?;

    let firms: Vec<_> = firms
        .into_iter()
        .filter_map(|(consultancy_id, role)| {
            Some(FirmMembership {
                consultancy_id,
                role: role.parse().ok()?,
            })
        })
        .collect();
    let mut visible: Vec<Membership> = Vec::new();
    let own = places.into_iter().filter_map(|place| place_at(place, now));
    let managed = owned
        .into_iter()
        .map(|(id, name, zone, consultancy_id)| Membership {
            tenant: Tenant {
                id,
                name,
                zone: zone_of(&zone),
            },
            roles: Roles::default(),
            consultancy_id,
            of_firm: true,
        });
    for place in own.chain(managed) {
        match visible
            .iter_mut()
            .find(|seen| seen.tenant.id == place.tenant.id)
        {
            Some(seen) => seen.roles = seen.roles.with(place.roles),
            None => visible.push(place),
        }
    }
    for (tenant, zone, first, last) in serving {
        let today = now.with_timezone(&zone_of(&zone)).date_naive();
        if within(today, first, last) {
            let places = visible.iter_mut();
            places
                .filter(|place| place.tenant.id == tenant)
                .for_each(|place| place.of_firm = true);
        }
    }
    for place in &mut visible {
        place.of_firm |= place.roles.is_of_consultancy()
            || firms
                .iter()
                .any(|firm| place.consultancy_id == Some(firm.consultancy_id));
    }
    let (name, email) = session;
    Ok(Identity {
        signed_in,
        name,
        email,
        firms,
        tenants: visible,
    })
}

/// An open membership, its tenant, and the firm that runs that.
type Place = (Holding, (String, Option<Uuid>));

/// What a membership amounts to at `now`; nothing unless it holds.
fn place_at(place: Place, now: DateTime<Utc>) -> Option<Membership> {
    let (holding, (name, consultancy_id)) = place;
    holding.holds_at(now).then(|| Membership {
        roles: holding.roles(),
        tenant: Tenant {
            id: holding.tenant_id,
            name,
            zone: holding.zone(),
        },
        consultancy_id,
        of_firm: false,
    })
}

/// Extractor: a signed-in person, within the limits of their account.
#[derive(Clone)]
pub struct Caller {
    /// Who it is.
    pub who: Arc<Identity>,
    /// Id of the request.
    pub request_id: Option<Arc<str>>,
    pub(super) platform: Platform,
}

impl std::ops::Deref for Caller {
    type Target = Identity;
    fn deref(&self) -> &Identity {
        &self.who
    }
}

impl Caller {
    /// The caller as the one who acts outside of any tenant.
    pub fn actor(&self) -> super::Actor {
        super::Actor::Person {
            id: self.user_id(),
            roles: Roles::default(),
            of_firm: false,
        }
    }
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self>>;

    fn from_request(req: &HttpRequest, _: &mut actix_web::dev::Payload) -> Self::Future {
        if let Some(Met(met)) = req.extensions_mut().remove::<Met>() {
            return std::future::ready(met).boxed_local();
        }
        let req = req.clone();
        async move {
            let platform = data::<Platform>(&req)?;
            let callers = data::<Callers>(&req)?;
            let shared = data::<Arc<dyn Shared>>(&req)?;
            let config = data::<Config>(&req)?;
            let token = bearer(&req).ok_or_else(Problem::unauthenticated)?;
            let who = callers.identify(&platform, token).await?;
            let verdict =
                limits::account(shared.as_ref().as_ref(), config.rate_limit, who.user_id()).await;
            req.extensions_mut().insert(verdict);
            if !verdict.allowed {
                return Err(limits::too_many(&verdict));
            }
            let request_id = req
                .extensions()
                .get::<RequestId>()
                .map(|id| Arc::clone(&id.0));
            Ok(Self {
                who,
                request_id,
                platform: platform.as_ref().clone(),
            })
        }
        .boxed_local()
    }
}

/// The caller, found before the handler's extractors run.
struct Met(Result<Caller>);

/// Middleware: finds out who calls before a handler's extractors are polled side by side.
/// Whether they may call is then judged first, and somebody who may not learns nothing from how
/// their body or query would have been judged.
pub async fn meet<B: MessageBody>(
    mut req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    if req.headers().contains_key(AUTHORIZATION) {
        let met = Met(req.extract::<Caller>().await);
        req.extensions_mut().insert(met);
    }
    next.call(req).await
}

/// A part that `app.rs` has put into every worker.
pub(super) fn data<T: 'static>(req: &HttpRequest) -> Result<web::Data<T>> {
    req.app_data::<web::Data<T>>()
        .cloned()
        .ok_or_else(|| Problem::internal(format!("{} is missing", std::any::type_name::<T>())))
}

fn bearer(req: &HttpRequest) -> Option<&str> {
    let value = req.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
