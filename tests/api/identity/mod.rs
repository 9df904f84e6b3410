//! Who somebody is, how they prove it, and what they are let into.

mod dated_rights;
mod endings;
mod escalation;
mod forged_tokens;
mod gen_1;
mod invitation_states;
mod invitations;
mod last_top;
mod mandates;
mod names;
mod people;
mod refresh;
mod removal;
mod session_model;
mod sessions;
mod sign_in;
mod throttling;
mod unchanged;
mod zone_change;

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::actors::{PASSWORD, token_in};
use crate::support::{Answer, App, Client, Person, TenantWorld};

/// An address that nobody has.
fn address() -> String {
    format!("{}@example.org", Uuid::now_v7().simple())
}

/// Somebody's membership, and its address, as `reader` sees them.
async fn member_of(reader: &Client, client: &TenantWorld<'_>, person: &Person) -> (String, Value) {
    let list = client.path("members");
    let members = reader.get(&list, 200).await;
    let items = members["items"].as_array().unwrap();
    let is_theirs = |item: &&Value| item["user_id"] == json!(person.id);
    let found = items.iter().find(is_theirs);
    let found = found.unwrap_or_else(|| panic!("{} is not in {members}", person.name));
    let at = format!("{list}/{}", found["id"].as_str().unwrap());
    (at, found.clone())
}

async fn post(client: &Client, path: &str, body: Value) -> Answer {
    client
        .send(Method::POST, path, &[], Some(body.to_string()))
        .await
}

async fn patch(client: &Client, at: &str, body: Value) -> Answer {
    client
        .send(
            Method::PATCH,
            at,
            &[("If-Match", "*")],
            Some(body.to_string()),
        )
        .await
}

async fn delete(client: &Client, at: &str) -> Answer {
    client
        .send(Method::DELETE, at, &[("If-Match", "*")], None)
        .await
}

/// The token of the newest invitation to an address.
async fn token_to(app: &App, email: &str) -> String {
    token_in(&app.link_mailed_to(email).await)
}

/// Accepts an invitation, with an account or without.
async fn join(app: &App, token: &str) -> Answer {
    let body = json!({"token": token, "name": "Ida Holm", "password": PASSWORD});
    post(&app.anonymous(), "/v1/invitations/accept", body).await
}

/// Invites an address to a tenant, or to a firm.
async fn invite(inviter: &Client, place: &str, email: &str, roles: &[&str]) -> Answer {
    let body = json!({"email": email, "roles": roles});
    post(inviter, &format!("{place}/invitations"), body).await
}
