//! Every declared transition of every kind is made once by somebody with a right role, and
//! refused to every other; what is not declared is refused to everybody; every state is entered.

use std::collections::HashSet;

use aims::app::kinds;
use aims::records::Move;
use aims::tenancy::Role;
use reqwest::Method;
use serde_json::{Value, json};

use super::walk::{Cast, Walk, path_to};
use crate::contract::problems::assert_problem;
use crate::contract::stage::rehearsal_of;
use crate::support::{Person, Setup};

#[actix_web::test]
async fn every_declared_move_is_made_by_who_may_and_by_nobody_else() {
    let app = rehearsal_of(Setup::named("lifecycles")).await;
    let cast = Cast::of(&app, "Europe/Amsterdam").await;
    for entry in kinds().entries() {
        let walk = Walk { cast: &cast, entry };
        let mut entered = HashSet::new();
        for known in &entry.moves {
            assert!(known.is_for_people() || !known.flags.approves, "{}: time approves nothing", walk.what(known));
            let at = walk.before(known, None).await;
            if entered.insert(known.from) {
                look_around(&walk, known.from, &at).await;
            }
            bar(&walk, known, &at).await;
            walk.step(&at, known).await;
            if entered.insert(known.to) {
                look_around(&walk, known.to, &at).await;
            }
            for field in known.or {
                as_person(&walk, known, field).await;
            }
        }
        let missed: Vec<_> = entry.states.iter().filter(|state| !entered.contains(*state)).collect();
        assert!(missed.is_empty(), "{}: nothing leads to {missed:?}", entry.info.name);
    }
}

/// In a state: what is declared is refused to who may not, and what is not declared to everybody.
async fn look_around(walk: &Walk<'_>, state: &str, at: &str) {
    let reader = &walk.stage().author.api;
    let before = reader.get(at, 200).await;
    assert_eq!(before["status"], state, "{before}");
    let out: Vec<&Move> = walk.entry.moves.iter().filter(|known| known.from == state).collect();
    let to_people: Vec<&str> = out.iter().filter(|known| known.is_for_people()).map(|known| known.to).collect();
    let undeclared = walk.entry.states.iter().filter(|to| out.iter().all(|known| known.to != **to));
    for to in undeclared.copied().chain(["somewhere_else"]) {
        let what = format!("{} {state} -> {to}", walk.entry.info.name);
        let answer = walk.ask(&walk.stage().author, at, to).await;
        assert_problem(&what, &answer, 409);
        assert_eq!(answer.json()["allowed"], json!(to_people), "{what}: {}", answer.text);
    }
    for known in out {
        for (role, person) in &walk.cast.people {
            if !known.by.has(*role) {
                refused(walk, known, at, *role, person).await;
            } else if !(known.flags.approves && role.is_of_consultancy()) {
                not_for_the_role(walk, known, at, *role, person).await;
            }
        }
    }
    let after = reader.get(at, 200).await;
    assert_eq!(before, after, "{}: what was refused had an effect", walk.entry.info.name);
}

/// Somebody without a right role is refused.
async fn refused(walk: &Walk<'_>, known: &Move, at: &str, role: Role, person: &Person) {
    let what = format!("{role}: {}", walk.what(known));
    let answer = walk.ask(person, at, known.to).await;
    // Who does not see it is not told that it is there.
    let reads = walk.entry.readers.has(role) || role == Role::ExternalAuditor;
    let sees = reads || person.api.send(Method::GET, at, &[], None).await.status == 200;
    assert_problem(&what, &answer, if sees { 403 } else { 404 });
    if known.flags.approves && role.is_of_consultancy() {
        assert_eq!(answer.rule().as_deref(), Some("GEN-1"), "{what}: {}", answer.text);
    }
    if let Some(option) = walk.option(person, at, known.to).await {
        assert_eq!(option["allowed"], false, "{what}: {option}");
    }
}

/// Whatever stands in the way of somebody with a right role, it is not the role.
async fn not_for_the_role(walk: &Walk<'_>, known: &Move, at: &str, role: Role, person: &Person) {
    let what = format!("{role}: {}", walk.what(known));
    let option = walk.option(person, at, known.to).await;
    let option = option.unwrap_or_else(|| panic!("{what}: is not shown"));
    assert!(option["allowed"] == true || !option["rule"].is_null(), "{what}: {option}");
}

/// GEN-1 and exceptions: the author, the owner, the person of a field and the firm are refused
/// what others with their roles may do.
async fn bar(walk: &Walk<'_>, known: &'static Move, at: &str) {
    let author = &walk.stage().author;
    let bars_author = known.flags.approves || known.except.contains(&"author");
    if bars_author && is_author(walk, known, at).await {
        gen_1(walk, known, at, author, "the author").await;
    }
    if known.flags.approves {
        for role in [Role::Lead, Role::Consultant] {
            gen_1(walk, known, at, walk.cast.holder(role), "the firm").await;
        }
    }
    let named = known.except.iter().filter(|field| **field != "author");
    for field in named {
        let field = if *field == "owner" { "owner_id" } else { *field };
        for (_, person) in walk.entitled(known) {
            let was = person_in(walk, at, field, json!(person.id)).await;
            gen_1(walk, known, at, person, field).await;
            person_in(walk, at, field, was).await;
        }
    }
}

/// Whether the author has written the record since it was last approved: makes it so, if it can
/// be written.
async fn is_author(walk: &Walk<'_>, known: &Move, at: &str) -> bool {
    if walk.entry.is_frozen(known.from) {
        return path_to(walk.entry, known.from).iter().all(|past| !past.flags.approves);
    }
    let title = json!({"title": format!("To become {}", known.to)});
    walk.stage().author.api.patch(at, &title, 200).await;
    true
}

async fn gen_1(walk: &Walk<'_>, known: &Move, at: &str, person: &Person, who: &str) {
    let what = format!("{who}: {}", walk.what(known));
    let answer = walk.ask(person, at, known.to).await;
    assert_problem(&what, &answer, 403);
    assert_eq!(answer.rule().as_deref(), Some("GEN-1"), "{what}: {}", answer.text);
}

/// Puts somebody into a field; answers who was there.
async fn person_in(walk: &Walk<'_>, at: &str, field: &str, person: Value) -> Value {
    let api = &walk.stage().author.api;
    let was = api.get(at, 200).await[field].clone();
    let change = match was.is_array() && !person.is_array() {
        true => json!([person]),
        false => person,
    };
    api.patch(at, &json!({field: change}), 200).await;
    was
}

/// The person whom a field names makes the move, whatever their role.
async fn as_person(walk: &Walk<'_>, known: &'static Move, field: &str) {
    let what = format!("the person of {field}: {}", walk.what(known));
    let at = walk.before(known, None).await;
    let person = walk.cast.holder(Role::Employee);
    let field = if field == "owner" { "owner_id" } else { field };
    person_in(walk, &at, field, json!(person.id)).await;
    let seen = person.api.send(Method::GET, &at, &[], None).await;
    // Who is named in a field other than the owner sees it only if the kind's readers do.
    let mover = match seen.status {
        200 => person,
        _ => {
            let outside = Role::ALL.iter().find(|role| walk.entry.readers.has(**role) && !known.by.has(**role));
            let person = walk.cast.holder(*outside.unwrap_or_else(|| panic!("{what}: everybody may")));
            person_in(walk, &at, field, json!(person.id)).await;
            person
        }
    };
    let answer = walk.ask(mover, &at, known.to).await;
    assert_eq!(answer.status, 200, "{what}: {}", answer.text);
}
