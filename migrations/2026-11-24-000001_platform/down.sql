DROP TABLE kind_statuses, outbox, invitations, sessions, memberships, engagements, tenants, consultancy_members, consultancies, users;
