//! A caller of the API: sends JSON, expects success, and tells a problem as a sentence.

use std::fmt;

use reqwest::Method;
use reqwest::header::{ETAG, IF_MATCH};
use serde_json::{Value, json};

/// Why loading stopped, as a sentence.
#[derive(Debug)]
pub(super) struct Fault {
    /// Status of the answer that was not a success, if there was one.
    pub(super) status: Option<u16>,
    said: String,
}

impl Fault {
    /// A fault that no answer of the server tells.
    pub(super) fn new(said: impl Into<String>) -> Self {
        Self {
            status: None,
            said: said.into(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.said)
    }
}

/// A caller, with or without a token.
#[derive(Clone, Debug)]
pub(super) struct Api {
    base: String,
    token: Option<String>,
    http: reqwest::Client,
}

/// A record that was made, at the version it has now.
#[derive(Clone, Debug)]
pub(super) struct Record {
    path: String,
    /// Its id.
    pub(super) id: String,
    etag: String,
}

impl Api {
    /// A caller without credentials; `base` is the address of the server.
    pub(super) fn anonymous(base: &str) -> Self {
        Self {
            base: base.to_owned(),
            token: None,
            http: reqwest::Client::new(),
        }
    }

    /// Signs in.
    pub(super) async fn sign_in(&self, email: &str, password: &str) -> Result<Self, Fault> {
        let credentials = json!({"email": email, "password": password});
        let pair = self.post("/v1/auth/login", &credentials).await?;
        Ok(Self {
            token: Some(text(&pair, "access_token")?),
            ..self.clone()
        })
    }

    /// Reads.
    pub(super) async fn get(&self, path: &str) -> Result<Value, Fault> {
        let (body, _) = self.send(Method::GET, path, None, None).await?;
        Ok(body)
    }

    /// Makes something that is no record.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, Fault> {
        let (body, _) = self.send(Method::POST, path, None, Some(body)).await?;
        Ok(body)
    }

    /// Changes a resource at the version it has now.
    pub(super) async fn patch(&self, path: &str, body: &Value) -> Result<(), Fault> {
        let (_, etag) = self.send(Method::GET, path, None, None).await?;
        self.send(Method::PATCH, path, Some(&etag), Some(body))
            .await
            .map(drop)
    }

    /// Makes a record below `list`, such as `/v1/tenants/{id}/risks`.
    pub(super) async fn make(&self, list: &str, body: &Value) -> Result<Record, Fault> {
        let (made, etag) = self.send(Method::POST, list, None, Some(body)).await?;
        let id = text(&made, "id")?;
        Ok(Record {
            path: format!("{list}/{id}"),
            id,
            etag,
        })
    }

    /// Changes a record.
    pub(super) async fn change(&self, record: &mut Record, body: &Value) -> Result<(), Fault> {
        let answer = self
            .send(Method::PATCH, &record.path, Some(&record.etag), Some(body))
            .await?;
        record.etag = answer.1;
        Ok(())
    }

    /// Moves a record through these states, one after the other.
    pub(super) async fn walk(&self, record: &mut Record, states: &[&str]) -> Result<(), Fault> {
        let path = format!("{}/transitions", record.path);
        for state in states {
            let body = json!({"to": state, "reason": null});
            let answer = self
                .send(Method::POST, &path, Some(&record.etag), Some(&body))
                .await?;
            record.etag = answer.1;
        }
        Ok(())
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        if_match: Option<&str>,
        body: Option<&Value>,
    ) -> Result<(Value, String), Fault> {
        let mut request = self
            .http
            .request(method.clone(), format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(etag) = if_match {
            request = request.header(IF_MATCH, etag);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let lost = |error: reqwest::Error| Fault::new(format!("{method} {path}: {error}."));
        let response = request.send().await.map_err(lost)?;
        let status = response.status();
        let etag = response.headers().get(ETAG);
        let etag = etag.and_then(|etag| etag.to_str().ok()).unwrap_or("*");
        let etag = etag.to_owned();
        let text = response.text().await.map_err(lost)?;
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        if status.is_success() {
            return Ok((body, etag));
        }
        Err(Fault {
            status: Some(status.as_u16()),
            said: format!("{method} {path} answered {status}: {}", sentence(&body)),
        })
    }
}

/// What a problem says, with the fields it complains about.
fn sentence(problem: &Value) -> String {
    let of = |value: &Value, name: &str| {
        let text = value.get(name).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let fields = problem.get("errors").and_then(Value::as_array);
    let fields: Vec<String> = fields
        .into_iter()
        .flatten()
        .map(|fault| format!("{} {}", of(fault, "pointer"), of(fault, "detail")))
        .collect();
    match fields.is_empty() {
        true => of(problem, "detail"),
        false => format!("{} ({})", of(problem, "detail"), fields.join("; ")),
    }
}

/// A text in an answer.
pub(super) fn text(value: &Value, name: &str) -> Result<String, Fault> {
    value
        .get(name)
        .and_then(Value::as_str)
        .map(str::to_owned)
        .ok_or_else(|| Fault::new(format!("An answer has no {name}.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_told_with_its_fields() {
        let problem = json!({"detail": "Some fields are not valid.", "errors": [
            {"pointer": "/title", "detail": "is required"}, {"pointer": "/level", "detail": "is read-only"}]});

        assert_eq!(
            sentence(&problem),
            "Some fields are not valid. (/title is required; /level is read-only)"
        );
        assert_eq!(sentence(&json!({"detail": "No."})), "No.");
    }
}
