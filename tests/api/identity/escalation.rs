//! Nobody gives what they do not have.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::contract::problems::{assert_problem, pointers};
use crate::contract::stage::{Stage, rehearsal};
use crate::support::{Answer, Client, Firm, Person, Setup, app};

/// Roles that a consultancy cannot give once its client has a top management.
const RESERVED: &[&str] = &["top_management", "aims_manager", "risk_owner"];

fn invitation(roles: &[&str], valid_until: Option<&str>) -> Value {
    let email = format!("{}@example.org", Uuid::now_v7().simple());
    json!({"email": email, "roles": roles, "valid_until": valid_until})
}

async fn invite(
    stage: &Stage<'_>,
    inviter: &Client,
    roles: &[&str],
    until: Option<&str>,
) -> Answer {
    let body = invitation(roles, until).to_string();
    inviter
        .send(
            Method::POST,
            &stage.client.path("invitations"),
            &[],
            Some(body),
        )
        .await
}

/// Address of a person's membership.
async fn member(stage: &Stage<'_>, person: &Person) -> String {
    let list = stage.client.path("members");
    let members = stage.approver.api.get(&list, 200).await;
    let items = members["items"].as_array().unwrap();
    let found = items
        .iter()
        .find(|item| item["user_id"] == json!(person.id))
        .unwrap();
    format!("{list}/{}", found["id"].as_str().unwrap())
}

async fn change(client: &Client, at: &str, body: Value) -> Answer {
    client
        .send(
            Method::PATCH,
            at,
            &[("If-Match", "*")],
            Some(body.to_string()),
        )
        .await
}

async fn remove(client: &Client, at: &str) -> Answer {
    client
        .send(Method::DELETE, at, &[("If-Match", "*")], None)
        .await
}

#[actix_web::test]
async fn the_aims_manager_cannot_make_or_unmake_top_management() {
    let stage = Stage::set(rehearsal().await).await;
    let manager = &stage.author.api;
    let viewer = stage
        .client
        .staff_by(&stage.approver, "Vera Kok", &["viewer"], None)
        .await;
    let (viewer, top) = (
        member(&stage, &viewer).await,
        member(&stage, &stage.approver).await,
    );
    let own = member(&stage, &stage.author).await;
    let before = stage.events().await;

    for roles in [&["top_management"][..], &["viewer", "top_management"]] {
        assert_problem("invites", &invite(&stage, manager, roles, None).await, 403);
    }
    for at in [&viewer, &own] {
        let answer = change(manager, at, json!({"roles": ["top_management"]})).await;
        assert_problem("promotes", &answer, 403);
    }
    for body in [
        json!({"roles": ["viewer"]}),
        json!({"valid_until": "2027-12-31"}),
    ] {
        assert_problem("demotes", &change(manager, &top, body).await, 403);
    }
    assert_problem("removes", &remove(manager, &top).await, 403);

    assert_eq!(stage.events().await, before);
    let answer = change(manager, &viewer, json!({"roles": ["process_owner"]})).await;
    assert_eq!(answer.expect(200).json()["roles"], json!(["process_owner"]));
}

#[actix_web::test]
async fn those_without_a_say_invite_and_promote_nobody() {
    let stage = Stage::set(rehearsal().await).await;
    let mut people = Vec::new();
    for role in [
        "viewer",
        "employee",
        "risk_owner",
        "system_owner",
        "process_owner",
        "overseer",
        "internal_auditor",
    ] {
        people.push(
            stage
                .client
                .staff_by(&stage.approver, role, &[role], None)
                .await,
        );
    }
    people.push(
        stage
            .client
            .staff_by(
                &stage.approver,
                "Eli",
                &["external_auditor"],
                Some("2027-12-31"),
            )
            .await,
    );
    let consultant = stage.firm.hire("Cleo Nord", "consultant").await;
    stage
        .firm
        .assign(&consultant, &stage.client, "consultant")
        .await;
    people.push(consultant);
    let before = stage.events().await;

    for person in &people {
        let name = &person.name;
        assert_problem(
            name,
            &invite(&stage, &person.api, &["viewer"], None).await,
            403,
        );
        let own = member(&stage, person).await;
        assert_problem(
            name,
            &change(&person.api, &own, json!({"roles": ["aims_manager"]})).await,
            403,
        );
        let open = person
            .api
            .send(Method::GET, &stage.client.path("invitations"), &[], None)
            .await;
        assert_problem(name, &open, 403);
    }

    assert_eq!(stage.events().await, before);
}

#[actix_web::test]
async fn the_consultancy_gives_no_approving_role_once_there_is_a_top_management() {
    let stage = Stage::set(rehearsal().await).await;
    let lead = stage.firm.hire("Lars Holm", "lead").await;
    stage.firm.assign(&lead, &stage.client, "lead").await;

    for inviter in [&stage.firm.owner.api, &lead.api] {
        for role in RESERVED {
            assert_problem(role, &invite(&stage, inviter, &[role], None).await, 403);
        }
        invite(&stage, inviter, &["employee"], None)
            .await
            .expect(201);
    }
    let own = member(&stage, &lead).await;
    let answer = change(
        &stage.approver.api,
        &own,
        json!({"roles": ["top_management"]}),
    )
    .await;
    assert_problem("a consultant's membership", &answer, 409);
}

#[actix_web::test]
async fn nobody_of_the_consultancy_approves_for_its_client() {
    let stage = Stage::set(rehearsal().await).await;
    let lead = stage.firm.hire("Lars Holm", "lead").await;
    let body = json!({"email": lead.email, "roles": ["top_management"]}).to_string();

    let path = stage.client.path("invitations");
    let answer = stage
        .approver
        .api
        .send(Method::POST, &path, &[], Some(body))
        .await;

    assert_problem("a consultant as top management", &answer, 409);
    assert_eq!(answer.rule().as_deref(), Some("GEN-1"));
    lead.api.get(&stage.client.base, 404).await;
}

#[actix_web::test]
async fn roles_go_together_with_how_they_are_given() {
    let stage = Stage::set(rehearsal().await).await;
    for (roles, until, pointer) in [
        (&["external_auditor"][..], None, "/valid_until"),
        (&["external_auditor"], Some("2027-03-14"), "/valid_until"),
        (&["viewer"], Some("2020-01-01"), "/valid_until"),
        (&["lead"], None, "/roles"),
        (&["viewer", "consultant"], None, "/roles"),
        (&[], None, "/roles"),
        (&["owner"], None, "/roles/0"),
        (&["Top_Management"], None, "/roles/0"),
    ] {
        let answer = invite(&stage, &stage.approver.api, roles, until).await;
        assert_problem(&format!("{roles:?}"), &answer, 422);
        assert_eq!(pointers(&answer), [pointer], "{roles:?}");
    }
    let auditor = stage
        .client
        .staff_by(
            &stage.approver,
            "Eli",
            &["external_auditor"],
            Some("2027-12-31"),
        )
        .await;
    let at = member(&stage, &auditor).await;
    let answer = change(&stage.approver.api, &at, json!({"valid_until": null})).await;
    assert_problem("an auditor for ever", &answer, 422);
}

#[actix_web::test]
async fn a_firm_is_run_by_its_owners() {
    let firm = Firm::sign_up(app(), "Fjordlys Advisory").await;
    let lead = firm.hire("Lars Holm", "lead").await;
    let consultant = firm.hire("Cleo Nord", "consultant").await;
    let stranger = Firm::sign_up(app(), "Nordlys Advisory").await.owner;
    let client = firm.client("Aurelia Lending B.V.").await;
    let base = format!("/v1/consultancies/{}", firm.id);
    let assignments = format!("{base}/engagements/{}/assignments", client.engagement_id);

    for (person, status) in [(&lead, 403), (&consultant, 403), (&stranger, 404)] {
        let email = format!("{}@example.org", Uuid::now_v7().simple());
        person
            .api
            .post(
                &format!("{base}/invitations"),
                &json!({"email": email, "roles": ["owner"]}),
                status,
            )
            .await;
        let engagement =
            json!({"tenant_id": client.id, "service": "gap", "starts_on": "2027-01-11"});
        person
            .api
            .post(&format!("{base}/engagements"), &engagement, status)
            .await;
        let at = format!("{base}/members/{}", firm.owner.id);
        let answer = person.api.send(Method::DELETE, &at, &[], None).await;
        assert_problem(&person.name, &answer, status);
    }
    for person in [&lead, &consultant, &stranger] {
        let body = json!({"user_id": person.id, "role": "lead"});
        person.api.post(&assignments, &body, 404).await;
        person.api.get(&client.base, 404).await;
    }
    let foreign = json!({"user_id": stranger.id, "role": "consultant"});
    firm.owner.api.post(&assignments, &foreign, 422).await;
}

#[actix_web::test]
async fn the_last_owner_of_a_firm_cannot_be_removed() {
    let firm = Firm::sign_up(app(), "Fjordlys Advisory").await;
    let at = |person: &Person| format!("/v1/consultancies/{}/members/{}", firm.id, person.id);
    let remove = |client: &Client, path: String| {
        let client = client.clone();
        async move { client.send(Method::DELETE, &path, &[], None).await }
    };

    assert_problem(
        "the last one",
        &remove(&firm.owner.api, at(&firm.owner)).await,
        409,
    );
    let second = firm.hire("Sofia Lund", "owner").await;
    remove(&second.api, at(&firm.owner)).await.expect(204);

    assert_problem(
        "who is out",
        &remove(&firm.owner.api, at(&second)).await,
        404,
    );
    assert_problem(
        "the last one again",
        &remove(&second.api, at(&second)).await,
        409,
    );
}

#[actix_web::test]
async fn nobody_signs_up_where_that_is_closed() {
    let server = Setup::named("signup_closed")
        .env("SIGNUP", "closed")
        .start();
    let owner = json!({"name": "Astrid Fjord", "email": "astrid@example.org", "password": crate::support::actors::PASSWORD});
    let body = json!({"name": "Fjordlys Advisory", "owner": owner}).to_string();

    let answer = server
        .anonymous()
        .send(Method::POST, "/v1/consultancies", &[], Some(body))
        .await;

    assert_problem("sign-up", &answer, 403);
    let db = server.owner().await;
    let firms: i64 = db
        .query_one("SELECT count(*) FROM consultancies", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(firms, 0);
}
