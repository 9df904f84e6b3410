//! Finds the problem behind an error response, also when actix itself made it.

use actix_web::HttpResponse;
use actix_web::error::{JsonPayloadError, PathError, PayloadError, QueryPayloadError};
use actix_web::http::header::CONTENT_TYPE;

use crate::problem::{Problem, ProblemType};

/// The problem of an error response; `None` when it is no error or is a problem already.
pub(super) fn problem_of(response: &mut HttpResponse) -> Option<Problem> {
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        return Some(problem);
    }
    let status = response.status().as_u16();
    let finished = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/problem+json"));
    if status < 400 || finished {
        return None;
    }
    if let Some(error) = response.error() {
        if error.as_error::<PathError>().is_some() {
            return Some(Problem::not_found());
        }
        if error.as_error::<QueryPayloadError>().is_some() {
            return Some(Problem::malformed("The query parameters cannot be read."));
        }
        if let Some(error) = error.as_error::<JsonPayloadError>() {
            return Some(of_json(error));
        }
        if let Some(error) = error.as_error::<PayloadError>() {
            return Some(of_payload(error));
        }
    }
    let cause = response.error().map(ToString::to_string);
    Some(of_status(status, cause))
}

fn of_json(error: &JsonPayloadError) -> Problem {
    match error {
        JsonPayloadError::OverflowKnownLength { .. } | JsonPayloadError::Overflow { .. } => {
            too_large()
        }
        JsonPayloadError::ContentType => Problem::new(
            ProblemType::UnsupportedMediaType,
            "Send Content-Type: application/json.",
        ),
        JsonPayloadError::Deserialize(error) if error.is_data() => {
            Problem::invalid("", "does not have the documented form")
        }
        JsonPayloadError::Payload(error) => of_payload(error),
        _ => Problem::malformed("The body is not good JSON."),
    }
}

fn of_payload(error: &PayloadError) -> Problem {
    match error {
        PayloadError::Overflow => too_large(),
        _ => Problem::malformed("The body did not arrive whole."),
    }
}

fn too_large() -> Problem {
    Problem::new(
        ProblemType::TooLarge,
        "The body is larger than is taken here.",
    )
}

fn of_status(status: u16, cause: Option<String>) -> Problem {
    let cause = cause.unwrap_or_else(|| format!("a bare answer with status {status}"));
    let kind = match status {
        401 => return Problem::unauthenticated(),
        404 => return Problem::not_found(),
        503 => return Problem::unavailable(5, cause),
        500.. => return Problem::internal(cause),
        400 => ProblemType::Malformed,
        403 => ProblemType::Forbidden,
        405 => ProblemType::MethodNotAllowed,
        408 => ProblemType::RequestTimeout,
        409 => ProblemType::Conflict,
        412 => ProblemType::PreconditionFailed,
        413 => ProblemType::TooLarge,
        414 => ProblemType::UriTooLong,
        415 => ProblemType::UnsupportedMediaType,
        422 => ProblemType::Invalid,
        428 => ProblemType::PreconditionRequired,
        429 => ProblemType::TooManyRequests,
        431 => ProblemType::HeadersTooLarge,
        _ => ProblemType::Malformed,
    };
    Problem::new(kind, format!("{}.", kind.title())).with_status(status)
}
