//! `src/schema.rs` is what the migrated database says; `UPDATE=1` writes it anew.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::Command;

use tokio_postgres::Client;

use crate::support::app;

/// Tables of the tools, not of the program.
const NOT_OURS: &str = "__diesel_schema_migrations";
/// Rust words that cannot be the name of a column.
const RESERVED: &[&str] = &[
    "ref", "type", "match", "move", "use", "where", "in", "as", "mod",
];

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/schema.rs")
}

#[actix_web::test]
async fn schema_file_is_generated_from_the_database() {
    let path = file();
    let committed = std::fs::read_to_string(&path).unwrap();
    let db = app().owner().await;

    let generated = generate(&db, &committed).await;

    if super::is_update() {
        std::fs::write(&path, generated).unwrap();
        let formatted = Command::new("rustfmt")
            .args(["--edition", "2024"])
            .arg(&path)
            .status();
        assert!(formatted.unwrap().success());
        return;
    }
    assert!(
        squeezed(&committed) == squeezed(&generated),
        "src/schema.rs is not what the database has; run `make schema`.\n{generated}"
    );
}

/// Without white space, which rustfmt decides.
fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

async fn generate(db: &Client, committed: &str) -> String {
    let mut text: String = committed
        .lines()
        .take_while(|line| line.starts_with("//!"))
        .map(|line| format!("{line}\n"))
        .collect();
    let tables = tables(db).await;
    for table in &tables {
        let key = key(db, table).await.join(", ");
        write!(text, "\ndiesel::table! {{\n    {table} ({key}) {{\n").unwrap();
        for column in columns(db, table).await {
            text.push_str(&column);
        }
        text.push_str("    }\n}\n");
    }
    text.push_str("\ndiesel::allow_tables_to_appear_in_same_query!(\n");
    for table in &tables {
        writeln!(text, "    {table},").unwrap();
    }
    text.push_str(");\n\n");
    for line in committed
        .lines()
        .filter(|line| line.starts_with("diesel::joinable!"))
    {
        writeln!(text, "{line}").unwrap();
    }
    text
}

async fn tables(db: &Client) -> Vec<String> {
    let sql = "SELECT relname::text FROM pg_catalog.pg_class \
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') \
        AND NOT relispartition AND relname <> $1 ORDER BY relname COLLATE \"C\"";
    let rows = db.query(sql, &[&NOT_OURS]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

async fn key(db: &Client, table: &str) -> Vec<String> {
    let sql = "SELECT a.attname::text FROM pg_catalog.pg_constraint c \
        CROSS JOIN LATERAL unnest(c.conkey) WITH ORDINALITY AS k(attnum, place) \
        JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum \
        WHERE c.contype = 'p' AND c.conrelid = ('public.' || quote_ident($1))::regclass \
        ORDER BY k.place";
    let rows = db.query(sql, &[&table]).await.unwrap();
    assert!(
        !rows.is_empty(),
        "{table} has no primary key, which diesel needs"
    );
    rows.iter().map(|row| row.get(0)).collect()
}

async fn columns(db: &Client, table: &str) -> Vec<String> {
    let sql = "SELECT a.attname::text, a.atttypid::regtype::text, a.attnotnull \
        FROM pg_catalog.pg_attribute a \
        WHERE a.attrelid = ('public.' || quote_ident($1))::regclass \
        AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";
    let rows = db.query(sql, &[&table]).await.unwrap();
    let column = |row: &tokio_postgres::Row| {
        let (name, kind, required): (String, String, bool) = (row.get(0), row.get(1), row.get(2));
        let mut kind = diesel_type(table, &name, &kind);
        if !required {
            kind = format!("Nullable<{kind}>");
        }
        if RESERVED.contains(&name.as_str()) {
            format!("        #[sql_name = \"{name}\"]\n        {name}_ -> {kind},\n")
        } else {
            format!("        {name} -> {kind},\n")
        }
    };
    rows.iter().map(column).collect()
}

fn diesel_type(table: &str, column: &str, kind: &str) -> String {
    if let Some(item) = kind.strip_suffix("[]") {
        return format!("Array<{}>", diesel_type(table, column, item));
    }
    let known = match kind {
        "uuid" => "Uuid",
        "text" => "Text",
        "smallint" => "Int2",
        "integer" => "Int4",
        "bigint" => "Int8",
        "boolean" => "Bool",
        "timestamp with time zone" => "Timestamptz",
        "date" => "Date",
        "bytea" => "Bytea",
        "jsonb" => "Jsonb",
        "double precision" => "Float8",
        other => panic!("{table}.{column} is {other}; say in schema_file.rs what diesel calls it"),
    };
    known.to_owned()
}
