//! Public tools and the document: validators find nothing, and generated clients tell a story.

use std::path::{Path, PathBuf};
use std::process::Command;

use aims::http::openapi::Document;

use crate::isolation::document::published;
use crate::support::server::folder;
use crate::support::{App, app};

/// A program that `.ci/need clients` installs below `target`.
fn program(path: &str) -> PathBuf {
    let program = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("target")
        .join(path);
    assert!(
        program.exists(),
        "{path} is missing; `make test` installs it"
    );
    program
}

fn of_node(name: &str) -> PathBuf {
    program("node/node_modules/.bin").join(name)
}

/// A file of `tests/clients`.
fn ours(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/clients")
        .join(name)
}

/// Runs a program to its end; what it says, if it is content.
#[expect(
    clippy::disallowed_methods,
    reason = "programs are found as a shell finds them"
)]
fn run(command: &mut Command) -> String {
    let programs = std::env::join_paths(
        std::iter::once(program("venv/bin"))
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    );
    let output = command.env("PATH", programs.unwrap()).output().unwrap();
    let told =
        [output.stdout, output.stderr].map(|told| String::from_utf8_lossy(&told).into_owned());
    assert!(output.status.success(), "{command:?}\n{}", told.concat());
    told.concat()
}

/// Both documents, as files.
fn documents(name: &str) -> [PathBuf; 2] {
    let (folder, document) = (folder(name), Document::new(published().clone()));
    let files = [folder.join("openapi.json"), folder.join("openapi-3.0.json")];
    std::fs::write(&files[0], document.json()).unwrap();
    std::fs::write(&files[1], document.json_3_0()).unwrap();
    files
}

#[test]
fn the_specification_itself_is_kept_by_both_documents() {
    for file in documents("spec-validator") {
        run(Command::new(program("venv/bin/openapi-spec-validator")).arg(file));
    }
}

#[test]
fn spectral_finds_no_error_and_no_warning() {
    for file in documents("spectral") {
        let rules = ours("spectral.yaml");
        run(Command::new(of_node("spectral"))
            .args(["lint", "--fail-severity", "warn", "--ruleset"])
            .arg(rules)
            .arg(file));
    }
}

#[test]
fn redocly_finds_no_error_and_no_warning() {
    for file in documents("redocly") {
        let told = run(Command::new(of_node("redocly"))
            .args(["lint", "--extends", "recommended", "--format", "json"])
            .arg(file)
            .env("REDOCLY_TELEMETRY", "off")
            .env("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true"));
        let found = told.replace(' ', "");
        assert!(
            found.contains("\"errors\":0") && found.contains("\"warnings\":0"),
            "{told}"
        );
    }
}

/// The document as the server gives it out, in a folder for a client.
async fn workshop(name: &str, app: &App) -> PathBuf {
    let folder = folder(name);
    let answer = reqwest::get(format!("{}/openapi.json", app.base)).await;
    let text = answer.unwrap().text().await.unwrap();
    std::fs::write(folder.join("openapi.json"), text).unwrap();
    folder
}

async fn told(tell: impl FnOnce() -> String + Send + 'static) {
    let told = actix_web::rt::task::spawn_blocking(tell).await.unwrap();
    assert!(told.contains("The story is told."), "{told}");
}

#[actix_web::test]
async fn a_client_generated_for_typescript_tells_the_story() {
    let app = app();
    let folder = workshop("typescript", app).await;
    std::os::unix::fs::symlink(program("node/node_modules"), folder.join("node_modules")).unwrap();
    std::fs::write(folder.join("package.json"), r#"{"type": "module"}"#).unwrap();
    for name in ["story.ts", "tsconfig.json"] {
        std::fs::copy(ours(name), folder.join(name)).unwrap();
    }
    let base = app.base.clone();

    told(move || {
        run(Command::new(of_node("openapi-typescript"))
            .args(["openapi.json", "--output", "api.ts"])
            .args(["--default-non-nullable", "false"])
            .current_dir(&folder));
        run(Command::new(of_node("tsc"))
            .args(["--project", "."])
            .current_dir(&folder));
        run(Command::new(program("venv/bin/node"))
            .arg("out/story.js")
            .env("AIMS_BASE", base)
            .current_dir(&folder))
    })
    .await;
}

#[actix_web::test]
async fn a_client_generated_for_python_tells_the_story() {
    let app = app();
    let folder = workshop("python", app).await;
    let base = app.base.clone();

    told(move || {
        run(Command::new(program("venv/bin/openapi-python-client"))
            .args(["generate", "--path", "openapi.json"])
            .args(["--output-path", "aims_client", "--meta", "none"])
            .current_dir(&folder));
        run(Command::new(program("venv/bin/python"))
            .arg(ours("story.py"))
            .env("AIMS_BASE", base)
            .env("PYTHONPATH", &folder))
    })
    .await;
}
