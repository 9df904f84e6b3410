//! Mail: written into the outbox in the transaction that causes it, sent by a worker afterwards.
//!
//! | file | question |
//! |---|---|
//! | `templates.rs` | what does a mail say? |
//! | `outbox.rs` | how does a mail get into the transaction that causes it? |
//! | `occasion.rs` | is what the mail is about still true, and what does it say now? |
//! | `queue.rs` | which mails are next? |
//! | `transport.rs` | how does one mail leave the house? |
//! | `door.rs` | does the mail server refuse a mail, or us? |
//! | `retry.rs` | when is a mail tried again, and when given up? |
//! | `worker.rs` | who takes what is due and sends it? |
//! | `notes.rs` | how is noted what became of a mail? |

mod door;
mod notes;
mod occasion;
pub mod outbox;
mod queue;
mod retry;
pub mod templates;
mod transport;
mod worker;

use uuid::Uuid;

pub use notes::UNDELIVERABLE;
pub use occasion::{Fate, Judgement, Occasion};
pub use transport::{Failure, Letter, Transport, TransportError};
pub use worker::Postman;

/// Characters of the longest subject.
const SUBJECT_MOST: usize = 150;
/// Characters of the longest name of a recipient.
const NAME_MOST: usize = 200;

/// What a mail says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// One line, at most 150 characters.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
}

/// A mail to one person.
#[derive(Clone, Debug)]
pub struct Mail {
    /// The tenant it is about, if any.
    pub tenant_id: Option<Uuid>,
    /// The row of the reminder ledger it is for; it is judged and written when it is sent.
    pub reminder_id: Option<Uuid>,
    /// Names the mail: the same key is never sent twice.
    pub key: String,
    /// Address of the recipient.
    pub to: String,
    /// Name of the recipient.
    pub to_name: Option<String>,
    /// What it says.
    pub content: Content,
}

/// `text` on one line without control characters, cut to `most` characters.
fn one_line(text: &str, most: usize) -> String {
    let line: String = text
        .split(|c: char| c.is_control() || c.is_whitespace())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    if line.chars().count() <= most {
        return line;
    }
    let cut: String = line.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", cut.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_no_breaks_and_an_end() {
        assert_eq!(one_line("a\r\nBcc: b\tc\u{0}", 150), "a Bcc: b c");
        assert_eq!(one_line("ééé", 3), "ééé");
        assert_eq!(one_line("éééé", 3), "éé…");
    }
}
