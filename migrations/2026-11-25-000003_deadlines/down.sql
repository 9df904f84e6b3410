ALTER TABLE chains DROP COLUMN last_act_at;

DROP INDEX outbox_waited_for, outbox_reminders;
CREATE INDEX outbox_due ON outbox (send_after, id) WHERE state = 'queued';

DROP INDEX reminders_by_state, reminders_once;
DO $$
DECLARE
    tenant uuid;
BEGIN
    -- What was cancelled and came back stands twice; the schema before knows it once.
    FOR tenant IN SELECT id FROM tenants LOOP
        PERFORM set_config('app.tenant_id', tenant::text, true);
        DELETE FROM reminders r WHERE tenant_id = tenant AND EXISTS (
            SELECT FROM reminders o WHERE o.tenant_id = tenant AND o.id > r.id
            AND (o.record_id, o.deadline, o.due_on, o.lead_days, o.recipient_id, o.channel)
              = (r.record_id, r.deadline, r.due_on, r.lead_days, r.recipient_id, r.channel));
    END LOOP;
    PERFORM set_config('app.tenant_id', '', true);
END $$;
ALTER TABLE reminders ADD CONSTRAINT reminders_once UNIQUE (tenant_id, record_id, deadline, due_on, lead_days, recipient_id, channel);
ALTER TABLE reminders DROP COLUMN due_at, DROP COLUMN lead_hours, DROP COLUMN why;

DROP INDEX deadlines_by_date, deadlines_by_instant, deadlines_own_time, deadlines_to_remind;
CREATE INDEX deadlines_by_date ON deadlines (tenant_id, due_on);
ALTER TABLE deadlines DROP COLUMN remind_from, DROP COLUMN remind_until, DROP COLUMN due_at, DROP COLUMN warn, DROP COLUMN escalate_after, DROP COLUMN escalate_to;
