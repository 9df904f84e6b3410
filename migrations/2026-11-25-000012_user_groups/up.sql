-- AI systems say which groups use them. Of those that are there, nobody has said so yet.
DO $$
DECLARE
    t uuid;
BEGIN
    FOR t IN SELECT id FROM tenants LOOP
        PERFORM set_config('app.tenant_id', t::text, true);
        UPDATE records SET body = body || '{"used_by": []}' WHERE kind = 'ai_system' AND NOT body ? 'used_by';
        IF EXISTS (SELECT FROM records WHERE kind = 'ai_system' AND NOT body ? 'used_by') THEN
            RAISE EXCEPTION 'AI systems of % without groups of users', t;
        END IF;
    END LOOP;
END $$;
