//! The table of operations on records. Routes, documentation and the guard that decides whether
//! an address is declared are made from it; there is no other list.

use actix_web::guard::GuardContext;
use actix_web::{Route, web};

use super::super::openapi::{Describe, shared};
use super::super::parts;
use super::super::registry::registry;
use super::{attached, rows};

/// Where all of them are.
pub(in crate::records) const BASE: &str = "/v1/tenants/{tenant_id}";
/// Position of what follows [`BASE`] in the segments of a path.
const FIRST_SEGMENT: usize = 4;

/// An operation: how it is called, who answers and what is said about it.
pub(in crate::records) struct Declared {
    pub(in crate::records) method: &'static str,
    /// Below [`BASE`]; `{kind}` stands for the kinds, `{part}` for the parts of a kind.
    pub(in crate::records) path: &'static str,
    pub(super) route: fn() -> Route,
    pub(in crate::records) describe: Describe,
}

const fn row(
    method: &'static str,
    path: &'static str,
    route: fn() -> Route,
    describe: Describe,
) -> Declared {
    Declared {
        method,
        path,
        route,
        describe,
    }
}

/// All operations; those of one path stand together, literal paths before others that match.
#[rustfmt::skip]
pub(in crate::records) const TABLE: &[Declared] = {
    use Describe::{Kind, Once, Part, Rows};
    &[
        row("get", "records", || web::get().to(super::search), Once(shared::search)),
        row("get", "events", || web::get().to(attached::list_events), Once(shared::list_events)),
        row("get", "settings", || web::get().to(rows::get_settings), Once(shared::get_settings)),
        row("patch", "settings", || web::patch().to(rows::update_settings), Once(shared::update_settings)),
        row("get", "{kind}", || web::get().to(super::list), Kind(|of| of.list())),
        row("post", "{kind}", || web::post().to(super::create), Kind(|of| of.create())),
        row("post", "{kind}/batch", || web::post().to(super::run_batch), Kind(|of| of.batch())),
        row("get", "{kind}/{id}", || web::get().to(super::get), Kind(|of| of.get())),
        row("patch", "{kind}/{id}", || web::patch().to(super::update), Kind(|of| of.update())),
        row("delete", "{kind}/{id}", || web::delete().to(super::archive), Kind(|of| of.archive())),
        row("get", "{kind}/{id}/transitions", || web::get().to(super::list_transitions), Once(shared::list_transitions)),
        row("post", "{kind}/{id}/transitions", || web::post().to(super::make_transition), Once(shared::make_transition)),
        row("get", "{kind}/{id}/links", || web::get().to(attached::list_links), Once(shared::list_links)),
        row("post", "{kind}/{id}/links", || web::post().to(attached::create_link), Once(shared::create_link)),
        row("get", "{kind}/{id}/links/{link_id}", || web::get().to(attached::get_link), Once(shared::get_link)),
        row("delete", "{kind}/{id}/links/{link_id}", || web::delete().to(attached::delete_link), Once(shared::delete_link)),
        row("get", "{kind}/{id}/evidence", || web::get().to(attached::list_evidence), Once(shared::list_evidence)),
        row("post", "{kind}/{id}/evidence", || web::post().to(attached::attach_evidence), Once(shared::create_evidence)),
        row("get", "{kind}/{id}/comments", || web::get().to(attached::list_comments), Once(shared::list_comments)),
        row("post", "{kind}/{id}/comments", || web::post().to(attached::create_comment), Once(shared::create_comment)),
        row("get", "{kind}/{id}/comments/{comment_id}", || web::get().to(attached::get_comment), Once(shared::get_comment)),
        row("get", "{kind}/{id}/history", || web::get().to(attached::list_history), Once(shared::list_history)),
        row("get", "{kind}/{id}/versions", || web::get().to(attached::list_versions), Once(shared::list_versions)),
        row("get", "{kind}/{id}/versions/{number}", || web::get().to(attached::get_version), Once(shared::get_version)),
        row("get", "{kind}/{id}/deadlines", || web::get().to(attached::list_deadlines), Once(shared::list_deadlines)),
        row("post", "{kind}/{id}/restore", || web::post().to(rows::restore), Once(shared::restore)),
        row("get", "{kind}/{id}/shares", || web::get().to(rows::list_shares), Once(shared::list_shares)),
        row("post", "{kind}/{id}/shares", || web::post().to(rows::create_share), Once(shared::create_share)),
        row("delete", "{kind}/{id}/shares/{person_id}", || web::delete().to(rows::delete_share), Once(shared::delete_share)),
        row("get", "{kind}/{id}/{rows}", || web::get().to(rows::list_rows), Rows(|of, rows| of.list_rows(rows))),
        row("post", "{kind}/{id}/{rows}", || web::post().to(rows::add_rows), Rows(|of, rows| of.add_rows(rows))),
        row("get", "{kind}/{id}/{part}", || web::get().to(super::list_part), Part(|of, part| of.list_part(part))),
        row("get", "{kind}/{id}/{part}/{key}", || web::get().to(super::get_part), Part(|of, part| of.get_part(part))),
        row("put", "{kind}/{id}/{part}/{key}", || web::put().to(super::put_part), Part(|of, part| of.put_part(part))),
        row("delete", "{kind}/{id}/{part}/{key}", || web::delete().to(super::delete_part), Part(|of, part| of.delete_part(part))),
    ]
};

/// Whether an address of this form names a registered kind, and a part that the kind has.
/// Everything else is left to other routes, and the default handler knows 404 from 405.
pub(super) fn is_declared(form: &str, context: &GuardContext<'_>) -> bool {
    let segments = context.head().uri.path().split('/').skip(FIRST_SEGMENT);
    let mut kind = None;
    for (name, segment) in form.split('/').zip(segments) {
        match name {
            "{kind}" => {
                kind = registry().by_path(segment);
                if kind.is_none() {
                    return false;
                }
            }
            "{part}" => {
                return kind.is_some_and(|entry| parts::part_of(entry, segment).is_some());
            }
            "{rows}" => {
                return kind.is_some_and(|entry| entry.rows_at(segment).is_some());
            }
            _ => {}
        }
    }
    true
}
