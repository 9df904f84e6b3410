//! Nobody's flood of reminders keeps others waiting.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{Place, Rehearsal, eventually, set_clock};

/// Mails of one flood.
const FLOOD: usize = 8_000;
/// What an invitation may wait on a busy machine, while each mail takes [`PACE`].
const PATIENCE: Duration = Duration::from_secs(15);
/// What a mail takes at the mail server; eight are on the wire at once.
const PACE: Duration = Duration::from_millis(20);
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
    rehearsal.sink.take_time(PACE);
    let before = rehearsal.sink.received().len();
    let anybody = rehearsal.app.anonymous();
    tokio::spawn(async move { set_clock(&anybody, "2027-02-22T08:00:00Z").await });
    eventually("the flood runs", Duration::from_secs(60), async || {
        rehearsal.sink.received().len() > before + 20
    })
    .await;

    let boss = rehearsal.again(&other.client.firm_owner).await;
    let invitation = json!({"email": "waits@example.org", "roles": ["viewer"]});
    let path = other.client.path("invitations");
    boss.post(&path, &invitation, 201).await;
    let invited = rehearsal.sink.received().len() - before;
    let asked = Instant::now();
    let place_of = |address: &str| {
        let mails = rehearsal.sink.received().split_off(before);
        mails.iter().position(|mail| mail.to.contains(&address.to_owned()))
    };
    for address in ["waits@example.org", &other.risk_owner.email] {
        eventually("the mails of others come", Duration::from_secs(60), async || {
            place_of(address).is_some()
        })
        .await;
    }

    let took = asked.elapsed();
    assert!(took < PATIENCE, "{took:?}");
    let waited = place_of("waits@example.org").unwrap().saturating_sub(invited);
    assert!(waited <= CLAIMED + 16, "{waited} mails went before it");
    let waited = place_of(&other.risk_owner.email).unwrap();
    assert!(waited <= 2 * CLAIMED, "{waited} mails went before it");
    let queued = "SELECT count(*) FROM outbox WHERE state = 'queued'";
    let queued: i64 = db.query_one(queued, &[]).await.unwrap().get(0);
    println!("waited {took:?}, {queued} of the flood still wait");
    assert!(queued > 0, "there was no flood any more");
}
