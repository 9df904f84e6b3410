//! The own account: sessions, password, what one sees of oneself.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::contract::problems::{assert_problem, pointers};
use crate::support::actors::{PASSWORD, sign_in};
use crate::support::{Answer, Firm, Person, app};

/// Another password that is good enough.
const NEW_PASSWORD: &str = "nine grey herons wait 4711";

async fn owner() -> Person {
    Firm::sign_up(app(), "Fjordlys Advisory").await.owner
}

async fn is_alive(person: &Person) -> bool {
    person
        .api
        .send(Method::GET, "/v1/me", &[], None)
        .await
        .status
        == 200
}

async fn change_password(person: &Person, old: &str, new: &str) -> Answer {
    let body = json!({"old_password": old, "new_password": new}).to_string();
    person
        .api
        .send(Method::PUT, "/v1/me/password", &[], Some(body))
        .await
}

fn current(sessions: &Value, is_current: bool) -> String {
    let items = sessions["items"].as_array().unwrap();
    let found = items.iter().find(|item| item["is_current"] == is_current);
    found.unwrap()["id"].as_str().unwrap().to_owned()
}

#[actix_web::test]
async fn a_person_sees_and_ends_their_own_sessions_only() {
    let (person, stranger) = (owner().await, owner().await);
    let phone = sign_in(app(), &person.email, PASSWORD).await;
    let sessions = person.api.get("/v1/me/sessions", 200).await;
    assert_eq!(sessions["items"].as_array().unwrap().len(), 2);
    let (mine, other) = (current(&sessions, true), current(&sessions, false));
    assert!(is_alive(&phone).await);

    let delete = |client: &Person, id: &str| {
        let (client, path) = (client.api.clone(), format!("/v1/me/sessions/{id}"));
        async move { client.send(Method::DELETE, &path, &[], None).await }
    };
    assert_problem("a stranger's", &delete(&stranger, &other).await, 404);
    assert_problem(
        "none",
        &delete(&person, &Uuid::now_v7().to_string()).await,
        404,
    );
    assert!(is_alive(&phone).await);
    delete(&person, &other).await.expect(204);

    assert!(!is_alive(&phone).await);
    let token = json!({"refresh_token": phone.refresh_token});
    app()
        .anonymous()
        .post("/v1/auth/refresh", &token, 401)
        .await;
    assert!(is_alive(&person).await);
    assert_problem("again", &delete(&person, &other).await, 404);
    delete(&person, &mine).await.expect(204);
    assert!(!is_alive(&person).await);
}

#[actix_web::test]
async fn a_new_password_ends_all_other_sessions() {
    let person = owner().await;
    let phone = sign_in(app(), &person.email, PASSWORD).await;
    assert!(is_alive(&phone).await);

    change_password(&person, PASSWORD, NEW_PASSWORD)
        .await
        .expect(204);

    assert!(is_alive(&person).await);
    assert!(!is_alive(&phone).await);
    let token = json!({"refresh_token": phone.refresh_token});
    app()
        .anonymous()
        .post("/v1/auth/refresh", &token, 401)
        .await;
    let old = json!({"email": person.email, "password": PASSWORD});
    app().anonymous().post("/v1/auth/login", &old, 401).await;
    sign_in(app(), &person.email, NEW_PASSWORD).await;
}

#[actix_web::test]
async fn a_password_is_changed_only_by_who_knows_it_and_to_a_good_one() {
    let person = owner().await;
    let phone = sign_in(app(), &person.email, PASSWORD).await;

    let wrong = change_password(&person, "not the right one at all", NEW_PASSWORD).await;
    assert_problem("a wrong password", &wrong, 422);
    assert_eq!(pointers(&wrong), ["/old_password"]);
    for weak in [
        "short",
        "fourteen chars",
        "aaaaaaaaaaaaaaaaaaaa",
        "passwordpassword",
    ] {
        let answer = change_password(&person, PASSWORD, weak).await;
        assert_problem(weak, &answer, 422);
        assert_eq!(pointers(&answer), ["/new_password"], "{weak}");
    }

    assert!(is_alive(&phone).await);
    sign_in(app(), &person.email, PASSWORD).await;
}

#[actix_web::test]
async fn a_long_password_counts_to_its_end() {
    let person = owner().await;
    let long = format!(
        "{}{}",
        "four small boats leave the harbour ".repeat(3),
        "quietly"
    );
    change_password(&person, PASSWORD, &long).await.expect(204);

    let cut = json!({"email": person.email, "password": long.trim_end_matches('y')});
    app().anonymous().post("/v1/auth/login", &cut, 401).await;

    sign_in(app(), &person.email, &long).await;
}

#[actix_web::test]
async fn everybody_sees_their_own_places() {
    let firm = Firm::sign_up(app(), "Fjordlys Advisory").await;
    let consultant = firm.hire("Cleo Nord", "consultant").await;
    let client = firm.client("Aurelia Lending B.V.").await;
    let other = firm.client("Borealis Bank").await;
    firm.assign(&consultant, &client, "consultant").await;
    let manager = client
        .staff("Mara Visser", &["aims_manager", "risk_owner"])
        .await;

    let me = |person: &Person| {
        let api = person.api.clone();
        async move { api.get("/v1/me", 200).await }
    };
    let (of_owner, of_consultant, of_manager) = (
        me(&firm.owner).await,
        me(&consultant).await,
        me(&manager).await,
    );

    assert_eq!(of_owner["consultancies"][0]["role"], "owner");
    let ids: Vec<_> = of_owner["tenants"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tenant| tenant["id"].clone())
        .collect();
    assert!(ids.contains(&json!(client.id)) && ids.contains(&json!(other.id)));
    assert_eq!(of_owner["tenants"][0]["roles"], json!([]));
    assert_eq!(of_consultant["consultancies"][0]["id"], json!(firm.id));
    assert_eq!(of_consultant["consultancies"][0]["role"], "consultant");
    assert_eq!(of_consultant["tenants"].as_array().unwrap().len(), 1);
    assert_eq!(of_consultant["tenants"][0]["roles"], json!(["consultant"]));
    assert_eq!(of_manager["consultancies"], json!([]));
    assert_eq!(of_manager["tenants"][0]["name"], "Aurelia Lending B.V.");
    assert_eq!(
        of_manager["tenants"][0]["roles"],
        json!(["aims_manager", "risk_owner"])
    );
    assert!(!of_manager.to_string().contains("password"));
}

#[actix_web::test]
async fn the_own_account_is_changed_by_a_patch() {
    let person = owner().await;

    let patch = json!({"name": "Astrid Berg", "locale": "nl", "time_zone": "Europe/Oslo", "notify_by_mail": false});
    let changed = person.api.patch("/v1/me", &patch, 200).await;

    for (field, value) in patch.as_object().unwrap() {
        assert_eq!(changed[field], *value, "{field}");
    }
    assert_eq!(person.api.get("/v1/me", 200).await["name"], "Astrid Berg");
    for bad in [
        json!({"name": ""}),
        json!({"name": null}),
        json!({"locale": "Dutch please"}),
        json!({"time_zone": "Europe/Atlantis"}),
        json!({"notify_by_mail": "no"}),
        json!({"tenants": [1]}),
        json!({"consultancies": null}),
    ] {
        person.api.patch("/v1/me", &bad, 422).await;
    }
}
