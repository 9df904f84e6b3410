//! Every rule is violated once and satisfied once, and named where it refuses.
//!
//! Rules that guard transitions are tried by themselves; for those that judge what is written, and
//! those that make something follow, the requests stand here.

use std::collections::BTreeSet;
use std::path::Path;

use aims::app::kinds;
use aims::records::{GEN_1, GEN_2};
use futures_util::future::LocalBoxFuture;
use reqwest::Method;
use serde_json::{Value, json};

use super::walk::{Cast, Walk, guards_of, path_to};
use crate::contract::stage::{example, rehearsal_of};
use crate::kinds::preparations::{Guard, entry_of, ground, guard};
use crate::support::{Answer, Client, Setup};

/// Two requests: one that a rule refuses, and one that it lets pass.
type Case = for<'a> fn(&'a Cast<'a>) -> LocalBoxFuture<'a, [Answer; 2]>;

/// Rules that judge what is written of a kind, each with two requests.
const WRITTEN: &[(&str, &str, Case)] = &[
    ("corrective_action", "NC-1", |cast| Box::pin(action_on_what_is_closed(cast))),
    ("nonconformity", "NC-2", |cast| Box::pin(recurs_of_another(cast))),
    ("policy", "POL-1", |cast| Box::pin(reviewed_too_late(cast))),
    ("risk", "RSK-1", |cast| Box::pin(rated_without_criteria(cast))),
    ("risk", "RSK-3", |cast| Box::pin(residual_above_inherent(cast))),
    ("soa_entry", "SOA-2", |cast| Box::pin(entry_no_longer_whole(cast))),
    ("soa_entry", "SOA-3", |cast| Box::pin(excluded_though_used(cast))),
];

/// Something done that a rule answers by making something follow, and something that it lets be:
/// whether anything followed.
type Consequence = for<'a> fn(&'a Cast<'a>) -> LocalBoxFuture<'a, [bool; 2]>;

/// Rules that refuse nothing, but make something follow.
const FOLLOWING: &[(&str, &str, Consequence)] = &[
    ("metric", "MON-1", |cast| Box::pin(breached(cast))),
    ("soa", "SOA-4", |cast| Box::pin(new_system(cast))),
];

/// Rules by which nothing judges yet. The one that makes a rule work takes it out, and with it
/// comes a guard, which is tried by itself, or a case above.
const NOT_YET: &[&str] = &[];

/// Texts of all kinds, without the list of the rules.
fn sources(folder: &Path) -> String {
    let mut text = String::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.is_dir() {
            text.push_str(&sources(&path));
        } else if !path.ends_with("aims/rules.rs") {
            text.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
    text
}

#[test]
fn every_rule_judges_something_or_is_on_the_list_that_only_shrinks() {
    let sources = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/aims"));
    let words: BTreeSet<&str> = sources.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
    let of_kinds = kinds().rules().filter(|rule| ![GEN_1.id, GEN_2.id].contains(&rule.id));
    for rule in of_kinds {
        let is_used = words.contains(rule.id.replace('-', "_").as_str());
        let waits = NOT_YET.contains(&rule.id);
        assert!(is_used || waits, "no kind judges by {}", rule.id);
        assert!(!(is_used && waits), "{} works now: take it out of NOT_YET in sweeps/rules.rs", rule.id);
    }
}

#[actix_web::test]
async fn every_rule_is_named_where_it_refuses_and_lets_pass_what_keeps_it() {
    let app = rehearsal_of(Setup::named("rules")).await;
    let cast = Cast::of(&app, "Europe/Amsterdam").await;
    let mut tried = by_guards(&cast).await;
    for (kind, rule, case) in WRITTEN {
        judge(&format!("{rule} of {kind}"), rule, case(&cast).await);
        tried.insert(rule);
    }
    for (kind, rule, case) in FOLLOWING {
        assert_eq!(case(&cast).await, [true, false], "what follows from {rule} of {kind}");
        tried.insert(rule);
    }
    judge("GEN-1", GEN_1.id, approved_by_the_author(&cast).await);
    judge("GEN-2", GEN_2.id, changed_once_approved(&cast).await);
    tried.extend([GEN_1.id, GEN_2.id]);

    for entry in kinds().entries() {
        for rule in entry.rules {
            let written = WRITTEN.iter().map(|(kind, id, _)| (*kind, *id));
            let mut known = written.chain(FOLLOWING.iter().map(|(kind, id, _)| (*kind, *id)));
            let is_known = known.any(|known| known == (entry.info.name, rule.id));
            let (rule, many) = (rule.id, entry.info.many);
            assert!(is_known, "{rule} judges {many}: add it to WRITTEN or FOLLOWING in sweeps/rules.rs");
        }
    }
    let untried = kinds().rules().filter(|rule| !tried.contains(rule.id) && !NOT_YET.contains(&rule.id));
    let untried: Vec<_> = untried.map(|rule| rule.id).collect();
    assert!(untried.is_empty(), "nothing tries {untried:?}: add requests to sweeps/rules.rs");
}

fn judge(what: &str, rule: &str, [refused, kept]: [Answer; 2]) {
    assert!([403, 409, 422].contains(&refused.status), "{what}: {}", refused.text);
    assert_eq!(refused.rule().as_deref(), Some(rule), "{what}: {}", refused.text);
    assert!((200..300).contains(&kept.status), "{what}: {}", kept.text);
}

/// Tries each rule that guards a transition once; answers which.
async fn by_guards(cast: &Cast<'_>) -> BTreeSet<&'static str> {
    let mut tried = BTreeSet::new();
    for entry in kinds().entries() {
        let walk = Walk { cast, entry };
        for known in &entry.moves {
            let on_the_way = guards_of(entry, &path_to(entry, known.from));
            for (rule, name) in &known.guards {
                let can_lack = matches!(guard(entry.info.name, name), Guard::Meet(_) | Guard::Break(_) | Guard::Late(_));
                if tried.contains(rule.id) || on_the_way.contains(name) || !can_lack {
                    continue;
                }
                let whole = walk.before(known, None).await;
                let person = walk.mover(&whole, known).await;
                let kept = walk.ask(person, &whole, known.to).await;
                let lacking = walk.before(known, Some(name)).await;
                let answers = [walk.ask(person, &lacking, known.to).await, kept];
                judge(&format!("{} without {name}", walk.what(known)), rule.id, answers);
                tried.insert(rule.id);
            }
        }
    }
    tried
}

async fn patch(api: &Client, at: &str, change: Value) -> Answer {
    api.send(Method::PATCH, at, &[("If-Match", "*")], Some(change.to_string())).await
}

/// A new action on a nonconformity that is closed, and on one that is not.
async fn action_on_what_is_closed(cast: &Cast<'_>) -> [Answer; 2] {
    let (stage, api) = (&cast.stage, &cast.stage.author.api);
    let entry = kinds().by_name("nonconformity").unwrap();
    let reopens = entry.moves.iter().find(|known| known.from == "closed").unwrap();
    let closed = Walk { cast, entry }.before(reopens, None).await;
    let open = stage.at(entry, &stage.make(entry).await);
    let actions = kinds().by_name("corrective_action").unwrap();
    let on = async |of: &str| {
        let mut input = example(actions);
        input["nonconformity_id"] = json!(of.rsplit('/').next());
        api.send(Method::POST, &stage.list(actions), &[], Some(input.to_string())).await
    };
    [on(&closed).await, on(&open).await]
}

/// What a nonconformity recurs is said, and then said otherwise.
async fn recurs_of_another(cast: &Cast<'_>) -> [Answer; 2] {
    let (stage, api) = (&cast.stage, &cast.stage.author.api);
    let entry = kinds().by_name("nonconformity").unwrap();
    let at = stage.at(entry, &stage.make(entry).await);
    let first = json!({"recurs_of": stage.make(entry).await["id"]});
    let other = json!({"recurs_of": stage.make(entry).await["id"]});
    let kept = patch(api, &at, first).await;
    [patch(api, &at, other).await, kept]
}

/// A policy in force, reviewed in two years, or within twelve months.
async fn reviewed_too_late(cast: &Cast<'_>) -> [Answer; 2] {
    let entry = kinds().by_name("policy").unwrap();
    let revises = entry.moves.iter().find(|known| known.from == "published" && known.flags.revises);
    let walk = Walk { cast, entry };
    let at = walk.before(revises.unwrap(), None).await;
    let api = &cast.stage.author.api;
    let late = patch(api, &at, json!({"next_review_on": "2029-03-15"})).await;
    [late, patch(api, &at, json!({"next_review_on": "2028-03-15"})).await]
}

/// A rated risk, before criteria are approved and after.
async fn rated_without_criteria(cast: &Cast<'_>) -> [Answer; 2] {
    let (stage, api) = (&cast.stage, &cast.stage.author.api);
    let risks = kinds().by_name("risk").unwrap();
    stage.clear(kinds().by_name("risk_criteria").unwrap()).await;
    let at = stage.at(risks, &stage.make(risks).await);
    let rating = json!({"inherent": {"likelihood": 2, "consequence": 2}});
    let refused = patch(api, &at, rating.clone()).await;
    ground(stage, risks).await;
    [refused, patch(api, &at, rating).await]
}

/// More is left than there was before, without a reason and with one.
async fn residual_above_inherent(cast: &Cast<'_>) -> [Answer; 2] {
    let (stage, api) = (&cast.stage, &cast.stage.author.api);
    let risks = kinds().by_name("risk").unwrap();
    ground(stage, risks).await;
    let mut input = example(risks);
    input["inherent"] = json!({"likelihood": 1, "consequence": 1});
    input["residual"] = json!({"likelihood": 2, "consequence": 2});
    let list = stage.list(risks);
    let refused = api.send(Method::POST, &list, &[], Some(input.to_string())).await;
    input["residual_reason"] = json!("The control opens a new way in.");
    [refused, api.send(Method::POST, &list, &[], Some(input.to_string())).await]
}

/// A statement in force.
async fn statement(cast: &Cast<'_>) -> String {
    let entry = kinds().by_name("soa").unwrap();
    let leads_on = entry.moves.iter().find(|known| known.from == "approved").unwrap();
    Walk { cast, entry }.before(leads_on, None).await
}

/// Of an approved entry, what is left out and what goes on.
async fn entry_no_longer_whole(cast: &Cast<'_>) -> [Answer; 2] {
    let at = entry_of(&cast.stage, &statement(cast).await, "A.3.3").await;
    let api = &cast.stage.author.api;
    let refused = patch(api, &at, json!({"implementation": null})).await;
    [refused, patch(api, &at, json!({"implementation": "implemented"})).await]
}

/// A control is excluded that a treatment uses, and one that none uses.
async fn excluded_though_used(cast: &Cast<'_>) -> [Answer; 2] {
    let (stage, api) = (&cast.stage, &cast.stage.author.api);
    let entry = kinds().by_name("soa").unwrap();
    let soa = stage.at(entry, &stage.make(entry).await);
    let treatment = stage.make(kinds().by_name("risk_treatment").unwrap()).await;
    let why = "Nobody outside of the organisation can raise a concern.";
    let exclusion = json!({"decision": "excluded", "justification": why});
    let mut used = exclusion.clone();
    used["treatments"] = json!([treatment["id"]]);
    let at = entry_of(stage, &soa, "A.3.3").await;
    [patch(api, &at, used).await, patch(api, &at, exclusion).await]
}

/// After an approval a new system, and another title of it: whether a review is asked for.
async fn new_system(cast: &Cast<'_>) -> [bool; 2] {
    let (stage, api) = (&cast.stage, &cast.stage.author.api);
    let systems = kinds().by_name("ai_system").unwrap();
    let soa = statement(cast).await;
    let system = stage.at(systems, &stage.make(systems).await);
    let asked = api.get(&soa, 200).await["status"] == "review_required";
    let soa = statement(cast).await;
    patch(api, &system, json!({"title": "Renamed"})).await.expect(200);
    [asked, api.get(&soa, 200).await["status"] == "review_required"]
}

/// A measurement outside the threshold, and one inside: whether a task was opened.
async fn breached(cast: &Cast<'_>) -> [bool; 2] {
    let (stage, api) = (&cast.stage, &cast.stage.author.api);
    let mut opened = Vec::new();
    for value in [0.9, 0.1] {
        let entry = kinds().by_name("metric").unwrap();
        let at = stage.at(entry, &stage.make(entry).await);
        let measured = json!({"value": value, "at": "2027-03-15T07:00:00Z"});
        api.post(&format!("{at}/measurements"), &measured, 200).await;
        let tasks = api.get(&stage.client.path("tasks?limit=200"), 200).await;
        opened.push(tasks.to_string().contains(at.rsplit('/').next().unwrap()));
    }
    [opened[0], opened[1]]
}

/// Criteria approved by who wrote them, and by another.
async fn approved_by_the_author(cast: &Cast<'_>) -> [Answer; 2] {
    let entry = kinds().by_name("risk_criteria").unwrap();
    let walk = Walk { cast, entry };
    let known = entry.moves.iter().find(|known| known.flags.approves).unwrap();
    let at = walk.before(known, None).await;
    let refused = walk.ask(&cast.stage.author, &at, known.to).await;
    [refused, walk.ask(walk.mover(&at, known).await, &at, known.to).await]
}

/// Approved criteria, and criteria that are revised.
async fn changed_once_approved(cast: &Cast<'_>) -> [Answer; 2] {
    let entry = kinds().by_name("risk_criteria").unwrap();
    let walk = Walk { cast, entry };
    let revises = entry.moves.iter().find(|known| known.flags.revises).unwrap();
    let at = walk.before(revises, None).await;
    let api = &cast.stage.author.api;
    let change = json!({"tolerance": "medium"});
    let refused = patch(api, &at, change.clone()).await;
    walk.step(&at, revises).await;
    [refused, patch(api, &at, change).await]
}
