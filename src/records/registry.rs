//! All kinds of the program, their rules and figures.

use std::sync::OnceLock;

use serde_json::{Map, Value};

use super::behaviour::WaiversOf;
use super::checks;
use super::entry::Entry;
use super::figures::{Figure, NextDate};
use super::kind::Kind;
use super::rows::{RowEntry, Rows};
use super::rules::{GEN_1, GEN_2, RuleId};
use super::waivers::{Waivers, Waives};
use crate::problem::{Problem, Result};

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
            .map(|entry| (entry.info.name.to_owned(), entry.role_table()))
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
