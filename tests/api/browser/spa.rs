//! A single-page app on another origin: allowed when listed, refused when not.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use serde_json::{Value, json};

use super::driver::Browser;
use crate::kinds::example;
use crate::support::actors::PASSWORD;
use crate::support::{Firm, Setup};

/// Serves one page on an origin of its own, until the test process ends.
fn origin() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let _ = stream.read(&mut [0; 4096]);
            let page = "<!doctype html><title>An app</title><p>An app of somebody else.";
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                page.len()
            );
            let _ = stream.write_all(format!("{head}{page}").as_bytes());
        }
    });
    format!("http://{address}")
}

/// Signs in, lists the tenants, reads a risk and its ETag; answers what it saw, or the error.
const VISIT: &str = r#"
const [api, email, password, done] = arguments;
(async () => {
    const answer = await fetch(api + '/v1/auth/login', {method: 'POST', headers: {'content-type': 'application/json'}, body: JSON.stringify({email, password})});
    const {access_token} = await answer.json();
    const headers = {authorization: 'Bearer ' + access_token};
    const tenants = await (await fetch(api + '/v1/tenants', {headers})).json();
    const base = api + '/v1/tenants/' + tenants.items[0].id + '/risks';
    const risks = await (await fetch(base, {headers})).json();
    const risk = await fetch(base + '/' + risks.items[0].id, {headers});
    const etag = risk.headers.get('etag');
    const body = await risk.json();
    const patched = await fetch(base + '/' + body.id, {method: 'PATCH', headers: {...headers, 'if-match': etag, 'content-type': 'application/merge-patch+json'}, body: JSON.stringify({title: 'Renamed by the app'})});
    return {tenant: tenants.items[0].name, title: body.title, etag, request: risk.headers.get('x-request-id'), patched: patched.status};
})().then(done, error => done({error: error.name}));
"#;

async fn visit(browser: &Browser, from: &str, api: &str, email: &str) -> Value {
    browser.page.goto(from).await.unwrap();
    let arguments = vec![json!(api), json!(email), json!(PASSWORD)];
    browser.page.execute_async(VISIT, arguments).await.unwrap()
}

#[actix_web::test]
async fn a_page_of_a_listed_origin_works_with_the_api_and_another_one_does_not() {
    let (listed, other) = (origin(), origin());
    let app = Setup::named("spa").env("CORS_ORIGINS", &listed).start();
    let firm = Firm::sign_up(&app, "Fjordlys Advisory").await;
    let consultant = firm.hire("Cleo Nord", "consultant").await;
    let client = firm.client("Aurelia Lending B.V.").await;
    firm.assign(&consultant, &client, "consultant").await;
    consultant
        .api
        .post(&client.path("risks"), &example("risk"), 201)
        .await;
    let browser = Browser::open().await;

    let seen = visit(&browser, &listed, &app.base, &consultant.email).await;
    assert_eq!(seen["tenant"], "Aurelia Lending B.V.", "{seen}");
    assert_eq!(seen["title"], example("risk")["title"]);
    assert_eq!(seen["etag"], "\"v1\"");
    assert_eq!(seen["patched"], 200);
    assert!(seen["request"].is_string());

    let refused = visit(&browser, &other, &app.base, &consultant.email).await;
    assert_eq!(refused, json!({"error": "TypeError"}));
    browser.close().await;
}
