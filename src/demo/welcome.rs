//! What the reader needs to begin: addresses, logins, and three requests to copy.

use std::fmt::Write;

use chrono::{DateTime, Utc};

use super::load::Loaded;
use super::people::{AURELIA, CONSULTANTS, Client, FIRM, KESTREL, OWNER, PASSWORD, Person};
use crate::clock::Clock;
use crate::config::Config;
use crate::reminders;

/// The text; `base` is where the server is reached from this machine.
pub(super) fn text(config: &Config, base: &str, loaded: &Loaded) -> String {
    let mut text = String::new();
    let mails = match &config.smtp_url {
        Some(_) => "go to the mail server in SMTP_URL".to_owned(),
        None => format!("are files in {}", config.data.join("mails").display()),
    };
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "\n\
         Documentation  {base}/docs/\n\
         API            {base}/v1\n\
         Mails          {mails}\n\
         {}\n\
         {}\
         Password of all: {PASSWORD}\n\
         Everybody can read it: keep the demo on a machine that nobody else reaches.\n\
         \n\
         {}",
        reminders_text(loaded, Clock::machine().now()),
        logins(),
        commands(base, loaded),
    );
    text
}

/// When the reminders of the reviews that are due today go out.
fn reminders_text(loaded: &Loaded, now: DateTime<Utc>) -> String {
    if !loaded.just_now {
        return "Reminders      go out at 08:00 in the zone of each client\n".to_owned();
    }
    let mut text = String::new();
    for client in [&AURELIA, &KESTREL] {
        let today = now.with_timezone(&client.zone).date_naive();
        let at = reminders::instant(today, client.zone).unwrap_or(now);
        let when = match at <= now {
            true => "within half a minute".to_owned(),
            false => format!("at {} UTC, 08:00 in {}", at.format("%H:%M"), client.zone),
        };
        let label = if text.is_empty() { "Reminders" } else { "" };
        let _ = writeln!(
            text,
            "{label:<15}of today's management review at {} go out {when}",
            client.name
        );
    }
    text
}

/// Everybody, one line each.
fn logins() -> String {
    let mut text = String::new();
    let mut section = |place: &str, people: &[&Person]| {
        let _ = writeln!(text, "{place}");
        for Person { name, email, roles } in people {
            let _ = writeln!(text, "  {name:<17}{email:<26}{}", roles.join(", "));
        }
    };
    let firm: Vec<&Person> = std::iter::once(&OWNER).chain(CONSULTANTS).collect();
    section(&format!("{FIRM} (consultancy)"), &firm);
    for Client { name, staff, .. } in [&AURELIA, &KESTREL] {
        let staff: Vec<&Person> = staff.iter().collect();
        section(&format!("{name} (client)"), &staff);
    }
    text
}

fn commands(base: &str, loaded: &Loaded) -> String {
    let Loaded { aurelia, firm, .. } = loaded;
    format!(
        "Sign in as the lead consultant, then read:\n\
         \n\
         TOKEN=$(curl -s {base}/v1/auth/login -H 'Content-Type: application/json' \\\n  \
           -d '{{\"email\": \"lars@fjordlys.example\", \"password\": \"{PASSWORD}\"}}' | sed 's/.*\"access_token\":\"\\([^\"]*\\).*/\\1/')\n\
         curl -s '{base}/v1/tenants/{aurelia}/risks?sort=ref&fields=ref,title,status,level' -H \"Authorization: Bearer $TOKEN\"\n\
         curl -s '{base}/v1/consultancies/{firm}/portfolio' -H \"Authorization: Bearer $TOKEN\"\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_needed_to_begin_is_told() {
        let config = Config::read(|_| None).unwrap();
        let loaded = Loaded {
            aurelia: "019a".to_owned(),
            firm: "019b".to_owned(),
            just_now: true,
        };

        let text = text(&config, "http://127.0.0.1:8042", &loaded);

        for told in [
            "http://127.0.0.1:8042/docs/",
            PASSWORD,
            "ana@aurelia.example       risk_owner",
            "/v1/tenants/019a/risks",
            "within half a minute",
        ] {
            assert!(text.contains(told), "{told} is missing in {text}");
        }
    }
}
