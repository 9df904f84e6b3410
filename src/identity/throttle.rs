//! How often somebody may try, and how often somebody may invite: buckets for accounts, addresses,
//! places and recipients.

use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpRequest, web};
use uuid::Uuid;

use super::accounts::Email;
use crate::config::Config;
use crate::http::json::sha256;
use crate::http::limits::{address, too_many};
use crate::http::shared::{Quota, Shared};
use crate::problem::Result;

/// Wrong passwords for one account.
const ACCOUNT: Quota = Quota {
    burst: 10,
    per: Duration::from_secs(15 * 60),
};
/// Tries to sign in from one address in a quarter of an hour, as a part of `RATE_LIMIT`.
const LOGIN_PART: u32 = 6;
/// Sign-ups from one address in an hour, as a part of `RATE_LIMIT`.
const SIGNUP_PART: u32 = 30;

/// Refresh tokens and invitations that were none, from one address in a quarter of an hour, as a
/// part of `RATE_LIMIT`.
const GUESS_PART: u32 = 6;

/// Invitations to one firm or tenant in an hour, as a part of `RATE_LIMIT`.
const PLACE_PART: u32 = 6;
/// Invitations of a firm to itself and all its clients in an hour, as a part of `RATE_LIMIT`.
const FIRM_PART: u32 = 2;
/// Invitations of a firm to one recipient in a day, as a part of `RATE_LIMIT`.
const RECIPIENT_PART: u32 = 120;
/// Invitations to one recipient in a day, whoever invites, as a part of `RATE_LIMIT`.
const MAILBOX_PART: u32 = 30;
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A quota for an address: a part of the requests it has in a minute.
fn of_address(req: &HttpRequest, part: u32, per: Duration) -> Quota {
    let limit = req
        .app_data::<web::Data<Config>>()
        .map_or(1, |config| config.rate_limit);
    part_of(limit, part, per)
}

fn part_of(limit: u32, part: u32, per: Duration) -> Quota {
    Quota {
        burst: (limit / part).max(1),
        per,
    }
}

/// Counts a try with a password: 429 when the account or the address has had too many.
pub async fn password(shared: &Arc<dyn Shared>, req: &HttpRequest, email: &Email) -> Result<()> {
    let quota = of_address(req, LOGIN_PART, ACCOUNT.per);
    take(shared, &format!("login:address:{}", address(req)), quota).await?;
    take(shared, &account(email), ACCOUNT).await
}

/// The password was right: the tries before it do not count.
pub async fn password_was_right(shared: &Arc<dyn Shared>, email: &Email) {
    shared.forget(&account(email)).await;
}

/// Counts a sign-up.
pub async fn signup(shared: &Arc<dyn Shared>, req: &HttpRequest) -> Result<()> {
    let quota = of_address(req, SIGNUP_PART, HOUR);
    take(shared, &format!("signup:address:{}", address(req)), quota).await
}

/// Counts a mail with an invitation to a firm or tenant: 429 when there were too many to the
/// place, of the firm, or to the recipient.
pub async fn invitation(
    shared: &Arc<dyn Shared>,
    limit: u32,
    place: Uuid,
    firm: Option<Uuid>,
    email: &Email,
) -> Result<()> {
    let payer = firm.unwrap_or(place);
    let mailbox = short(email);
    for (bucket, part, per) in [
        (format!("invite:place:{place}"), PLACE_PART, HOUR),
        (format!("invite:firm:{payer}"), FIRM_PART, HOUR),
        (format!("invite:{payer}:{mailbox}"), RECIPIENT_PART, DAY),
        (format!("invite:mailbox:{mailbox}"), MAILBOX_PART, DAY),
    ] {
        let verdict = shared.take(&bucket, part_of(limit, part, per)).await;
        if !verdict.allowed {
            let mut problem = too_many(&verdict);
            problem.detail = "Too many invitations went out, from here or to this person; wait as \
                              long as Retry-After says."
                .to_owned();
            return Err(problem);
        }
    }
    Ok(())
}

/// 429 when an address has presented too many tokens that were none.
pub async fn check_guesses(shared: &Arc<dyn Shared>, req: &HttpRequest) -> Result<()> {
    let (bucket, quota) = guesses(req);
    let verdict = shared.peek(&bucket, quota).await;
    if verdict.allowed {
        Ok(())
    } else {
        Err(too_many(&verdict))
    }
}

/// Counts a token that was none.
pub async fn count_guess(shared: &Arc<dyn Shared>, req: &HttpRequest) {
    let (bucket, quota) = guesses(req);
    shared.take(&bucket, quota).await;
}

fn guesses(req: &HttpRequest) -> (String, Quota) {
    let quota = of_address(req, GUESS_PART, ACCOUNT.per);
    (format!("guess:address:{}", address(req)), quota)
}

async fn take(shared: &Arc<dyn Shared>, bucket: &str, quota: Quota) -> Result<()> {
    let verdict = shared.take(bucket, quota).await;
    if verdict.allowed {
        Ok(())
    } else {
        Err(too_many(&verdict))
    }
}

/// The bucket of an account, whether it exists or not; the address itself stays out of Redis.
fn account(email: &Email) -> String {
    format!("login:account:{}", short(email))
}

fn short(email: &Email) -> String {
    let [a, b, c, d, e, f, g, h, ..] = sha256(email.as_str().as_bytes());
    let short = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
    format!("{short:016x}")
}

/// The shared buckets, as `app.rs` hands them to handlers.
pub type Buckets = web::Data<Arc<dyn Shared>>;
