//! From settings to a running service.

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use tenon_circuits::rollup::{Address, domain, field};
use tenon_proto::{FILE_DESCRIPTOR_SET, v1::prover_server::ProverServer};
use tokio::{net::TcpListener, runtime::Handle, sync::watch, task::JoinHandle, time::timeout};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tracing::{info, warn};

use crate::{
    config::{Config, ObjectStoreAddress},
    core::{Changes, Core},
    engine::Engine,
    executor::{Executor, GenesisError, L1Ties, Limits, OperationQueue, RebuildError, genesis_state},
    grpc::ProverService,
    http,
    jobs::scheduler,
    settlement::{Archive, L1Connection, L1Side, SettlementError},
    store::{
        DataDirLock, LockError, Store, StoreError,
        files::{FileError, Files},
        place::{Place, PlaceError},
        sql::SqlStore,
    },
    telemetry::Metrics,
    worker::{Pool, PoolError},
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
    /// The database can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The data directory's files can't be used.
    #[error(transparent)]
    Files(#[from] FileError),
    /// The object store can't be used.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// L1 can't be followed.
    #[error(transparent)]
    Settlement(#[from] SettlementError),
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
        let lock = DataDirLock::take(&config.data_dir)?;
        let genesis = genesis_state(config.genesis.as_deref())?;
        let (grpc, grpc_addr) = listen("grpc_listen", config.grpc_listen).await?;
        let (http, http_addr) = listen("http_listen", config.http_listen).await?;

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
        let returned = store.recover(&circuits.leaf.key_digest).await?;
        if returned > 0 {
            warn!(tasks = returned, "tasks of an earlier process are queued again");
        }
        let archive = Arc::new(Archive::new(&config.data_dir.join("archive")));
        let l1 = match connection {
            Some(connection) => {
                let side = L1Side::connect(connection, &config, &store, &files, &archive, domain).await?;
                Some(Arc::new(side))
            }
            None => None,
        };
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
            genesis,
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
        let core = Arc::new(Core {
            config,
            engine,
            store,
            files,
            executor,
            l1,
            metrics: Arc::new(Metrics::new()?),
            changes: Changes::new(),
            domain,
            started: Instant::now(),
            stop: watch::Sender::new(false),
        });
        let follower = core.l1.clone().map(|l1| tokio::spawn(l1.run(Arc::clone(&core))));
        let servers = vec![serve_grpc(&core, grpc).await?, serve_http(&core, http)];
        let scheduler = tokio::spawn(scheduler::run(Arc::clone(&core)));
        let pool = Pool::start(Arc::clone(&core), Handle::current())?;
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

/// The files' place that the settings name.
fn open_files(config: &Config) -> Result<Files, StartError> {
    Ok(match &config.object_store {
        None => Files::open(&config.data_dir)?,
        Some(ObjectStoreAddress::Directory(path)) => Files::at(Place::shared(path))?,
        Some(ObjectStoreAddress::Bucket(address)) => Files::at(Place::bucket(address, Handle::current())?)?,
    })
}

/// The database that the settings name.
async fn open_store(config: &Config) -> Result<SqlStore, StoreError> {
    match &config.database_url {
        Some(url) => SqlStore::connect(url.reveal()).await,
        None => SqlStore::open(&config.data_dir.join("tenon.db")).await,
    }
}

async fn listen(setting: &'static str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |error| StartError::Listen { setting, address, error };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

async fn serve_grpc(core: &Arc<Core>, listener: TcpListener) -> Result<JoinHandle<()>, StartError> {
    let limit = core.config.max_message_bytes;
    let prover = ProverServer::new(ProverService::new(Arc::clone(core)))
        .max_decoding_message_size(limit)
        .max_encoding_message_size(usize::MAX);
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_serving::<ProverServer<ProverService>>().await;
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let router = Server::builder()
        .timeout(core.config.request_timeout)
        .add_service(prover)
        .add_service(health)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?);
    let mut stopping = core.stopping();
    Ok(tokio::spawn(async move {
        let end = async {
            stopping.wait().await;
            reporter.set_not_serving::<ProverServer<ProverService>>().await;
        };
        let served = router.serve_with_incoming_shutdown(TcpListenerStream::new(listener), end).await;
        if let Err(error) = served {
            tracing::error!(%error, "the gRPC server stopped");
        }
    }))
}

fn serve_http(core: &Arc<Core>, listener: TcpListener) -> JoinHandle<()> {
    let router = http::router(Arc::clone(core));
    let mut stopping = core.stopping();
    tokio::spawn(async move {
        let end = async move { stopping.wait().await };
        if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(end).await {
            tracing::error!(%error, "the HTTP server stopped");
        }
    })
}
