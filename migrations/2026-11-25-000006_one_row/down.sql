DROP DOMAIN aims_one_row;
