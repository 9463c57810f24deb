//! A process that proves for a service elsewhere.

use std::{io, process, sync::Arc};

use tenon_circuits::rollup::field;
use tokio::{runtime::Handle, sync::watch};
use tracing::info;

use super::{
    Crew, Pool,
    source::{Direct, Source, SourceError, Terms},
};
use crate::{
    builder::{StartError, open_files},
    config::{Config, ObjectStoreAddress},
    core::Changes,
    engine::Engine,
    store::{Lead, sql::SqlStore},
    telemetry::Metrics,
};

/// The database and the object store that a worker shares with its service.
///
/// # Errors
/// When they can't be reached, or no service has used the database yet.
pub async fn shared_source(config: &Config) -> Result<Arc<dyn Source>, StartError> {
    let url = config.database_url.as_ref().ok_or(StartError::NoDatabase)?;
    let store = SqlStore::join(url.reveal()).await?;
    let domain = store.identity("domain").await?.ok_or(SourceError::NoService)?;
    let domain = field::from_hex(&domain).map_err(|error| SourceError::Refused(error.to_string()))?;
    // The service owns its data directory; here it is one of several writers.
    let mut config = config.clone();
    let directory = config.data_dir.clone();
    config.object_store.get_or_insert(ObjectStoreAddress::Directory(directory));
    let files = Arc::new(open_files(&config)?);
    Ok(Arc::new(Direct::new(Arc::new(store), files, domain, Terms::of(&config))))
}

/// Workers that run in this process.
#[must_use = "workers hand their tasks back only through shutdown()"]
pub struct RunningWorker {
    pool: Pool,
    stop: watch::Sender<bool>,
    changes: Arc<Changes>,
}

impl RunningWorker {
    /// Starts the configured number of workers in the current tokio runtime.
    ///
    /// # Errors
    /// When threads or metrics can't be made.
    pub fn start(
        config: Config,
        engine: Arc<dyn Engine>,
        source: Arc<dyn Source>,
    ) -> Result<Self, StartError> {
        let (stop, changes) = (watch::Sender::new(false), Arc::new(Changes::new()));
        let name = format!("{}/{}", host_name(), process::id());
        info!(name, workers = config.workers, threads = config.threads_per_worker, "worker started");
        let metrics = Arc::new(Metrics::new(&config)?);
        let crew =
            Crew { name, config, engine, source, metrics, changes: Arc::clone(&changes), stop: stop.clone() };
        let pool = Pool::start(Arc::new(crew), Handle::current())?;
        Ok(Self { pool, stop, changes })
    }

    /// Lets tasks in work finish for the configured time, then hands them back.
    pub async fn shutdown(self) {
        info!("stopping");
        self.stop.send_replace(true);
        self.changes.notify();
        self.pool.stop().await;
        info!("stopped");
    }
}

/// The machine's name.
fn host_name() -> String {
    let read = |path: &str| -> io::Result<String> { std::fs::read_to_string(path) };
    let name = read("/proc/sys/kernel/hostname").or_else(|_| read("/etc/hostname")).unwrap_or_default();
    let name: String =
        name.trim().chars().filter(|c| c.is_ascii_alphanumeric() || ".-_".contains(*c)).take(64).collect();
    if name.is_empty() { "worker".to_owned() } else { format!("worker-{name}") }
}
