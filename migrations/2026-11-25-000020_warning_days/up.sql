-- Warning days are the tenant's, unless a deadline has its own; what is done with is forgotten in
-- time.

DROP INDEX deadlines_to_remind;
CREATE INDEX deadlines_usual ON deadlines (tenant_id, remind_until, due_on) WHERE warn IS NULL;
CREATE INDEX deadlines_own_days ON deadlines (tenant_id, remind_until, remind_from) WHERE warn IS NOT NULL;
COMMENT ON COLUMN deadlines.warn IS 'Days before it on which people are reminded, the earliest first; null: those of the tenant''s settings.';
COMMENT ON COLUMN deadlines.remind_from IS 'First civil date on which anybody is reminded, where it has warning days of its own; else the tenant''s settings decide, which no stored column can follow.';

CREATE INDEX outbox_finished ON outbox (finished_at) WHERE finished_at IS NOT NULL;
COMMENT ON TABLE outbox IS 'Mails to send. Written in the transaction that causes them; bodies are emptied once sent, rows are deleted 30 days later. Those of reminders are written when they are sent.';
