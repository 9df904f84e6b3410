mod builtin_postgres;
