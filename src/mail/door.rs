//! Whether the mail server lets us in at all: asked when it has refused a mail for good. Whoever
//! is refused before any recipient is named is us, not the mail.

use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::Mail;
use lettre::transport::smtp::extension::ClientId;
use percent_encoding::percent_decode_str;
use url::Url;

/// How long one command may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The way into the mail server, as the settings name it.
#[derive(Clone)]
pub(super) struct Door {
    host: String,
    port: u16,
    encryption: Encryption,
    credentials: Option<Credentials>,
}

/// When a connection is encrypted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Encryption {
    Never,
    WhereOffered,
    Always,
    FromTheFirstByte,
}

impl Door {
    /// Reads the address that [`lettre`] has accepted.
    pub(super) fn new(url: &str) -> Option<Self> {
        let url = Url::parse(url).ok()?;
        let tls = url.query_pairs().find(|(name, _)| name == "tls");
        let (encryption, port) = match (url.scheme(), tls.as_ref().map(|(_, how)| how.as_ref())) {
            ("smtps", _) => (Encryption::FromTheFirstByte, 465),
            (_, Some("required")) => (Encryption::Always, 587),
            (_, Some(_)) => (Encryption::WhereOffered, 587),
            (_, None) => (Encryption::Never, 25),
        };
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let credentials = url
            .password()
            .map(|password| Credentials::new(decoded(url.username()), decoded(password)));
        Some(Self {
            host: url.host_str()?.to_owned(),
            port: url.port().unwrap_or(port),
            encryption,
            credentials,
        })
    }

    /// Whether it refuses our connection, our sign-in or our sender, for good.
    pub(super) async fn is_shut(&self, sender: &Address) -> bool {
        let asked = self.ask(sender).await;
        asked.is_err_and(|error| error.is_permanent())
    }

    async fn ask(&self, sender: &Address) -> Result<(), Error> {
        let (name, host) = (ClientId::default(), self.host.as_str());
        let first = match self.encryption {
            Encryption::FromTheFirstByte => Some(TlsParameters::new(host.to_owned())?),
            _ => None,
        };
        let server = (host, self.port);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(server, Some(TIMEOUT), &name, first, None).await?;
        let encrypts = match self.encryption {
            Encryption::Always => true,
            Encryption::WhereOffered => connection.can_starttls(),
            Encryption::Never | Encryption::FromTheFirstByte => false,
        };
        if encrypts {
            let tls = TlsParameters::new(host.to_owned())?;
            connection.starttls(tls, &name).await?;
        }
        if let Some(credentials) = &self.credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        let mail = Mail::new(Some(sender.clone()), Vec::new());
        let asked = connection.command(mail).await;
        connection.abort().await;
        asked.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_port_encryption_and_password() {
        for (url, port, encrypts, signs_in) in [
            ("smtp://mx.test", 25, false, false),
            ("smtp://mx.test:2525", 2525, false, false),
            ("smtp://a%40b:p%25@mx.test?tls=required", 587, true, true),
            ("smtp://mx.test?tls=opportunistic", 587, true, false),
            ("smtps://a:b@mx.test", 465, true, true),
        ] {
            let door = Door::new(url).unwrap();

            assert_eq!(door.host, "mx.test", "{url}");
            assert_eq!(door.port, port, "{url}");
            assert_eq!(door.encryption != Encryption::Never, encrypts, "{url}");
            let expected = url
                .contains("%40")
                .then(|| Credentials::new("a@b".into(), "p%".into()));
            assert!(expected.is_none() || door.credentials == expected, "{url}");
            assert_eq!(door.credentials.is_some(), signs_in, "{url}");
        }
    }
}
