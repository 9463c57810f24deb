//! Where workers take tasks from and bring results to.

use std::sync::Arc;

use async_trait::async_trait;
use tenon_circuits::{public_inputs::BatchPublicInputs, rollup::Fr};
use tokio::task::spawn_blocking;

use crate::{
    config::Config,
    core::millis,
    executor,
    jobs::{Digest, JobError, Lease, ProofRecord, TaskKind},
    store::{
        Failure, LeafInput, ServiceKeys, Store, StoreError,
        files::{FileError, FileKind, Files},
    },
};

/// A task with what it takes.
#[derive(Clone, Debug)]
pub struct Assignment {
    /// The task, for a time.
    pub lease: Lease,
    /// The leaf proofs that an aggregate takes, in order.
    pub leaves: Vec<LeafInput>,
    /// What an aggregate has to say.
    pub batches: Vec<BatchPublicInputs>,
    /// The jobs that it is done for: one of a leaf, one a batch of an aggregate.
    pub jobs: Vec<String>,
}

/// What became of a task.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// There is a proof.
    Done {
        /// How it was made.
        record: Box<ProofRecord>,
        /// The proof; `None` where it is in the store already.
        proof: Option<Vec<u8>>,
    },
    /// Counts as a failure.
    Failed(JobError),
    /// To be tried again without counting.
    HandedBack {
        /// Why.
        note: String,
        /// What has to be made again first.
        lost: Lost,
    },
}

/// Files that a task needs and that are gone or damaged.
#[derive(Clone, Debug, Default)]
pub enum Lost {
    /// None.
    #[default]
    Nothing,
    /// The task's witness.
    Witness,
    /// These leaf proofs.
    Leaves(Vec<LeafInput>),
}

/// What goes wrong between a worker and the service.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The task isn't the worker's any more.
    #[error("the lease of task {task} with fence {fence} is over")]
    LeaseLost {
        /// The task.
        task: u64,
        /// The worker's fence.
        fence: u64,
    },
    /// The file is gone or damaged, and has to be made again.
    #[error("{0}")]
    FileLost(String),
    /// The worker's keys aren't the service's.
    #[error("the service proves with other {circuit} keys: expected {expected}, got {actual}")]
    OtherKeys {
        /// The circuit.
        circuit: &'static str,
        /// Digest of the service's keys.
        expected: String,
        /// Digest of the worker's.
        actual: String,
    },
    /// No service has used the database.
    #[error("no service has used this database yet")]
    NoService,
    /// The service refuses the worker or its result.
    #[error("refused: {0}")]
    Refused(String),
    /// The database, the store or the network failed: worth a retry.
    #[error("{0}")]
    Unavailable(String),
}

impl From<StoreError> for SourceError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::LeaseLost { task, fence } => Self::LeaseLost { task, fence },
            other => Self::Unavailable(other.to_string()),
        }
    }
}

impl From<FileError> for SourceError {
    fn from(error: FileError) -> Self {
        if error.is_lost() { Self::FileLost(error.to_string()) } else { Self::Unavailable(error.to_string()) }
    }
}

/// Where workers take tasks from and bring results to.
#[async_trait]
pub trait Source: Send + Sync {
    /// Leases the most urgent task of these kinds to a worker with these keys.
    async fn lease(
        &self,
        owner: &str,
        kinds: &[TaskKind],
        keys: &ServiceKeys,
    ) -> Result<Option<Assignment>, SourceError>;
    /// Number of tasks of these kinds that could be leased now.
    async fn leasable(&self, kinds: &[TaskKind]) -> Result<u64, SourceError>;
    /// Prolongs a lease.
    async fn extend(&self, lease: &Lease) -> Result<(), SourceError>;
    /// Tells what became of a task. Of a failure it gives what comes of it.
    async fn finish(&self, lease: &Lease, outcome: &Outcome) -> Result<Option<Failure>, SourceError>;
    /// The proof made from these inputs, which are the leased task's.
    async fn result(&self, lease: &Lease, input: &Digest) -> Result<Option<ProofRecord>, SourceError>;
    /// Forgets a result whose file is damaged.
    async fn forget_result(&self, input: &Digest) -> Result<(), SourceError>;
    /// Reads a file that the leased task takes, checked against its digest.
    async fn read(&self, lease: &Lease, kind: FileKind, digest: &Digest) -> Result<Vec<u8>, SourceError>;
    /// Starts the connection anew.
    async fn reconnect(&self) -> Result<(), SourceError>;
}

/// How tasks are given out.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Time until a lease runs out.
    pub lease_ms: u64,
    /// Failures that fail a job.
    pub max_attempts: u32,
    /// Time before a failed task is tried again.
    pub retry_ms: u64,
}

impl Terms {
    /// The terms that the settings name.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self {
            lease_ms: millis(config.lease),
            max_attempts: config.max_attempts,
            retry_ms: millis(config.retry_delay),
        }
    }
}

/// The database and the files themselves.
pub struct Direct {
    store: Arc<dyn Store>,
    files: Arc<Files>,
    domain: Fr,
    terms: Terms,
}

impl Direct {
    /// Takes tasks from this store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, files: Arc<Files>, domain: Fr, terms: Terms) -> Self {
        Self { store, files, domain, terms }
    }

    async fn check_keys(&self, keys: &ServiceKeys) -> Result<(), SourceError> {
        let service = self.store.service_keys().await?.ok_or(SourceError::NoService)?;
        let pairs =
            [("leaf", service.leaf, keys.leaf), ("aggregation", service.aggregation, keys.aggregation)];
        for (circuit, expected, actual) in pairs {
            if expected != actual {
                let (expected, actual) = (hex::encode(expected), hex::encode(actual));
                return Err(SourceError::OtherKeys { circuit, expected, actual });
            }
        }
        Ok(())
    }

    /// A leased task with what it takes; an aggregate's batches may be gone meanwhile.
    pub(crate) async fn assignment(&self, lease: Lease) -> Result<Assignment, SourceError> {
        let Some(id) = lease.aggregation.filter(|_| lease.kind == TaskKind::Aggregate) else {
            let jobs = lease.job_id.iter().cloned().collect();
            return Ok(Assignment { lease, leaves: Vec::new(), batches: Vec::new(), jobs });
        };
        let over = || SourceError::LeaseLost { task: lease.task, fence: lease.fence };
        let leaves = self.store.leaf_inputs(id).await?;
        let aggregation = self.store.aggregation(id).await?.ok_or_else(over)?;
        let (mut batches, mut jobs) = (Vec::new(), Vec::new());
        for number in aggregation.first_batch..=aggregation.last_batch {
            let batch = self.store.batch(number).await?.ok_or_else(over)?;
            batches.push(executor::public_inputs(self.domain, &batch.summary)?);
            jobs.push(batch.job_id);
        }
        Ok(Assignment { lease, leaves, batches, jobs })
    }
}

#[async_trait]
impl Source for Direct {
    async fn lease(
        &self,
        owner: &str,
        kinds: &[TaskKind],
        keys: &ServiceKeys,
    ) -> Result<Option<Assignment>, SourceError> {
        self.check_keys(keys).await?;
        let Some(lease) = self.store.lease(owner, kinds, self.terms.lease_ms).await? else {
            return Ok(None);
        };
        match self.assignment(lease.clone()).await {
            Ok(assignment) => Ok(Some(assignment)),
            Err(SourceError::LeaseLost { .. }) => Ok(None),
            Err(error) => {
                self.store.hand_back(&lease, self.terms.retry_ms, &error.to_string()).await?;
                Err(error)
            }
        }
    }

    async fn leasable(&self, kinds: &[TaskKind]) -> Result<u64, SourceError> {
        Ok(self.store.leasable(kinds).await?)
    }

    async fn extend(&self, lease: &Lease) -> Result<(), SourceError> {
        Ok(self.store.extend(lease, self.terms.lease_ms).await?)
    }

    async fn finish(&self, lease: &Lease, outcome: &Outcome) -> Result<Option<Failure>, SourceError> {
        match outcome {
            Outcome::Done { record, proof } => {
                if let Some(proof) = proof {
                    let (files, proof) = (Arc::clone(&self.files), proof.clone());
                    let written = spawn_blocking(move || files.write_bytes(FileKind::Proof, &proof)).await;
                    written.map_err(|error| SourceError::Unavailable(error.to_string()))??;
                }
                self.store.complete(lease, (**record).clone(), proof.is_none()).await?;
            }
            Outcome::Failed(error) => {
                let Terms { max_attempts, retry_ms, .. } = self.terms;
                return Ok(Some(self.store.fail(lease, error, max_attempts, retry_ms).await?));
            }
            Outcome::HandedBack { note, lost } => {
                // What is made again starts at once; other trouble gets time to pass.
                let delay_ms = if matches!(lost, Lost::Nothing) { self.terms.retry_ms } else { 0 };
                self.store.hand_back(lease, delay_ms, note).await?;
                match lost {
                    Lost::Nothing => {}
                    Lost::Witness => self.store.lose_witness(lease.task).await?,
                    Lost::Leaves(leaves) => {
                        for leaf in leaves {
                            self.store.forget_result(&leaf.input_digest).await?;
                            self.store.redo_leaf(leaf.task).await?;
                        }
                    }
                }
            }
        }
        Ok(None)
    }

    async fn result(&self, _lease: &Lease, input: &Digest) -> Result<Option<ProofRecord>, SourceError> {
        Ok(self.store.result(input).await?)
    }

    async fn forget_result(&self, input: &Digest) -> Result<(), SourceError> {
        Ok(self.store.forget_result(input).await?)
    }

    async fn read(&self, _lease: &Lease, kind: FileKind, digest: &Digest) -> Result<Vec<u8>, SourceError> {
        let (files, digest) = (Arc::clone(&self.files), *digest);
        let read = spawn_blocking(move || files.read_bytes(kind, &digest)).await;
        Ok(read.map_err(|error| SourceError::Unavailable(error.to_string()))??)
    }

    async fn reconnect(&self) -> Result<(), SourceError> {
        // The database's pool replaces broken connections by itself.
        Ok(self.store.ping().await?)
    }
}
