//! What a list of invitations says of each: pending, accepted, revoked or expired, and why.

use serde_json::{Value, json};

use super::{address, delete, invite, join, member_of, patch, token_to};
use crate::contract::stage::{Stage, rehearsal, rehearsal_of, set_clock};
use crate::support::actors::{PASSWORD, sign_in};
use crate::support::{Client, Firm, Setup, app};

/// State and reason of the newest invitation of an address.
async fn stands(reader: &Client, place: &str, email: &str) -> (String, Value) {
    let list = reader.get(&format!("{place}/invitations"), 200).await;
    let items = list["items"].as_array().unwrap();
    let found = items.iter().rfind(|item| item["email"] == email).unwrap();
    (
        found["state"].as_str().unwrap().to_owned(),
        found["ended_because"].clone(),
    )
}

fn is(state: &str, why: &str) -> (String, Value) {
    let why = if why.is_empty() {
        Value::Null
    } else {
        json!(why)
    };
    (state.to_owned(), why)
}

#[actix_web::test]
async fn an_invitation_is_pending_until_it_is_accepted_taken_back_or_replaced() {
    let stage = Stage::set(rehearsal().await).await;
    let firm = format!("/v1/consultancies/{}", stage.firm.id);
    for (place, api, role) in [
        (stage.client.base.as_str(), &stage.approver.api, "viewer"),
        (firm.as_str(), &stage.firm.owner.api, "consultant"),
    ] {
        let email = address();
        let first = invite(api, place, &email, &[role]).await.expect(201).json();
        assert_eq!(
            (&first["state"], &first["ended_because"]),
            (&json!("pending"), &Value::Null)
        );
        assert_eq!(stands(api, place, &email).await, is("pending", ""));

        let second = invite(api, place, &email, &[role]).await.expect(201).json();
        let list = api.get(&format!("{place}/invitations"), 200).await;
        let items = list["items"].as_array().unwrap();
        let replaced = items.iter().find(|item| item["id"] == first["id"]).unwrap();
        assert_eq!(replaced["state"], "revoked");
        assert_eq!(replaced["ended_because"], "replaced by a newer one");
        assert_eq!(stands(api, place, &email).await, is("pending", ""));

        let at = format!("{place}/invitations/{}", second["id"].as_str().unwrap());
        delete(api, &at).await.expect(204);
        assert_eq!(
            stands(api, place, &email).await,
            is("revoked", "taken back")
        );

        invite(api, place, &email, &[role]).await.expect(201);
        join(stage.app, &token_to(stage.app, &email).await)
            .await
            .expect(201);
        assert_eq!(stands(api, place, &email).await, is("accepted", ""));
    }
}

#[actix_web::test]
async fn an_invitation_of_the_consultancy_dies_when_top_management_takes_over() {
    let firm = Firm::sign_up(app(), "Fjordlys Advisory").await;
    let client = firm.client("Aurelia Lending B.V.").await;
    let owner = &firm.owner.api;
    let (manager, viewer) = (address(), address());
    invite(owner, &client.base, &manager, &["aims_manager"])
        .await
        .expect(201);
    let token = token_to(firm.app, &manager).await;
    invite(owner, &client.base, &viewer, &["viewer"])
        .await
        .expect(201);
    assert_eq!(
        stands(owner, &client.base, &manager).await,
        is("pending", "")
    );

    client.staff("Ana Gomez", &["top_management"]).await;

    let why = "top management took over: the consultancy gives this role no longer";
    assert_eq!(
        stands(owner, &client.base, &manager).await,
        is("revoked", why)
    );
    assert_eq!(
        stands(owner, &client.base, &viewer).await,
        is("pending", "")
    );
    join(firm.app, &token).await.expect(422);
}

#[actix_web::test]
async fn an_invitation_dies_with_the_right_of_whoever_invited() {
    let stage = Stage::set(rehearsal().await).await;
    let why = "whoever invited may no longer give this role";
    let (email, top) = (address(), &stage.approver.api);
    let manager = stage
        .client
        .staff_by(&stage.approver, "Mila Bakker", &["aims_manager"], None)
        .await;
    invite(&manager.api, &stage.client.base, &email, &["viewer"])
        .await
        .expect(201);
    let (at, _) = member_of(top, &stage.client, &manager).await;
    patch(top, &at, json!({"roles": ["viewer"]}))
        .await
        .expect(200);
    assert_eq!(
        stands(top, &stage.client.base, &email).await,
        is("revoked", why)
    );

    let base = format!("/v1/consultancies/{}", stage.firm.id);
    let second = stage.firm.hire("Sofia Lund", "owner").await;
    invite(&second.api, &base, &email, &["lead"])
        .await
        .expect(201);
    delete(&second.api, &format!("{base}/members/{}", second.id))
        .await
        .expect(204);
    assert_eq!(
        stands(&stage.firm.owner.api, &base, &email).await,
        is("revoked", why)
    );
}

#[actix_web::test]
async fn an_invitation_expires() {
    let app = rehearsal_of(Setup::named("invitation_states")).await;
    let stage = Stage::set(&app).await;
    let (email, brief) = (address(), address());
    let top = &stage.approver.api;
    invite(top, &stage.client.base, &email, &["viewer"])
        .await
        .expect(201);
    let body = json!({"email": brief, "roles": ["viewer"], "valid_until": "2027-03-15"});
    top.post(&stage.client.path("invitations"), &body, 201)
        .await;

    set_clock(&app, "2027-03-16T08:00:00Z").await;
    let again = sign_in(&app, &stage.approver.email, PASSWORD).await.api;
    let over = "the last day of the membership has passed";
    assert_eq!(
        stands(&again, &stage.client.base, &brief).await,
        is("expired", over)
    );
    assert_eq!(
        stands(&again, &stage.client.base, &email).await,
        is("pending", "")
    );

    set_clock(&app, "2027-03-18T08:30:00Z").await;
    let again = sign_in(&app, &stage.approver.email, PASSWORD).await.api;
    let late = "nobody accepted it within 72 hours";
    assert_eq!(
        stands(&again, &stage.client.base, &email).await,
        is("expired", late)
    );
}
