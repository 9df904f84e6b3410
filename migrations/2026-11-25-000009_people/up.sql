-- Invitations tell why they died.

ALTER TABLE invitations ADD COLUMN revoked_because text;
COMMENT ON COLUMN invitations.revoked_because IS 'Why it was revoked; null for those that were revoked before this was kept.';
