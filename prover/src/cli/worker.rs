//! `tenon worker`.

use std::sync::Arc;

use clap::Args;
use tenon_prover::{
    telemetry,
    worker::{
        process::{RunningWorker, shared_source},
        remote::Remote,
        source::Source,
    },
};

use super::{
    client::Server,
    failure::{Failure, Outcome},
    preflight,
    progress::Progress,
    serve::Ended,
    settings::{All, Settings},
};

/// Proves for a service on another machine, until it is interrupted or terminated.
///
/// It needs the service's keys, and either its database_url and object_store or, with --remote, its gRPC address and a
/// token with the scope worker.
#[derive(Debug, Args)]
pub struct Worker {
    /// Takes tasks over gRPC instead of from the database.
    #[arg(long)]
    remote: bool,
    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    settings: Settings<All>,
}

impl Worker {
    /// Runs the command.
    pub async fn run(self) -> Outcome {
        let config = self.settings.load()?;
        let export = telemetry::init_logging(&config).map_err(Failure::request)?;
        let mut ended = Ended::new()?;
        let progress = Progress::new(false);
        let engine = tokio::select! {
            engine = preflight::engine(&config, &progress) => engine?,
            () = ended.wait() => return Ok(()),
        };
        let source: Arc<dyn Source> = if self.remote {
            Arc::new(Remote::connect(self.server.prepare()?).await.map_err(Failure::work)?)
        } else {
            shared_source(&config).await.map_err(Failure::work)?
        };
        let worker = RunningWorker::start(config, engine, source).map_err(Failure::work)?;
        ended.wait().await;
        worker.shutdown().await;
        export.end().await;
        Ok(())
    }
}
