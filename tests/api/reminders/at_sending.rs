//! Recipients, rights, stage and text are judged when a mail is sent, however long it has waited.

use serde_json::json;

use super::{LATER, Place, Rehearsal};
use crate::support::Person;
use crate::what_is_left::excuse;

/// What happens while a mail waits, and what the ledger then says of it.
const REASONS: [(&str, &str); 18] = [
    ("the record is closed", "met or moved"),
    ("the record is archived", "met or moved"),
    ("the date moves", "met or moved"),
    ("the recipient is removed", "recipient has left"),
    ("their last day passes", "recipient has left"),
    ("their account is disabled", "recipient has left"),
    ("they leave the firm", "recipient has left"),
    ("the engagement ends", "recipient has left"),
    ("they switch mails off", "mail switched off"),
    ("it becomes somebody else's", "no longer responsible"),
    ("they lose the role", "no longer responsible"),
    ("an heir is found", "no longer responsible"),
    ("who was named is not the owner", "no longer responsible"),
    ("the warning days change", "the warning days have changed"),
    ("the next day comes", "a later reminder has taken its place"),
    ("the client is paused", "the organisation is paused"),
    ("the client is archived", "the organisation is archived"),
    ("it was given up elsewhere", "the mail could not be delivered"),
];

impl Place<'_> {
    /// A risk to be reviewed on 1 March whose reminder waits, and the person it waits for.
    async fn something_waits(&self, what: &str) -> (String, &Person) {
        let risk = self.risk_to_review("While it waits", "2027-03-01").await;
        let recipient = match what {
            "they leave the firm" | "the engagement ends" => &self.consultant,
            "they lose the role" | "an heir is found" => &self.manager,
            _ => &self.risk_owner,
        };
        if recipient.id != self.risk_owner.id {
            let nobodys = what == "they lose the role";
            let owner = (!nobodys).then_some(recipient.id);
            self.change(&risk, json!({"owner_id": owner})).await;
        }
        if what == "an heir is found" {
            // The owner has mails off, so that the manager stands in.
            self.change(&risk, json!({"owner_id": self.risk_owner.id})).await;
            self.wants_mail(&self.risk_owner, false).await;
        }
        self.rehearsal.sink.script(&recipient.email, &[LATER]);
        (risk, recipient)
    }

    async fn wants_mail(&self, person: &Person, wants: bool) {
        let own = self.rehearsal.again(person).await;
        own.patch("/v1/me", &json!({"notify_by_mail": wants}), 200)
            .await;
    }

    async fn happens(&self, what: &str, risk: &str, recipient: &Person) {
        let boss = self.rehearsal.again(&self.client.firm_owner).await;
        let manager = self.rehearsal.again(&self.manager).await;
        let db = self.rehearsal.app.owner().await;
        let firm = format!("/v1/consultancies/{}", self.firm_id);
        match what {
            "the record is closed" => {
                manager.transition(risk, "closed", Some("Done"), 200).await;
            }
            "the record is archived" => {
                let sql = "UPDATE records SET archived_at = now() WHERE id::text = $1";
                let scope = format!("SET app.tenant_id = '{}'", self.client.id);
                db.batch_execute(&scope).await.unwrap();
                let id = risk.rsplit('/').next().unwrap();
                assert_eq!(db.execute(sql, &[&id]).await.unwrap(), 1);
            }
            "the date moves" => {
                self.change(risk, json!({"next_review_on": "2027-09-01"}))
                    .await;
            }
            "the recipient is removed" => self.leaves(recipient).await,
            "their last day passes" => {
                self.change_member(recipient, json!({"valid_until": "2027-02-22"}))
                    .await;
            }
            "their account is disabled" => {
                let sql = "UPDATE users SET disabled_at = now() WHERE email = $1";
                assert_eq!(db.execute(sql, &[&recipient.email]).await.unwrap(), 1);
            }
            "they leave the firm" => {
                boss.delete(&format!("{firm}/members/{}", recipient.id), 204)
                    .await;
            }
            "the engagement ends" => {
                let path = format!("{firm}/engagements/{}", self.client.engagement_id);
                boss.patch(&path, &json!({"ends_on": "2027-02-22"}), 200)
                    .await;
            }
            "they switch mails off" => {
                self.wants_mail(recipient, false).await;
            }
            "an heir is found" => self.wants_mail(&self.risk_owner, true).await,
            "who was named is not the owner" => {
                self.change(risk, json!({"owner_id": null})).await;
            }
            "the warning days change" => {
                let path = self.client.path("settings");
                manager
                    .patch(&path, &json!({"warning_days": [6, 0]}), 200)
                    .await;
            }
            "the next day comes" => {
                let path = self.client.path("settings");
                let days = json!({"warning_days": [7, 6, 0]});
                manager.patch(&path, &days, 200).await;
            }
            "it becomes somebody else's" => {
                self.change(risk, json!({"owner_id": self.manager.id}))
                    .await;
            }
            "they lose the role" => {
                self.change_member(recipient, json!({"roles": ["viewer"]}))
                    .await;
            }
            "the client is paused" => {
                boss.patch(&self.client.base, &json!({"stage": "paused"}), 200)
                    .await;
            }
            "the client is archived" => {
                boss.patch(&self.client.base, &json!({"stage": "archived"}), 200)
                    .await;
            }
            _ => {
                let scope = format!("SET app.tenant_id = '{}'", self.client.id);
                db.batch_execute(&scope).await.unwrap();
                let sql = "UPDATE reminders SET state = 'cancelled', reason = 'the mail could not be delivered'";
                assert_eq!(db.execute(sql, &[]).await.unwrap(), 1);
            }
        }
    }
}

#[actix_web::test]
async fn every_reason_not_to_send_cancels_a_mail_that_waits() {
    let rehearsal = Rehearsal::start("reasons");
    // One record is archived behind the program's back.
    excuse(&rehearsal.app.database, "deadlines");
    rehearsal.at("2027-02-16T09:00:00Z").await;
    let mut places = Vec::new();
    for (what, reason) in REASONS {
        places.push((what, reason, Place::open(&rehearsal).await));
    }
    let mut waiting = Vec::new();
    for (what, reason, place) in &places {
        let (risk, recipient) = place.something_waits(what).await;
        waiting.push((what, reason, place, risk, recipient));
    }
    rehearsal.at("2027-02-22T08:00:00Z").await;
    for (what, _, place, risk, recipient) in &waiting {
        let own = place.ledger_of(recipient).await;
        assert_eq!(own, ["2027-03-01 7 planned"], "{what}");
        place.happens(what, risk, recipient).await;
    }

    rehearsal.at("2027-02-23T12:00:00Z").await;

    let db = rehearsal.app.owner().await;
    for (what, reason, place, _, recipient) in &waiting {
        let own = place.ledger_of(recipient).await;
        assert_eq!(own[0], format!("2027-03-01 7 cancelled: {reason}"), "{what}");
        // The sixth day before has come meanwhile.
        let next = ["the warning days change", "the next day comes"].contains(what);
        assert_eq!(own.len(), 1 + usize::from(next), "{what}: {own:?}");
        assert_eq!(rehearsal.told(recipient).len(), usize::from(next), "{what}");
        let sql = "SELECT state FROM outbox WHERE recipient = $1 AND reminder_id IS NOT NULL ORDER BY id LIMIT 1";
        let states = db.query(sql, &[&recipient.email]).await.unwrap();
        let states: Vec<String> = states.iter().map(|row| row.get(0)).collect();
        assert_eq!(states, ["cancelled"], "{what}");
    }
}

#[actix_web::test]
async fn a_mail_that_waits_too_long_makes_room_for_the_next() {
    let rehearsal = Rehearsal::start("overtaken");
    rehearsal.at("2027-02-16T09:00:00Z").await;
    let place = Place::open(&rehearsal).await;
    place.risk_to_review("Slow", "2027-03-01").await;
    rehearsal.sink.script(&place.risk_owner.email, &[LATER]);
    rehearsal.at("2027-02-22T08:00:00Z").await;

    rehearsal.at("2027-02-28T08:00:00Z").await;

    assert_eq!(
        place.ledger_of(&place.risk_owner).await,
        [
            "2027-03-01 7 cancelled: a later reminder has taken its place",
            "2027-03-01 1 sent"
        ]
    );
    let said = ["Review of RSK-001 is due tomorrow"];
    assert_eq!(rehearsal.told(&place.risk_owner), said);
}

#[actix_web::test]
async fn a_mail_says_what_is_true_when_it_goes() {
    let rehearsal = Rehearsal::start("late_text");
    rehearsal.at("2027-02-01T09:00:00Z").await;
    let place = Place::open(&rehearsal).await;
    let risk = place.risk_to_review("In old words", "2027-03-01").await;
    rehearsal.sink.script(&place.risk_owner.email, &[LATER]);
    rehearsal.at("2027-02-15T08:00:00Z").await;
    place.change(&risk, json!({"title": "In new words"})).await;

    rehearsal.at("2027-02-17T08:00:00Z").await;

    let mails = rehearsal.mails_to(&place.risk_owner);
    let subjects: Vec<_> = mails.iter().map(|mail| mail.subject()).collect();
    assert_eq!(
        subjects,
        ["Review of RSK-001 is due in 12 days: In new words"]
    );
    assert!(!mails[0].text().contains("In old words"));
}

#[actix_web::test]
async fn who_may_not_read_a_record_is_not_told_its_title() {
    let rehearsal = Rehearsal::start("untold");
    rehearsal.at("2027-02-16T09:00:00Z").await;
    let place = Place::open(&rehearsal).await;
    let risk = place
        .risk_to_review("Secret of the board", "2027-03-01")
        .await;
    // The AIMS manager is told of what nobody owns; this one is for top management alone.
    place
        .change(
            &risk,
            json!({"owner_id": null, "audience": "named", "audience_roles": ["top_management"]}),
        )
        .await;

    rehearsal.at("2027-02-22T12:00:00Z").await;

    let mails = rehearsal.mails_to(&place.manager);
    let subjects: Vec<_> = mails.iter().map(|mail| mail.subject()).collect();
    assert_eq!(subjects, ["Review of RSK-001 is due in 7 days"]);
    let raw = String::from_utf8_lossy(&mails[0].raw).into_owned();
    assert!(!raw.contains("Secret"), "{raw}");
    assert!(!mails[0].text().contains("/open#"));
}
