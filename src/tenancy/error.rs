//! Database errors as problems: what the client may learn of them is next to nothing.

use std::error::Error as _;

use diesel::result::{DatabaseErrorKind, Error};

use crate::problem::Problem;

/// What it means to a client that a constraint does not hold.
enum Meaning {
    /// A fault in the input: pointer, and what is wrong.
    Invalid(&'static str, &'static str),
    /// Something is in the way.
    Conflict(&'static str),
    /// Program and database are not of the same age; that passes with the migrations.
    OutOfStep,
}

/// Constraints that input can break although it was judged before, as two requests at once may.
/// All others guard what the program must not do.
const CONSTRAINTS: &[(&str, Meaning)] = {
    use Meaning::{Conflict, Invalid, OutOfStep};
    const NOBODY: &str = "names a person who is not known here";
    &[
        ("records_status", OutOfStep),
        (
            "one_row",
            Conflict("It has changed in the meantime. Read it again."),
        ),
        ("records_owner", Invalid("/owner_id", NOBODY)),
        ("deadlines_person", Invalid("/owner_id", NOBODY)),
        ("links_person", Invalid("", NOBODY)),
        (
            "links_from",
            Invalid("", "names a record that does not exist"),
        ),
        (
            "links_to",
            Invalid("", "names a record that does not exist"),
        ),
        (
            "links_to_version",
            Invalid("", "names a version that does not exist"),
        ),
        ("tenants_size", Invalid("/size", "must be more than 0")),
        (
            "engagements_window",
            Invalid("/ends_on", "must not be before it starts"),
        ),
        (
            "memberships_window",
            Invalid("/valid_until", "must not be before it begins"),
        ),
        (
            "memberships_external_auditor_until",
            Invalid("/valid_until", "is required for an external auditor"),
        ),
        (
            "users_email_unique",
            Conflict("There is an account with this address already."),
        ),
    ]
};

/// Seconds a client should wait when the database is away.
const RETRY_SECONDS: u32 = 2;

/// Maps a database error. Constraints are known by name; a lost connection and a timeout are 503,
/// everything else is our fault.
pub fn database_problem(error: Error) -> Problem {
    if let Error::DatabaseError(_, info) = &error
        && let Some(meaning) = meaning_of(info.constraint_name())
    {
        return told(meaning, error);
    }
    match &error {
        Error::NotFound => Problem::not_found(),
        Error::DatabaseError(kind, info) => match kind {
            DatabaseErrorKind::ForeignKeyViolation => {
                Problem::invalid("", "A record or person named here does not exist.")
            }
            DatabaseErrorKind::UniqueViolation => {
                let mut problem = Problem::conflict("This exists already.");
                problem.cause = Some(format!("{:?}: {}", info.constraint_name(), error).into());
                problem
            }
            DatabaseErrorKind::SerializationFailure
            | DatabaseErrorKind::ClosedConnection
            | DatabaseErrorKind::UnableToSendCommand => Problem::unavailable(RETRY_SECONDS, error),
            _ if is_passing(info.message()) => Problem::unavailable(RETRY_SECONDS, error),
            _ => Problem::internal(error),
        },
        _ if error.source().is_some() => Problem::unavailable(RETRY_SECONDS, error),
        _ => Problem::internal(error),
    }
}

fn meaning_of(constraint: Option<&str>) -> Option<&'static Meaning> {
    let known = CONSTRAINTS
        .iter()
        .find(|(name, _)| Some(*name) == constraint);
    known.map(|(_, meaning)| meaning)
}

fn told(meaning: &Meaning, error: Error) -> Problem {
    let mut problem = match meaning {
        Meaning::Invalid(pointer, detail) => Problem::invalid(*pointer, *detail),
        Meaning::Conflict(detail) => Problem::conflict(*detail),
        Meaning::OutOfStep => return Problem::unavailable(RETRY_SECONDS, error),
    };
    problem.cause = Some(error.into());
    problem
}

/// Whether PostgreSQL refused for a reason that passes by itself. The driver keeps the SQLSTATE
/// to itself, so the message tells; `db` refuses a database that speaks another language.
fn is_passing(message: &str) -> bool {
    [
        "statement timeout",
        "lock timeout",
        "deadlock detected",
        "shutting down",
        "starting up",
        "in recovery mode",
        "terminating connection",
        "too many clients",
        "connection closed",
    ]
    .iter()
    .any(|part| message.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_constraint_that_is_explained_exists() {
        let folders = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"));
        let all: String = folders
            .unwrap()
            .filter_map(|folder| std::fs::read_to_string(folder.ok()?.path().join("up.sql")).ok())
            .collect();
        for (name, _) in CONSTRAINTS {
            assert!(all.contains(&format!("CONSTRAINT {name} ")), "{name}");
        }
    }
}
