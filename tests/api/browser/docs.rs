//! The documentation page works without any other host.

use std::time::Duration;

use fantoccini::Locator;
use serde_json::Value;

use super::driver::Browser;
use crate::support::app;

#[actix_web::test]
async fn the_docs_page_shows_the_whole_api_offline() {
    let app = app();
    let browser = Browser::open().await;

    browser
        .page
        .goto(&format!("{}/docs/", app.base))
        .await
        .unwrap();
    browser
        .page
        .wait()
        .at_most(Duration::from_secs(60))
        .for_element(Locator::Css(".opblock-tag"))
        .await
        .expect("Swagger UI renders the document");

    let tags = browser
        .page
        .find_all(Locator::Css(".opblock-tag"))
        .await
        .unwrap();
    assert!(tags.len() >= 10, "only {} groups", tags.len());
    let text = browser
        .page
        .find(Locator::Css("body"))
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    for word in [
        "AIMS API",
        "Risks",
        "Management reviews",
        "/v1/tenants/{tenant_id}/risks",
    ] {
        assert!(text.contains(word), "{word} is missing");
    }
    let hosts =
        "return performance.getEntriesByType('resource').map(entry => new URL(entry.name).origin)";
    let origins: Vec<String> = serde_json::from_value(
        browser
            .page
            .execute(hosts, Vec::<Value>::new())
            .await
            .unwrap(),
    )
    .unwrap();
    assert!(!origins.is_empty());
    assert!(
        origins.iter().all(|origin| *origin == app.base),
        "{origins:?}"
    );
    browser.picture("docs").await;
    browser.close().await;
}
