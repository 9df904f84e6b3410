//! Settings, from the environment only; the one place that reads it.
//!
//! Every variable has a default that works on one machine. A bad value stops the start with
//! every fault listed, not only the first.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use url::Url;

/// One documented environment variable.
pub struct Variable {
    /// Name, as in the environment.
    pub name: &'static str,
    /// What happens when it is not set.
    pub default: &'static str,
    /// What it is for.
    pub about: &'static str,
}

/// Database connections of a worker where there are enough.
const CONNECTIONS: usize = 8;
/// Database connections of all workers: the built-in database takes 100, of which some are for
/// jobs, for a second server while it takes over, and for whoever looks after it.
const MOST_CONNECTIONS: usize = 80;

/// What is logged unless `LOG` says otherwise.
pub const DEFAULT_LOG: &str = "info,actix_server=warn,tokio_cron_scheduler=warn";

/// Every variable the program reads; `aims serve --help` and the README print this list.
pub const VARIABLES: &[Variable] = &[
    Variable {
        name: "BIND",
        default: "127.0.0.1:8042",
        about: "address and port of the API",
    },
    Variable {
        name: "METRICS_BIND",
        default: "unset: no metrics port",
        about: "address and port of /metrics (Prometheus)",
    },
    Variable {
        name: "DATABASE_URL",
        default: "unset: built-in PostgreSQL in AIMS_DATA",
        about: "PostgreSQL, runtime role",
    },
    Variable {
        name: "DATABASE_OWNER_URL",
        default: "unset: migrations are run by `aims migrate` elsewhere",
        about: "PostgreSQL, owner role, for migrations",
    },
    Variable {
        name: "AIMS_DATA",
        default: "/var/lib/aims as root, else $XDG_DATA_HOME/aims or ~/.local/share/aims",
        about: "data folder: built-in database, keys, mails written as files",
    },
    Variable {
        name: "PG_BINDIR",
        default: "the usual folders",
        about: "folder of the PostgreSQL programs for the built-in database",
    },
    Variable {
        name: "PUBLIC_URL",
        default: "http://<BIND>",
        about: "address under which clients reach the API; links in mails and problem types begin with it",
    },
    Variable {
        name: "REDIS_URL",
        default: "unset: limits and caches in the process",
        about: "Redis for limits and revocation shared by replicas",
    },
    Variable {
        name: "SMTP_URL",
        default: "unset: mails become .eml files in AIMS_DATA/mails",
        about: "mail server, smtp://user:password@host:port or smtps://",
    },
    Variable {
        name: "MAIL_FROM",
        default: "AIMS <no-reply@localhost>",
        about: "sender of all mails",
    },
    Variable {
        name: "CORS_ORIGINS",
        default: "none",
        about: "exact origins, separated by commas, whose pages may call the API",
    },
    Variable {
        name: "SIGNUP",
        default: "open",
        about: "open or closed: whether new consultancies may sign up",
    },
    Variable {
        name: "JWT_KEYS",
        default: "unset: made and kept in AIMS_DATA/keys",
        about: "folder of Ed25519 keys (PKCS#8 PEM); the newest name signs, all verify",
    },
    Variable {
        name: "RATE_LIMIT",
        default: "600",
        about: "requests a minute for an address before sign-in and for an account after it; a tenant gets ten times as many; an address a sixth of it for refused access tokens in a minute, for sign-ins and for guesses of refresh tokens and invitations in 15 minutes, a thirtieth for sign-ups in an hour; a firm or tenant a sixth for invitations to it in an hour, a firm with its clients half, one person a 120th from a firm and a thirtieth in all in a day",
    },
    Variable {
        name: "TRUSTED_PROXIES",
        default: "none",
        about: "addresses of reverse proxies, separated by commas, whose X-Forwarded-For is believed",
    },
    Variable {
        name: "WORKERS",
        default: "one for each core, 40 at most",
        about: "HTTP worker threads",
    },
    Variable {
        name: "DB_CONNECTIONS",
        default: "8, or fewer so that all workers together have 80",
        about: "database connections of each worker; jobs take 4 more",
    },
    Variable {
        name: "STOP_NOTICE",
        default: "5",
        about: "seconds after SIGTERM in which /readyz says 503 and requests are still taken; 0 for none",
    },
    Variable {
        name: "AIMS_TEST_CLOCK",
        default: "0",
        about: "1 offers GET and PUT /test/clock; never in production",
    },
    Variable {
        name: "LOG",
        default: DEFAULT_LOG,
        about: "tracing filter, such as info,aims=debug; LOG_FORMAT=json for machines",
    },
    Variable {
        name: "LOG_FORMAT",
        default: "text",
        about: "text or json",
    },
];

/// Whether new consultancies may sign up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signup {
    /// Anybody may.
    Open,
    /// Nobody may.
    Closed,
}

/// The settings of one process.
#[derive(Clone, Debug)]
pub struct Config {
    /// Address of the API.
    pub bind: SocketAddr,
    /// Address of `/metrics`, when wanted.
    pub metrics_bind: Option<SocketAddr>,
    /// PostgreSQL as the runtime role; `None`: built-in.
    pub database_url: Option<String>,
    /// PostgreSQL as the owner role, for migrations.
    pub database_owner_url: Option<String>,
    /// Data folder.
    pub data: PathBuf,
    /// Folder of the PostgreSQL programs; `None`: the usual ones.
    pub pg_bindir: Option<PathBuf>,
    /// Base of all links, without a slash at the end.
    pub public_url: String,
    /// Redis, when wanted.
    pub redis_url: Option<String>,
    /// Mail server; `None`: files.
    pub smtp_url: Option<String>,
    /// Sender of all mails.
    pub mail_from: String,
    /// Origins whose pages may call the API.
    pub cors_origins: Vec<String>,
    /// Whether new consultancies may sign up.
    pub signup: Signup,
    /// Folder of signing keys; `None`: in the data folder.
    pub jwt_keys: Option<PathBuf>,
    /// Requests a minute of one address or account.
    pub rate_limit: u32,
    /// Reverse proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// HTTP worker threads.
    pub workers: usize,
    /// Database connections of each worker.
    pub db_connections: usize,
    /// Seconds after SIGTERM in which requests are still taken.
    pub stop_notice: u64,
    /// Whether `/test/clock` exists.
    pub test_clock: bool,
    /// Tracing filter.
    pub log: String,
    /// Whether logs are JSON lines.
    pub log_json: bool,
}

impl Config {
    /// Reads the process environment. The error lists every fault.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the environment"
    )]
    pub fn from_env() -> Result<Self, Vec<String>> {
        Self::read(|name| std::env::var(name).ok())
    }

    /// Reads settings from `get`. The error lists every fault.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<String>> {
        let mut faults = Vec::new();
        let value = |name: &str| {
            get(name)
                .map(|v| v.trim().to_owned())
                .filter(|v| !v.is_empty())
        };

        let bind = parse(
            &mut faults,
            "BIND",
            value("BIND"),
            "an address and port such as 0.0.0.0:8042",
        )
        .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8042)));
        let public_url = value("PUBLIC_URL").unwrap_or_else(|| format!("http://{bind}"));
        let public_url = public_url.trim_end_matches('/').to_owned();
        url_of(&mut faults, "PUBLIC_URL", &public_url, &["http", "https"]);
        if public_url.contains(['?', '#']) {
            faults.push("PUBLIC_URL: links are made by adding to it, so it has no query (?) and no fragment (#)".to_owned());
        }
        let cors_origins = value("CORS_ORIGINS")
            .map(|list| list.split(',').map(|o| o.trim().to_owned()).collect())
            .unwrap_or_else(Vec::new);
        for origin in &cors_origins {
            let exact =
                Url::parse(origin).is_ok_and(|url| url.origin().ascii_serialization() == *origin);
            if !exact {
                faults.push(format!("CORS_ORIGINS: {origin:?} is not an exact origin such as https://app.example.org"));
            }
        }
        for (name, schemes) in [
            ("REDIS_URL", &["redis", "rediss"]),
            ("SMTP_URL", &["smtp", "smtps"]),
            ("DATABASE_URL", &["postgres", "postgresql"]),
            ("DATABASE_OWNER_URL", &["postgres", "postgresql"]),
        ] {
            if let Some(url) = value(name) {
                url_of(&mut faults, name, &url, schemes);
            }
        }
        let trusted_proxies = addresses(&mut faults, "TRUSTED_PROXIES", value("TRUSTED_PROXIES"));
        let mail_from =
            value("MAIL_FROM").unwrap_or_else(|| "AIMS <no-reply@localhost>".to_owned());
        if mail_from.parse::<lettre::message::Mailbox>().is_err() {
            faults.push(format!(
                "MAIL_FROM: {mail_from:?} is not an address such as AIMS <no-reply@example.org>"
            ));
        }
        let signup = match value("SIGNUP").as_deref() {
            None | Some("open") => Signup::Open,
            Some("closed") => Signup::Closed,
            Some(other) => {
                faults.push(format!("SIGNUP: {other:?} is neither open nor closed"));
                Signup::Closed
            }
        };
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let workers = value("WORKERS");
        let workers = positive(&mut faults, "WORKERS", workers, default_workers(cores));
        let db_connections = positive(
            &mut faults,
            "DB_CONNECTIONS",
            value("DB_CONNECTIONS"),
            default_connections(workers),
        );
        if value("DATABASE_URL").is_none() && workers * db_connections > MOST_CONNECTIONS {
            faults.push(format!(
                "WORKERS times DB_CONNECTIONS is {}; the built-in database has {MOST_CONNECTIONS} connections for them",
                workers * db_connections
            ));
        }
        let config = Self {
            bind,
            metrics_bind: parse(
                &mut faults,
                "METRICS_BIND",
                value("METRICS_BIND"),
                "an address and port",
            ),
            database_url: value("DATABASE_URL"),
            database_owner_url: value("DATABASE_OWNER_URL"),
            data: value("AIMS_DATA")
                .map(PathBuf::from)
                .unwrap_or_else(|| default_data(&value)),
            pg_bindir: value("PG_BINDIR").map(PathBuf::from),
            public_url,
            redis_url: value("REDIS_URL"),
            smtp_url: value("SMTP_URL"),
            mail_from,
            cors_origins,
            signup,
            jwt_keys: value("JWT_KEYS").map(PathBuf::from),
            rate_limit: positive(&mut faults, "RATE_LIMIT", value("RATE_LIMIT"), 600),
            trusted_proxies,
            workers,
            db_connections,
            stop_notice: parse(
                &mut faults,
                "STOP_NOTICE",
                value("STOP_NOTICE"),
                "a whole number of seconds",
            )
            .unwrap_or(5),
            test_clock: switch(&mut faults, "AIMS_TEST_CLOCK", value("AIMS_TEST_CLOCK")),
            log: value("LOG").unwrap_or_else(|| DEFAULT_LOG.to_owned()),
            log_json: value("LOG_FORMAT").as_deref() == Some("json"),
        };
        if faults.is_empty() {
            Ok(config)
        } else {
            Err(faults)
        }
    }
}

/// One worker for each core, but no more than there are connections to share out.
fn default_workers(cores: usize) -> usize {
    cores.clamp(1, MOST_CONNECTIONS / 2)
}

/// The connections of a worker, so that all of them are no more than the built-in database has.
fn default_connections(workers: usize) -> usize {
    (MOST_CONNECTIONS / workers).clamp(1, CONNECTIONS)
}

fn addresses(faults: &mut Vec<String>, name: &str, value: Option<String>) -> Vec<IpAddr> {
    let list = value.unwrap_or_default();
    let mut addresses = Vec::new();
    for text in list
        .split(',')
        .map(str::trim)
        .filter(|text| !text.is_empty())
    {
        match text.parse::<IpAddr>() {
            Ok(address) => addresses.push(address.to_canonical()),
            Err(error) => faults.push(format!("{name}: {text:?} is not an address ({error})")),
        }
    }
    addresses
}

fn parse<T: std::str::FromStr>(
    faults: &mut Vec<String>,
    name: &str,
    value: Option<String>,
    wanted: &str,
) -> Option<T> {
    let value = value?;
    let parsed = value.parse().ok();
    if parsed.is_none() {
        faults.push(format!("{name}: {value:?} is not {wanted}"));
    }
    parsed
}

fn positive<T: std::str::FromStr + Default + PartialEq>(
    faults: &mut Vec<String>,
    name: &str,
    value: Option<String>,
    default: T,
) -> T {
    let Some(text) = value else { return default };
    match text.parse::<T>() {
        Ok(number) if number != T::default() => number,
        _ => {
            faults.push(format!("{name}: {text:?} is not a whole number above 0"));
            default
        }
    }
}

fn switch(faults: &mut Vec<String>, name: &str, value: Option<String>) -> bool {
    match value.as_deref() {
        None | Some("0") => false,
        Some("1") => true,
        Some(other) => {
            faults.push(format!("{name}: {other:?} is neither 0 nor 1"));
            false
        }
    }
}

fn url_of(faults: &mut Vec<String>, name: &str, value: &str, schemes: &[&str]) {
    let good = Url::parse(value).is_ok_and(|url| schemes.contains(&url.scheme()));
    // PostgreSQL also takes strings of keys and values.
    let keys_and_values = name.starts_with("DATABASE") && value.contains('=');
    if !good && !keys_and_values {
        faults.push(format!(
            "{name}: not an address that begins with {}://",
            schemes.join(":// or ")
        ));
    }
}

/// Below `/var/lib` for root (a home of root is closed to the database's own user), else the user's.
fn default_data(value: &impl Fn(&str) -> Option<String>) -> PathBuf {
    if rustix::process::geteuid().is_root() {
        return PathBuf::from("/var/lib/aims");
    }
    value("XDG_DATA_HOME")
        .map(PathBuf::from)
        .or_else(|| value("HOME").map(|home| PathBuf::from(home).join(".local/share")))
        .unwrap_or_else(std::env::temp_dir)
        .join("aims")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(name: &str, value: &str) -> Vec<String> {
        let read = Config::read(|asked| (asked == name).then(|| value.to_owned()));
        read.err().unwrap_or_default()
    }

    #[test]
    fn defaults_never_want_more_connections_than_there_are() {
        for cores in 1..=512 {
            let workers = default_workers(cores);
            let connections = default_connections(workers);
            assert!(workers * connections <= MOST_CONNECTIONS, "{cores} cores");
            assert!(connections >= 2, "{cores} cores");
        }
        assert_eq!((default_workers(4), default_connections(4)), (4, 8));
        assert_eq!(faults("WORKERS", "96").len(), 1);
        assert!(faults("WORKERS", "80").is_empty());
        assert_eq!(faults("DB_CONNECTIONS", "1000").len(), 1);
    }

    #[test]
    fn the_public_address_can_be_added_to() {
        for bad in [
            "https://aims.example/?a=b",
            "https://aims.example/#x",
            "aims.example",
        ] {
            assert_eq!(faults("PUBLIC_URL", bad).len(), 1, "{bad}");
        }
        assert!(faults("PUBLIC_URL", "https://aims.example/api/").is_empty());
    }
}
