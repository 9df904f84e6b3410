//! What mails say. The texts lie in `templates/`, one folder for each mail; HTML escapes itself.

use askama::Template;
use chrono::{Datelike, NaiveDate};
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
    /// Its title.
    pub title: &'a str,
    /// Name of the deadline within the record: `review`.
    pub deadline: &'a str,
    /// When it is due.
    pub due_on: NaiveDate,
    /// Today, in the tenant's zone.
    pub today: NaiveDate,
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
    due,
    link
);
template!(
    ReminderHtml,
    Reminder,
    "reminder/body.html",
    what,
    when,
    due,
    link
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

/// Reminds somebody of a deadline.
pub fn reminder(mail: &Reminder<'_>) -> Result<Content> {
    let (name, title) = (
        one_line(mail.recipient, TITLE_MOST),
        one_line(mail.title, 500),
    );
    let mail = &Reminder {
        recipient: &name,
        title: &title,
        ..*mail
    };
    let what = &capitalised(&words(mail.deadline));
    let when = &when(mail.due_on, mail.today);
    let due = &date(mail.due_on);
    let title = &one_line(mail.title, TITLE_MOST);
    let link = &format!(
        "{}/open#/v1/tenants/{}/{}/{}",
        mail.public_url, mail.tenant_id, mail.path, mail.record_id
    );
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
            due,
            link,
        }
        .render(),
        ReminderHtml {
            mail,
            what,
            when,
            due,
            link,
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

    fn of_risk(title: &str, today: NaiveDate) -> Content {
        reminder(&Reminder {
            public_url: "https://aims.example",
            tenant_id: Uuid::nil(),
            tenant: "Müller & Söhne",
            recipient: "Ana",
            path: "risks",
            kind: "Risk",
            record_id: Uuid::max(),
            reference: "RSK-014",
            title,
            deadline: "acceptance_expiry",
            due_on: day("2027-01-11"),
            today,
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
        assert!(content.text.contains(link) && content.html.contains(link));
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
