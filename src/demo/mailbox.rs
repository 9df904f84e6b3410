//! Reads the invitations that the server wrote as files, and finds the token in each.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use mail_parser::MessageParser;

use super::client::Fault;

/// How often the folder is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Looks after which a mail is given up: a minute.
const LOOKS: usize = 600;
/// What stands before the token in a link.
const BEFORE_TOKEN: &str = "#token=";

/// The folder in which mails end where no mail server is configured.
pub(super) struct Mailbox {
    folder: PathBuf,
    read: HashSet<PathBuf>,
    tokens: HashMap<String, String>,
}

impl Mailbox {
    /// The mails below a data folder; what lies there already is not looked at.
    pub(super) fn open(data: &Path) -> Self {
        let folder = data.join("mails");
        Self {
            read: files(&folder).into_iter().collect(),
            folder,
            tokens: HashMap::new(),
        }
    }

    /// Waits until every address has got its invitation; answers the token of each.
    pub(super) async fn tokens(
        mut self,
        addresses: &[&str],
    ) -> Result<HashMap<String, String>, Fault> {
        for _ in 0..LOOKS {
            self.look();
            if addresses.iter().all(|to| self.tokens.contains_key(*to)) {
                return Ok(self.tokens);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let missing = addresses.iter().find(|to| !self.tokens.contains_key(**to));
        Err(Fault::new(format!(
            "The invitation to {} has not come to {}.",
            missing.copied().unwrap_or_default(),
            self.folder.display()
        )))
    }

    fn look(&mut self) {
        for file in files(&self.folder) {
            if self.read.contains(&file) {
                continue;
            }
            let mail = std::fs::read(&file).unwrap_or_default();
            self.tokens.extend(invitation(&mail));
            self.read.insert(file);
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|file| file.path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "eml"))
        .collect()
}

/// Recipient and token of an invitation; `None` for other mails.
fn invitation(mail: &[u8]) -> Option<(String, String)> {
    let mail = MessageParser::default().parse(mail)?;
    let to = mail.to()?.first()?.address()?.to_owned();
    let body = mail.body_text(0)?;
    let (_, rest) = body.split_once(BEFORE_TOKEN)?;
    let token = rest.split_whitespace().next()?.to_owned();
    Some((to, token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_read_through_the_encoding_of_the_mail() {
        let mail = b"To: Ana <ana@aurelia.example>\r\n\
            Content-Type: text/plain; charset=utf-8\r\n\
            Content-Transfer-Encoding: quoted-printable\r\n\r\n\
            Open https://aims.example/invitation#token=3Dabc_=\r\n123-x\r\n\r\nBye\r\n";

        let found = invitation(mail);

        let expected = ("ana@aurelia.example".to_owned(), "abc_123-x".to_owned());
        assert_eq!(found, Some(expected));
        assert_eq!(invitation(b"To: a@b.example\r\n\r\nHello"), None);
    }
}
