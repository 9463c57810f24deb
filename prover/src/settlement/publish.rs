//! From an executed batch to what it publishes: blobs, points, and a record for the log.

use tenon_circuits::rollup::{
    Batch, Execution,
    evaluation::{PointInputs, points},
};
use tenon_contracts::blob::Blobs;

use super::archive::{Archive, ArchiveError, l1_hash};
use crate::store::Publication;

/// Puts an executed batch's data in blobs, keeps them in the archive, and evaluates its streams at the points that
/// the contract will draw. `queue_start` is the place in the contract's queue of the batch's first operation.
///
/// # Errors
/// When the data isn't a batch's or the archive can't be written.
pub fn publish(
    archive: &Archive,
    batch: &Batch,
    execution: Execution,
    queue_start: u64,
) -> Result<(Execution, Publication), ArchiveError> {
    let blobs = Blobs::from_words(&execution.da_words)?;
    archive.keep(&blobs, &execution.l1_words)?;
    let blob_hashes: Vec<[u8; 32]> = blobs.versioned_hashes().into_iter().map(|hash| hash.0).collect();
    let points = points(&PointInputs {
        domain: execution.public_inputs.domain,
        batch: execution.public_inputs.batch,
        state_in: execution.state_in,
        state_out: execution.state_out,
        commit: execution.commit,
        l1_words: &execution.l1_words,
        blob_hashes: &blob_hashes,
    });
    let publication = Publication {
        queue_start,
        queue_end: queue_start + batch.l1_operations.len() as u64,
        blob_hashes,
        l1_hash: l1_hash(&execution.l1_words).0,
    };
    Ok((execution.with_points(points), publication))
}
