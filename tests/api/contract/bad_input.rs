//! Every request that cannot be done is answered by a problem (RFC 9457), and nothing happens.

use aims::app::kinds;
use aims::records::Entry;
use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use super::problems::{assert_problem, assert_type_resolves};
use super::stage::{Stage, example, rehearsal};

/// One bad request: method, path, headers, body, and the status it gets.
struct Case {
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Option<String>,
    status: u16,
}

fn case(method: &str, path: impl Into<String>, body: Option<&str>, status: u16) -> Case {
    Case {
        method: method.parse().unwrap(),
        path: path.into(),
        headers: Vec::new(),
        body: body.map(str::to_owned),
        status,
    }
}

impl Case {
    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

fn entry() -> &'static Entry {
    kinds().by_name("ai_system").unwrap()
}

fn good() -> String {
    example(entry()).to_string()
}

/// The good input with a member more.
fn plus(member: &str) -> String {
    format!("{},{member}}}", good().trim_end_matches('}'))
}

#[actix_web::test]
async fn every_bad_request_is_answered_by_a_problem_and_has_no_effect() {
    let stage = Stage::set(rehearsal().await).await;
    let record = stage.make(entry()).await;
    let at = stage.at(entry(), &record);
    let mut cases = routes(&stage, &at);
    cases.extend(bodies(&stage.list(entry())));
    cases.extend(media(&stage.list(entry()), &at));
    cases.extend(patches(&at));
    cases.extend(addresses(&stage, &at));
    cases.extend(elsewhere(&stage));
    assert!(cases.len() >= 60, "{} cases", cases.len());
    let before = (stage.records().await, stage.events().await);

    let mut types = Vec::new();
    for case in cases {
        let what = format!(
            "{} {} {:?} {:?}",
            case.method,
            case.path.chars().take(80).collect::<String>(),
            case.headers,
            case.body
                .as_deref()
                .map(|body| body.chars().take(60).collect::<String>())
        );
        let headers: Vec<_> = case
            .headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let answer = stage
            .author
            .api
            .send(case.method, &case.path, &headers, case.body)
            .await;
        assert_problem(&what, &answer, case.status);
        let kind = answer.json()["type"].clone();
        if !types.contains(&kind) {
            types.push(kind);
            assert_type_resolves(&stage.author.api, &answer).await;
        }
    }

    assert_eq!((stage.records().await, stage.events().await), before);
    assert_eq!(stage.author.api.get(&at, 200).await, record);
}

fn routes(stage: &Stage<'_>, at: &str) -> Vec<Case> {
    let (base, list) = (&stage.client.base, stage.list(entry()));
    vec![
        case("GET", "/", None, 404),
        case("GET", "/v1", None, 404),
        case("GET", "/v2/tenants", None, 404),
        case("GET", "/v1/nothing", None, 404),
        case("GET", "/v1/tenants/", None, 404),
        case("GET", "/.env", None, 404),
        case("GET", "/v1/../etc/passwd", None, 404),
        case("GET", "/v1/tenants/..%2f..%2fetc", None, 404),
        case("GET", format!("{base}/secrets"), None, 404),
        case("POST", format!("{base}/secrets"), Some("{}"), 404),
        case("GET", format!("{at}/nothing"), None, 404),
        case("GET", format!("{at}/versions/x"), None, 404),
        case("GET", format!("{at}/versions/99999999999"), None, 404),
        case("GET", format!("{list}/"), None, 404),
        case("GET", "/problems/nothing", None, 404),
        case("PUT", list.clone(), Some("{}"), 405),
        case("DELETE", list.clone(), None, 405),
        case("PATCH", list.clone(), Some("{}"), 405),
        case("POST", at, Some("{}"), 405),
        case("PUT", at, Some("{}"), 405),
        case("GET", format!("{list}/batch"), None, 405),
        case("DELETE", format!("{at}/transitions"), None, 405),
        case("PUT", format!("{at}/comments"), Some("{}"), 405),
        case("DELETE", "/v1/me", None, 405),
        case("GET", "/v1/auth/login", None, 405),
        case("POST", "/openapi.json", Some("{}"), 405),
        case("POST", "/.well-known/jwks.json", None, 405),
        case("BREW", "/v1/me", None, 405),
        case("TRACE", "/v1/me", None, 405),
    ]
}

fn bodies(list: &str) -> Vec<Case> {
    let deep = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    let huge = format!("{{\"title\": \"{}\"}}", "x".repeat(1024 * 1024));
    let mut bodies = vec![
        (String::new(), 400),
        ("{".to_owned(), 400),
        ("}".to_owned(), 400),
        ("{\"title\": }".to_owned(), 400),
        ("{'title': 1}".to_owned(), 400),
        ("{\"title\": \"x\",}".to_owned(), 400),
        ("{\"title\": NaN}".to_owned(), 400),
        ("{\"title\": 1e999}".to_owned(), 400),
        ("{\"title\": 01}".to_owned(), 400),
        ("// none\n{}".to_owned(), 400),
        ("\u{feff}{}".to_owned(), 400),
        (format!("{} {{}}", good()), 400),
        ("{\"title\": \"\\ud800\"}".to_owned(), 400),
        ("{\"title\": \"\\udc00\\ud800\"}".to_owned(), 400),
        ("{\"title\": \"\u{1}\"}".to_owned(), 400),
        (plus("\"title\": \"Another\""), 400),
        (plus("\"\\u0074itle\": \"Another\""), 400),
        (plus("\"x\": {\"a\": 1, \"a\": 2}"), 400),
        (plus(&format!("\"x\": {}", deep(40))), 400),
        (deep(100_000), 400),
        (huge, 413),
        ("null".to_owned(), 422),
        ("[]".to_owned(), 422),
        ("\"text\"".to_owned(), 422),
        ("1".to_owned(), 422),
        ("{}".to_owned(), 422),
        (plus("\"is_admin\": true"), 422),
        (plus("\"\\u0000\": 1"), 422),
        (plus("\"owner_id\": \"nobody\""), 422),
        (plus("\"next_review_on\": \"2023-02-30\""), 422),
        (plus("\"next_review_on\": \"1899-12-31\""), 422),
        (plus("\"next_review_on\": 20270101"), 422),
        (plus(&format!("\"owner_id\": \"{}\"", Uuid::now_v7())), 422),
    ];
    let mut odd = example(entry());
    for (field, value) in [
        ("title", json!("\u{0}")),
        ("title", json!("   ")),
        ("title", json!("x".repeat(201))),
        ("autonomy", json!(u64::MAX)),
        ("autonomy", json!(-1)),
        ("autonomy", json!(1.5)),
        ("autonomy", json!("2")),
        ("technique", json!("magic")),
        ("personal_data", json!("yes")),
        ("regions", json!("NL")),
    ] {
        let kept = odd[field].clone();
        odd[field] = value;
        bodies.push((odd.to_string(), 422));
        odd[field] = kept;
    }
    bodies
        .iter()
        .map(|(body, status)| case("POST", list, Some(body), *status))
        .collect()
}

fn media(list: &str, at: &str) -> Vec<Case> {
    let post = |body: &str, status| case("POST", list, Some(body), status);
    let good = good();
    vec![
        post(&good, 415).with("content-type", "text/plain"),
        post(&good, 415).with("content-type", ""),
        post(&good, 415).with("content-type", "application/x-www-form-urlencoded"),
        post(&good, 415).with("content-type", "multipart/form-data; boundary=x"),
        post(&good, 415).with("content-type", "application/xml"),
        post(&good, 415).with("content-type", "application/jsonx"),
        post(&good, 415).with("content-encoding", "gzip"),
        post(&good, 415).with("content-encoding", "br"),
        case("POST", list, None, 415),
        case("PATCH", at, Some("[]"), 415)
            .with("content-type", "application/json-patch+json")
            .with("if-match", "*"),
    ]
}

fn patches(at: &str) -> Vec<Case> {
    let patch = |body: &str, status| case("PATCH", at, Some(body), status).with("if-match", "*");
    vec![
        patch("[]", 422),
        patch("null", 422),
        patch("{\"title\": null}", 422),
        patch("{\"status\": \"retired\"}", 422),
        patch("{\"version\": 7}", 422),
        patch("{\"nothing\": null}", 422),
        patch("{\"status\": null}", 422),
        patch("{\"title\": \"a\", \"title\": \"b\"}", 400),
        case(
            "POST",
            format!("{at}/transitions"),
            Some("{\"to\": \"nowhere\"}"),
            409,
        )
        .with("if-match", "*"),
        case("POST", format!("{at}/transitions"), Some("{}"), 422).with("if-match", "*"),
        case(
            "POST",
            format!("{at}/transitions"),
            Some("{\"to\": \"retired\", \"by\": 1}"),
            422,
        )
        .with("if-match", "*"),
        case(
            "POST",
            format!("{at}/comments"),
            Some("{\"text\": \"\"}"),
            422,
        ),
        case(
            "POST",
            format!("{at}/links"),
            Some("{\"relation\": \"serves\", \"to\": {}}"),
            422,
        ),
    ]
}

fn addresses(stage: &Stage<'_>, at: &str) -> Vec<Case> {
    let list = stage.list(entry());
    let get = |path: String, status| case("GET", path, None, status);
    vec![
        get(format!("{list}/not-a-uuid"), 404),
        get(format!("{list}/{}", Uuid::now_v7()), 404),
        get(format!("{list}/%00"), 404),
        get(format!("{list}/%ff"), 404),
        get("/v1/tenants/me/risks".to_owned(), 404),
        get(format!("/v1/tenants/{}/risks", Uuid::now_v7()), 404),
        get(format!("{list}?nothing=1"), 400),
        get(format!("{list}?limit=0"), 400),
        get(format!("{list}?limit=201"), 400),
        get(format!("{list}?limit=abc"), 400),
        get(format!("{list}?cursor=abc"), 400),
        get(format!("{list}?q=%00"), 400),
        get(format!("{list}?q=%C3%28"), 400),
        get(format!("{list}?q={}", "a".repeat(20_000)), 400),
        get(format!("{list}?{}", "&a".repeat(100)), 400),
        get(format!("{at}?fields=password_hash"), 400),
        get(format!("{at}/history?limit=0"), 400),
        get(format!("{at}/history?cursor=abc"), 400),
        get(format!("{}?x=1", "/v1/me/sessions"), 400),
    ]
}

fn elsewhere(stage: &Stage<'_>) -> Vec<Case> {
    let patch = |path: &str, body: &str, status| {
        case("PATCH", path, Some(body), status).with("if-match", "*")
    };
    let base = stage.client.base.as_str();
    vec![
        patch("/v1/me", "{\"email\": \"other@example.org\"}", 422),
        patch("/v1/me", "{\"password_hash\": \"x\"}", 422),
        patch("/v1/me", "{\"disabled_at\": null}", 422),
        patch("/v1/me", "{\"name\": \"\\u0000\"}", 422),
        patch("/v1/me", "{\"time_zone\": \"Mars/Base\"}", 422),
        patch(base, "{\"consultancy_id\": null}", 422),
        patch(base, "{\"id\": \"x\"}", 422),
        patch(base, "{\"size\": 99999999999999999999}", 422),
        case(
            "POST",
            "/v1/auth/login",
            Some("{\"email\": 1, \"password\": []}"),
            422,
        ),
        case(
            "POST",
            "/v1/auth/login",
            Some("{\"email\": \"a@b.c\", \"password\": \"x\", \"admin\": true}"),
            422,
        ),
        case(
            "POST",
            "/v1/auth/refresh",
            Some("{\"refresh_token\": {}}"),
            422,
        ),
        case(
            "POST",
            "/v1/invitations/accept",
            Some("{\"token\": \"\"}"),
            422,
        ),
        case("POST", "/v1/consultancies", Some("{\"name\": \"x\"}"), 422),
        case("POST", "/v1/tenants", Some("{}"), 422),
    ]
}

#[actix_web::test]
async fn a_request_id_is_kept_when_it_is_sane_and_replaced_when_not() {
    let app = rehearsal().await;
    for (id, kept) in [
        ("order-66.alpha_7", true),
        ("019416c0-9b1c-7d2e-8f3a-5b6c7d8e9f01", true),
        ("short", false),
        ("has a space in it", false),
        ("<script>alert(1)</script>", false),
        ("${jndi:ldap://example.org/a}", false),
        (&"x".repeat(65), false),
        ("", false),
    ] {
        let headers = [("X-Request-Id", id)];
        let answer = app
            .anonymous()
            .send(Method::GET, "/v1/me", &headers, None)
            .await;
        assert_problem(id, &answer, 401);
        let told = answer.header("x-request-id").unwrap();
        assert_eq!(told == id, kept, "{id:?} became {told:?}");
        assert!(kept || told.parse::<Uuid>().is_ok(), "{told}");
    }
}

#[actix_web::test]
async fn odd_headers_do_no_harm() {
    let stage = Stage::set(rehearsal().await).await;
    let long = "x".repeat(8_000);
    for (name, value) in [
        ("Accept", "text/html"),
        ("Accept-Language", "%%%"),
        ("Cookie", "a=b; __Host-refresh=\u{e9}"),
        ("X-Forwarded-For", "' OR 1=1 --"),
        ("X-Tenant-Id", "019416c0-9b1c-7d2e-8f3a-5b6c7d8e9f01"),
        ("X-HTTP-Method-Override", "DELETE"),
        ("Forwarded", "for=127.0.0.1;host=evil.example"),
        ("Traceparent", "00-zz-zz-zz"),
        ("Range", "bytes=0-10"),
        ("Host", "evil.example"),
        ("X-Filler", long.as_str()),
    ] {
        let answer = stage
            .author
            .api
            .send(Method::GET, "/v1/me", &[(name, value)], None)
            .await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.text);
        assert!(!answer.text.contains("evil"), "{name}");
    }
}
