//! Figures: what kinds count for the portfolio, for readiness and for the inputs of a management
//! review. Who shows them names no kind.

use chrono::NaiveDate;
use diesel::pg::Pg;
use diesel::prelude::*;
use uuid::Uuid;

use crate::schema::records;

/// Something that is counted in a tenant.
#[derive(Clone, Copy, Debug)]
pub struct Figure {
    /// Its name, such as `open_risks_high`.
    pub name: &'static str,
    /// What it counts.
    pub about: &'static str,
    /// How urgent one of it makes a client in the portfolio; 0 not at all.
    pub weight: i64,
    /// The records that are counted, of a tenant on a civil date of its zone.
    pub counted: fn(Uuid, NaiveDate) -> Counted,
}

/// A date that is looked out for: the earliest deadline of a name.
#[derive(Clone, Copy, Debug)]
pub struct NextDate {
    /// Its name, such as `management_review`.
    pub name: &'static str,
    /// Name of the deadline.
    pub deadline: &'static str,
    /// What it is.
    pub about: &'static str,
}

/// Records to be counted.
pub type Counted = diesel::helper_types::IntoBoxed<'static, records::table, Pg>;

/// Live records of a kind in a tenant, to be narrowed down.
pub fn live(tenant: Uuid, kind: &'static str) -> Counted {
    records::table
        .into_boxed::<Pg>()
        .filter(records::tenant_id.eq(tenant))
        .filter(records::kind.eq(kind))
        .filter(records::archived_at.is_null())
}
