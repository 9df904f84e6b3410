//! Every dated right on the day before its first, on its first and last, and on the day after:
//! civil days of a client whose zone lies far from UTC.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{member_of, patch, post};
use crate::contract::stage::{rehearsal_of, set_clock};
use crate::support::actors::{PASSWORD, id_in, sign_in};
use crate::support::{App, Client, Firm, Person, Setup, TenantWorld};

/// Zones, with the instants at which 20 and 23 March 2027 begin there.
const ZONES: &[(&str, &str, [&str; 2])] = &[
    // An hour of summer time more than usual: 13 hours ahead.
    (
        "auckland",
        "Pacific/Auckland",
        ["2027-03-19T11:00:00Z", "2027-03-22T11:00:00Z"],
    ),
    (
        "honolulu",
        "Pacific/Honolulu",
        ["2027-03-20T10:00:00Z", "2027-03-23T10:00:00Z"],
    ),
];
const FIRST: &str = "2027-03-20";
const LAST: &str = "2027-03-22";

struct Place<'a> {
    app: &'a App,
    firm: Firm<'a>,
    client: TenantWorld<'a>,
    top: Person,
}

impl<'a> Place<'a> {
    async fn in_zone(app: &'a App, zone: &str) -> Place<'a> {
        let firm = Firm::sign_up(app, "Fjordlys Advisory").await;
        let body = json!({"consultancy_id": firm.id, "name": "Aurelia", "time_zone": zone});
        let made = firm.owner.api.post("/v1/tenants", &body, 201).await;
        let id = id_in(&made, "id");
        let client = TenantWorld {
            app,
            id,
            engagement_id: id_in(&made, "engagement_id"),
            base: format!("/v1/tenants/{id}"),
            firm_owner: firm.owner.clone(),
        };
        let top = client
            .staff("Ana Gomez", &["top_management", "aims_manager"])
            .await;
        Place {
            app,
            firm,
            client,
            top,
        }
    }

    fn engagements(&self) -> String {
        format!("/v1/consultancies/{}/engagements", self.firm.id)
    }

    async fn assign(&self, engagement: Uuid, mut window: Value) -> Person {
        let person = self.firm.hire("Cleo Nord", "consultant").await;
        window["user_id"] = json!(person.id);
        window["role"] = json!("consultant");
        let path = format!("{}/{engagement}/assignments", self.engagements());
        post(&self.firm.owner.api, &path, window).await.expect(201);
        person
    }

    /// Somebody whose assignment has a window of its own.
    async fn assigned(&self) -> Person {
        let window = json!({"valid_from": FIRST, "valid_until": LAST});
        self.assign(self.client.engagement_id, window).await
    }

    /// Somebody whose engagement has the window.
    async fn engaged(&self) -> Person {
        let body = json!({"tenant_id": self.client.id, "service": "gap", "starts_on": FIRST, "ends_on": LAST});
        let made = self
            .firm
            .owner
            .api
            .post(&self.engagements(), &body, 201)
            .await;
        self.assign(id_in(&made, "id"), json!({})).await
    }

    /// Somebody of the client with a last day.
    async fn member(&self) -> Person {
        self.client
            .staff_by(&self.top, "Vera Kok", &["viewer"], Some(LAST))
            .await
    }

    /// An external auditor to whom a record is shared until the last day.
    async fn auditor(&self) -> (Person, String) {
        let until = Some("2027-12-31");
        let auditor = self
            .client
            .staff_by(&self.top, "Eli Maas", &["external_auditor"], until)
            .await;
        let task = json!({"title": "Interview", "due_on": "2027-06-01"});
        let made = self
            .top
            .api
            .post(&self.client.path("tasks"), &task, 201)
            .await;
        let record = self
            .client
            .path(&format!("tasks/{}", made["id"].as_str().unwrap()));
        let share = json!({"person_id": auditor.id, "until": LAST});
        self.top
            .api
            .post(&format!("{record}/shares"), &share, 200)
            .await;
        (auditor, record)
    }

    async fn again(&self, person: &Person) -> Client {
        sign_in(self.app, &person.email, PASSWORD).await.api
    }
}

/// A second before an instant.
fn before(instant: &str) -> String {
    let instant: chrono::DateTime<chrono::Utc> = instant.parse().unwrap();
    (instant - chrono::TimeDelta::seconds(1)).to_rfc3339()
}

#[actix_web::test]
async fn every_dated_right_begins_and_ends_at_midnight_of_the_client() {
    for (name, zone, [begins, ends]) in ZONES {
        let app = &rehearsal_of(Setup::named(&format!("dated_{name}"))).await;
        let place = Place::in_zone(app, zone).await;
        let dated = [place.assigned().await, place.engaged().await];
        let member = place.member().await;
        let (auditor, record) = place.auditor().await;

        for (now, starts, lasts) in [
            (before(begins), "not_yet", true),
            ((*begins).to_owned(), "holds", true),
            (before(ends), "holds", true),
            ((*ends).to_owned(), "ended", false),
        ] {
            set_clock(app, &now).await;
            let what = format!("{zone} at {now}");
            let top = place.again(&place.top).await;
            for person in &dated {
                let api = place.again(person).await;
                assert_reaches(&what, &place, &api, starts == "holds").await;
                let (_, seen) = member_of(&top, &place.client, person).await;
                assert_eq!(seen["state"], starts, "{what}");
            }
            let api = place.again(&member).await;
            assert_reaches(&what, &place, &api, lasts).await;
            let (_, seen) = member_of(&top, &place.client, &member).await;
            let state = if lasts { "holds" } else { "ended" };
            assert_eq!(seen["state"], state, "{what}");
            let api = place.again(&auditor).await;
            let shared = api.send(reqwest::Method::GET, &record, &[], None).await;
            assert_eq!(
                shared.status,
                if lasts { 200 } else { 404 },
                "{what}: a share"
            );
        }
    }
}

async fn assert_reaches(what: &str, place: &Place<'_>, api: &Client, reaches: bool) {
    let status = if reaches { 200 } else { 404 };
    for path in ["", "/risks", "/members"] {
        let path = format!("{}{path}", place.client.base);
        let answer = api.send(reqwest::Method::GET, &path, &[], None).await;
        assert_eq!(answer.status, status, "{what}: {path}");
    }
    let me = api.get("/v1/me", 200).await;
    let visible = me["tenants"].as_array().unwrap();
    assert_eq!(visible.len(), usize::from(reaches), "{what}");
}

#[actix_web::test]
async fn a_moved_last_day_counts_from_then_on() {
    let app = &rehearsal_of(Setup::named("dated_moved")).await;
    let place = Place::in_zone(app, "Pacific/Honolulu").await;
    let person = place
        .client
        .staff_by(&place.top, "Vera Kok", &["viewer"], None)
        .await;
    let (at, _) = member_of(&place.top.api, &place.client, &person).await;
    // The 15th begins in Honolulu at ten in the morning UTC: it is the 14th there.
    let today = json!({"valid_until": "2027-03-14"});
    patch(&place.top.api, &at, today).await.expect(200);
    assert_reaches("on the last day", &place, &person.api, true).await;
    let yesterday = json!({"valid_until": "2027-03-13"});
    patch(&place.top.api, &at, yesterday).await.expect(422);

    set_clock(app, "2027-03-15T10:00:00Z").await;

    let api = place.again(&person).await;
    assert_reaches("the day after", &place, &api, false).await;
}

#[actix_web::test]
async fn engagements_of_one_service_follow_each_other() {
    let app = &rehearsal_of(Setup::named("overlaps")).await;
    let place = Place::in_zone(app, "Pacific/Auckland").await;
    let (owner, list) = (&place.firm.owner.api, place.engagements());
    let contract = |service: &str, first: &str, last: Option<&str>| json!({"tenant_id": place.client.id, "service": service, "starts_on": first, "ends_on": last});
    let make = async |service: &str, first: &str, last: Option<&str>| {
        post(owner, &list, contract(service, first, last)).await
    };
    let made = make("gap", "2027-04-01", Some("2027-04-30"))
        .await
        .expect(201)
        .json();

    for (first, last) in [
        ("2027-04-01", Some("2027-04-30")),
        ("2027-04-30", None),
        ("2027-03-01", Some("2027-04-01")),
        ("2027-04-10", Some("2027-04-11")),
        ("2027-01-01", None),
    ] {
        let refused = make("gap", first, last).await;
        assert_eq!(refused.status, 409, "{first} to {last:?}: {}", refused.text);
    }
    make("implementation", "2027-04-01", None).await.expect(409);
    make("internal_audit", "2027-04-01", Some("2027-04-30"))
        .await
        .expect(201);
    make("gap", "2027-03-01", Some("2027-03-31"))
        .await
        .expect(201);
    make("gap", "2027-05-01", None).await.expect(201);
    let at = format!("{list}/{}", made["id"].as_str().unwrap());
    patch(owner, &at, json!({"ends_on": "2027-05-01"}))
        .await
        .expect(409);
    patch(owner, &at, json!({"service": "implementation"}))
        .await
        .expect(409);
    patch(owner, &at, json!({"ends_on": "2027-04-29"}))
        .await
        .expect(200);
}
