//! Nothing stored in one tenant points into another one.

use uuid::Uuid;

use super::catalogue::foreign_keys;
use crate::support::App;

/// References of a tenant that lead to nothing the tenant has.
pub async fn mismatches(app: &App, tenant: Uuid) -> Vec<String> {
    let db = app.owner().await;
    let keys = foreign_keys(&db).await;
    assert!(keys.len() > 8, "only {} foreign keys are swept", keys.len());
    db.batch_execute(&format!("SET app.tenant_id = '{tenant}'"))
        .await
        .unwrap();
    let mut found = Vec::new();
    for key in keys {
        let pairs = key.columns.iter().zip(&key.far_columns);
        let (set, same): (Vec<_>, Vec<_>) = pairs
            .map(|(own, far)| {
                (
                    format!("own.{own} IS NOT NULL"),
                    format!("far.{far} = own.{own}"),
                )
            })
            .unzip();
        let sql = format!(
            "SELECT count(*) FROM {} own WHERE own.tenant_id = '{tenant}' AND {} AND NOT EXISTS \
             (SELECT FROM {} far WHERE far.tenant_id = '{tenant}' AND {})",
            key.table,
            set.join(" AND "),
            key.far_table,
            same.join(" AND ")
        );
        let count: i64 = db.query_one(&sql, &[]).await.unwrap().get(0);
        if count > 0 {
            found.push(format!(
                "{} of {}: {count} rows of {tenant} lead elsewhere",
                key.name, key.table
            ));
        }
    }
    found
}
