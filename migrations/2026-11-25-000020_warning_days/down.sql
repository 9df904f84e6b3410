DROP INDEX outbox_finished, deadlines_own_days, deadlines_usual;
CREATE INDEX deadlines_to_remind ON deadlines (tenant_id, remind_until, remind_from);
COMMENT ON COLUMN deadlines.warn IS 'Days before it on which people are reminded, the earliest first; null: 30, 14, 7, 1 and 0.';
COMMENT ON COLUMN deadlines.remind_from IS 'First civil date on which anybody is reminded.';
COMMENT ON TABLE outbox IS 'Mails to send. Written in the transaction that causes them; bodies are emptied once sent. Those of reminders are written when they are sent.';
