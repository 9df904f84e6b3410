//! How one mail leaves the house: over SMTP, or as a file where no mail server is configured.

use std::fmt;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart};
use lettre::transport::smtp::PoolConfig;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Tokio1Executor};

use super::door::Door;
use crate::config::Config;

/// How long one command to the mail server may take.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Connections to the mail server; as many mails are sent at once.
pub(super) const CONNECTIONS: u32 = 8;
/// Folder below the data folder for mails written as files.
const FOLDER: &str = "mails";
/// Replies that refuse us, not the mail: authentication and encryption (RFC 4954 section 6).
const REFUSES_SENDER: [u16; 4] = [530, 534, 535, 538];
/// Enhanced codes of the same for the address of the sender (RFC 3463 section 3.2).
const REFUSES_ADDRESS_OF_SENDER: [&str; 2] = ["5.1.7", "5.1.8"];
/// Characters of the longest error that is kept.
const ERROR_MOST: usize = 500;

/// One mail, as the outbox keeps it.
#[derive(Clone, Debug)]
pub struct Letter {
    /// Left part of the Message-ID.
    pub message_id: String,
    /// Address of the recipient.
    pub to: String,
    /// Name of the recipient.
    pub to_name: Option<String>,
    /// Subject, one line.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// HTML.
    pub html: String,
}

/// Why a mail was not taken, and whether it is worth another try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// May pass: 4xx replies, timeouts, lost connections.
    Temporary(String),
    /// Will pass once somebody mends our settings: the mail server refuses us, not the mail. No
    /// mail is given up for it.
    Ours(String),
    /// Will not pass: 5xx replies, addresses that are none.
    Permanent(String),
}

/// Why mails cannot be sent at all with these settings.
#[derive(Debug)]
pub struct TransportError(String);

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TransportError {}

/// Sends mails, all from one sender.
#[derive(Clone)]
pub struct Transport {
    from: Mailbox,
    way: Way,
}

#[derive(Clone)]
enum Way {
    Smtp(AsyncSmtpTransport<Tokio1Executor>, Door),
    Folder(PathBuf),
}

impl Transport {
    /// The way the settings name. Must be called inside the runtime that will send, because the
    /// pool of connections tends itself there.
    pub fn new(config: &Config) -> Result<Self, TransportError> {
        let from = config
            .mail_from
            .parse()
            .map_err(|error| TransportError(format!("MAIL_FROM: {error}")))?;
        let way = match &config.smtp_url {
            Some(url) => {
                let pool = PoolConfig::new().max_size(CONNECTIONS);
                let smtp = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)
                    .map_err(|error| TransportError(format!("SMTP_URL: {error}")))?
                    .timeout(Some(TIMEOUT))
                    .pool_config(pool)
                    .build();
                let door = Door::new(url);
                let door = door.ok_or_else(|| TransportError("SMTP_URL: no host".to_owned()))?;
                Way::Smtp(smtp, door)
            }
            None => Way::Folder(config.data.join(FOLDER)),
        };
        Ok(Self { from, way })
    }

    /// Sends one mail, dated `now`.
    pub async fn send(&self, letter: &Letter, now: DateTime<Utc>) -> Result<(), Failure> {
        let message = self.message(letter, now)?;
        match &self.way {
            Way::Smtp(smtp, door) => match smtp.send(message).await {
                Ok(_) => Ok(()),
                Err(error) => Err(match judge(&error, letter.to.is_ascii()) {
                    // Refused for good: as it may be us who are refused, before any recipient is.
                    Failure::Permanent(said) if error.is_permanent() => {
                        match door.is_shut(&self.from.email).await {
                            true => Failure::Ours(said),
                            false => Failure::Permanent(said),
                        }
                    }
                    failure => failure,
                }),
            },
            Way::Folder(folder) => {
                let (folder, name) = (folder.clone(), format!("{}.eml", letter.message_id));
                let bytes = message.formatted();
                tokio::task::spawn_blocking(move || write(&folder, &name, &bytes))
                    .await
                    .map_err(|error| Failure::Temporary(error.to_string()))?
                    .map_err(|error| Failure::Temporary(format!("cannot write the mail: {error}")))
            }
        }
    }

    /// Headers and bodies, encoded by the library: nothing of a letter can become a header.
    fn message(&self, letter: &Letter, now: DateTime<Utc>) -> Result<Message, Failure> {
        let address: Address = letter
            .to
            .parse()
            .map_err(|error| Failure::Permanent(format!("the address is not one: {error}")))?;
        // The library panics on control characters in names.
        let name = letter.to_name.as_deref();
        let name = name.map(|name| super::one_line(name, super::NAME_MOST));
        let subject = super::one_line(&letter.subject, super::SUBJECT_MOST);
        let id = format!("<{}@{}>", letter.message_id, self.from.email.domain());
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(name, address))
            .subject(subject)
            .date(SystemTime::from(now))
            .message_id(Some(id))
            .header(AutoSubmitted)
            .multipart(MultiPart::alternative_plain_html(
                letter.text.clone(),
                letter.html.clone(),
            ))
            .map_err(|error| Failure::Permanent(format!("the mail cannot be built: {error}")))
    }
}

/// Whether another try makes sense after what the mail server or the network said.
fn judge(error: &lettre::transport::smtp::Error, ascii: bool) -> Failure {
    let said: String = match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    };
    let said = super::one_line(&said, ERROR_MOST);
    let refuses_sender = error
        .status()
        .is_some_and(|code| REFUSES_SENDER.contains(&u16::from(code)))
        || REFUSES_ADDRESS_OF_SENDER
            .iter()
            .any(|code| said.contains(code));
    let cannot_address = error.is_client() && !ascii;
    let settings = error.is_tls() || (error.is_client() && ascii);
    if refuses_sender || settings {
        Failure::Ours(said)
    } else if cannot_address || error.is_permanent() {
        Failure::Permanent(said)
    } else {
        Failure::Temporary(said)
    }
}

/// Writes a file that is there completely or not at all, readable by us alone.
fn write(folder: &Path, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let part = folder.join(format!(".{name}.part"));
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&part)?;
    file.write_all(bytes)?;
    drop(file);
    std::fs::rename(&part, folder.join(name))
}

/// `Auto-Submitted: auto-generated` (RFC 3834), so that nobody's vacation notice answers.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transport() -> Transport {
        Transport {
            from: "AIMS <no-reply@aims.example>".parse().unwrap(),
            way: Way::Folder(PathBuf::new()),
        }
    }

    fn letter(to: &str, name: &str, subject: &str) -> Letter {
        Letter {
            message_id: "0123abcd".to_owned(),
            to: to.to_owned(),
            to_name: Some(name.to_owned()),
            subject: subject.to_owned(),
            text: "Grüße\r\n.\r\nQUIT".to_owned(),
            html: "<p>Grüße</p>".to_owned(),
        }
    }

    #[test]
    fn a_message_carries_the_headers_of_a_machine() {
        let now = "2027-01-11T08:00:00Z".parse().unwrap();
        let letter = letter("ana@example.org", "Ana Müller", "Überprüfung");

        let message = transport().message(&letter, now).unwrap().formatted();

        let text = String::from_utf8(message).unwrap();
        assert!(
            text.contains("Message-ID: <0123abcd@aims.example>\r\n"),
            "{text}"
        );
        assert!(
            text.contains("Date: Mon, 11 Jan 2027 08:00:00 +0000\r\n"),
            "{text}"
        );
        assert!(
            text.contains("Auto-Submitted: auto-generated\r\n"),
            "{text}"
        );
        assert!(text.contains("multipart/alternative"), "{text}");
        assert!(text.is_ascii());
    }

    #[test]
    fn nothing_in_a_letter_becomes_a_header() {
        let now = "2027-01-11T08:00:00Z".parse().unwrap();
        for evil in [
            "x\r\nBcc: all@example.org",
            "x\nX-Evil: 1",
            "x\r\n\r\n<b>",
            "\u{0}\u{b}x",
        ] {
            let letter = letter("ana@example.org", evil, evil);

            let message = transport().message(&letter, now).unwrap().formatted();

            let text = String::from_utf8(message).unwrap();
            let (headers, _) = text.split_once("\r\n\r\n").unwrap();
            let names: Vec<_> = headers
                .lines()
                .filter(|line| !line.starts_with([' ', '\t']))
                .map(|line| line.split(':').next().unwrap())
                .collect();
            assert_eq!(
                names,
                [
                    "From",
                    "To",
                    "Subject",
                    "Date",
                    "Message-ID",
                    "Auto-Submitted",
                    "MIME-Version",
                    "Content-Type"
                ],
                "{evil:?}"
            );
        }
    }

    #[test]
    fn what_is_no_address_fails_for_good() {
        let now = "2027-01-11T08:00:00Z".parse().unwrap();
        for bad in [
            "",
            "ana",
            "ana@example.org\r\nRCPT TO:<b@example.org>",
            "a b@example.org",
        ] {
            let failure = transport()
                .message(&letter(bad, "Ana", "x"), now)
                .unwrap_err();
            assert!(matches!(failure, Failure::Permanent(_)), "{bad:?}");
        }
    }
}
