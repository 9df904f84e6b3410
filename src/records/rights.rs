//! Who may change a record, and what of it can still change.

use super::entry::Entry;
use super::row::Row;
use super::rules::GEN_2;
use super::spine::NAMED;
use crate::problem::{FieldError, Problem, ProblemType, Result};
use crate::tenancy::{Actor, Roles, TenantTx};

/// Whether the caller may change this record: authors all of them, owners theirs.
pub(super) fn may_author(tx: &TenantTx<'_>, entry: &Entry, row: &Row) -> Result<()> {
    let actor = tx.actor();
    let owns = row.owner_id.is_some() && row.owner_id == actor.person();
    if owns && actor.roles().meets(entry.owners) {
        return Ok(());
    }
    if !actor.roles().meets(entry.authors) && actor.roles().meets(entry.owners) {
        return Err(Problem::forbidden(format!(
            "With your roles you change {} that you own.",
            entry.info.many
        )));
    }
    needs(
        tx,
        entry.authors.with(entry.owners),
        &format!("change {}", entry.info.many),
    )
}

/// Whether the actor holds one of `roles`; the system may do everything but approve.
pub(super) fn needs(tx: &TenantTx<'_>, roles: Roles, what: &str) -> Result<()> {
    if tx.actor() == Actor::System || tx.actor().roles().meets(roles) {
        return Ok(());
    }
    Err(Problem::forbidden(match roles.names() {
        names if names.is_empty() => format!("Nobody can {what}; it happens by itself."),
        names => format!(
            "To {what}, one of these roles is needed: {}.",
            names.join(", ")
        ),
    }))
}

/// Whether the record can still change.
pub(super) fn is_live(entry: &Entry, row: &Row) -> Result<()> {
    match row.archived_at {
        None => Ok(()),
        Some(_) => Err(Problem::conflict(format!(
            "This {} is archived and cannot change.",
            entry.info.one
        ))),
    }
}

/// Whoever names an audience names somebody, or nobody could read it any more.
pub(super) fn audience_is_somebody(row: &Row) -> Result<()> {
    let nobody = row.audience_roles.is_empty() && row.audience_people.is_empty();
    if row.audience == NAMED && nobody && row.owner_id.is_none() {
        return Err(Problem::invalid(
            "/audience",
            "names nobody: give audience_roles, audience_people or an owner",
        ));
    }
    Ok(())
}

/// GEN-2: approved content is immutable, save for the fields that stay open.
pub(super) fn stays_frozen(entry: &Entry, row: &Row, changed: &[String]) -> Result<()> {
    if !entry.is_frozen(&row.status) {
        return Ok(());
    }
    let closed: Vec<_> = changed
        .iter()
        .filter(|name| entry.is_content(name))
        .map(|name| FieldError {
            pointer: format!("/{name}"),
            detail: "is frozen".to_owned(),
        })
        .collect();
    if closed.is_empty() {
        return Ok(());
    }
    let back = match entry.moves.iter().any(|known| {
        known.from == row.status && (known.flags.revises || !entry.is_frozen(known.to))
    }) {
        true => "Move it back first.",
        false => "Make a new one.",
    };
    let mut problem = GEN_2
        .refuses(
            "",
            format!(
                "This {} is {}: its content is frozen. {back}",
                entry.info.one, row.status
            ),
        )
        .with_status(ProblemType::Conflict.status());
    problem.errors = closed;
    Err(problem)
}

/// Notes who wrote what will be approved.
pub(super) fn add_author(row: &mut Row, doer: Actor) {
    if let Some(person) = doer.person()
        && !row.authors.contains(&person)
    {
        row.authors.push(person);
    }
}
