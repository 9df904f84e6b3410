//! All kinds of the program, behind one face: what the routes, the store and the documentation
//! need to know of a kind without knowing its type.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::{Map, Value, json};

use super::behaviour::{Behaviour, Typed, WaiversOf};
use super::figures::{Figure, NextDate};
use super::hearing::{Happened, Hears};
use super::kind::{ANY, Deadline, Kind, KindInfo, OneFor, Part, UNIT};
use super::lifecycle::{Flags, Lifecycle, State};
use super::refs::Places;
use super::row::Row;
use super::rows::{RowEntry, Rows};
use super::rules::{GEN_1, GEN_2, RuleId, Unmet};
use super::waivers::{Waivers, Waives};
use super::{checks, spine};
use crate::http::schema::{self, Shape};
use crate::problem::{Problem, Result};
use crate::tenancy::{Role, Roles, TenantTx};

pub(super) use super::behaviour::{typed, untyped};

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
    fn new<K: Kind>() -> Self {
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
    pub(super) async fn made(&self, row: Row, tx: &mut TenantTx<'_>) -> Result<Row> {
        self.behaviour.made(&row, tx).await?;
        Ok(row)
    }

    /// What follows from a transition.
    pub(super) async fn moved(&self, row: Row, from: &str, tx: &mut TenantTx<'_>) -> Result<Row> {
        self.behaviour.moved(&row, from, tx).await?;
        Ok(row)
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

/// All kinds.
#[derive(Default)]
pub struct Registry {
    entries: Vec<Entry>,
    waivers: Option<Box<dyn Waivers>>,
    rules: Vec<&'static RuleId>,
    figures: Vec<Figure>,
    dates: Vec<NextDate>,
}

static REGISTRY: OnceLock<Registry> = OnceLock::new();

impl Registry {
    /// Adds a kind.
    #[must_use]
    pub fn with<K: Kind>(mut self) -> Self {
        self.entries.push(Entry::new::<K>());
        self
    }

    /// Adds rows under the records of a kind that was added before.
    #[must_use]
    pub fn with_rows<R: Rows>(mut self) -> Self {
        let of = <R::Of as Kind>::INFO.name;
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.info.name == of) {
            entry.rows.push(RowEntry::new::<R>());
        }
        self
    }

    /// Says which kind waives soft rules.
    #[must_use]
    pub fn waived_by<W: Waives>(mut self) -> Self {
        self.waivers = Some(Box::new(WaiversOf::<W>::default()));
        self
    }

    /// Says which rules there are.
    #[must_use]
    pub fn with_rules(mut self, rules: &[&'static RuleId]) -> Self {
        self.rules.extend_from_slice(rules);
        self
    }

    /// Says what is counted.
    #[must_use]
    pub fn with_figures(mut self, figures: &[Figure], dates: &[NextDate]) -> Self {
        self.figures.extend_from_slice(figures);
        self.dates.extend_from_slice(dates);
        self
    }

    /// What is counted in a tenant.
    pub fn figures(&self) -> &[Figure] {
        &self.figures
    }

    /// Dates that are looked out for.
    pub fn dates(&self) -> &[NextDate] {
        &self.dates
    }

    /// All kinds, in the order they were added.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// All rules: of the kernel and of the kinds.
    pub fn rules(&self) -> impl Iterator<Item = &'static RuleId> {
        [&GEN_1, &GEN_2]
            .into_iter()
            .chain(self.rules.iter().copied())
    }

    /// The kind at this address.
    pub fn by_path(&self, path: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.info.path == path)
    }

    /// The kind of this name.
    pub fn by_name(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.info.name == name)
    }

    /// The kind that hangs on others under this name.
    pub fn attached_as(&self, name: &str) -> Option<&Entry> {
        self.entries
            .iter()
            .find(|entry| entry.attaches_as == Some(name))
    }

    pub(super) fn waivers(&self) -> Option<&dyn Waivers> {
        self.waivers.as_deref()
    }

    /// All `(kind, status)` pairs, for the database to check records against.
    pub fn statuses(&self) -> Vec<(&'static str, &'static str)> {
        self.entries
            .iter()
            .flat_map(|entry| entry.states.iter().map(|state| (entry.info.name, *state)))
            .collect()
    }

    /// What does not fit together in what the kinds declare; the program does not start with any.
    pub fn faults(&self) -> Vec<String> {
        checks::faults(self)
    }

    /// Who may do what in which state, for the committed snapshot.
    pub fn role_table(&self) -> Value {
        self.entries
            .iter()
            .map(|entry| {
                let moves: Vec<_> = entry.moves.iter().map(move_line).collect();
                let table = json!({
                    "create_change_archive": entry.authors.names(),
                    "create_change_archive_own": entry.owners.names(),
                    "read": entry.readers.names(),
                    "frozen": entry.frozen,
                    "stays_open": entry.stays_open,
                    "transitions": moves,
                });
                (entry.info.name.to_owned(), table)
            })
            .collect::<Map<_, _>>()
            .into()
    }
}

/// A transition in one line.
fn move_line(known: &Move) -> String {
    let Move {
        from,
        to,
        by,
        or,
        except,
        guards,
        flags,
    } = known;
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

/// Makes the kinds known; the first call counts.
pub fn install(make: impl FnOnce() -> Registry) -> &'static Registry {
    REGISTRY.get_or_init(make)
}

/// The kinds that were installed.
pub fn registry() -> &'static Registry {
    REGISTRY.get_or_init(Registry::default)
}

/// The entry of a kind.
pub(super) fn entry_of<K: Kind>() -> Result<&'static Entry> {
    registry()
        .by_name(K::INFO.name)
        .ok_or_else(|| Problem::internal(format!("{} is not registered", K::INFO.name)))
}
