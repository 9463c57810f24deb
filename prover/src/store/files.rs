//! Witnesses, proofs and checkpoints as files named by the SHA-256 of their content, so that damage
//! shows, and written so that a crash leaves either the whole file or none.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};

use crate::jobs::Digest;

/// What a file holds; one directory each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// The witness of a chunk.
    Witness,
    /// A leaf or aggregate proof.
    Proof,
    /// The accounts after a batch.
    Checkpoint,
}

impl FileKind {
    const ALL: [Self; 3] = [Self::Witness, Self::Proof, Self::Checkpoint];

    fn directory(self) -> &'static str {
        match self {
            Self::Witness => "witnesses",
            Self::Proof => "proofs",
            Self::Checkpoint => "checkpoints",
        }
    }
}

/// What goes wrong with files.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// There is no room left.
    #[error("no space left on the device for {path}")]
    DiskFull {
        /// The file.
        path: PathBuf,
    },
    /// The file can't be written.
    #[error("writing {path}: {error}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file can't be read.
    #[error("reading {path}: {error}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The content isn't what was written.
    #[error("{path} is damaged: expected SHA-256 {expected}, got {actual}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The digest in its name.
        expected: String,
        /// The digest of its content.
        actual: String,
    },
    /// The content can't be encoded or decoded.
    #[error("{path}: {error}")]
    Format {
        /// The file.
        path: PathBuf,
        /// Why.
        error: serde_json::Error,
    },
}

impl FileError {
    /// Whether the content is gone for good, and must be made again.
    pub fn is_lost(&self) -> bool {
        match self {
            Self::Damaged { .. } | Self::Format { .. } => true,
            Self::Read { error, .. } => error.kind() == io::ErrorKind::NotFound,
            Self::DiskFull { .. } | Self::Write { .. } => false,
        }
    }

    fn write(path: &Path, error: io::Error) -> Self {
        let path = path.to_owned();
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { path },
            _ => Self::Write { path, error },
        }
    }
}

/// The files of a data directory.
#[derive(Debug)]
pub struct Files {
    root: PathBuf,
    temporary: AtomicU64,
}

impl Files {
    /// Opens the directory and clears what a crash left unfinished.
    ///
    /// # Errors
    /// When the directories can't be made.
    pub fn open(root: &Path) -> Result<Self, FileError> {
        for kind in FileKind::ALL {
            let directory = root.join(kind.directory());
            fs::create_dir_all(&directory).map_err(|error| FileError::write(&directory, error))?;
            let entries = fs::read_dir(&directory)
                .map_err(|error| FileError::Read { path: directory.clone(), error })?;
            for entry in entries.flatten() {
                if entry.file_name().to_string_lossy().ends_with(".tmp") {
                    let _ = fs::remove_file(entry.path());
                }
            }
        }
        Ok(Self { root: root.to_owned(), temporary: AtomicU64::new(0) })
    }

    /// Where the file of this digest is.
    pub fn path(&self, kind: FileKind, digest: &Digest) -> PathBuf {
        self.root.join(kind.directory()).join(format!("{}.json", hex::encode(digest)))
    }

    /// Writes `value` and gives the digest that names it.
    ///
    /// # Errors
    /// When it can't be written; nothing is left then.
    pub fn write<T: Serialize>(&self, kind: FileKind, value: &T) -> Result<Digest, FileError> {
        let directory = self.root.join(kind.directory());
        let content = serde_json::to_vec(value)
            .map_err(|error| FileError::Format { path: directory.clone(), error })?;
        let digest: Digest = Sha256::digest(&content).into();
        let path = self.path(kind, &digest);
        if fs::read(&path).is_ok_and(|found| found == content) {
            return Ok(digest);
        }
        let temporary = directory.join(format!("{}.tmp", self.temporary.fetch_add(1, Ordering::Relaxed)));
        let written = File::create(&temporary)
            .and_then(|mut file| file.write_all(&content).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&temporary, &path))
            .and_then(|()| File::open(&directory)?.sync_all());
        if let Err(error) = written {
            let _ = fs::remove_file(&temporary);
            return Err(FileError::write(&path, error));
        }
        Ok(digest)
    }

    /// Reads the file of this digest.
    ///
    /// # Errors
    /// When it is missing, damaged or unreadable.
    pub fn read<T: DeserializeOwned>(&self, kind: FileKind, digest: &Digest) -> Result<T, FileError> {
        let path = self.path(kind, digest);
        let content = fs::read(&path).map_err(|error| FileError::Read { path: path.clone(), error })?;
        let actual: Digest = Sha256::digest(&content).into();
        if actual != *digest {
            return Err(FileError::Damaged {
                path,
                expected: hex::encode(digest),
                actual: hex::encode(actual),
            });
        }
        serde_json::from_slice(&content).map_err(|error| FileError::Format { path, error })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_noticed_and_repaired_by_writing_again() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::open(dir.path()).unwrap();
        let digest = files.write(FileKind::Proof, &"content").unwrap();
        let path = files.path(FileKind::Proof, &digest);
        fs::write(&path, "\"cantent\"").unwrap();
        let error = files.read::<String>(FileKind::Proof, &digest).unwrap_err();
        assert!(matches!(error, FileError::Damaged { .. }) && error.is_lost());
        fs::remove_file(&path).unwrap();
        assert!(files.read::<String>(FileKind::Proof, &digest).unwrap_err().is_lost());
        files.write(FileKind::Proof, &"content").unwrap();
        assert_eq!(files.read::<String>(FileKind::Proof, &digest).unwrap(), "content");
    }

    #[test]
    fn unfinished_files_are_cleared() {
        let dir = tempfile::tempdir().unwrap();
        Files::open(dir.path()).unwrap();
        let leftover = dir.path().join("proofs").join("7.tmp");
        fs::write(&leftover, "half").unwrap();
        Files::open(dir.path()).unwrap();
        assert!(!leftover.exists());
    }

    #[test]
    fn full_disk_is_told_apart() {
        let error = FileError::write(Path::new("proof"), io::Error::from(io::ErrorKind::StorageFull));
        assert!(matches!(error, FileError::DiskFull { .. }) && !error.is_lost());
    }
}
