//! Refresh tokens: rotated at each use; an old one that comes back ends the session
//! (RFC 9700 section 4.14.2).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::contract::problems::assert_problem;
use crate::contract::stage::{rehearsal_of, set_clock};
use crate::support::actors::{PASSWORD, id_in, sign_in};
use crate::support::{Answer, App, Firm, Person, Setup, app};

async fn refresh(app: &App, token: &str) -> Answer {
    let body = json!({"refresh_token": token}).to_string();
    app.anonymous()
        .send(Method::POST, "/v1/auth/refresh", &[], Some(body))
        .await
}

fn token_of(answer: Answer) -> String {
    let body = answer.expect(200).json();
    body["refresh_token"].as_str().unwrap().to_owned()
}

/// Lets time pass on a server with a clock that can be set.
async fn wait(app: &App, time: TimeDelta) {
    let told: Value = app.anonymous().get("/test/clock", 200).await;
    let now: DateTime<Utc> = told["now"].as_str().unwrap().parse().unwrap();
    set_clock(app, &(now + time).to_rfc3339()).await;
}

async fn owner(app: &App) -> Person {
    Firm::sign_up(app, "Fjordlys Advisory").await.owner
}

async fn assert_session_is_dead(app: &App, person: &Person, newest: &str) {
    assert_problem("the access token", &me(person).await, 401);
    assert_problem("the newest token", &refresh(app, newest).await, 401);
}

async fn me(person: &Person) -> Answer {
    person.api.send(Method::GET, "/v1/me", &[], None).await
}

#[actix_web::test]
async fn a_refresh_gives_new_tokens_of_the_same_session() {
    let person = owner(app()).await;

    let answer = refresh(app(), &person.refresh_token).await.expect(200);

    let body = answer.json();
    assert_ne!(body["refresh_token"], person.refresh_token);
    assert_ne!(body["access_token"].as_str(), person.api.token());
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["expires_in"], 600);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let renewed = person
        .api
        .with_token(body["access_token"].as_str().unwrap());
    let sessions = renewed.get("/v1/me/sessions", 200).await;
    assert_eq!(sessions["items"].as_array().unwrap().len(), 1);
}

#[actix_web::test]
async fn a_client_that_lost_the_answer_gets_the_same_successor() {
    let person = owner(app()).await;

    let first = token_of(refresh(app(), &person.refresh_token).await);
    let again = token_of(refresh(app(), &person.refresh_token).await);

    assert_eq!(first, again);
    token_of(refresh(app(), &again).await);
}

#[actix_web::test]
async fn ten_parallel_refreshes_leave_the_honest_client_able_to_go_on() {
    let person = owner(app()).await;

    let all = join_all((0..10).map(|_| refresh(app(), &person.refresh_token))).await;

    let tokens: Vec<String> = all.into_iter().map(token_of).collect();
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    let next = token_of(refresh(app(), &tokens[0]).await);
    token_of(refresh(app(), &next).await);
    me(&person).await.expect(200);
}

#[actix_web::test]
async fn an_old_token_ends_the_session_once_the_grace_is_over() {
    let app = rehearsal_of(Setup::named("refresh_reuse")).await;
    let person = owner(&app).await;
    let newest = token_of(refresh(&app, &person.refresh_token).await);
    wait(&app, TimeDelta::seconds(12)).await;
    me(&person).await.expect(200);

    let reuse = refresh(&app, &person.refresh_token).await;

    assert_problem("reuse", &reuse, 401);
    assert_session_is_dead(&app, &person, &newest).await;
    sign_in(&app, &person.email, PASSWORD).await;
}

#[actix_web::test]
async fn a_token_from_before_the_last_one_ends_the_session_at_once() {
    let person = owner(app()).await;
    let second = token_of(refresh(app(), &person.refresh_token).await);
    let third = token_of(refresh(app(), &second).await);

    let reuse = refresh(app(), &person.refresh_token).await;

    assert_problem("reuse", &reuse, 401);
    assert_session_is_dead(app(), &person, &third).await;
}

#[actix_web::test]
async fn nobody_ends_a_session_by_knowing_its_id() {
    let person = owner(app()).await;
    let sessions = person.api.get("/v1/me/sessions", 200).await;
    let session = id_in(&sessions["items"][0], "id");
    let second = token_of(refresh(app(), &person.refresh_token).await);
    let mut forged = session.as_bytes().to_vec();
    forged.extend_from_slice(&[7; 32]);

    let answer = refresh(app(), &URL_SAFE_NO_PAD.encode(&forged)).await;

    assert_problem("a token that was made up", &answer, 401);
    me(&person).await.expect(200);
    token_of(refresh(app(), &second).await);
}

#[actix_web::test]
async fn reuse_in_one_session_leaves_the_others_alone() {
    let person = owner(app()).await;
    let other = sign_in(app(), &person.email, PASSWORD).await;
    let second = token_of(refresh(app(), &person.refresh_token).await);
    token_of(refresh(app(), &second).await);

    assert_problem("reuse", &refresh(app(), &person.refresh_token).await, 401);

    me(&other).await.expect(200);
    token_of(refresh(app(), &other.refresh_token).await);
}

#[actix_web::test]
async fn a_session_ends_after_14_days_unused_and_30_days_in_all() {
    let app = rehearsal_of(Setup::named("refresh_ends")).await;
    let (idle, busy) = (owner(&app).await, owner(&app).await);
    let mut token = busy.refresh_token.clone();

    for _ in 0..2 {
        wait(&app, TimeDelta::days(13)).await;
        token = token_of(refresh(&app, &token).await);
    }
    assert_problem("unused", &refresh(&app, &idle.refresh_token).await, 401);
    wait(&app, TimeDelta::days(5)).await;
    assert_problem("too old", &refresh(&app, &token).await, 401);
}

#[actix_web::test]
async fn an_access_token_ends_after_ten_minutes() {
    let app = rehearsal_of(Setup::named("access_ends")).await;
    let person = owner(&app).await;

    wait(&app, TimeDelta::minutes(9)).await;
    me(&person).await.expect(200);
    wait(&app, TimeDelta::minutes(1)).await;

    assert_problem("an old access token", &me(&person).await, 401);
    token_of(refresh(&app, &person.refresh_token).await);
}

#[actix_web::test]
async fn what_is_no_refresh_token_is_refused() {
    let person = owner(app()).await;
    let token = &person.refresh_token;
    let changed = format!("{}A", token.get(..63).unwrap());
    let access = person.api.token().unwrap().get(..128).unwrap();
    let upper = token.to_uppercase();
    for bad in [
        "",
        "x",
        token.get(..63).unwrap(),
        changed.as_str(),
        access,
        upper.as_str(),
    ] {
        if bad != token {
            let answer = refresh(app(), bad).await;
            assert_problem(&format!("the refresh token {bad:?}"), &answer, 401);
        }
    }
    let nothing = app()
        .anonymous()
        .send(Method::POST, "/v1/auth/refresh", &[], None)
        .await;
    assert_problem("no refresh token", &nothing, 401);
}
