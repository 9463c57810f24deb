//! Witnesses, proofs and checkpoints as files named by the SHA-256 of their content, so that damage
//! shows, and written so that a crash leaves either the whole file or none.

use std::{
    io,
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};

use super::place::Place;
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

/// The files of a rollup.
#[derive(Debug)]
pub struct Files(Place);

impl Files {
    /// The files in a directory of this process's own; clears what a crash left unfinished.
    ///
    /// # Errors
    /// When the directories can't be made.
    pub fn open(root: &Path) -> Result<Self, FileError> {
        Self::at(Place::own(root))
    }

    /// The files in this place.
    ///
    /// # Errors
    /// When its directories can't be made.
    pub fn at(place: Place) -> Result<Self, FileError> {
        place
            .prepare(&FileKind::ALL.map(FileKind::directory))
            .map_err(|(path, error)| FileError::write(&path, error))?;
        Ok(Self(place))
    }

    /// Where the file of this digest is.
    pub fn path(&self, kind: FileKind, digest: &Digest) -> PathBuf {
        self.0.locate(kind.directory(), &name(digest))
    }

    /// Writes `value` and gives the digest that names it. May block.
    ///
    /// # Errors
    /// When it can't be written; nothing is left then.
    pub fn write<T: Serialize>(&self, kind: FileKind, value: &T) -> Result<Digest, FileError> {
        let path = PathBuf::from(kind.directory());
        let content = serde_json::to_vec(value).map_err(|error| FileError::Format { path, error })?;
        self.write_bytes(kind, &content)
    }

    /// Writes content that is encoded already.
    ///
    /// # Errors
    /// As [`Files::write`].
    pub fn write_bytes(&self, kind: FileKind, content: &[u8]) -> Result<Digest, FileError> {
        let digest: Digest = Sha256::digest(content).into();
        let (directory, name) = (kind.directory(), name(&digest));
        if self.0.read(directory, &name).is_ok_and(|found| found == content) {
            return Ok(digest);
        }
        self.0
            .write(directory, &name, content)
            .map_err(|error| FileError::write(&self.path(kind, &digest), error))?;
        Ok(digest)
    }

    /// Reads the file of this digest. May block.
    ///
    /// # Errors
    /// When it is missing, damaged or unreadable.
    pub fn read<T: DeserializeOwned>(&self, kind: FileKind, digest: &Digest) -> Result<T, FileError> {
        let content = self.read_bytes(kind, digest)?;
        serde_json::from_slice(&content)
            .map_err(|error| FileError::Format { path: self.path(kind, digest), error })
    }

    /// Reads the encoded file of this digest.
    ///
    /// # Errors
    /// When it is missing, damaged or unreadable.
    pub fn read_bytes(&self, kind: FileKind, digest: &Digest) -> Result<Vec<u8>, FileError> {
        let path = || self.path(kind, digest);
        let content = self
            .0
            .read(kind.directory(), &name(digest))
            .map_err(|error| FileError::Read { path: path(), error })?;
        check(&content, digest, path)?;
        Ok(content)
    }
}

/// Compares content with the digest that names it.
fn check(content: &[u8], digest: &Digest, path: impl Fn() -> PathBuf) -> Result<(), FileError> {
    let actual: Digest = Sha256::digest(content).into();
    if actual == *digest {
        return Ok(());
    }
    Err(FileError::Damaged { path: path(), expected: hex::encode(digest), actual: hex::encode(actual) })
}

fn name(digest: &Digest) -> String {
    format!("{}.json", hex::encode(digest))
}

#[cfg(test)]
mod tests {
    use std::fs;

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
    fn full_disk_is_told_apart() {
        let error = FileError::write(Path::new("proof"), io::Error::from(io::ErrorKind::StorageFull));
        assert!(matches!(error, FileError::DiskFull { .. }) && !error.is_lost());
    }
}
