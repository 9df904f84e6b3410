//! Waivers: a granted one lets a soft rule pass for a record, for a time.

use chrono::NaiveDate;
use futures_util::future::LocalBoxFuture;
use serde_json::{Value, json};
use uuid::Uuid;

use super::kind::Kind;
use super::registry::registry;
use super::rules::RuleId;
use crate::problem::Result;
use crate::tenancy::TenantTx;

/// A kind whose granted records let a rule pass for the record they refer to.
pub trait Waives: Kind {
    /// The state in which it is granted.
    const GRANTED: Self::State;
    /// The record for which the rule is let pass; one linked to the waiver by hand is not.
    fn about(&self) -> Uuid;
    /// Id of the rule, such as `SOA-3`.
    fn rule(&self) -> &str;
    /// Last civil date it holds.
    fn valid_until(&self) -> NaiveDate;
}

/// As [`Waives`], without the type of the kind.
pub(super) trait Waivers: Send + Sync {
    /// Waivers that hold today for a record, each with its rule.
    fn granted<'a>(
        &'a self,
        tx: &'a mut TenantTx<'_>,
        record: Uuid,
    ) -> LocalBoxFuture<'a, Result<Vec<(Uuid, String)>>>;
}

/// Waivers that let something pass in this transaction, for the event of what they let pass.
#[derive(Default)]
struct Used(Vec<Uuid>);

/// Whether a granted waiver lets a rule pass for a record today. The event of what is being
/// changed or moved names it.
pub async fn is_waived(tx: &mut TenantTx<'_>, record: Uuid, rule: &RuleId) -> Result<bool> {
    let Some(waivers) = registry().waivers().filter(|_| !rule.hard) else {
        return Ok(false);
    };
    let granted = waivers.granted(tx, record).await?;
    let Some((waiver, _)) = granted.into_iter().find(|(_, known)| known == rule.id) else {
        return Ok(false);
    };
    let Used(mut used) = tx.take_memo();
    used.push(waiver);
    tx.keep_memo(Used(used));
    Ok(true)
}

/// The waivers that were needed since this was asked last.
pub(super) fn used(tx: &mut TenantTx<'_>) -> Vec<Uuid> {
    let Used(mut used) = tx.take_memo();
    used.sort_unstable();
    used.dedup();
    used
}

/// What an event tells, with the waivers that were needed.
pub(super) fn named(tx: &mut TenantTx<'_>, mut data: Value) -> Value {
    let used = used(tx);
    if let (false, Value::Object(fields)) = (used.is_empty(), &mut data) {
        fields.insert("waivers".to_owned(), json!(used));
    }
    data
}
