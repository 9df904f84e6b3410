//! A client is silent when its people do nothing, however many reminders go out.

use serde_json::json;

use super::{Place, Rehearsal};

#[actix_web::test]
async fn reminders_are_no_activity() {
    let rehearsal = Rehearsal::start("silence");
    rehearsal.at("2027-01-11T09:00:00Z").await;
    let place = Place::open(&rehearsal).await;
    let risk = place.risk_to_review("Quiet", "2027-03-01").await;
    let row = async || {
        let boss = rehearsal.again(&place.client.firm_owner).await;
        let path = format!("/v1/consultancies/{}/portfolio", place.firm_id);
        boss.get(&path, 200).await["items"][0].clone()
    };
    assert_eq!(row().await["silent"], false);

    rehearsal.at("2027-02-16T12:00:00Z").await;
    assert_eq!(rehearsal.told(&place.risk_owner).len(), 1);
    let quiet = row().await;
    place.change(&risk, json!({"title": "Not quiet"})).await;
    let loud = row().await;

    assert_eq!(quiet["silent"], true, "{quiet}");
    let last = quiet["last_activity_at"].as_str().unwrap();
    assert!(last.starts_with("2027-01-11T"), "{last}");
    assert_eq!(loud["silent"], false, "{loud}");
}
