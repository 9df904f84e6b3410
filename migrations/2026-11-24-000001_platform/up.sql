-- Platform tables: who may reach which tenant. They are read before a tenant is chosen, so they
-- carry no row-level security; tests/api/isolation/global_tables.txt lists each with its reason.

CREATE SCHEMA IF NOT EXISTS public;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO aims_app;

CREATE TABLE users (
    id uuid PRIMARY KEY,
    email text NOT NULL CONSTRAINT users_email_normalised CHECK (email = lower(email) AND length(email) <= 254),
    name text NOT NULL,
    password_hash text NOT NULL,
    locale text NOT NULL DEFAULT 'en',
    time_zone text NOT NULL DEFAULT 'UTC',
    notify_by_mail boolean NOT NULL DEFAULT true,
    version integer NOT NULL DEFAULT 1,
    disabled_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT users_email_unique UNIQUE (email)
);
COMMENT ON TABLE users IS 'People who can sign in; one row for a person across all tenants.';
COMMENT ON COLUMN users.password_hash IS 'Argon2id, PHC string.';

CREATE TABLE consultancies (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
COMMENT ON TABLE consultancies IS 'Consulting firms that run client organisations'' management systems.';

CREATE TABLE consultancy_members (
    consultancy_id uuid NOT NULL REFERENCES consultancies,
    user_id uuid NOT NULL REFERENCES users,
    role text NOT NULL CONSTRAINT consultancy_members_role CHECK (role IN ('owner', 'lead', 'consultant')),
    created_at timestamptz NOT NULL,
    ended_at timestamptz,
    PRIMARY KEY (consultancy_id, user_id)
);
CREATE INDEX consultancy_members_by_user ON consultancy_members (user_id);
COMMENT ON TABLE consultancy_members IS 'People of a firm and their role there.';

CREATE TABLE tenants (
    id uuid PRIMARY KEY,
    consultancy_id uuid REFERENCES consultancies,
    name text NOT NULL,
    sector text,
    size integer CONSTRAINT tenants_size CHECK (size > 0),
    country text,
    time_zone text NOT NULL,
    locale text NOT NULL DEFAULT 'en',
    stage text NOT NULL CONSTRAINT tenants_stage CHECK (stage IN ('prospect', 'active', 'paused', 'offboarding', 'archived')),
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX tenants_by_consultancy ON tenants (consultancy_id);
COMMENT ON TABLE tenants IS 'Client organisations; each has its own isolated AIMS.';
COMMENT ON COLUMN tenants.consultancy_id IS 'The firm that runs it; null for a self-managed organisation.';
COMMENT ON COLUMN tenants.time_zone IS 'IANA zone of its civil dates.';

CREATE TABLE engagements (
    id uuid PRIMARY KEY,
    consultancy_id uuid NOT NULL REFERENCES consultancies,
    tenant_id uuid NOT NULL REFERENCES tenants,
    service text NOT NULL CONSTRAINT engagements_service CHECK (service IN ('gap', 'implementation', 'internal_audit', 'managed')),
    starts_on date NOT NULL,
    ends_on date,
    ended_at timestamptz,
    ended_by uuid REFERENCES users,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT engagements_window CHECK (ends_on >= starts_on)
);
CREATE INDEX engagements_by_tenant ON engagements (tenant_id);
CREATE INDEX engagements_by_consultancy ON engagements (consultancy_id);
COMMENT ON TABLE engagements IS 'Contracts under which a firm works for a tenant; both sides can end one.';

CREATE TABLE memberships (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants,
    user_id uuid NOT NULL REFERENCES users,
    engagement_id uuid REFERENCES engagements,
    roles text[] NOT NULL,
    valid_from date NOT NULL,
    valid_until date,
    ended_at timestamptz,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT memberships_window CHECK (valid_until >= valid_from),
    CONSTRAINT memberships_roles CHECK (cardinality(roles) > 0 AND roles <@ ARRAY['lead', 'consultant', 'top_management', 'aims_manager', 'system_owner', 'risk_owner', 'process_owner', 'overseer', 'internal_auditor', 'employee', 'viewer', 'external_auditor']),
    CONSTRAINT memberships_external_auditor_until CHECK (valid_until IS NOT NULL OR NOT roles @> ARRAY['external_auditor']),
    CONSTRAINT memberships_origin CHECK ((engagement_id IS NOT NULL) = (roles && ARRAY['lead', 'consultant']))
);
CREATE INDEX memberships_by_user ON memberships (user_id, tenant_id) WHERE ended_at IS NULL;
CREATE INDEX memberships_by_tenant ON memberships (tenant_id);
CREATE UNIQUE INDEX memberships_one_open ON memberships (tenant_id, user_id, (coalesce(engagement_id, '00000000-0000-0000-0000-000000000000'::uuid))) WHERE ended_at IS NULL;
COMMENT ON TABLE memberships IS 'Who reaches a tenant: its own people, and consultants assigned to an engagement.';
COMMENT ON COLUMN memberships.engagement_id IS 'Set for consultants; null for the tenant''s own people.';
COMMENT ON COLUMN memberships.valid_until IS 'Last civil date, in the tenant''s zone.';

CREATE TABLE sessions (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users,
    refresh_hash bytea NOT NULL,
    previous_hash bytea,
    successor_salt bytea,
    rotated_at timestamptz NOT NULL,
    idle_until timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    revoked_because text,
    user_agent text,
    created_at timestamptz NOT NULL,
    CONSTRAINT sessions_refresh_unique UNIQUE (refresh_hash)
);
CREATE INDEX sessions_by_user ON sessions (user_id);
COMMENT ON TABLE sessions IS 'Sign-ins: a family of refresh tokens, of which only the newest works (RFC 9700 section 4.14.2).';
COMMENT ON COLUMN sessions.successor_salt IS 'Derives the newest token from the one before, so that a retry within the grace gets the same answer and nothing is kept in the clear.';

CREATE TABLE invitations (
    id uuid PRIMARY KEY,
    token_hash bytea NOT NULL,
    email text NOT NULL,
    consultancy_id uuid REFERENCES consultancies,
    tenant_id uuid REFERENCES tenants,
    roles text[] NOT NULL,
    valid_until date,
    invited_by uuid NOT NULL REFERENCES users,
    expires_at timestamptz NOT NULL,
    accepted_at timestamptz,
    revoked_at timestamptz,
    created_at timestamptz NOT NULL,
    CONSTRAINT invitations_token_unique UNIQUE (token_hash),
    CONSTRAINT invitations_one_place CHECK (num_nonnulls(consultancy_id, tenant_id) = 1)
);
CREATE INDEX invitations_by_place ON invitations (tenant_id, consultancy_id);
COMMENT ON TABLE invitations IS 'Single-use invitations, bound to address, place and roles; the token is kept hashed.';

CREATE TABLE outbox (
    id uuid PRIMARY KEY,
    tenant_id uuid REFERENCES tenants,
    reminder_id uuid,
    message_id text NOT NULL CONSTRAINT outbox_message_id_unique UNIQUE,
    recipient text NOT NULL,
    recipient_name text,
    subject text NOT NULL,
    body_text text NOT NULL,
    body_html text NOT NULL,
    state text NOT NULL DEFAULT 'queued' CONSTRAINT outbox_state CHECK (state IN ('queued', 'sent', 'cancelled', 'failed')),
    send_after timestamptz NOT NULL,
    leased_until timestamptz,
    attempts integer NOT NULL DEFAULT 0,
    last_error text,
    created_at timestamptz NOT NULL,
    finished_at timestamptz
);
CREATE INDEX outbox_due ON outbox (send_after, id) WHERE state = 'queued';
CREATE INDEX outbox_by_reminder ON outbox (reminder_id) WHERE state = 'queued' AND reminder_id IS NOT NULL;
COMMENT ON TABLE outbox IS 'Mails to send. Written in the transaction that causes them; bodies are emptied once sent.';
COMMENT ON COLUMN outbox.message_id IS 'Left part of the Message-ID, made from what the mail is about: a second try after a crash is recognisable as the same mail.';
COMMENT ON COLUMN outbox.leased_until IS 'Until when a worker has claimed it, by the database''s own clock.';

CREATE TABLE kind_statuses (
    kind text NOT NULL,
    status text NOT NULL,
    PRIMARY KEY (kind, status)
);
COMMENT ON TABLE kind_statuses IS 'Status values of each kind of record; filled from the program''s registry after migrations.';

GRANT SELECT, INSERT, UPDATE, DELETE ON users, consultancies, consultancy_members, tenants, engagements, memberships, sessions, invitations, outbox TO aims_app;
GRANT SELECT ON kind_statuses, __diesel_schema_migrations TO aims_app;
