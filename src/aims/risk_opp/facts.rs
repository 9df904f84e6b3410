//! Facts that speak against excluding a control (SOA-3). Each kind that knows some says so in its
//! own file, in a function that is listed in [`FACTS`].

use futures_util::future::LocalBoxFuture;

use crate::aims::FACTS;
use crate::problem::Result;
use crate::tenancy::TenantTx;

/// Records that a sentence names before it only counts them.
const NAMED: usize = 3;

/// Facts that a kind knows of a tenant.
pub type Facts = for<'a, 'c> fn(&'a mut TenantTx<'c>) -> LocalBoxFuture<'a, Result<Vec<Fact>>>;

/// A fact.
#[derive(Clone, Debug)]
pub struct Fact {
    controls: String,
    is: &'static str,
    records: Vec<String>,
}

impl Fact {
    /// The records that are what speaks against excluding `controls`, a control or an area of
    /// them, such as `A.10.4` or `A.7`. Without records there is no such fact.
    pub fn new(controls: &str, is: &'static str, records: Vec<String>) -> Self {
        Self {
            controls: controls.to_owned(),
            is,
            records,
        }
    }

    fn is_about(&self, control: &str) -> bool {
        let rest = control.strip_prefix(&self.controls);
        !self.records.is_empty() && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }

    /// `AIS-001, AIS-002, AIS-004 and 2 more are built here`.
    fn sentence(&self) -> String {
        let named: Vec<&str> = self.records.iter().take(NAMED).map(String::as_str).collect();
        let more = match self.records.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let verb = if self.records.len() == 1 { "is" } else { "are" };
        format!("{}{more} {verb} {}", named.join(", "), self.is)
    }
}

/// All facts that speak against excluding any control.
pub async fn facts(tx: &mut TenantTx<'_>) -> Result<Vec<Fact>> {
    let mut all = Vec::new();
    for of_kind in FACTS {
        all.extend(of_kind(tx).await?);
    }
    Ok(all)
}

/// Why a control cannot be excluded, in a sentence; none when nothing speaks against it.
pub fn against(control: &str, facts: &[Fact]) -> Option<String> {
    let found: Vec<String> = facts
        .iter()
        .filter(|fact| fact.is_about(control))
        .map(Fact::sentence)
        .collect();
    (!found.is_empty()).then(|| format!("{control} cannot be excluded: {}.", found.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_area_covers_its_controls_and_no_other() {
        let fact = Fact::new("A.10", "here", vec!["X-1".to_owned()]);
        assert!(fact.is_about("A.10") && fact.is_about("A.10.4"));
        assert!(!fact.is_about("A.1") && !fact.is_about("A.100.4"));
        assert!(!Fact::new("A.10", "here", Vec::new()).is_about("A.10.4"));
    }

    #[test]
    fn many_records_are_counted() {
        let fact = Fact::new("A.6", "built here", (1..=5).map(|n| format!("AIS-00{n}")).collect());
        assert_eq!(fact.sentence(), "AIS-001, AIS-002, AIS-003 and 2 more are built here");
    }
}
