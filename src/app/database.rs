//! The database of a process: found or started, migrated, and fit to serve.

use std::thread;

use super::{StartFault, check_kinds, fault, kinds};
use crate::config::Config;
use crate::postgres::{Cluster, Durability, Settings};
use crate::tenancy;

/// The database of a process: the built-in cluster, or one that runs elsewhere.
pub struct Database {
    url: String,
    cluster: Option<Cluster>,
}

impl Database {
    /// Starts the built-in cluster where no address is given, runs pending migrations where the
    /// owner role is known, and refuses a database that is not fit to serve. Blocks.
    pub fn open(config: &Config, durability: Durability) -> Result<Self, StartFault> {
        let (url, owner_url, cluster) = match &config.database_url {
            Some(url) => (url.clone(), config.database_owner_url.clone(), None),
            None => {
                let cluster = Cluster::start(&Settings {
                    root: config.data.clone(),
                    durability,
                    bindir: config.pg_bindir.clone(),
                })
                .map_err(fault)?;
                (cluster.app_url(), Some(cluster.owner_url()), Some(cluster))
            }
        };
        if let Some(owner_url) = owner_url {
            for name in migrate(&owner_url)? {
                tracing::info!("Migration {name} has run");
            }
        }
        let role_fault = blocking(tenancy::table_rights_fault(&url))?;
        if let Some(role_fault) = role_fault.map_err(fault)? {
            return Err(StartFault(role_fault));
        }
        if blocking(tenancy::pending_migrations(&url, &kinds().statuses()))?.map_err(fault)? {
            return Err(StartFault(
                "The schema is older than this program: run `aims migrate` with DATABASE_OWNER_URL first."
                    .to_owned(),
            ));
        }
        Ok(Self { url, cluster })
    }

    /// Address for the runtime role.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Stops the built-in cluster, if it is one. Blocks.
    pub fn close(self) -> Result<(), StartFault> {
        self.cluster
            .map_or(Ok(()), |cluster| cluster.stop().map_err(fault))
    }
}

/// Runs the pending migrations as the owner role; answers their names. Blocks.
pub fn migrate(owner_url: &str) -> Result<Vec<String>, StartFault> {
    check_kinds()?;
    let statuses = kinds().statuses();
    blocking(tenancy::migrate(owner_url, statuses))?.map_err(fault)
}

/// Runs `work` on a runtime of its own, which the migration harness needs.
fn blocking<T: Send>(work: impl Future<Output = T> + Send) -> Result<T, StartFault> {
    thread::scope(|scope| {
        let worker = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .map_err(fault)?;
            Ok(runtime.block_on(work))
        });
        worker
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
