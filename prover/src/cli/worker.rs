//! `tenon worker`.

use clap::Args;
use tenon_prover::{
    telemetry,
    worker::process::{RunningWorker, shared_source},
};

use super::{
    failure::{Failure, Outcome},
    preflight,
    progress::Progress,
    serve::Ended,
    settings::{All, Settings},
};

/// Proves for a service on another machine, until it is interrupted or terminated.
///
/// It needs the service's database_url and object_store, and the same keys.
#[derive(Debug, Args)]
pub struct Worker {
    #[command(flatten)]
    settings: Settings<All>,
}

impl Worker {
    /// Runs the command.
    pub async fn run(self) -> Outcome {
        let config = self.settings.load()?;
        telemetry::init_logging(&config);
        let mut ended = Ended::new()?;
        let progress = Progress::new(false);
        let engine = tokio::select! {
            engine = preflight::engine(&config, &progress) => engine?,
            () = ended.wait() => return Ok(()),
        };
        let source = shared_source(&config).await.map_err(Failure::work)?;
        let worker = RunningWorker::start(config, engine, source).map_err(Failure::work)?;
        ended.wait().await;
        worker.shutdown().await;
        Ok(())
    }
}
