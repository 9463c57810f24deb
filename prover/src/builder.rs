//! From settings to a running service.

use std::{
    io,
    net::SocketAddr,
    process,
    sync::Arc,
    time::{Duration, Instant},
};

use tenon_circuits::rollup::{Address, domain, field};
use tokio::{net::TcpListener, runtime::Handle, sync::watch, task::JoinHandle, time::timeout};
use tracing::{info, warn};

use crate::{
    api_tokens::{TokenError, Verifier},
    config::{Config, ObjectStoreAddress},
    core::{Changes, Core},
    engine::Engine,
    executor::{
        Executor, GenesisError, L1Ties, Limits, OperationQueue, Position, RebuildError, genesis_state,
    },
    grpc, http,
    jobs::scheduler,
    listener::{Incoming, Tls, TlsError},
    settlement::{Archive, L1Connection, L1Side, SettlementError, StartStateError, first_state},
    store::{
        DataDirLock, LockError, SERVICE_OWNER, ServiceKeys, Store, StoreError,
        files::{FileError, Files},
        place::{Place, PlaceError},
        sql::SqlStore,
    },
    telemetry::Metrics,
    worker::{
        Crew, Pool, PoolError,
        source::{Direct, SourceError, Terms},
    },
};

/// Time that open connections get to end at shutdown.
const CONNECTION_GRACE: Duration = Duration::from_secs(2);

/// The service couldn't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory is held or not writable.
    #[error(transparent)]
    DataDir(#[from] LockError),
    /// The genesis file can't be used.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// A listener couldn't be opened.
    #[error("{setting} {address}: {}", describe(.error))]
    Listen {
        /// The setting that names the address.
        setting: &'static str,
        /// The address.
        address: SocketAddr,
        /// Why.
        error: io::Error,
    },
    /// The file of tokens can't be used.
    #[error(transparent)]
    Tokens(#[from] TokenError),
    /// The certificate can't be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The database can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The data directory's files can't be used.
    #[error(transparent)]
    Files(#[from] FileError),
    /// A worker has nothing to take tasks from.
    #[error("a worker needs the database of its service (database_url) or, with --remote, its address")]
    NoDatabase,
    /// The service has no task for this worker.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The object store can't be used.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// L1 can't be followed.
    #[error(transparent)]
    Settlement(#[from] SettlementError),
    /// The log can't begin where it should.
    #[error(transparent)]
    StartState(#[from] StartStateError),
    /// The state can't be rebuilt.
    #[error(transparent)]
    Rebuild(#[from] RebuildError),
    /// The workers couldn't start.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// The metrics couldn't be made.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The reflection service couldn't be made.
    #[error("reflection: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// Operations that a batch takes from the contract's queue at most: with a refund each their words fit a batch.
const L1_OPERATIONS: usize = 512;

fn describe(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "the port is in use by another process; choose another one".to_owned(),
        io::ErrorKind::PermissionDenied => format!("not allowed to listen there ({error})"),
        _ => error.to_string(),
    }
}

/// Starts services.
#[derive(Debug)]
pub struct Service;

impl Service {
    /// Starts a service in the current tokio runtime. It runs until
    /// [`RunningService::shutdown`].
    ///
    /// # Errors
    /// When its directory, ports or files can't be used.
    pub async fn start(config: Config, engine: Arc<dyn Engine>) -> Result<RunningService, StartError> {
        let connection = match &config.l1 {
            Some(settings) => {
                let connection = L1Connection::from_settings(settings, config.chain_id);
                Some(connection.map_err(SettlementError::from)?)
            }
            None => None,
        };
        Self::start_on(config, engine, connection).await
    }

    /// Starts a service that follows this L1, or none, whatever the settings say of it.
    ///
    /// # Errors
    /// As [`Service::start`].
    pub async fn start_on(
        config: Config,
        engine: Arc<dyn Engine>,
        connection: Option<L1Connection>,
    ) -> Result<RunningService, StartError> {
        let tokens = config.tokens_file.as_deref().map(Verifier::open).transpose()?.map(Arc::new);
        let lock = DataDirLock::take(&config.data_dir)?;
        let genesis = genesis_state(config.genesis.as_deref())?;
        let (grpc, grpc_addr) = listen("grpc_listen", config.grpc_listen, b"h2", &config).await?;
        let (http, http_addr) = listen("http_listen", config.http_listen, b"http/1.1", &config).await?;

        let files = Arc::new(open_files(&config)?);
        let store: Arc<dyn Store> = Arc::new(open_store(&config).await?);
        let rollup = Address(config.rollup_address);
        let domain = domain(config.chain_id, rollup);
        let circuits = engine.circuits();
        store
            .bind(&[
                ("chain id", config.chain_id.to_string()),
                ("rollup address", rollup.to_string()),
                ("domain", field::to_hex(&domain)),
                ("genesis state", field::to_hex(&genesis.commitment())),
                ("protocol version", circuits.protocol_version.clone()),
            ])
            .await?;
        let keys =
            ServiceKeys { leaf: circuits.leaf.key_digest, aggregation: circuits.aggregation.key_digest };
        store.lead(&keys).await?;
        let returned = store.recover(&circuits.leaf.key_digest).await?;
        if returned > 0 {
            warn!(tasks = returned, "tasks of an earlier process are queued again");
        }
        let archive = Arc::new(open_archive(&config)?);
        let l1 = match connection {
            Some(connection) => {
                let side = L1Side::connect(connection, &config, &store, &files, &archive, domain).await?;
                Some(Arc::new(side))
            }
            None => None,
        };
        let snapshot = config.from_snapshot.as_deref();
        let origin = first_state(&*store, &archive, l1.as_deref(), domain, snapshot)
            .await?
            .unwrap_or_else(|| Position::genesis(genesis));
        let ties = L1Ties {
            queue: l1.as_ref().map(|l1| Arc::new(l1.follower.clone()) as Arc<dyn OperationQueue>),
            archive,
        };
        let limits = Limits {
            chunk_capacity: circuits.size_class.capacity,
            chunks: circuits.leaves,
            l1_operations: L1_OPERATIONS,
            queued_batches: config.max_queued_batches,
            checkpoint_interval: config.checkpoint_interval,
        };
        let executor = Executor::start(
            Arc::clone(&engine),
            Arc::clone(&store),
            Arc::clone(&files),
            domain,
            origin,
            ties,
            limits,
        )
        .await?;
        let position = executor.position();
        info!(
            batch = position.number,
            accounts = position.state.next_index(),
            state = field::to_hex(&position.state.commitment()),
            "state rebuilt from the log"
        );
        let metrics = Arc::new(Metrics::new(&config)?);
        let core = Arc::new(Core {
            config,
            engine,
            store,
            files,
            executor,
            l1,
            metrics,
            changes: Arc::new(Changes::new()),
            domain,
            started: Instant::now(),
            stop: watch::Sender::new(false),
        });
        let follower = core.l1.clone().map(|l1| tokio::spawn(l1.run(Arc::clone(&core))));
        let servers = vec![grpc::serve(&core, grpc, tokens.clone()).await?, http::serve(&core, http, tokens)];
        let scheduler = tokio::spawn(scheduler::run(Arc::clone(&core)));
        if core.config.database_url.is_some() {
            tokio::spawn(scheduler::follow_events(Arc::clone(&core)));
        }
        let pool = Pool::start(Arc::new(crew(&core)), Handle::current())?;
        info!(%grpc_addr, %http_addr, workers = core.config.workers, threads = core.config.threads_per_worker, "service started");
        let _end = StopOnDrop(Arc::clone(&core));
        Ok(RunningService { grpc_addr, http_addr, core, pool, servers, scheduler, follower, lock, _end })
    }
}

/// A running service.
#[must_use = "a service stops orderly only through shutdown()"]
pub struct RunningService {
    /// Where gRPC is served.
    pub grpc_addr: SocketAddr,
    /// Where metrics and health are served.
    pub http_addr: SocketAddr,
    core: Arc<Core>,
    pool: Pool,
    servers: Vec<JoinHandle<()>>,
    scheduler: JoinHandle<()>,
    follower: Option<JoinHandle<()>>,
    lock: DataDirLock,
    _end: StopOnDrop,
}

/// Stops the threads of a service that is dropped without a shutdown.
struct StopOnDrop(Arc<Core>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop.send_replace(true);
        self.0.changes.notify();
    }
}

impl RunningService {
    /// Returns once the service stops, which it does by itself when another server takes charge.
    pub async fn ended(&self) {
        self.core.stopping().wait().await;
    }

    /// Stops: refuses new requests, lets tasks finish for the configured time or hands them back,
    /// and closes the store.
    pub async fn shutdown(self) {
        info!("stopping");
        self.core.stop.send_replace(true);
        self.core.changes.notify();
        self.pool.stop().await;
        for mut server in self.servers {
            if timeout(CONNECTION_GRACE, &mut server).await.is_err() {
                server.abort();
            }
        }
        // What it was doing it finds again.
        if let Some(follower) = self.follower {
            follower.abort();
        }
        if self.scheduler.await.is_err() {
            warn!("the scheduler had stopped before");
        }
        self.core.store.close().await;
        self.lock.release();
        info!("stopped");
    }
}

/// The workers of the service's own process.
fn crew(core: &Core) -> Crew {
    let terms = Terms::of(&core.config);
    Crew {
        name: format!("{SERVICE_OWNER}{}", process::id()),
        config: core.config.clone(),
        engine: Arc::clone(&core.engine),
        source: Arc::new(Direct::new(Arc::clone(&core.store), Arc::clone(&core.files), core.domain, terms)),
        metrics: Arc::clone(&core.metrics),
        changes: Arc::clone(&core.changes),
        stop: core.stop.clone(),
    }
}

/// The files' place that the settings name.
pub(crate) fn open_files(config: &Config) -> Result<Files, StartError> {
    Ok(match &config.object_store {
        None => Files::open(&config.data_dir)?,
        Some(ObjectStoreAddress::Directory(path)) => Files::at(Place::shared(path))?,
        Some(ObjectStoreAddress::Bucket(address)) => Files::at(Place::bucket(address, Handle::current())?)?,
    })
}

/// The archive of the rollup's data, beside the other files.
fn open_archive(config: &Config) -> Result<Archive, PlaceError> {
    Ok(match &config.object_store {
        None => Archive::new(&config.data_dir.join("archive")),
        Some(ObjectStoreAddress::Directory(path)) => Archive::new(&path.join("archive")),
        Some(ObjectStoreAddress::Bucket(address)) => {
            let address = format!("{}/archive", address.trim_end_matches('/'));
            Archive::at(Place::bucket(&address, Handle::current())?)
        }
    })
}

/// The database that the settings name.
async fn open_store(config: &Config) -> Result<SqlStore, StoreError> {
    match &config.database_url {
        Some(url) => SqlStore::connect(url.reveal()).await,
        None => SqlStore::open(&config.data_dir.join("tenon.db")).await,
    }
}

async fn listen(
    setting: &'static str,
    address: SocketAddr,
    protocol: &'static [u8],
    config: &Config,
) -> Result<(Incoming, SocketAddr), StartError> {
    let failed = |error| StartError::Listen { setting, address, error };
    let tls = config.tls.as_ref().map(|files| Tls::open(files, protocol)).transpose()?;
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((Incoming::start(listener, tls, config.max_connections), address))
}
