//! What mails say. The texts lie in `templates/`, one folder for each mail; HTML escapes itself.

use askama::Template;
use chrono::{DateTime, Datelike, NaiveDate, Utc};
use chrono_tz::Tz;
use uuid::Uuid;

use super::{Content, SUBJECT_MOST, one_line};
use crate::problem::{Problem, Result};

/// Characters of a title in a subject.
const TITLE_MOST: usize = 80;

/// A deadline somebody is reminded of.
#[derive(Clone, Copy, Debug)]
pub struct Reminder<'a> {
    /// Base of all links, without a slash at the end.
    pub public_url: &'a str,
    /// The tenant.
    pub tenant_id: Uuid,
    /// Its name.
    pub tenant: &'a str,
    /// Name of the recipient.
    pub recipient: &'a str,
    /// Last part of the path of the record's kind: `risks`.
    pub path: &'a str,
    /// Title of the record's kind: `Risk`.
    pub kind: &'a str,
    /// The record.
    pub record_id: Uuid,
    /// Its reference: `RSK-014`.
    pub reference: &'a str,
    /// Its title; none for people who may not read the record.
    pub title: Option<&'a str>,
    /// Name of the deadline within the record: `review`. What follows a slash is not shown.
    pub deadline: &'a str,
    /// When it is due.
    pub due_on: NaiveDate,
    /// The instant, where it is due at one.
    pub due_at: Option<DateTime<Utc>>,
    /// The present instant.
    pub now: DateTime<Utc>,
    /// The tenant's zone.
    pub zone: Tz,
    /// Why the recipient is reminded.
    pub reason: Reason,
}

/// Why somebody is reminded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It is theirs, or of a role they hold.
    Responsible,
    /// They stand in, because nobody responsible can be reached.
    NobodyLeft,
    /// It has been overdue for too long.
    Escalated,
}

impl Reason {
    const fn sentence(self) -> &'static str {
        match self {
            Self::Responsible => {
                "You get this mail because you are responsible for it or hold a role that is."
            }
            Self::NobodyLeft => {
                "You get this mail because nobody who is responsible for it belongs to the organisation any more or takes mail. Please find somebody who is."
            }
            Self::Escalated => {
                "You get this mail because it has been overdue for long and those responsible were reminded in vain."
            }
        }
    }
}

/// An invitation to a tenant or a consultancy.
#[derive(Clone, Copy, Debug)]
struct Invitation<'a> {
    public_url: &'a str,
    place: &'a str,
    inviter: &'a str,
    link: &'a str,
}

macro_rules! template {
    ($name:ident, $data:ident, $path:literal, $($field:ident),*) => {
        #[derive(Template)]
        #[template(path = $path, config = "src/mail/templates/askama.toml")]
        struct $name<'a> { mail: &'a $data<'a>, $($field: &'a str),* }
    };
}

template!(InvitationSubject, Invitation, "invitation/subject.txt",);
template!(
    InvitationText,
    Invitation,
    "invitation/body.txt",
    roles,
    expires
);
template!(
    InvitationHtml,
    Invitation,
    "invitation/body.html",
    roles,
    expires
);
template!(
    ReminderSubject,
    Reminder,
    "reminder/subject.txt",
    what,
    when,
    title
);
template!(
    ReminderText,
    Reminder,
    "reminder/body.txt",
    what,
    when,
    name,
    due,
    link,
    why
);
template!(
    ReminderHtml,
    Reminder,
    "reminder/body.html",
    what,
    when,
    name,
    due,
    link,
    why
);

/// Invites somebody to `place` (a tenant or a consultancy) with these roles, by a link that
/// works until `expires`.
pub fn invitation(
    public_url: &str,
    place_name: &str,
    inviter: &str,
    roles: &[String],
    link: &str,
    expires: NaiveDate,
) -> Result<Content> {
    let (place, inviter) = (
        one_line(place_name, TITLE_MOST),
        one_line(inviter, TITLE_MOST),
    );
    let mail = &Invitation {
        public_url,
        place: &place,
        inviter: &inviter,
        link,
    };
    let names: Vec<String> = roles.iter().map(|role| words(role)).collect();
    let roles = &list(&names);
    let expires = &date(expires);
    content(
        InvitationSubject { mail }.render(),
        InvitationText {
            mail,
            roles,
            expires,
        }
        .render(),
        InvitationHtml {
            mail,
            roles,
            expires,
        }
        .render(),
    )
}

/// Reminds somebody of a deadline. People who may not read the record get neither its title nor
/// a link to it.
pub fn reminder(mail: &Reminder<'_>) -> Result<Content> {
    let recipient = &one_line(mail.recipient, TITLE_MOST);
    let mail = &Reminder { recipient, ..*mail };
    let sort = mail.deadline.split('/').next().unwrap_or_default();
    let what = &capitalised(&words(sort));
    let when = &match mail.due_at {
        Some(due_at) => when_at(due_at, mail.now, mail.zone),
        None => when(mail.due_on, mail.now.with_timezone(&mail.zone).date_naive()),
    };
    let due = &match mail.due_at.map(|at| at.with_timezone(&mail.zone)) {
        Some(at) => format!(
            "{}, {} ({})",
            date(at.date_naive()),
            at.format("%H:%M"),
            mail.zone
        ),
        None => date(mail.due_on),
    };
    let name = &mail
        .title
        .map(|title| one_line(title, 500))
        .unwrap_or_default();
    let title = &one_line(name, TITLE_MOST);
    let link = &match mail.title {
        Some(_) => format!(
            "{}/open#/v1/tenants/{}/{}/{}",
            mail.public_url, mail.tenant_id, mail.path, mail.record_id
        ),
        None => String::new(),
    };
    let why = mail.reason.sentence();
    content(
        ReminderSubject {
            mail,
            what,
            when,
            title,
        }
        .render(),
        ReminderText {
            mail,
            what,
            when,
            name,
            due,
            link,
            why,
        }
        .render(),
        ReminderHtml {
            mail,
            what,
            when,
            name,
            due,
            link,
            why,
        }
        .render(),
    )
}

type Rendered = askama::Result<String>;

fn content(subject: Rendered, text: Rendered, html: Rendered) -> Result<Content> {
    Ok(Content {
        subject: one_line(&subject.map_err(Problem::internal)?, SUBJECT_MOST),
        text: text.map_err(Problem::internal)?,
        html: html.map_err(Problem::internal)?,
    })
}

/// How far off the due date is: "is due in 7 days".
fn when(due_on: NaiveDate, today: NaiveDate) -> String {
    match (due_on - today).num_days() {
        0 => "is due today".to_owned(),
        1 => "is due tomorrow".to_owned(),
        days @ 2.. => format!("is due in {days} days"),
        -1 => "is 1 day overdue".to_owned(),
        days => format!("is {} days overdue", days.unsigned_abs()),
    }
}

/// How far off an instant is: "is due in 6 hours".
fn when_at(due_at: DateTime<Utc>, now: DateTime<Utc>, zone: Tz) -> String {
    let day = |at: DateTime<Utc>| at.with_timezone(&zone).date_naive();
    let minutes = (due_at - now).num_minutes();
    let hours = |minutes: i64| match (minutes + 30) / 60 {
        ..=1 => "1 hour".to_owned(),
        many => format!("{many} hours"),
    };
    match minutes {
        -2_880..=-60 => format!("is {} overdue", hours(-minutes)),
        -59..=0 => "is due now".to_owned(),
        1..=59 => "is due within the hour".to_owned(),
        60..=2_880 => format!("is due in {}", hours(minutes)),
        _ => when(day(due_at), day(now)),
    }
}

/// "Monday, 11 January 2027".
fn date(date: NaiveDate) -> String {
    format!(
        "{}, {} {}",
        date.format("%A"),
        date.day(),
        date.format("%B %Y")
    )
}

/// `top_management` as "top management".
fn words(name: &str) -> String {
    name.replace('_', " ")
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

/// "a, b and c".
fn list(items: &[String]) -> String {
    match items {
        [] => "a member".to_owned(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn an_example(today: NaiveDate) -> Reminder<'static> {
        Reminder {
            public_url: "https://aims.example",
            tenant_id: Uuid::nil(),
            tenant: "Müller & Söhne",
            recipient: "Ana",
            path: "risks",
            kind: "Risk",
            record_id: Uuid::max(),
            reference: "RSK-014",
            title: Some("Bias"),
            deadline: "acceptance_expiry",
            due_on: day("2027-01-11"),
            due_at: None,
            now: today.and_hms_opt(7, 0, 0).unwrap().and_utc(),
            zone: Tz::Europe__Berlin,
            reason: Reason::Responsible,
        }
    }

    fn of_risk(title: &str, today: NaiveDate) -> Content {
        reminder(&Reminder {
            title: Some(title),
            ..an_example(today)
        })
        .unwrap()
    }

    #[test]
    fn a_reminder_says_what_is_due_and_when() {
        let content = of_risk("Bias in <hiring>", day("2027-01-04"));

        assert_eq!(
            content.subject,
            "Acceptance expiry of RSK-014 is due in 7 days: Bias in <hiring>"
        );
        assert!(
            content
                .text
                .contains("Due date:      Monday, 11 January 2027")
        );
        assert!(content.text.contains("Bias in <hiring>"));
        assert!(
            content.html.contains("Bias in &#60;hiring&#62;"),
            "{}",
            content.html
        );
        assert!(content.html.contains("Müller &#38; Söhne"));
        let link = "https://aims.example/open#/v1/tenants/00000000-0000-0000-0000-000000000000/risks/ffffffff-ffff-ffff-ffff-ffffffffffff";
        // One link, to the record, and nothing else to click on.
        for text in [&content.text, &content.html] {
            assert!(text.contains(link), "{text}");
            assert_eq!(text.matches("://").count(), 1, "{text}");
        }
    }

    #[test]
    fn a_subject_is_one_short_line() {
        let content = of_risk(&"x\r\nBcc: all@example.org ".repeat(40), day("2027-01-11"));

        assert!(content.subject.chars().count() <= SUBJECT_MOST);
        assert!(!content.subject.contains(['\r', '\n']));
        assert!(
            content
                .subject
                .starts_with("Acceptance expiry of RSK-014 is due today: x Bcc:")
        );
    }

    #[test]
    fn days_are_said_as_people_say_them() {
        let due = day("2027-01-11");
        for (today, said) in [
            ("2027-01-10", "is due tomorrow"),
            ("2027-01-12", "is 1 day overdue"),
            ("2027-01-18", "is 7 days overdue"),
        ] {
            assert_eq!(when(due, day(today)), said);
        }
    }

    #[test]
    fn hours_of_an_instant_are_said_as_people_say_them() {
        let due_at = "2027-01-11T13:00:00Z".parse().unwrap();
        for (now, said) in [
            ("2027-01-04T13:00:05Z", "is due in 7 days"),
            ("2027-01-10T13:00:05Z", "is due in 24 hours"),
            ("2027-01-11T12:00:00Z", "is due in 1 hour"),
            ("2027-01-11T12:30:00Z", "is due within the hour"),
            ("2027-01-11T13:00:05Z", "is due now"),
            ("2027-01-11T16:00:00Z", "is 3 hours overdue"),
            ("2027-01-18T13:00:00Z", "is 7 days overdue"),
        ] {
            assert_eq!(
                when_at(due_at, now.parse().unwrap(), Tz::UTC),
                said,
                "{now}"
            );
        }
    }

    #[test]
    fn who_may_not_read_the_record_is_told_no_title_and_no_link() {
        let content = reminder(&Reminder {
            title: None,
            deadline: "acknowledgement/019abc12-0000-7000-8000-000000000007",
            ..an_example(day("2027-01-04"))
        })
        .unwrap();

        assert_eq!(
            content.subject,
            "Acknowledgement of RSK-014 is due in 7 days"
        );
        for text in [&content.text, &content.html] {
            assert!(!text.contains("://"), "{text}");
            assert!(!text.contains("Bias"), "{text}");
            assert!(
                text.contains("RSK-014") && !text.contains("019abc12"),
                "{text}"
            );
        }
    }

    #[test]
    fn an_invitation_names_place_roles_and_link() {
        let roles = ["lead".to_owned(), "top_management".to_owned()];
        let content = invitation(
            "https://aims.example",
            "Acme",
            "Ana <b>",
            &roles,
            "https://aims.example/accept?token=a&b",
            day("2027-01-11"),
        )
        .unwrap();

        assert_eq!(content.subject, "Ana <b> invites you to Acme");
        assert!(content.text.contains("as lead and top management."));
        assert!(
            content
                .text
                .contains("https://aims.example/accept?token=a&b")
        );
        assert!(content.html.contains("Ana &#60;b&#62;"));
        assert!(content.html.contains("token=a&#38;b"));
    }
}
