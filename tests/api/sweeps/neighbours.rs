//! Each guard asks about the record itself: that a neighbour in the same tenant has what it wants
//! releases nothing, and that the neighbour lacks it blocks nothing.

use aims::app::kinds;
use aims::records::Move;

use super::walk::{Cast, Walk, guards_of, path_to};
use crate::contract::stage::rehearsal_of;
use crate::kinds::preparations::{Guard, guard};
use crate::support::Setup;

#[actix_web::test]
async fn what_a_guard_wants_is_wanted_of_each_record_by_itself() {
    let app = rehearsal_of(Setup::named("neighbours")).await;
    let cast = Cast::of(&app, "Europe/Amsterdam").await;
    for entry in kinds().entries() {
        let walk = Walk { cast: &cast, entry };
        for known in entry.moves.iter().filter(|known| !known.guards.is_empty()) {
            let on_the_way = guards_of(entry, &path_to(entry, known.from));
            let mut lacking = Vec::new();
            for (rule, name) in &known.guards {
                match guard(entry.info.name, name) {
                    Guard::Meet(_) | Guard::Break(_) | Guard::Late(_) if !on_the_way.contains(name) => {
                        let at = walk.before(known, Some(name)).await;
                        if entry.one_for.is_some() {
                            // The next one takes its place: it has no neighbours.
                            refuses(&walk, known, &at, rule.id, name).await;
                            continue;
                        }
                        lacking.push((at, rule.id, *name));
                    }
                    Guard::Person => refuses_somebody(&walk, known, rule.id).await,
                    Guard::Elsewhere(test) => is_there(entry.info.name, test),
                    _ => {}
                }
            }
            // The neighbour has everything, and is not kept by those that lack something.
            let whole = walk.before(known, None).await;
            for (at, rule, name) in &lacking {
                refuses(&walk, known, at, rule, name).await;
            }
            walk.step(&whole, known).await;
            for (at, rule, name) in &lacking {
                refuses(&walk, known, at, rule, name).await;
            }
        }
    }
}

/// A record that lacks one thing is moved by nobody, and the rule is named.
async fn refuses(walk: &Walk<'_>, known: &Move, at: &str, rule: &str, name: &str) {
    let before = walk.stage().author.api.get(at, 200).await;
    for (role, person) in walk.entitled(known) {
        let what = format!("{role}: {} without {name}", walk.what(known));
        let answer = walk.ask(person, at, known.to).await;
        assert!([403, 409, 422].contains(&answer.status), "{what}: {}", answer.text);
        let named = answer.json()["errors"].to_string();
        assert!(named.contains(&format!("\"{rule}: ")), "{what}: {}", answer.text);
    }
    assert_eq!(walk.stage().author.api.get(at, 200).await, before, "{}", walk.what(known));
}

/// Of those whose role may, the guard refuses some and not all.
async fn refuses_somebody(walk: &Walk<'_>, known: &'static Move, rule: &str) {
    let at = walk.before(known, None).await;
    let mut verdicts = Vec::new();
    for (_, person) in walk.entitled(known) {
        let option = walk.option(person, &at, known.to).await.unwrap();
        let by_rule = option["unmet"].to_string().contains(&format!("\"{rule}: "));
        assert_eq!(option["allowed"] == true, !by_rule, "{}: {option}", walk.what(known));
        verdicts.push(by_rule);
    }
    assert!(verdicts.contains(&true) && verdicts.contains(&false), "{}: {verdicts:?}", walk.what(known));
}

/// The test that breaks a guard is in the file of its kind.
fn is_there(kind: &str, test: &str) {
    let file = format!("{}/tests/api/kinds/{kind}.rs", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains(&format!("async fn {test}()")), "{file} has no {test}");
}
