use super::*;
use actix_web::test::TestRequest;
use serde::Deserialize;

#[derive(Debug, Deserialize, ToSchema)]
struct Risk {
    #[schema(max_length = 3)]
    title: String,
}

fn status(text: &str) -> u16 {
    parse(text.as_bytes()).map_or_else(|problem| problem.status, |_| 200)
}

async fn extract<T: FromRequest<Error = Problem>>(header: (&str, &str), body: &str) -> Result<T> {
    let request = TestRequest::post()
        .set_payload(body.to_owned())
        .insert_header((CONTENT_TYPE, "application/json; charset=utf-8"))
        .insert_header(header);
    let (req, mut payload) = request.to_http_parts();
    T::from_request(&req, &mut payload).await
}

#[actix_web::test]
async fn bodies_are_judged_by_headers_syntax_and_schema() {
    let good = r#"{"title":"abc"}"#;
    let huge = format!("{good}{}", " ".repeat(MOST_BYTES));
    for (header, body, status) in [
        (("content-type", "text/plain"), good, 415),
        (("content-type", "application/merge-patch+json"), good, 415),
        (("content-encoding", "gzip"), good, 415),
        (("content-length", "1048577"), good, 413),
        (("x-none", "1"), huge.as_str(), 413),
        (("x-none", "1"), "{", 400),
        (("x-none", "1"), r#"{"title":"abcd"}"#, 422),
        (("x-none", "1"), r#"{"title":"abc","id":1}"#, 422),
    ] {
        let problem = extract::<Json<Risk>>(header, body).await.unwrap_err();
        assert_eq!(problem.status, status, "{header:?} {problem}");
    }

    let read = extract::<Json<Risk>>(("content-encoding", "identity"), good)
        .await
        .unwrap();
    assert_eq!(read.value.title, "abc");
    assert_eq!(read.sha256, sha256(good.as_bytes()));
}

#[actix_web::test]
async fn objects_are_objects() {
    let header = ("content-type", "application/merge-patch+json");
    assert_eq!(
        extract::<Object>(header, "{\"a\":null}")
            .await
            .unwrap()
            .fields
            .len(),
        1
    );
    assert_eq!(
        extract::<Object>(header, "[]").await.unwrap_err().status,
        422
    );
}

#[test]
fn refuses_what_is_not_strict_json() {
    for bad in [
        "",
        "{",
        "[1,]",
        "{} x",
        "{\"a\":1,\"a\":2}",
        "{\"a\":1,\"\\u0061\":2}",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "NaN",
        "1e999",
        "\u{feff}{}",
        "'a'",
        "01",
    ] {
        assert_eq!(status(bad), 400, "{bad}");
    }
    assert_eq!(parse(b"\"\xff\"").unwrap_err().status, 400);
    let twice = parse(b"{\"a\":1,\n\"a\":2}").unwrap_err().detail;
    assert!(twice.contains("\"a\" is given twice at line 2"), "{twice}");
}

#[test]
fn bounds_the_depth() {
    let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(status(&nested(32)), 200);
    assert_eq!(status(&nested(33)), 400);
    assert_eq!(status(&nested(100_000)), 400);
}

#[test]
fn points_at_nul() {
    let problem = parse(br#"{"a":["x","y\u0000"],"b/\u0000":1}"#).unwrap_err();

    let pointers: Vec<_> = problem.errors.iter().map(|e| e.pointer.as_str()).collect();
    assert_eq!(problem.status, 422);
    assert_eq!(pointers, ["/a/1", "/b~1\u{fffd}"]);
}
