//! How everything comes about: sign-up, invitations, acceptances, assignments, records.

use std::collections::HashMap;

use chrono_tz::Tz;
use futures_util::{StreamExt, TryStreamExt, stream, try_join};
use serde_json::{Value, json};

use super::client::{Api, Fault, text};
use super::crew::{Crew, Office};
use super::mailbox::Mailbox;
use super::people::{ACTING, AURELIA, CONSULTANTS, Client, FIRM, KESTREL, OWNER, PASSWORD, Person};
use super::{aurelia, kestrel};
use crate::clock::Clock;
use crate::config::Config;

/// Requests under way at the same time.
const AT_ONCE: usize = 4;
/// The stage of a client whose data is not complete yet.
const INCOMPLETE: &str = "prospect";

/// What is there in the end.
pub(super) struct Loaded {
    /// Id of Aurelia.
    pub(super) aurelia: String,
    /// Id of the consultancy.
    pub(super) firm: String,
    /// Whether it was loaded just now.
    pub(super) just_now: bool,
}

/// Loads everything, unless it is there.
pub(super) async fn load(config: &Config, base: &str) -> Result<Loaded, Fault> {
    let anonymous = Api::anonymous(base);
    match anonymous.sign_in(OWNER.email, PASSWORD).await {
        Ok(owner) => found(&owner, config).await,
        Err(fault) if fault.status == Some(401) => begin(&anonymous, config).await,
        Err(fault) => Err(fault),
    }
}

/// What an earlier start has left.
async fn found(owner: &Api, config: &Config) -> Result<Loaded, Fault> {
    let me = owner.get("/v1/me").await?;
    let tenants = owner.get("/v1/tenants?limit=200").await?;
    let complete = |client: &Client| {
        items(&tenants).iter().find_map(|tenant| {
            let is = |name: &str, value: &str| text(tenant, name).is_ok_and(|it| it == value);
            (is("name", client.name) && !is("stage", INCOMPLETE)).then(|| text(tenant, "id"))
        })
    };
    let firm = me.pointer("/consultancies/0").map(|firm| text(firm, "id"));
    match (complete(&AURELIA), complete(&KESTREL), firm) {
        (Some(aurelia), Some(_), Some(firm)) => Ok(Loaded {
            aurelia: aurelia?,
            firm: firm?,
            just_now: false,
        }),
        _ => Err(Fault::new(format!(
            "An earlier start was interrupted while it loaded them. To begin anew, stop the server and remove its database ({}).",
            match config.database_url {
                Some(_) => "the one in DATABASE_URL".to_owned(),
                None => config.data.display().to_string(),
            }
        ))),
    }
}

async fn begin(anonymous: &Api, config: &Config) -> Result<Loaded, Fault> {
    if config.smtp_url.is_some() {
        return Err(Fault::new(
            "Its invitations would go to the mail server in SMTP_URL, where the demo cannot read them; unset SMTP_URL.",
        ));
    }
    let mailbox = Mailbox::open(&config.data);
    let body = json!({"name": FIRM, "owner": {"name": OWNER.name, "email": OWNER.email, "password": PASSWORD}});
    let firm = text(&anonymous.post("/v1/consultancies", &body).await?, "id")?;
    let owner = anonymous.sign_in(OWNER.email, PASSWORD).await?;
    let (aurelia, kestrel) = try_join!(
        Tenant::begin(&owner, &firm, &AURELIA),
        Tenant::begin(&owner, &firm, &KESTREL)
    )?;
    invite(&owner, &firm, [&aurelia, &kestrel]).await?;
    let mut crew = accept(anonymous, mailbox).await?;
    try_join!(
        aurelia.assign(&owner, &firm, &crew),
        kestrel.assign(&owner, &firm, &crew)
    )?;
    crew.signed_in = sign_in(anonymous).await?;
    let clock = Clock::machine();
    let office = |tenant, zone: Tz| Office {
        crew: &crew,
        tenant,
        today: clock.today(zone),
    };
    try_join!(
        aurelia::load(office(&aurelia.id, AURELIA.zone)),
        kestrel::load(office(&kestrel.id, KESTREL.zone))
    )?;
    let active = json!({"stage": "active"});
    owner
        .patch(&format!("/v1/tenants/{}", aurelia.id), &active)
        .await?;
    owner
        .patch(&format!("/v1/tenants/{}", kestrel.id), &active)
        .await?;
    Ok(Loaded {
        aurelia: aurelia.id,
        firm,
        just_now: true,
    })
}

/// A client that has begun.
struct Tenant {
    id: String,
    engagement: String,
    client: &'static Client,
}

impl Tenant {
    async fn begin(owner: &Api, firm: &str, client: &'static Client) -> Result<Self, Fault> {
        let body = json!({
            "consultancy_id": firm, "name": client.name, "sector": client.sector, "size": client.size,
            "country": client.country, "time_zone": client.zone.name(), "stage": INCOMPLETE,
        });
        let begun = owner.post("/v1/tenants", &body).await?;
        Ok(Self {
            id: text(&begun, "id")?,
            engagement: text(&begun, "engagement_id")?,
            client,
        })
    }

    async fn assign(&self, owner: &Api, firm: &str, crew: &Crew) -> Result<(), Fault> {
        let path = format!(
            "/v1/consultancies/{firm}/engagements/{}/assignments",
            self.engagement
        );
        for (email, role) in self.client.assigned {
            let body = json!({"user_id": crew.id(email)?, "role": role});
            owner.post(&path, &body).await?;
        }
        Ok(())
    }
}

/// The owner invites everybody, while the clients have no top management that would do it.
async fn invite(owner: &Api, firm: &str, tenants: [&Tenant; 2]) -> Result<(), Fault> {
    let to_firm = CONSULTANTS.iter().map(|person| {
        let role = person.roles.first();
        let path = format!("/v1/consultancies/{firm}/invitations");
        (path, json!({"email": person.email, "roles": [role]}))
    });
    let to_tenants = tenants.into_iter().flat_map(|tenant| {
        tenant.client.staff.iter().map(|person| {
            let path = format!("/v1/tenants/{}/invitations", tenant.id);
            (path, json!({"email": person.email, "roles": person.roles}))
        })
    });
    stream::iter(to_firm.chain(to_tenants))
        .map(async |(path, body)| owner.post(&path, &body).await)
        .buffer_unordered(AT_ONCE)
        .try_for_each(async |_| Ok(()))
        .await
}

/// Everybody accepts; top management last, because from then on it invites.
async fn accept(anonymous: &Api, mailbox: Mailbox) -> Result<Crew, Fault> {
    let everybody: Vec<&Person> = CONSULTANTS
        .iter()
        .chain(AURELIA.staff)
        .chain(KESTREL.staff)
        .collect();
    let addresses: Vec<&str> = everybody.iter().map(|person| person.email).collect();
    let tokens = mailbox.tokens(&addresses).await?;
    let (last, first): (Vec<&Person>, Vec<&Person>) = everybody
        .into_iter()
        .partition(|person| person.roles.contains(&"top_management"));
    let mut crew = Crew::default();
    for people in [first, last] {
        let joined: Vec<(String, String)> = stream::iter(people)
            .map(|person| join(anonymous, &tokens, person))
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;
        crew.ids.extend(joined);
    }
    Ok(crew)
}

async fn join(
    anonymous: &Api,
    tokens: &HashMap<String, String>,
    person: &Person,
) -> Result<(String, String), Fault> {
    let body =
        json!({"token": tokens.get(person.email), "name": person.name, "password": PASSWORD});
    let joined = anonymous.post("/v1/invitations/accept", &body).await?;
    Ok((person.email.to_owned(), text(&joined, "user_id")?))
}

async fn sign_in(anonymous: &Api) -> Result<HashMap<String, Api>, Fault> {
    stream::iter(ACTING)
        .map(async |email| {
            let api = anonymous.sign_in(email, PASSWORD).await?;
            Ok(((*email).to_owned(), api))
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

fn items(list: &Value) -> &[Value] {
    let items = list.get("items").and_then(Value::as_array);
    items.map(Vec::as_slice).unwrap_or_default()
}
