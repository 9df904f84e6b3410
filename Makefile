# GNU make 3.81 or newer. `make` alone lists what there is.
#
# Whatever a target needs beside Rust is installed by `.ci/need`, which says what and why, and does
# nothing when it is there.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# On a build server the lock file is law.
LOCKED := $(if $(CI),--locked)

.PHONY: help run test lint deny openapi schema bench soak

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: ## start the server with demo data on its own database; prints the address and the logins
	@.ci/need rust $(if $(DATABASE_URL),,postgres)
	@echo "Building; the first time takes a few minutes."
	@cargo run $(LOCKED) -- demo

test: ## run all tests, against a real PostgreSQL, Redis, mail server, browser and generated clients
	@.ci/need rust postgres redis chromium schemathesis clients
	cargo test $(LOCKED)

lint: ## check format, lints, licences and banned crates
	@.ci/need rust
	cargo fmt --check
	@if grep -rnE '#!?\[(cfg_attr\(.*)?allow\(|\b(todo|unimplemented)!' src; then \
		echo 'The lines above must go: say #[expect(lint, reason = "...")] instead of allow, and finish what is to do.' >&2; \
		exit 1; \
	fi
	cargo clippy $(LOCKED) --all-targets -- -D warnings
	@if cargo deny --version >/dev/null 2>&1; then \
		cargo deny check licenses bans sources; \
	else \
		echo 'Skipped: licences, banned crates and sources, because cargo-deny is not installed; `make deny` installs it.'; \
	fi

deny: ## check dependencies for advisories, licences, bans and sources; installs cargo-deny
	@.ci/need rust cargo-deny
	cargo deny check

openapi: ## write openapi/openapi.json and openapi/openapi-3.0.json
	@.ci/need rust
	cargo run $(LOCKED) --quiet -- openapi

schema: ## write src/schema.rs anew from the migrations
	@.ci/need rust postgres
	UPDATE=1 cargo test $(LOCKED) --test api schema_file

bench: ## measure speed under load (release build; takes minutes)
	@.ci/need rust postgres
	cargo bench $(LOCKED) --bench load

soak: ## run the long tests: failures, races, growth (takes much longer than `make test`)
	@.ci/need rust postgres redis schemathesis
	AIMS_SOAK=1 cargo test $(LOCKED) --test api soak:: -- --ignored --nocapture
