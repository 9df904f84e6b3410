//! Refresh tokens of browsers: a cookie that scripts cannot read and other sites cannot use.

use actix_web::HttpRequest;
use actix_web::http::header::{COOKIE, ORIGIN};
use chrono::{DateTime, Utc};
use url::Url;

use crate::config::Config;
use crate::problem::{Problem, Result};

/// The `__Host-` prefix binds it to this host, `/` and TLS (RFC 6265bis section 4.1.3.2).
const NAME: &str = "__Host-aims_refresh";

/// `Set-Cookie` for a refresh token (base64url, so it needs no quoting) until it ends.
pub(super) fn keep(token: &str, until: DateTime<Utc>, now: DateTime<Utc>) -> String {
    set(token, (until - now).num_seconds().max(0))
}

/// `Set-Cookie` that removes it.
pub(super) fn remove() -> String {
    set("", 0)
}

fn set(value: &str, seconds: i64) -> String {
    format!("{NAME}={value}; Path=/; Max-Age={seconds}; Secure; HttpOnly; SameSite=Strict")
}

/// The refresh token in the cookie, if the page that sent it may: 403 for a strange origin.
pub(super) fn read(req: &HttpRequest, config: &Config) -> Result<Option<String>> {
    let cookies = req.headers().get_all(COOKIE);
    let token = cookies
        .filter_map(|header| header.to_str().ok())
        .flat_map(|header| header.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == NAME).then(|| value.to_owned()));
    if token.is_some() {
        check_origin(req, config)?;
    }
    Ok(token)
}

/// 403 unless the request comes from our own page or one in `CORS_ORIGINS`.
pub(super) fn check_origin(req: &HttpRequest, config: &Config) -> Result<()> {
    let origin = req
        .headers()
        .get(ORIGIN)
        .and_then(|value| value.to_str().ok());
    if origin.is_some_and(|origin| is_ours(origin, config)) {
        return Ok(());
    }
    Err(Problem::forbidden(
        "The refresh cookie is taken from pages of the allowed origins only.",
    ))
}

fn is_ours(origin: &str, config: &Config) -> bool {
    let own = Url::parse(&config.public_url).map(|url| url.origin().ascii_serialization());
    own.is_ok_and(|own| own == origin) || config.cors_origins.iter().any(|known| known == origin)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn config() -> Config {
        let get = |name: &str| match name {
            "PUBLIC_URL" => Some("https://aims.example.org/base".to_owned()),
            "CORS_ORIGINS" => Some("https://app.example.org".to_owned()),
            _ => None,
        };
        Config::read(get).unwrap()
    }

    fn sent(origin: Option<&'static str>, cookie: &'static str) -> Result<Option<String>> {
        let mut req = TestRequest::default().insert_header((COOKIE, cookie));
        if let Some(origin) = origin {
            req = req.insert_header((ORIGIN, origin));
        }
        read(&req.to_http_request(), &config())
    }

    #[test]
    fn only_pages_of_allowed_origins_may_send_the_cookie() {
        let cookie = "a=b; __Host-aims_refresh=tok-en_1; c=d";
        for good in ["https://aims.example.org", "https://app.example.org"] {
            assert_eq!(
                sent(Some(good), cookie).unwrap().as_deref(),
                Some("tok-en_1")
            );
        }
        for bad in [
            None,
            Some("null"),
            Some("https://evil.example"),
            Some("http://aims.example.org"),
            Some("https://aims.example.org.evil.example"),
        ] {
            assert_eq!(sent(bad, cookie).unwrap_err().status, 403, "{bad:?}");
        }
        assert_eq!(sent(None, "aims_refresh=x").unwrap(), None);
    }

    #[test]
    fn the_cookie_is_out_of_reach_of_scripts_and_other_sites() {
        assert_eq!(
            remove(),
            "__Host-aims_refresh=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Strict"
        );
    }
}
