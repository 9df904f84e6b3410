//! One kind, without its type: what the routes, the store and the documentation need to know.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::behaviour::{Behaviour, Typed};
use super::hearing::{Happened, Hears};
use super::kind::{Deadline, Kind, KindInfo, OneFor, Part};
use super::lifecycle::{Flags, Lifecycle, State};
use super::refs::Places;
use super::row::Row;
use super::rows::RowEntry;
use super::rules::{RuleId, Unmet};
use super::spine;
use super::typed_refs::{ANY, UNIT};
use crate::http::schema::{self, Shape};
use crate::problem::{Problem, Result};
use crate::tenancy::{Role, Roles, TenantTx};

/// A transition, without the type of its kind.
#[derive(Clone, Debug)]
pub struct Move {
    /// State before.
    pub from: &'static str,
    /// State after.
    pub to: &'static str,
    /// Who makes it.
    pub by: Roles,
    /// Fields whose person makes it too.
    pub or: &'static [&'static str],
    /// Who may not make it: `author`, `owner`, or the person of a field.
    pub except: &'static [&'static str],
    /// Its guards: rule and name.
    pub guards: Vec<(&'static RuleId, &'static str)>,
    /// What it means.
    pub flags: Flags,
}

impl Move {
    /// The transition in one line, for the snapshot.
    fn line(&self) -> String {
        let Self {
            from,
            to,
            by,
            or,
            except,
            guards,
            flags,
        } = self;
        let mut line = format!("{from} -> {to}: [{}]", by.names().join(", "));
        let mut add = |what: &str, names: &[&str]| {
            if !names.is_empty() {
                line.push_str(&format!(" {what} [{}]", names.join(", ")));
            }
        };
        add("or", or);
        add("except", except);
        let guards: Vec<String> = guards
            .iter()
            .map(|(rule, name)| format!("{} {name}", rule.id))
            .collect();
        add("if", &guards.iter().map(String::as_str).collect::<Vec<_>>());
        let after = flags.after.map(|name| format!("after {name}"));
        let means: Vec<&str> = [
            flags.approves.then_some("approval"),
            flags.asks_reason.then_some("reason"),
            flags.revises.then_some("revision"),
            flags.puts_in_force.then_some("comes into force"),
            flags.withdraws.then_some("ends force"),
            after.as_deref(),
        ]
        .into_iter()
        .flatten()
        .collect();
        add("means", &means);
        line
    }

    /// Whether people make it, or only the system.
    pub fn is_for_people(&self) -> bool {
        self.by != Roles::default() || !self.or.is_empty()
    }
}

/// A field that lists can be sorted by.
#[derive(Clone, Debug)]
pub struct Order {
    /// The field.
    pub field: &'static str,
    /// Its values in their order, if it is a closed set.
    pub values: Vec<String>,
}

/// One kind, without its type.
pub struct Entry {
    /// Names and clauses.
    pub info: KindInfo,
    /// Who creates and changes.
    pub authors: Roles,
    /// Who does so with what they own.
    pub owners: Roles,
    /// Who sees all of them.
    pub readers: Roles,
    /// Fields that lists are filtered by.
    pub filters: &'static [&'static str],
    /// Fields that lists are sorted by.
    pub orders: Vec<Order>,
    /// Lists with addresses.
    pub parts: &'static [Part],
    /// Fields that stay open once frozen.
    pub stays_open: &'static [&'static str],
    /// Of which there is only one.
    pub one_for: Option<OneFor>,
    /// Kinds approved together with it, by their field.
    pub children: &'static [(&'static str, &'static str)],
    /// What it reacts to.
    pub hears: &'static [Hears],
    /// Rules at every write.
    pub rules: &'static [&'static RuleId],
    /// Where it hangs on others.
    pub attaches_as: Option<&'static str>,
    /// All states.
    pub states: Vec<&'static str>,
    /// The state of a new record.
    pub start: &'static str,
    /// All transitions.
    pub moves: Vec<Move>,
    /// Whether approval alone does not put a version in force.
    pub publishes: bool,
    /// The state in which a version comes into force.
    pub in_force_state: &'static str,
    /// References and read-only fields of the body.
    pub places: Places,
    /// Schema of the body, by [`Kind`]'s struct.
    pub body_schema: Value,
    /// What the body's schema refers to.
    pub components: BTreeMap<String, Value>,
    /// A valid body.
    pub example: Value,
    /// Lists of rows under a record.
    pub rows: Vec<RowEntry>,
    frozen: Vec<&'static str>,
    input: Shape,
    behaviour: Box<dyn Behaviour>,
}

impl Entry {
    pub(super) fn new<K: Kind>() -> Self {
        let Lifecycle {
            start,
            transitions,
            frozen,
        } = K::lifecycle();
        let moves: Vec<_> = transitions
            .iter()
            .map(|transition| Move {
                from: transition.from,
                to: transition.to,
                by: transition.by,
                or: transition.or,
                except: transition.except,
                guards: transition
                    .guards
                    .iter()
                    .map(|guard| (guard.rule, guard.name))
                    .collect(),
                flags: transition.flags,
            })
            .collect();
        let (mut body_schema, mut components) = schema::of::<K>();
        if let Some(of_body) = components.get(K::name().as_ref())
            && body_schema.get("$ref").is_some()
        {
            body_schema = of_body.clone();
        }
        let (role, of_role) = schema::of::<Role>();
        components.extend(of_role);
        components
            .entry("Role".to_owned())
            .or_insert_with(|| role.clone());
        components.insert("Title".to_owned(), spine::title_schema());
        let all: Map<String, Value> = components.clone().into_iter().collect();
        let state_of = |flag: fn(&Flags) -> bool| {
            let found = moves.iter().find(|known| flag(&known.flags));
            found.map(|known| known.to)
        };
        let published = state_of(|flags| flags.puts_in_force);
        let orders = K::SORTS
            .iter()
            .map(|field| Order {
                field,
                values: closed_set(
                    body_schema.pointer(&format!("/properties/{field}")),
                    &components,
                ),
            })
            .collect();
        Self {
            info: K::INFO,
            authors: K::AUTHORS,
            owners: K::OWNERS,
            readers: K::READERS,
            filters: K::FILTERS,
            orders,
            parts: K::PARTS,
            stays_open: K::STAYS_OPEN,
            one_for: K::ONE_FOR,
            children: K::CHILDREN,
            hears: K::HEARS,
            rules: K::RULES,
            attaches_as: K::ATTACHES_AS,
            states: strum::VariantArray::VARIANTS
                .iter()
                .map(|state: &K::State| state.name())
                .collect(),
            start,
            publishes: published.is_some(),
            in_force_state: published
                .or_else(|| state_of(|flags| flags.approves))
                .unwrap_or(start),
            moves,
            places: Places::of(&body_schema, &components),
            input: Shape::from_value(spine::input_schema(&body_schema), Value::Object(all)),
            body_schema,
            components,
            example: K::example(),
            rows: Vec::new(),
            frozen,
            behaviour: Box::new(Typed::<K> { transitions }),
        }
    }

    /// Judges the input of a create or, merged, of a change: spine and body fields together.
    pub fn check(&self, input: &Value) -> Result<()> {
        self.input.check(input).map_err(Problem::invalid_all)
    }

    /// Computes read-only fields, judges the content and answers what is due.
    pub(super) async fn settle(
        &self,
        row: &mut Row,
        before: Option<&Row>,
        tx: &mut TenantTx<'_>,
    ) -> Result<Vec<Deadline>> {
        self.behaviour.settle(row, before, true, tx).await
    }

    /// As [`Entry::settle`] after a transition, whose guards have judged.
    pub(super) async fn settle_move(
        &self,
        row: &mut Row,
        before: &Row,
        tx: &mut TenantTx<'_>,
    ) -> Result<Vec<Deadline>> {
        self.behaviour.settle(row, Some(before), false, tx).await
    }

    /// What is due, as the row stands.
    pub(super) fn due(&self, row: &Row) -> Result<Vec<Deadline>> {
        self.behaviour.due(row)
    }

    /// What stands in the way of the transition `index`.
    pub(super) async fn unmet(
        &self,
        index: usize,
        row: &Row,
        tx: &mut TenantTx<'_>,
    ) -> Result<Vec<(&'static RuleId, Unmet)>> {
        self.behaviour.unmet(index, row, tx).await
    }

    /// Fields that a transition sets.
    pub(super) async fn entering(
        &self,
        row: &mut Row,
        from: &str,
        tx: &mut TenantTx<'_>,
    ) -> Result<()> {
        self.behaviour.entering(row, from, tx).await
    }

    /// What follows once a record has been made.
    pub(super) async fn made(&self, row: &Row, tx: &mut TenantTx<'_>) -> Result<()> {
        self.behaviour.made(row, tx).await
    }

    /// What follows from a transition.
    pub(super) async fn moved(&self, row: &Row, from: &str, tx: &mut TenantTx<'_>) -> Result<()> {
        self.behaviour.moved(row, from, tx).await
    }

    /// Reacts to something.
    pub(super) async fn heard(&self, happened: &Happened, tx: &mut TenantTx<'_>) -> Result<()> {
        self.behaviour.heard(happened, tx).await
    }

    /// The transition between two states, with its number.
    pub(super) fn find_move(&self, from: &str, to: &str) -> Option<(usize, &Move)> {
        self.moves
            .iter()
            .enumerate()
            .find(|(_, known)| known.from == from && known.to == to)
    }

    /// Whether nothing leads out of a state any more.
    pub fn is_end(&self, status: &str) -> bool {
        !self.moves.iter().any(|known| known.from == status)
    }

    /// Whether the content cannot be changed in a state (GEN-2).
    pub fn is_frozen(&self, status: &str) -> bool {
        self.frozen.contains(&status)
    }

    /// States in which the content cannot be changed.
    pub fn frozen(&self) -> &[&'static str] {
        &self.frozen
    }

    /// Whether a state is one that a withdrawal leads to.
    pub(super) fn has_ended_force(&self, status: &str) -> bool {
        self.moves
            .iter()
            .any(|known| known.flags.withdraws && known.to == status)
    }

    /// Column of a field that lists are filtered by, from 0.
    pub(super) fn facet(&self, field: &str) -> Option<usize> {
        self.filters.iter().position(|known| *known == field)
    }

    /// Column of a field that lists are sorted by, from 0.
    pub(super) fn order(&self, field: &str) -> Option<usize> {
        self.orders.iter().position(|order| order.field == field)
    }

    /// References at the top of the body, each a filter of lists: field, kind referred to.
    pub fn reference_filters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.places
            .top_level()
            .filter(|(_, kind)| ![ANY, UNIT].contains(kind))
    }

    /// Whether a field of the body is true or false.
    pub(super) fn is_boolean(&self, field: &str) -> bool {
        let kind = self
            .body_schema
            .pointer(&format!("/properties/{field}/type"));
        match kind {
            Some(Value::Array(kinds)) => kinds.contains(&json!("boolean")),
            Some(kind) => kind == "boolean",
            None => false,
        }
    }

    /// Whether a field is content, which approval freezes and whose writers are its authors.
    pub(super) fn is_content(&self, field: &str) -> bool {
        !spine::NO_CONTENT.contains(&field) && !self.stays_open.contains(&field)
    }

    /// Whether a field of the body is computed.
    pub(super) fn is_read_only(&self, field: &str) -> bool {
        self.body_schema
            .pointer(&format!("/properties/{field}/readOnly"))
            == Some(&json!(true))
    }

    /// Values of a field of the body, if it is a closed set.
    pub fn values_of(&self, field: &str) -> Vec<String> {
        let schema = self.body_schema.pointer(&format!("/properties/{field}"));
        closed_set(schema, &self.components)
    }

    /// Who may do what in which state, for the committed snapshot.
    pub(super) fn role_table(&self) -> Value {
        json!({
            "create_change_archive": self.authors.names(),
            "create_change_archive_own": self.owners.names(),
            "read": self.readers.names(),
            "frozen": self.frozen,
            "stays_open": self.stays_open,
            "transitions": self.moves.iter().map(Move::line).collect::<Vec<_>>(),
        })
    }

    /// The rows of a record at this address.
    pub fn rows_at(&self, list: &str) -> Option<&RowEntry> {
        self.rows.iter().find(|rows| rows.list == list)
    }
}

/// The values of a schema that is a closed set of words; empty when it is not.
fn closed_set(schema: Option<&Value>, components: &BTreeMap<String, Value>) -> Vec<String> {
    let Some(schema) = schema else {
        return Vec::new();
    };
    let named = schema
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|name| name.rsplit('/').next())
        .and_then(|name| components.get(name));
    if named.is_some() {
        return closed_set(named, components);
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return values
            .iter()
            .filter_map(|value| value.as_str().map(str::to_owned))
            .collect();
    }
    ["oneOf", "anyOf", "allOf"]
        .iter()
        .filter_map(|composed| schema.get(*composed)?.as_array())
        .flatten()
        .map(|branch| closed_set(Some(branch), components))
        .find(|values| !values.is_empty())
        .unwrap_or_default()
}
