//! From an executed batch to what it publishes: blobs, points, and a record for the log.

use tenon_circuits::rollup::{
    Batch, Execution,
    evaluation::{PointInputs, points},
};
use tenon_contracts::blob::{BlobError, Blobs};

use super::archive::{Archive, ArchiveError, l1_hash};
use crate::store::Publication;

/// An executed batch with its data in blobs, and what the service records of it.
#[derive(Clone, Debug)]
pub struct Published {
    /// The batch, its streams evaluated at the points that the contract will draw.
    pub execution: Execution,
    /// Its data.
    pub blobs: Blobs,
    /// What the log keeps.
    pub publication: Publication,
}

/// Puts an executed batch's data in blobs, and evaluates its streams at the points that the contract will draw.
///
/// # Errors
/// When the data isn't a batch's.
pub fn evaluate(execution: Execution) -> Result<(Execution, Blobs), BlobError> {
    let blobs = Blobs::from_words(&execution.da_words)?;
    let blob_hashes = hashes(&blobs);
    let points = points(&PointInputs {
        domain: execution.public_inputs.domain,
        batch: execution.public_inputs.batch,
        state_in: execution.state_in,
        state_out: execution.state_out,
        commit: execution.commit,
        l1_words: &execution.l1_words,
        blob_hashes: &blob_hashes,
    });
    Ok((execution.with_points(points), blobs))
}

/// Evaluates an executed batch's streams, and keeps what it publishes in the archive. `queue_start` is the place in the
/// contract's queue of the batch's first operation.
///
/// # Errors
/// When the data isn't a batch's or the archive can't be written.
pub fn publish(
    archive: &Archive,
    batch: &Batch,
    execution: Execution,
    queue_start: u64,
) -> Result<Published, ArchiveError> {
    let (execution, blobs) = evaluate(execution)?;
    archive.keep(&blobs, &execution.l1_words)?;
    let publication = Publication {
        queue_start,
        queue_end: queue_start + batch.l1_operations.len() as u64,
        blob_hashes: hashes(&blobs),
        l1_hash: l1_hash(&execution.l1_words).0,
    };
    Ok(Published { execution, blobs, publication })
}

fn hashes(blobs: &Blobs) -> Vec<[u8; 32]> {
    blobs.versioned_hashes().into_iter().map(|hash| hash.0).collect()
}
