//! Conditional requests on the version of a resource (RFC 9110 section 13).
//!
//! Our tags name a version, not the bytes of a representation. Proxies that compress make a tag
//! weak (`W/"v7"`) or add the coding to it (`"v7-gzip"`); it still names the version.

use std::convert::Infallible;
use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::{ETAG, HeaderMap, HeaderName, IF_MATCH, IF_NONE_MATCH};
use actix_web::{FromRequest, HttpRequest};

use crate::problem::{Problem, ProblemType, Result};

/// What `If-Match` looks like: `*`, or quoted tags separated by commas.
pub const PATTERN: &str = r#"^(\*|"[^"]*"([ \t]*,[ \t]*"[^"]*")*)$"#;

/// The strong entity tag of a version: `"v7"`.
pub fn of(version: i32) -> String {
    format!("\"v{version}\"")
}

/// `If-Match`, judged by [`IfMatch::require`] once the caller is known to be allowed.
#[derive(Clone, Debug)]
pub struct IfMatch(Tags);

/// `If-None-Match`, for reads.
#[derive(Clone, Debug)]
pub struct IfNoneMatch(Tags);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Tags {
    Missing,
    Malformed,
    Any,
    List(Vec<Tag>),
}

/// A tag without its quotes, weak or not.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Tag(String);

/// Codings that proxies add to tags.
const CODINGS: &[&str] = &["gzip", "br", "deflate", "zstd"];

impl Tag {
    fn names(&self, version: i32) -> bool {
        let coded = |coding: &&str| self.0.strip_suffix(coding);
        let bare = CODINGS
            .iter()
            .find_map(coded)
            .map_or(&*self.0, |rest| rest.trim_end_matches(['-', ';', ':']));
        bare == format!("v{version}")
    }
}

impl IfMatch {
    /// 428 without the header, 400 when it is malformed, 412 when no tag names `version`.
    pub fn require(&self, version: i32) -> Result<()> {
        let matched = match &self.0 {
            Tags::Missing => {
                return Err(Problem::new(
                    ProblemType::PreconditionRequired,
                    "Send the ETag you read in the If-Match header.",
                ));
            }
            Tags::Malformed => {
                return Err(Problem::malformed(
                    "If-Match is neither * nor a list of quoted entity tags.",
                ));
            }
            Tags::Any => true,
            Tags::List(tags) => tags.iter().any(|tag| tag.names(version)),
        };
        if matched {
            return Ok(());
        }
        Err(Problem::new(
            ProblemType::PreconditionFailed,
            "The resource is now at another version; read it again.",
        ))
    }
}

/// The version that the `ETag` of an answer names.
pub(super) fn version_in(headers: &HeaderMap) -> Option<i32> {
    let tag = headers.get(ETAG)?.to_str().ok()?;
    tag.strip_prefix("\"v")?.strip_suffix('"')?.parse().ok()
}

impl IfNoneMatch {
    /// As a request has it.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        Self(read(headers, IF_NONE_MATCH))
    }

    /// Whether the client already has `version`, so that 304 is the answer.
    pub fn matches(&self, version: i32) -> bool {
        match &self.0 {
            Tags::Missing | Tags::Malformed => false,
            Tags::Any => true,
            Tags::List(tags) => tags.iter().any(|tag| tag.names(version)),
        }
    }
}

impl FromRequest for IfMatch {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self(read(req.headers(), IF_MATCH))))
    }
}

impl FromRequest for IfNoneMatch {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self::of(req.headers())))
    }
}

fn read(headers: &HeaderMap, name: HeaderName) -> Tags {
    let mut lines = Vec::new();
    for value in headers.get_all(name) {
        match value.to_str() {
            Ok(line) => lines.push(line),
            Err(_) => return Tags::Malformed,
        }
    }
    if lines.is_empty() {
        return Tags::Missing;
    }
    parse(&lines.join(","))
}

fn parse(header: &str) -> Tags {
    if header.trim() == "*" {
        return Tags::Any;
    }
    let mut tags = Vec::new();
    let mut rest = header.trim_matches([' ', '\t', ',']);
    while !rest.is_empty() {
        let quoted = rest.strip_prefix("W/").unwrap_or(rest);
        let Some((opaque, after)) = quoted
            .strip_prefix('"')
            .and_then(|body| body.split_once('"'))
        else {
            return Tags::Malformed;
        };
        tags.push(Tag(opaque.to_owned()));
        let trimmed = after.trim_start_matches([' ', '\t']);
        if !trimmed.is_empty() && !trimmed.starts_with(',') {
            return Tags::Malformed;
        }
        rest = trimmed.trim_start_matches([' ', '\t', ',']);
    }
    if tags.is_empty() {
        Tags::Malformed
    } else {
        Tags::List(tags)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(header: &str, version: i32) -> u16 {
        IfMatch(parse(header))
            .require(version)
            .map_or_else(|problem| problem.status, |()| 200)
    }

    #[test]
    fn if_match_names_versions() {
        assert_eq!(status("\"v7\"", 7), 200);
        assert_eq!(status("\"v1\" , \"v7\"", 7), 200);
        assert_eq!(status("\"a,b\",\"v7\"", 7), 200);
        assert_eq!(status("*", 7), 200);
        assert_eq!(status("\"v6\"", 7), 412);
        for same in ["W/\"v7\"", "\"v7-gzip\"", "W/\"v7--gzip\"", "\"v7;br\""] {
            assert_eq!(status(same, 7), 200, "{same}");
            assert_eq!(status(same, 70), 412, "{same}");
        }
        assert_eq!(status("\"v7-other\"", 7), 412);
        for malformed in ["v7", "\"v7", "\"v7\" \"v8\"", "", ",", "w/\"v7\""] {
            assert_eq!(status(malformed, 7), 400, "{malformed}");
        }
        assert_eq!(IfMatch(Tags::Missing).require(7).unwrap_err().status, 428);
    }

    #[test]
    fn if_none_match_compares_weakly() {
        assert!(IfNoneMatch(parse("W/\"v7\"")).matches(7));
        assert!(IfNoneMatch(parse("*")).matches(7));
        assert!(!IfNoneMatch(parse("\"v6\"")).matches(7));
        assert!(!IfNoneMatch(parse("v7")).matches(7));
        assert!(!IfNoneMatch(Tags::Missing).matches(7));
    }
}
