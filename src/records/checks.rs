//! What must fit together in what kinds declare, checked before the program starts.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::entry::Entry;
use super::hearing::Hears;
use super::kind::OneFor;
use super::refs::Places;
use super::registry::Registry;
use super::settings::SETTINGS;
use super::shadow::{FACETS, SORTS};
use super::spine;
use super::typed_refs::PERSON;

/// Addresses below a tenant that are no kinds.
const TAKEN: &[&str] = &[
    "records",
    "members",
    "people",
    "invitations",
    "engagements",
    "settings",
    "deadlines",
    "reminders",
    "events",
    "figures",
    "rules",
    "shares",
];
/// What hangs on a record whatever its kind.
pub(super) const COMMON: &[&str] = &[
    "transitions",
    "links",
    "comments",
    "history",
    "versions",
    "deadlines",
    "shares",
    "restore",
];

/// Everything that does not fit, as sentences.
pub(super) fn faults(registry: &Registry) -> Vec<String> {
    let mut faults = Vec::new();
    let mut names = HashMap::new();
    let mut schemas = HashMap::new();
    for entry in registry.entries() {
        for name in [entry.info.name, entry.info.path, entry.info.prefix] {
            if let Some(other) = names.insert(name, entry.info.name)
                && other != entry.info.name
            {
                faults.push(format!("{other} and {} are both {name}", entry.info.name));
            }
        }
        for (name, schema) in &entry.components {
            if let Some((other, known)) = schemas.insert(name, (entry.info.name, schema))
                && known != schema
            {
                faults.push(format!(
                    "{other} and {} mean different things by the schema {name}",
                    entry.info.name
                ));
            }
        }
        let mut of_kind = Vec::new();
        fields(entry, &mut of_kind);
        states(entry, &mut of_kind);
        others(registry, entry, &mut of_kind);
        rules(registry, entry, &mut of_kind);
        faults.extend(
            of_kind
                .into_iter()
                .map(|fault| format!("{}: {fault}", entry.info.name)),
        );
    }
    faults
}

fn properties(entry: &Entry) -> impl Iterator<Item = &String> {
    let fields = entry.body_schema.get("properties");
    fields
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(|fields| fields.keys())
}

fn fields(entry: &Entry, faults: &mut Vec<String>) {
    let known: HashSet<&str> = properties(entry).map(String::as_str).collect();
    for name in spine::WRITABLE.iter().chain(spine::READ_ONLY) {
        if known.contains(name) {
            faults.push(format!("the field {name} has the name of one of the spine"));
        }
    }
    if TAKEN.contains(&entry.info.path) {
        faults.push(format!("the address {} is taken", entry.info.path));
    }
    if entry.filters.len() > FACETS || entry.orders.len() > SORTS {
        faults.push("more filters or orders than there are columns".to_owned());
    }
    let one_for = match entry.one_for {
        Some(OneFor::Fields(fields)) => fields,
        _ => &[],
    };
    let parts = entry.parts.iter().map(|part| part.field);
    let named = entry
        .filters
        .iter()
        .chain(entry.stays_open)
        .chain(one_for)
        .copied()
        .chain(entry.orders.iter().map(|order| order.field))
        .chain(parts.clone());
    for name in named {
        if !known.contains(name) {
            faults.push(format!("there is no field {name}"));
        }
    }
    for name in parts.chain(entry.rows.iter().map(|rows| rows.list)) {
        if COMMON.contains(&name) {
            faults.push(format!(
                "the list {name} has the name of what every record has"
            ));
        }
    }
    let persons: HashSet<&str> = person_fields(&entry.places);
    for known in &entry.moves {
        for name in known.or.iter().chain(known.except) {
            if !["author", "owner"].contains(name) && !persons.contains(name) {
                faults.push(format!("{name} is no field with a person"));
            }
        }
    }
}

fn person_fields(places: &Places) -> HashSet<&str> {
    places
        .outermost()
        .filter(|(_, kind)| *kind == PERSON)
        .map(|(field, _)| field)
        .collect()
}

/// Every state can be reached from the start, and no approval is made by nobody.
fn states(entry: &Entry, faults: &mut Vec<String>) {
    let mut reached = vec![entry.start];
    let mut at = 0;
    while let Some(state) = reached.get(at).copied() {
        for known in entry.moves.iter().filter(|known| known.from == state) {
            if !reached.contains(&known.to) {
                reached.push(known.to);
            }
        }
        at += 1;
    }
    for state in &entry.states {
        if !reached.contains(state) {
            faults.push(format!("the state {state} cannot be reached"));
        }
    }
    for known in &entry.moves {
        let line = format!("{} -> {}", known.from, known.to);
        if known.flags.approves && !known.is_for_people() {
            faults.push(format!("{line} approves, and nobody makes it"));
        }
        if known.flags.approves && !entry.is_frozen(known.to) {
            faults.push(format!("{line} approves what is not frozen then"));
        }
        if known.flags.revises && entry.is_frozen(known.to) {
            faults.push(format!("{line} revises what stays frozen"));
        }
        if entry
            .moves
            .iter()
            .filter(|other| (other.from, other.to) == (known.from, known.to))
            .count()
            > 1
        {
            faults.push(format!("{line} is declared twice"));
        }
    }
}

/// Kinds, states and fields of others that it names.
fn others(registry: &Registry, entry: &Entry, faults: &mut Vec<String>) {
    for hears in entry.hears {
        match registry.by_name(hears.kind()) {
            None if hears == &Hears::Changed(SETTINGS) => {}
            None => faults.push(format!("it hears {}, which is no kind", hears.kind())),
            Some(other) => {
                if let Hears::Moved(_, to) = hears
                    && !other.states.contains(to)
                {
                    faults.push(format!(
                        "it hears {} of {}, which is no state",
                        to,
                        hears.kind()
                    ));
                }
            }
        }
    }
    for (kind, field) in entry.children {
        let place = field.trim_start_matches('/');
        let is_there = registry.by_name(kind).is_some_and(|child| {
            child
                .places
                .top_level()
                .any(|(name, to)| name == place && to == entry.info.name)
        });
        if !is_there {
            faults.push(format!("{kind} has no field {field} that refers to it"));
        }
    }
}

fn rules(registry: &Registry, entry: &Entry, faults: &mut Vec<String>) {
    let known: HashSet<&str> = registry.rules().map(|rule| rule.id).collect();
    let guards = entry.moves.iter().flat_map(|known| &known.guards);
    let used = guards
        .map(|(rule, _)| rule.id)
        .chain(entry.rules.iter().map(|rule| rule.id));
    for rule in used {
        if !known.contains(rule) {
            faults.push(format!("the rule {rule} is not in the list of rules"));
        }
    }
}
