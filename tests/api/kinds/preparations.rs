//! What the sweeps need to know of kinds that their declarations do not tell: how the guards of
//! their transitions are met, one by one, starting from the kind's example.
//!
//! A guard that is not here fails `sweeps::lifecycles` and `sweeps::neighbours`, which say so.

use aims::app::kinds;
use aims::records::{Entry, Move};
use futures_util::future::LocalBoxFuture;
use reqwest::Method;
use serde_json::{Value, json};

use crate::contract::stage::Stage;

/// Something done to or beside the record at an address.
pub type Act = for<'a> fn(&'a Stage<'a>, &'a str) -> LocalBoxFuture<'a, ()>;

/// How a guard stands to a record made from the example.
#[derive(Clone, Copy)]
pub enum Guard {
    /// The example does not meet it; this does, and for no other record.
    Meet(Act),
    /// The example meets it; this breaks it.
    Break(Act),
    /// As [`Guard::Meet`], but only once the record stands before the move.
    Late(Act),
    /// It asks who moves: of those who may, some it refuses.
    Person,
    /// The test in the kind's own file that breaks it.
    Elsewhere(&'static str),
}

use Guard::{Break, Elsewhere, Late, Meet, Person};

/// The guards of all kinds, by their kind and name; in this order they are met.
pub const GUARDS: &[(&str, &str, Guard)] = &[
    ("ai_system", "is_legacy", Meet(|stage, at| patch(stage, at, json!({"legacy": true})))),
    ("corrective_action", "has_an_owner", Meet(|stage, at| patch(stage, at, json!({"owner_id": stage.author.id})))),
    ("corrective_action", "says_how_it_will_show", Break(|stage, at| {
        patch(stage, at, json!({"effectiveness_criterion": null}))
    })),
    ("corrective_action", "shows_effect", Meet(|stage, at| {
        patch(stage, at, json!({"effectiveness_result": "No wrong advice since."}))
    })),
    ("corrective_action", "has_had_time_to_work", Late(|stage, at| Box::pin(async move { done_long_ago(stage, at).await }))),
    ("corrective_action", "is_reviewed_by_somebody_else",
        Elsewhere("nobody_who_had_a_hand_in_it_reviews_its_effect_whoever_owns_it_now")),
    ("evidence", "can_be_found", Break(|stage, at| patch(stage, at, json!({"location": null})))),
    ("management_review", "has_all_inputs", Meet(|stage, at| patch(stage, at, inputs()))),
    ("management_review", "was_held", Meet(|stage, at| patch(stage, at, json!({"held_on": "2027-03-15"})))),
    ("management_review", "has_minutes", Meet(|stage, at| patch(stage, at, json!({"minutes": "We looked at all of it."})))),
    ("management_review", "top_attended", Meet(|stage, at| {
        patch(stage, at, json!({"attendees": [{"person_id": stage.approver.id}]}))
    })),
    ("management_review", "has_decided", Meet(|stage, at| {
        let change = json!({"kind": "change", "text": "None, because nothing has changed", "nothing": true});
        Box::pin(async move {
            let mut decisions = stage.author.api.get(at, 200).await["decisions"].clone();
            decisions.as_array_mut().unwrap().push(change);
            patch(stage, at, json!({"decisions": decisions})).await;
        })
    })),
    ("management_review", "actions_are_assigned", Meet(|stage, at| Box::pin(async move {
        let mut decisions = stage.author.api.get(at, 200).await["decisions"].clone();
        for decision in decisions.as_array_mut().unwrap().iter_mut().filter(|decision| decision["nothing"] != true) {
            decision["owner_id"] = json!(stage.author.id);
            decision["due_on"] = json!("2027-09-30");
        }
        patch(stage, at, json!({"decisions": decisions})).await;
    }))),
    ("nonconformity", "is_corrected", Meet(|stage, at| patch(stage, at, json!({"correction": "The advice was taken back."})))),
    ("nonconformity", "knows_its_cause", Meet(|stage, at| {
        let cause = json!({"root_cause": "Holiday terms were never tested", "root_cause_method": "five_whys"});
        patch(stage, at, cause)
    })),
    ("nonconformity", "has_an_action", Meet(|stage, at| Box::pin(async move {
        action_on(stage, at).await;
    }))),
    ("nonconformity", "has_done_an_action", Meet(|stage, at| Box::pin(async move {
        let action = action_on(stage, at).await;
        for state in ["in_progress", "done"] {
            stage.approver.api.transition(&action, state, None, 200).await;
        }
    }))),
    ("nonconformity", "is_shown_to_be_over", Meet(|stage, at| Box::pin(async move {
        let action = action_on(stage, at).await;
        done_long_ago(stage, &action).await;
        patch(stage, &action, json!({"effectiveness_result": "No wrong advice since."})).await;
        stage.author.api.transition(&action, "effective", None, 200).await;
    }))),
    ("nonconformity", "has_handled_its_consequences", Meet(|stage, at| {
        patch(stage, at, json!({"consequences": "All 31 were told the right date."}))
    })),
    ("nonconformity", "has_looked_for_similar_cases", Meet(|stage, at| {
        patch(stage, at, json!({"similar_check": "No other terms are advised upon."}))
    })),
    ("nonconformity", "decides_on_the_aims", Meet(|stage, at| {
        patch(stage, at, json!({"aims_change": {"needed": false, "because": "The test plan covers it now."}}))
    })),
    ("nonconformity", "is_closed_by_somebody_else",
        Elsewhere("it_is_closed_for_the_client_by_somebody_else_than_who_does_its_actions")),
    ("policy", "by_top_management", Person),
    ("policy", "commits", Break(|stage, at| patch(stage, at, json!({"commitments": []})))),
    ("policy", "is_reviewed_in_time", Meet(|stage, at| patch(stage, at, json!({"next_review_on": "2027-12-01"})))),
    ("policy", "reaches_its_audience", Break(|stage, at| patch(stage, at, json!({"audience": "readers"})))),
    ("residual_acceptance", "still_the_level", Meet(|stage, at| rate_and_ask(stage, at, 2))),
    ("residual_acceptance", "entitled", Break(|stage, at| rate_and_ask(stage, at, 25))),
    ("residual_acceptance", "in_time", Elsewhere("it_is_not_given_after_its_last_day_and_expires_by_itself_the_day_after")),
    ("risk", "has_inherent_rating", Meet(|stage, at| patch(stage, at, json!({"inherent": {"likelihood": 1, "consequence": 2}})))),
    ("risk", "inside_tolerance", Break(|stage, at| patch(stage, at, json!({"inherent": {"likelihood": 5, "consequence": 5}})))),
    ("risk", "option_retain", Meet(|stage, at| patch(stage, at, json!({"treatment_option": "retain"})))),
    ("risk", "has_owner", Meet(|stage, at| patch(stage, at, json!({"owner_id": stage.author.id})))),
    ("risk", "has_effective_treatment", Meet(|stage, at| Box::pin(async move { treat(stage, at).await }))),
    ("risk", "is_accepted", Meet(|stage, at| Box::pin(async move { accept(stage, at).await }))),
    ("soa", "has_each_control_once", Break(|stage, at| Box::pin(async move {
        beside(stage, "soa_entry", "soa_id", at).await;
    }))),
    ("soa", "justifies_each", Meet(|stage, at| Box::pin(async move { include_all(stage, at).await }))),
    ("soa", "contradicts_no_fact", Break(|stage, at| Box::pin(async move { exclude_against_facts(stage, at).await }))),
    ("risk_treatment", "shows_effect", Meet(|stage, at| {
        patch(stage, at, json!({"effectiveness_result": "The selection ratio is 0.86."}))
    })),
];

/// Moves that follow from something else, of kinds and between states: what makes them follow.
pub const FOLLOWS: &[(&str, &str, &str, Act)] = &[
    ("metric", "blind", "active", |stage, at| Box::pin(async move {
        let measured = json!({"value": 0.1, "at": "2027-03-15T07:00:00Z"});
        stage.author.api.post(&format!("{at}/measurements"), &measured, 200).await;
    })),
    ("nonconformity", "closed", "cause_found", |stage, at| Box::pin(async move {
        let action = action_on(stage, at).await;
        stage.author.api.transition(&action, "ineffective", Some("It came again."), 200).await;
    })),
    ("soa", "approved", "review_required", |stage, _| Box::pin(async move {
        stage.make(kinds().by_name("ai_system").unwrap()).await;
    })),
    ("soa_entry", "current", "withdrawn", |stage, at| Box::pin(async move {
        let entry = stage.author.api.get(at, 200).await;
        let soa = stage.client.path(&format!("soas/{}", entry["soa_id"].as_str().unwrap()));
        stage.approver.api.transition(&soa, "withdrawn", Some("Not needed."), 200).await;
    })),
];

/// Fields that stay as they are made, by kind: changing one is refused.
pub const KEPT: &[(&str, &str)] = &[("soa_entry", "soa_id"), ("soa_entry", "control")];

/// What makes a move follow that neither people make nor time.
pub fn follows(kind: &str, known: &Move) -> Option<Act> {
    let is_it = |(of, from, to, _): &&(&str, &str, &str, Act)| [*of, *from, *to] == [kind, known.from, known.to];
    FOLLOWS.iter().find(is_it).map(|(.., act)| *act)
}

/// How a guard is met.
pub fn guard(kind: &str, name: &str) -> Guard {
    let known = GUARDS.iter().find(|(of, known, _)| *of == kind && *known == name);
    let Some((_, _, guard)) = known else {
        panic!(
            "nobody knows how {name} of {kind} is met: add a line to GUARDS in \
             tests/api/kinds/preparations.rs (Meet: what meets it for one record made from the \
             example; Break: what breaks it, where the example meets it)"
        );
    };
    *guard
}

/// A valid other value of a field, where none can be derived from its schema.
pub fn another(kind: &str, field: &str) -> Option<Value> {
    match (kind, field) {
        ("risk_criteria", "levels") => Some(json!([
            {"level": "low", "from": 1, "to": 6}, {"level": "high", "from": 7, "to": 25},
        ])),
        ("soa_entry", "decision") => Some(json!(null)),
        ("waiver", "rule") => Some(json!("GEN-3")),
        _ => None,
    }
}

/// What a client has before any record of `entry` is tried: criteria in force.
pub async fn ground(stage: &Stage<'_>, entry: &Entry) {
    let criteria = kinds().by_name("risk_criteria").unwrap();
    let in_force = format!("{}?in_force=true", stage.list(criteria));
    let there = stage.author.api.get(&in_force, 200).await;
    if entry.info.name == criteria.info.name || there["items"] != json!([]) {
        return;
    }
    let made = stage.make(criteria).await;
    let at = stage.at(criteria, &made);
    stage.approver.api.transition(&at, "approved", None, 200).await;
}

/// Changes the record, as its author.
fn patch<'a>(stage: &'a Stage<'a>, at: &'a str, change: Value) -> LocalBoxFuture<'a, ()> {
    Box::pin(async move {
        let headers = [("If-Match", "*")];
        let api = &stage.author.api;
        api.send(Method::PATCH, at, &headers, Some(change.to_string())).await.expect(200);
    })
}

/// The inputs of a review that is ready.
pub fn inputs() -> Value {
    let inputs = [
        "earlier_actions",
        "changed_issues",
        "changed_needs",
        "nonconformity_trend",
        "measurement_trend",
        "audit_results",
        "improvement_chances",
    ];
    json!({"inputs": inputs.map(|input| json!({"type": input, "summary": "Looked at"}))})
}

/// A record of a kind that refers to the one at an address by a field.
async fn beside(stage: &Stage<'_>, kind: &str, field: &str, at: &str) -> String {
    let entry = kinds().by_name(kind).unwrap();
    let mut input = crate::contract::stage::example(entry);
    input[field] = json!(at.rsplit('/').next());
    let made = stage.author.api.post(&stage.list(entry), &input, 201).await;
    stage.at(entry, &made)
}

/// Includes every control of a statement, justified.
async fn include_all(stage: &Stage<'_>, soa: &str) {
    let api = &stage.author.api;
    let list = stage.client.path("soa-entries");
    let entries = api.get(&format!("{list}?limit=200&soa_id={}", soa.rsplit('/').next().unwrap()), 200).await;
    let include = |entry: &Value| {
        let body = json!({
            "decision": "included",
            "justification": format!("{} is what our risks ask for.", entry["title"].as_str().unwrap()),
            "reasons": ["risk"],
            "owner_id": stage.author.id,
            "implementation": "planned",
        });
        json!({"op": "update", "id": entry["id"], "version": entry["version"], "body": body})
    };
    let operations: Vec<Value> = entries["items"].as_array().unwrap().iter().map(include).collect();
    let batch = json!({"atomic": true, "operations": operations});
    let done = api.post(&format!("{list}/batch"), &batch, 200).await;
    assert_eq!(done["committed"], true, "{done}");
}

/// Excludes a control of a statement, before a treatment that uses it is named.
async fn exclude_against_facts(stage: &Stage<'_>, soa: &str) {
    let at = entry_of(stage, soa, "A.3.3").await;
    let why = "Nobody outside of the organisation can raise a concern.";
    patch(stage, &at, json!({"decision": "excluded", "justification": why})).await;
    let treatment = stage.make(kinds().by_name("risk_treatment").unwrap()).await;
    patch(stage, &at, json!({"treatments": [treatment["id"]]})).await;
}

/// The entry of a statement about a control.
pub async fn entry_of(stage: &Stage<'_>, soa: &str, control: &str) -> String {
    let soa = soa.rsplit('/').next().unwrap();
    let found = stage.client.path(&format!("soa-entries?soa_id={soa}&control={control}"));
    let found = stage.author.api.get(&found, 200).await;
    stage.client.path(&format!("soa-entries/{}", found["items"][0]["id"].as_str().unwrap()))
}

/// The corrective action on a nonconformity, which the approver does; made where there is none.
async fn action_on(stage: &Stage<'_>, nonconformity: &str) -> String {
    let entry = kinds().by_name("corrective_action").unwrap();
    let of = format!("{}?nonconformity_id={}", stage.list(entry), nonconformity.rsplit('/').next().unwrap());
    let there = stage.author.api.get(&of, 200).await;
    if let Some(action) = there["items"].as_array().unwrap().first() {
        return stage.at(entry, action);
    }
    let at = beside(stage, "corrective_action", "nonconformity_id", nonconformity).await;
    patch(stage, &at, json!({"owner_id": stage.approver.id})).await;
    at
}

/// Puts back the day on which an action was done: it has had time to work.
async fn done_long_ago(stage: &Stage<'_>, action: &str) {
    let (tenant, id) = (stage.client.id, action.rsplit('/').next().unwrap());
    let db = stage.app.owner().await;
    let sql = format!(
        "SET app.tenant_id = '{tenant}';
         UPDATE records SET body = jsonb_set(body, '{{done_on}}', '\"2027-02-01\"') WHERE id = '{id}'"
    );
    db.batch_execute(&sql).await.unwrap();
    // Stored anew, its order in lists and its deadline follow.
    patch(stage, action, json!({"next_review_on": "2027-12-01"})).await;
}

/// Treats a risk, with effect.
async fn treat(stage: &Stage<'_>, risk: &str) {
    let at = beside(stage, "risk_treatment", "risk_id", risk).await;
    stage.approver.api.transition(&at, "approved", None, 200).await;
    patch(stage, &at, json!({"effectiveness_result": "The selection ratio is 0.86."})).await;
    for state in ["in_progress", "implemented", "effective"] {
        stage.author.api.transition(&at, state, None, 200).await;
    }
}

/// Accepts what is left of a risk.
async fn accept(stage: &Stage<'_>, risk: &str) {
    let at = beside(stage, "residual_acceptance", "risk_id", risk).await;
    stage.approver.api.transition(&at, "accepted", None, 200).await;
}

/// Rates the risk of an acceptance by a score of 2 or 25, and asks anew.
fn rate_and_ask<'a>(stage: &'a Stage<'a>, at: &'a str, score: u8) -> LocalBoxFuture<'a, ()> {
    Box::pin(async move {
        let acceptance = stage.author.api.get(at, 200).await;
        let risk = stage.client.path(&format!("risks/{}", acceptance["risk_id"].as_str().unwrap()));
        let (likelihood, consequence) = if score == 25 { (5, 5) } else { (1, 2) };
        let rating = json!({"likelihood": likelihood, "consequence": consequence});
        patch(stage, &risk, json!({"inherent": rating})).await;
        let why = format!("At a score of {score} this can be lived with, as long as a human decides.");
        patch(stage, at, json!({"rationale": why})).await;
    })
}
