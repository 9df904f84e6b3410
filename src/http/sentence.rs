//! Says in plain English what a schema found wrong, without quoting the input.

use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use jsonschema::{JsonType, ValidationError};
use serde_json::Value;

use super::json::pointer_step;
use super::schema;
use crate::problem::FieldError;

/// What one branch of a choice found wrong.
type Branch = Vec<ValidationError<'static>>;

/// Options of an enumeration that are listed.
const MOST_OPTIONS: usize = 40;

/// Adds a sentence for every fault in `error`.
pub(super) fn explain(error: &ValidationError<'_>, faults: &mut Vec<FieldError>) {
    let at = error.instance_path().as_str();
    let mut say = |pointer: String, detail: &str| {
        faults.push(FieldError {
            pointer,
            detail: detail.to_owned(),
        });
    };
    match error.kind() {
        Kind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            say(format!("{at}{}", pointer_step(name)), "is required");
        }
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            for name in unexpected {
                let pointer = format!("{at}{}", pointer_step(name));
                say(pointer, "is not a field of this resource");
            }
        }
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
            explain_branches(error, context, faults);
        }
        other => say(at.to_owned(), &sentence(other)),
    }
}

/// The faults of the branch that was most likely meant.
fn explain_branches(
    error: &ValidationError<'_>,
    branches: &[Branch],
    faults: &mut Vec<FieldError>,
) {
    let at = error.instance_path().as_str();
    let mut near: Vec<(usize, &Branch)> = branches
        .iter()
        .map(|branch| (distance(at, branch), branch))
        .filter(|(distance, _)| *distance < WRONG_TYPE)
        .collect();
    near.sort_by_key(|(distance, _)| *distance);
    let fault = |pointer: &str, detail: String| FieldError {
        pointer: pointer.to_owned(),
        detail,
    };
    match near.as_slice() {
        [] => {
            let types: Vec<JsonType> = branches.iter().flat_map(|b| wanted(at, b)).collect();
            faults.push(fault(at, format!("must be {}", list_types(&types))));
        }
        [(_, branch)] => branch.iter().for_each(|inner| explain(inner, faults)),
        [(first, branch), (second, _), ..] if first < second => {
            branch.iter().for_each(|inner| explain(inner, faults));
        }
        _ => match tags(at, &near).or_else(|| shared_faults(&near)) {
            Some(mut found) => faults.append(&mut found),
            None => faults.push(fault(
                at,
                "does not have any of the allowed forms".to_owned(),
            )),
        },
    }
}

/// Types that a branch wants at `at`.
fn wanted(at: &str, branch: &Branch) -> Vec<JsonType> {
    let here = branch
        .iter()
        .filter(|error| error.instance_path().as_str() == at);
    here.filter_map(|error| match error.kind() {
        Kind::Type { kind } => Some(types_of(kind)),
        _ => None,
    })
    .flatten()
    .collect()
}

/// One fault for an unknown tag: all tags that the branches know.
fn tags(at: &str, near: &[(usize, &Branch)]) -> Option<Vec<FieldError>> {
    let mut pointers: Vec<&str> = Vec::new();
    let mut known = Vec::new();
    for (_, branch) in near {
        let tag = branch.iter().find(|error| is_tag(at, error))?;
        pointers.push(tag.instance_path().as_str());
        match tag.kind() {
            Kind::Enum { options } => known.extend(options.as_array().into_iter().flatten()),
            Kind::Constant { expected_value } => known.push(expected_value),
            _ => {}
        }
    }
    let pointer = (*pointers.first()?).to_owned();
    let same = pointers.iter().all(|other| *other == pointer);
    let known: Vec<Value> = known.into_iter().cloned().collect();
    let detail = format!("is not one of: {}", list_values(&known));
    same.then(|| vec![FieldError { pointer, detail }])
}

/// The faults that all branches find.
fn shared_faults(near: &[(usize, &Branch)]) -> Option<Vec<FieldError>> {
    let mut lists = near.iter().map(|(_, branch)| {
        let mut found = Vec::new();
        branch.iter().for_each(|inner| explain(inner, &mut found));
        found
    });
    let first = lists.next()?;
    let shared = lists.fold(first, |mut shared, list| {
        shared.retain(|fault| list.contains(fault));
        shared
    });
    (!shared.is_empty()).then_some(shared)
}

fn is_tag(at: &str, error: &ValidationError<'_>) -> bool {
    error.instance_path().as_str() != at
        && matches!(error.kind(), Kind::Constant { .. } | Kind::Enum { .. })
}

/// The distance of a branch for another JSON type.
const WRONG_TYPE: usize = 1_000_000;
/// The distance of a branch whose tag (a constant one level below) is another.
const WRONG_TAG: usize = 1_000;

fn distance(at: &str, branch: &Branch) -> usize {
    let of_one = |error: &ValidationError<'_>| match error.kind() {
        Kind::Type { .. } if error.instance_path().as_str() == at => WRONG_TYPE,
        _ if is_tag(at, error) => WRONG_TAG,
        _ => 1,
    };
    branch.iter().map(of_one).max().unwrap_or_default()
}

fn sentence(kind: &Kind) -> String {
    match kind {
        Kind::FalseSchema => "is read-only".to_owned(),
        Kind::Type { kind } => format!("must be {}", list_types(&types_of(kind))),
        Kind::Enum { options } => match options.as_array() {
            Some(options) => format!("is not one of: {}", list_values(options)),
            None => "is not one of the allowed values".to_owned(),
        },
        Kind::Constant { expected_value } => format!("must be {}", show(expected_value)),
        Kind::MaxLength { limit } => {
            format!("must not be longer than {}", count(*limit, "character"))
        }
        Kind::MinLength { limit: 1 } => "must not be empty".to_owned(),
        Kind::MinLength { limit } => format!("must have at least {}", count(*limit, "character")),
        Kind::MaxItems { limit } => format!("must not have more than {}", count(*limit, "item")),
        Kind::AdditionalItems { limit } => format!(
            "must not have more than {}",
            count(u64::try_from(*limit).unwrap_or(u64::MAX), "item")
        ),
        Kind::MinItems { limit } => format!("must have at least {}", count(*limit, "item")),
        Kind::MaxProperties { limit } => {
            format!("must not have more than {}", count(*limit, "field"))
        }
        Kind::MinProperties { limit } => format!("must have at least {}", count(*limit, "field")),
        Kind::Maximum { limit } => format!("must not be more than {limit}"),
        Kind::Minimum { limit } => format!("must not be less than {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("must be less than {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("must be more than {limit}"),
        Kind::MultipleOf { multiple_of } => format!("must be a multiple of {multiple_of}"),
        Kind::UniqueItems => "must not have the same item twice".to_owned(),
        Kind::Format { format } => format_sentence(format),
        Kind::Pattern { pattern } => pattern_sentence(pattern).to_owned(),
        Kind::PropertyNames { .. } => "has a field with a name that is not allowed".to_owned(),
        _ => "does not have the documented form".to_owned(),
    }
}

/// Patterns of the schemas in words.
fn pattern_sentence(pattern: &str) -> &'static str {
    match pattern {
        schema::WRITTEN => "must not be blank",
        r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$" => "must be a language tag such as en or de-CH",
        r"^[a-z][a-z_]*$" => "must be a name of small letters and underscores, such as based_on",
        r"^[A-Z]{2}$" => "must be a country code of two capital letters, such as NL",
        _ => "does not have the documented form",
    }
}

pub(super) fn format_sentence(format: &str) -> String {
    match format {
        "date" => "must be a date such as 2026-03-31, from 1900-01-01 to 2200-12-31".to_owned(),
        "date-time" => "must be an instant such as 2026-03-31T09:00:00Z (RFC 3339)".to_owned(),
        "uuid" => "must be a UUID such as 019a2b3c-4d5e-7f60-8a1b-2c3d4e5f6071".to_owned(),
        "email" => "must be an e-mail address such as ana@example.org".to_owned(),
        "uri" | "url" => "must be an address such as https://example.org/page".to_owned(),
        other => format!("must have the format {other}"),
    }
}

fn count(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

fn types_of(kind: &TypeKind) -> Vec<JsonType> {
    match kind {
        TypeKind::Single(one) => vec![*one],
        TypeKind::Multiple(many) => many.iter().collect(),
    }
}

fn list_types(types: &[JsonType]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in types.iter().map(|one| type_name(*one)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.sort_by_key(|name| *name == "null");
    names.join(" or ")
}

fn type_name(one: JsonType) -> &'static str {
    match one {
        JsonType::Null => "null",
        JsonType::Boolean => "true or false",
        JsonType::Integer => "a whole number",
        JsonType::Number => "a number",
        JsonType::String => "a string",
        JsonType::Array => "an array",
        JsonType::Object => "an object",
    }
}

fn list_values(options: &[Value]) -> String {
    let mut text = options
        .iter()
        .take(MOST_OPTIONS)
        .map(show)
        .collect::<Vec<_>>()
        .join(", ");
    if options.len() > MOST_OPTIONS {
        text.push_str(", …");
    }
    text
}

fn show(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
