DO $$
DECLARE
    t uuid;
BEGIN
    FOR t IN SELECT id FROM tenants LOOP
        PERFORM set_config('app.tenant_id', t::text, true);
        UPDATE records SET body = body - 'used_by' WHERE kind = 'ai_system';
    END LOOP;
END $$;
