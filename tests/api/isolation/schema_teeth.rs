//! The schema gate bites: each way to open a wall is tried on a clone and must be found.

use tokio_postgres::{Client, NoTls};

use super::schema_gate::faults;
use crate::support::{Setup, owner_url};

/// A connection to a database as its owner.
pub async fn owner_of(database: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(&owner_url(database), NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    client
}

const NULLIF: &str = "tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid";

/// Bad DDL, the object that the fault must name, and words it must have. `WALL` stands for the
/// condition of a wall.
const BAD: &[(&str, &str, &str)] = &[
    (
        "ALTER TABLE records DISABLE ROW LEVEL SECURITY",
        "records",
        "switched off",
    ),
    (
        "ALTER TABLE links NO FORCE ROW LEVEL SECURITY",
        "links",
        "does not force",
    ),
    (
        "ALTER POLICY tenant_rows ON comments USING (true)",
        "comments",
        "tenant_rows",
    ),
    (
        "ALTER POLICY tenant_wall ON events WITH CHECK (true)",
        "events",
        "tenant_wall",
    ),
    (
        "CREATE POLICY helpful ON records USING (true)",
        "records",
        "2 permissive",
    ),
    (
        "DROP POLICY tenant_wall ON deadlines",
        "deadlines",
        "0 restrictive",
    ),
    (
        "DROP POLICY tenant_wall ON people; CREATE POLICY tenant_wall ON people AS RESTRICTIVE FOR SELECT USING (WALL)",
        "people",
        "not FOR ALL",
    ),
    (
        "ALTER POLICY tenant_rows ON records USING (tenant_id = current_setting('app.tenant_id', true)::uuid)",
        "records",
        "tenant_rows",
    ),
    (
        "CREATE TABLE notes (id uuid PRIMARY KEY, text text)",
        "notes",
        "has no column tenant_id",
    ),
    (
        "CREATE TABLE notes (tenant_id uuid NOT NULL, id uuid, PRIMARY KEY (tenant_id, id)); GRANT SELECT ON notes TO aims_app",
        "notes",
        "switched off",
    ),
    (
        "CREATE TABLE logs (tenant_id uuid NOT NULL, at date NOT NULL) PARTITION BY RANGE (at); SELECT aims_tenant_table('logs'); CREATE TABLE logs_2027 PARTITION OF logs FOR VALUES FROM ('2027-01-01') TO ('2028-01-01')",
        "logs_2027",
        "switched off",
    ),
    (
        "CREATE UNIQUE INDEX i ON records (id); ALTER TABLE comments ADD CONSTRAINT plain FOREIGN KEY (record_id) REFERENCES records (id)",
        "comments",
        "plain does not pair",
    ),
    (
        "CREATE UNIQUE INDEX i ON records (id, tenant_id); ALTER TABLE comments ADD CONSTRAINT crossed FOREIGN KEY (tenant_id, record_id) REFERENCES records (id, tenant_id)",
        "comments",
        "crossed does not pair",
    ),
    (
        "ALTER TABLE comments DROP CONSTRAINT comments_record, ADD CONSTRAINT comments_record FOREIGN KEY (tenant_id, record_id) REFERENCES records ON DELETE SET NULL",
        "comments",
        "SET NULL",
    ),
    (
        "CREATE UNIQUE INDEX everywhere ON records (ref)",
        "records",
        "everywhere does not begin",
    ),
    (
        "CREATE UNIQUE INDEX shouted ON records (upper(ref), tenant_id)",
        "records",
        "shouted does not begin",
    ),
    (
        "CREATE INDEX lowered ON records (tenant_id, lower(title))",
        "records",
        "lowered has an expression",
    ),
    (
        "CREATE INDEX bodies ON records USING gin (body)",
        "records",
        "bodies has column body",
    ),
    (
        "CREATE FUNCTION peek() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM records'",
        "peek",
        "SECURITY DEFINER",
    ),
    (
        "CREATE VIEW risks AS SELECT * FROM records",
        "risks",
        "security_invoker",
    ),
    (
        "CREATE MATERIALIZED VIEW totals AS SELECT kind FROM records",
        "totals",
        "materialized",
    ),
    (
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER sly BEFORE INSERT ON records FOR EACH ROW EXECUTE FUNCTION f()",
        "records",
        "trigger sly",
    ),
    (
        "CREATE RULE sly AS ON DELETE TO comments DO INSTEAD NOTHING",
        "comments",
        "rule sly",
    ),
    (
        "CREATE TYPE mood AS ENUM ('good', 'bad')",
        "mood",
        "native enum",
    ),
    ("CREATE SEQUENCE risk_numbers", "risk_numbers", "sequence"),
    (
        "GRANT TRUNCATE ON records TO aims_app",
        "records",
        "TRUNCATE",
    ),
    ("GRANT UPDATE ON events TO aims_app", "events", "UPDATE"),
    (
        "GRANT UPDATE (body) ON versions TO aims_app",
        "versions",
        "UPDATE",
    ),
    ("GRANT DELETE ON versions TO aims_app", "versions", "DELETE"),
    (
        "CREATE SCHEMA side; GRANT CREATE ON SCHEMA side TO aims_app",
        "side",
        "create things",
    ),
    (
        "CREATE SCHEMA side; CREATE TABLE side.notes (id uuid PRIMARY KEY, text text)",
        "notes",
        "has no column tenant_id",
    ),
    (
        "CREATE SCHEMA side; CREATE TABLE side.users (id uuid PRIMARY KEY, text text)",
        "users",
        "has no column tenant_id",
    ),
    (
        "CREATE SCHEMA side; CREATE VIEW side.risks AS SELECT * FROM records",
        "risks",
        "security_invoker",
    ),
    (
        "CREATE SCHEMA side; CREATE FUNCTION side.peek() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM records'",
        "peek",
        "SECURITY DEFINER",
    ),
    (
        "CREATE SCHEMA side; CREATE MATERIALIZED VIEW side.totals AS SELECT kind FROM records",
        "totals",
        "materialized",
    ),
    (
        "CREATE SCHEMA side; CREATE SEQUENCE side.numbers",
        "numbers",
        "sequence",
    ),
    (
        "CREATE SCHEMA side; CREATE TABLE side.notes (tenant_id uuid NOT NULL, id uuid, PRIMARY KEY (tenant_id, id)); SELECT aims_tenant_table('side.notes'); GRANT TRUNCATE ON side.notes TO aims_app",
        "notes",
        "TRUNCATE",
    ),
    (
        "ALTER TABLE sessions ADD COLUMN tenant_id uuid",
        "sessions",
        "is about tenants",
    ),
    ("DROP TABLE outbox CASCADE", "outbox", "does not exist"),
    (
        "ALTER TABLE outbox ENABLE ROW LEVEL SECURITY",
        "outbox",
        "has a wall",
    ),
];

#[actix_web::test]
async fn every_way_to_open_a_wall_is_found() {
    let (_, database) = Setup::named("isolation_teeth").settings();
    let db = owner_of(&database).await;
    let mut unfound = Vec::new();

    for (ddl, object, words) in BAD {
        db.batch_execute("BEGIN").await.unwrap();
        db.batch_execute(&ddl.replace("WALL", NULLIF))
            .await
            .unwrap();
        let found = faults(&db).await;
        db.batch_execute("ROLLBACK").await.unwrap();
        let is_it =
            |fault: &String| fault.split(' ').next() == Some(*object) && fault.contains(words);
        if !found.iter().any(is_it) {
            unfound.push(format!("{ddl}: {found:?}"));
        }
    }

    assert!(unfound.is_empty(), "not found:\n{}", unfound.join("\n"));
    assert!(faults(&db).await.is_empty(), "the clone is whole again");
}
