//! Query parameters, read one by one; what nobody took is refused.

use std::future::{Ready, ready};
use std::str::FromStr;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};

use crate::problem::{FieldError, Problem, ProblemType, Result};

/// Items of a page when the client does not say.
pub const LIMIT_DEFAULT: i64 = 50;
/// Items of the largest page.
pub const LIMIT_MOST: i64 = 200;
/// Parameters of one request.
const MOST: usize = 64;

/// The parameters of one request that nobody has taken yet.
#[derive(Clone, Debug)]
pub struct Params {
    pairs: Vec<(String, String)>,
}

impl Params {
    /// Reads a raw query string; 400 for bad encoding, NUL or a name given twice.
    pub fn parse(query: &str) -> Result<Self> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for part in query.split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let name = decode(name)?;
            let value = decode(value)?;
            if pairs.iter().any(|(known, _)| *known == name) {
                return Err(fault(&name, "is given more than once"));
            }
            if pairs.len() == MOST {
                return Err(Problem::malformed("There are too many query parameters."));
            }
            pairs.push((name, value));
        }
        Ok(Self { pairs })
    }

    /// Takes a parameter out.
    pub fn take(&mut self, name: &str) -> Option<String> {
        let index = self.pairs.iter().position(|(known, _)| known == name)?;
        Some(self.pairs.swap_remove(index).1)
    }

    /// Takes a parameter out and reads it; 400 "must be `wanted`" when that fails.
    pub fn take_as<T: FromStr>(&mut self, name: &str, wanted: &str) -> Result<Option<T>> {
        match self.take(name).map(|value| value.parse()) {
            None => Ok(None),
            Some(Ok(value)) => Ok(Some(value)),
            Some(Err(_)) => Err(fault(name, &format!("must be {wanted}"))),
        }
    }

    /// Takes a parameter out: a list of values with commas, each of a closed set.
    pub fn take_known(&mut self, name: &str, allowed: &[&str]) -> Result<Option<Vec<String>>> {
        let Some(text) = self.take(name) else {
            return Ok(None);
        };
        let values = csv(&text);
        match values.iter().all(|value| allowed.contains(&value.as_str())) {
            true => Ok(Some(values)),
            false => Err(fault(
                name,
                &format!("is one or more of {}", allowed.join(", ")),
            )),
        }
    }

    /// Takes `limit`: the size of a page, 1 to 200, else 50.
    pub fn limit(&mut self) -> Result<i64> {
        let wanted = format!("a whole number from 1 to {LIMIT_MOST}");
        match self.take_as::<i64>("limit", &wanted)? {
            None => Ok(LIMIT_DEFAULT),
            Some(limit) if (1..=LIMIT_MOST).contains(&limit) => Ok(limit),
            Some(_) => Err(fault("limit", &format!("must be {wanted}"))),
        }
    }

    /// Refuses what is left: 400 naming every unknown parameter.
    pub fn finish(self) -> Result<()> {
        if self.pairs.is_empty() {
            return Ok(());
        }
        let mut problem = Problem::malformed("Some query parameters are not known here.");
        problem.errors = self
            .pairs
            .iter()
            .map(|(name, _)| FieldError {
                pointer: short(name),
                detail: "is not a parameter of this operation".to_owned(),
            })
            .collect();
        Err(problem)
    }
}

impl FromRequest for Params {
    type Error = Problem;
    type Future = Ready<Result<Self>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::parse(req.query_string()))
    }
}

/// 400 for one parameter; the sentence begins with a verb.
pub fn fault(name: &str, detail: &str) -> Problem {
    let name = short(name);
    let mut problem = Problem::new(
        ProblemType::Malformed,
        format!("The query parameter {name:?} {detail}."),
    );
    problem.errors = vec![FieldError {
        pointer: name,
        detail: detail.to_owned(),
    }];
    problem
}

/// Values with commas between them.
pub fn csv(text: &str) -> Vec<String> {
    text.split(',').map(|part| part.trim().to_owned()).collect()
}

fn short(name: &str) -> String {
    name.chars().take(64).collect()
}

/// Percent-decoding of `application/x-www-form-urlencoded`, strict where the standard guesses.
fn decode(text: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => hex(rest.next(), rest.next())
                .ok_or_else(|| Problem::malformed("The query has a broken percent-encoding."))?,
            other => other,
        });
    }
    match String::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => Ok(text),
        Ok(_) => Err(Problem::malformed("The query contains U+0000.")),
        Err(_) => Err(Problem::malformed("The query is not UTF-8.")),
    }
}

fn hex(high: Option<u8>, low: Option<u8>) -> Option<u8> {
    let digit = |byte: Option<u8>| {
        char::from(byte?)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    Some(digit(high)? * 16 + digit(low)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_and_refuses_the_rest() {
        let mut params = Params::parse("limit=7&q=a%20b+c&x=1").unwrap();

        assert_eq!(params.limit().unwrap(), 7);
        assert_eq!(params.take("q").as_deref(), Some("a b c"));
        let problem = params.finish().unwrap_err();

        assert_eq!(problem.status, 400);
        assert_eq!(problem.errors[0].pointer, "x");
    }

    #[test]
    fn refuses_bad_encodings() {
        for bad in ["a=%00", "a=%ff", "a=%2", "a=%zz", "a=1&a=2", "a=1&%61=2"] {
            assert_eq!(Params::parse(bad).unwrap_err().status, 400, "{bad}");
        }
    }

    #[test]
    fn bounds_the_page() {
        assert_eq!(Params::parse("").unwrap().limit().unwrap(), 50);
        for bad in ["0", "201", "1e9", "-1", "", "99999999999999999999"] {
            let mut params = Params::parse(&format!("limit={bad}")).unwrap();
            assert_eq!(params.limit().unwrap_err().status, 400, "{bad}");
        }
    }
}
