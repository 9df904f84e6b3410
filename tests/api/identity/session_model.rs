//! Sessions against a small model: whatever is done in whatever order, a session goes on exactly
//! as long as the model says.

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Method;
use serde_json::{Value, json};

use crate::contract::stage::{rehearsal_of, set_clock};
use crate::support::actors::PASSWORD;
use crate::support::{Answer, App, Firm, Setup};

const STEPS: usize = 120;
/// How long the token before the newest may be presented again.
const GRACE: TimeDelta = TimeDelta::seconds(10);

/// A repeatable choice (xorshift, G. Marsaglia 2003).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(sides).unwrap()).unwrap()
    }
}

struct Session {
    /// Refresh tokens, the newest last.
    tokens: Vec<String>,
    rotated_at: DateTime<Utc>,
    access: String,
    is_alive: bool,
}

struct House<'a> {
    app: &'a App,
    email: String,
    now: DateTime<Utc>,
    sessions: Vec<Session>,
}

impl House<'_> {
    async fn post(&self, path: &str, body: &Value) -> Answer {
        let body = Some(body.to_string());
        self.app
            .anonymous()
            .send(Method::POST, path, &[], body)
            .await
    }

    async fn sign_in(&mut self) {
        let body = json!({"email": self.email, "password": PASSWORD});
        let answer = self.post("/v1/auth/login", &body).await.expect(200).json();
        self.sessions.push(Session {
            tokens: vec![answer["refresh_token"].as_str().unwrap().to_owned()],
            rotated_at: self.now,
            access: answer["access_token"].as_str().unwrap().to_owned(),
            is_alive: true,
        });
    }

    /// Presents one of the session's tokens, `age` exchanges old.
    async fn refresh(&mut self, index: usize, age: usize) {
        // The server's clock goes on by itself; the model's does not.
        self.wait(0).await;
        let session = &self.sessions[index];
        let place = session.tokens.len().saturating_sub(1 + age);
        let age = session.tokens.len() - 1 - place;
        let body = json!({"refresh_token": session.tokens[place]});
        let answer = self.post("/v1/auth/refresh", &body).await;

        let now = self.now;
        let session = &mut self.sessions[index];
        let is_retry = age == 1 && now - session.rotated_at <= GRACE;
        if !session.is_alive || (age > 0 && !is_retry) {
            answer.expect(401);
            session.is_alive = false;
            return;
        }
        let answer = answer.expect(200).json();
        let token = answer["refresh_token"].as_str().unwrap().to_owned();
        answer["access_token"]
            .as_str()
            .unwrap()
            .clone_into(&mut session.access);
        if is_retry {
            assert_eq!(session.tokens.last(), Some(&token));
        } else {
            session.tokens.push(token);
            session.rotated_at = now;
        }
    }

    /// Only the newest token and the one before it end a session without harm to others.
    async fn sign_out(&mut self, index: usize, age: usize) {
        let session = &self.sessions[index];
        let place = session.tokens.len().saturating_sub(1 + age);
        let age = session.tokens.len() - 1 - place;
        let body = json!({"refresh_token": session.tokens[place]});
        self.post("/v1/auth/logout", &body).await.expect(204);
        if age < 2 {
            self.sessions[index].is_alive = false;
        }
    }

    async fn wait(&mut self, seconds: i64) {
        self.now += TimeDelta::seconds(seconds);
        set_clock(self.app, &self.now.to_rfc3339()).await;
    }

    async fn judge(&self, step: &str) {
        for (index, session) in self.sessions.iter().enumerate() {
            let caller = self.app.anonymous().with_token(&session.access);
            let answer = caller.send(Method::GET, "/v1/me/sessions", &[], None).await;
            let wanted = if session.is_alive { 200 } else { 401 };
            assert_eq!(answer.status, wanted, "{step}: session {index}");
            if session.is_alive {
                let alive = self.sessions.iter().filter(|one| one.is_alive).count();
                let listed = answer.json()["items"].as_array().unwrap().len();
                // That of the sign-up is not in the model.
                assert_eq!(listed, alive + 1, "{step}");
            }
        }
    }
}

async fn play(app: &App, seed: u64) {
    let now: Value = app.anonymous().get("/test/clock", 200).await;
    let owner = Firm::sign_up(app, "Fjordlys Advisory").await.owner;
    let mut house = House {
        app,
        email: owner.email,
        now: now["now"].as_str().unwrap().parse().unwrap(),
        sessions: Vec::new(),
    };
    house.sign_in().await;
    let mut dice = Dice(seed);
    for step in 0..STEPS {
        let index = dice.roll(house.sessions.len());
        let what = match dice.roll(20) {
            0 if house.sessions.len() < 6 => {
                house.sign_in().await;
                "sign-in"
            }
            0..=9 => {
                house.refresh(index, 0).await;
                "refresh"
            }
            10..=13 => {
                house.refresh(index, 1).await;
                "retry"
            }
            14 => {
                house.refresh(index, 2 + dice.roll(3)).await;
                "replay"
            }
            15 => {
                let age = dice.roll(4);
                house.sign_out(index, age).await;
                "sign-out"
            }
            _ => {
                // Access tokens last ten minutes; so the whole play stays below.
                let seconds = [3, 20][dice.roll(2)];
                house.wait(seconds).await;
                "wait"
            }
        };
        house
            .judge(&format!("seed {seed}, step {step}, {what}"))
            .await;
        if house.sessions.iter().all(|session| !session.is_alive) {
            house.sign_in().await;
        }
    }
}

#[actix_web::test]
async fn sessions_go_on_as_long_as_the_model_says() {
    let app = rehearsal_of(Setup::named("session_model")).await;
    for seed in 1..=4 {
        play(&app, seed).await;
    }
}
