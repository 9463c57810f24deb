//! Everything that L1 forgets: blobs and L1 words by their hashes, and snapshots of the state, in a directory or a bucket.
//! Anybody may keep such an archive and nobody need trust it: what is read is checked against its name.
//!
//! ```text
//! blobs/<versioned hash>          131,072 bytes
//! l1_words/<Keccak-256>           32 bytes a word
//! snapshots/<number>-<state>      the state after a batch
//! ```

use std::{
    io,
    path::{Path, PathBuf},
};

use alloy::{
    eips::eip4844::{BYTES_PER_BLOB, Blob},
    primitives::{B256, keccak256},
};
use tenon_circuits::rollup::{
    Fr, field,
    snapshot::{Snapshot, SnapshotError},
};
use tenon_contracts::blob::{self, BlobError, Blobs};

use crate::store::place::Place;

/// What goes wrong with an archive.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// A file can't be written or read.
    #[error("archive file {path}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file isn't what its name says.
    #[error("archive file {path}: {reason}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Expected and actual.
        reason: String,
    },
    /// Nothing is there.
    #[error("there is no {what} at {path}")]
    Missing {
        /// Where it should be.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
    },
    /// Blobs that don't hold words.
    #[error(transparent)]
    Blob(#[from] BlobError),
}

impl ArchiveError {
    /// Whether the content is gone, and has to be made again.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        matches!(self, Self::Missing { .. } | Self::Damaged { .. })
    }
}

/// Blobs, L1 words and snapshots. Reading and writing may block.
#[derive(Debug)]
pub struct Archive(Place);

impl Archive {
    /// The archive in a directory, which needn't be there.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self::at(Place::shared(root))
    }

    /// The archive in this place.
    #[must_use]
    pub fn at(place: Place) -> Self {
        Self(place)
    }

    /// Where the state after a batch is, for people.
    #[must_use]
    pub fn locate_snapshot(&self, batch: u64, state: &Fr) -> PathBuf {
        self.0.locate("snapshots", &snapshot_name(batch, state))
    }

    /// Keeps a batch's data for good.
    ///
    /// # Errors
    /// When a file can't be written.
    pub fn keep(&self, blobs: &Blobs, l1_words: &[Fr]) -> Result<(), ArchiveError> {
        for (hash, blob) in blobs.versioned_hashes().iter().zip(blobs.blobs()) {
            self.keep_blob(hash, blob)?;
        }
        let bytes = word_bytes(l1_words);
        self.write("l1_words", &keccak256(&bytes).to_string(), &bytes)
    }

    /// Keeps a blob for good. Its hash isn't checked.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn keep_blob(&self, hash: &B256, blob: &Blob) -> Result<(), ArchiveError> {
        self.write("blobs", &hash.to_string(), blob.as_slice())
    }

    /// A blob, checked; none where it isn't there.
    ///
    /// # Errors
    /// When the file is damaged or can't be read.
    pub fn blob(&self, hash: &B256) -> Result<Option<Blob>, ArchiveError> {
        let Some((path, bytes)) = self.read("blobs", &hash.to_string())? else { return Ok(None) };
        let damaged = |reason: String| ArchiveError::Damaged { path: path.clone(), reason };
        let blob = Blob::try_from(bytes.as_slice())
            .map_err(|_| damaged(format!("expected {BYTES_PER_BLOB} bytes, got {}", bytes.len())))?;
        match blob::versioned_hash(&blob) {
            Ok(actual) if actual == *hash => Ok(Some(blob)),
            Ok(actual) => Err(damaged(format!("expected the versioned hash {hash}, got {actual}"))),
            Err(error) => Err(damaged(error.to_string())),
        }
    }

    /// The blobs of a batch, checked.
    ///
    /// # Errors
    /// When one is missing or damaged, or they aren't a batch's.
    pub fn blobs(&self, hashes: &[B256]) -> Result<Blobs, ArchiveError> {
        let missing = |hash: &B256| {
            let path = self.0.locate("blobs", &hash.to_string());
            ArchiveError::Missing { path, what: "blob" }
        };
        let blobs = hashes
            .iter()
            .map(|hash| self.blob(hash)?.ok_or_else(|| missing(hash)))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Blobs::from_blobs(&blobs, hashes)?)
    }

    /// The L1 words of a batch, checked.
    ///
    /// # Errors
    /// When they are missing or damaged.
    pub fn l1_words(&self, hash: &B256) -> Result<Vec<Fr>, ArchiveError> {
        let Some((path, bytes)) = self.read("l1_words", &hash.to_string())? else {
            let path = self.0.locate("l1_words", &hash.to_string());
            return Err(ArchiveError::Missing { path, what: "file of L1 words" });
        };
        let damaged = |reason: String| ArchiveError::Damaged { path: path.clone(), reason };
        let actual = keccak256(&bytes);
        if actual != *hash {
            return Err(damaged(format!("expected the Keccak-256 {hash}, got {actual}")));
        }
        let (words, rest) = bytes.as_chunks::<32>();
        if !rest.is_empty() {
            return Err(damaged(format!("expected words of 32 bytes, got {} bytes", bytes.len())));
        }
        words.iter().map(|word| field::from_bytes(word).map_err(|error| damaged(error.to_string()))).collect()
    }

    /// Keeps the state after a batch.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn keep_snapshot(&self, snapshot: &Snapshot) -> Result<(), ArchiveError> {
        let name = snapshot_name(snapshot.batch, &snapshot.state.commitment());
        self.write("snapshots", &name, &snapshot.to_bytes())
    }

    /// The state after a batch, if it is there with this commitment.
    ///
    /// # Errors
    /// When the file is damaged or can't be read.
    pub fn snapshot(&self, batch: u64, state: &Fr) -> Result<Option<Snapshot>, ArchiveError> {
        let Some((path, bytes)) = self.read("snapshots", &snapshot_name(batch, state))? else {
            return Ok(None);
        };
        let damaged = |reason: String| ArchiveError::Damaged { path: path.clone(), reason };
        let snapshot =
            Snapshot::from_bytes(&bytes).map_err(|error: SnapshotError| damaged(error.to_string()))?;
        if snapshot.batch != batch || snapshot.state.commitment() != *state {
            return Err(damaged(format!("expected the state after batch {batch}, got another one")));
        }
        Ok(Some(snapshot))
    }

    fn read(&self, kind: &str, name: &str) -> Result<Option<(PathBuf, Vec<u8>)>, ArchiveError> {
        let path = self.0.locate(kind, name);
        match self.0.read(kind, name) {
            Ok(bytes) => Ok(Some((path, bytes))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(ArchiveError::File { path, error }),
        }
    }

    /// Writes a file so that a crash leaves either the whole file or none.
    fn write(&self, kind: &str, name: &str, content: &[u8]) -> Result<(), ArchiveError> {
        if self.0.read(kind, name).is_ok_and(|found| found == content) {
            return Ok(());
        }
        let failed = |(path, error)| ArchiveError::File { path, error };
        let mut written = self.0.write(kind, name, content);
        if written.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            self.0.prepare(&[kind]).map_err(failed)?;
            written = self.0.write(kind, name, content);
        }
        written.map_err(|error| failed((self.0.locate(kind, name), error)))
    }
}

/// Keccak-256 of L1 words, 32 bytes each, as the contract hashes them.
#[must_use]
pub fn l1_hash(words: &[Fr]) -> B256 {
    keccak256(word_bytes(words))
}

fn word_bytes(words: &[Fr]) -> Vec<u8> {
    words.iter().flat_map(field::to_bytes).collect()
}

fn snapshot_name(batch: u64, state: &Fr) -> String {
    format!("{batch}-{}", field::to_hex(state))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tenon_circuits::rollup::State;

    use super::*;

    #[test]
    fn what_is_kept_comes_back_and_damage_shows() {
        let directory = tempfile::tempdir().unwrap();
        let archive = Archive::new(directory.path());
        let words: Vec<Fr> = (1..5000_u64).map(Fr::from).collect();
        let blobs = Blobs::from_words(&words).unwrap();
        let hashes = blobs.versioned_hashes();
        let l1_words = [Fr::from(7), Fr::from(8)];
        assert!(matches!(archive.blobs(&hashes), Err(ArchiveError::Missing { .. })));
        archive.keep(&blobs, &l1_words).unwrap();
        archive.keep(&blobs, &l1_words).unwrap();
        assert_eq!(archive.blobs(&hashes).unwrap(), blobs);
        assert_eq!(archive.l1_words(&l1_hash(&l1_words)).unwrap(), l1_words);
        assert!(matches!(archive.l1_words(&B256::ZERO), Err(ArchiveError::Missing { .. })));

        let path = directory.path().join("blobs").join(hashes[1].to_string());
        fs::copy(directory.path().join("blobs").join(hashes[0].to_string()), &path).unwrap();
        assert!(matches!(archive.blob(&hashes[1]), Err(ArchiveError::Damaged { .. })));
        fs::write(&path, "short").unwrap();
        assert!(matches!(archive.blobs(&hashes), Err(ArchiveError::Damaged { .. })));
        let path = directory.path().join("l1_words").join(l1_hash(&l1_words).to_string());
        fs::write(path, [0; 64]).unwrap();
        assert!(matches!(archive.l1_words(&l1_hash(&l1_words)), Err(ArchiveError::Damaged { .. })));
    }

    #[test]
    fn snapshots_are_found_by_batch_and_state() {
        let directory = tempfile::tempdir().unwrap();
        let archive = Archive::new(directory.path());
        let state = State::new();
        let snapshot = Snapshot { domain: Fr::from(5), batch: 3, state: state.clone() };
        archive.keep_snapshot(&snapshot).unwrap();
        let path = archive.locate_snapshot(3, &state.commitment());
        assert_eq!(archive.snapshot(3, &state.commitment()).unwrap(), Some(snapshot));
        assert_eq!(archive.snapshot(4, &state.commitment()).unwrap(), None);
        fs::write(path, "nothing").unwrap();
        assert!(matches!(archive.snapshot(3, &state.commitment()), Err(ArchiveError::Damaged { .. })));
    }
}
