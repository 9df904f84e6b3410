//! Where nobody responsible can be reached, somebody else is told, and is told why.

use serde_json::json;

use super::{Place, Rehearsal};

/// How the owner of a risk gets out of reach.
const WAYS: [&str; 4] = [
    "the membership ends",
    "its last day passes",
    "mails are switched off",
    "the account is disabled",
];

impl Place<'_> {
    async fn owner_is_lost(&self, way: &str) {
        let owner = &self.risk_owner;
        match way {
            "the membership ends" => self.leaves(owner).await,
            "its last day passes" => {
                self.change_member(owner, json!({"valid_until": "2027-02-20"}))
                    .await;
            }
            "mails are switched off" => {
                let own = self.rehearsal.again(owner).await;
                own.patch("/v1/me", &json!({"notify_by_mail": false}), 200)
                    .await;
            }
            _ => {
                let db = self.rehearsal.app.owner().await;
                let sql = "UPDATE users SET disabled_at = now() WHERE email = $1";
                assert_eq!(db.execute(sql, &[&owner.email]).await.unwrap(), 1);
            }
        }
    }
}

#[actix_web::test]
async fn the_manager_stands_in_for_an_owner_who_cannot_be_reached_and_then_top_management() {
    let rehearsal = Rehearsal::start("nobody_left");
    rehearsal.at("2027-02-16T09:00:00Z").await;
    let mut places = Vec::new();
    for way in WAYS {
        let place = Place::open(&rehearsal).await;
        place.risk_to_review("Whose is it?", "2027-03-01").await;
        place.owner_is_lost(way).await;
        let top = place.client.staff("Tess de Wit", &["top_management"]).await;
        places.push((way, place, top));
    }

    rehearsal.at("2027-02-22T08:00:00Z").await;

    for (way, place, top) in &places {
        assert_eq!(rehearsal.told(&place.risk_owner), [""; 0], "{way}");
        assert_eq!(rehearsal.told(top), [""; 0], "{way}");
        let said = ["Review of RSK-001 is due in 7 days"];
        assert_eq!(rehearsal.told(&place.manager), said, "{way}");
        let text = rehearsal.mails_to(&place.manager)[0].text();
        assert!(text.contains("nobody who is responsible"), "{way} {text}");
        let manager = rehearsal.again(&place.manager).await;
        let ledger = manager.get(&place.client.path("reminders"), 200).await;
        assert_eq!(ledger["items"][0]["why"], "nobody_left", "{way}");
        assert_eq!(ledger["items"][0]["recipient_id"], json!(place.manager.id));
        place.removed_by(top, &place.manager).await;
    }

    rehearsal.at("2027-02-28T08:00:00Z").await;

    for (way, _, top) in &places {
        let said = ["Review of RSK-001 is due tomorrow"];
        assert_eq!(rehearsal.told(top), said, "{way}");
    }
}
