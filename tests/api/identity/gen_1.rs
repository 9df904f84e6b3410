//! A consultancy never approves for its client (GEN-1): judged on the person, on every road to a
//! role and to a firm, whichever comes first.

use serde_json::{Value, json};

use super::{address, delete, invite, join, member_of, patch, post, token_to};
use crate::contract::problems::assert_problem;
use crate::contract::stage::{Stage, rehearsal};
use crate::support::actors::{PASSWORD, sign_in};
use crate::support::{Answer, Person};

/// Roles with their last day, and whether somebody of the consultancy may hold them.
const ROLES: &[(&str, Option<&str>, bool)] = &[
    ("top_management", None, false),
    ("top_management", Some("2027-12-31"), false),
    ("risk_owner", None, false),
    ("risk_owner", Some("2027-12-31"), false),
    ("aims_manager", None, false),
    ("aims_manager", Some("2027-12-31"), true),
    ("viewer", None, true),
    ("internal_auditor", None, true),
];

#[track_caller]
fn judge(what: &str, answer: &Answer, good: u16, allowed: bool) {
    if allowed {
        assert_eq!(answer.status, good, "{what}: {}", answer.text);
    } else {
        assert_problem(what, answer, 409);
        assert_eq!(answer.rule().as_deref(), Some("GEN-1"), "{what}");
    }
}

/// Two places that somebody may come to.
struct Roads<'a> {
    stage: Stage<'a>,
    firm: String,
}

impl Roads<'_> {
    async fn to_client(&self, email: &str, role: &str, until: Option<&str>) -> Answer {
        let body = json!({"email": email, "roles": [role], "valid_until": until});
        let path = self.stage.client.path("invitations");
        post(&self.stage.approver.api, &path, body).await
    }

    async fn to_firm(&self, email: &str) -> Answer {
        invite(
            &self.stage.firm.owner.api,
            &self.firm,
            email,
            &["consultant"],
        )
        .await
    }

    async fn token(&self, email: &str) -> String {
        token_to(self.stage.app, email).await
    }

    async fn join(&self, token: &str) -> Answer {
        join(self.stage.app, token).await
    }
}

async fn roads() -> Roads<'static> {
    let stage = Stage::set(rehearsal().await).await;
    let firm = format!("/v1/consultancies/{}", stage.firm.id);
    Roads { stage, firm }
}

#[actix_web::test]
async fn who_approves_for_the_client_does_not_join_its_consultancy() {
    let roads = roads().await;
    for (role, until, allowed) in ROLES {
        let what = format!("{role} until {until:?}");
        let email = address();
        roads.to_client(&email, role, *until).await.expect(201);
        let token = roads.token(&email).await;
        roads.join(&token).await.expect(201);

        judge(&what, &roads.to_firm(&email).await, 201, *allowed);
    }
}

#[actix_web::test]
async fn an_invitation_to_the_firm_is_judged_again_when_it_is_accepted() {
    let roads = roads().await;
    for (role, until, allowed) in ROLES {
        let what = format!("{role} until {until:?}");
        let email = address();
        roads.to_firm(&email).await.expect(201);
        let to_firm = roads.token(&email).await;
        roads.to_client(&email, role, *until).await.expect(201);
        let to_client = roads.token(&email).await;
        roads.join(&to_client).await.expect(201);

        judge(&what, &roads.join(&to_firm).await, 201, *allowed);
        let person = sign_in(roads.stage.app, &email, PASSWORD).await;
        person
            .api
            .get(&roads.firm, if *allowed { 200 } else { 404 })
            .await;
    }
}

#[actix_web::test]
async fn who_belongs_to_the_consultancy_gets_no_role_that_approves() {
    let roads = roads().await;
    for (role, until, allowed) in ROLES {
        let what = format!("{role} until {until:?}");
        let colleague = roads.stage.firm.hire("Cleo Nord", "consultant").await;

        judge(
            &what,
            &roads.to_client(&colleague.email, role, *until).await,
            201,
            *allowed,
        );
    }
}

#[actix_web::test]
async fn an_invitation_to_the_client_is_judged_again_when_it_is_accepted() {
    let roads = roads().await;
    for (role, until, allowed) in ROLES {
        let what = format!("{role} until {until:?}");
        let email = address();
        roads.to_client(&email, role, *until).await.expect(201);
        let to_client = roads.token(&email).await;
        roads.to_firm(&email).await.expect(201);
        let to_firm = roads.token(&email).await;
        roads.join(&to_firm).await.expect(201);

        judge(&what, &roads.join(&to_client).await, 201, *allowed);
        let person = sign_in(roads.stage.app, &email, PASSWORD).await;
        let seen = if *allowed { 200 } else { 404 };
        person.api.get(&roads.stage.client.base, seen).await;
    }
}

#[actix_web::test]
async fn no_change_of_a_role_leads_round_the_rule() {
    let roads = roads().await;
    let (stage, top) = (&roads.stage, &roads.stage.approver.api);
    for (role, until, allowed) in ROLES {
        let what = format!("{role} until {until:?}");
        let email = address();
        roads.to_client(&email, "overseer", None).await.expect(201);
        let token = roads.token(&email).await;
        roads.join(&token).await.expect(201);
        roads.to_firm(&email).await.expect(201);
        let token = roads.token(&email).await;
        roads.join(&token).await.expect(201);
        let person = sign_in(stage.app, &email, PASSWORD).await;
        let (at, before) = member_of(top, &stage.client, &person).await;

        let body = json!({"roles": ["overseer", role], "valid_until": until});
        judge(&what, &patch(top, &at, body).await, 200, *allowed);

        let (_, after) = member_of(top, &stage.client, &person).await;
        assert_eq!(after == before, !allowed, "{what}");
    }
}

#[actix_web::test]
async fn a_mandate_does_not_become_one_for_good() {
    let roads = roads().await;
    let (stage, top) = (&roads.stage, &roads.stage.approver.api);
    let colleague = stage.firm.hire("Cleo Nord", "lead").await;
    let until = Some("2027-12-31");
    roads
        .to_client(&colleague.email, "aims_manager", until)
        .await
        .expect(201);
    let token = roads.token(&colleague.email).await;
    roads.join(&token).await.expect(201);
    let (at, _) = member_of(top, &stage.client, &colleague).await;

    for body in [
        json!({"valid_until": null}),
        json!({"roles": ["aims_manager", "risk_owner"]}),
        json!({"roles": ["top_management"]}),
    ] {
        judge(
            &body.to_string(),
            &patch(top, &at, body.clone()).await,
            200,
            false,
        );
    }
    patch(top, &at, json!({"valid_until": "2028-01-31"}))
        .await
        .expect(200);
}

#[actix_web::test]
async fn no_contract_begins_over_the_head_of_somebody_who_approves() {
    let roads = roads().await;
    let (stage, owner) = (&roads.stage, &roads.stage.firm.owner.api);
    let colleague = stage.firm.hire("Cleo Nord", "consultant").await;
    let list = format!("{}/engagements", roads.firm);
    let running = format!("{list}/{}", stage.client.engagement_id);
    let contract = |service: &str| -> Value {
        json!({"tenant_id": stage.client.id, "service": service, "starts_on": "2027-04-01"})
    };
    // No road leads there; should one ever, the contracts are closed.
    for (roles, until) in [
        ("top_management", "NULL"),
        ("risk_owner", "NULL"),
        ("aims_manager", "NULL"),
    ] {
        let id = force(stage, &colleague, roles, until).await;

        judge(
            roles,
            &post(owner, &list, contract("gap")).await,
            201,
            false,
        );
        judge(
            roles,
            &patch(owner, &running, json!({"ends_on": "2028-01-01"})).await,
            200,
            false,
        );
        let body = json!({"user_id": colleague.id, "role": "consultant"});
        judge(
            roles,
            &post(owner, &format!("{running}/assignments"), body).await,
            201,
            false,
        );

        let at = stage.client.path(&format!("members/{id}"));
        delete(&stage.approver.api, &at).await.expect(200);
    }
    post(owner, &list, contract("gap")).await.expect(201);
}

/// A membership that the API would not make.
async fn force(stage: &Stage<'_>, person: &Person, role: &str, until: &str) -> String {
    let db = stage.app.owner().await;
    let sql = format!(
        "INSERT INTO memberships (id, tenant_id, user_id, roles, valid_from, valid_until, created_at, updated_at) \
         VALUES (gen_random_uuid(), '{}', '{}', '{{{role}}}', '2027-01-01', {until}, now(), now()) RETURNING id::text",
        stage.client.id, person.id
    );
    db.query_one(&sql, &[]).await.unwrap().get(0)
}
