//! What removing somebody takes along: what is open for their address, and what they owned needs
//! somebody else.

use serde_json::json;

use super::{address, delete, invite, join, member_of, token_to};
use crate::contract::problems::{assert_problem, pointers};
use crate::contract::stage::{Stage, rehearsal};
use crate::support::actors::{PASSWORD, sign_in};
use crate::support::{Answer, Client};

fn assert_worthless(answer: &Answer) {
    assert_problem("an invitation of a removed person", answer, 422);
    assert_eq!(pointers(answer), ["/token"]);
}

/// The data of the newest event with this action in a chain.
async fn told(stage: &Stage<'_>, scope: uuid::Uuid, action: &str) -> serde_json::Value {
    let db = stage.app.owner().await;
    db.batch_execute(&format!("SET app.tenant_id = '{scope}'"))
        .await
        .unwrap();
    let sql = format!(
        "SELECT data FROM events WHERE tenant_id = '{scope}' AND action = '{action}' ORDER BY seq DESC LIMIT 1"
    );
    let data: String = db.query_one(&sql, &[]).await.unwrap().get(0);
    serde_json::from_str(&data).unwrap()
}

#[actix_web::test]
async fn who_is_removed_from_a_tenant_does_not_come_back_by_an_older_invitation() {
    let stage = Stage::set(rehearsal().await).await;
    let top = &stage.approver.api;
    let viewer = stage
        .client
        .staff_by(&stage.approver, "Vera Kok", &["viewer"], None)
        .await;
    let older = invite(top, &stage.client.base, &viewer.email, &["aims_manager"]).await;
    let older = older.expect(201).json();
    let token = token_to(stage.app, &viewer.email).await;
    let elsewhere = stage.firm.client("Borealis Insurance").await;
    let (at, _) = member_of(top, &stage.client, &viewer).await;
    invite(
        &stage.firm.owner.api,
        &elsewhere.base,
        &viewer.email,
        &["viewer"],
    )
    .await
    .expect(201);
    let other_place = token_to(stage.app, &viewer.email).await;

    delete(top, &at).await.expect(200);

    assert_worthless(&join(stage.app, &token).await);
    viewer.api.get(&stage.client.base, 404).await;
    let event = told(&stage, stage.client.id, "member.ended").await;
    assert_eq!(event["invitations_revoked"], json!([older["id"]]));
    let event = told(&stage, stage.client.id, "invitation.revoked").await;
    assert_eq!(event["because"], "the person was removed");
    // What is open in another place is none of this one's business; a new invitation is good.
    join(stage.app, &other_place).await.expect(201);
    invite(top, &stage.client.base, &viewer.email, &["viewer"])
        .await
        .expect(201);
    let token = token_to(stage.app, &viewer.email).await;
    join(stage.app, &token).await.expect(201);
}

#[actix_web::test]
async fn who_leaves_a_firm_does_not_come_back_by_an_older_invitation() {
    let stage = Stage::set(rehearsal().await).await;
    let base = format!("/v1/consultancies/{}", stage.firm.id);
    for by_owner in [true, false] {
        let cleo = stage.firm.hire("Cleo Nord", "consultant").await;
        let owner = &stage.firm.owner.api;
        let older = invite(owner, &base, &cleo.email, &["owner"])
            .await
            .expect(201)
            .json();
        let token = token_to(stage.app, &cleo.email).await;
        let by: &Client = if by_owner { owner } else { &cleo.api };

        delete(by, &format!("{base}/members/{}", cleo.id))
            .await
            .expect(204);

        assert_worthless(&join(stage.app, &token).await);
        let event = told(&stage, stage.firm.id, "member.ended").await;
        assert_eq!(event["invitations_revoked"], json!([older["id"]]));
    }
}

#[actix_web::test]
async fn a_removal_tells_what_the_person_owned_and_the_caller_sees() {
    let stage = Stage::set(rehearsal().await).await;
    let top = &stage.approver.api;
    let person = stage
        .client
        .staff_by(
            &stage.approver,
            "Vera Kok",
            &["system_owner", "risk_owner"],
            None,
        )
        .await;
    let author = &stage.author.api;
    let own = |title: &str| json!({"title": title, "owner_id": person.id, "due_on": "2027-06-01"});
    let list = stage.client.path("tasks");
    let open = author.post(&list, &own("Open"), 201).await;
    let done = author.post(&list, &own("Done"), 201).await;
    let at = format!("{list}/{}", done["id"].as_str().unwrap());
    author
        .transition(&at, "cancelled", Some("Not needed."), 200)
        .await;
    let archived = author.post(&list, &own("Archived"), 201).await;
    author
        .delete(&format!("{list}/{}", archived["id"].as_str().unwrap()), 204)
        .await;
    let mut secret = own("Secret");
    secret["audience"] = json!("named");
    secret["audience_people"] = json!([stage.author.id]);
    author.post(&list, &secret, 201).await;
    author
        .post(
            &list,
            &json!({"title": "Of somebody else", "due_on": "2027-06-01"}),
            201,
        )
        .await;
    let (member, _) = member_of(top, &stage.client, &person).await;

    let answer = delete(top, &member).await.expect(200).json();

    assert_eq!(answer["user_id"], json!(person.id));
    let expected =
        json!({"count": 1, "items": [{"kind": "task", "id": open["id"], "ref": open["ref"]}]});
    assert_eq!(answer["owns"], expected);
}

#[actix_web::test]
async fn the_end_of_an_assignment_tells_a_lead_what_the_consultant_owned_and_the_owner_nothing() {
    let stage = Stage::set(rehearsal().await).await;
    let lead = stage.firm.hire("Lars Holm", "lead").await;
    stage.firm.assign(&lead, &stage.client, "lead").await;
    let list = stage.client.path("tasks");
    for (by, count) in [(&lead.api, 1), (&stage.firm.owner.api, 0)] {
        let (at, assignment) = stage.assignment("Cleo Nord").await;
        let task = json!({"title": "Interview", "owner_id": assignment["user_id"], "due_on": "2027-06-01"});
        stage.author.api.post(&list, &task, 201).await;

        let answer = delete(by, &at).await.expect(200).json();

        assert_eq!(answer["owns"]["count"], count, "{answer}");
    }
}

#[actix_web::test]
async fn somebody_without_records_owns_nothing() {
    let stage = Stage::set(rehearsal().await).await;
    let email = address();
    invite(&stage.approver.api, &stage.client.base, &email, &["viewer"])
        .await
        .expect(201);
    let token = token_to(stage.app, &email).await;
    join(stage.app, &token).await.expect(201);
    let person = sign_in(stage.app, &email, PASSWORD).await;
    let (at, _) = member_of(&stage.approver.api, &stage.client, &person).await;

    let answer = delete(&stage.approver.api, &at).await.expect(200).json();

    assert_eq!(answer["owns"], json!({"count": 0, "items": []}));
}
