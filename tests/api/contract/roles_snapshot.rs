//! Who may do what: the committed table is the program's, and HTTP agrees with it.

use std::path::PathBuf;

use aims::app::kinds;
use aims::records::Entry;
use aims::tenancy::Role;
use reqwest::Method;
use serde_json::json;

use super::problems::assert_problem;
use super::stage::{Stage, rehearsal};
use crate::support::Person;

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/api/contract/roles.json")
}

#[test]
fn the_committed_role_table_is_that_of_the_program() {
    let now = serde_json::to_string_pretty(&kinds().role_table()).unwrap() + "\n";
    if super::is_update() {
        std::fs::write(file(), now).unwrap();
        return;
    }
    let committed = std::fs::read_to_string(file()).unwrap_or_default();
    assert!(
        committed == now,
        "who may do what has changed. If that is meant, run `UPDATE=1 cargo test --test api role_table` \
         and have the difference in tests/api/contract/roles.json reviewed."
    );
}

#[actix_web::test]
async fn over_http_each_role_does_what_the_table_says_and_nothing_else() {
    let stage = Stage::set(rehearsal().await).await;
    for role in Role::ALL {
        let person = stage.holder(*role).await;
        for entry in kinds().entries() {
            judge(&stage, &person, *role, entry).await;
        }
    }
}

async fn judge(stage: &Stage<'_>, person: &Person, role: Role, entry: &'static Entry) {
    let (list, api) = (stage.list(entry), &person.api);
    let what = |verb: &str| format!("{role}: {verb} {}", entry.info.name);
    let record = stage.make(entry).await;
    let at = stage.at(entry, &record);
    let read = entry.readers.has(role);
    let (write, write_own) = (entry.authors.has(role), entry.owners.has(role));
    let headers = [("If-Match", "*")];
    let patch = json!({"title": format!("Named by {role}")}).to_string();

    let seen = api.send(Method::GET, &at, &[], None).await;
    let expected = if read { 200 } else { 404 };
    assert_eq!(seen.status, expected, "{}", what("read"));

    // Events of this record; what follows for others is not what is counted here.
    let of_it = format!(
        "action <> 'refused' AND subject_id = '{}'",
        record["id"].as_str().unwrap()
    );
    let events = async || stage.app.count(stage.client.id, "events", &of_it).await;
    let before = events().await;
    let changed = api
        .send(Method::PATCH, &at, &headers, Some(patch.clone()))
        .await;
    let archived = api.send(Method::DELETE, &at, &headers, None).await;
    if write {
        assert_eq!(changed.status, 200, "{}: {}", what("change"), changed.text);
        assert_eq!(
            archived.status,
            204,
            "{}: {}",
            what("archive"),
            archived.text
        );
        assert_eq!(events().await, before + 2, "{}", what("write"));
    } else {
        assert_problem(&what("change"), &changed, 403);
        assert_problem(&what("archive"), &archived, 403);
        assert_eq!(events().await, before, "{}", what("refused"));
    }

    let input = stage.input(entry).await;
    stage.clear(entry).await;
    let before = stage.events().await;
    let made = api
        .send(Method::POST, &list, &[], Some(input.to_string()))
        .await;
    if !(write || write_own) {
        assert_problem(&what("create"), &made, 403);
        assert_eq!(stage.events().await, before, "{}", what("refused"));
        return;
    }
    assert_eq!(made.status, 201, "{}: {}", what("create"), made.text);
    if !write {
        // What they make is theirs, and theirs they change.
        let made = made.json();
        assert_eq!(made["owner_id"], json!(person.id), "{}", what("own"));
        let own = stage.at(entry, &made);
        let changed = api.send(Method::PATCH, &own, &headers, Some(patch)).await;
        assert_eq!(
            changed.status,
            200,
            "{}: {}",
            what("change own"),
            changed.text
        );
    }
}

#[actix_web::test]
async fn a_transition_of_somebody_elses_role_is_refused() {
    let stage = Stage::set(rehearsal().await).await;
    let mut people = Vec::new();
    for role in Role::ALL {
        people.push((*role, stage.holder(*role).await));
    }
    for entry in kinds().entries() {
        let record = stage.make(entry).await;
        let at = format!("{}/transitions", stage.at(entry, &record));
        let before = stage.events().await;
        for known in entry.moves.iter().filter(|known| known.from == entry.start) {
            let body = json!({"to": known.to, "reason": "It is time."}).to_string();
            for (role, person) in people.iter().filter(|(role, _)| !known.by.has(*role)) {
                let headers = [("If-Match", "*")];
                let answer = person
                    .api
                    .send(Method::POST, &at, &headers, Some(body.clone()))
                    .await;
                let what = format!("{role} moves {} to {}", entry.info.name, known.to);
                // Who does not see it is not told that it is there.
                let hidden = matches!(*role, Role::Employee) && !entry.readers.has(*role);
                assert_problem(&what, &answer, if hidden { 404 } else { 403 });
            }
        }
        assert_eq!(stage.events().await, before, "{}", entry.info.name);
    }
}
