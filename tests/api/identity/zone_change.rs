//! Correcting a client's time zone shuts nobody out: what has begun has begun.

use serde_json::json;

use super::{member_of, patch};
use crate::contract::stage::{rehearsal_of, set_clock};
use crate::support::actors::id_in;
use crate::support::{Firm, Setup, TenantWorld};

#[actix_web::test]
async fn who_joined_in_a_zone_where_it_is_tomorrow_stays_when_it_is_corrected() {
    let app = &rehearsal_of(Setup::named("zone_corrected")).await;
    // Tuesday in Auckland, Monday in Amsterdam and Honolulu.
    set_clock(app, "2027-03-15T14:00:00Z").await;
    let firm = Firm::sign_up(app, "Fjordlys Advisory").await;
    let body =
        json!({"consultancy_id": firm.id, "name": "Aurelia", "time_zone": "Pacific/Auckland"});
    let made = firm.owner.api.post("/v1/tenants", &body, 201).await;
    let id = id_in(&made, "id");
    let client = TenantWorld {
        app,
        id,
        engagement_id: id_in(&made, "engagement_id"),
        base: format!("/v1/tenants/{id}"),
        firm_owner: firm.owner.clone(),
    };
    let lead = firm.hire("Lars Holm", "lead").await;
    firm.assign(&lead, &client, "lead").await;
    let later = firm.hire("Cleo Nord", "consultant").await;
    let path = format!(
        "/v1/consultancies/{}/engagements/{}/assignments",
        firm.id, client.engagement_id
    );
    let body = json!({"user_id": later.id, "role": "consultant", "valid_from": "2027-03-17"});
    firm.owner.api.post(&path, &body, 201).await;
    let top = client.staff("Ana Gomez", &["top_management"]).await;

    for zone in ["Europe/Amsterdam", "Pacific/Honolulu", "Pacific/Auckland"] {
        patch(&top.api, &client.base, json!({"time_zone": zone}))
            .await
            .expect(200);

        for person in [&top, &lead] {
            person.api.get(&client.path("risks"), 200).await;
            let (_, seen) = member_of(&top.api, &client, person).await;
            assert_eq!(seen["state"], "holds", "{zone}: {seen}");
        }
        later.api.get(&client.base, 404).await;
        let (_, seen) = member_of(&top.api, &client, &later).await;
        assert_eq!(
            (&seen["state"], &seen["valid_from"]),
            (&json!("not_yet"), &json!("2027-03-17"))
        );
    }
    let told = "action IN ('member.updated', 'engagement.updated')";
    assert_eq!(app.count(client.id, "events", told).await, 3);
}
