//! What the page and the metrics show beside the rest.

use async_trait::async_trait;

use super::{StoreError, l1::Purpose};
use crate::jobs::TaskKind;

/// What transactions of one kind cost on L1 so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GasUsed {
    /// What they do.
    pub purpose: Purpose,
    /// How many are in blocks.
    pub transactions: u64,
    /// Gas of all of them.
    pub gas: u64,
}

/// A task that a worker has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskInWork {
    /// The worker's name.
    pub worker: String,
    /// What the task makes.
    pub kind: TaskKind,
    /// The batch; of an aggregation, the first.
    pub batch_number: u64,
    /// The chunk's position in its batch, of a leaf.
    pub chunk: u32,
    /// Times the task was started.
    pub attempt: u32,
}

/// Figures for people and metrics.
#[async_trait]
pub trait FigureStore {
    /// What L1 has cost, by what was done there.
    async fn gas_used(&self) -> Result<Vec<GasUsed>, StoreError>;
    /// Up to `limit` tasks that workers have.
    async fn in_work(&self, limit: u32) -> Result<Vec<TaskInWork>, StoreError>;
}
