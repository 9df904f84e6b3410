//! The fuzzer schemathesis against a running server, with all checks.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::kinds::example;
use crate::support::{Firm, Setup};

fn program() -> PathBuf {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/venv/bin/schemathesis");
    assert!(
        program.exists(),
        "schemathesis is missing; `make test` installs it"
    );
    program
}

/// Runs the fuzzer with `arguments` as the AIMS manager of a tenant with one record of each kind.
async fn fuzz(name: &str, arguments: &[&str]) {
    let app = Setup::named(name).start();
    let firm = Firm::sign_up(&app, "Fjordlys Advisory").await;
    let client = firm.client("Aurelia Lending B.V.").await;
    let manager = client.staff("Mara Visser", &["aims_manager"]).await;
    manager
        .api
        .post(&client.path("risks"), &example("risk"), 201)
        .await;

    let folder = app.data.join("fuzz");
    std::fs::create_dir_all(&folder).unwrap();
    let settings = folder.join("schemathesis.toml");
    // A rule of the management system may refuse what the schema allows: 422 with `rule`. A
    // version that has moved on is told before the content is judged (RFC 9110 section 13.2.2).
    // What a batch holds is judged item by item, each with its own status.
    let text = format!(
        "[parameters]\n\"path.tenant_id\" = \"{}\"\n\"path.consultancy_id\" = \"{}\"\n\n[checks]\npositive_data_acceptance.expected-statuses = [\"2xx\", \"304\", \"400\", \"401\", \"403\", \"404\", \"409\", \"412\", \"422\", \"429\"]\nnegative_data_rejection.expected-statuses = [\"400\", \"401\", \"403\", \"404\", \"405\", \"409\", \"412\", \"413\", \"415\", \"422\", \"428\", \"429\"]\nmissing_required_header.expected-statuses = [\"400\", \"401\", \"403\", \"404\", \"415\", \"422\", \"428\"]\n\n[[operations]]\ninclude-path-regex = \"/batch$\"\nchecks.negative_data_rejection.expected-statuses = [\"200\", \"400\", \"401\", \"403\", \"404\", \"405\", \"409\", \"412\", \"413\", \"415\", \"422\", \"428\", \"429\"]\n",
        client.id, firm.id
    );
    std::fs::write(&settings, text).unwrap();
    let token = format!("Authorization: Bearer {}", manager.api.token().unwrap());
    let document = format!("{}/openapi.json", app.base);
    let arguments: Vec<String> = arguments
        .iter()
        .map(|argument| (*argument).to_owned())
        .collect();
    let output = actix_web::rt::task::spawn_blocking(move || {
        Command::new(program())
            .arg("--config-file")
            .arg(&settings)
            .args([
                "run",
                &document,
                "--header",
                &token,
                "--checks",
                "all",
                "--no-color",
            ])
            .args(arguments)
            .current_dir(folder)
            .output()
            .unwrap()
    })
    .await
    .unwrap();
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{report}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Operations that end the session the fuzzer works with; they are tried last, each by itself.
const ENDINGS: [&str; 3] = [
    "/v1/auth/logout",
    "/v1/me/password",
    "/v1/me/sessions/{session_id}",
];

#[actix_web::test]
async fn the_fuzzer_finds_nothing() {
    let mut arguments = vec![
        "--max-examples",
        "2",
        "--phases",
        "examples,coverage,fuzzing",
        "--max-time",
        "60",
        "--seed",
        "42",
    ];
    for path in ENDINGS {
        arguments.extend(["--exclude-path", path]);
    }
    fuzz("fuzz", &arguments).await;
}

#[actix_web::test]
async fn the_fuzzer_finds_nothing_where_sessions_end() {
    for (number, path) in ENDINGS.into_iter().enumerate() {
        fuzz(
            &format!("fuzz_ending_{number}"),
            &[
                "--max-examples",
                "5",
                "--phases",
                "examples,coverage,fuzzing",
                "--include-path",
                path,
                "--seed",
                "42",
            ],
        )
        .await;
    }
}

/// The large run of `make soak`.
mod soak {
    #[actix_web::test]
    #[ignore = "takes half an hour"]
    async fn the_fuzzer_finds_nothing_in_many_more_tries() {
        let mut arguments = vec!["--max-examples", "100", "--max-time", "1800"];
        for path in super::ENDINGS {
            arguments.extend(["--exclude-path", path]);
        }
        super::fuzz("fuzz_soak", &arguments).await;
    }
}
