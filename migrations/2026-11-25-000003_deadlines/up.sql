-- A deadline carries its own time: warning days, an instant, an escalation. Reminders may return
-- after they were cancelled. What people do is told apart from what happens by itself.

ALTER TABLE deadlines
    ADD COLUMN due_at timestamptz,
    ADD COLUMN warn integer[],
    ADD COLUMN escalate_after integer CONSTRAINT deadlines_escalate_after CHECK (escalate_after > 0),
    ADD COLUMN escalate_to text[] NOT NULL DEFAULT '{}',
    ADD COLUMN remind_from date NOT NULL GENERATED ALWAYS AS (due_on - COALESCE(warn[1], 30)) STORED,
    ADD COLUMN remind_until date NOT NULL GENERATED ALWAYS AS (due_on + GREATEST(28, COALESCE(escalate_after, 35))) STORED;
COMMENT ON COLUMN deadlines.due_on IS 'Civil date in the tenant''s zone; of an instant, the date on which it falls.';
COMMENT ON COLUMN deadlines.due_at IS 'The instant, where something is due at an instant and not by the end of a day.';
COMMENT ON COLUMN deadlines.warn IS 'Days before it on which people are reminded, the earliest first; null: 30, 14, 7, 1 and 0.';
COMMENT ON COLUMN deadlines.escalate_after IS 'Days overdue after which the roles of escalate_to are told too; null: 35, AIMS manager and top management.';
COMMENT ON COLUMN deadlines.remind_from IS 'First civil date on which anybody is reminded.';
COMMENT ON COLUMN deadlines.remind_until IS 'Last civil date on which anybody is reminded.';
DROP INDEX deadlines_by_date;
CREATE INDEX deadlines_by_date ON deadlines (tenant_id, due_on, record_id, name);
CREATE INDEX deadlines_by_instant ON deadlines (tenant_id, due_at, record_id, name) WHERE due_at IS NOT NULL;
CREATE INDEX deadlines_own_time ON deadlines (tenant_id) WHERE warn IS NOT NULL OR escalate_after IS NOT NULL OR due_at IS NOT NULL;
CREATE INDEX deadlines_to_remind ON deadlines (tenant_id, remind_until, remind_from);

ALTER TABLE reminders
    ADD COLUMN due_at timestamptz,
    ADD COLUMN lead_hours integer NOT NULL DEFAULT 0,
    ADD COLUMN why text NOT NULL DEFAULT 'responsible' CONSTRAINT reminders_why CHECK (why IN ('responsible', 'nobody_left', 'escalated'));
COMMENT ON COLUMN reminders.due_at IS 'The instant it is about, where there is one.';
COMMENT ON COLUMN reminders.lead_hours IS 'Hours before the instant, besides the days.';
COMMENT ON COLUMN reminders.why IS 'Why this person: responsible, nobody_left (stands in because nobody responsible can be reached), escalated (overdue for too long).';
ALTER TABLE reminders DROP CONSTRAINT reminders_once;
CREATE UNIQUE INDEX reminders_once ON reminders (tenant_id, record_id, deadline, due_on, due_at, lead_days, lead_hours, recipient_id, channel) NULLS NOT DISTINCT WHERE state <> 'cancelled';
CREATE INDEX reminders_by_state ON reminders (tenant_id, state, id);

DROP INDEX outbox_due;
CREATE INDEX outbox_waited_for ON outbox (send_after, id) WHERE state = 'queued' AND reminder_id IS NULL;
CREATE INDEX outbox_reminders ON outbox (tenant_id, send_after, id) WHERE state = 'queued' AND reminder_id IS NOT NULL;
COMMENT ON TABLE outbox IS 'Mails to send. Written in the transaction that causes them; bodies are emptied once sent. Those of reminders are written when they are sent.';

ALTER TABLE chains ADD COLUMN last_act_at timestamptz;
COMMENT ON COLUMN chains.last_act_at IS 'Last event that a person caused.';
DO $$
DECLARE
    tenant uuid;
BEGIN
    FOR tenant IN SELECT id FROM tenants LOOP
        PERFORM set_config('app.tenant_id', tenant::text, true);
        UPDATE chains SET last_act_at = (SELECT max(at) FROM events WHERE tenant_id = tenant AND actor_id IS NOT NULL)
            WHERE tenant_id = tenant;
        IF NOT FOUND AND EXISTS (SELECT FROM events WHERE tenant_id = tenant) THEN
            RAISE EXCEPTION 'the chain of tenant % was not reached', tenant;
        END IF;
    END LOOP;
    PERFORM set_config('app.tenant_id', '', true);
END $$;
