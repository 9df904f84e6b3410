//! What `pg_catalog` says about tables that tenants own.

use tokio_postgres::Client;

/// Tables of schema public that have a wall, partitions included.
pub async fn tenant_tables(db: &Client) -> Vec<String> {
    let sql = "SELECT c.relname::text FROM pg_class c \
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND c.relrowsecurity \
        ORDER BY 1";
    let rows = db.query(sql, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// A foreign key: its columns in the table and in the one it refers to, without the tenant.
#[derive(Clone, Debug)]
pub struct ForeignKey {
    pub name: String,
    pub table: String,
    pub far_table: String,
    pub columns: Vec<String>,
    pub far_columns: Vec<String>,
}

/// Foreign keys between tenant tables.
pub async fn foreign_keys(db: &Client) -> Vec<ForeignKey> {
    let sql = "SELECT k.conname::text, t.relname::text, f.relname::text, \
            array_agg(o.attname::text ORDER BY p.n) FILTER (WHERE o.attname <> 'tenant_id'), \
            array_agg(a.attname::text ORDER BY p.n) FILTER (WHERE o.attname <> 'tenant_id') \
        FROM pg_constraint k \
        JOIN pg_class t ON t.oid = k.conrelid AND t.relrowsecurity \
        JOIN pg_class f ON f.oid = k.confrelid AND f.relrowsecurity \
        CROSS JOIN unnest(k.conkey, k.confkey) WITH ORDINALITY AS p (own, far, n) \
        JOIN pg_attribute o ON o.attrelid = k.conrelid AND o.attnum = p.own \
        JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = p.far \
        WHERE k.contype = 'f' AND t.relnamespace = 'public'::regnamespace \
        GROUP BY 1, 2, 3 ORDER BY 2, 1";
    let rows = db.query(sql, &[]).await.unwrap();
    rows.iter()
        .map(|row| ForeignKey {
            name: row.get(0),
            table: row.get(1),
            far_table: row.get(2),
            columns: row.get(3),
            far_columns: row.get(4),
        })
        .collect()
}

/// Columns that can be written.
pub async fn written_columns(db: &Client, table: &str) -> Vec<(String, String)> {
    let sql = "SELECT column_name::text, udt_name::text FROM information_schema.columns \
        WHERE table_schema = 'public' AND table_name = $1 AND is_generated = 'NEVER' \
        ORDER BY ordinal_position";
    let rows = db.query(sql, &[&table]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}
