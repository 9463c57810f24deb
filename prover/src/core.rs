//! What all parts of a running service share.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use tenon_circuits::rollup::Fr;
use tokio::sync::watch;

use crate::{
    config::Config,
    engine::Engine,
    executor::Executor,
    settlement::L1Side,
    store::{Store, files::Files},
    telemetry::Metrics,
};

/// What all parts of a running service share.
pub(crate) struct Core {
    pub config: Config,
    pub engine: Arc<dyn Engine>,
    pub store: Arc<dyn Store>,
    pub files: Arc<Files>,
    pub executor: Executor,
    pub l1: Option<Arc<L1Side>>,
    pub metrics: Arc<Metrics>,
    pub changes: Arc<Changes>,
    pub domain: Fr,
    pub started: Instant,
    pub stop: watch::Sender<bool>,
}

impl Core {
    /// Leaf proofs per aggregation.
    pub fn leaves(&self) -> u32 {
        u32::try_from(self.engine.circuits().leaves).unwrap_or(u32::MAX)
    }

    /// Waits for the service's end.
    pub fn stopping(&self) -> Stopping {
        Stopping::of(&self.stop)
    }

    pub fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }
}

/// Tells of the service's end.
pub(crate) struct Stopping(watch::Receiver<bool>);

impl Stopping {
    /// Tells when this becomes true.
    pub fn of(stop: &watch::Sender<bool>) -> Self {
        Self(stop.subscribe())
    }

    /// Returns when the service stops.
    pub async fn wait(&mut self) {
        // The sender goes away only after the end.
        let _ = self.0.wait_for(|stopping| *stopping).await;
    }
}

/// Wakes whoever waits for something to change in the store.
#[derive(Debug)]
pub(crate) struct Changes(watch::Sender<u64>);

impl Changes {
    pub fn new() -> Self {
        Self(watch::Sender::new(0))
    }

    pub fn notify(&self) {
        self.0.send_modify(|count| *count = count.wrapping_add(1));
    }

    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}

/// Whole milliseconds.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Unix milliseconds by the machine's clock.
pub(crate) fn unix_ms() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}
