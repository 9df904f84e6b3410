//! Guessing passwords is slow, and never locks anybody out for good.

use reqwest::Method;
use serde_json::json;

use crate::contract::problems::assert_problem;
use crate::support::actors::{PASSWORD, sign_in};
use crate::support::{Answer, App, Client, Firm, Setup};

/// Guesses for one account in a quarter of an hour.
const GUESSES: usize = 10;

async fn guess(app: &App, email: &str, password: &str) -> Answer {
    let body = json!({"email": email, "password": password}).to_string();
    app.anonymous()
        .send(Method::POST, "/v1/auth/login", &[], Some(body))
        .await
}

fn assert_throttled(what: &str, answer: &Answer) {
    assert_problem(what, answer, 429);
    let wait: u32 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=15 * 60).contains(&wait), "{what}: wait {wait} s");
}

#[actix_web::test]
async fn ten_guesses_for_one_account_in_a_quarter_of_an_hour_and_no_more() {
    let app = Setup::named("guesses").start();
    let victim = Firm::sign_up(&app, "Fjordlys Advisory").await.owner;
    let other = Firm::sign_up(&app, "Nordlys Advisory").await.owner;

    for number in 0..GUESSES {
        let answer = guess(&app, &victim.email, &format!("wrong guess number {number}")).await;
        assert_problem("a guess", &answer, 401);
    }

    assert_throttled(
        "one guess more",
        &guess(&app, &victim.email, "wrong guess again").await,
    );
    assert_throttled(
        "even the right one",
        &guess(&app, &victim.email, PASSWORD).await,
    );
    let upper = victim.email.to_uppercase();
    assert_throttled("in upper case", &guess(&app, &upper, PASSWORD).await);
    sign_in(&app, &other.email, PASSWORD).await;
    // Who is signed in already is not locked out.
    victim.api.get("/v1/me", 200).await;
    let token = json!({"refresh_token": victim.refresh_token});
    app.anonymous().post("/v1/auth/refresh", &token, 200).await;
}

#[actix_web::test]
async fn an_unknown_address_is_throttled_like_a_known_one() {
    let app = Setup::named("unknown_guesses").start();
    for _ in 0..GUESSES {
        let answer = guess(&app, "nobody@example.org", "wrong guess again").await;
        assert_problem("a guess", &answer, 401);
    }
    assert_throttled(
        "one more",
        &guess(&app, "nobody@example.org", "wrong guess again").await,
    );
}

#[actix_web::test]
async fn a_right_password_forgives_the_wrong_ones_before() {
    let app = Setup::named("forgiven_guesses").start();
    let person = Firm::sign_up(&app, "Fjordlys Advisory").await.owner;
    for _ in 0..2 {
        for _ in 0..GUESSES - 1 {
            guess(&app, &person.email, "wrong guess again")
                .await
                .expect(401);
        }
        guess(&app, &person.email, PASSWORD).await.expect(200);
    }
}

#[actix_web::test]
async fn all_ways_to_try_a_password_share_one_count() {
    let app = Setup::named("shared_guesses").start();
    let person = Firm::sign_up(&app, "Fjordlys Advisory").await.owner;
    let change =
        json!({"old_password": "wrong guess again", "new_password": "nine grey herons wait"})
            .to_string();
    for _ in 0..GUESSES / 2 {
        guess(&app, &person.email, "wrong guess again")
            .await
            .expect(401);
        let answer = person
            .api
            .send(Method::PUT, "/v1/me/password", &[], Some(change.clone()))
            .await;
        assert_problem("a guess", &answer, 422);
    }
    let answer = person
        .api
        .send(Method::PUT, "/v1/me/password", &[], Some(change))
        .await;
    assert_throttled("a change of password", &answer);
    assert_throttled("a sign-in", &guess(&app, &person.email, PASSWORD).await);
}

#[actix_web::test]
async fn one_address_tries_many_accounts_only_so_often() {
    let app = Setup::named("sprayed_guesses")
        .env("RATE_LIMIT", 60)
        .start();
    let mut statuses = Vec::new();
    for number in 0..30 {
        let email = format!("somebody.{number}@example.org");
        statuses.push(guess(&app, &email, "wrong guess again").await.status);
    }
    assert_eq!(statuses.first(), Some(&401));
    assert_eq!(statuses.last(), Some(&429));
    let tried = statuses.iter().filter(|status| **status == 401).count();
    assert!(tried <= 11, "{tried} accounts tried");
}

#[actix_web::test]
async fn one_address_signs_up_only_so_often() {
    let app = Setup::named("sign_ups").env("RATE_LIMIT", 60).start();
    let mut last = None;
    for number in 0..4 {
        let owner = json!({"name": "Astrid Fjord", "email": format!("owner.{number}@example.org"), "password": PASSWORD});
        let body = json!({"name": "Fjordlys Advisory", "owner": owner}).to_string();
        let answer = app
            .anonymous()
            .send(Method::POST, "/v1/consultancies", &[], Some(body))
            .await;
        last = Some(answer);
    }
    assert_problem("one sign-up too many", &last.unwrap(), 429);
}

#[actix_web::test]
async fn a_bad_token_is_no_way_round_the_quota_of_public_operations() {
    let app = Setup::named("token_guesses").env("RATE_LIMIT", 60).start();
    let anybody = app.anonymous().with_token("x");
    let mut statuses = Vec::new();
    for _ in 0..30 {
        statuses.push(
            anybody
                .send(Method::GET, "/v1/catalogs", &[], None)
                .await
                .status,
        );
    }
    let passed = statuses.iter().filter(|status| **status != 429).count();
    assert!(passed <= 11, "{passed} passed");
}

#[actix_web::test]
async fn invitations_and_refresh_tokens_are_guessed_only_so_often() {
    let app = Setup::named("link_guesses").env("RATE_LIMIT", 120).start();
    let person = Firm::sign_up(&app, "Fjordlys Advisory").await.owner;
    let guesses = [
        (
            "/v1/invitations/accept",
            json!({"token": "q8Ejavzg8SNFZ4kKvN7wEjRWeJq83vASNFZ4mrze8BI"}),
        ),
        ("/v1/auth/refresh", json!({"refresh_token": "x"})),
    ];
    let mut statuses = Vec::new();
    for (path, body) in guesses.iter().cycle().take(30) {
        let body = Some(body.to_string());
        statuses.push(
            app.anonymous()
                .send(Method::POST, path, &[], body)
                .await
                .status,
        );
    }
    let tried = statuses.iter().filter(|status| **status != 429).count();
    assert!((20..=22).contains(&tried), "{tried} tried: {statuses:?}");
    // Who has a good token still gets on with what it is for.
    person.api.get("/v1/me", 200).await;
}

/// Invites until it is refused: how often it was not, and the refusal.
async fn invite_until_refused(
    inviter: &Client,
    path: &str,
    mut email: impl FnMut(u32) -> String,
) -> (u32, Answer) {
    for number in 0..1_000 {
        let body = json!({"email": email(number), "roles": ["viewer"]}).to_string();
        let answer = inviter.send(Method::POST, path, &[], Some(body)).await;
        if answer.status != 201 {
            return (number, answer);
        }
    }
    panic!("invitations to {path} have no end");
}

#[track_caller]
fn assert_enough(what: &str, answer: &Answer, most: u32) {
    assert_problem(what, answer, 429);
    let wait: u32 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=most).contains(&wait), "{what}: wait {wait} s");
    assert!(answer.text.contains("invitations"), "{}", answer.text);
}

#[actix_web::test]
async fn a_place_a_firm_and_a_person_get_only_so_many_invitations() {
    // A sixth, a half, a hundred-and-twentieth and a thirtieth of it.
    let app = Setup::named("many_invitations")
        .env("RATE_LIMIT", 240)
        .start();
    let firm = Firm::sign_up(&app, "Fjordlys Advisory").await;
    let mut left = 120;
    let unknown = |number: u32| format!("{number}.{}@example.org", uuid::Uuid::now_v7().simple());
    for name in ["Aurelia", "Borealis", "Caledonia"] {
        let path = firm.client(name).await.path("invitations");
        let (many, refused) = invite_until_refused(&firm.owner.api, &path, unknown).await;
        assert!((40..=42).contains(&many), "{name}: {many}");
        assert_enough("to a place", &refused, 60 * 60);
        left -= 40;
    }
    assert_eq!(left, 0);
    let path = firm.client("Dalarna").await.path("invitations");
    let (many, refused) = invite_until_refused(&firm.owner.api, &path, unknown).await;
    assert!(many < 5, "{many} more");
    assert_enough("of a firm", &refused, 60 * 60);

    // Somebody else's firm is not concerned, save for the same person.
    let mut others = Vec::new();
    for number in 0..5 {
        let firm = Firm::sign_up(&app, &format!("Nordlys {number}")).await;
        let path = firm.client("Esbjerg").await.path("invitations");
        let to_one = |_: u32| "flooded@example.org".to_owned();
        let (many, refused) = invite_until_refused(&firm.owner.api, &path, to_one).await;
        assert_enough("to a person", &refused, 24 * 60 * 60);
        others.push(many);
    }
    assert_eq!(others, [2, 2, 2, 2, 0]);
}
