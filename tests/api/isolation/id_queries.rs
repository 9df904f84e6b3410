//! Filters by what belongs to somebody else find what filters by random ids find.

use reqwest::Method;
use serde_json::Value;

use super::document::{document, operations};
use super::holdings::{Holding, random_id};
use super::id_fields::without;
use crate::support::{Firm, Setup};

/// What an operation can expand.
fn expandable(operation: &str, path: &str) -> Vec<String> {
    let pointer = format!("/paths/{}/get/parameters", path.replace('/', "~1"));
    let parameters = document().pointer(&pointer).and_then(Value::as_array);
    let mut parameters = parameters.into_iter().flatten();
    let expand = parameters.find(|parameter| parameter["name"] == "expand");
    let Some(expand) = expand else {
        return Vec::new();
    };
    let names = expand["schema"]["items"]["enum"].as_array();
    let names = names.unwrap_or_else(|| panic!("{operation} does not say what it expands"));
    names
        .iter()
        .map(|name| name.as_str().unwrap().to_owned())
        .collect()
}

#[actix_web::test]
async fn filters_by_ids_of_others_find_what_random_ones_find() {
    let app = Setup::named("isolation_queries").start();
    let firm = Firm::sign_up(&app, "Fjordlys Advisory").await;
    let victim = Holding::of(&firm, "Aurelia Lending B.V.").await;
    let sister = Holding::of(&firm, "Borealis Insurance").await;
    let mut found = Vec::new();
    let mut asked = 0;

    for of in operations().iter().filter(|of| of.method == Method::GET) {
        let path = of.address(|name| sister.value(of, name));
        let expanded = [String::new()].into_iter().chain(
            expandable(&of.id, &of.path)
                .into_iter()
                .map(|name| format!("&expand={name}")),
        );
        for expand in expanded {
            for name in &of.queries {
                let to = if name == "owner_id" {
                    "person"
                } else {
                    name.trim_end_matches("_id")
                };
                let get = async |id: &str| {
                    let address = format!("{path}?{name}={id}{expand}");
                    let api = &sister.everybody.api;
                    api.send(Method::GET, &address, &[], None).await
                };
                let (own, foreign, random) = (sister.id(to), victim.id(to), random_id());
                let control = get(&own).await;
                let to_foreign = get(&foreign).await;
                let to_random = get(&random).await;
                asked += 1;
                if control.status != 200 {
                    found.push(format!(
                        "{}?{name}: {} for one's own id",
                        of.path, control.status
                    ));
                }
                if without(&to_foreign, &foreign) != without(&to_random, &random) {
                    found.push(format!(
                        "{}?{name}{expand}: {} for a foreign id, {} for a random one",
                        of.path, to_foreign.text, to_random.text
                    ));
                }
            }
        }
    }

    assert!(asked > 10, "only {asked} filters take ids");
    assert!(found.is_empty(), "{}", found.join("\n"));
}
