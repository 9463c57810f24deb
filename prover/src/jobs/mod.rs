//! Jobs, the tasks they are made of, and the aggregation of their proofs.

pub mod model;
pub mod plan;
pub mod progress;
pub mod scheduler;

/// Highest priority of a batch.
pub const MAX_PRIORITY: u32 = 100;

/// Waiting that a step of priority is worth: as much later than a batch, one with a step more is its equal, so that
/// nothing waits for ever.
pub const PRIORITY_STEP_MS: u64 = 60_000;

pub(crate) use model::named;
pub use model::{
    Aggregation, AggregationState, BatchSummary, Digest, Event, Job, JobError, JobState, Lease, ProofRecord,
    TaskKind,
};
