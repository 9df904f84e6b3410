//! Consultancies, the tenants they run, and who works for whom.
//!
//! | file | question |
//! |---|---|
//! | `firms.rs` | how does a consultancy begin, and what is it called? |
//! | `firm_members.rs` | who belongs to a consultancy? |
//! | `firm_invitations.rs`, `one_invitation.rs` | who is invited to a consultancy? |
//! | `tenants.rs`, `zone_change.rs` | which client organisations are there, and in which zone? |
//! | `tenant_new.rs` | how does a tenant begin? |
//! | `engagement_rows.rs`, `engagements.rs` | under which contracts does a firm work for a tenant? |
//! | `client_engagements.rs` | how does the client see and end them? |
//! | `assignment_rows.rs`, `assignments.rs` | which consultants work under an engagement? |
//! | `tenant_members.rs`, `last_top.rs` | who reaches a tenant, with which roles, and who stays? |
//! | `tenant_people.rs` | who ever was there, or acted? |
//! | `tenant_invitations.rs` | who is invited to a tenant? |
//! | `portfolio.rs`, `portfolio_row.rs` | how do all the clients of a firm stand? |

mod assignment_rows;
mod assignments;
mod client_engagements;
mod engagement_rows;
mod engagements;
mod firm_invitations;
mod firm_members;
mod firms;
mod last_top;
mod one_invitation;
mod portfolio;
mod portfolio_row;
mod tenant_invitations;
mod tenant_members;
mod tenant_new;
mod tenant_people;
mod tenants;
mod zone_change;

use utoipa_actix_web::service_config::ServiceConfig;

use crate::problem::{Problem, Result};
use crate::tenancy::{Caller, FirmRole};

/// Registers every operation of consultancies and tenants.
pub fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(firms::create_consultancy)
        .service(firms::get_consultancy)
        .service(firm_members::list_members)
        .service(firm_members::end_member)
        .service(firm_invitations::list_invitations)
        .service(firm_invitations::create_invitation)
        .service(one_invitation::of_firm)
        .service(firm_invitations::delete_invitation)
        .service(portfolio::get_portfolio)
        .service(engagements::list_engagements)
        .service(engagements::create_engagement)
        .service(engagements::get_engagement)
        .service(engagements::update_engagement)
        .service(assignments::list_assignments)
        .service(assignments::create_assignment)
        .service(assignments::get_assignment)
        .service(assignments::end_assignment)
        .service(tenants::list_tenants)
        .service(tenant_new::create_tenant)
        .service(tenants::get_tenant)
        .service(tenants::update_tenant)
        .service(client_engagements::list_engagements)
        .service(client_engagements::end_engagement)
        .service(tenant_members::list_members)
        .service(tenant_members::update_member)
        .service(tenant_members::end_member)
        .service(tenant_people::list_people)
        .service(tenant_invitations::list_invitations)
        .service(tenant_invitations::create_invitation)
        .service(one_invitation::of_tenant)
        .service(tenant_invitations::delete_invitation);
}

/// 404 unless the caller belongs to the firm, 403 unless they own it.
fn owner_of(caller: &Caller, firm: uuid::Uuid) -> Result<()> {
    match caller.firm(firm)? {
        FirmRole::Owner => Ok(()),
        FirmRole::Lead | FirmRole::Consultant => {
            Err(Problem::forbidden("This needs owner of the consultancy."))
        }
    }
}
