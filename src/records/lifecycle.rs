//! Lifecycles: states, transitions, who makes them, and the rules that guard them.

use std::fmt::Debug;
use std::str::FromStr;

use futures_util::future::LocalBoxFuture;
use strum::VariantArray;

use super::kind::Record;
use super::rules::{Guarded, RuleId};
use crate::tenancy::{Roles, TenantTx};

/// A state of a kind.
pub trait State: Copy + Eq + Debug + Into<&'static str> + FromStr + VariantArray + 'static {
    /// As in the API and the database.
    fn name(self) -> &'static str {
        self.into()
    }
}

/// What [`lifecycle!`] declares for a kind.
pub trait Lives: Sized + 'static {
    /// Its states.
    type State: State;
    /// How a record moves between them.
    fn lifecycle() -> Lifecycle<Self>;
}

/// The states of a kind and how a record moves between them.
pub struct Lifecycle<K: Lives> {
    /// The state of a new record.
    pub start: &'static str,
    /// States in which the content cannot be changed (GEN-2).
    pub frozen: Vec<&'static str>,
    /// In the order they were declared.
    pub transitions: Vec<Transition<K>>,
}

/// One transition.
pub struct Transition<K: Lives> {
    /// State before.
    pub from: &'static str,
    /// State after.
    pub to: &'static str,
    /// Who makes it; with no role and no person: only the system.
    pub by: Roles,
    /// Fields of the body whose person makes it too.
    pub or: &'static [&'static str],
    /// Who may not: `author`, `owner`, or the person of a field.
    pub except: &'static [&'static str],
    /// What it must satisfy.
    pub guards: Vec<Guard<K>>,
    /// What it means.
    pub flags: Flags,
}

/// What a transition means for the record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// An approval: freezes a version, and needs another person than the authors (GEN-1).
    pub approves: bool,
    /// Needs a reason.
    pub asks_reason: bool,
    /// The content thaws; the version in force stays in force.
    pub revises: bool,
    /// Puts the approved version in force; without one in the lifecycle, the approval does.
    pub puts_in_force: bool,
    /// Nothing is in force any more.
    pub withdraws: bool,
    /// Happens by itself the day after the deadline of this name.
    pub after: Option<&'static str>,
}

impl Flags {
    /// An approval.
    #[must_use]
    pub const fn approves(mut self) -> Self {
        self.approves = true;
        self
    }
    /// Needs a reason.
    #[must_use]
    pub const fn asks_reason(mut self) -> Self {
        self.asks_reason = true;
        self
    }
    /// Takes an approved record back to be changed.
    #[must_use]
    pub const fn revises(mut self) -> Self {
        self.revises = true;
        self
    }
    /// Publishes or releases what was approved.
    #[must_use]
    pub const fn puts_in_force(mut self) -> Self {
        self.puts_in_force = true;
        self
    }
    /// Ends what is in force.
    #[must_use]
    pub const fn withdraws(mut self) -> Self {
        self.withdraws = true;
        self
    }
    /// Follows a deadline.
    #[must_use]
    pub const fn after(mut self, deadline: &'static str) -> Self {
        self.after = Some(deadline);
        self
    }
}

/// A guard of a transition: the rule and the function that judges it.
pub struct Guard<K: Lives> {
    /// The rule.
    pub rule: &'static RuleId,
    /// Name of the function, such as `has_acceptance`.
    pub name: &'static str,
    /// Finds what stands in the way.
    pub check: GuardCheck<K>,
}

/// The function behind a guard.
pub type GuardCheck<K> =
    for<'a, 'c> fn(&'a Record<K>, &'a mut TenantTx<'c>) -> LocalBoxFuture<'a, Guarded>;

impl<K: Lives> Clone for Guard<K> {
    fn clone(&self) -> Self {
        Self {
            rule: self.rule,
            name: self.name,
            check: self.check,
        }
    }
}

impl<K: Lives> Lifecycle<K> {
    /// A lifecycle from transitions as they are declared; those without a state before leave
    /// from every state that has another way out.
    pub fn new(
        start: K::State,
        frozen: &[K::State],
        declared: Vec<(Option<K::State>, Transition<K>)>,
    ) -> Self {
        let mut transitions = Vec::new();
        let mut wide = Vec::new();
        for (from, transition) in declared {
            match from {
                Some(_) => transitions.push(transition),
                None => wide.push(transition),
            }
        }
        let mut sources: Vec<&'static str> = Vec::new();
        for transition in &transitions {
            if !sources.contains(&transition.from) {
                sources.push(transition.from);
            }
        }
        for any in wide {
            let left = sources.iter().filter(|from| **from != any.to);
            transitions.extend(left.map(|from| any.leaving(from)));
        }
        Self {
            start: start.name(),
            frozen: frozen.iter().map(|state| state.name()).collect(),
            transitions,
        }
    }
}

impl<K: Lives> Transition<K> {
    fn leaving(&self, from: &'static str) -> Self {
        let Self {
            from: _,
            to,
            by,
            or,
            except,
            guards,
            flags,
        } = self;
        Self {
            from,
            to,
            by: *by,
            or,
            except,
            guards: guards.clone(),
            flags: *flags,
        }
    }
}

/// Declares the states and the lifecycle of a kind in the words of the standard:
///
/// ```ignore
/// lifecycle! {
///     /// States of a scope.
///     ScopeState of AimsScope: Draft, InReview, Approved, Withdrawn;
///     start Draft; frozen [InReview, Approved, Withdrawn];
///     Draft -> InReview by [Consultant, Lead];
///     InReview -> Approved by [TopManagement] except [owner] if [CTX_1: names_systems] => approves;
///     Approved -> Draft by [AimsManager] => revises, asks_reason;
///     any -> Withdrawn by [AimsManager] or [person_id] => withdraws;
///     Accepted -> Expired by [] => after(EXPIRY), withdraws;
/// }
/// ```
///
/// `by []` is for the system alone. `any` leaves from every state that has another way out.
/// `or` names fields whose person may too; `except` those who may not: `author`, `owner`, fields.
/// A guard is a rule and the function that judges it; flags are methods of `Flags`.
macro_rules! lifecycle {
    (@from $State:ident any) => { None };
    (@from $State:ident $from:ident) => { Some($State::$from) };
    (@name $State:ident any) => { "" };
    (@name $State:ident $from:ident) => { $crate::records::State::name($State::$from) };
    (
        $(#[$meta:meta])*
        $State:ident of $Kind:ty: $($state:ident),+ $(,)?;
        start $start:ident; frozen [$($frozen:ident),* $(,)?];
        $(
            $from:ident -> $to:ident by [$($role:ident),* $(,)?]
            $(or [$($person:ident),+])? $(except [$($except:ident),+])?
            $(if [$($rule:ident: $guard:ident),+ $(,)?])?
            $(=> $($flag:ident $(($arg:expr))?),+)?;
        )*
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::EnumString, strum::VariantArray)]
        #[strum(serialize_all = "snake_case")]
        pub enum $State { $(#[doc = concat!("The state ", stringify!($state), ".")] $state),+ }

        impl $crate::records::State for $State {}

        impl $crate::records::Lives for $Kind {
            type State = $State;

            fn lifecycle() -> $crate::records::Lifecycle<Self> {
                $crate::records::Lifecycle::new(
                    $State::$start,
                    &[$($State::$frozen),*],
                    vec![$((
                        $crate::records::lifecycle!(@from $State $from),
                        $crate::records::Transition {
                            from: $crate::records::lifecycle!(@name $State $from),
                            to: $crate::records::State::name($State::$to),
                            by: $crate::tenancy::Roles::of(&[$($crate::tenancy::Role::$role),*]),
                            or: &[$($(stringify!($person)),+)?],
                            except: &[$($(stringify!($except)),+)?],
                            guards: vec![$($($crate::records::Guard {
                                rule: &$rule,
                                name: stringify!($guard),
                                check: |record, tx| Box::pin($guard(record, tx)),
                            }),+)?],
                            flags: $crate::records::Flags::default()$($(.$flag($($arg)?))+)?,
                        },
                    )),*],
                )
            }
        }
    };
}
pub(crate) use lifecycle;
