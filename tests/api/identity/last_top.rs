//! An organisation keeps its top management: the last person stays until somebody else is it.

use futures_util::future::join;
use serde_json::json;

use super::{delete, member_of, patch};
use crate::contract::problems::assert_problem;
use crate::contract::stage::{Stage, rehearsal, rehearsal_of, set_clock};
use crate::support::actors::{PASSWORD, sign_in};
use crate::support::{Answer, Setup};

#[track_caller]
fn assert_stays(what: &str, answer: &Answer) {
    assert_problem(what, answer, 409);
    assert!(answer.text.contains("top management"), "{}", answer.text);
}

#[actix_web::test]
async fn the_last_person_of_top_management_stays_by_every_door() {
    let stage = Stage::set(rehearsal().await).await;
    let top = &stage.approver.api;
    let (at, before) = member_of(top, &stage.client, &stage.approver).await;
    let events = stage.events().await;

    for body in [
        json!({"roles": ["viewer"]}),
        json!({"roles": ["risk_owner", "aims_manager"]}),
        json!({"valid_until": "2027-03-15"}),
        json!({"valid_until": "2199-12-31"}),
        json!({"roles": ["viewer"], "valid_until": "2027-12-31"}),
    ] {
        assert_stays(&body.to_string(), &patch(top, &at, body.clone()).await);
    }
    assert_stays("leaves", &delete(top, &at).await);

    assert_eq!(
        member_of(top, &stage.client, &stage.approver).await.1,
        before
    );
    assert_eq!(stage.events().await, events);
    let more = json!({"roles": ["top_management", "process_owner"]});
    patch(top, &at, more).await.expect(200);
}

#[actix_web::test]
async fn once_somebody_else_is_top_management_one_may_go() {
    let stage = Stage::set(rehearsal().await).await;
    let top = &stage.approver;
    let second = stage
        .client
        .staff_by(top, "Tora Topp", &["top_management"], None)
        .await;
    let (mine, _) = member_of(&top.api, &stage.client, top).await;
    let (theirs, _) = member_of(&top.api, &stage.client, &second).await;

    patch(&top.api, &mine, json!({"roles": ["risk_owner"]}))
        .await
        .expect(200);

    assert_stays("the other one", &delete(&second.api, &theirs).await);
    patch(&second.api, &mine, json!({"roles": ["top_management"]}))
        .await
        .expect(200);
    delete(&second.api, &theirs).await.expect(200);
}

#[actix_web::test]
async fn who_is_top_management_for_a_time_does_not_replace_who_is_it_for_good() {
    let app = rehearsal_of(Setup::named("interim_top")).await;
    let stage = Stage::set(&app).await;
    let top = &stage.approver;
    let until = Some("2027-03-20");
    let interim = stage
        .client
        .staff_by(top, "Inge Interim", &["top_management"], until)
        .await;
    let (mine, _) = member_of(&top.api, &stage.client, top).await;

    assert_stays("leaves to an interim", &delete(&top.api, &mine).await);
    let day_more = json!({"valid_until": "2027-03-21"});
    assert_stays(
        "stays a day longer",
        &patch(&top.api, &mine, day_more).await,
    );

    let (theirs, _) = member_of(&top.api, &stage.client, &interim).await;
    delete(&top.api, &theirs).await.expect(200);
    let again = stage
        .client
        .staff_by(top, "Ingrid Interim", &["top_management"], until)
        .await;
    // Whose time is over does not count.
    set_clock(&app, "2027-03-21T08:00:00Z").await;
    let top = sign_in(&app, &top.email, PASSWORD).await;
    let (_, seen) = member_of(&top.api, &stage.client, &again).await;
    assert_eq!(seen["state"], "ended");
    assert_stays("leaves to nobody", &delete(&top.api, &mine).await);
}

#[actix_web::test]
async fn of_two_who_leave_at_once_one_stays() {
    let stage = Stage::set(rehearsal().await).await;
    let top = &stage.approver;
    let second = stage
        .client
        .staff_by(top, "Tora Topp", &["top_management"], None)
        .await;
    let (mine, _) = member_of(&top.api, &stage.client, top).await;
    let (theirs, _) = member_of(&top.api, &stage.client, &second).await;

    let (one, other) = join(delete(&top.api, &mine), delete(&second.api, &theirs)).await;

    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409], "{} {}", one.text, other.text);
}
