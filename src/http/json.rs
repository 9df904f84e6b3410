//! JSON bodies, read strictly: no duplicate keys, no NUL, bounded in size and depth, checked by
//! the schema of their type before they become one.

use std::fmt;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use actix_web::{FromRequest, HttpRequest};
use aws_lc_rs::digest;
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use serde::de::{DeserializeOwned, DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_path_to_error::Segment;
use utoipa::ToSchema;

use super::schema::Shape;
use crate::problem::{FieldError, Problem, ProblemType, Result};

/// Bytes of the largest JSON body (1 MiB).
pub const MOST_BYTES: usize = 1024 * 1024;
/// Levels of objects and arrays inside each other.
pub const MOST_DEPTH: usize = 32;
/// What a JSON body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(15);
/// Faults told at once.
const MOST_FAULTS: usize = 100;

/// A body that became a `T`; its schema was checked first.
#[derive(Clone, Debug)]
pub struct Json<T> {
    /// The body.
    pub value: T,
    /// SHA-256 of the bytes as they came.
    pub sha256: [u8; 32],
}

/// A body that is a JSON object, not yet checked by any schema (merge patches, records).
#[derive(Clone, Debug)]
pub struct Object {
    /// The members.
    pub fields: Map<String, Value>,
    /// SHA-256 of the bytes as they came.
    pub sha256: [u8; 32],
}

impl<T: DeserializeOwned + ToSchema + 'static> FromRequest for Json<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (req, payload) = (req.clone(), payload.take());
        Box::pin(async move {
            let bytes = read(&req, payload, &["application/json"]).await?;
            let value = parse(&bytes)?;
            Shape::cached::<T>()
                .check(&value)
                .map_err(Problem::invalid_all)?;
            let value = fit(value)?;
            let sha256 = sha256(&bytes);
            Ok(Self { value, sha256 })
        })
    }
}

impl FromRequest for Object {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (req, payload) = (req.clone(), payload.take());
        Box::pin(async move {
            let types = ["application/json", "application/merge-patch+json"];
            let bytes = read(&req, payload, &types).await?;
            match parse(&bytes)? {
                Value::Object(fields) => Ok(Self {
                    fields,
                    sha256: sha256(&bytes),
                }),
                _ => Err(Problem::invalid("", "must be a JSON object")),
            }
        })
    }
}

/// Makes a `T` of a value that its schema has let pass. Where the type still refuses it, the
/// fault says where; what the type says is for programmers of this server.
pub fn fit<T: DeserializeOwned>(value: Value) -> Result<T> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let mut pointer = String::new();
        for segment in error.path() {
            match segment {
                Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
                Segment::Map { key } => pointer.push_str(&pointer_step(key)),
                Segment::Enum { .. } | Segment::Unknown => {}
            }
        }
        tracing::warn!(pointer, "a schema lets pass what its type refuses: {error}");
        Problem::invalid(pointer, "does not have the documented form")
    })
}

/// SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    let digest = digest::digest(&digest::SHA256, bytes);
    for (to, from) in out.iter_mut().zip(digest.as_ref()) {
        *to = *from;
    }
    out
}

/// The body's bytes, once type, encoding and size are right; never holds more than the limit.
async fn read(req: &HttpRequest, payload: Payload, types: &[&str]) -> Result<Vec<u8>> {
    check_headers(req, types)?;
    match tokio::time::timeout(BODY_TIME, collect(payload)).await {
        Ok(body) => body,
        Err(_) => Err(Problem::new(
            ProblemType::RequestTimeout,
            "The body did not arrive in time.",
        )),
    }
}

async fn collect(mut payload: Payload) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| {
            let mut problem = Problem::malformed("The body did not arrive whole.");
            problem.cause = Some(error.to_string().into());
            problem
        })?;
        if body.len() + chunk.len() > MOST_BYTES {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn check_headers(req: &HttpRequest, types: &[&str]) -> Result<()> {
    let header = |name| {
        req.headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let unsupported = |detail: String| Err(Problem::new(ProblemType::UnsupportedMediaType, detail));
    let media = header(CONTENT_TYPE).and_then(|value| value.split(';').next());
    let media = media.map(|media| media.trim().to_ascii_lowercase());
    if !media.is_some_and(|media| types.contains(&media.as_str())) {
        return unsupported(format!("Send Content-Type: {}.", types.join(" or ")));
    }
    if req.headers().contains_key(CONTENT_ENCODING)
        && !header(CONTENT_ENCODING).is_some_and(|value| value.eq_ignore_ascii_case("identity"))
    {
        return unsupported("Send the body without Content-Encoding.".to_owned());
    }
    let length = header(CONTENT_LENGTH).and_then(|value| value.parse::<usize>().ok());
    if length.is_some_and(|length| length > MOST_BYTES) {
        return Err(too_large());
    }
    Ok(())
}

fn too_large() -> Problem {
    Problem::new(ProblemType::TooLarge, "A JSON body may have at most 1 MiB.")
}

/// Reads JSON strictly: 400 for syntax, duplicate keys and depth; 422 for U+0000.
pub fn parse(bytes: &[u8]) -> Result<Value> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { depth: 0 }
        .deserialize(&mut reader)
        .and_then(|value| reader.end().map(|()| value))
        .map_err(|error| Problem::malformed(format!("The body is not good JSON: {error}.")))?;
    let mut faults = Vec::new();
    find_nul(&value, &mut String::new(), &mut faults);
    if faults.is_empty() {
        Ok(value)
    } else {
        Err(Problem::invalid_all(faults))
    }
}

/// One step of a JSON Pointer, escaped (RFC 6901), cut when very long.
pub fn pointer_step(key: &str) -> String {
    let cut: String = key.chars().take(100).collect();
    format!("/{}", cut.replace('~', "~0").replace('/', "~1"))
}

fn find_nul(value: &Value, at: &mut String, faults: &mut Vec<FieldError>) {
    let length = at.len();
    match value {
        Value::String(text) if text.contains('\0') => nul_fault(at, faults),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                at.push_str(&format!("/{index}"));
                find_nul(item, at, faults);
                at.truncate(length);
            }
        }
        Value::Object(fields) => {
            for (key, item) in fields {
                at.push_str(&pointer_step(key));
                if key.contains('\0') {
                    nul_fault(at, faults);
                }
                find_nul(item, at, faults);
                at.truncate(length);
            }
        }
        _ => {}
    }
}

fn nul_fault(at: &str, faults: &mut Vec<FieldError>) {
    if faults.len() < MOST_FAULTS {
        faults.push(FieldError {
            pointer: at.replace('\0', "\u{fffd}"),
            detail: "must not contain U+0000".to_owned(),
        });
    }
}

/// The greatest number up to which all whole numbers are floats (2⁵³).
const MOST_EXACT: f64 = 9_007_199_254_740_992.0;

/// The integer that a float without fraction is (JSON Schema core, section 4.2.3).
fn whole(value: f64) -> Option<i64> {
    let is_whole = value.fract() == 0.0 && value.abs() <= MOST_EXACT;
    is_whole
        .then(|| format!("{value:.0}").parse().ok())
        .flatten()
}

/// Builds a [`Value`] that many levels deep, refusing what `Value` itself would let pass.
#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
}

impl Strict {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.depth == MOST_DEPTH {
            return Err(E::custom(format_args!(
                "it is more than {MOST_DEPTH} levels deep"
            )));
        }
        Ok(Self {
            depth: self.depth + 1,
        })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        if let Some(whole) = whole(value) {
            return Ok(Value::Number(whole.into()));
        }
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("a number is out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let seed = self.deeper()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(seed)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let seed = self.deeper()?;
        let mut fields = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            if fields.contains_key(&key) {
                let key: String = key.chars().take(64).collect();
                return Err(A::Error::custom(format_args!(
                    "the key {key:?} is given twice"
                )));
            }
            let value = members.next_value_seed(seed)?;
            fields.insert(key, value);
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
