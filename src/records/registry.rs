//! All kinds of the program, behind one face: what the routes, the store and the documentation
//! need to know of a kind without knowing its type.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use serde_json::{Map, Value, json};

use super::kind::{Deadline, Filter, Kind, KindInfo, Part, Record};
use super::lifecycle::Lifecycle;
use super::refs::Places;
use super::row::Row;
use super::spine;
use crate::http::schema::{self, Shape};
use crate::problem::{Problem, Result};
use crate::tenancy::{Roles, TenantTx};

/// A transition, without the type of its kind.
#[derive(Clone, Debug)]
pub struct Move {
    /// State before.
    pub from: &'static str,
    /// State after.
    pub to: &'static str,
    /// Who makes it.
    pub by: Roles,
    /// Names of its rules.
    pub rules: Vec<&'static str>,
    /// Whether it is an approval.
    pub approves: bool,
    /// Whether it needs a reason.
    pub asks_reason: bool,
}

/// One kind, without its type.
pub struct Entry {
    /// Names and clauses.
    pub info: KindInfo,
    /// Who creates and changes.
    pub authors: Roles,
    /// Hot fields.
    pub filters: &'static [Filter],
    /// Lists with addresses.
    pub parts: &'static [Part],
    /// Fields that stay open once frozen.
    pub stays_open: &'static [&'static str],
    /// All states.
    pub states: Vec<&'static str>,
    /// The state of a new record.
    pub start: &'static str,
    /// All transitions.
    pub moves: Vec<Move>,
    /// States in which the content is frozen.
    pub frozen: &'static [&'static str],
    /// References and read-only fields of the body.
    pub places: Places,
    /// Schema of the body, by [`Kind`]'s struct.
    pub body_schema: Value,
    /// What the body's schema refers to.
    pub components: BTreeMap<String, Value>,
    /// A valid body.
    pub example: Value,
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
        let states = K::lifecycle().states();
        let moves = transitions
            .iter()
            .map(|transition| Move {
                from: transition.from,
                to: transition.to,
                by: transition.by,
                rules: transition.rules.iter().map(|rule| rule.name).collect(),
                approves: transition.approves,
                asks_reason: transition.asks_reason,
            })
            .collect();
        let (mut body_schema, components) = schema::of::<K>();
        if let Some(of_body) = components.get(K::name().as_ref())
            && body_schema.get("$ref").is_some()
        {
            body_schema = of_body.clone();
        }
        let all: Map<String, Value> = components.clone().into_iter().collect();
        Self {
            info: K::INFO,
            authors: K::AUTHORS,
            filters: K::FILTERS,
            parts: K::PARTS,
            stays_open: K::STAYS_OPEN,
            states,
            start,
            moves,
            frozen,
            places: Places::of(&body_schema, &components),
            input: Shape::from_value(spine::input_schema(&body_schema), Value::Object(all)),
            body_schema,
            components,
            example: K::example(),
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
        before: Option<&Value>,
        tx: &mut TenantTx<'_>,
    ) -> Result<Vec<Deadline>> {
        self.behaviour.settle(row, before, tx).await
    }

    /// Judges the rules of the transition `index`.
    pub(super) async fn check_rules(
        &self,
        index: usize,
        row: &Row,
        tx: &mut TenantTx<'_>,
    ) -> Result<()> {
        self.behaviour.check_rules(index, row, tx).await
    }

    /// What a transition brings with it.
    pub(super) async fn moved(
        &self,
        row: &mut Row,
        from: &str,
        tx: &mut TenantTx<'_>,
    ) -> Result<()> {
        self.behaviour.moved(row, from, tx).await
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
}

/// What differs from kind to kind.
trait Behaviour: Send + Sync {
    fn settle<'a>(
        &'a self,
        row: &'a mut Row,
        before: Option<&'a Value>,
        tx: &'a mut TenantTx<'_>,
    ) -> LocalBoxFuture<'a, Result<Vec<Deadline>>>;
    fn check_rules<'a>(
        &'a self,
        index: usize,
        row: &'a Row,
        tx: &'a mut TenantTx<'_>,
    ) -> LocalBoxFuture<'a, Result<()>>;
    fn moved<'a>(
        &'a self,
        row: &'a mut Row,
        from: &'a str,
        tx: &'a mut TenantTx<'_>,
    ) -> LocalBoxFuture<'a, Result<()>>;
}

struct Typed<K> {
    transitions: Vec<super::lifecycle::Transition<K>>,
}

impl<K: Kind> Behaviour for Typed<K> {
    fn settle<'a>(
        &'a self,
        row: &'a mut Row,
        before: Option<&'a Value>,
        tx: &'a mut TenantTx<'_>,
    ) -> LocalBoxFuture<'a, Result<Vec<Deadline>>> {
        async move {
            let mut record: Record<K> = typed(row)?;
            let before = match before {
                Some(body) => Some(K::deserialize(body).map_err(Problem::internal)?),
                None => None,
            };
            K::settle(&mut record, before.as_ref(), tx).await?;
            let deadlines = K::deadlines(&record);
            untyped(record, row)?;
            Ok(deadlines)
        }
        .boxed_local()
    }

    fn check_rules<'a>(
        &'a self,
        index: usize,
        row: &'a Row,
        tx: &'a mut TenantTx<'_>,
    ) -> LocalBoxFuture<'a, Result<()>> {
        async move {
            let record: Record<K> = typed(row)?;
            for rule in self
                .transitions
                .get(index)
                .into_iter()
                .flat_map(|known| &known.rules)
            {
                (rule.check)(&record, tx).await?;
            }
            Ok(())
        }
        .boxed_local()
    }

    fn moved<'a>(
        &'a self,
        row: &'a mut Row,
        from: &'a str,
        tx: &'a mut TenantTx<'_>,
    ) -> LocalBoxFuture<'a, Result<()>> {
        async move {
            let mut record: Record<K> = typed(row)?;
            K::moved(&mut record, from, tx).await?;
            untyped(record, row)
        }
        .boxed_local()
    }
}

/// The record behind a row.
pub(super) fn typed<K: Kind>(row: &Row) -> Result<Record<K>> {
    let body = serde_json::from_value(row.body.clone()).map_err(|error| {
        let mut problem = Problem::invalid("", "The fields do not fit together.");
        problem.cause = Some(format!("{} {}: {error}", K::INFO.name, row.id).into());
        problem
    })?;
    Ok(Record {
        id: row.id,
        reference: row.reference.clone(),
        title: row.title.clone(),
        status: row.status.clone(),
        owner_id: row.owner_id,
        authored_by: row.authored_by,
        body,
    })
}

fn untyped<K: Kind>(record: Record<K>, row: &mut Row) -> Result<()> {
    let Record {
        id: _,
        reference: _,
        title,
        status: _,
        owner_id,
        authored_by: _,
        body,
    } = record;
    row.title = title;
    row.owner_id = owner_id;
    row.body = serde_json::to_value(body).map_err(Problem::internal)?;
    Ok(())
}

/// All kinds.
#[derive(Default)]
pub struct Registry {
    entries: Vec<Entry>,
}

static REGISTRY: OnceLock<Registry> = OnceLock::new();

impl Registry {
    /// Adds a kind.
    #[must_use]
    pub fn with<K: Kind>(mut self) -> Self {
        self.entries.push(Entry::new::<K>());
        self
    }

    /// All kinds, in the order they were added.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The kind at this address.
    pub fn by_path(&self, path: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.info.path == path)
    }

    /// The kind of this name.
    pub fn by_name(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.info.name == name)
    }

    /// All `(kind, status)` pairs, for the database to check records against.
    pub fn statuses(&self) -> Vec<(&'static str, &'static str)> {
        self.entries
            .iter()
            .flat_map(|entry| entry.states.iter().map(|state| (entry.info.name, *state)))
            .collect()
    }

    /// Who may do what in which state, for the committed snapshot.
    pub fn role_table(&self) -> Value {
        self.entries
            .iter()
            .map(|entry| {
                let moves: Vec<_> = entry
                    .moves
                    .iter()
                    .map(|known| {
                        let by = known.by.names().join(", ");
                        let rules = known.rules.join(", ");
                        let approval = if known.approves { " (approval)" } else { "" };
                        format!(
                            "{} -> {}{approval}: [{by}] if [{rules}]",
                            known.from, known.to
                        )
                    })
                    .collect();
                let table = json!({
                    "create_change_archive": entry.authors.names(),
                    "read": Roles::READERS.names(),
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
