//! Somebody of the consultancy as AIMS manager: the mandate is the client's to give, to prolong and
//! to end, and whoever holds it gives themselves nothing.

use serde_json::{Value, json};

use super::{address, delete, invite, join, member_of, patch, post, token_to};
use crate::contract::problems::{assert_problem, pointers};
use crate::contract::stage::{Stage, rehearsal};
use crate::support::actors::{PASSWORD, sign_in};
use crate::support::{Answer, Client, Person};

const UNTIL: &str = "2027-12-31";

async fn mandate(stage: &Stage<'_>) -> (Person, String) {
    let person = stage.firm.hire("Cleo Nord", "consultant").await;
    let body = json!({"email": person.email, "roles": ["aims_manager"], "valid_until": UNTIL});
    let list = stage.client.path("invitations");
    stage.approver.api.post(&list, &body, 201).await;
    join(stage.app, &token_to(stage.app, &person.email).await)
        .await
        .expect(201);
    let person = sign_in(stage.app, &person.email, PASSWORD).await;
    let (at, _) = member_of(&stage.approver.api, &stage.client, &person).await;
    (person, at)
}

async fn invite_manager(stage: &Stage<'_>, by: &Client, email: &str) -> Answer {
    let body = json!({"email": email, "roles": ["aims_manager"], "valid_until": UNTIL});
    post(by, &stage.client.path("invitations"), body).await
}

#[track_caller]
fn assert_kept(what: &str, answer: &Answer) {
    assert_problem(what, answer, 403);
}

#[actix_web::test]
async fn whoever_holds_a_mandate_neither_prolongs_nor_widens_nor_ends_it() {
    let stage = Stage::set(rehearsal().await).await;
    let (person, at) = mandate(&stage).await;
    let before = member_of(&stage.approver.api, &stage.client, &person).await;

    for body in [
        json!({"valid_until": "2028-12-31"}),
        json!({"valid_until": "2027-06-30"}),
        json!({"valid_until": null}),
        json!({"roles": ["aims_manager", "process_owner"]}),
        json!({"roles": ["aims_manager", "internal_auditor"]}),
        json!({"roles": ["viewer"]}),
    ] {
        assert_kept(
            &body.to_string(),
            &patch(&person.api, &at, body.clone()).await,
        );
    }
    assert_kept("ends it", &delete(&person.api, &at).await);
    let own = invite(
        &person.api,
        &stage.client.base,
        &person.email,
        &["process_owner"],
    )
    .await;
    assert_problem("invites themselves", &own, 422);
    assert_eq!(pointers(&own), ["/email"]);

    assert_eq!(
        member_of(&stage.approver.api, &stage.client, &person).await,
        before
    );
}

#[actix_web::test]
async fn nobody_but_top_management_gives_changes_or_ends_a_mandate() {
    let stage = Stage::set(rehearsal().await).await;
    let (person, at) = mandate(&stage).await;
    let (second, _) = mandate(&stage).await;
    let lead = stage.firm.hire("Lars Holm", "lead").await;
    stage.firm.assign(&lead, &stage.client, "lead").await;
    let colleague = stage.firm.hire("Ida Berg", "consultant").await;

    for by in [
        &stage.author.api,
        &second.api,
        &lead.api,
        &stage.firm.owner.api,
    ] {
        for body in [
            json!({"valid_until": "2028-12-31"}),
            json!({"roles": ["viewer"]}),
        ] {
            assert_kept("changes it", &patch(by, &at, body).await);
        }
        assert_kept("ends it", &delete(by, &at).await);
        assert_kept(
            "gives one",
            &invite_manager(&stage, by, &colleague.email).await,
        );
    }

    let top = &stage.approver.api;
    patch(top, &at, json!({"valid_until": "2028-12-31"}))
        .await
        .expect(200);
    delete(top, &at).await.expect(200);
    person.api.get(&stage.client.base, 404).await;
    invite_manager(&stage, top, &colleague.email)
        .await
        .expect(201);
}

#[actix_web::test]
async fn a_mandate_that_top_management_has_not_given_is_not_accepted() {
    let stage = Stage::set(rehearsal().await).await;
    let email = address();
    invite_manager(&stage, &stage.author.api, &email)
        .await
        .expect(201);
    let to_client = token_to(stage.app, &email).await;
    let firm = format!("/v1/consultancies/{}", stage.firm.id);
    invite(&stage.firm.owner.api, &firm, &email, &["lead"])
        .await
        .expect(201);
    join(stage.app, &token_to(stage.app, &email).await)
        .await
        .expect(201);

    let refused = join(stage.app, &to_client).await;

    assert_problem("accepts it", &refused, 409);
    assert_eq!(refused.rule().as_deref(), Some("GEN-1"));
}

#[actix_web::test]
async fn before_there_is_a_top_management_the_consultancy_gives_itself_no_mandate() {
    let stage = Stage::set(rehearsal().await).await;
    let client = stage.firm.client("Borealis Insurance").await;
    let colleague = stage.firm.hire("Ida Berg", "consultant").await;
    let body = |email: &str| -> Value {
        json!({"email": email, "roles": ["aims_manager"], "valid_until": UNTIL})
    };
    let (owner, list) = (&stage.firm.owner.api, client.path("invitations"));

    assert_kept("itself", &post(owner, &list, body(&colleague.email)).await);
    post(owner, &list, body(&address())).await.expect(201);
}

#[actix_web::test]
async fn under_a_mandate_nobody_gets_a_role_that_approves() {
    let stage = Stage::set(rehearsal().await).await;
    let (person, _) = mandate(&stage).await;

    for (role, status) in [
        ("top_management", 403),
        ("aims_manager", 403),
        ("risk_owner", 403),
        ("process_owner", 201),
        ("viewer", 201),
    ] {
        let answer = invite(&person.api, &stage.client.base, &address(), &[role]).await;
        assert_eq!(answer.status, status, "{role}: {}", answer.text);
    }
}

#[actix_web::test]
async fn whose_time_is_limited_does_not_make_it_last_longer() {
    let stage = Stage::set(rehearsal().await).await;
    let person = stage
        .client
        .staff_by(
            &stage.approver,
            "Mila Bakker",
            &["aims_manager"],
            Some(UNTIL),
        )
        .await;
    let (at, _) = member_of(&stage.approver.api, &stage.client, &person).await;

    assert_kept(
        "a day",
        &patch(&person.api, &at, json!({"valid_until": "2028-01-01"})).await,
    );
    assert_kept(
        "for good",
        &patch(&person.api, &at, json!({"valid_until": null})).await,
    );
    patch(&person.api, &at, json!({"valid_until": "2027-11-30"}))
        .await
        .expect(200);
    delete(&person.api, &at).await.expect(200);
}
