//! The world that is measured: a cluster full of tenants, and the two servers.

use std::path::PathBuf;
use std::time::Duration;

use aims::app::{Server, migrate};
use aims::config::Config;
use aims::postgres::{Cluster, Durability, Settings};
use serde_json::{Value, json};
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

use crate::Outcome;
use crate::processes::{self, Served};

/// Argument that makes this program the server.
pub const SERVE_SYSTEM: &str = "serve-system";
/// Argument that makes this program the bare server.
pub const SERVE_FLOOR: &str = "serve-floor";
/// Who signs in.
const EMAIL: &str = "owner@example.org";
const PASSWORD: &str = "harbour lantern copper 1742";
/// Milliseconds since 1970 in the id of record 0.
const FIRST_RECORD: u64 = 1_700_000_000_000;

/// How much is measured.
#[derive(Clone, Debug)]
pub struct Size {
    /// Tenants.
    pub tenants: u64,
    /// Records of each.
    pub records: u64,
    /// Length of a round.
    pub round: Duration,
    /// Rounds of each work.
    pub rounds: usize,
    only: Vec<String>,
}

impl Size {
    /// The size asked for.
    pub fn of_environment() -> Self {
        let number = |name, or| {
            setting(name)
                .and_then(|text| text.parse().ok())
                .unwrap_or(or)
        };
        Self {
            tenants: number("BENCH_TENANTS", 100).max(1),
            records: number("BENCH_RECORDS", 2_000).max(60),
            round: Duration::from_secs(number("BENCH_SECONDS", 3).max(1)),
            rounds: usize::try_from(number("BENCH_ROUNDS", 3))
                .unwrap_or(1)
                .max(1),
            only: setting("BENCH_ONLY")
                .map(|list| list.split(',').map(str::to_owned).collect())
                .unwrap_or_default(),
        }
    }

    /// AI systems of each tenant; the first records.
    pub fn systems(&self) -> u64 {
        self.records / 20
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the bench is no part of the server"
)]
pub fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Everything that is there while the bench runs.
pub struct World {
    /// How large it is.
    pub size: Size,
    /// The server, as in production.
    pub system: Served,
    /// Its memory before the first request.
    pub idle_mb: f64,
    /// The yardstick.
    pub floor: Served,
    /// The firm that runs all tenants.
    pub firm: Uuid,
    /// Its owner.
    pub user: Uuid,
    /// Process id of PostgreSQL.
    pub postmaster: u32,
    cluster: Cluster,
    // Removed last.
    folder: Folder,
}

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Waits for something asynchronous.
pub fn wait<T>(future: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(future)
}

impl World {
    /// Makes and fills it.
    pub fn start(size: Size) -> Outcome<Self> {
        let name = format!("aims-bench-{}", std::process::id());
        let folder = Folder(std::env::temp_dir().join(name));
        let cluster = Cluster::start(&Settings {
            root: folder.0.clone(),
            durability: Durability::Safe,
            bindir: setting("PG_BINDIR").map(PathBuf::from),
        })?;
        migrate(&cluster.owner_url())?;
        let postmaster = processes::postmaster(&folder.0)?;
        let floor_url = superuser_url(&cluster, &folder.0)?;
        let system = serve(&folder.0, &cluster.app_url(), 2, 8)?;
        std::thread::sleep(Duration::from_millis(500));
        let idle_mb = processes::memory(system.pid())?;
        let (firm, user) = wait(sign_up(&system))?;
        println!(
            "Filling {} tenants with {} records each",
            size.tenants, size.records
        );
        wait(async { fill(&connect(&floor_url).await?, &size, firm, user).await })?;
        let floor = Served::start(SERVE_FLOOR, &[("DATABASE_URL", floor_url)])?;
        Ok(Self {
            size,
            system,
            idle_mb,
            floor,
            firm,
            user,
            postmaster,
            cluster,
            folder,
        })
    }

    /// Whether a work was asked for.
    pub fn wants(&self, work: &str) -> bool {
        self.size.only.is_empty() || self.size.only.iter().any(|name| name == work)
    }

    /// Another server, which reaches PostgreSQL by one connection through another socket folder.
    pub fn serve_through(&self, socket: &str) -> Outcome<Served> {
        let url = self.cluster.app_url();
        let (start, rest) = url.split_once('@').ok_or("an address without a password")?;
        let (_, database) = rest
            .split_once('/')
            .ok_or("an address without a database")?;
        let socket = socket.replace('/', "%2F");
        serve(
            &self.folder.0,
            &format!("{start}@{socket}/{database}"),
            1,
            1,
        )
    }

    /// Folder of the socket of PostgreSQL.
    pub fn socket(&self) -> PathBuf {
        self.folder.0.join("postgres/run")
    }

    /// A connection that sees all rows.
    pub async fn superuser(&self) -> Outcome<Client> {
        connect(&superuser_url(&self.cluster, &self.folder.0)?).await
    }

    /// The password of the superuser.
    pub fn superuser_password(&self) -> Outcome<String> {
        superuser_password(&self.folder.0)
    }

    /// A fresh access token; it is good for ten minutes.
    pub fn token(&self) -> Outcome<String> {
        let body = json!({"email": EMAIL, "password": PASSWORD});
        let answer = wait(post(&self.system, "/v1/auth/login", &body))?;
        Ok(text(&answer, "access_token")?.to_owned())
    }

    /// CPU time of the server and of PostgreSQL.
    pub fn cpu_with_postgres(&self, server: &Served) -> Duration {
        processes::cpu(server.pid()) + processes::postgres_cpu(self.postmaster)
    }

    /// Id of a tenant, from 1.
    pub fn tenant(number: u64) -> String {
        format!("00000000-0000-7000-8000-{number:012x}")
    }

    /// Id of a record of a tenant, from 1.
    pub fn record(tenant: u64, number: u64) -> String {
        let time = format!("{:012x}", FIRST_RECORD + number);
        let (high, low) = time.split_at(8);
        format!("{high}-{low}-7000-8000-{tenant:012x}")
    }
}

fn superuser_password(root: &std::path::Path) -> Outcome<String> {
    let file = std::fs::read_to_string(root.join("postgres/passwords/superuser"))?;
    Ok(file.trim().to_owned())
}

/// The superuser is not subject to row-level security.
fn superuser_url(cluster: &Cluster, root: &std::path::Path) -> Outcome<String> {
    let url = cluster.owner_url();
    let (_, place) = url.split_once('@').ok_or("an address without a password")?;
    let password = superuser_password(root)?;
    Ok(format!("postgresql://aims_superuser:{password}@{place}"))
}

async fn connect(url: &str) -> Outcome<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

fn serve(
    root: &std::path::Path,
    database_url: &str,
    workers: usize,
    connections: usize,
) -> Outcome<Served> {
    Served::start(
        SERVE_SYSTEM,
        &[
            ("BIND", "127.0.0.1:0".to_owned()),
            ("PUBLIC_URL", "https://aims.example.org".to_owned()),
            ("AIMS_DATA", root.join("server").display().to_string()),
            ("DATABASE_URL", database_url.to_owned()),
            ("RATE_LIMIT", "400000000".to_owned()),
            ("WORKERS", workers.to_string()),
            ("DB_CONNECTIONS", connections.to_string()),
        ],
    )
}

/// The server, in a process of its own.
pub fn serve_system() -> Outcome<()> {
    let config = Config::from_env().map_err(|faults| faults.join("\n"))?;
    let url = config.database_url.clone().ok_or("no DATABASE_URL")?;
    std::fs::create_dir_all(&config.data)?;
    actix_web::rt::System::new().block_on(async {
        let server = Server::start(config, &url).await?;
        println!("{}", server.address());
        processes::end_with_parent();
        Ok(server.run().await?)
    })
}

fn text<'a>(value: &'a Value, name: &str) -> Outcome<&'a str> {
    let found = value.get(name).and_then(Value::as_str);
    found.ok_or_else(|| format!("no {name} in {value}").into())
}

async fn post(server: &Served, path: &str, body: &Value) -> Outcome<Value> {
    let request = reqwest::Client::new().post(format!("http://{}{path}", server.address));
    let answer = request
        .header("content-type", "application/json")
        .body(body.to_string())
        .send()
        .await?;
    Ok(serde_json::from_str(&answer.text().await?)?)
}

/// A firm and its owner.
async fn sign_up(server: &Served) -> Outcome<(Uuid, Uuid)> {
    let owner = json!({"name": "Astrid Fjord", "email": EMAIL, "password": PASSWORD});
    let body = json!({"name": "Fjord Advisory", "owner": owner});
    let firm = post(server, "/v1/consultancies", &body).await?;
    let login = json!({"email": EMAIL, "password": PASSWORD});
    let login = post(server, "/v1/auth/login", &login).await?;
    let me = reqwest::Client::new()
        .get(format!("http://{}/v1/me", server.address))
        .bearer_auth(text(&login, "access_token")?)
        .send()
        .await?;
    let me: Value = serde_json::from_str(&me.text().await?)?;
    Ok((text(&firm, "id")?.parse()?, text(&me, "id")?.parse()?))
}

/// The body of a risk without what is told apart below; also what is created.
pub fn risk() -> Value {
    json!({
        "source": "machine_learning",
        "category": "people",
        "objective_at_risk": "Fair credit decisions",
        "cause": "Postcode and employer stand in for origin",
        "event": "Applicants of one group are declined more often",
        "consequences": "People are denied credit unfairly; supervisory measures",
        "treatment_option": "reduce",
    })
}

fn system() -> Value {
    json!({
        "purpose": "Credit score of consumers",
        "intended_use": "Ranks loan applications; a human decides below the cut-off",
        "foreseeable_misuse": ["Declining by score alone"],
        "technique": "classical_ml",
        "autonomy": 2,
        "origin": "built",
        "users": "Credit officers",
        "affected_groups": ["applicants", "applicants with thin credit file"],
        "decision_effect": "decide_with_human",
        "personal_data": true,
        "regions": ["NL"],
        "criticality": 5,
        "model_version": "2.3",
    })
}

/// Inserts everything as it would be after years of work; foreign keys are not checked.
async fn fill(db: &Client, size: &Size, firm: Uuid, user: Uuid) -> Outcome<()> {
    db.batch_execute("SET session_replication_role = replica; SET synchronous_commit = off")
        .await?;
    let (systems, records) = (size.systems(), size.records);
    let (risk, system) = (risk(), system());
    for number in 1..=size.tenants {
        let tenant = World::tenant(number);
        let id = |n: &str| {
            format!(
                "(lpad(to_hex({FIRST_RECORD} + {n}), 12, '0') || '70008000{number:012x}')::uuid"
            )
        };
        let (own_id, of_system) = (id("n"), id(&format!("(1 + n % {systems})")));
        db.batch_execute(&format!(
            "BEGIN;
             INSERT INTO tenants (id, consultancy_id, name, time_zone, stage, created_at, updated_at)
               VALUES ('{tenant}', '{firm}', 'Client {number}', 'Europe/Amsterdam', 'active', now(), now());
             INSERT INTO engagements (id, consultancy_id, tenant_id, service, starts_on, created_at, updated_at)
               VALUES ('{tenant}', '{firm}', '{tenant}', 'managed', '2020-01-01', now(), now());
             INSERT INTO memberships (id, tenant_id, user_id, engagement_id, roles, valid_from, created_at, updated_at)
               VALUES ('{tenant}', '{tenant}', '{user}', '{tenant}', '{{lead}}', '2020-01-01', now(), now());
             INSERT INTO people VALUES ('{tenant}', '{user}');
             INSERT INTO counters VALUES ('{tenant}', 'ai_system', {systems}), ('{tenant}', 'risk', {records});
             INSERT INTO chains VALUES ('{tenant}', 0, decode(repeat('00', 32), 'hex'), now(), now());
             INSERT INTO records (tenant_id, id, kind, ref_no, ref, title, status, version, owner_id,
                 created_at, created_by, updated_at, updated_by, authors, body)
               SELECT '{tenant}', {own_id}, 'ai_system', n, 'SYS-' || lpad(n::text, 3, '0'), 'LoanLens ' || n,
                 'inception', 1, '{user}', now(), '{user}', now(), '{user}', ARRAY['{user}'::uuid], '{system}'
               FROM generate_series(1, {systems}) n;
             INSERT INTO records (tenant_id, id, kind, ref_no, ref, title, status, version, owner_id, next_review_on,
                 created_at, created_by, updated_at, updated_by, authors, facet_1, facet_2, sort_1, words, body)
               SELECT '{tenant}', {own_id}, 'risk', n, 'RSK-' || lpad(n::text, 3, '0'),
                 (ARRAY['Proxy discrimination of applicants', 'Drift after a change of suppliers', 'Leak of training data',
                   'Reviewers follow the score', 'Outage of the model'])[1 + n % 5] || ' ' || n,
                 CASE WHEN n > {records} * 5 / 6 THEN 'closed'
                   ELSE (ARRAY['identified', 'analysed', 'evaluated', 'treating', 'monitored'])[1 + n % 5] END,
                 1, '{user}', CASE WHEN n % 4 = 0 THEN date '2026-06-01' + n END,
                 now(), '{user}', now(), '{user}', ARRAY['{user}'::uuid],
                 rating ->> 'level', (n % 20 = 0)::text,
                 array_position(ARRAY['low', 'medium', 'high', 'critical'], rating ->> 'level') - 1,
                 ' rsk ' || lower((ARRAY['Proxy discrimination of applicants', 'Drift after a change of suppliers', 'Leak of training data',
                   'Reviewers follow the score', 'Outage of the model'])[1 + n % 5]) || ' ' || n,
                 '{risk}'::jsonb || jsonb_build_object(
                   'ai_system_id', {of_system},
                   'inherent', rating, 'current', rating, 'residual', null, 'target', null, 'residual_reason', null,
                   'level', rating -> 'level', 'above_tolerance', n % 20 = 0, 'criteria_ref', 'CRI-001')
               FROM generate_series({systems} + 1, {records}) n,
                 LATERAL (SELECT jsonb_build_object('likelihood', 1 + n % 5, 'consequence', 1 + n % 3,
                   'organisation', null, 'people', null, 'society', null, 'score', (1 + n % 5) * (1 + n % 3),
                   'level', (ARRAY['low', 'low', 'medium', 'medium', 'high', 'high', 'high', 'critical'])[1 + n % 8]
                 ) AS rating) AS rated;
             INSERT INTO links (tenant_id, id, from_id, from_kind, relation, field, to_id, to_kind, created_at, created_by)
               SELECT tenant_id, id, id, 'risk', 'refers_to', '/ai_system_id', (body ->> 'ai_system_id')::uuid, 'ai_system', now(), '{user}'
               FROM records WHERE tenant_id = '{tenant}' AND body ->> 'ai_system_id' IS NOT NULL;
             INSERT INTO deadlines (tenant_id, record_id, name, due_on, set_on, person_id, roles)
               SELECT tenant_id, id, 'review', next_review_on, '2026-01-01', '{user}', '{{}}'
               FROM records WHERE tenant_id = '{tenant}' AND next_review_on IS NOT NULL AND status <> 'closed';
             COMMIT"
        ))
        .await?;
    }
    for sql in ["VACUUM ANALYZE", "CHECKPOINT"] {
        db.batch_execute(sql).await?;
    }
    Ok(())
}
