//! How all the clients of a firm stand, the most urgent first (domain model section 12).

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use actix_web::{HttpResponse, get, web};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::portfolio_row::{self, NextDeadline, Standing};
use super::tenants::Stage;
use crate::identity::listing::{Listing, Page};
use crate::problem::Result;
use crate::records::registry;
use crate::schema::tenants;
use crate::tenancy::{Caller, FirmRole, Membership, Role, TenantTx};

/// Time without anything done by a person after which a client is silent.
const SILENCE: TimeDelta = TimeDelta::days(21);

/// One client in the portfolio.
#[derive(Serialize, ToSchema)]
struct PortfolioRow {
    /// The tenant.
    #[schema(example = "019abc12-3456-7890-abcd-ef0123456789")]
    tenant_id: Uuid,
    /// Its name.
    #[schema(example = "Aurelia Lending B.V.")]
    name: String,
    /// prospect, active, paused, offboarding or archived.
    #[schema(value_type = Stage, example = "active")]
    stage: String,
    /// What the caller is there: lead, consultant, or owner of the firm without an assignment.
    #[schema(value_type = FirmRole, example = "lead")]
    role: &'static str,
    /// What is counted, by name: `open_risks_high`, for example.
    #[schema(value_type = BTreeMap<String, i64>, example = json!({"open_risks_high": 1, "risks_above_tolerance_without_acceptance": 1}))]
    figures: BTreeMap<&'static str, i64>,
    /// Dates to look out for, by name: `management_review`, for example.
    #[schema(value_type = BTreeMap<String, Option<String>>, example = json!({"management_review": "2027-06-28"}))]
    dates: BTreeMap<&'static str, Option<NaiveDate>>,
    /// Deadlines whose day has passed, in the tenant's zone.
    #[schema(example = 2)]
    deadlines_overdue: i64,
    /// The next deadline from today on.
    next_deadline: Option<NextDeadline>,
    /// When a person last did anything; what happens by itself does not count.
    #[schema(example = "2027-03-01T10:00:00Z")]
    last_activity_at: Option<DateTime<Utc>>,
    /// Whether nobody has done anything for more than 21 days.
    #[schema(example = false)]
    silent: bool,
}

/// Read the portfolio
///
/// One row for each client: all of the firm's for its owners, those they are assigned to for
/// others. The most urgent come first: overdue deadlines, then risks above the tolerance that
/// nobody accepted, then critical and high risks, then the next deadline.
#[utoipa::path(
    tag = "Portfolio",
    operation_id = "get_portfolio",
    params(
        ("consultancy_id" = Uuid, Path, description = "The consultancy"),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 200, description = "Items of a page, 50 unless told"),
        ("cursor" = Option<String>, Query, description = "Where the page begins, from `next_cursor`"),
    ),
    responses((status = 200, description = "The portfolio", body = Listing<PortfolioRow>)),
    security(("bearer" = []))
)]
#[get("/v1/consultancies/{consultancy_id}/portfolio")]
pub(super) async fn get_portfolio(
    caller: Caller,
    path: web::Path<Uuid>,
    page: Page,
) -> Result<HttpResponse> {
    let firm = path.into_inner();
    let role = caller.firm(firm)?;
    let places: Vec<&Membership> = caller
        .tenants
        .iter()
        .filter(|place| place.consultancy_id == Some(firm))
        .filter(|place| role == FirmRole::Owner || place.roles.is_of_consultancy())
        .collect();
    let mut rows = caller.read(async |tx| read(tx, &places).await).await?;
    rows.sort_by_cached_key(urgency);
    // The cursor names the last row seen; where that has gone, the list begins anew.
    let seen = rows
        .iter()
        .position(|row| row.tenant_id == page.after())
        .map_or(0, |index| index + 1);
    let rest = rows.split_off(seen);
    Ok(page.answer(rest, |row: &PortfolioRow| row.tenant_id))
}

async fn read(tx: &mut TenantTx<'_>, places: &[&Membership]) -> Result<Vec<PortfolioRow>> {
    let now = tx.now();
    let ids: Vec<Uuid> = places.iter().map(|place| place.tenant.id).collect();
    let stages = tenants::table
        .filter(tenants::id.eq_any(ids))
        .select((tenants::id, tenants::stage));
    let stages: Vec<(Uuid, String)> = tx.run(async |db| stages.load(&mut &*db).await).await?;
    let mut stages: HashMap<Uuid, String> = stages.into_iter().collect();
    let days: Vec<(Uuid, NaiveDate)> = places
        .iter()
        .map(|place| {
            let tenant = &place.tenant;
            (tenant.id, now.with_timezone(&tenant.zone).date_naive())
        })
        .collect();
    let standings = portfolio_row::standings(tx, &days).await?;
    Ok(places
        .iter()
        .zip(standings)
        .filter_map(|(place, standing)| {
            let stage = stages.remove(&place.tenant.id)?;
            Some(row(place, stage, standing, now))
        })
        .collect())
}

fn row(place: &Membership, stage: String, standing: Standing, now: DateTime<Utc>) -> PortfolioRow {
    let Standing {
        last_act_at,
        counts,
    } = standing;
    let role = if place.roles.has(Role::Lead) {
        "lead"
    } else if place.roles.has(Role::Consultant) {
        "consultant"
    } else {
        "owner"
    };
    PortfolioRow {
        tenant_id: place.tenant.id,
        name: place.tenant.name.clone(),
        stage,
        role,
        figures: counts.figures.clone(),
        dates: counts.dates.clone(),
        deadlines_overdue: counts.overdue,
        next_deadline: counts.next.clone(),
        last_activity_at: last_act_at,
        silent: last_act_at.is_none_or(|at| now - at > SILENCE),
    }
}

/// The figures that make a client urgent, the heaviest first.
fn weighed(row: &PortfolioRow) -> Vec<i64> {
    let mut figures: Vec<_> = registry()
        .figures()
        .iter()
        .filter(|one| one.weight > 0)
        .collect();
    figures.sort_by_key(|figure| Reverse(figure.weight));
    figures
        .into_iter()
        .map(|figure| row.figures.get(figure.name).copied().unwrap_or_default())
        .collect()
}

/// Orders rows: the most urgent first, ties by the next deadline, name and id.
fn urgency(row: &PortfolioRow) -> impl Ord + use<> {
    (
        Reverse(row.deadlines_overdue),
        Reverse(weighed(row)),
        row.next_deadline
            .as_ref()
            .map_or(NaiveDate::MAX, |next| next.due_on),
        row.name.clone(),
        row.tenant_id,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a_row(name: &str, overdue: i64, unaccepted: i64, critical: i64) -> PortfolioRow {
        PortfolioRow {
            tenant_id: Uuid::now_v7(),
            name: name.to_owned(),
            stage: "active".to_owned(),
            role: "lead",
            figures: BTreeMap::from([
                ("open_risks_critical", critical),
                ("risks_above_tolerance_without_acceptance", unaccepted),
            ]),
            dates: BTreeMap::new(),
            deadlines_overdue: overdue,
            next_deadline: None,
            last_activity_at: None,
            silent: true,
        }
    }

    #[test]
    fn what_is_overdue_comes_first_then_unaccepted_then_critical_risks() {
        crate::app::kinds();
        let mut rows = [
            a_row("calm", 0, 0, 0),
            a_row("critical", 0, 0, 2),
            a_row("unaccepted", 0, 1, 0),
            a_row("overdue", 1, 0, 0),
            a_row("most overdue", 4, 0, 0),
            a_row("also calm", 0, 0, 0),
        ];

        rows.sort_by_cached_key(urgency);

        let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "most overdue",
                "overdue",
                "unaccepted",
                "critical",
                "also calm",
                "calm"
            ]
        );
    }
}
