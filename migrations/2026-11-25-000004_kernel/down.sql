DROP TABLE settings, shares, rows;
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
DROP INDEX events_by_actor, links_by_person, links_by_to, records_by_facet_1, records_by_facet_2;
ALTER TABLE links DROP COLUMN from_kind, DROP COLUMN catalog_version;
ALTER TABLE versions DROP COLUMN links, DROP COLUMN children;
CREATE INDEX links_by_to ON links (tenant_id, to_id) WHERE to_id IS NOT NULL;
ALTER TABLE records
    ADD COLUMN authored_by uuid,
    ADD COLUMN ai_system_id uuid GENERATED ALWAYS AS ((body ->> 'ai_system_id')::uuid) STORED,
    ADD COLUMN risk_id uuid GENERATED ALWAYS AS ((body ->> 'risk_id')::uuid) STORED,
    ADD COLUMN level text GENERATED ALWAYS AS (body ->> 'level') STORED,
    ADD COLUMN above_tolerance boolean GENERATED ALWAYS AS ((body ->> 'above_tolerance')::boolean) STORED,
    DROP COLUMN authors, DROP COLUMN in_force, DROP COLUMN approved_by, DROP COLUMN approved_on,
    DROP COLUMN audience, DROP COLUMN audience_roles, DROP COLUMN audience_people,
    DROP COLUMN facet_1, DROP COLUMN facet_2, DROP COLUMN facet_3, DROP COLUMN facet_4,
    DROP COLUMN sort_1, DROP COLUMN sort_2, DROP COLUMN sort_3, DROP COLUMN words,
    ALTER COLUMN title TYPE text COLLATE "default",
    ALTER COLUMN ref TYPE text COLLATE "default";
CREATE INDEX records_by_level ON records (tenant_id, kind, level, id DESC) WHERE archived_at IS NULL AND level IS NOT NULL;
CREATE INDEX records_by_ai_system ON records (tenant_id, ai_system_id, kind, id DESC) WHERE ai_system_id IS NOT NULL;
CREATE INDEX records_by_risk ON records (tenant_id, risk_id, kind, id DESC) WHERE risk_id IS NOT NULL;
DROP COLLATION natural_order;
