//! What history tells, beside what a reader saw before and after.

use serde_json::{Map, Value, json};

use crate::support::{Client, Person};

/// Fields of a record that an event does not tell as changes: they follow from the event itself.
const UNTOLD: &[&str] = &[
    "id",
    "ref",
    "status",
    "version",
    "created_at",
    "created_by",
    "updated_at",
    "updated_by",
    "archived_at",
];

/// Actions that store the record itself.
const SAVES: &[&str] = &["changed", "moved", "linked", "unlinked", "archived", "restored"];

/// A record before something is done to it.
pub struct Before {
    pub record: Value,
    seq: i64,
}

/// A record after it, and the events that were written meanwhile, oldest first.
pub struct After {
    pub record: Value,
    pub events: Vec<Value>,
}

async fn newest(api: &Client, at: &str, limit: usize) -> Vec<Value> {
    let history = api.get(&format!("{at}/history?limit={limit}"), 200).await;
    history["items"].as_array().unwrap().clone()
}

fn seq(event: &Value) -> i64 {
    event["seq"].as_i64().unwrap()
}

/// Reads a record before something is done to it.
pub async fn before(api: &Client, at: &str) -> Before {
    Before {
        record: api.get(at, 200).await,
        seq: newest(api, at, 1).await.first().map_or(0, seq),
    }
}

/// The record's fields of which events tell.
pub fn told_of(record: &Value) -> Map<String, Value> {
    let mut fields = record.as_object().unwrap().clone();
    fields.retain(|name, _| !UNTOLD.contains(&name.as_str()));
    fields
}

/// Every field that differs, with what it was and what it is.
fn differences(before: &Value, after: &Value) -> Value {
    let (before, after) = (told_of(before), told_of(after));
    let names = before.keys().chain(after.keys());
    names
        .map(|name| (name.clone(), json!([before.get(name), after.get(name)])))
        .filter(|(_, pair)| pair[0] != pair[1])
        .collect::<Map<_, _>>()
        .into()
}

/// The changes of events one after the other: what each field was first and became last.
fn told_by(what: &str, events: &[Value]) -> Value {
    let mut told = Map::new();
    for event in events {
        for (name, pair) in event["data"]["changes"].as_object().into_iter().flatten() {
            assert_ne!(pair[0], pair[1], "{what}: {name} is told, but did not change: {event}");
            let known = told.entry(name.clone()).or_insert_with(|| pair.clone());
            known[1] = pair[1].clone();
        }
    }
    told.retain(|_, pair| pair[0] != pair[1]);
    told.into()
}

impl Before {
    /// Reads the record again. Fails unless the events since name exactly the fields that differ,
    /// as they were and as they are.
    pub async fn since(self, api: &Client, at: &str, what: &str) -> After {
        let record = api.get(at, 200).await;
        let mut events = newest(api, at, 20).await;
        events.retain(|event| seq(event) > self.seq && event["action"] != "refused");
        events.reverse();
        let first = events.first().unwrap_or_else(|| panic!("{what}: no event tells of it"));
        assert_eq!(told_by(what, &events), differences(&self.record, &record), "{what}: {events:#?}");
        let mut saved = events.iter().filter(|event| SAVES.contains(&event["action"].as_str().unwrap()));
        let last = saved.next_back().unwrap_or(first);
        if record["version"] != self.record["version"] {
            assert_eq!(record["updated_by"], last["actor_id"], "{what}: who changed it last");
        }
        assert_eq!(record["created_by"], self.record["created_by"], "{what}");
        assert_eq!(record["created_at"], self.record["created_at"], "{what}");
        After { record, events }
    }

    /// The same, and the first event is `action`, done by `actor`; what followed from it was done
    /// by the system, and says why.
    pub async fn after(self, api: &Client, at: &str, what: &str, action: &str, actor: Option<&Person>) -> After {
        let after = self.since(api, at, what).await;
        let first = &after.events[0];
        assert_eq!(first["action"], action, "{what}: {first}");
        assert_eq!(first["actor_id"], json!(actor.map(|person| person.id)), "{what}: {first}");
        for event in after.events.iter().skip(usize::from(actor.is_some())) {
            assert_is_by_itself(what, event);
        }
        after
    }
}

/// Fails unless an event is of the system and says why.
pub fn assert_is_by_itself(what: &str, event: &Value) {
    assert_eq!(event["actor_id"], json!(null), "{what}: {event}");
    assert!(event["data"]["cause"].is_object(), "{what}: {event}");
}
