//! People and places in the words of the trade: a firm, its consultants, a client organisation
//! and its staff, all made through the API.

use serde_json::{Value, json};
use uuid::Uuid;

use super::client::Client;
use super::server::App;

/// Good enough for everybody.
pub const PASSWORD: &str = "harbour lantern copper 1742";

/// Somebody with an account.
#[derive(Clone, Debug)]
pub struct Person {
    pub id: Uuid,
    pub name: String,
    pub email: String,
    pub api: Client,
    pub refresh_token: String,
}

/// A consultancy with its owner.
pub struct Firm<'a> {
    pub app: &'a App,
    pub id: Uuid,
    pub owner: Person,
}

/// A client organisation that the firm runs.
pub struct TenantWorld<'a> {
    pub app: &'a App,
    pub id: Uuid,
    pub engagement_id: Uuid,
    /// `/v1/tenants/{id}`.
    pub base: String,
    pub firm_owner: Person,
}

fn unique(name: &str) -> String {
    format!(
        "{}.{}@example.org",
        name.to_lowercase().replace(' ', "."),
        Uuid::now_v7().simple()
    )
}

/// Signs in.
pub async fn sign_in(app: &App, email: &str, password: &str) -> Person {
    let answer = app
        .anonymous()
        .post(
            "/v1/auth/login",
            &json!({"email": email, "password": password}),
            200,
        )
        .await;
    let api = app
        .anonymous()
        .with_token(answer["access_token"].as_str().unwrap());
    let me = api.get("/v1/me", 200).await;
    Person {
        id: id_in(&me, "id"),
        name: me["name"].as_str().unwrap().to_owned(),
        email: email.to_owned(),
        api,
        refresh_token: answer["refresh_token"].as_str().unwrap().to_owned(),
    }
}

/// An id in an answer.
#[track_caller]
pub fn id_in(value: &Value, name: &str) -> Uuid {
    match value[name].as_str().and_then(|id| id.parse().ok()) {
        Some(id) => id,
        None => panic!("no {name} in {value}"),
    }
}

impl<'a> Firm<'a> {
    /// A firm signs up with its owner.
    pub async fn sign_up(app: &'a App, name: &str) -> Firm<'a> {
        let email = unique("owner");
        let body = json!({"name": name, "owner": {"name": "Astrid Fjord", "email": email, "password": PASSWORD}});
        let made = app.anonymous().post("/v1/consultancies", &body, 201).await;
        let owner = sign_in(app, &email, PASSWORD).await;
        Firm {
            app,
            id: id_in(&made, "id"),
            owner,
        }
    }

    /// Somebody joins the firm.
    pub async fn hire(&self, name: &str, role: &str) -> Person {
        let email = unique(name);
        let path = format!("/v1/consultancies/{}/invitations", self.id);
        self.owner
            .api
            .post(&path, &json!({"email": email, "roles": [role]}), 201)
            .await;
        accept(self.app, &email, name).await
    }

    /// A client organisation of the firm.
    pub async fn client(&self, name: &str) -> TenantWorld<'a> {
        self.client_in(name, "Europe/Amsterdam").await
    }

    /// A client organisation in a time zone.
    pub async fn client_in(&self, name: &str, zone: &str) -> TenantWorld<'a> {
        let body = json!({"consultancy_id": self.id, "name": name, "time_zone": zone});
        let made = self.owner.api.post("/v1/tenants", &body, 201).await;
        let id = id_in(&made, "id");
        TenantWorld {
            app: self.app,
            id,
            engagement_id: id_in(&made, "engagement_id"),
            base: format!("/v1/tenants/{id}"),
            firm_owner: self.owner.clone(),
        }
    }

    /// A consultant gets to work for a client.
    pub async fn assign(&self, person: &Person, client: &TenantWorld<'_>, role: &str) {
        let path = format!(
            "/v1/consultancies/{}/engagements/{}/assignments",
            self.id, client.engagement_id
        );
        self.owner
            .api
            .post(&path, &json!({"user_id": person.id, "role": role}), 201)
            .await;
    }
}

impl TenantWorld<'_> {
    /// Somebody of the client joins with these roles, invited by the firm's owner.
    pub async fn staff(&self, name: &str, roles: &[&str]) -> Person {
        self.staff_by(&self.firm_owner, name, roles, None).await
    }

    /// Somebody joins, invited by `inviter`.
    pub async fn staff_by(
        &self,
        inviter: &Person,
        name: &str,
        roles: &[&str],
        valid_until: Option<&str>,
    ) -> Person {
        let email = unique(name);
        let body = json!({"email": email, "roles": roles, "valid_until": valid_until});
        inviter
            .api
            .post(&format!("{}/invitations", self.base), &body, 201)
            .await;
        accept(self.app, &email, name).await
    }

    /// Address of a list of records.
    pub fn path(&self, rest: &str) -> String {
        format!("{}/{rest}", self.base)
    }
}

/// Accepts the invitation that was mailed to an address, as somebody without an account.
pub async fn accept(app: &App, email: &str, name: &str) -> Person {
    let link = app.link_mailed_to(email).await;
    let token = token_in(&link);
    let body = json!({"token": token, "name": name, "password": PASSWORD});
    app.anonymous()
        .post("/v1/invitations/accept", &body, 201)
        .await;
    sign_in(app, email, PASSWORD).await
}

/// The token in the link of an invitation.
pub fn token_in(link: &str) -> String {
    let url = url::Url::parse(link).unwrap();
    let of_query = url
        .query_pairs()
        .find(|(name, _)| name == "token")
        .map(|(_, token)| token.into_owned());
    let of_fragment = url
        .fragment()
        .map(|fragment| fragment.trim_start_matches("token=").to_owned());
    of_query
        .or(of_fragment)
        .unwrap_or_else(|| panic!("no token in {link}"))
}
