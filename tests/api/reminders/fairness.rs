//! Nobody's flood of reminders keeps others waiting.

use std::time::Duration;

use serde_json::json;

use super::{Place, Rehearsal, eventually, set_clock};

/// Mails of one flood.
const FLOOD: usize = 800;
/// Mails that may have been claimed already when another comes: two batches.
const CLAIMED: usize = 200;

#[actix_web::test]
async fn invitations_and_other_clients_do_not_wait_for_a_flood() {
    let rehearsal = Rehearsal::start("fairness");
    rehearsal.at("2027-02-16T09:00:00Z").await;
    let flooded = Place::open(&rehearsal).await;
    let other = Place::open(&rehearsal).await;
    let record = flooded.risk_to_review("Flood", "2030-01-01").await;
    let (tenant, record) = (flooded.client.id, record.rsplit('/').next().unwrap());
    let db = rehearsal.app.owner().await;
    db.batch_execute(&format!(
        "SET app.tenant_id = '{tenant}';
         INSERT INTO deadlines (tenant_id, record_id, name, due_on, set_on, person_id, roles)
           SELECT '{tenant}', '{record}', 'task_' || n, '2027-03-01', '2027-02-16', '{}', '{{}}'
             FROM generate_series(1, {FLOOD}) n",
        flooded.risk_owner.id
    ))
    .await
    .unwrap();
    other.risk_to_review("One", "2027-03-01").await;
    rehearsal.sink.take_time(Duration::from_millis(30));
    let before = rehearsal.sink.received().len();
    let anybody = rehearsal.app.anonymous();
    let day = tokio::spawn(async move { set_clock(&anybody, "2027-02-22T08:00:00Z").await });
    eventually("the flood runs", Duration::from_secs(60), async || {
        rehearsal.sink.received().len() > before + 20
    })
    .await;

    let boss = rehearsal.again(&other.client.firm_owner).await;
    let invitation = json!({"email": "waits@example.org", "roles": ["viewer"]});
    let path = other.client.path("invitations");
    boss.post(&path, &invitation, 201).await;
    let invited = rehearsal.sink.received().len() - before;
    day.await.unwrap();

    let mails = rehearsal.sink.received().split_off(before);
    let place_of = |address: &str| {
        let found = mails.iter().position(|mail| mail.to.contains(&address.to_owned()));
        found.unwrap_or_else(|| panic!("no mail to {address}"))
    };
    assert_eq!(mails.len(), FLOOD + 2);
    let waited = place_of("waits@example.org").saturating_sub(invited);
    assert!(waited <= CLAIMED + 16, "{waited} mails went before it");
    let waited = place_of(&other.risk_owner.email);
    assert!(waited <= 2 * CLAIMED, "{waited} mails went before it");
}
