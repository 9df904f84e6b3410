//! Nonconformities: closed with all that it takes (NC-1), in time, and open again when they
//! recur (NC-2).

use reqwest::Method;
use serde_json::{Value, json};

use super::{World, example, world, world_in};
use crate::reminders::set_clock;
use crate::support::actors::{PASSWORD, sign_in};
use crate::support::{App, Person, Setup};

/// Everything that is said of a nonconformity before it is closed.
pub const SAID: &[&str] = &[
    "correction",
    "consequences",
    "root_cause",
    "root_cause_method",
    "similar_check",
    "aims_change",
];

/// All of it.
pub fn said() -> Value {
    json!({
        "correction": "The answer on holidays was switched off",
        "consequences": "31 customers were told the right date and got their interest back",
        "root_cause": "No test knows the terms of holidays",
        "root_cause_method": "five_whys",
        "similar_check": "All other terms of the catalogue: two more without a test",
        "aims_change": {"needed": true, "because": "The verification plan lists calendars"},
    })
}

/// A client with a process owner and an auditor, on a clock that can be set.
pub struct Year<'a> {
    pub app: &'a App,
    pub world: World<'a>,
    pub doer: Person,
    pub auditor: Person,
}

impl<'a> Year<'a> {
    /// It begins at noon of a civil date.
    pub async fn from(app: &'a App, date: &str) -> Self {
        set_clock(&app.anonymous(), &noon(date)).await;
        let world = world_in(app, "Aurelia Lending B.V.").await;
        Self {
            app,
            doer: world.client.staff("Femke Jansen", &["process_owner"]).await,
            auditor: world.client.staff("Pieter Smit", &["internal_auditor"]).await,
            world,
        }
    }

    /// It goes on to noon of a civil date; sessions end meanwhile, and everybody signs in again.
    pub async fn goes_on_to(&mut self, date: &str) {
        set_clock(&self.app.anonymous(), &noon(date)).await;
        let people = [
            &mut self.doer,
            &mut self.auditor,
            &mut self.world.consultant,
            &mut self.world.manager,
            &mut self.world.top,
        ];
        for person in people {
            *person = sign_in(self.app, &person.email, PASSWORD).await;
        }
    }

    /// One that waits for the review of the effect of its only action, which was done today.
    pub async fn acted_upon(&self) -> (String, String) {
        let path = self.world.nonconformity(said()).await;
        let action = self.world.action_on(&path, &self.doer).await;
        self.world.done(&action, &self.doer).await;
        for state in ["contained", "cause_found", "action_planned", "in_progress", "effectiveness_review"] {
            self.doer.api.transition(&path, state, None, 200).await;
        }
        (path, action)
    }

    /// Its action is found effective by the auditor.
    pub async fn found_effective(&self, action: &str) {
        let result = json!({"effectiveness_result": "No wrong advice since"});
        self.world.consultant.api.patch(action, &result, 200).await;
        self.auditor.api.transition(action, "effective", None, 200).await;
    }

    /// One closed on 11 March, on an action of 11 January.
    async fn closed(&mut self) -> (String, String) {
        let (path, action) = self.acted_upon().await;
        self.goes_on_to("2027-03-11").await;
        self.found_effective(&action).await;
        self.world.manager.api.transition(&path, "closed", None, 200).await;
        (path, action)
    }
}

fn noon(date: &str) -> String {
    format!("{date}T12:00:00Z")
}

fn id(path: &str) -> Value {
    json!(path.rsplit('/').next())
}

impl World<'_> {
    /// The example with other fields.
    pub async fn nonconformity(&self, fields: Value) -> String {
        let mut body = example("nonconformity");
        for (name, value) in fields.as_object().unwrap() {
            body[name] = value.clone();
        }
        self.make(&self.consultant, "nonconformities", body).await
    }

    /// A planned action on the cause of a nonconformity.
    pub async fn action_on(&self, nonconformity: &str, owner: &Person) -> String {
        let mut body = example("corrective_action");
        body["nonconformity_id"] = id(nonconformity);
        body["owner_id"] = json!(owner.id);
        self.make(&self.consultant, "corrective-actions", body).await
    }

    /// An action is done by its owner.
    pub async fn done(&self, action: &str, owner: &Person) {
        for state in ["in_progress", "done"] {
            owner.api.transition(action, state, None, 200).await;
        }
    }

    /// Brings a record back from the archive.
    async fn restore(&self, path: &str) {
        let etag = self.manager.api.etag(path).await;
        let restore = format!("{path}/restore");
        self.manager.api.send(Method::POST, &restore, &[("If-Match", &etag)], None).await.expect(200);
    }

    /// Titles of all tasks.
    async fn task_titles(&self) -> Vec<String> {
        let tasks = self.manager.api.get(&self.client.path("tasks?sort=ref"), 200).await;
        let titles = tasks["items"].as_array().unwrap().iter();
        titles.map(|task| task["title"].as_str().unwrap().to_owned()).collect()
    }
}

fn pointers(refused: &Value) -> Vec<&str> {
    let errors = refused["errors"].as_array().unwrap().iter();
    errors.map(|error| error["pointer"].as_str().unwrap()).collect()
}

#[actix_web::test]
async fn closing_is_told_everything_that_is_missing_at_once_and_each_thing_by_itself() {
    let app = Setup::named("nc_closing").with_test_clock().start();
    let mut year = Year::from(&app, "2027-01-11").await;
    let (path, action) = year.acted_upon().await;
    let nothing: Value = SAID.iter().map(|name| ((*name).to_owned(), json!(null))).collect::<serde_json::Map<_, _>>().into();
    year.world.consultant.api.patch(&path, &nothing, 200).await;

    let refused = year.auditor.api.transition(&path, "closed", None, 422).await;
    assert_eq!(refused["rule"], "NC-1");
    let all = ["/correction", "/consequences", "/root_cause", "/root_cause_method", "/similar_check", "", "/aims_change"];
    assert_eq!(pointers(&refused), all);
    let options = year.auditor.api.get(&format!("{path}/transitions"), 200).await;
    let close = options["items"].as_array().unwrap().iter().find(|option| option["to"] == "closed").unwrap();
    assert_eq!(close["unmet"], refused["errors"]);

    year.goes_on_to("2027-02-10").await;
    year.found_effective(&action).await;
    for missing in SAID {
        let mut fields = said();
        fields[*missing] = json!(null);
        year.world.consultant.api.patch(&path, &fields, 200).await;
        let refused = year.auditor.api.transition(&path, "closed", None, 422).await;
        assert_eq!((&refused["rule"], pointers(&refused)), (&json!("NC-1"), vec![format!("/{missing}").as_str()]));
    }
    let mut restated = said();
    restated["root_cause"] = json!(" wrong advice on repayment in Holidays");
    year.world.consultant.api.patch(&path, &restated, 200).await;
    let refused = year.auditor.api.transition(&path, "closed", None, 422).await;
    assert_eq!(pointers(&refused), ["/root_cause"], "a cause is not what happened, said again");
    assert_eq!(year.auditor.api.get(&path, 200).await["status"], "effectiveness_review");

    year.world.consultant.api.patch(&path, &said(), 200).await;
    let closed = year.auditor.api.transition(&path, "closed", None, 200).await;
    assert_eq!(closed["closed_on"], "2027-02-10");
    let due = year.auditor.api.get(&format!("{path}/deadlines"), 200).await;
    assert_eq!(due["items"], json!([]));
}

#[actix_web::test]
async fn closing_judges_the_review_again_and_takes_none_that_came_early_or_from_who_did_it() {
    let app = Setup::named("nc_second_door").with_test_clock().start();
    let mut year = Year::from(&app, "2027-01-11").await;
    let (path, action) = year.acted_upon().await;
    year.goes_on_to("2027-02-10").await;
    year.found_effective(&action).await;
    let db = year.app.owner().await;
    let stored = async |field: &str, value: &str| {
        let tenant = year.world.client.id;
        let id = action.rsplit('/').next().unwrap();
        let sql = format!(
            "SET app.tenant_id = '{tenant}'; UPDATE records SET body = jsonb_set(body, '{{{field}}}', '\"{value}\"') WHERE id = '{id}'"
        );
        db.batch_execute(&sql).await.unwrap();
    };
    let (doer, auditor) = (year.doer.id.to_string(), year.auditor.id.to_string());
    for (field, wrong, right) in [("checked_on", "2027-02-09", "2027-02-10"), ("checked_by", &doer, &auditor)] {
        stored(field, wrong).await;
        let refused = year.world.manager.api.transition(&path, "closed", None, 422).await;
        assert_eq!((&refused["rule"], pointers(&refused)), (&json!("NC-1"), vec![""]), "{field}");
        stored(field, right).await;
    }
    year.world.manager.api.transition(&path, "closed", None, 200).await;
}

#[actix_web::test]
async fn it_is_closed_for_the_client_by_somebody_else_than_who_does_its_actions() {
    let app = Setup::named("nc_closer").with_test_clock().start();
    let mut year = Year::from(&app, "2027-01-11").await;
    let (path, action) = year.acted_upon().await;
    let second = year.world.action_on(&path, &year.world.manager).await;
    year.goes_on_to("2027-02-10").await;
    year.found_effective(&action).await;

    for outsider in [&year.world.consultant, &year.world.top, &year.doer] {
        outsider.api.transition(&path, "closed", None, 403).await;
    }
    let refused = year.world.manager.api.transition(&path, "closed", None, 403).await;
    assert_eq!(refused["rule"], "NC-1", "the manager owns {second}");
    year.world.consultant.api.patch(&second, &json!({"owner_id": year.doer.id}), 200).await;
    year.world.manager.api.transition(&path, "closed", None, 200).await;
}

#[actix_web::test]
async fn the_action_of_a_neighbour_counts_for_nothing_even_when_it_is_linked() {
    let app = Setup::named("nc_neighbour").with_test_clock().start();
    let mut year = Year::from(&app, "2027-01-11").await;
    let (path, own) = year.acted_upon().await;
    let bare = year.world.nonconformity(said()).await;
    let neighbour = year.world.nonconformity(said()).await;
    let of_neighbour = year.world.action_on(&neighbour, &year.doer).await;
    for to in [&path, &bare] {
        let link = json!({"relation": "relates_to", "to": {"kind": "nonconformity", "id": id(to)}});
        year.world.consultant.api.post(&format!("{of_neighbour}/links"), &link, 201).await;
    }
    year.world.done(&of_neighbour, &year.doer).await;
    for state in ["contained", "cause_found"] {
        year.doer.api.transition(&bare, state, None, 200).await;
    }
    year.goes_on_to("2027-02-10").await;
    year.found_effective(&of_neighbour).await;

    let refused = year.doer.api.transition(&bare, "action_planned", None, 422).await;
    assert_eq!((&refused["rule"], pointers(&refused)), (&json!("NC-1"), vec![""]));
    let refused = year.auditor.api.transition(&path, "closed", None, 422).await;
    assert_eq!((&refused["rule"], pointers(&refused)), (&json!("NC-1"), vec![""]));

    year.found_effective(&own).await;
    year.auditor.api.transition(&path, "closed", None, 200).await;
}

#[actix_web::test]
async fn an_archived_action_counts_for_nothing_until_it_is_restored() {
    let world = world("Archived").await;
    let path = world.nonconformity(said()).await;
    let action = world.action_on(&path, &world.manager).await;
    for state in ["contained", "cause_found"] {
        world.manager.api.transition(&path, state, None, 200).await;
    }
    world.manager.api.delete(&action, 204).await;

    let refused = world.manager.api.transition(&path, "action_planned", None, 422).await;
    assert_eq!(refused["rule"], "NC-1");
    world.restore(&action).await;
    world.manager.api.transition(&path, "action_planned", None, 200).await;
}

#[actix_web::test]
async fn each_step_is_true_of_the_nonconformity_that_takes_it() {
    let world = world("Steps").await;
    let path = world.nonconformity(json!({})).await;
    let action = world.action_on(&path, &world.manager).await;
    let said = said();
    for (state, pointer, fields) in [
        ("contained", "/correction", json!({"correction": said["correction"]})),
        ("cause_found", "/root_cause", json!({"root_cause": said["root_cause"], "root_cause_method": "five_whys"})),
    ] {
        let refused = world.manager.api.transition(&path, state, None, 422).await;
        assert_eq!((&refused["rule"], &refused["errors"][0]["pointer"]), (&json!("NC-1"), &json!(pointer)));
        world.consultant.api.patch(&path, &fields, 200).await;
        world.manager.api.transition(&path, state, None, 200).await;
    }
    for state in ["action_planned", "in_progress"] {
        world.manager.api.transition(&path, state, None, 200).await;
    }
    let refused = world.manager.api.transition(&path, "effectiveness_review", None, 422).await;
    assert_eq!(refused["rule"], "NC-1");
    world.done(&action, &world.manager).await;
    world.manager.api.transition(&path, "effectiveness_review", None, 200).await;
    world.manager.api.transition(&path, "cause_found", None, 422).await;
    world.manager.api.transition(&path, "cause_found", Some("It is another cause"), 200).await;
}

#[actix_web::test]
async fn an_action_that_turns_out_ineffective_sends_it_back_to_its_cause_even_when_it_is_closed() {
    let app = Setup::named("nc_ineffective").with_test_clock().start();
    let mut year = Year::from(&app, "2027-01-11").await;
    let (path, action) = year.acted_upon().await;
    year.auditor.api.transition(&action, "ineffective", Some("It happened again"), 200).await;
    let back = year.auditor.api.get(&path, 200).await;
    assert_eq!((&back["status"], &back["plan_by"]), (&json!("cause_found"), &json!("2027-02-10")));
    let history = year.auditor.api.get(&format!("{path}/history"), 200).await;
    let event = &history["items"][0];
    assert_eq!((&event["action"], &event["actor_id"]), (&json!("moved"), &json!(null)));
    assert_eq!(event["data"]["cause"]["id"], id(&action));
    let refused = year.doer.api.transition(&path, "action_planned", None, 422).await;
    assert_eq!(refused["rule"], "NC-1", "an ineffective action is no plan");

    let (path, action) = year.closed().await;
    year.world.manager.api.delete(&action, 409).await;
    year.world.consultant.api.patch(&path, &json!({"root_cause": "Another"}), 409).await;
    year.world.manager.api.transition(&path, "cause_found", Some("No"), 403).await;
    year.world.manager.api.delete(&path, 409).await;
    year.world.manager.api.transition(&action, "ineffective", Some("It happened again"), 200).await;
    let back = year.auditor.api.get(&path, 200).await;
    assert_eq!((&back["status"], &back["closed_on"]), (&json!("cause_found"), &json!(null)));
    assert_eq!(back["close_by"], "2027-06-09", "90 days from the day it is open again");
}

#[actix_web::test]
async fn a_closed_one_takes_no_new_action() {
    let app = Setup::named("nc_no_more").with_test_clock().start();
    let mut year = Year::from(&app, "2027-01-11").await;
    let (closed, _) = year.closed().await;
    let open = year.world.nonconformity(said()).await;
    let action = year.world.action_on(&open, &year.doer).await;
    let mut late = example("corrective_action");
    late["nonconformity_id"] = id(&closed);

    let list = year.world.client.path("corrective-actions");
    let refused = year.world.consultant.api.post(&list, &late, 422).await;
    assert_eq!((&refused["rule"], pointers(&refused)), (&json!("NC-1"), vec!["/nonconformity_id"]));
    let moved = json!({"nonconformity_id": id(&closed)});
    let refused = year.world.consultant.api.patch(&action, &moved, 422).await;
    assert_eq!(refused["rule"], "NC-1");
}

#[actix_web::test]
async fn one_that_recurs_within_twelve_months_is_open_again_and_its_effective_actions_are_not() {
    let app = Setup::named("nc_recurs").with_test_clock().start();
    let mut year = Year::from(&app, "2027-01-11").await;
    let owner = year.world.client.staff("Joost Bakker", &["system_owner"]).await;
    let (old, action) = year.closed().await;
    year.world.manager.api.patch(&old, &json!({"owner_id": owner.id}), 200).await;
    let (other, other_action) = {
        let (path, action) = year.acted_upon().await;
        year.goes_on_to("2027-04-20").await;
        year.found_effective(&action).await;
        (path, action)
    };
    year.goes_on_to("2028-03-11").await;

    let again = year.world.nonconformity(json!({"recurs_of": id(&old)})).await;

    let reopened = year.auditor.api.get(&old, 200).await;
    assert_eq!((&reopened["status"], &reopened["closed_on"]), (&json!("cause_found"), &json!(null)));
    assert_eq!((&reopened["close_by"], &reopened["plan_by"]), (&json!("2028-06-09"), &json!("2028-04-10")));
    let history = year.auditor.api.get(&format!("{old}/history"), 200).await;
    let event = &history["items"][0];
    assert_eq!((&event["action"], &event["actor_id"]), (&json!("moved"), &json!(null)));
    assert_eq!((&event["data"]["from"], &event["data"]["cause"]["id"]), (&json!("closed"), &id(&again)));
    let failed = year.auditor.api.get(&action, 200).await;
    assert_eq!((&failed["status"], &failed["checked_by"]), (&json!("ineffective"), &json!(year.auditor.id)));
    let tasks = year.world.manager.api.get(&year.world.client.path("tasks"), 200).await;
    assert_eq!(tasks["items"].as_array().unwrap().len(), 1, "{tasks}");
    assert_eq!(tasks["items"][0]["title"], "NCR-001 is open again: find why it recurs as NCR-003");
    assert_eq!((&tasks["items"][0]["owner_id"], &tasks["items"][0]["about"]["id"]), (&json!(owner.id), &id(&old)));
    let refused = year.doer.api.transition(&old, "action_planned", None, 422).await;
    assert_eq!(refused["rule"], "NC-1", "what did not work is no plan");
    for other_said in [json!(null), id(&other)] {
        let patch = json!({"recurs_of": other_said});
        let refused = year.world.consultant.api.patch(&again, &patch, 422).await;
        assert_eq!((&refused["rule"], pointers(&refused)), (&json!("NC-2"), vec!["/recurs_of"]));
    }

    // One that is still open has not been closed too early; what was found effective is not.
    let third = year.world.nonconformity(json!({})).await;
    year.world.consultant.api.patch(&third, &json!({"recurs_of": id(&third)}), 422).await;
    year.world.consultant.api.patch(&third, &json!({"recurs_of": id(&other)}), 200).await;
    assert_eq!(year.auditor.api.get(&other_action, 200).await["status"], "ineffective");
    assert_eq!(year.auditor.api.get(&other, 200).await["status"], "cause_found");
    assert_eq!(year.world.task_titles().await.len(), 1);
}

#[actix_web::test]
async fn one_that_recurs_later_stays_closed_and_who_has_left_is_asked_nothing() {
    let app = Setup::named("nc_recurs_late").with_test_clock().start();
    let mut year = Year::from(&app, "2027-01-11").await;
    let owner = year.world.client.staff("Joost Bakker", &["system_owner"]).await;
    let (first, action) = year.closed().await;
    year.goes_on_to("2028-03-12").await;
    year.world.nonconformity(json!({"recurs_of": id(&first)})).await;
    assert_eq!(year.auditor.api.get(&first, 200).await["status"], "closed");
    assert_eq!(year.auditor.api.get(&action, 200).await["status"], "effective");
    assert_eq!(year.world.task_titles().await, Vec::<String>::new());

    let (second, action) = year.acted_upon().await;
    year.goes_on_to("2028-05-12").await;
    year.found_effective(&action).await;
    year.world.manager.api.transition(&second, "closed", None, 200).await;
    year.world.manager.api.patch(&second, &json!({"owner_id": owner.id}), 200).await;
    let members = year.world.client.path("members");
    let all = year.world.manager.api.get(&members, 200).await;
    let left = all["items"].as_array().unwrap().iter().find(|one| one["user_id"] == json!(owner.id)).unwrap();
    year.world.manager.api.delete(&format!("{members}/{}", left["id"].as_str().unwrap()), 200).await;
    year.world.nonconformity(json!({"recurs_of": id(&second)})).await;
    let tasks = year.world.manager.api.get(&year.world.client.path("tasks"), 200).await;
    assert_eq!(tasks["items"][0]["owner_id"], json!(null), "{tasks}");
}

#[actix_web::test]
async fn a_major_one_has_7_days_to_be_contained_and_30_to_be_planned_whatever_becomes_of_its_grade() {
    let app = Setup::named("nc_major").with_test_clock().start();
    let mut year = Year::from(&app, "2027-01-11").await;
    let path = year.world.nonconformity(json!({"grade": "minor"})).await;
    let due = async |year: &Year| {
        let due = year.world.manager.api.get(&format!("{path}/deadlines"), 200).await;
        let items = due["items"].as_array().unwrap().iter();
        items.map(|due| format!("{} {}", due["name"].as_str().unwrap(), due["due_on"].as_str().unwrap())).collect::<Vec<_>>()
    };
    assert_eq!(due(&year).await, ["closing 2027-04-11"]);

    let grade = async |year: &Year, grade: &str| {
        year.world.consultant.api.patch(&path, &json!({"grade": grade}), 200).await;
    };
    year.goes_on_to("2027-01-12").await;
    grade(&year, "major").await;
    let both = ["containment 2027-01-19", "plan 2027-02-11", "closing 2027-04-11"];
    assert_eq!(due(&year).await, both);
    year.goes_on_to("2027-01-18").await;
    grade(&year, "minor").await;
    assert_eq!(due(&year).await, ["closing 2027-04-11"]);
    grade(&year, "major").await;
    assert_eq!(due(&year).await, both, "nobody gets more time by changing the grade there and back");
    let refused = year.world.consultant.api.patch(&path, &json!({"contain_by": "2027-12-31"}), 422).await;
    assert_eq!(pointers(&refused), ["/contain_by"]);

    year.world.consultant.api.patch(&path, &said(), 200).await;
    year.doer.api.transition(&path, "contained", None, 200).await;
    assert_eq!(due(&year).await, both[1..]);
    year.world.action_on(&path, &year.doer).await;
    for state in ["cause_found", "action_planned"] {
        year.doer.api.transition(&path, state, None, 200).await;
    }
    assert_eq!(due(&year).await, both[2..]);
}

#[actix_web::test]
async fn three_minor_ones_on_one_requirement_within_twelve_months_are_proposed_as_a_major_one_once() {
    let app = Setup::named("nc_minors").with_test_clock().start();
    let mut year = Year::from(&app, "2027-01-11").await;
    let minor = |unit: &str| json!({"grade": "minor", "requirement": {"catalog": "iso42001", "unit": unit}});
    year.world.nonconformity(minor("7.5.3")).await;
    year.goes_on_to("2028-01-10").await;
    year.world.nonconformity(minor("7.5.3")).await;
    year.world.nonconformity(minor("7.5.2")).await;
    let mut major = minor("7.5.3");
    major["grade"] = json!("major");
    year.world.nonconformity(major).await;
    let archived = year.world.nonconformity(json!({"grade": "minor"})).await;
    year.world.consultant.api.delete(&archived, 204).await;
    // The first is too old now.
    year.goes_on_to("2028-01-12").await;
    year.world.nonconformity(minor("7.5.3")).await;
    let elsewhere = year.world.nonconformity(minor("7.5.2")).await;
    assert_eq!(year.world.task_titles().await, Vec::<String>::new());

    let third = json!({"requirement": {"catalog": "iso42001", "unit": "7.5.3"}});
    let proposed = year.world.consultant.api.patch(&elsewhere, &third, 200).await;

    assert_eq!(proposed["major_proposed_on"], "2028-01-12");
    let tasks = year.world.manager.api.get(&year.world.client.path("tasks"), 200).await;
    assert_eq!(tasks["items"].as_array().unwrap().len(), 1, "{tasks}");
    let task = &tasks["items"][0];
    assert_eq!(task["title"], "Decide whether 3 minor nonconformities on 7.5.3 are a major one");
    assert_eq!(task["text"], "Within twelve months on the same requirement: NCR-002, NCR-006, NCR-007.");
    assert_eq!((&task["owner_id"], &task["about"]["id"]), (&json!(year.world.manager.id), &id(&elsewhere)));
    year.world.nonconformity(minor("7.5.3")).await;
    year.world.consultant.api.patch(&elsewhere, &json!({"title": "Changed"}), 200).await;
    assert_eq!(year.world.task_titles().await.len(), 1);
}

#[actix_web::test]
async fn a_minor_one_that_is_brought_back_from_the_archive_counts_again() {
    let world = world("Brought back").await;
    let first = world.nonconformity(json!({"grade": "minor"})).await;
    world.manager.api.delete(&first, 204).await;
    for _ in 0..2 {
        world.nonconformity(json!({"grade": "minor"})).await;
    }
    assert_eq!(world.task_titles().await.len(), 0);

    world.restore(&first).await;

    assert_eq!(world.task_titles().await.len(), 1);
    let history = world.manager.api.get(&format!("{first}/history"), 200).await;
    assert_eq!(history["items"][0]["actor_id"], json!(null), "{history}");
}
