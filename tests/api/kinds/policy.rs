//! Policies: top management approves what is about AI (POL-1), publishing puts it before its
//! audience (POL-2), and what is in force stays so while it is revised.

use reqwest::Method;
use serde_json::{Value, json};

use super::{World, example, in_days, world};
use crate::reminders::{Place, Rehearsal};
use crate::support::Person;

/// An AI policy that could be published.
fn policy() -> Value {
    let mut policy = example("policy");
    policy["next_review_on"] = json!(in_days(300));
    policy
}

impl World<'_> {
    /// A policy in review, by the consultant.
    async fn policy_in_review(&self, policy: &Value) -> String {
        let path = self.make(&self.consultant, "policies", policy.clone()).await;
        self.consultant.api.transition(&path, "in_review", None, 200).await;
        path
    }

    async fn publish(&self, path: &str) -> Value {
        self.top.api.transition(path, "approved", None, 200).await;
        self.manager.api.transition(path, "published", None, 200).await
    }

    async fn published(&self, policy: &Value) -> String {
        let path = self.policy_in_review(policy).await;
        self.publish(&path).await;
        path
    }
}

async fn acknowledge(person: &Person, path: &str, version: i32, status: u16) -> Value {
    let list = format!("{path}/acknowledgements");
    person.api.post(&list, &json!({"version": version}), status).await
}

#[actix_web::test]
async fn an_ai_policy_is_approved_by_top_management_and_any_other_by_the_aims_manager() {
    let world = world("Approval").await;
    let ai = world.policy_in_review(&policy()).await;

    let by_lead = world.lead.api.transition(&ai, "approved", None, 403).await;
    assert_eq!(by_lead["rule"], "GEN-1");
    let by_manager = world.manager.api.transition(&ai, "approved", None, 403).await;
    assert_eq!(by_manager["rule"], "POL-1");
    let approved = world.top.api.transition(&ai, "approved", None, 200).await;
    assert_eq!((&approved["in_force"], &approved["approved_by"]), (&json!(null), &json!(world.top.id)));

    let mut other = policy();
    other["kind"] = json!("data");
    other["commitments"] = json!([]);
    other["next_review_on"] = json!(null);
    let other = world.policy_in_review(&other).await;
    world.manager.api.transition(&other, "approved", None, 200).await;
    let published = world.manager.api.transition(&other, "published", None, 200).await;
    assert_eq!(published["in_force"], 1);
}

#[actix_web::test]
async fn an_ai_policy_without_both_commitments_located_and_a_review_within_a_year_is_refused() {
    let world = world("Commitments").await;
    let ticked = |to: &str, ticked: bool, located: Value| json!({"to": to, "ticked": ticked, "located": located});
    let meets = || ticked("meet_requirements", true, json!("Section 2"));
    for (field, value, pointer) in [
        ("commitments", json!([]), "/commitments"),
        ("commitments", json!([meets()]), "/commitments"),
        ("commitments", json!([meets(), ticked("improve", false, json!("3"))]), "/commitments"),
        ("commitments", json!([meets(), ticked("improve", true, json!(" "))]), "/commitments"),
        ("next_review_on", json!(null), "/next_review_on"),
        ("next_review_on", json!(in_days(400)), "/next_review_on"),
        ("next_review_on", json!("2026-01-01"), "/next_review_on"),
    ] {
        let mut faulty = policy();
        faulty[field] = value.clone();
        let path = world.policy_in_review(&faulty).await;
        let refused = world.top.api.transition(&path, "approved", None, 422).await;
        assert_eq!(refused["rule"], "POL-1", "{value}");
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{value}");
        assert_eq!(world.top.api.get(&path, 200).await["status"], "in_review");
    }
    let mut twice = policy();
    twice["commitments"] = json!([meets(), meets()]);
    let refused = world.consultant.api.post(&world.client.path("policies"), &twice, 422).await;
    assert_eq!(refused["errors"][0]["pointer"], "/commitments/1/to");
}

#[actix_web::test]
async fn a_review_date_that_got_lost_after_approval_is_missed_at_publishing_and_kept_from_then_on() {
    let world = world("Review date").await;
    let path = world.policy_in_review(&policy()).await;
    world.top.api.transition(&path, "approved", None, 200).await;
    world.manager.api.patch(&path, &json!({"next_review_on": null}), 200).await;
    let refused = world.manager.api.transition(&path, "published", None, 422).await;
    assert_eq!(refused["rule"], "POL-1");
    world.manager.api.patch(&path, &json!({"next_review_on": in_days(30)}), 200).await;
    world.manager.api.transition(&path, "published", None, 200).await;

    for late in [json!(null), json!(in_days(400))] {
        let refused = world.manager.api.patch(&path, &json!({"next_review_on": late}), 422).await;
        assert_eq!(refused["rule"], "POL-1");
    }
    world.manager.api.patch(&path, &json!({"next_review_on": in_days(200)}), 200).await;
}

#[actix_web::test]
async fn a_policy_that_is_sent_back_is_changed_and_one_that_is_withdrawn_holds_no_more() {
    let world = world("Back").await;
    let path = world.policy_in_review(&policy()).await;
    world.consultant.api.patch(&path, &json!({"text": "Changed"}), 409).await;
    world.top.api.transition(&path, "draft", Some("too vague"), 200).await;
    world.consultant.api.patch(&path, &json!({"text": "Changed"}), 200).await;
    world.consultant.api.transition(&path, "in_review", None, 200).await;
    world.publish(&path).await;

    let withdrawn = world.manager.api.transition(&path, "withdrawn", Some("merged"), 200).await;

    assert_eq!((&withdrawn["in_force"], &withdrawn["status"]), (&json!(null), &json!("withdrawn")));
}

#[actix_web::test]
async fn employees_read_what_is_in_force_and_nothing_of_the_revision() {
    let world = world("Revision").await;
    let employee = world.client.staff("Emma Staal", &["employee"]).await;
    let mut first = policy();
    first["title"] = json!("Our first words");
    let path = world.policy_in_review(&first).await;
    let list = world.client.path("policies");
    employee.api.get(&path, 404).await;
    assert_eq!(employee.api.get(&list, 200).await["items"], json!([]));
    world.publish(&path).await;
    world.manager.api.transition(&path, "draft", Some("shorter"), 200).await;
    let secret = json!({"title": "Quokka", "text": "Quokka everywhere", "next_review_on": in_days(10)});
    world.consultant.api.patch(&path, &secret, 200).await;
    world.consultant.api.post(&format!("{path}/comments"), &json!({"text": "Quokka?"}), 201).await;

    let seen = employee.api.get(&path, 200).await;
    assert_eq!((&seen["title"], &seen["status"], &seen["in_force"]), (&json!("Our first words"), &json!("published"), &json!(1)));
    assert_eq!(seen["text"], first["text"]);
    for address in ["versions", "versions/1", "history", "comments", "links", "deadlines", "transitions", "evidence", "shares"] {
        let answer = employee.api.send(Method::GET, &format!("{path}/{address}"), &[], None).await;
        assert!(answer.status >= 400 && !answer.text.contains("Quokka"), "{address}: {}", answer.text);
    }
    let base = &world.client.base;
    for address in [
        format!("{list}?expand=owner"),
        format!("{list}?q=quokka"),
        format!("{list}?q=words"),
        format!("{base}/records?q=quokka"),
        format!("{base}/records?q=words"),
        format!("{path}?expand=owner"),
        format!("{path}/acknowledgements"),
    ] {
        let answer = employee.api.send(Method::GET, &address, &[], None).await.expect(200);
        assert!(!answer.text.contains("Quokka"), "{address}: {}", answer.text);
    }
    assert_eq!(employee.api.get(&format!("{list}?q=words"), 200).await["items"][0]["title"], "Our first words");
    assert_eq!(employee.api.get(&format!("{list}?q=quokka"), 200).await["items"], json!([]));
    let viewer = world.client.staff("Vera Blik", &["viewer"]).await;
    assert_eq!(viewer.api.get(&path, 200).await["title"], "Quokka");
}

#[actix_web::test]
async fn publishing_asks_everybody_in_the_audience_and_each_gives_their_own_acknowledgement() {
    let world = world("Acknowledged").await;
    let emma = world.client.staff("Emma Staal", &["employee"]).await;
    let bram = world.client.staff("Bram Peters", &["employee"]).await;
    let viewer = world.client.staff("Vera Blik", &["viewer"]).await;
    let path = world.published(&policy()).await;
    let list = format!("{path}/acknowledgements");

    let all = world.manager.api.get(&list, 200).await;
    assert_eq!(all["tally"], json!({"version": 1, "asked": 5, "done": 0}));
    let own = emma.api.get(&list, 200).await;
    assert_eq!(own["items"].as_array().unwrap().len(), 1, "{own}");
    assert_eq!(own["items"][0]["due_on"], json!(in_days(30)));
    assert_eq!((&own["items"][0]["done_on"], &own["tally"]), (&json!(null), &json!(null)));
    let of_bram = format!("{list}?person_id={}", bram.id);
    assert_eq!(emma.api.get(&of_bram, 200).await["items"], own["items"], "nothing of others");

    assert_eq!(acknowledge(&emma, &path, 1, 200).await, json!({"added": 1, "known": 0}));
    assert_eq!(acknowledge(&emma, &path, 1, 200).await, json!({"added": 0, "known": 1}));
    let wrong = acknowledge(&bram, &path, 2, 422).await;
    assert_eq!(wrong["errors"][0]["pointer"], "/version");
    let for_other = json!({"version": 1, "person_id": bram.id});
    world.manager.api.post(&list, &for_other, 422).await;
    acknowledge(&world.consultant, &path, 1, 403).await;
    acknowledge(&viewer, &path, 1, 403).await;

    assert_eq!(world.top.api.get(&list, 200).await["tally"]["done"], 1);
    let own = emma.api.get(&list, 200).await;
    assert_eq!((&own["items"][0]["done_on"], &own["items"][0]["version"]), (&json!(in_days(0)), &json!(1)));
    let due = world.manager.api.get(&format!("{path}/deadlines"), 200).await;
    let names: Vec<_> = due["items"].as_array().unwrap().iter().map(|due| due["name"].as_str().unwrap()).collect();
    assert!(names.contains(&format!("acknowledgement/{}", bram.id).as_str()), "{names:?}");
    assert!(!names.contains(&format!("acknowledgement/{}", emma.id).as_str()), "{names:?}");
    for list in ["deadlines", "reminders", "reminders/preview"] {
        emma.api.get(&world.client.path(list), 403).await;
    }
}

#[actix_web::test]
async fn a_new_version_asks_again_and_the_old_answers_stay_as_history() {
    let world = world("Again").await;
    let emma = world.client.staff("Emma Staal", &["employee"]).await;
    let mut first = policy();
    first["ack_roles"] = json!(["employee", "risk_owner"]);
    let path = world.published(&first).await;
    let list = format!("{path}/acknowledgements");
    acknowledge(&emma, &path, 1, 200).await;
    acknowledge(&world.top, &path, 1, 403).await;

    world.manager.api.transition(&path, "draft", Some("yearly review"), 200).await;
    world.consultant.api.patch(&path, &json!({"text": "New", "ack_roles": ["employee"]}), 200).await;
    let due = world.manager.api.get(&format!("{path}/deadlines"), 200).await;
    assert_eq!(due["items"].as_array().unwrap().len(), 2, "version 1 is due while it is in force: {due}");
    acknowledge(&world.risk_owner, &path, 1, 200).await;
    let late = world.client.staff("Bram Peters", &["employee"]).await;
    acknowledge(&late, &path, 1, 200).await;
    assert_eq!(world.manager.api.get(&list, 200).await["tally"], json!({"version": 1, "asked": 2, "done": 2}));
    world.consultant.api.transition(&path, "in_review", None, 200).await;
    world.publish(&path).await;

    let all = world.manager.api.get(&list, 200).await;
    assert_eq!(all["tally"], json!({"version": 2, "asked": 2, "done": 0}));
    assert_eq!(all["items"].as_array().unwrap().len(), 5, "three of version 1, two of version 2: {all}");
    acknowledge(&emma, &path, 1, 422).await;
    acknowledge(&world.risk_owner, &path, 2, 403).await;
    let due = world.manager.api.get(&format!("{path}/deadlines"), 200).await;
    assert_eq!(due["items"].as_array().unwrap().len(), 3, "the review and two people: {due}");
    world.manager.api.transition(&path, "withdrawn", Some("over"), 200).await;
    assert_eq!(world.manager.api.get(&format!("{path}/deadlines"), 200).await["items"], json!([]));
    acknowledge(&emma, &path, 2, 404).await;
}

#[actix_web::test]
async fn who_is_asked_to_acknowledge_must_be_able_to_read_it() {
    let world = world("Reach").await;
    let mut closed = policy();
    closed["audience"] = json!("readers");
    let path = world.policy_in_review(&closed).await;
    world.top.api.transition(&path, "approved", None, 200).await;
    let refused = world.manager.api.transition(&path, "published", None, 422).await;
    assert_eq!((&refused["rule"], &refused["errors"][0]["pointer"]), (&json!("POL-2"), &json!("/audience")));
    world.manager.api.patch(&path, &json!({"audience": "everybody"}), 200).await;
    world.manager.api.transition(&path, "published", None, 200).await;

    let mut reading = policy();
    reading["ack_roles"] = json!(["viewer"]);
    let refused = world.consultant.api.post(&world.client.path("policies"), &reading, 422).await;
    assert_eq!(refused["errors"][0]["pointer"], "/ack_roles/0");
}

#[actix_web::test]
async fn who_has_not_acknowledged_is_reminded_when_it_is_due_and_the_manager_two_weeks_later() {
    let rehearsal = Rehearsal::start("acknowledgements");
    rehearsal.at("2027-02-08T09:00:00Z").await;
    let place = Place::open(&rehearsal).await;
    let emma = place.client.staff("Emma Staal", &["employee"]).await;
    let top = place.client.staff("Tess de Wit", &["top_management"]).await;
    let mut policy = example("policy");
    policy["title"] = json!("Our first words");
    policy["next_review_on"] = json!("2028-02-01");
    policy["ack_roles"] = json!(["employee"]);
    let consultant = rehearsal.again(&place.consultant).await;
    let made = consultant.post(&place.client.path("policies"), &policy, 201).await;
    let path = place.client.path(&format!("policies/{}", made["id"].as_str().unwrap()));
    consultant.transition(&path, "in_review", None, 200).await;
    top.api.transition(&path, "approved", None, 200).await;
    top.api.transition(&path, "published", None, 200).await;
    consultant.transition(&path, "draft", Some("shorter"), 200).await;
    consultant.patch(&path, &json!({"title": "Quokka"}), 200).await;

    rehearsal.at("2027-03-10T12:00:00Z").await;
    assert_eq!(rehearsal.told(&emma).last().unwrap(), "Acknowledgement of POL-001 is due today");
    let mail = format!("{:?}", rehearsal.mails_to(&emma).last().unwrap().subject());
    assert!(mail.contains("Our first words") && !mail.contains("Quokka"), "{mail}");
    assert_eq!(rehearsal.told(&place.manager), Vec::<String>::new());
    for day in ["03-17", "03-24"] {
        rehearsal.at(&format!("2027-{day}T12:00:00Z")).await;
    }
    assert_eq!(rehearsal.told(&place.manager).len(), 1, "{:?}", rehearsal.told(&place.manager));

    let again = rehearsal.again(&emma).await;
    again.post(&format!("{path}/acknowledgements"), &json!({"version": 1}), 200).await;
    let told = rehearsal.told(&emma).len();
    rehearsal.at("2027-03-31T12:00:00Z").await;
    assert_eq!(rehearsal.told(&emma).len(), told);
}
