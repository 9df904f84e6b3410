//! Every error the API can answer, as `application/problem+json` (RFC 9457).
//!
//! A [`Problem`] says what the client may know; its cause is logged once at the edge and never
//! leaves the server. `http::edge` adds `instance` and `request_id` and writes the body.

use std::error::Error as StdError;
use std::fmt;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

/// Result of anything that may end as a problem.
pub type Result<T, E = Problem> = std::result::Result<T, E>;

macro_rules! problem_types {
    ($($(#[$doc:meta])* $name:ident = $slug:literal, $status:literal, $title:literal;)*) => {
        /// The one list of problem types. The slug is the last part of the `type` URI.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ProblemType { $($(#[$doc])* $name),* }

        impl ProblemType {
            /// All types, in the order of their status codes.
            pub const ALL: &[ProblemType] = &[$(ProblemType::$name),*];
            /// Last part of the `type` URI; stable.
            pub fn slug(self) -> &'static str { match self { $(Self::$name => $slug),* } }
            /// HTTP status code.
            pub fn status(self) -> u16 { match self { $(Self::$name => $status),* } }
            /// Short summary, the same for every occurrence.
            pub fn title(self) -> &'static str { match self { $(Self::$name => $title),* } }
        }
    };
}

problem_types! {
    /// Syntax: broken JSON, unknown query parameter, bad cursor.
    Malformed = "malformed", 400, "The request cannot be understood";
    /// No credentials, or bad ones.
    Unauthenticated = "unauthenticated", 401, "Sign in first";
    /// Visible, but the caller's roles do not allow it.
    Forbidden = "forbidden", 403, "Your roles do not allow this";
    /// Not there, or not visible to the caller: the two look the same.
    NotFound = "not-found", 404, "Nothing is here";
    /// The route exists, the method does not.
    MethodNotAllowed = "method-not-allowed", 405, "This method is not offered here";
    /// The client was too slow to send its request.
    RequestTimeout = "request-timeout", 408, "The request took too long to arrive";
    /// The state of the resource does not allow it.
    Conflict = "conflict", 409, "The present state does not allow this";
    /// `If-Match` names an older version.
    PreconditionFailed = "precondition-failed", 412, "The resource has changed since you read it";
    /// The body is larger than allowed.
    TooLarge = "too-large", 413, "The request is too large";
    /// The address is longer than allowed.
    UriTooLong = "uri-too-long", 414, "The address is too long";
    /// The body is not in a format this operation takes.
    UnsupportedMediaType = "unsupported-media-type", 415, "This content type is not taken here";
    /// Well-formed, but the content is not valid; see `errors`.
    Invalid = "invalid", 422, "The content is not valid";
    /// A rule of the management system refuses; see `rule`.
    RuleRefused = "rule-refused", 422, "A rule of the management system refuses this";
    /// A write needs `If-Match`.
    PreconditionRequired = "precondition-required", 428, "Send If-Match with the version you read";
    /// Too many requests; see `Retry-After`.
    TooManyRequests = "too-many-requests", 429, "Too many requests";
    /// The header section is larger than allowed.
    HeadersTooLarge = "headers-too-large", 431, "The request headers are too large";
    /// A fault of the server.
    Internal = "internal", 500, "Something went wrong on our side";
    /// A part the server needs is not available now; see `Retry-After`.
    Unavailable = "unavailable", 503, "Not available right now";
}

/// One fault in the input: where, and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// JSON Pointer into the body (RFC 6901), or the name of the query parameter.
    pub pointer: String,
    /// What is wrong, as a sentence.
    pub detail: String,
}

/// An error the client may see.
#[derive(Debug)]
pub struct Problem {
    /// Which of the listed types.
    pub kind: ProblemType,
    /// HTTP status; that of the type, save for rules that refuse with 403 or 409.
    pub status: u16,
    /// This occurrence, as a sentence.
    pub detail: String,
    /// Faults in the input.
    pub errors: Vec<FieldError>,
    /// Id of the rule that refuses, such as `RSK-2`.
    pub rule: Option<String>,
    /// What would have been allowed, for transitions.
    pub allowed: Option<Vec<String>>,
    /// Seconds after which trying again makes sense.
    pub retry_after: Option<u32>,
    /// The cause; logged, never sent.
    pub cause: Option<Box<dyn StdError + Send + Sync>>,
    /// What a rule refused, for the chain of events.
    pub refused: Option<Box<Refused>>,
}

/// Something that a rule refused: it is recorded, because a refusal is a fact of the management
/// system too.
#[derive(Clone, Debug)]
pub struct Refused {
    /// Kind of the record.
    pub kind: &'static str,
    /// The record.
    pub id: uuid::Uuid,
    /// What was asked for, and which rule refused it.
    pub data: serde_json::Value,
}

impl Problem {
    /// A problem of a listed type with a sentence for this occurrence.
    pub fn new(kind: ProblemType, detail: impl Into<String>) -> Self {
        Self {
            kind,
            status: kind.status(),
            detail: detail.into(),
            errors: Vec::new(),
            rule: None,
            allowed: None,
            retry_after: None,
            cause: None,
            refused: None,
        }
    }

    /// The same problem, to be recorded if a rule refuses: what was asked for of which record.
    pub fn refused_on(
        mut self,
        kind: &'static str,
        id: uuid::Uuid,
        asked: serde_json::Value,
    ) -> Self {
        if let Some(rule) = &self.rule {
            self.refused = Some(Box::new(Refused {
                kind,
                id,
                data: serde_json::json!({"rule": rule, "asked": asked, "detail": self.detail}),
            }));
        }
        self
    }

    /// 400: the request cannot be understood.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(ProblemType::Malformed, detail)
    }

    /// 401: no or bad credentials. The sentence never says which.
    pub fn unauthenticated() -> Self {
        Self::new(
            ProblemType::Unauthenticated,
            "A valid access token is needed.",
        )
    }

    /// 403: visible, but not allowed.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(ProblemType::Forbidden, detail)
    }

    /// 404: not there or not visible. One sentence for both, so that nothing can be told apart.
    pub fn not_found() -> Self {
        Self::new(
            ProblemType::NotFound,
            "There is nothing at this address, or you may not see it.",
        )
    }

    /// 409: the state does not allow it.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(ProblemType::Conflict, detail)
    }

    /// 422: one fault at one place of the input.
    pub fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::invalid_all(vec![FieldError {
            pointer: pointer.into(),
            detail: detail.into(),
        }])
    }

    /// 422: all faults of the input.
    pub fn invalid_all(errors: Vec<FieldError>) -> Self {
        let mut problem = Self::new(
            ProblemType::Invalid,
            "Some fields are not valid; see errors.",
        );
        problem.errors = errors;
        problem
    }

    /// 422: a rule of the domain refuses the content.
    pub fn rule(rule: impl Into<String>, detail: impl Into<String>) -> Self {
        let mut problem = Self::new(ProblemType::RuleRefused, detail);
        problem.rule = Some(rule.into());
        problem
    }

    /// 500 with a cause for the log.
    pub fn internal(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let mut problem = Self::new(
            ProblemType::Internal,
            "The fault has been logged under the request id.",
        );
        problem.cause = Some(cause.into());
        problem
    }

    /// 503 with a cause for the log; the client may try again after `seconds`.
    pub fn unavailable(seconds: u32, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let mut problem = Self::new(ProblemType::Unavailable, "Please try again shortly.");
        problem.retry_after = Some(seconds);
        problem.cause = Some(cause.into());
        problem
    }

    /// The same problem under another status code (rules refuse with 403, 409 or 422).
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The same problem, telling what would have been allowed.
    pub fn with_allowed(mut self, allowed: Vec<String>) -> Self {
        self.allowed = Some(allowed);
        self
    }

    /// The HTTP status, as actix wants it.
    pub fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The body, without `instance` and `request_id`, which only the edge knows.
    pub fn body(&self, public_url: &str) -> ProblemBody {
        ProblemBody {
            r#type: format!("{public_url}/problems/{}", self.kind.slug()),
            title: self.kind.title().to_owned(),
            status: self.status,
            detail: self.detail.clone(),
            instance: None,
            request_id: None,
            errors: (!self.errors.is_empty()).then(|| self.errors.clone()),
            rule: self.rule.clone(),
            allowed: self.allowed.clone(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.status, self.kind.slug(), self.detail)?;
        if let Some(cause) = &self.cause {
            write!(f, " (cause: {cause})")?;
        }
        Ok(())
    }
}

impl StdError for Problem {}

/// Hands the problem to `http::edge`, which writes the body; see there.
impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        Problem::status_code(self)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::new(Problem::status_code(self));
        let copy = Problem {
            kind: self.kind,
            status: self.status,
            detail: self.detail.clone(),
            errors: self.errors.clone(),
            rule: self.rule.clone(),
            allowed: self.allowed.clone(),
            retry_after: self.retry_after,
            cause: self.cause.as_ref().map(|cause| cause.to_string().into()),
            refused: None,
        };
        response.extensions_mut().insert(copy);
        response
    }
}

impl From<diesel::result::Error> for Problem {
    fn from(error: diesel::result::Error) -> Self {
        crate::tenancy::database_problem(error)
    }
}

/// What the client reads (RFC 9457, media type `application/problem+json`).
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// URI of the problem type; it resolves to a page that explains it.
    #[schema(format = "uri")]
    pub r#type: String,
    /// Summary of the type.
    pub title: String,
    /// HTTP status code.
    pub status: u16,
    /// This occurrence, as a sentence.
    pub detail: String,
    /// Path of the request.
    pub instance: Option<String>,
    /// The request's id, as in `X-Request-Id`; quote it when you ask for help.
    pub request_id: Option<String>,
    /// Faults in the input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors: Option<Vec<FieldError>>,
    /// Rule of the management system that refuses, such as `RSK-2`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// States that could be reached instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed: Option<Vec<String>>,
}
