//! The yardstick of SQL: the same statements by `pgbench -M prepared`, over the same socket.

use std::path::PathBuf;
use std::process::Command;

use crate::Outcome;
use crate::driver::CONNECTIONS;
use crate::setup::{self, Size, World};

/// What `pgbench` runs.
pub struct Test {
    script: String,
}

/// The tenant `:i`, as SQL.
const TENANT: &str = "('00000000-0000-7000-8000-' || lpad(to_hex(:i::int), 12, '0'))::uuid";
/// The columns of a record.
const COLUMNS: &str =
    "id, kind, ref, title, status, version, owner_id, next_review_on, created_at, created_by,
    updated_at, updated_by, authors, in_force, approved_by, approved_on, audience, audience_roles, audience_people,
    archived_at, body";

/// A list with filters.
pub fn filter(size: &Size) -> Test {
    let tenants = size.tenants;
    Test {
        script: format!(
            "\\set i random(1, {tenants})
             \\set level random(1, 4)
             SELECT {COLUMNS} FROM records WHERE tenant_id = {TENANT} AND kind = 'risk' AND archived_at IS NULL
               AND audience <> 'named' AND status = 'treating' AND facet_1 = (ARRAY['low', 'medium', 'high', 'critical'])[:level::int]
             ORDER BY id DESC LIMIT 51;"
        ),
    }
}

/// A search in titles and references.
pub fn search(size: &Size) -> Test {
    let tenants = size.tenants;
    Test {
        script: format!(
            "\\set i random(1, {tenants})
             \\set digit random(1, 9)
             SELECT {COLUMNS} FROM records WHERE tenant_id = {TENANT} AND kind = 'risk' AND archived_at IS NULL
               AND audience <> 'named' AND words LIKE '% suppliers%' AND words LIKE '% ' || :digit || '%'
             ORDER BY id DESC LIMIT 51;"
        ),
    }
}

/// The transaction that makes a risk.
pub fn create(world: &World) -> Test {
    let Size { tenants, .. } = world.size;
    let (user, systems) = (world.user, world.size.systems());
    // A digit or letter after a colon would be a variable.
    let body = setup::risk().to_string().replace("\":", "\": ");
    let record = "(lpad(to_hex(1800000000000 + :n::bigint), 12, '0') || '70009000' || lpad(to_hex(:i::int), 12, '0'))::uuid";
    let target = "(lpad(to_hex(1700000000000 + :s::bigint), 12, '0') || '70008000' || lpad(to_hex(:i::int), 12, '0'))::uuid";
    let key = format!(
        "tenant_id = {TENANT} AND caller_id = '{user}' AND route = 'POST /v1/tenants/00000000-0000-7000-8000-000000000001/risks' AND key = md5(:n::text)"
    );
    Test {
        script: format!(
            "\\set i random(1, {tenants})
             \\set s random(1, {systems})
             \\set n random(1, 1000000000000)
             BEGIN;
             SELECT set_config('app.tenant_id', {TENANT}::text, true);
             INSERT INTO idempotency_keys (tenant_id, caller_id, route, key, request_hash, created_at)
               VALUES ({TENANT}, '{user}', 'POST /v1/tenants/00000000-0000-7000-8000-000000000001/risks', md5(:n::text),
                 decode(md5(:n::text) || md5(:n::text), 'hex'), now()) ON CONFLICT DO NOTHING;
             SELECT seq, hash FROM chains WHERE tenant_id = {TENANT} FOR UPDATE \\gset
             INSERT INTO counters (tenant_id, kind, last) VALUES ({TENANT}, 'risk', 1)
               ON CONFLICT (tenant_id, kind) DO UPDATE SET last = counters.last + 1 RETURNING last \\gset
             SELECT id, kind FROM records WHERE tenant_id = {TENANT} AND id = ANY (ARRAY[{target}]);
             SELECT user_id FROM people WHERE tenant_id = {TENANT} AND user_id = ANY (ARRAY['{user}'::uuid]);
             INSERT INTO records (tenant_id, id, kind, ref_no, ref, title, status, version, owner_id, next_review_on,
                 created_at, created_by, updated_at, updated_by, authors, facet_2, words, body)
               VALUES ({TENANT}, {record}, 'risk', :last, 'RSK-' || :last, 'Proxy discrimination of applicants',
                 'identified', 1, '{user}', '2027-09-01', now(), '{user}', now(), '{user}', ARRAY['{user}'::uuid], 'false',
                 ' rsk proxy discrimination of applicants postcode and employer stand in for origin', '{body}'::jsonb || jsonb_build_object('ai_system_id', {target}, 'inherent', null, 'current', null,
                   'residual', null, 'target', null, 'residual_reason', null, 'level', null, 'above_tolerance', false,
                   'criteria_ref', null));
             INSERT INTO links (tenant_id, id, from_id, from_kind, relation, field, to_id, to_kind, person_id, created_at, created_by)
               VALUES ({TENANT}, {record}, {record}, 'risk', 'refers_to', '/ai_system_id', {target}, 'ai_system', null, now(), '{user}');
             INSERT INTO deadlines (tenant_id, record_id, name, due_on, set_on, person_id, roles)
               VALUES ({TENANT}, {record}, 'review', '2027-09-01', '2026-11-24', '{user}', '{{}}')
               ON CONFLICT (tenant_id, record_id, name) DO UPDATE SET due_on = '2027-09-01', set_on = '2026-11-24',
                 person_id = '{user}', roles = '{{}}';
             {event}
             UPDATE idempotency_keys SET status = 201, headers = '[\"v1\", \"/v1/tenants/00000000-0000-7000-8000-000000000001/risks/00000000-0000-7000-8000-000000000001\"]',
               body = '{body}' || '{body}' WHERE {key};
             COMMIT;",
            event = event("created", record, user, &body),
        ),
    }
}

/// The transaction that changes a risk: each client one of its own.
pub fn patch(world: &World) -> Test {
    let (tenants, user, systems) = (world.size.tenants, world.user, world.size.systems());
    let record = format!(
        "(lpad(to_hex(1700000000000 + {systems} + 1 + :client_id::bigint), 12, '0') || '70008000' || lpad(to_hex(:i::int), 12, '0'))::uuid"
    );
    let body = setup::risk().to_string().replace("\":", "\": ");
    let change = "{\"changes\": {\"cause\": [\"Postcode stands in for origin, 1\", \"Postcode stands in for origin, 2\"]}}";
    Test {
        script: format!(
            "\\set i 1 + :client_id % {tenants}
             \\set n random(1, 1000000000)
             BEGIN;
             SELECT set_config('app.tenant_id', {TENANT}::text, true);
             SELECT seq, hash FROM chains WHERE tenant_id = {TENANT} FOR UPDATE \\gset
             SELECT version FROM (SELECT {COLUMNS} FROM records
               WHERE tenant_id = {TENANT} AND id = {record} AND kind = 'risk' LIMIT 1) AS found \\gset
             SELECT id, field, to_id, person_id FROM links
               WHERE tenant_id = {TENANT} AND from_id = {record} AND field IS NOT NULL;
             SELECT name, due_on, set_on, person_id, roles FROM deadlines
               WHERE tenant_id = {TENANT} AND record_id = {record} ORDER BY due_on;
             UPDATE records SET title = 'Proxy discrimination of applicants', status = status, version = :version::int + 1,
                 owner_id = '{user}', next_review_on = next_review_on, updated_at = now(), updated_by = '{user}',
                 authors = ARRAY['{user}'::uuid], facet_1 = facet_1, facet_2 = facet_2, words = words, archived_at = null,
                 body = '{body}'::jsonb || jsonb_build_object('ai_system_id', body -> 'ai_system_id',
                   'inherent', body -> 'inherent', 'current', body -> 'current', 'residual', null, 'target', null,
                   'residual_reason', null, 'level', body -> 'level', 'above_tolerance', body -> 'above_tolerance',
                   'criteria_ref', body -> 'criteria_ref', 'cause', 'Postcode stands in for origin, ' || :n)
               WHERE tenant_id = {TENANT} AND id = {record} AND version = :version::int;
             {event}
             COMMIT;",
            event = event("changed", &record, user, change),
        ),
    }
}

/// The end of every write: an event and the head of the chain.
fn event(action: &str, record: &str, user: uuid::Uuid, data: &str) -> String {
    let hash = "decode(md5(:n::text) || md5(:n::text), 'hex')";
    format!(
        "INSERT INTO events (tenant_id, seq, at, actor_id, action, subject_kind, subject_id, request_id, data, prev_hash, hash)
           VALUES ({TENANT}, :seq::bigint + 1, now(), '{user}', '{action}', 'risk', {record},
             '019abc12-3456-7890-abcd-ef0123456789', '{data}', {hash}, {hash});
         INSERT INTO chains (tenant_id, seq, hash, last_event_at) VALUES ({TENANT}, :seq::bigint + 1, {hash}, now())
           ON CONFLICT (tenant_id) DO UPDATE SET seq = excluded.seq, hash = excluded.hash, last_event_at = excluded.last_event_at;"
    )
}

/// Transactions a second.
pub fn run(world: &World, test: &Test) -> Outcome<f64> {
    let script = world.socket().with_file_name("pgbench.sql");
    // A command of psql ends with its line, so others must not.
    std::fs::write(&script, one_line_each(&test.script))?;
    let output = Command::new(program())
        .args(["--no-vacuum", "--protocol=prepared", "--jobs=2"])
        .arg(format!("--client={CONNECTIONS}"))
        .arg(format!("--time={}", world.size.round.as_secs()))
        .arg("--file")
        .arg(&script)
        .arg("--host")
        .arg(world.socket())
        .args(["--username=aims_superuser", "aims"])
        .env("PGPASSWORD", world.superuser_password()?)
        .env("PGOPTIONS", "-c plan_cache_mode=force_generic_plan")
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let rate = said
        .lines()
        .filter_map(|line| line.strip_prefix("tps = "))
        .find_map(|rest| rest.split(' ').next()?.parse().ok());
    let failed = String::from_utf8_lossy(&output.stderr);
    rate.filter(|_| output.status.success())
        .ok_or_else(|| format!("pgbench: {failed}").into())
}

fn one_line_each(script: &str) -> String {
    let mut lines = String::new();
    for line in script.lines().map(str::trim) {
        lines.push_str(line);
        let ends = line.ends_with(';') || line.ends_with("\\gset") || line.starts_with("\\set");
        lines.push(if ends { '\n' } else { ' ' });
    }
    lines
}

/// `pgbench` beside the other programs of PostgreSQL, or wherever the system finds it.
fn program() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let folders = versions.map(|version| version.path().join("bin"));
    setup::setting("PG_BINDIR")
        .map(PathBuf::from)
        .into_iter()
        .chain(folders)
        .map(|folder| folder.join("pgbench"))
        .find(|program| program.exists())
        .unwrap_or_else(|| PathBuf::from("pgbench"))
}
