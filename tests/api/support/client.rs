//! A caller: sends requests, expects a status as part of the call.

use std::time::Duration;

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::Value;

use super::documented;

/// What any answer may take: a year of reminders on a busy machine, but not for ever.
const PATIENCE: Duration = Duration::from_secs(300);

/// A caller, with or without a token.
#[derive(Clone, Debug)]
pub struct Client {
    base: String,
    token: Option<String>,
    http: reqwest::Client,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The `rule` of a problem.
    pub fn rule(&self) -> Option<String> {
        self.json()["rule"].as_str().map(str::to_owned)
    }

    /// Fails the test, telling what came back, unless the status is `status`.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }
}

impl Client {
    pub fn new(base: &str) -> Self {
        Self {
            base: base.to_owned(),
            token: None,
            http: reqwest::Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .timeout(PATIENCE)
                .build()
                .unwrap(),
        }
    }

    /// The same caller with an access token.
    pub fn with_token(&self, token: &str) -> Self {
        Self {
            token: Some(token.to_owned()),
            ..self.clone()
        }
    }

    /// The token, if there is one.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Sends anything. An answer that the document does not tell fails the test.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Answer {
        let mut request = self
            .http
            .request(method.clone(), format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            if !headers
                .iter()
                .any(|(name, _)| name.eq_ignore_ascii_case("content-type"))
            {
                request = request.header("content-type", "application/json");
            }
            request = request.body(body);
        }
        let response = request.send().await.unwrap();
        let answer = Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.text().await.unwrap(),
        };
        documented::check(&method, path, &answer);
        answer
    }

    pub async fn get(&self, path: &str, status: u16) -> Value {
        self.send(Method::GET, path, &[], None)
            .await
            .expect(status)
            .json()
    }

    pub async fn post(&self, path: &str, body: &Value, status: u16) -> Value {
        self.send(Method::POST, path, &[], Some(body.to_string()))
            .await
            .expect(status)
            .json()
    }

    /// Reads the resource first and sends its version along.
    pub async fn patch(&self, path: &str, body: &Value, status: u16) -> Value {
        let etag = self.etag(path).await;
        self.send(
            Method::PATCH,
            path,
            &[("If-Match", &etag)],
            Some(body.to_string()),
        )
        .await
        .expect(status)
        .json()
    }

    pub async fn put(&self, path: &str, of: &str, body: &Value, status: u16) -> Value {
        let etag = self.etag(of).await;
        self.send(
            Method::PUT,
            path,
            &[("If-Match", &etag)],
            Some(body.to_string()),
        )
        .await
        .expect(status)
        .json()
    }

    pub async fn delete(&self, path: &str, status: u16) -> Value {
        let etag = self.etag(path).await;
        self.send(Method::DELETE, path, &[("If-Match", &etag)], None)
            .await
            .expect(status)
            .json()
    }

    /// Moves a record to a state.
    pub async fn transition(
        &self,
        path: &str,
        to: &str,
        reason: Option<&str>,
        status: u16,
    ) -> Value {
        let etag = self.etag(path).await;
        let body = serde_json::json!({"to": to, "reason": reason}).to_string();
        self.send(
            Method::POST,
            &format!("{path}/transitions"),
            &[("If-Match", &etag)],
            Some(body),
        )
        .await
        .expect(status)
        .json()
    }

    /// The ETag of a resource; `*` where it cannot be read.
    pub async fn etag(&self, path: &str) -> String {
        let answer = self.send(Method::GET, path, &[], None).await;
        answer.header("etag").unwrap_or("*").to_owned()
    }
}
