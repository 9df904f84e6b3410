//! Questions to a whole database; each row that comes back is a fault.

use tokio_postgres::Client;

/// Columns that name an account, wherever they are.
const PEOPLE: &[&str] = &[
    "user_id",
    "actor_id",
    "person_id",
    "owner_id",
    "recipient_id",
    "created_by",
    "updated_by",
    "approved_by",
    "invited_by",
    "ended_by",
    "caller_id",
];
/// Tables that firms and accounts have rows in too, under their own ids.
const OF_ANYBODY: &[&str] = &["chains", "events", "idempotency_keys"];
/// Whole numbers that may be below zero: days overdue, and values to sort by.
const MAY_BE_NEGATIVE: &[&str] = &["lead_days", "sort_1", "sort_2", "sort_3"];

/// Topic, and a query of texts that tell table, row and what is wrong.
const QUESTIONS: &[(&str, &str)] = &[
    (
        "in force",
        "SELECT format('record %s %s has version %s in force, which does not exist', r.ref, r.id, r.in_force)
           FROM records r WHERE r.in_force IS NOT NULL AND NOT EXISTS (SELECT FROM versions v
             WHERE v.tenant_id = r.tenant_id AND v.record_id = r.id AND v.number = r.in_force)",
    ),
    (
        "authors",
        "SELECT format('record %s %s is as it was approved and has authors %s', r.ref, r.id, r.authors)
           FROM records r WHERE r.authors <> '{}' AND r.version = (SELECT max(v.record_version)
             FROM versions v WHERE v.tenant_id = r.tenant_id AND v.record_id = r.id)",
    ),
    (
        "authors",
        "SELECT format('record %s %s has the author %s, who never wrote on it', r.ref, r.id, a)
           FROM records r, unnest(r.authors) a WHERE NOT EXISTS (SELECT FROM events e
             WHERE e.tenant_id = r.tenant_id AND e.subject_id = r.id AND e.actor_id = a)",
    ),
    (
        "approval",
        "SELECT format('record %s %s is approved by %s and has no version', r.ref, r.id, r.approved_by)
           FROM records r WHERE r.approved_by IS NOT NULL AND NOT EXISTS (SELECT FROM versions v
             WHERE v.tenant_id = r.tenant_id AND v.record_id = r.id AND v.approved_by = r.approved_by)",
    ),
    (
        "pins",
        "SELECT format('version %s of record %s does not say which version of %s %s it means, of which %s was in force',
             v.number, v.record_id, l ->> 'to_kind', l ->> 'to_id', held.number)
           FROM versions v CROSS JOIN jsonb_array_elements(v.links) l
           CROSS JOIN LATERAL (SELECT max(e.seq) AS seq FROM events e WHERE e.tenant_id = v.tenant_id
             AND e.subject_id = v.record_id AND e.action = 'moved' AND e.at = v.approved_at) approval
           CROSS JOIN LATERAL (SELECT e.data::jsonb #>> '{changes,in_force,1}' AS number FROM events e
             WHERE e.tenant_id = v.tenant_id AND e.subject_id = (l ->> 'to_id')::uuid AND e.seq < approval.seq
             AND e.data::jsonb #> '{changes,in_force}' IS NOT NULL ORDER BY e.seq DESC LIMIT 1) held
          WHERE l ->> 'to_version' IS NULL AND held.number IS NOT NULL",
    ),
    (
        "mail",
        "SELECT format('mail %s to %s is %s and still has its text', id, recipient, state)
           FROM outbox WHERE state <> 'queued' AND (body_text <> '' OR body_html <> '')",
    ),
    (
        "mail",
        "SELECT format('mail %s to %s is %s and holds a secret outside of its text', id, recipient, state)
           FROM outbox WHERE concat_ws(' ', subject, recipient_name, last_error) ~ 'token='",
    ),
    (
        "mail",
        "SELECT format('mail %s to %s is %s and has no end, or one too early', id, recipient, state)
           FROM outbox WHERE (state = 'queued') <> (finished_at IS NULL)",
    ),
    (
        "mail",
        "SELECT format('mail %s is about reminder %s, which is not its tenant''s', o.id, o.reminder_id)
           FROM outbox o WHERE o.reminder_id IS NOT NULL AND NOT EXISTS (SELECT FROM reminders r
             WHERE r.tenant_id = o.tenant_id AND r.id = o.reminder_id)",
    ),
    (
        "reminders",
        "SELECT format('reminder %s of %s is planned, and no mail waits', r.id, r.record_id)
           FROM reminders r WHERE r.state = 'planned' AND NOT EXISTS (SELECT FROM outbox o
             WHERE o.reminder_id = r.id AND o.state = 'queued')",
    ),
    (
        "reminders",
        "SELECT format('reminder %s of %s is %s, its mail is %s', r.id, r.record_id, r.state, o.state)
           FROM reminders r JOIN outbox o ON o.reminder_id = r.id
          WHERE (r.state = 'sent') <> (o.state = 'sent') AND o.state <> 'queued'",
    ),
    (
        "deadlines",
        "SELECT format('deadline %s of record %s, which is archived', d.name, r.ref)
           FROM deadlines d JOIN records r ON r.tenant_id = d.tenant_id AND r.id = d.record_id
          WHERE r.archived_at IS NOT NULL",
    ),
    (
        "numbers",
        "SELECT format('record %s of kind %s is numbered beyond the count of %s', r.ref, r.kind, c.last)
           FROM records r LEFT JOIN counters c ON c.tenant_id = r.tenant_id AND c.kind = r.kind
          WHERE r.ref_no > coalesce(c.last, 0)",
    ),
    (
        "secrets",
        "SELECT format('the answer to %s under %s is kept with a secret', route, key)
           FROM idempotency_keys WHERE body ~ '\"(access_token|refresh_token|password|token)\"'",
    ),
    (
        "secrets",
        "SELECT format('event %s of %s (%s) holds a secret', seq, tenant_id, action)
           FROM events WHERE data ~ '\"(access_token|refresh_token|password|token)\"'",
    ),
];

/// All faults that the questions find.
pub async fn ask(db: &Client) -> Vec<String> {
    let mut faults = Vec::new();
    let fixed = QUESTIONS
        .iter()
        .map(|(topic, sql)| (*topic, (*sql).to_owned()));
    for (topic, sql) in fixed.chain(derived(db).await) {
        let rows = db.query(&sql, &[]).await;
        let rows = rows.unwrap_or_else(|error| panic!("{error:?}: {sql}"));
        faults.extend(
            rows.iter()
                .map(|row| format!("{topic}: {}", row.get::<_, String>(0))),
        );
    }
    faults
}

/// Questions to each table that has such columns: rows that belong to nobody, people without an
/// account, numbers below zero.
async fn derived(db: &Client) -> Vec<(&'static str, String)> {
    let sql = "SELECT c.relname::text, a.attname::text, a.atttypid::regtype::text FROM pg_attribute a
                 JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p')
                WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
                  AND c.relname NOT LIKE '\\_\\_%' ORDER BY 1, a.attnum";
    let columns = db.query(sql, &[]).await.unwrap();
    let ask = |(table, column, sort): (String, String, String)| {
        let row = format!("'{table} ' || left(to_jsonb(t)::text, 300)");
        let of_anybody = OF_ANYBODY.contains(&table.as_str());
        match (column.as_str(), sort.as_str()) {
            ("tenant_id", _) => {
                let firms_too = " UNION SELECT id FROM consultancies UNION SELECT id FROM users";
                let firms_too = if of_anybody { firms_too } else { "" };
                Some((
                    "nobody's",
                    format!(
                        "SELECT {row} FROM {table} t WHERE tenant_id IS NOT NULL
                           AND tenant_id NOT IN (SELECT id FROM tenants{firms_too})"
                    ),
                ))
            }
            (person, "uuid") if PEOPLE.contains(&person) => Some((
                "nobody's",
                format!(
                    "SELECT {row} || ': {person} has no account' FROM {table} t
                      WHERE {person} IS NOT NULL AND {person} NOT IN (SELECT id FROM users)"
                ),
            )),
            (number, "integer" | "bigint") if !MAY_BE_NEGATIVE.contains(&number) => Some((
                "negative",
                format!(
                    "SELECT {row} || ': {number} is below zero' FROM {table} t WHERE {number} < 0"
                ),
            )),
            _ => None,
        }
    };
    columns
        .iter()
        .filter_map(|row| ask((row.get(0), row.get(1), row.get(2))))
        .collect()
}
