//! Every table is walled or on a short list; see migrations/README.md for the rules.

use tokio_postgres::Client;

use crate::support::Setup;

/// Tables without a wall, each with its reason. The list may only shrink.
const GLOBAL_TABLES: &str = include_str!("global_tables.txt");
/// The only tables that may be on the list. Whoever adds one has thought about a wall twice.
const MAY_BE_GLOBAL: [&str; 11] = [
    "users",
    "consultancies",
    "consultancy_members",
    "tenants",
    "engagements",
    "memberships",
    "sessions",
    "invitations",
    "outbox",
    "kind_statuses",
    "__diesel_schema_migrations",
];
/// Those of them with rows about a tenant, which each query of them must ask for by itself. What
/// else is about a tenant has a wall.
const ABOUT_TENANTS: [&str; 4] = ["engagements", "memberships", "invitations", "outbox"];

/// The one condition of a wall, as PostgreSQL prints it.
const WALL: &str =
    "(tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)";

/// Questions to `pg_catalog`; each row is a fault, as object and sentence. `$wall` stands for
/// [`WALL`], `t` for tables and `n` for schemas, save those of PostgreSQL itself: a table is no
/// better protected for lying in a schema of its own.
const QUESTIONS: &[&str] = &[
    // Walls.
    "SELECT t.name, 'has no column tenant_id uuid NOT NULL: give it one and close it with aims_tenant_table(), or give a reason in global_tables.txt'
       FROM t WHERE NOT t.global AND NOT EXISTS (SELECT FROM pg_attribute a
         WHERE a.attrelid = t.oid AND a.attname = 'tenant_id' AND a.atttypid = 'uuid'::regtype AND a.attnotnull)",
    "SELECT t.name, 'has row-level security switched off' FROM t WHERE NOT t.global AND NOT t.relrowsecurity",
    "SELECT t.name, 'does not force row-level security on its owner' FROM t WHERE NOT t.global AND NOT t.relforcerowsecurity",
    "SELECT t.name, format('has %s restrictive and %s permissive policies instead of one each',
         count(p.oid) FILTER (WHERE NOT p.polpermissive), count(p.oid) FILTER (WHERE p.polpermissive))
       FROM t LEFT JOIN pg_policy p ON p.polrelid = t.oid WHERE NOT t.global GROUP BY 1
       HAVING count(p.oid) FILTER (WHERE NOT p.polpermissive) <> 1 OR count(p.oid) FILTER (WHERE p.polpermissive) <> 1",
    "SELECT t.name, format('policy %s is not FOR ALL to everybody with the wall in USING and WITH CHECK', p.polname)
       FROM t JOIN pg_policy p ON p.polrelid = t.oid WHERE NOT t.global
       AND (p.polcmd <> '*' OR p.polroles <> '{0}'
         OR pg_get_expr(p.polqual, p.polrelid) IS DISTINCT FROM $wall
         OR pg_get_expr(p.polwithcheck, p.polrelid) IS DISTINCT FROM $wall)",
    "SELECT t.name, 'has no wall and is about tenants (tenant_id): close it with aims_tenant_table()'
       FROM t WHERE t.global AND NOT t.about_tenants AND EXISTS (SELECT FROM pg_attribute a
         WHERE a.attrelid = t.oid AND a.attname ~ 'tenant' AND NOT a.attisdropped)",
    // Ways around them.
    "SELECT c.relname::text, 'is a view without security_invoker' FROM pg_class c
       JOIN n ON n.oid = c.relnamespace WHERE c.relkind = 'v'
       AND NOT coalesce(c.reloptions && ARRAY['security_invoker=true', 'security_invoker=on', 'security_invoker=1'], false)",
    "SELECT c.relname::text, 'is a materialized view: it keeps rows of all tenants' FROM pg_class c
       JOIN n ON n.oid = c.relnamespace WHERE c.relkind = 'm'",
    "SELECT c.relname::text, 'is a foreign table' FROM pg_class c
       JOIN n ON n.oid = c.relnamespace WHERE c.relkind = 'f'",
    "SELECT p.proname::text, 'is SECURITY DEFINER' FROM pg_proc p
       JOIN n ON n.oid = p.pronamespace WHERE p.prosecdef",
    "SELECT t.name, format('has the trigger %s', g.tgname)
       FROM t JOIN pg_trigger g ON g.tgrelid = t.oid AND NOT g.tgisinternal WHERE NOT t.global",
    "SELECT t.name, format('has the rule %s', r.rulename)
       FROM t JOIN pg_rewrite r ON r.ev_class = t.oid WHERE NOT t.global",
    "SELECT y.typname::text, 'is a native enum: use text with a CHECK' FROM pg_type y
       JOIN n ON n.oid = y.typnamespace WHERE y.typtype = 'e'",
    "SELECT c.relname::text, 'is a sequence, which all tenants would share' FROM pg_class c
       JOIN n ON n.oid = c.relnamespace WHERE c.relkind = 'S'",
    // Keys.
    "SELECT t.name, format('foreign key %s does not pair tenant_id with tenant_id', k.conname)
       FROM t JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype = 'f' JOIN t AS f ON f.oid = k.confrelid
       WHERE NOT t.global AND NOT f.global AND NOT EXISTS (SELECT FROM unnest(k.conkey, k.confkey) AS c (own, far)
         JOIN pg_attribute o ON o.attrelid = k.conrelid AND o.attnum = c.own AND o.attname = 'tenant_id'
         JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = c.far AND a.attname = 'tenant_id')",
    "SELECT t.name, format('foreign key %s ends with SET NULL or SET DEFAULT, which reaches tenant_id', k.conname)
       FROM t JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype = 'f'
       WHERE NOT t.global AND (k.confdeltype IN ('n', 'd') OR k.confupdtype IN ('n', 'd'))",
    "SELECT t.name, format('is referred to by %s of the global table %s', k.conname, g.name)
       FROM t JOIN pg_constraint k ON k.confrelid = t.oid AND k.contype = 'f' JOIN t AS g ON g.oid = k.conrelid
       WHERE NOT t.global AND g.global",
    "SELECT t.name, format('unique index %s does not begin with tenant_id', i.indexrelid::regclass)
       FROM t JOIN pg_index i ON i.indrelid = t.oid AND i.indisunique
       LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = i.indkey[0]
       WHERE NOT t.global AND a.attname IS DISTINCT FROM 'tenant_id'",
    "SELECT t.name, format('exclusion constraint %s reaches across tenants', k.conname)
       FROM t JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype = 'x' WHERE NOT t.global",
    "SELECT t.name, format('index %s has an expression, which row-level security keeps from use: generate a column', i.indexrelid::regclass)
       FROM t JOIN pg_index i ON i.indrelid = t.oid WHERE NOT t.global AND i.indexprs IS NOT NULL",
    "SELECT t.name, format('index %s has column %s of type %s, whose comparison is not leakproof', i.indexrelid::regclass, a.attname, a.atttypid::regtype)
       FROM t JOIN pg_index i ON i.indrelid = t.oid JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = ANY (i.indkey)
       WHERE NOT t.global AND a.atttypid <> ALL (ARRAY['uuid', 'text', 'integer', 'bigint', 'boolean', 'date', 'timestamptz']::regtype[])",
    // The runtime role.
    "SELECT r.rolname::text, 'may be superuser, bypass row-level security, create databases or roles, or replicate' FROM pg_roles r
       WHERE r.rolname = 'aims_app' AND (r.rolsuper OR r.rolbypassrls OR r.rolcreatedb OR r.rolcreaterole OR r.rolreplication)",
    "SELECT r.rolname::text, format('is a member of %s', m.roleid::regrole) FROM pg_auth_members m
       JOIN pg_roles r ON r.oid = m.member WHERE r.rolname = 'aims_app'",
    "SELECT c.relname::text, format('lets aims_app %s', p.name) FROM pg_class c JOIN n ON n.oid = c.relnamespace
       CROSS JOIN (VALUES ('TRUNCATE'), ('TRIGGER'), ('REFERENCES')) AS p (name)
       WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
       AND has_table_privilege('aims_app', c.oid, p.name)",
    "SELECT t.name, format('lets aims_app %s: it may only grow', p.name) FROM t
       CROSS JOIN (VALUES ('UPDATE'), ('DELETE')) AS p (name)
       WHERE t.name IN ('events', 'versions') AND (has_table_privilege('aims_app', t.oid, p.name)
         OR p.name = 'UPDATE' AND has_any_column_privilege('aims_app', t.oid, p.name))",
    "SELECT n.nspname::text, 'lets aims_app create things' FROM n
       WHERE has_schema_privilege('aims_app', n.oid, 'CREATE')",
    "SELECT current_database()::text, 'lets aims_app create schemas' WHERE has_database_privilege('aims_app', current_database(), 'CREATE')",
    "SELECT c.relname::text, 'is owned by aims_app' FROM pg_class c WHERE c.relowner = 'aims_app'::regrole",
    "SELECT p.proname::text, 'is owned by aims_app' FROM pg_proc p WHERE p.proowner = 'aims_app'::regrole",
    "SELECT t.name, 'is a partition that aims_app reaches directly' FROM t
       WHERE t.relispartition AND has_table_privilege('aims_app', t.oid, 'SELECT')",
];

/// The names of the list, once it is a list of reasons.
fn global_tables() -> Vec<&'static str> {
    let lines = GLOBAL_TABLES.lines().filter(|line| !line.trim().is_empty());
    lines
        .map(|line| {
            let (name, reason) = line.split_once(": ").unwrap_or((line, ""));
            assert!(
                !reason.trim().is_empty(),
                "{name} needs a reason in global_tables.txt"
            );
            name
        })
        .collect()
}

/// What is wrong with the schema, as sentences that begin with the object's name.
pub async fn faults(db: &Client) -> Vec<String> {
    let global = global_tables();
    let quoted = |names: &[&str]| {
        let names: Vec<_> = names.iter().map(|name| format!("'{name}'")).collect();
        names.join(", ")
    };
    let tables = format!(
        "WITH n AS (SELECT oid, nspname FROM pg_namespace
             WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'),
           t AS (SELECT c.*, c.relname::text AS name, c.relname = ANY (ARRAY[{}]::name[])
               AND c.relnamespace = 'public'::regnamespace AS global,
               c.relname = ANY (ARRAY[{}]::name[]) AS about_tenants
             FROM pg_class c JOIN n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p')) ",
        quoted(&global),
        quoted(&ABOUT_TENANTS)
    );
    let mut faults = Vec::new();
    for question in QUESTIONS {
        let question = question.replace("$wall", &format!("'{}'", WALL.replace('\'', "''")));
        let rows = db.query(&format!("{tables}{question}"), &[]).await.unwrap();
        let told = rows.iter().map(|row| {
            let (object, sentence): (String, String) = (row.get(0), row.get(1));
            format!("{object} {sentence}")
        });
        faults.extend(told);
    }
    for name in &global {
        let sql = format!(
            "{tables} SELECT (t.relrowsecurity OR t.relforcerowsecurity) FROM t WHERE t.global AND name = $1"
        );
        match db.query_opt(&sql, &[name]).await.unwrap() {
            None => faults.push(format!(
                "{name} does not exist: take it off global_tables.txt"
            )),
            Some(row) if row.get(0) => {
                faults.push(format!("{name} has a wall: take it off global_tables.txt"));
            }
            Some(_) => {}
        }
    }
    let new = global.iter().filter(|name| !MAY_BE_GLOBAL.contains(*name));
    faults.extend(new.map(|name| format!("{name} is new on global_tables.txt: give it a wall")));
    faults
}

#[actix_web::test]
async fn every_table_is_walled_or_global_for_a_reason() {
    let (_, database) = Setup::named("isolation_gate").settings();
    let db = super::schema_teeth::owner_of(&database).await;

    let faults = faults(&db).await;

    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
