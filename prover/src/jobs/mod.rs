//! Jobs, the tasks they are made of, and the aggregation of their proofs.

pub mod model;
pub mod plan;
pub mod progress;
pub mod scheduler;

pub(crate) use model::named;
pub use model::{
    Aggregation, AggregationState, BatchSummary, Digest, Event, Job, JobError, JobState, Lease, ProofRecord,
    TaskKind,
};
