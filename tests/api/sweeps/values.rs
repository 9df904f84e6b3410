//! Other values that a field could have, derived from its schema and from what it holds now.

use aims::app::kinds;
use aims::records::{ANY, Entry, PERSON, REFERS_TO, UNIT};
use chrono::{Days, NaiveDate};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use serde_json::{Value, json};

use crate::contract::stage::Stage;

/// Texts of all sorts: for people, and for patterns that fields have.
const TEXTS: &[&str] = &[
    "Other words than before, long enough to say why.",
    "A.6.2.4",
    "DE",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "other",
];
/// Days before and after that on which the examples fit together.
const DATES: &[&str] = &["2027-03-10", "2027-03-15", "2027-06-30", "2027-12-01"];

/// What a reference in a schema stands for, and of its alternatives the one that is not null.
pub fn settled<'a>(entry: &'a Entry, schema: &'a Value) -> &'a Value {
    let name = schema["$ref"].as_str().and_then(|target| target.rsplit('/').next());
    if let Some(target) = name.and_then(|name| entry.components.get(name)) {
        return settled(entry, target);
    }
    let composed = ["oneOf", "anyOf", "allOf"].iter().find_map(|keyword| schema[*keyword].as_array());
    match composed.and_then(|branches| branches.iter().find(|branch| branch["type"] != "null")) {
        Some(branch) => settled(entry, branch),
        None => schema,
    }
}

/// Whether a field may be empty.
pub fn is_nullable(schema: &Value) -> bool {
    let null = |kinds: &Value| *kinds == "null" || kinds.as_array().is_some_and(|kinds| kinds.contains(&json!("null")));
    let branches = ["oneOf", "anyOf"].iter().filter_map(|keyword| schema[*keyword].as_array()).flatten();
    null(&schema["type"]) || branches.into_iter().any(|branch| null(&branch["type"]))
}

fn is(schema: &Value, kind: &str) -> bool {
    match &schema["type"] {
        Value::Array(kinds) => kinds.contains(&json!(kind)),
        one => one == kind,
    }
}

/// Values other than the present one that the schema could allow, the likelier ones first.
pub fn others<'a>(
    stage: &'a Stage<'_>,
    entry: &'static Entry,
    schema: &'a Value,
    now: &'a Value,
) -> LocalBoxFuture<'a, Vec<Value>> {
    async move {
        let inner = settled(entry, schema);
        let refers = [schema, inner].into_iter().find_map(|schema| schema[REFERS_TO].as_str());
        let mut found = match refers {
            Some(to) => vec![reference(stage, to, now).await],
            None if inner["enum"].is_array() => inner["enum"].as_array().unwrap().clone(),
            None if is(inner, "boolean") => vec![json!(!now.as_bool().unwrap_or_default())],
            None if is(inner, "integer") || is(inner, "number") => numbers(inner, now),
            None if is(inner, "array") => lists(stage, entry, inner, now).await,
            None if inner["properties"].is_object() => objects(stage, entry, inner, now).await,
            None => texts(inner, now),
        };
        found.retain(|value| value != now && !value.is_null());
        found
    }
    .boxed_local()
}

async fn reference(stage: &Stage<'_>, to: &str, now: &Value) -> Value {
    match to {
        PERSON if *now == json!(stage.approver.id) => json!(stage.author.id),
        PERSON => json!(stage.approver.id),
        UNIT if now["unit"] == "6.1.3" => json!({"catalog": "iso42001", "unit": "A.6.2.4"}),
        UNIT => json!({"catalog": "iso42001", "unit": "6.1.3"}),
        ANY => json!({"kind": "ai_system", "id": stage.make(kinds().by_name("ai_system").unwrap()).await["id"]}),
        kind => stage.make(kinds().by_name(kind).unwrap()).await["id"].clone(),
    }
}

fn numbers(schema: &Value, now: &Value) -> Vec<Value> {
    let least = schema["minimum"].as_i64().unwrap_or(0);
    let near = now.as_i64().unwrap_or(least);
    [near + 1, near - 1, least, least + 1].map(|number| json!(number)).to_vec()
}

fn texts(schema: &Value, now: &Value) -> Vec<Value> {
    let text = now.as_str().unwrap_or_default();
    match schema["format"].as_str() {
        Some("date") => {
            let near = text.parse::<NaiveDate>().ok();
            let near = near.into_iter().flat_map(|day| [day + Days::new(1), day - Days::new(1)]);
            near.map(|day| json!(day)).chain(DATES.iter().map(|day| json!(day))).collect()
        }
        Some("date-time") => DATES.iter().map(|day| json!(format!("{day}T09:30:00Z"))).collect(),
        _ => TEXTS.iter().map(|text| json!(text)).collect(),
    }
}

/// One item more, one less, the first one another, none.
async fn lists(stage: &Stage<'_>, entry: &'static Entry, schema: &Value, now: &Value) -> Vec<Value> {
    let items = now.as_array().cloned().unwrap_or_default();
    let mut found = Vec::new();
    for item in others(stage, entry, &schema["items"], &Value::Null).await {
        found.push(json!([items.clone(), vec![item]].concat()));
    }
    if let Some((first, rest)) = items.split_first() {
        for item in others(stage, entry, &schema["items"], first).await {
            found.push(json!([vec![item], rest.to_vec()].concat()));
        }
        found.push(json!(rest));
    }
    found.push(json!([]));
    found
}

/// One field another; of nothing, what is required.
async fn objects(stage: &Stage<'_>, entry: &'static Entry, schema: &Value, now: &Value) -> Vec<Value> {
    let properties = schema["properties"].as_object().unwrap();
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let mut base = now.clone();
    if now.is_null() {
        base = json!({});
        for (name, property) in properties.iter().filter(|(name, _)| required.contains(&json!(name))) {
            let first = others(stage, entry, property, &Value::Null).await;
            base[name] = first.first().cloned().unwrap_or_default();
        }
    }
    let mut found = vec![base.clone()];
    for (name, property) in properties.iter().filter(|(_, property)| property["readOnly"] != true) {
        for value in others(stage, entry, property, &base[name]).await {
            let mut changed = base.clone();
            changed[name] = value;
            found.push(changed);
        }
    }
    found
}
