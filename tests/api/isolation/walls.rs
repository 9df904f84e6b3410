//! The walls stand by themselves: the runtime role with raw SQL, as an injection would have it.

use serde_json::Value;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use super::catalogue::{foreign_keys, tenant_tables, written_columns};
use super::holdings::{Holding, random_id};
use crate::support::{App, Firm, Setup};
use crate::what_is_left::excuse;

async fn scope(db: &Client, tenant: &str) {
    db.batch_execute(&format!("SET app.tenant_id = '{tenant}'"))
        .await
        .unwrap();
}

/// Makes a row in each table that a holding leaves empty.
async fn complete(app: &App, holding: &Holding) {
    let db = app.owner().await;
    let tenant = holding.tenant;
    scope(&db, &tenant.to_string()).await;
    let record = holding.records["risk-criteria"].id;
    let person = holding.everybody.id;
    let auditor = holding.viewer.id;
    let id = Uuid::now_v7;
    let sql = format!(
        "INSERT INTO reminders (tenant_id, id, record_id, deadline, due_on, lead_days, recipient_id, channel, state, send_at, created_at)
           VALUES ('{tenant}', '{}', '{record}', 'review', '2027-01-11', 7, '{person}', 'mail', 'cancelled', now(), now());
         INSERT INTO deadlines (tenant_id, record_id, name, due_on, set_on, person_id, roles)
           VALUES ('{tenant}', '{record}', 'by hand', '2027-01-11', '2026-01-11', '{person}', '{{}}');
         INSERT INTO links (tenant_id, id, from_id, from_kind, relation, person_id, created_at)
           VALUES ('{tenant}', '{}', '{record}', 'risk_criteria', 'serves', '{person}', now());
         INSERT INTO rows (tenant_id, record_id, list, key, at, person_id, body, created_at)
           VALUES ('{tenant}', '{record}', 'measurements', 'a key', now(), '{person}', '{{}}', now());
         INSERT INTO shares (tenant_id, record_id, person_id, until, created_at)
           VALUES ('{tenant}', '{record}', '{auditor}', '2027-01-11', now());
         INSERT INTO settings (tenant_id, version, body) VALUES ('{tenant}', 1, '{{}}');
         INSERT INTO links (tenant_id, id, from_id, from_kind, relation, to_id, to_kind, to_version, created_at)
           VALUES ('{tenant}', '{}', '{record}', 'risk_criteria', 'serves', '{record}', 'risk_criteria', 1, now());
         UPDATE records SET owner_id = '{person}' WHERE id = '{record}';",
        id(),
        id(),
        id()
    );
    db.batch_execute(&sql).await.unwrap();
    let headers = [("Idempotency-Key", "a key")];
    let body = holding.body(&super::document::operation("create_risk").unwrap());
    let path = format!("/v1/tenants/{tenant}/risks");
    let api = &holding.everybody.api;
    api.send(
        reqwest::Method::POST,
        &path,
        &headers,
        body.map(|body| body.to_string()),
    )
    .await
    .expect(201);
}

async fn count(db: &Client, table: &str, condition: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {table} WHERE {condition}");
    db.query_one(&sql, &[]).await.unwrap().get(0)
}

/// What a statement did: rows changed, or the SQLSTATE of the refusal.
async fn attempt(db: &Client, sql: &str) -> Result<u64, SqlState> {
    db.batch_execute("BEGIN").await.unwrap();
    let done = db.execute(sql, &[]).await;
    let settled = match &done {
        Ok(_) => db.batch_execute("SET CONSTRAINTS ALL IMMEDIATE").await,
        Err(_) => Ok(()),
    };
    db.batch_execute("ROLLBACK").await.unwrap();
    match (done, settled) {
        (Ok(rows), Ok(())) => Ok(rows),
        (Err(error), _) | (_, Err(error)) => Err(error.code().unwrap().clone()),
    }
}

/// One row that a condition holds for, as its owner sees it.
async fn row(db: &Client, table: &str, condition: &str) -> Option<Value> {
    let sql = format!("SELECT to_jsonb(t)::text FROM {table} t WHERE {condition} LIMIT 1");
    let row = db.query_opt(&sql, &[]).await.unwrap()?;
    Some(serde_json::from_str(row.get(0)).unwrap())
}

/// An INSERT of a row given as JSON.
async fn insert(db: &Client, table: &str, row: &Value) -> String {
    let columns: Vec<_> = written_columns(db, table)
        .await
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    let columns = columns.join(", ");
    let row = row.to_string().replace('\'', "''");
    format!(
        "INSERT INTO {table} ({columns}) SELECT {columns} FROM jsonb_populate_record(NULL::{table}, '{row}')"
    )
}

/// A server with two clients of one firm that have something in every table.
async fn two_tenants(app: &App) -> (Holding, Holding) {
    let firm = Firm::sign_up(app, "Fjordlys Advisory").await;
    let theirs = Holding::of(&firm, "Aurelia Lending B.V.").await;
    let own = Holding::of(&firm, "Borealis Insurance").await;
    for holding in [&theirs, &own] {
        holding.approve_criteria().await;
        complete(app, holding).await;
    }
    (theirs, own)
}

#[actix_web::test]
async fn raw_sql_of_one_tenant_meets_nothing_of_another() {
    let app = Setup::named("isolation_walls").start();
    // Links of approved criteria are made behind the program's back.
    excuse(&app.database, "versions");
    let (theirs, own) = two_tenants(&app).await;
    let (theirs, own) = (theirs.tenant.to_string(), own.tenant.to_string());

    let mut faults = faults_of_tables(&app, &theirs, &own).await;
    faults.extend(faults_of_references(&app, &theirs, &own).await);

    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Every table: rows of others are not seen, not changed, not made.
async fn faults_of_tables(app: &App, theirs: &str, own: &str) -> Vec<String> {
    let owner = app.owner().await;
    let db = app.runtime_role().await;
    let tables = tenant_tables(&owner).await;
    assert!(tables.len() >= 12, "only {tables:?} are walled");
    let mut faults = Vec::new();

    for table in &tables {
        scope(&owner, theirs).await;
        let row = row(&owner, table, "true").await;
        let row = row.unwrap_or_else(|| panic!("{table} is empty: give it a row in `complete`"));
        let insert = insert(&owner, table, &row).await;
        scope(&db, own).await;
        let mut expect = |what: &str, holds: bool| {
            if !holds {
                faults.push(format!("{table}: {what}"));
            }
        };
        expect(
            "shows nothing of its own tenant",
            count(&db, table, "true").await > 0,
        );
        let foreign = format!("tenant_id <> '{own}'");
        expect(
            "shows rows of others",
            count(&db, table, &foreign).await == 0,
        );
        let denied = |done: &Result<u64, SqlState>| *done == Err(SqlState::INSUFFICIENT_PRIVILEGE);
        let done = attempt(&db, &insert).await;
        expect(
            &format!("takes a row of another tenant: {done:?}"),
            denied(&done),
        );
        let done = attempt(&db, &format!("{insert} ON CONFLICT DO NOTHING")).await;
        expect(
            &format!("tells whether a row exists elsewhere: {done:?}"),
            denied(&done),
        );
        for sql in [
            format!("UPDATE {table} SET tenant_id = tenant_id WHERE tenant_id = '{theirs}'"),
            format!("DELETE FROM {table} WHERE tenant_id = '{theirs}'"),
        ] {
            let done = attempt(&db, &sql).await;
            expect(&format!("{sql}: {done:?}"), denied(&done) || done == Ok(0));
        }
        let move_out = format!("UPDATE {table} SET tenant_id = '{theirs}'");
        let done = attempt(&db, &move_out).await;
        expect(&format!("{move_out}: {done:?}"), denied(&done));
        let truncate = attempt(&db, &format!("TRUNCATE {table} CASCADE")).await;
        expect(
            &format!("can be truncated: {truncate:?}"),
            denied(&truncate),
        );
        for unset in ["RESET app.tenant_id", "SET app.tenant_id = ''"] {
            db.batch_execute(unset).await.unwrap();
            expect(
                &format!("shows rows after {unset}"),
                count(&db, table, "true").await == 0,
            );
            let done = attempt(&db, &insert).await;
            expect(
                &format!("takes a row after {unset}: {done:?}"),
                denied(&done),
            );
        }
    }

    faults
}

/// Every foreign key: a reference into another tenant fails as one into nothing.
async fn faults_of_references(app: &App, theirs: &str, own: &str) -> Vec<String> {
    let owner = app.owner().await;
    let db = app.runtime_role().await;
    let mut faults = Vec::new();

    for key in foreign_keys(&owner).await {
        scope(&owner, theirs).await;
        let far = row(&owner, &key.far_table, "true").await.unwrap();
        let far = match key.name.as_str() {
            // A kind that none of one's own records with the same id can have.
            "links_to" => row(&owner, &key.far_table, "kind = 'risk'").await.unwrap(),
            _ => far,
        };
        scope(&owner, own).await;
        let set: Vec<_> = key
            .columns
            .iter()
            .map(|name| format!("{name} IS NOT NULL"))
            .collect();
        let base = row(&owner, &key.table, &set.join(" AND ")).await;
        let base =
            base.unwrap_or_else(|| panic!("no row for {}: give it one in `complete`", key.name));
        let fresh = fresh_key(&owner, &key.table, &base, &key.columns).await;
        let mut outcomes = Vec::new();
        for foreign in [true, false] {
            let mut row = fresh.clone();
            for (own_name, far_name) in key.columns.iter().zip(&key.far_columns) {
                let value = far[far_name].clone();
                let is_id = value
                    .as_str()
                    .is_some_and(|text| text.parse::<Uuid>().is_ok());
                row[own_name] = match is_id && !foreign {
                    true => random_id().into(),
                    false => value,
                };
            }
            scope(&db, own).await;
            outcomes.push(attempt(&db, &insert(&owner, &key.table, &row).await).await);
        }
        let refused = Err(SqlState::FOREIGN_KEY_VIOLATION);
        if outcomes != [refused.clone(), refused] {
            faults.push(format!("{}: foreign and random id: {outcomes:?}", key.name));
        }
        // The row itself is good: only the reference is refused.
        let control = attempt(&db, &insert(&owner, &key.table, &fresh).await).await;
        // A row whose key is nothing but its references is there already.
        if control != Ok(1) && control != Err(SqlState::UNIQUE_VIOLATION) {
            faults.push(format!("{}: one's own id: {control:?}", key.name));
        }
    }
    faults
}

/// The row under a key of its own, so that no unique index is in the way of the reference.
async fn fresh_key(db: &Client, table: &str, row: &Value, kept: &[String]) -> Value {
    let sql = "SELECT DISTINCT a.attname::text, format_type(a.atttypid, NULL) FROM pg_index i \
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) \
        WHERE i.indrelid = $1::text::regclass AND i.indisunique AND a.attname <> 'tenant_id'";
    let mut fresh = row.clone();
    for column in db.query(sql, &[&table]).await.unwrap() {
        let (name, kind): (String, String) = (column.get(0), column.get(1));
        let refers = name.ends_with("_id") || ["kind", "channel"].contains(&name.as_str());
        if kept.contains(&name) || refers {
            continue;
        }
        fresh[&name] = match kind.as_str() {
            "uuid" => random_id().into(),
            "text" => format!("fresh {}", random_id()).into(),
            "integer" | "bigint" => 100_000.into(),
            _ => continue,
        };
    }
    fresh
}
