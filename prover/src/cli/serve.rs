//! `tenon serve`.

use clap::Args;
use tenon_prover::{Service, telemetry};

use super::{
    failure::{Blame, Failure, Outcome},
    output, preflight,
    progress::Progress,
    settings::{All, Settings},
};

/// Runs the prover service until it is interrupted or terminated.
#[derive(Debug, Args)]
pub struct Serve {
    /// Says as one JSON object where the service listens.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Settings<All>,
}

impl Serve {
    /// Runs the command.
    pub async fn run(self) -> Outcome {
        let config = self.settings.load()?;
        let scheme = if config.tls.is_some() { "https" } else { "http" };
        let export = telemetry::init_logging(&config).map_err(Failure::request)?;
        preflight::service(&config)?;
        let mut ended = Ended::new()?;
        let progress = Progress::new(false);
        let engine = tokio::select! {
            engine = preflight::engine(&config, &progress) => engine?,
            () = ended.wait() => return Ok(()),
        };
        // A start may wait for the end of another server on the same database.
        let service = tokio::select! {
            started = Service::start(config, engine) => started.map_err(Failure::work)?,
            () = ended.wait() => return Ok(()),
        };
        if self.json {
            output::json(&serde_json::json!({
                "grpc": format!("{scheme}://{}", service.grpc_addr),
                "http": format!("{scheme}://{}", service.http_addr),
            }))?;
        } else {
            output::line(format!("gRPC on {scheme}://{}", service.grpc_addr))?;
            output::line(format!("status page, metrics and health on {scheme}://{}", service.http_addr))?;
        }
        let deposed = tokio::select! {
            () = ended.wait() => false,
            () = service.ended() => true,
        };
        service.shutdown().await;
        export.end().await;
        if deposed { Err(Failure::work_text("another server took charge of the database")) } else { Ok(()) }
    }
}

/// The signals that end a process.
#[derive(Debug)]
pub struct Ended {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Ended {
    /// Takes the signals over.
    pub fn new() -> Outcome<Self> {
        Ok(Self {
            #[cfg(unix)]
            terminate: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
                .or_work("signals")?,
        })
    }

    /// Returns once the process is asked to end.
    pub async fn wait(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = self.terminate.recv() => {}
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
    }
}
