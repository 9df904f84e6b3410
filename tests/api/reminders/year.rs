//! A year of one tenant, rehearsed day by day: every mail that goes out, in order.

use std::collections::HashSet;

use chrono::{Days, NaiveDate, TimeZone};
use chrono_tz::Europe::Amsterdam;
use mail_parser::MimeHeaders;
use serde_json::json;

use super::smtp_sink::Received;
use super::{Place, Rehearsal};
use crate::kinds::example;
use crate::support::Person;

/// What people do in that year.
struct Year<'a> {
    place: Place<'a>,
    top: Person,
    review: String,
    treated: String,
    treatment: String,
    retained: String,
    acceptance: String,
}

#[actix_web::test]
async fn everybody_is_reminded_of_everything_once_and_of_nothing_that_is_done() {
    let rehearsal = Rehearsal::start("year");
    rehearsal.at("2027-01-11T09:00:00+01:00").await;
    let year = Year::begin(&rehearsal).await;

    let first: NaiveDate = "2027-01-12".parse().unwrap();
    for on in first
        .iter_days()
        .take_while(|on| *on < first + Days::new(365))
    {
        let local = Amsterdam.from_local_datetime(&on.and_hms_opt(8, 5, 0).unwrap());
        rehearsal.at(&local.unwrap().to_rfc3339()).await;
        year.live(on).await;
    }

    let mails = rehearsal.sink.reminders();
    for mail in &mails {
        is_in_order(mail);
    }
    let mut lines: Vec<_> = mails.iter().map(line).collect();
    // Mails of one moment go out side by side.
    lines.sort();
    insta::assert_snapshot!("year", lines.concat());
    insta::assert_snapshot!("year_first_text", without_ids(&year, &mails[0].text()));
    insta::assert_snapshot!("year_first_html", without_ids(&year, &mails[0].html()));
    let ids: HashSet<_> = mails.iter().map(Received::message_id).collect();
    assert_eq!(ids.len(), mails.len());
    let ledger = year.place.ledger().await;
    assert_eq!(ledger.len(), mails.len());
    assert!(
        ledger.iter().all(|entry| entry.state == "sent"),
        "{ledger:#?}"
    );
    year.is_over(&rehearsal).await;
}

impl<'a> Year<'a> {
    /// January: criteria, two risks, a treatment, an acceptance and a planned review.
    async fn begin(rehearsal: &'a Rehearsal) -> Year<'a> {
        let place = Place::open(rehearsal).await;
        let top = place.client.staff("Tess de Wit", &["top_management"]).await;
        let by = &place.consultant.api;
        let address = |path: &str, made: &serde_json::Value| {
            format!(
                "{}/{path}/{}",
                place.client.base,
                made["id"].as_str().unwrap()
            )
        };
        let make = async |path: &str, body: serde_json::Value| {
            address(path, &by.post(&place.client.path(path), &body, 201).await)
        };
        let criteria = make("risk-criteria", example("risk_criteria")).await;
        top.api.transition(&criteria, "approved", None, 200).await;

        let mut risk = example("risk");
        risk["owner_id"] = json!(place.risk_owner.id);
        risk["inherent"] = json!({"likelihood": 3, "consequence": 5});
        risk["next_review_on"] = json!("2027-06-01");
        let treated = make("risks", risk.clone()).await;
        let mut treatment = example("risk_treatment");
        treatment["risk_id"] = json!(treated.rsplit('/').next());
        let treatment = make("risk-treatments", treatment).await;
        place
            .risk_owner
            .api
            .transition(&treatment, "approved", None, 200)
            .await;

        risk["title"] = json!("Officers rely too much on \"green\" scores <0.5 & below>");
        risk["inherent"] = json!({"likelihood": 2, "consequence": 4});
        risk["treatment_option"] = json!("retain");
        risk["next_review_on"] = json!(null);
        let retained = make("risks", risk).await;
        let mut acceptance = example("residual_acceptance");
        acceptance["risk_id"] = json!(retained.rsplit('/').next());
        acceptance["valid_until"] = json!("2027-08-31");
        let acceptance = make("residual-acceptances", acceptance).await;
        let owner = &place.risk_owner.api;
        owner.transition(&acceptance, "accepted", None, 200).await;
        for state in ["analysed", "evaluated", "treated", "monitored"] {
            owner.transition(&retained, state, None, 200).await;
        }

        let inputs: Vec<_> = [
            "earlier_actions",
            "changed_issues",
            "changed_needs",
            "nonconformity_trend",
            "measurement_trend",
            "audit_results",
            "improvement_chances",
        ]
        .iter()
        .map(|input| json!({"type": input, "summary": "Looked at"}))
        .collect();
        let review = json!({"title": "Management review 2027", "planned_on": "2027-06-28", "owner_id": place.manager.id, "inputs": inputs});
        let review = make("management-reviews", review).await;
        Year {
            place,
            top,
            review,
            treated,
            treatment,
            retained,
            acceptance,
        }
    }

    /// What people do on a day, after its mails have gone out.
    async fn live(&self, on: NaiveDate) {
        match on.to_string().as_str() {
            "2027-03-18" => {
                let owner = self.place.rehearsal.again(&self.place.risk_owner).await;
                for state in ["in_progress", "implemented"] {
                    owner.transition(&self.treatment, state, None, 200).await;
                }
            }
            "2027-06-01" => {
                let review = json!({"next_review_on": "2027-12-01"});
                self.place.change(&self.treated, review).await;
            }
            "2027-06-30" => self.hold_review().await,
            "2027-08-31" => {
                let manager = self.place.rehearsal.again(&self.place.manager).await;
                assert_eq!(
                    manager.get(&self.acceptance, 200).await["status"],
                    "accepted"
                );
            }
            "2027-09-01" => {
                let manager = self.place.rehearsal.again(&self.place.manager).await;
                assert_eq!(
                    manager.get(&self.acceptance, 200).await["status"],
                    "expired"
                );
                assert_eq!(manager.get(&self.retained, 200).await["status"], "analysed");
            }
            "2027-12-01" => {
                let owner = self.place.rehearsal.again(&self.place.risk_owner).await;
                owner
                    .transition(&self.treated, "closed", Some("The system is retired"), 200)
                    .await;
            }
            _ => {}
        }
    }

    async fn hold_review(&self) {
        let manager = self.place.rehearsal.again(&self.place.manager).await;
        let top = self.place.rehearsal.again(&self.top).await;
        let held = json!({
            "held_on": "2027-06-30",
            "attendees": [{"person_id": self.top.id}],
            "minutes": "We met and decided.",
            "decisions": [
                {"kind": "improvement", "text": "None, because all is well", "nothing": true},
                {"kind": "change", "text": "None, because nothing has changed", "nothing": true},
            ],
        });
        manager
            .transition(&self.review, "inputs_ready", None, 200)
            .await;
        manager.patch(&self.review, &held, 200).await;
        manager.transition(&self.review, "held", None, 200).await;
        top.transition(&self.review, "minutes_approved", None, 200)
            .await;
        manager.transition(&self.review, "closed", None, 200).await;
    }

    /// Nothing is due any more, and nothing will be said about it.
    async fn is_over(&self, rehearsal: &Rehearsal) {
        let manager = rehearsal.again(&self.place.manager).await;
        let due = manager.get(&self.place.client.path("deadlines"), 200).await;
        assert_eq!(due["items"], json!([]));
        let to_come = self.place.client.path("reminders/preview?until=2028-12-31");
        assert_eq!(manager.get(&to_come, 200).await["items"], json!([]));
    }
}

/// What every reminder must be.
fn is_in_order(mail: &Received) {
    let (parsed, text, html) = (mail.parsed(), mail.text(), mail.html());
    let type_ = parsed.content_type().unwrap();
    assert_eq!(
        (type_.ctype(), type_.subtype()),
        ("multipart", Some("alternative"))
    );
    assert_eq!((parsed.text_body_count(), parsed.html_body_count()), (1, 1));
    let headers = mail.headers();
    assert!(
        headers.contains(&"Auto-Submitted: auto-generated".to_owned()),
        "{headers:?}"
    );
    let (id, domain) = mail
        .message_id()
        .split_once('@')
        .map(|(id, domain)| (id.to_owned(), domain.to_owned()))
        .unwrap();
    assert!(id.len() == 32 && id.chars().all(|c| c.is_ascii_hexdigit()));
    assert_eq!(domain, "localhost");
    let link = "http://aims.test/open#/v1/tenants/";
    assert!(text.contains(link) && html.contains(&format!("<a href=\"{link}")));
    for leftover in ["{{", "}}", "{%", "%}"] {
        assert!(!text.contains(leftover) && !html.contains(leftover));
    }
    assert_eq!(mail.to.len(), 1, "{:?}", mail.to);
    assert_eq!(mail.from, "no-reply@localhost");
}

/// Date, recipient, subject, and the lines that say what is due and when.
fn line(mail: &Received) -> String {
    let text = mail.text();
    let said = |name: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(name));
        line.unwrap_or_default().trim().to_owned()
    };
    format!(
        "{}  {}\n    {}\n    {}; {}\n",
        mail.parsed().date().unwrap().to_rfc3339(),
        mail.to_name(),
        mail.subject(),
        said("What is due:"),
        said("Due date:"),
    )
}

fn without_ids(year: &Year<'_>, text: &str) -> String {
    let record = year.treatment.rsplit('/').next().unwrap();
    text.replace(record, "[record]")
        .replace(&year.place.client.id.to_string(), "[tenant]")
        .replace("\r\n", "\n")
}
