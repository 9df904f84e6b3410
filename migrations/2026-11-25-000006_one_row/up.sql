-- How many rows a change hits that must hit one: any other number is an error, so that a COMMIT
-- that is already on its way becomes a rollback.
CREATE DOMAIN aims_one_row AS bigint
    CONSTRAINT one_row CHECK (VALUE = 1);
