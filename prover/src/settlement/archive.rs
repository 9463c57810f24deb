//! Everything that L1 forgets: blobs and L1 words by their hashes, and snapshots of the state. Anybody may keep such a
//! directory and nobody need trust it: what is read is checked against its name.
//!
//! ```text
//! blobs/<versioned hash>          131,072 bytes
//! l1_words/<Keccak-256>           32 bytes a word
//! snapshots/<number>-<state>      the state after a batch
//! ```

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
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
    #[error("the archive {path} has no {what} {hash}")]
    Missing {
        /// The archive.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
        /// Its hash.
        hash: B256,
    },
    /// Blobs that don't hold words.
    #[error(transparent)]
    Blob(#[from] BlobError),
}

/// A directory of blobs, L1 words and snapshots.
#[derive(Debug)]
pub struct Archive {
    root: PathBuf,
    temporary: AtomicU64,
}

impl Archive {
    /// The archive in a directory, which needn't be there.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), temporary: AtomicU64::new(0) }
    }

    /// Where it is.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
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
        let missing =
            |hash: &B256| ArchiveError::Missing { path: self.root.clone(), what: "blob", hash: *hash };
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
            return Err(ArchiveError::Missing { path: self.root.clone(), what: "L1 words", hash: *hash });
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
    pub fn keep_snapshot(&self, snapshot: &Snapshot) -> Result<PathBuf, ArchiveError> {
        let name = snapshot_name(snapshot.batch, &snapshot.state.commitment());
        self.write("snapshots", &name, &snapshot.to_bytes())?;
        Ok(self.root.join("snapshots").join(name))
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

    /// Numbers of the batches after which there are snapshots, as their names say.
    #[must_use]
    pub fn snapshots(&self) -> Vec<u64> {
        let Ok(entries) = fs::read_dir(self.root.join("snapshots")) else { return Vec::new() };
        let number = |entry: fs::DirEntry| entry.file_name().to_str()?.split('-').next()?.parse().ok();
        entries.flatten().filter_map(number).collect()
    }

    fn read(&self, kind: &str, name: &str) -> Result<Option<(PathBuf, Vec<u8>)>, ArchiveError> {
        let path = self.root.join(kind).join(name);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some((path, bytes))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(ArchiveError::File { path, error }),
        }
    }

    /// Writes a file so that a crash leaves either the whole file or none.
    fn write(&self, kind: &str, name: &str, content: &[u8]) -> Result<(), ArchiveError> {
        let directory = self.root.join(kind);
        let path = directory.join(name);
        if fs::read(&path).is_ok_and(|found| found == content) {
            return Ok(());
        }
        let count = self.temporary.fetch_add(1, Ordering::Relaxed);
        let temporary = directory.join(format!("{}-{count}.tmp", std::process::id()));
        let written = fs::create_dir_all(&directory)
            .and_then(|()| File::create(&temporary))
            .and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&temporary, &path))
            .and_then(|()| File::open(&directory)?.sync_all());
        written.map_err(|error| {
            let _ = fs::remove_file(&temporary);
            ArchiveError::File { path, error }
        })
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
        let path = archive.keep_snapshot(&snapshot).unwrap();
        assert_eq!(archive.snapshots(), [3]);
        assert_eq!(archive.snapshot(3, &state.commitment()).unwrap(), Some(snapshot));
        assert_eq!(archive.snapshot(4, &state.commitment()).unwrap(), None);
        fs::write(path, "nothing").unwrap();
        assert!(matches!(archive.snapshot(3, &state.commitment()), Err(ArchiveError::Damaged { .. })));
    }
}
