//! What happens by itself: leases that run out, and automatic aggregation.

use std::{sync::Arc, time::Duration};

use tokio::time::{sleep, timeout};
use tracing::{debug, error, info, warn};

use super::plan;
use crate::{
    core::{Core, unix_ms},
    store::StoreError,
};

/// Shortest time between two looks at the store.
const PAUSE: Duration = Duration::from_millis(10);

/// Runs until the service stops.
pub(crate) async fn run(core: Arc<Core>) {
    let config = &core.config;
    let interval =
        config.heartbeat.min(config.aggregation_max_age.max(PAUSE)).min(Duration::from_secs(1)).max(PAUSE);
    let mut changes = core.changes.subscribe();
    let mut stopping = core.stopping();
    loop {
        if let Err(error) = tick(&core).await {
            error!(%error, "scheduling failed; trying again");
        }
        tokio::select! {
            () = stopping.wait() => return,
            _ = timeout(interval, changes.changed()) => {}
        }
        sleep(PAUSE).await;
    }
}

async fn tick(core: &Core) -> Result<(), StoreError> {
    let lost = core.store.expire().await?;
    if lost > 0 {
        warn!(tasks = lost, "leases ran out; their tasks go to other workers");
        core.metrics.task_retries.with_label_values(&["lost"]).inc_by(lost);
        core.changes.notify();
    }
    let capacity = core.leaves();
    let max_age_ms = u64::try_from(core.config.aggregation_max_age.as_millis()).unwrap_or(u64::MAX);
    let candidates = core.store.candidates().await?;
    for (first, last) in plan::runs(&candidates, capacity, max_age_ms, unix_ms()) {
        match core.store.aggregate(first, last, capacity).await {
            Ok((aggregation, _)) => {
                info!(aggregation = aggregation.id, first, last, leaves = aggregation.leaves, "aggregating");
                core.changes.notify();
            }
            // Somebody was quicker: the batches were cancelled or aggregated.
            Err(error @ (StoreError::RunRefused { .. } | StoreError::BatchUnknown(_))) => {
                debug!(first, last, %error, "run changed meanwhile");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
