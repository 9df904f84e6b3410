-- What all kinds of record need: authors, the version in force, audiences, filters without a
-- column for each kind, words to search by, rows under a record, shares, settings. Nothing has been
-- released before this, so what it replaces goes at once.

-- As people sort: capitals and accents where they expect them, numbers by value (RSK-999 < RSK-1000).
CREATE COLLATION natural_order (provider = icu, locale = 'und-u-kn-true');

ALTER TABLE records
    ALTER COLUMN title TYPE text COLLATE natural_order,
    ALTER COLUMN ref TYPE text COLLATE natural_order,
    ADD COLUMN authors uuid[] NOT NULL DEFAULT '{}',
    ADD COLUMN in_force integer,
    ADD COLUMN approved_by uuid,
    ADD COLUMN approved_on date,
    ADD COLUMN audience text NOT NULL DEFAULT 'readers' CONSTRAINT records_audience CHECK (audience IN ('readers', 'everybody', 'named')),
    ADD COLUMN audience_roles text[] NOT NULL DEFAULT '{}',
    ADD COLUMN audience_people uuid[] NOT NULL DEFAULT '{}',
    ADD COLUMN facet_1 text,
    ADD COLUMN facet_2 text,
    ADD COLUMN facet_3 text,
    ADD COLUMN facet_4 text,
    ADD COLUMN sort_1 bigint,
    ADD COLUMN sort_2 bigint,
    ADD COLUMN sort_3 bigint,
    ADD COLUMN words text NOT NULL DEFAULT '';

ALTER TABLE links
    ADD COLUMN from_kind text,
    ADD COLUMN catalog_version integer;
ALTER TABLE versions
    ADD COLUMN links jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN children jsonb NOT NULL DEFAULT '[]';

-- Under FORCE the owner sees the rows of one tenant at a time.
DO $$
DECLARE
    t uuid;
BEGIN
    FOR t IN SELECT id FROM tenants LOOP
        PERFORM set_config('app.tenant_id', t::text, true);
        UPDATE records SET
            authors = CASE WHEN authored_by IS NULL THEN '{}' ELSE ARRAY[authored_by] END,
            facet_1 = body ->> 'level',
            facet_2 = body ->> 'above_tolerance',
            sort_1 = array_position(ARRAY['low', 'medium', 'high', 'critical'], body ->> 'level') - 1,
            words = ' ' || regexp_replace(lower(ref || ' ' || title || ' ' || coalesce((SELECT string_agg(v #>> '{}', ' ') FROM jsonb_path_query(body, '$.**') v WHERE jsonb_typeof(v) = 'string'), '')), '[^[:alnum:]]+', ' ', 'g');
        UPDATE records r SET authors = '{}', in_force = v.number, approved_by = v.approved_by, approved_on = v.approved_at::date
            FROM (SELECT DISTINCT ON (record_id) record_id, number, approved_by, approved_at FROM versions WHERE tenant_id = t ORDER BY record_id, number DESC) v
            WHERE r.tenant_id = t AND v.record_id = r.id AND r.status NOT IN ('superseded', 'expired', 'cancelled');
        UPDATE links l SET from_kind = r.kind FROM records r WHERE l.tenant_id = t AND r.tenant_id = t AND r.id = l.from_id;
        IF EXISTS (SELECT FROM links WHERE from_kind IS NULL) THEN
            RAISE EXCEPTION 'links of % without a kind', t;
        END IF;
    END LOOP;
END $$;

ALTER TABLE links ALTER COLUMN from_kind SET NOT NULL;
DROP INDEX records_by_level, records_by_ai_system, records_by_risk, links_by_to;
ALTER TABLE records
    DROP COLUMN authored_by,
    DROP COLUMN ai_system_id,
    DROP COLUMN risk_id,
    DROP COLUMN level,
    DROP COLUMN above_tolerance;
CREATE INDEX records_by_facet_1 ON records (tenant_id, kind, facet_1, id DESC) WHERE archived_at IS NULL AND facet_1 IS NOT NULL;
CREATE INDEX records_by_facet_2 ON records (tenant_id, kind, facet_2, id DESC) WHERE archived_at IS NULL AND facet_2 IS NOT NULL;
CREATE INDEX links_by_to ON links (tenant_id, to_id, from_kind, field, from_id DESC) WHERE to_id IS NOT NULL;
CREATE INDEX links_by_person ON links (tenant_id, person_id, from_kind, field, from_id DESC) WHERE person_id IS NOT NULL;
CREATE INDEX events_by_actor ON events (tenant_id, actor_id, seq);
DROP TABLE evidence_refs;

COMMENT ON COLUMN records.authors IS 'Everybody who changed the content since the last approval; none of them may approve it (GEN-1).';
COMMENT ON COLUMN records.in_force IS 'Number of the approved version that holds now; null when none does.';
COMMENT ON COLUMN records.approved_by IS 'Who approved the newest version.';
COMMENT ON COLUMN records.audience IS 'readers: those of the kind; everybody: besides, everybody in the tenant sees what is in force; named: only the roles and people named, and the owner.';
COMMENT ON COLUMN records.facet_1 IS 'The first field that the kind declares as a filter, as text: under row-level security only leakproof operators on plain columns use an index. The others follow.';
COMMENT ON COLUMN records.sort_1 IS 'The first field that the kind declares as an order, as a number. The others follow.';
COMMENT ON COLUMN records.words IS 'Reference, title and all text of the body in small letters, each word after a blank; for searches.';
COMMENT ON COLUMN versions.links IS 'What the record was linked to when it was approved, each with the version it meant (GEN-2).';
COMMENT ON COLUMN versions.children IS 'Records that were approved with it, such as the entries of a Statement of Applicability.';
COMMENT ON COLUMN links.catalog_version IS 'Version of the catalogue that the unit was looked up in.';

CREATE TABLE rows (
    tenant_id uuid NOT NULL,
    record_id uuid NOT NULL,
    list text NOT NULL,
    key text NOT NULL,
    at timestamptz NOT NULL,
    person_id uuid,
    body jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    created_by uuid,
    PRIMARY KEY (tenant_id, record_id, list, key),
    CONSTRAINT rows_record FOREIGN KEY (tenant_id, record_id) REFERENCES records DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT rows_person FOREIGN KEY (tenant_id, person_id) REFERENCES people DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX rows_by_time ON rows (tenant_id, record_id, list, at, key);
CREATE INDEX rows_by_person ON rows (tenant_id, person_id, list) WHERE person_id IS NOT NULL;
SELECT aims_tenant_table('rows');
COMMENT ON TABLE rows IS 'Rows under a record where there are many: measurements, acknowledgements, completions.';
COMMENT ON COLUMN rows.list IS 'Which list of the record, such as measurements.';
COMMENT ON COLUMN rows.key IS 'What makes the row the same when it is sent twice: an instant, or a version and a person.';

CREATE TABLE shares (
    tenant_id uuid NOT NULL,
    record_id uuid NOT NULL,
    person_id uuid NOT NULL,
    until date NOT NULL,
    created_at timestamptz NOT NULL,
    created_by uuid,
    PRIMARY KEY (tenant_id, record_id, person_id),
    CONSTRAINT shares_record FOREIGN KEY (tenant_id, record_id) REFERENCES records DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT shares_person FOREIGN KEY (tenant_id, person_id) REFERENCES people DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX shares_by_person ON shares (tenant_id, person_id);
SELECT aims_tenant_table('shares');
COMMENT ON TABLE shares IS 'Records that an external auditor may read, until a date.';

CREATE TABLE settings (
    tenant_id uuid NOT NULL REFERENCES tenants,
    version integer NOT NULL,
    body jsonb NOT NULL,
    PRIMARY KEY (tenant_id)
);
SELECT aims_tenant_table('settings');
COMMENT ON TABLE settings IS 'Settings of a tenant that differ from the defaults.';
