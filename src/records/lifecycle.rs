//! Lifecycles: states, transitions, who makes them, and the rules that guard them.

use futures_util::future::LocalBoxFuture;

use super::kind::Record;
use crate::problem::Result;
use crate::tenancy::{Roles, TenantTx};

/// The states of a kind and how a record moves between them.
pub struct Lifecycle<K> {
    /// The state of a new record.
    pub start: &'static str,
    /// In the order they were declared.
    pub transitions: Vec<Transition<K>>,
    /// States in which the content cannot be changed (GEN-2).
    pub frozen: &'static [&'static str],
}

/// One transition.
pub struct Transition<K> {
    /// State before.
    pub from: &'static str,
    /// State after.
    pub to: &'static str,
    /// Who makes it; nobody: only the system.
    pub by: Roles,
    /// What it must satisfy.
    pub rules: Vec<Rule<K>>,
    /// An approval: freezes a version, and needs another person than the author (GEN-1).
    pub approves: bool,
    /// Needs a reason.
    pub asks_reason: bool,
}

/// A rule of the management system, by the name of its function.
pub struct Rule<K> {
    /// Such as `rsk_2`.
    pub name: &'static str,
    /// Refuses with a problem that names the rule.
    pub check: RuleCheck<K>,
}

/// The function behind a rule.
pub type RuleCheck<K> =
    for<'a, 'c> fn(&'a Record<K>, &'a mut TenantTx<'c>) -> LocalBoxFuture<'a, Result<()>>;

impl<K> Rule<K> {
    /// A rule and its name.
    pub fn new(name: &'static str, check: RuleCheck<K>) -> Self {
        Self { name, check }
    }
}

impl<K> Lifecycle<K> {
    /// All states, in the order they are first mentioned.
    pub fn states(&self) -> Vec<&'static str> {
        let mut states = vec![self.start];
        for transition in &self.transitions {
            for state in [transition.from, transition.to] {
                if !states.contains(&state) {
                    states.push(state);
                }
            }
        }
        states
    }

    /// A lifecycle; transitions from `any` leave from every state that has another way out.
    pub fn new(
        start: &'static str,
        frozen: &'static [&'static str],
        declared: Vec<Transition<K>>,
    ) -> Self {
        let (any, mut transitions): (Vec<_>, Vec<_>) = declared
            .into_iter()
            .partition(|transition| transition.from == ANY);
        let mut sources: Vec<&'static str> = Vec::new();
        for transition in &transitions {
            if !sources.contains(&transition.from) {
                sources.push(transition.from);
            }
        }
        for wide in any {
            let left = sources.iter().filter(|from| **from != wide.to);
            transitions.extend(left.map(|from| wide.leaving(from)));
        }
        Self {
            start,
            transitions,
            frozen,
        }
    }
}

/// Stands for every state that is not an end.
const ANY: &str = "any";

impl<K> Transition<K> {
    fn leaving(&self, from: &'static str) -> Self {
        let Self {
            from: _,
            to,
            by,
            rules,
            approves,
            asks_reason,
        } = self;
        let rules = rules
            .iter()
            .map(|rule| Rule::new(rule.name, rule.check))
            .collect();
        Self {
            from,
            to,
            by: *by,
            rules,
            approves: *approves,
            asks_reason: *asks_reason,
        }
    }
}

/// Declares a lifecycle in the words of the standard:
///
/// ```ignore
/// lifecycle! {
///     start draft;
///     frozen [approved, superseded];
///     draft -> in_review by [Consultant, Lead];
///     in_review -> approved by [TopManagement] if [ctx_1] => approves;
///     approved -> superseded by [];
///     any -> withdrawn by [AimsManager] => asks_reason;
/// }
/// ```
///
/// `by []` is for the system alone. `any` leaves from every state that has another way out.
macro_rules! lifecycle {
    (
        start $start:ident;
        frozen [$($frozen:ident),*];
        $($from:ident -> $to:ident by [$($role:ident),*] $(if [$($rule:ident),+])? $(=> $flag:ident)*;)*
    ) => {
        $crate::records::Lifecycle::new(
            stringify!($start),
            &[$(stringify!($frozen)),*],
            vec![$({
                let flags: &[&str] = &[$(stringify!($flag)),*];
                $crate::records::Transition {
                    from: stringify!($from),
                    to: stringify!($to),
                    by: $crate::tenancy::Roles::of(&[$($crate::tenancy::Role::$role),*]),
                    rules: vec![$($($crate::records::Rule::new(
                        stringify!($rule),
                        |record, tx| Box::pin($rule(record, tx)),
                    )),+)?],
                    approves: flags.contains(&"approves"),
                    asks_reason: flags.contains(&"asks_reason"),
                }
            }),*],
        )
    };
}
pub(crate) use lifecycle;
