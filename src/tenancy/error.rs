//! Database errors as problems: what the client may learn of them is next to nothing.

use std::error::Error as _;

use diesel::result::{DatabaseErrorKind, Error};

use crate::problem::Problem;

/// Seconds a client should wait when the database is away.
const RETRY_SECONDS: u32 = 2;

/// Maps a database error. Constraints that guard references answer as if nothing were there;
/// a lost connection and a timeout are 503, everything else is our fault.
pub fn database_problem(error: Error) -> Problem {
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

/// Whether PostgreSQL refused for a reason that passes by itself.
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
