DROP TABLE idempotency_keys, reminders, evidence_refs, comments, deadlines, links, versions, records, counters, people, events, chains;
DROP FUNCTION aims_tenant_table;
