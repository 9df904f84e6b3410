-- Everything a tenant owns. Each table begins with tenant_id in its keys and is closed by
-- aims_tenant_table(); see migrations/README.md for the rules. Foreign keys are checked at the
-- commit, so that the statements of one pipelined write may arrive in any order.

CREATE FUNCTION aims_tenant_table(t regclass) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    fault text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = t AND attname = 'tenant_id' AND atttypid = 'uuid'::regtype AND attnotnull) THEN
        RAISE EXCEPTION '% needs a column tenant_id uuid NOT NULL', t;
    END IF;
    SELECT indexrelid::regclass::text INTO fault FROM pg_index i
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
        WHERE i.indrelid = t AND i.indisunique AND a.attname <> 'tenant_id' LIMIT 1;
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION 'unique index % of % must begin with tenant_id', fault, t;
    END IF;
    SELECT conname INTO fault FROM pg_constraint c
        WHERE c.conrelid = t AND c.contype = 'f'
        AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.confrelid AND attname = 'tenant_id' AND NOT attisdropped)
        AND c.confrelid <> 'tenants'::regclass
        AND NOT EXISTS (SELECT FROM unnest(c.conkey, c.confkey) AS k (own, far)
            JOIN pg_attribute o ON o.attrelid = c.conrelid AND o.attnum = k.own AND o.attname = 'tenant_id'
            JOIN pg_attribute f ON f.attrelid = c.confrelid AND f.attnum = k.far AND f.attname = 'tenant_id') LIMIT 1;
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION 'foreign key % of % must pair tenant_id with tenant_id', fault, t;
    END IF;
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant_wall ON %s AS RESTRICTIVE FOR ALL USING (tenant_id = NULLIF(current_setting(''app.tenant_id'', true), '''')::uuid) WITH CHECK (tenant_id = NULLIF(current_setting(''app.tenant_id'', true), '''')::uuid)', t);
    EXECUTE format('CREATE POLICY tenant_rows ON %s AS PERMISSIVE FOR ALL USING (tenant_id = NULLIF(current_setting(''app.tenant_id'', true), '''')::uuid) WITH CHECK (tenant_id = NULLIF(current_setting(''app.tenant_id'', true), '''')::uuid)', t);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO aims_app', t);
END $$;
COMMENT ON FUNCTION aims_tenant_table IS 'Makes a table tenant-owned: checks its keys, then row-level security, policies and grants.';
REVOKE EXECUTE ON FUNCTION aims_tenant_table FROM PUBLIC;

CREATE TABLE chains (
    tenant_id uuid PRIMARY KEY,
    seq bigint NOT NULL,
    hash bytea NOT NULL,
    last_event_at timestamptz NOT NULL
);
SELECT aims_tenant_table('chains');
COMMENT ON TABLE chains IS 'Head of each chain of events; its row lock orders the writers of one tenant.';
COMMENT ON COLUMN chains.tenant_id IS 'The tenant; for events of a firm or an account, that firm''s or account''s id.';

CREATE TABLE events (
    tenant_id uuid NOT NULL,
    seq bigint NOT NULL,
    at timestamptz NOT NULL,
    actor_id uuid,
    action text NOT NULL,
    subject_kind text NOT NULL,
    subject_id uuid NOT NULL,
    request_id text,
    data text NOT NULL,
    prev_hash bytea NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (tenant_id, seq)
);
CREATE INDEX events_by_subject ON events (tenant_id, subject_id, seq);
SELECT aims_tenant_table('events');
REVOKE UPDATE, DELETE ON events FROM aims_app;
COMMENT ON TABLE events IS 'What happened and who did it: append-only, each row hashed with the one before it.';
COMMENT ON COLUMN events.data IS 'Canonical JSON (RFC 8785) of the change, kept as text so that its hash can be recomputed exactly.';

CREATE TABLE people (
    tenant_id uuid NOT NULL REFERENCES tenants,
    user_id uuid NOT NULL REFERENCES users,
    PRIMARY KEY (tenant_id, user_id)
);
SELECT aims_tenant_table('people');
COMMENT ON TABLE people IS 'Everybody who is or was able to reach the tenant; what owners and other persons named in records must be.';

CREATE TABLE counters (
    tenant_id uuid NOT NULL REFERENCES tenants,
    kind text NOT NULL,
    last integer NOT NULL,
    PRIMARY KEY (tenant_id, kind)
);
SELECT aims_tenant_table('counters');
COMMENT ON TABLE counters IS 'Last number given in human references such as RSK-014.';

CREATE TABLE records (
    tenant_id uuid NOT NULL REFERENCES tenants,
    id uuid NOT NULL,
    kind text NOT NULL,
    ref_no integer NOT NULL,
    ref text NOT NULL,
    title text NOT NULL,
    status text NOT NULL,
    version integer NOT NULL,
    owner_id uuid,
    next_review_on date,
    created_at timestamptz NOT NULL,
    created_by uuid,
    updated_at timestamptz NOT NULL,
    updated_by uuid,
    authored_by uuid,
    archived_at timestamptz,
    body jsonb NOT NULL,
    ai_system_id uuid GENERATED ALWAYS AS ((body ->> 'ai_system_id')::uuid) STORED,
    risk_id uuid GENERATED ALWAYS AS ((body ->> 'risk_id')::uuid) STORED,
    level text GENERATED ALWAYS AS (body ->> 'level') STORED,
    above_tolerance boolean GENERATED ALWAYS AS ((body ->> 'above_tolerance')::boolean) STORED,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT records_kind_unique UNIQUE (tenant_id, id, kind),
    CONSTRAINT records_ref_unique UNIQUE (tenant_id, kind, ref_no),
    CONSTRAINT records_status FOREIGN KEY (kind, status) REFERENCES kind_statuses,
    CONSTRAINT records_owner FOREIGN KEY (tenant_id, owner_id) REFERENCES people DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX records_list ON records (tenant_id, kind, id DESC) WHERE archived_at IS NULL;
CREATE INDEX records_by_status ON records (tenant_id, kind, status, id DESC) WHERE archived_at IS NULL;
CREATE INDEX records_by_level ON records (tenant_id, kind, level, id DESC) WHERE archived_at IS NULL AND level IS NOT NULL;
CREATE INDEX records_by_update ON records (tenant_id, kind, updated_at, id);
CREATE INDEX records_by_owner ON records (tenant_id, owner_id, kind, id DESC);
CREATE INDEX records_by_ai_system ON records (tenant_id, ai_system_id, kind, id DESC) WHERE ai_system_id IS NOT NULL;
CREATE INDEX records_by_risk ON records (tenant_id, risk_id, kind, id DESC) WHERE risk_id IS NOT NULL;
SELECT aims_tenant_table('records');
COMMENT ON TABLE records IS 'What the organisation keeps: a typed spine (columns) and a typed body (one Rust struct for each kind).';
COMMENT ON COLUMN records.ref IS 'Human reference, counted for each tenant and kind.';
COMMENT ON COLUMN records.version IS 'Optimistic lock; the ETag.';
COMMENT ON COLUMN records.authored_by IS 'Who last changed the content; may not approve it (GEN-1).';
COMMENT ON COLUMN records.level IS 'Hot field of the body as a plain column, because row-level security keeps jsonb operators from indexes.';

CREATE TABLE versions (
    tenant_id uuid NOT NULL,
    record_id uuid NOT NULL,
    number integer NOT NULL,
    title text NOT NULL,
    body jsonb NOT NULL,
    hash bytea NOT NULL,
    record_version integer NOT NULL,
    approved_by uuid NOT NULL,
    approved_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, record_id, number),
    CONSTRAINT versions_record FOREIGN KEY (tenant_id, record_id) REFERENCES records DEFERRABLE INITIALLY DEFERRED
);
SELECT aims_tenant_table('versions');
REVOKE UPDATE, DELETE ON versions FROM aims_app;
COMMENT ON TABLE versions IS 'Approved content, frozen (GEN-2).';

CREATE TABLE links (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    from_id uuid NOT NULL,
    relation text NOT NULL,
    field text,
    to_id uuid,
    to_kind text,
    to_version integer,
    person_id uuid,
    catalog text,
    unit text,
    created_at timestamptz NOT NULL,
    created_by uuid,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT links_from FOREIGN KEY (tenant_id, from_id) REFERENCES records DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT links_to FOREIGN KEY (tenant_id, to_id, to_kind) REFERENCES records (tenant_id, id, kind) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT links_to_version FOREIGN KEY (tenant_id, to_id, to_version) REFERENCES versions (tenant_id, record_id, number) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT links_person FOREIGN KEY (tenant_id, person_id) REFERENCES people DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT links_one_target CHECK (num_nonnulls(to_id, unit, person_id) = 1 AND (to_id IS NULL) = (to_kind IS NULL) AND (unit IS NULL) = (catalog IS NULL))
);
CREATE INDEX links_by_from ON links (tenant_id, from_id);
CREATE INDEX links_by_to ON links (tenant_id, to_id) WHERE to_id IS NOT NULL;
CREATE INDEX links_by_unit ON links (tenant_id, catalog, unit) WHERE unit IS NOT NULL;
SELECT aims_tenant_table('links');
COMMENT ON TABLE links IS 'What a record hangs together with: other records, or units of a catalogue.';
COMMENT ON COLUMN links.field IS 'JSON Pointer of the reference in the body that this link mirrors; null for a link made by hand.';

CREATE TABLE deadlines (
    tenant_id uuid NOT NULL,
    record_id uuid NOT NULL,
    name text NOT NULL,
    due_on date NOT NULL,
    set_on date NOT NULL,
    person_id uuid,
    roles text[] NOT NULL,
    PRIMARY KEY (tenant_id, record_id, name),
    CONSTRAINT deadlines_record FOREIGN KEY (tenant_id, record_id) REFERENCES records DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT deadlines_person FOREIGN KEY (tenant_id, person_id) REFERENCES people DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX deadlines_by_date ON deadlines (tenant_id, due_on);
SELECT aims_tenant_table('deadlines');
COMMENT ON TABLE deadlines IS 'What is due, when and from whom; derived from its record in the same transaction, gone when met.';
COMMENT ON COLUMN deadlines.set_on IS 'Civil date since which this due date stands; reminders of earlier days are not made up for.';
COMMENT ON COLUMN deadlines.roles IS 'Roles whose holders are reminded besides the person.';

CREATE TABLE comments (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    record_id uuid NOT NULL,
    text text NOT NULL,
    created_at timestamptz NOT NULL,
    created_by uuid NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT comments_record FOREIGN KEY (tenant_id, record_id) REFERENCES records DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX comments_by_record ON comments (tenant_id, record_id, id);
SELECT aims_tenant_table('comments');
COMMENT ON TABLE comments IS 'Remarks on a record.';

CREATE TABLE evidence_refs (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    record_id uuid NOT NULL,
    title text NOT NULL,
    location text,
    collected_on date NOT NULL,
    note text,
    created_at timestamptz NOT NULL,
    created_by uuid NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT evidence_refs_record FOREIGN KEY (tenant_id, record_id) REFERENCES records DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX evidence_refs_by_record ON evidence_refs (tenant_id, record_id, id);
SELECT aims_tenant_table('evidence_refs');
COMMENT ON TABLE evidence_refs IS 'Where the proof for a record is to be found.';

CREATE TABLE reminders (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    record_id uuid NOT NULL,
    deadline text NOT NULL,
    due_on date NOT NULL,
    lead_days integer NOT NULL,
    recipient_id uuid NOT NULL,
    channel text NOT NULL,
    state text NOT NULL CONSTRAINT reminders_state CHECK (state IN ('planned', 'sent', 'cancelled')),
    reason text,
    send_at timestamptz NOT NULL,
    finished_at timestamptz,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT reminders_once UNIQUE (tenant_id, record_id, deadline, due_on, lead_days, recipient_id, channel),
    CONSTRAINT reminders_record FOREIGN KEY (tenant_id, record_id) REFERENCES records DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT reminders_recipient FOREIGN KEY (tenant_id, recipient_id) REFERENCES people DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX reminders_planned ON reminders (tenant_id) WHERE state = 'planned';
CREATE INDEX reminders_by_time ON reminders (tenant_id, send_at);
SELECT aims_tenant_table('reminders');
COMMENT ON TABLE reminders IS 'Ledger: each reminder once, whatever replica plans it and however late.';
COMMENT ON COLUMN reminders.lead_days IS 'Days before the due date; negative when overdue.';

CREATE TABLE idempotency_keys (
    tenant_id uuid NOT NULL,
    caller_id uuid NOT NULL,
    route text NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    status integer,
    headers text,
    body text,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, caller_id, route, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (tenant_id, created_at);
SELECT aims_tenant_table('idempotency_keys');
COMMENT ON TABLE idempotency_keys IS 'First answers of POST requests that carried Idempotency-Key; kept 24 hours.';
