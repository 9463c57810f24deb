//! What happens by itself: leases that run out, and automatic aggregation.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    task::spawn_blocking,
    time::{sleep, timeout},
};
use tracing::{debug, error, info, warn};

use super::plan;
use crate::{
    core::{Core, millis, unix_ms},
    executor::RebuildError,
    jobs::JobError,
    store::{StoreError, files::FileKind},
};

/// Shortest time between two looks at the store.
const PAUSE: Duration = Duration::from_millis(10);

/// Time between two looks for events that other processes wrote.
const FOLLOW_INTERVAL: Duration = Duration::from_millis(100);

/// Runs until the service stops.
pub(crate) async fn run(core: Arc<Core>) {
    let config = &core.config;
    let interval =
        config.heartbeat.min(config.aggregation_max_age.max(PAUSE)).min(Duration::from_secs(1)).max(PAUSE);
    let mut changes = core.changes.subscribe();
    let mut stopping = core.stopping();
    // Workers that couldn't reach the service or its database get a lease's time to be heard of again.
    let mut reachable_since = Instant::now();
    loop {
        let heard = reachable_since.elapsed() >= config.lease;
        match tick(&core, heard).await {
            Ok(()) => {}
            Err(error @ StoreError::Deposed { .. }) => {
                error!(%error, "stopping");
                core.stop.send_replace(true);
                core.changes.notify();
                return;
            }
            Err(error) => {
                error!(%error, "scheduling failed; trying again");
                reachable_since = Instant::now();
            }
        }
        tokio::select! {
            () = stopping.wait() => return,
            _ = timeout(interval, changes.changed()) => {}
        }
        sleep(PAUSE).await;
    }
}

/// Wakes those who wait in this process when another process changed a job. Runs until the service stops.
pub(crate) async fn follow_events(core: Arc<Core>) {
    let mut stopping = core.stopping();
    let mut last = 0;
    loop {
        tokio::select! {
            () = stopping.wait() => return,
            () = sleep(FOLLOW_INTERVAL) => {}
        }
        match core.store.last_sequence().await {
            Ok(sequence) if sequence != last => {
                last = sequence;
                core.changes.notify();
            }
            Ok(_) => {}
            Err(error) => debug!(%error, "events can't be followed; trying again"),
        }
    }
}

/// Fails tasks that are in work for too long, whatever their worker says: it has some time to say so itself.
async fn end_overdue(core: &Core) -> Result<(), StoreError> {
    let config = &core.config;
    for lease in core.store.overdue(millis(config.task_deadline + config.lease)).await? {
        let error = JobError {
            reason: "DEADLINE_EXCEEDED".to_owned(),
            message: format!("not done within {:?}", config.task_deadline),
        };
        match core.store.fail(&lease, &error, config.max_attempts, millis(config.retry_delay)).await {
            Ok(_) => warn!(task = lease.task, batch = lease.batch_number, "task overdue"),
            Err(StoreError::LeaseLost { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Makes lost witnesses again from the log.
async fn restore_witnesses(core: &Core) -> Result<(), StoreError> {
    for lost in core.store.lost_witnesses().await? {
        warn!(batch = lost.batch, chunk = lost.chunk, "making a lost witness again from the log");
        let mismatch = |message: String| JobError { reason: "PROOF_MISMATCH".to_owned(), message };
        let error = match core.executor.witness(lost.batch, lost.chunk).await {
            Ok(witness) => {
                let files = Arc::clone(&core.files);
                let written = spawn_blocking(move || files.write(FileKind::Witness, &witness)).await;
                match written {
                    Ok(Ok(digest)) if digest == lost.digest => None,
                    Ok(Ok(digest)) => {
                        let (expected, actual) = (hex::encode(lost.digest), hex::encode(digest));
                        Some(mismatch(format!("expected witness {expected}, got {actual}")))
                    }
                    // The next look tries again.
                    Ok(Err(error)) => {
                        warn!(%error, "the witness can't be written; trying again");
                        continue;
                    }
                    Err(error) => {
                        warn!(%error, "writing the witness was interrupted; trying again");
                        continue;
                    }
                }
            }
            Err(RebuildError::Store(error)) => return Err(error),
            Err(error @ RebuildError::Damaged { .. }) => Some(mismatch(error.to_string())),
        };
        core.store.restore_witness(lost.task, error.as_ref()).await?;
        core.changes.notify();
    }
    Ok(())
}

async fn tick(core: &Core, heard: bool) -> Result<(), StoreError> {
    core.store.keep_lead().await?;
    let lost = if heard { core.store.expire().await? } else { 0 };
    if lost > 0 {
        warn!(tasks = lost, "leases ran out; their tasks go to other workers");
        core.metrics.task_retries.with_label_values(&["lost"]).inc_by(lost);
        core.changes.notify();
    }
    end_overdue(core).await?;
    restore_witnesses(core).await?;
    let capacity = core.leaves();
    let max_age_ms = millis(core.config.aggregation_max_age);
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
