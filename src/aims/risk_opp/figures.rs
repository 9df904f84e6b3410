//! What is counted of risks.

use chrono::NaiveDate;
use diesel::dsl::{exists, not};
use diesel::prelude::*;
use uuid::Uuid;

use crate::records::{Counted, Figure, live};
use crate::schema::{links, records};

/// Figures of risks, for the portfolio.
pub const FIGURES: &[Figure] = &[
    Figure {
        name: "open_risks_low",
        about: "Risks of level low that are not closed.",
        weight: 0,
        counted: |tenant, _| open(tenant, "low"),
    },
    Figure {
        name: "open_risks_medium",
        about: "Risks of level medium that are not closed.",
        weight: 0,
        counted: |tenant, _| open(tenant, "medium"),
    },
    Figure {
        name: "open_risks_high",
        about: "Risks of level high that are not closed.",
        weight: 10,
        counted: |tenant, _| open(tenant, "high"),
    },
    Figure {
        name: "open_risks_critical",
        about: "Risks of level critical that are not closed.",
        weight: 100,
        counted: |tenant, _| open(tenant, "critical"),
    },
    Figure {
        name: "risks_above_tolerance_without_acceptance",
        about: "Open risks above the tolerance whose present level nobody has accepted until today or later (RSK-2).",
        weight: 1_000,
        counted: unaccepted,
    },
];

fn open(tenant: Uuid, level: &'static str) -> Counted {
    live(tenant, "risk").filter(records::status.ne("closed")).filter(records::facet_1.eq(level))
}

/// `facet_2` of a risk says whether it is above the tolerance, `sort_1` its level; of an
/// acceptance `sort_1` is the level and `sort_2` the last day.
fn unaccepted(tenant: Uuid, today: NaiveDate) -> Counted {
    let acceptances = diesel::alias!(records as acceptances);
    let day = today.signed_duration_since(NaiveDate::default()).num_days();
    let accepted = acceptances
        .inner_join(
            links::table.on(links::tenant_id
                .eq(acceptances.field(records::tenant_id))
                .and(links::from_id.eq(acceptances.field(records::id)))),
        )
        .filter(acceptances.field(records::tenant_id).eq(tenant))
        .filter(acceptances.field(records::kind).eq("residual_acceptance"))
        .filter(acceptances.field(records::status).eq("accepted"))
        .filter(acceptances.field(records::archived_at).is_null())
        .filter(acceptances.field(records::sort_1).ge(records::sort_1))
        .filter(acceptances.field(records::sort_2).ge(day))
        .filter(links::field.eq("/risk_id"))
        .filter(links::to_id.eq(records::id.nullable()));
    live(tenant, "risk")
        .filter(records::status.ne("closed"))
        .filter(records::facet_2.eq("true"))
        .filter(not(exists(accepted)))
}
