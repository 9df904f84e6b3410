use super::*;

fn raw() -> Value {
    json!({
        "openapi": "3.1.0",
        "tags": [{ "name": "risks" }, { "name": "tokens" }],
        "paths": { "/v1/risks/{id}": {
            "get": { "operationId": "get_risk", "summary": "s", "description": "d",
                "tags": ["risks"], "x-etag": true, "responses": { "200": { "description": "x" } } },
            "patch": { "operationId": "edit_risk", "summary": "s", "description": "d",
                "tags": ["risks"], "x-problems": ["rule-refused", 431],
                "parameters": [{ "in": "header", "name": "If-Match" }],
                "requestBody": {}, "responses": { "200": { "description": "x" } } },
        }, "/v1/tokens": {
            "post": { "operationId": "sign_in", "summary": "s", "description": "d",
                "tags": ["tokens"], "security": [], "requestBody": {},
                "responses": { "200": { "description": "x" }, "422": { "description": "own" } } },
        } },
    })
}

fn statuses(doc: &Value, path: &str, method: &str) -> Vec<String> {
    let responses = doc["paths"][path][method]["responses"].as_object().unwrap();
    responses.keys().cloned().collect()
}

#[test]
fn operations_get_the_errors_they_can_give() {
    let doc = finish(raw(), "http://127.0.0.1:8042").unwrap();

    let read = [
        "200", "304", "400", "401", "403", "404", "429", "500", "503",
    ];
    assert_eq!(statuses(&doc, "/v1/risks/{id}", "get"), read);
    let edit = [
        "200", "400", "401", "403", "404", "408", "409", "412", "413", "415", "422", "428", "429",
        "431", "500", "503",
    ];
    assert_eq!(statuses(&doc, "/v1/risks/{id}", "patch"), edit);
    let open = [
        "200", "400", "408", "413", "415", "422", "429", "500", "503",
    ];
    assert_eq!(statuses(&doc, "/v1/tokens", "post"), open);
    let get = &doc["paths"]["/v1/risks/{id}"]["get"];
    assert!(get.get("x-etag").is_none());
    assert!(get["responses"]["200"]["headers"].get("ETag").is_some());
    assert_eq!(
        doc["paths"]["/v1/tokens"]["post"]["responses"]["422"]["description"],
        "own"
    );
    assert_eq!(
        doc["components"]["responses"]["Invalid"]["content"]["application/problem+json"]["schema"]
            ["$ref"],
        "#/components/schemas/Problem"
    );
}

#[test]
fn silent_operations_are_refused() {
    let mut raw = raw();
    raw["paths"]["/v1/tokens"]["post"] = json!({ "operationId": "get_risk" });

    let faults = finish(raw, "").unwrap_err();

    assert_eq!(
        faults,
        [
            "POST /v1/tokens: operationId get_risk is used twice",
            "POST /v1/tokens: no summary",
            "POST /v1/tokens: no description",
            "POST /v1/tokens: no tag",
            "POST /v1/tokens: no success response",
        ]
    );
}

#[test]
fn the_most_literal_path_tells_its_methods() {
    let document = Document::new(json!({ "paths": {
        "/risks/{id}": { "get": {}, "patch": {} }, "/risks/batch": { "post": {} },
    } }));

    assert_eq!(document.methods_of("/risks/7"), ["GET", "PATCH"]);
    assert_eq!(document.methods_of("/risks/batch"), ["POST"]);
    assert!(document.methods_of("/risks").is_empty());
    assert!(document.methods_of("/risks/7/x").is_empty());
}

#[test]
fn a_variable_of_a_few_values_matches_no_other() {
    let kind = json!({ "in": "path", "name": "kind", "schema": { "enum": ["risks", "policies"] } });
    let document = Document::new(json!({
        "components": { "parameters": { "kind": kind } },
        "paths": { "/{kind}/{id}": {
            "get": { "parameters": [{ "$ref": "#/components/parameters/kind" }] },
        } },
    }));

    assert_eq!(document.methods_of("/policies/7"), ["GET"]);
    assert!(document.methods_of("/members/7").is_empty());
}

#[test]
fn the_text_is_stable() {
    let doc = finish(raw(), "").unwrap();

    assert_eq!(text(&doc), text(&finish(raw(), "").unwrap()));
    assert!(Document::new(doc).json().ends_with("}\n"));
}
