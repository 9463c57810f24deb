//! A log that begins where L1 is: the state that `tenon rebuild` made is taken as the first one, if it is the contract's.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use tenon_circuits::rollup::{
    Fr, field,
    snapshot::{Snapshot, SnapshotError},
};
use tenon_contracts::bindings::IRollup;
use tokio::task::spawn_blocking;
use tracing::info;

use super::{Archive, ArchiveError, L1Side, SettlementError};
use crate::{
    executor::Position,
    l1::L1Error,
    store::{LogStart, Store, StoreError},
};

/// The log can't begin where it should.
#[derive(Debug, thiserror::Error)]
pub enum StartStateError {
    /// The store failed, or the log begins elsewhere.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The archive failed.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// L1 can't be asked.
    #[error(transparent)]
    Settlement(#[from] SettlementError),
    /// The snapshot can't be read.
    #[error("snapshot {path}: {error}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file isn't a snapshot.
    #[error("snapshot {path}: {error}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: SnapshotError,
    },
    /// The snapshot is another rollup's.
    #[error("expected a snapshot of the rollup with the domain {expected}, got one of {actual}")]
    OtherDomain {
        /// The service's.
        expected: String,
        /// The snapshot's.
        actual: String,
    },
    /// Nobody can say whether the snapshot is right.
    #[error("a log begins from a snapshot only if L1 says that it is right: set l1_url")]
    NoL1,
    /// The snapshot isn't of the last final batch.
    #[error(
        "expected a snapshot of the last final batch, which is {expected}, got one of batch {actual}: run \
         `tenon rebuild` again"
    )]
    OtherBatch {
        /// The contract's last final batch.
        expected: u64,
        /// The snapshot's.
        actual: u64,
    },
    /// The snapshot's state isn't the contract's.
    #[error("expected a snapshot with the state {expected} after batch {batch}, got {actual}")]
    OtherState {
        /// The batch.
        batch: u64,
        /// The contract's.
        expected: String,
        /// The snapshot's.
        actual: String,
    },
    /// The chain could still take the snapshot's batch back.
    #[error("batch {batch} was settled in a block that isn't final by l1_finality yet: start again later")]
    NotFinal {
        /// The batch.
        batch: u64,
    },
    /// The log's first state is lost.
    #[error(
        "the log begins after batch {batch}, and the state after it isn't in {path} any more: put it back, or begin \
         another log with `tenon rebuild` and --from-snapshot"
    )]
    Lost {
        /// The batch.
        batch: u64,
        /// Where it should be.
        path: PathBuf,
    },
}

impl From<L1Error> for StartStateError {
    fn from(error: L1Error) -> Self {
        Self::Settlement(error.into())
    }
}

/// What the log begins with; none for genesis. An empty log begins with the snapshot in the file, which has to be of the
/// contract's last final batch.
///
/// # Errors
/// When the snapshot isn't the contract's state, the log begins elsewhere already, or L1 has final batches that the log
/// lacks.
pub async fn first_state(
    store: &dyn Store,
    archive: &Arc<Archive>,
    l1: Option<&L1Side>,
    domain: Fr,
    file: Option<&Path>,
) -> Result<Option<Position>, StartStateError> {
    if let Some(file) = file {
        begin(store, archive, l1, domain, file).await?;
    }
    let start = store.log_start().await?;
    if let Some(l1) = l1 {
        let finalized = l1.follower.contract().standing().await?.finalized;
        check_not_behind(store, finalized).await?;
    }
    let Some(LogStart { number, timestamp, state, .. }) = start else { return Ok(None) };
    let commitment = field::from_bytes(&state)
        .map_err(|_| StoreError::Corrupt { what: "state", found: hex::encode(state) })?;
    let kept = Arc::clone(archive);
    let snapshot = blocking(move || kept.snapshot(number, &commitment)).await??;
    match snapshot {
        Some(Snapshot { state, .. }) => Ok(Some(Position { number, timestamp, state })),
        None => {
            let path = archive.locate_snapshot(number, &commitment);
            Err(StartStateError::Lost { batch: number, path })
        }
    }
}

/// The log has to reach to L1's last final batch.
pub(super) async fn check_not_behind(store: &dyn Store, finalized: u64) -> Result<(), SettlementError> {
    let begins = store.log_start().await?.map_or(0, |start| start.number);
    let last = store.last_batch().await?.map_or(begins, |batch| batch.number);
    if finalized > last { Err(SettlementError::Behind { finalized, last }) } else { Ok(()) }
}

/// Has the log begin with the snapshot in the file, unless it does.
async fn begin(
    store: &dyn Store,
    archive: &Arc<Archive>,
    l1: Option<&L1Side>,
    domain: Fr,
    file: &Path,
) -> Result<(), StartStateError> {
    let path = file.to_owned();
    let snapshot = blocking(move || {
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) => return Err(StartStateError::Read { path, error }),
        };
        Snapshot::from_bytes(&bytes).map_err(|error| StartStateError::Malformed { path, error })
    })
    .await??;
    if snapshot.domain != domain {
        let [expected, actual] = [domain, snapshot.domain].map(|domain| field::to_hex(&domain));
        return Err(StartStateError::OtherDomain { expected, actual });
    }
    let (number, state) = (snapshot.batch, snapshot.state.commitment());
    let found = store.log_start().await?;
    if found.is_some_and(|start| start.number == number && start.state == field::to_bytes(&state)) {
        return Ok(());
    }
    if found.is_some() || store.last_batch().await?.is_some() {
        let actual = found.map_or(0, |start| start.number);
        return Err(StoreError::LogBegun { expected: number, actual }.into());
    }
    let start = compare(store, l1.ok_or(StartStateError::NoL1)?, number, &state).await?;
    let kept = Arc::clone(archive);
    // The log is nothing without its first state, which is kept before it is named.
    blocking(move || kept.keep_snapshot(&snapshot)).await??;
    store.begin_log(&start).await?;
    info!(
        batch = number,
        state = field::to_hex(&state),
        operation = start.queue_end,
        "the log begins where L1 is"
    );
    Ok(())
}

/// Where the log begins, if L1 is after this batch with this state.
async fn compare(
    store: &dyn Store,
    l1: &L1Side,
    batch: u64,
    state: &Fr,
) -> Result<LogStart, StartStateError> {
    l1.follower.sync().await?;
    let contract = l1.follower.contract();
    let standing = contract.standing().await?;
    if standing.frozen {
        return Err(SettlementError::Frozen.into());
    }
    if standing.finalized != batch {
        return Err(StartStateError::OtherBatch { expected: standing.finalized, actual: batch });
    }
    if standing.state != *state {
        let [expected, actual] = [standing.state, *state].map(|state| field::to_hex(&state));
        return Err(StartStateError::OtherState { batch, expected, actual });
    }
    let state = field::to_bytes(state);
    if batch == 0 {
        return Ok(LogStart { number: 0, timestamp: 0, state, queue_end: 0 });
    }
    let settled = store.final_batches(batch, 1).await?;
    let settled = settled.iter().find(|settled| settled.number == batch && settled.state_out == state);
    let queue_end = settled.ok_or(StartStateError::NotFinal { batch })?.queue_end;
    let timestamp = contract.read(IRollup::lastFinalizedTimestampCall {}).await?;
    Ok(LogStart { number: batch, timestamp, state, queue_end })
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, SettlementError> {
    spawn_blocking(work).await.map_err(|error| SettlementError::Interrupted(error.to_string()))
}
