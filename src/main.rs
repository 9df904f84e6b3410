//! The program: reads the command line, hands over to the library.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use aims::app::{self, Database, Server};
use aims::clock::Clock;
use aims::config::{Config, VARIABLES};
use aims::postgres::Durability;
use aims::{http, identity, telemetry};
use clap::{Parser, Subcommand};

/// Multi-tenant ISO/IEC 42001 AI management systems as a REST API.
#[derive(Parser)]
#[command(version, after_help = variables())]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the API until SIGTERM or Ctrl-C.
    Serve,
    /// Serve the API with demo data, loaded through the API itself.
    Demo,
    /// Run the pending migrations (DATABASE_OWNER_URL).
    Migrate,
    /// Write the OpenAPI documents into a folder.
    Openapi {
        /// The folder.
        #[arg(default_value = "openapi")]
        folder: PathBuf,
    },
    /// Exit with 0 when the server at BIND answers.
    Health,
    /// Keys that sign access tokens.
    #[command(subcommand)]
    Keys(Keys),
}

#[derive(Subcommand)]
enum Keys {
    /// Add a key; it is published at once and signs ten minutes later.
    Rotate,
}

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Outcome {
    if let Command::Openapi { folder } = command {
        return write_documents(&folder);
    }
    let mut config = Config::from_env().map_err(|faults| faults.join("\n"))?;
    if matches!(command, Command::Demo) && config.log == aims::config::DEFAULT_LOG {
        // What the demo prints should not drown in its own requests.
        config.log = "warn".to_owned();
    }
    telemetry::init(&config);
    match command {
        Command::Serve => serve(config, false),
        Command::Demo => serve(config, true),
        Command::Migrate => migrate(&config),
        Command::Health => aims::demo::is_alive(config.bind),
        Command::Keys(Keys::Rotate) => {
            let folder = config
                .jwt_keys
                .clone()
                .unwrap_or_else(|| config.data.join("keys"));
            let name = identity::keys::rotate(&folder, &Clock::machine())?;
            println!("{name} is published and will sign in ten minutes");
            Ok(())
        }
        Command::Openapi { .. } => Ok(()),
    }
}

fn serve(config: Config, demo: bool) -> Outcome {
    let database = Database::open(&config, Durability::Safe)?;
    let outcome = actix_web::rt::System::new().block_on(async {
        let server = Server::start(config.clone(), database.url()).await?;
        tracing::info!("Listening on http://{}", server.address());
        if demo {
            let address = server.address();
            actix_web::rt::spawn(aims::demo::run(config, address));
        }
        server.run_until_signalled().await
    });
    database.close()?;
    Ok(outcome?)
}

fn migrate(config: &Config) -> Outcome {
    let url = config
        .database_owner_url
        .as_deref()
        .ok_or("Set DATABASE_OWNER_URL to the database as its owner role.")?;
    let names = app::migrate(url)?;
    println!("{} migrations have run", names.len());
    Ok(())
}

fn write_documents(folder: &Path) -> Outcome {
    let document = http::openapi::Document::new(app::document()?);
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("openapi.json"), document.json())?;
    std::fs::write(folder.join("openapi-3.0.json"), document.json_3_0())?;
    Ok(())
}

/// The settings, for `--help`.
fn variables() -> String {
    let mut text = String::from("Environment:\n");
    for variable in VARIABLES {
        text.push_str(&format!(
            "  {:<20} {}\n{:23}default: {}\n",
            variable.name, variable.about, "", variable.default
        ));
    }
    text
}
