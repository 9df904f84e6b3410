//! What can be worked out anew from the rows, and must come out as it is stored: links from
//! bodies, hashes of versions and of events.

use std::collections::{BTreeMap, BTreeSet};

use aims::http::json::sha256;
use aims::records::Target;
use serde_json::{Value, json};
use tokio_postgres::{Client, Row};

fn text(row: &Row, at: usize) -> String {
    row.get(at)
}

fn maybe(row: &Row, at: usize) -> Option<String> {
    row.get(at)
}

fn parsed(row: &Row, at: usize) -> Value {
    serde_json::from_str(&text(row, at)).unwrap()
}

/// Links that mirror a field are the references of the bodies, no more and no fewer.
pub async fn links(db: &Client) -> Vec<String> {
    let sql = "SELECT from_id::text, field, coalesce(to_id::text, person_id::text, catalog || ' ' || unit)
                 FROM links WHERE field IS NOT NULL";
    let mut mirrored: BTreeMap<String, BTreeSet<(String, String)>> = BTreeMap::new();
    for row in db.query(sql, &[]).await.unwrap() {
        let of_record = mirrored.entry(text(&row, 0)).or_default();
        of_record.insert((text(&row, 1), text(&row, 2)));
    }
    let kinds = aims::app::kinds();
    let mut faults = Vec::new();
    let sql = "SELECT id::text, kind, ref, body::text FROM records";
    for row in db.query(sql, &[]).await.unwrap() {
        let (id, kind) = (text(&row, 0), text(&row, 1));
        let Some(entry) = kinds.entries().iter().find(|entry| entry.info.name == kind) else {
            faults.push(format!("links: record {id} is of the unknown kind {kind}"));
            continue;
        };
        let references: BTreeSet<_> = entry
            .places
            .collect(&parsed(&row, 3))
            .into_iter()
            .map(|found| {
                let target = match found.target {
                    Target::Record { id, .. } | Target::Person(id) => id.to_string(),
                    Target::Unit { catalog, unit } => format!("{catalog} {unit}"),
                };
                (found.pointer, target)
            })
            .collect();
        let links = mirrored.remove(&id).unwrap_or_default();
        if links != references {
            let record = text(&row, 2);
            faults.push(format!(
                "links: record {record} {id} refers to {references:?} and is linked to {links:?}"
            ));
        }
    }
    faults
}

/// The hash of every version covers its title, body, links and children; what is as it was
/// approved is what was frozen.
pub async fn versions(db: &Client) -> Vec<String> {
    let sql = "SELECT v.record_id::text, v.number, v.title, v.body::text, v.links::text,
                 v.children::text, v.hash, r.body::text, r.title,
                 r.version = v.record_version AND v.number = (SELECT max(n.number) FROM versions n
                   WHERE n.tenant_id = v.tenant_id AND n.record_id = v.record_id),
                 coalesce((SELECT jsonb_agg(jsonb_build_object('relation', l.relation, 'field', l.field,
                     'to_id', l.to_id, 'to_kind', l.to_kind, 'to_version', l.to_version,
                     'person_id', l.person_id, 'catalog', l.catalog,
                     'catalog_version', l.catalog_version, 'unit', l.unit) ORDER BY l.id)
                   FROM links l WHERE l.tenant_id = r.tenant_id AND l.from_id = r.id), '[]')::text
                 FROM versions v JOIN records r ON r.tenant_id = v.tenant_id AND r.id = v.record_id";
    let mut faults = Vec::new();
    for row in db.query(sql, &[]).await.unwrap() {
        let version = format!(
            "version {} of record {}",
            row.get::<_, i32>(1),
            text(&row, 0)
        );
        let frozen = json!({
            "title": text(&row, 2), "body": parsed(&row, 3), "links": parsed(&row, 4),
            "children": parsed(&row, 5),
        });
        if row.get::<_, Vec<u8>>(6) != sha256(frozen.to_string().as_bytes()) {
            faults.push(format!("versions: {version} is not what was hashed"));
        }
        if row.get::<_, bool>(9) {
            let content = (parsed(&row, 7), text(&row, 8));
            if content != (parsed(&row, 3), text(&row, 2)) {
                faults.push(format!(
                    "versions: {version} is not the content that was approved"
                ));
            }
            let links = parsed(&row, 10);
            if links != parsed(&row, 4) {
                faults.push(format!(
                    "versions: {version} froze other links than {links}"
                ));
            }
        }
    }
    faults
}

/// Each chain of events has every number once, every hash follows from the one before it, and its
/// end is known.
pub async fn chains(db: &Client) -> Vec<String> {
    let sql = "SELECT e.tenant_id::text, e.seq,
                 to_char(e.at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'),
                 e.actor_id::text, e.action, e.subject_kind, e.subject_id::text, e.request_id, e.data,
                 e.hash, e.prev_hash FROM events e ORDER BY e.tenant_id, e.seq";
    let mut ends: BTreeMap<String, (i64, Vec<u8>)> = BTreeMap::new();
    let mut faults = Vec::new();
    for row in db.query(sql, &[]).await.unwrap() {
        let scope = text(&row, 0);
        let (last, previous) = ends.remove(&scope).unwrap_or((0, vec![0; 32]));
        let seq: i64 = row.get(1);
        let canonical = json!({
            "scope": scope, "seq": seq, "at": text(&row, 2), "actor_id": maybe(&row, 3),
            "action": text(&row, 4), "subject_kind": text(&row, 5), "subject_id": text(&row, 6),
            "request_id": maybe(&row, 7), "data": text(&row, 8),
        });
        let bytes = [previous.as_slice(), canonical.to_string().as_bytes()].concat();
        let hash: Vec<u8> = row.get(9);
        if seq != last + 1 {
            faults.push(format!("chain: event {seq} of {scope} follows {last}"));
        } else if hash != sha256(&bytes) || row.get::<_, Vec<u8>>(10) != previous {
            faults.push(format!(
                "chain: event {seq} of {scope} is not what was hashed"
            ));
        }
        ends.insert(scope, (seq, hash));
    }
    let heads = db
        .query("SELECT tenant_id::text, seq, hash FROM chains", &[])
        .await
        .unwrap();
    let heads: BTreeMap<String, (i64, Vec<u8>)> = heads
        .iter()
        .map(|row| (text(row, 0), (row.get(1), row.get(2))))
        .collect();
    let scopes: BTreeSet<_> = heads.keys().chain(ends.keys()).collect();
    let astray = scopes
        .into_iter()
        .filter(|scope| heads.get(*scope) != ends.get(*scope));
    faults.extend(astray.map(|scope| format!("chain: the end of {scope} is not its last event")));
    faults
}
