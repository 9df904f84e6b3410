//! People who have left a tenant, or whose time there runs out.

use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use super::holdings::{Holding, in_days, membership};
use crate::support::actors::id_in;
use crate::support::{Firm, Person, TenantWorld};

/// Everybody who once was, or almost is, somebody in the tenant.
pub struct Former {
    pub ex_member: Person,
    pub expired_auditor: Person,
    pub ended: Person,
    pub run_out: Person,
}

impl Former {
    /// They come and go; the auditor and one engagement last until tomorrow.
    pub async fn of(firm: &Firm<'_>, victim: &Holding) -> Self {
        let client = TenantWorld {
            app: firm.app,
            id: victim.tenant,
            engagement_id: victim.engagement,
            base: format!("/v1/tenants/{}", victim.tenant),
            firm_owner: victim.firm_owner.clone(),
        };
        let boss = &victim.everybody;
        let ex_member = client
            .staff_by(boss, "Else Fjern", &["aims_manager"], None)
            .await;
        let gone = membership(boss, &client, &ex_member).await;
        boss.api
            .send(
                Method::DELETE,
                &client.path(&format!("members/{gone}")),
                &[("If-Match", "*")],
                None,
            )
            .await
            .expect(200);
        let until = in_days(1);
        let expired_auditor = client
            .staff_by(
                boss,
                "Arne Bevis",
                &["external_auditor", "viewer"],
                Some(&until),
            )
            .await;
        let ended = firm.hire("Eva Slutt", "consultant").await;
        let engagement = engage(firm, victim, &ended, None).await;
        boss.api
            .send(
                Method::POST,
                &client.path(&format!("engagements/{engagement}/end")),
                &[("If-Match", "*")],
                None,
            )
            .await
            .expect(200);
        let run_out = firm.hire("Rut Forbi", "consultant").await;
        engage(firm, victim, &run_out, Some(&until)).await;
        Self {
            ex_member,
            expired_auditor,
            ended,
            run_out,
        }
    }
}

/// Another engagement for the tenant, with one consultant.
async fn engage(firm: &Firm<'_>, victim: &Holding, who: &Person, until: Option<&str>) -> Uuid {
    let base = format!("/v1/consultancies/{}/engagements", firm.id);
    let body = json!({"tenant_id": victim.tenant, "service": "gap", "starts_on": "2026-01-01", "ends_on": until});
    let made = firm.owner.api.post(&base, &body, 201).await;
    let id = id_in(&made, "id");
    let body = json!({"user_id": who.id, "role": "consultant"});
    firm.owner
        .api
        .post(&format!("{base}/{id}/assignments"), &body, 201)
        .await;
    id
}
