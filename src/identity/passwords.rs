//! Passwords: Argon2id with OWASP's parameters, rules of NIST SP 800-63B-4 section 3.1.1.2.
//!
//! Long, not on the blocklist, and nothing else: no rules of composition, no expiry. Hashing
//! takes 19 MiB and tens of milliseconds, so few run at the same time; see `hashing`.

use argon2::{Algorithm, Params, PasswordHash};
use aws_lc_rs::rand;
use unicode_normalization::UnicodeNormalization;

use super::hashing;
use crate::problem::{Problem, Result};

/// Characters of the shortest password.
pub const SHORTEST: usize = 15;
/// Characters of the longest password.
pub const LONGEST: usize = 256;
/// KiB of memory for a hash.
const MEMORY: u32 = 19 * 1024;
/// Passes over the memory.
const PASSES: u32 = 2;
/// Lanes.
const LANES: u32 = 1;
/// Bytes of a salt.
const SALT_BYTES: usize = 16;

/// Words that a password must not consist of, alone or repeated, with or without digits and
/// signs around them: the longest and commonest of leaked lists, keyboard walks, our own name.
const BLOCKED: &[&str] = &[
    "1234567890",
    "123456789",
    "12345678",
    "1234567",
    "123456",
    "12345",
    "1234",
    "123",
    "0123456789",
    "987654321",
    "0987654321",
    "abc",
    "abcd",
    "abcdef",
    "abcdefgh",
    "abcdefghijklmnop",
    "abcdefghijklmnopqrstuvwxyz",
    "admin",
    "administrator",
    "aims",
    "asdf",
    "asdfgh",
    "asdfghjkl",
    "baseball",
    "changeme",
    "consultancy",
    "correcthorsebatterystaple",
    "default",
    "dragon",
    "football",
    "guest",
    "hello",
    "helloworld",
    "iloveyou",
    "iso42001",
    "letmein",
    "login",
    "master",
    "monkey",
    "password",
    "passw0rd",
    "pa55word",
    "p@ssword",
    "p@ssw0rd",
    "princess",
    "qazwsx",
    "qazwsxedc",
    "qwer",
    "qwerty",
    "qwertyuiop",
    "qwertz",
    "qwertzuiop",
    "azertyuiop",
    "qwertyuiopasdfghjklzxcvbnm",
    "root",
    "secret",
    "sunshine",
    "superman",
    "test",
    "trustno1",
    "user",
    "welcome",
    "zxcvbn",
    "zxcvbnm",
    "thisismypassword",
    "mypassword",
    "yourpassword",
];

/// What is wrong with a new password of the account `email`, as a sentence; `None` if it is good.
pub fn fault(password: &str, email: &str) -> Option<String> {
    let password = &normal(password);
    let length = password.chars().count();
    if length < SHORTEST {
        return Some(format!(
            "must have at least {SHORTEST} characters; a few words do well"
        ));
    }
    if length > LONGEST {
        return Some(format!("must not be longer than {LONGEST} characters"));
    }
    is_guessable(password, email).then(|| "is too easy to guess".to_owned())
}

fn is_guessable(password: &str, email: &str) -> bool {
    let lower = password.to_lowercase();
    let letters = letters_of(&lower);
    let email = email.to_lowercase();
    let name = email.split('@').next().unwrap_or_default();
    let first = lower.chars().next();
    let one_character = lower.chars().all(|c| Some(c) == first);
    let own = [letters_of(&email), letters_of(name)];
    one_character
        || letters.is_empty()
        || BLOCKED
            .iter()
            .copied()
            .chain(own.iter().map(String::as_str))
            .any(|word| repeats(&lower, word) || repeats(&letters, word))
}

fn letters_of(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}

/// Whether `text` is nothing but `word`, over and over, save for digits at its ends.
fn repeats(text: &str, word: &str) -> bool {
    let word: &str = word.trim();
    if word.len() < 3 {
        return false;
    }
    let is_rest = |rest: &str| rest.chars().all(|c| c.is_ascii_digit());
    text.contains(word) && text.split(word).all(is_rest)
}

/// A password as it is judged and hashed: however a keyboard composes an accent, it is the same
/// (RFC 8265 section 4.2).
fn normal(password: &str) -> String {
    password.nfc().collect()
}

/// The hash of a new password, a PHC string.
pub async fn hash(password: String) -> Result<String> {
    hashing::turn(move |hasher| {
        let mut salt = [0; SALT_BYTES];
        rand::fill(&mut salt).map_err(Problem::internal)?;
        let hash = hasher.hash(&normal(&password), &salt, params()?)?;
        Ok(hash.to_string())
    })
    .await
}

/// What came of comparing a password with a stored hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is another.
    Wrong,
    /// It is the one.
    Right,
    /// It is the one, but hashed with old parameters: hash it again.
    RightButOld,
}

/// Compares a password with the hash of an account. Without an account the work is the same, so
/// that the time tells nothing.
pub async fn verify(password: String, stored: Option<String>) -> Result<Verdict> {
    hashing::turn(move |hasher| {
        let password = normal(&password);
        let Some(stored) = stored else {
            hasher.hash(&password, &[0; SALT_BYTES], params()?)?;
            return Ok(Verdict::Wrong);
        };
        let hash = PasswordHash::new(&stored).map_err(fault_of)?;
        Ok(
            match (hasher.is_right(&password, &hash)?, is_current(&hash)) {
                (false, _) => Verdict::Wrong,
                (true, true) => Verdict::Right,
                (true, false) => Verdict::RightButOld,
            },
        )
    })
    .await
}

/// Whether a hash was made as new ones are.
fn is_current(hash: &PasswordHash) -> bool {
    hash.algorithm == Algorithm::Argon2id.ident()
        && Params::try_from(hash).is_ok_and(|params| {
            (params.m_cost(), params.t_cost(), params.p_cost()) == (MEMORY, PASSES, LANES)
        })
}

fn params() -> Result<Params> {
    Params::new(MEMORY, PASSES, LANES, None).map_err(fault_of)
}

fn fault_of(error: impl std::fmt::Display) -> Problem {
    Problem::internal(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use argon2::{Argon2, PasswordHasher, Version};

    #[test]
    fn long_pass_phrases_are_good_in_any_script() {
        for good in [
            "four small boats leave",
            "Zwölf Boxkämpfer jagen",
            "正しい馬のバッテリーの留め金です",
            "aaaaaaaaaaaaaa but then more",
            "my password is not on a list",
            "1f9c2b7e5d804a6",
        ] {
            assert_eq!(fault(good, "ana@example.org"), None, "{good}");
        }
    }

    #[test]
    fn short_common_and_personal_ones_are_refused() {
        for bad in [
            "",
            "fourteen chars",
            "aaaaaaaaaaaaaaaa",
            "passwordpassword",
            "Password-Password-1",
            "12password34password",
            "123456789012345",
            "qwertyuiopqwertyuiop",
            "aimsaimsaimsaims",
            "AIMS aims AIMS aims",
            "--------------------",
            "ana.gomez@example.org",
            "Ana.Gomez Ana.Gomez",
            "correcthorsebatterystaple",
            &"x y".repeat(100),
        ] {
            assert!(fault(bad, "ana.gomez@example.org").is_some(), "{bad}");
        }
    }

    #[actix_web::test]
    async fn only_the_password_itself_matches_its_hash() {
        let hash = hash("four small boats leave".to_owned()).await.unwrap();

        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        let try_with = async |password: &str, hash: Option<&str>| {
            verify(password.to_owned(), hash.map(str::to_owned))
                .await
                .unwrap()
        };
        assert_eq!(
            try_with("four small boats leave", Some(&hash)).await,
            Verdict::Right
        );
        assert_eq!(
            try_with("four small boats leav", Some(&hash)).await,
            Verdict::Wrong
        );
        assert_eq!(
            try_with("nobody has this password", None).await,
            Verdict::Wrong
        );
    }

    #[actix_web::test]
    async fn accents_may_be_composed_in_any_way() {
        let hash = hash("Zw\u{f6}lf Boxk\u{e4}mpfer jagen".to_owned())
            .await
            .unwrap();

        let verdict = verify(
            "Zwo\u{308}lf Boxka\u{308}mpfer jagen".to_owned(),
            Some(hash),
        )
        .await;

        assert_eq!(verdict.unwrap(), Verdict::Right);
    }

    #[actix_web::test]
    async fn old_parameters_are_noticed() {
        let params = Params::new(8 * 1024, 1, 1, None).unwrap();
        let old = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password(b"four small boats leave")
            .unwrap();

        let verdict = verify("four small boats leave".to_owned(), Some(old.to_string())).await;

        assert_eq!(verdict.unwrap(), Verdict::RightButOld);
    }
}
