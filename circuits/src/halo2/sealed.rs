//! Files that carry their own digest, written so that a crash never leaves half of one.
//!
//! Layout: magic (8 bytes), format version (u32), body length (u64), SHA-256 of everything else
//! (32 bytes), body. Integers are little endian.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use sha2::{Digest, Sha256};

/// Version of the layout above and of the bodies defined in this crate.
const FORMAT_VERSION: u32 = 1;
const HEADER_BYTES: usize = 8 + 4 + 8 + 32;

/// A sealed file could not be written, read or trusted.
#[derive(Debug, thiserror::Error)]
pub enum SealedFileError {
    /// The operating system refused an operation.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was attempted.
        action: &'static str,
        /// The file or directory concerned.
        path: PathBuf,
        /// The reason given by the operating system.
        source: io::Error,
    },
    /// The file starts with other bytes than files of this kind do.
    #[error(
        "{path} is not a {expected} file: it starts with {actual:?}; delete it or name another directory"
    )]
    WrongMagic {
        /// The file concerned.
        path: PathBuf,
        /// Magic bytes of the expected kind, as text.
        expected: String,
        /// The bytes found, as text.
        actual: String,
    },
    /// The file was written by another version of this program.
    #[error(
        "{path} has format version {actual}, this program reads {expected}; delete it to have it made again"
    )]
    WrongVersion {
        /// The file concerned.
        path: PathBuf,
        /// Format version that this program reads.
        expected: u32,
        /// Format version found.
        actual: u32,
    },
    /// The file is shorter or longer than its header says.
    #[error("{path} has {actual} bytes instead of {expected}; delete it to have it made again")]
    WrongLength {
        /// The file concerned.
        path: PathBuf,
        /// Length in bytes according to the header.
        expected: u64,
        /// Length in bytes found.
        actual: u64,
    },
    /// The content isn't what was written.
    #[error(
        "{path} is damaged: its digest is {actual}, its header says {expected}; delete it to have it made again"
    )]
    WrongDigest {
        /// The file concerned.
        path: PathBuf,
        /// Digest in the header, in hexadecimal.
        expected: String,
        /// Digest of the content, in hexadecimal.
        actual: String,
    },
}

impl SealedFileError {
    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_path_buf();
        move |source| Self::Io { action, path, source }
    }
}

/// The verified content of a sealed file.
pub(crate) struct Sealed {
    bytes: Vec<u8>,
    digest: [u8; 32],
}

impl Sealed {
    pub(crate) fn body(&self) -> &[u8] {
        self.bytes.get(HEADER_BYTES..).unwrap_or_default()
    }

    pub(crate) fn digest(&self) -> [u8; 32] {
        self.digest
    }
}

/// Writes `parts`, one after the other, as the body of the sealed file `path`; returns its digest.
/// The directory must exist.
pub(crate) fn write(path: &Path, magic: [u8; 8], parts: &[&[u8]]) -> Result<[u8; 32], SealedFileError> {
    let length = parts.iter().map(|part| part.len() as u64).sum::<u64>();
    let digest = digest(magic, FORMAT_VERSION, length, parts);

    let directory = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    static WRITES: AtomicU64 = AtomicU64::new(0);
    let unique = (std::process::id(), WRITES.fetch_add(1, Ordering::Relaxed));
    let temporary = directory.join(format!(".{name}.{}-{}.partial", unique.0, unique.1));
    let written = (|| {
        let mut file = File::create(&temporary)?;
        file.write_all(&magic)?;
        file.write_all(&FORMAT_VERSION.to_le_bytes())?;
        file.write_all(&length.to_le_bytes())?;
        file.write_all(&digest)?;
        for part in parts {
            file.write_all(part)?;
        }
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        File::open(directory)?.sync_all()
    })();
    if written.is_err() {
        // Best effort: the error that matters is the one above.
        let _ = fs::remove_file(&temporary);
    }
    written.map_err(SealedFileError::io("write", path))?;
    Ok(digest)
}

/// Reads a sealed file and checks everything that its header says; `None` when there is no such file.
pub(crate) fn read(path: &Path, magic: [u8; 8]) -> Result<Option<Sealed>, SealedFileError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(SealedFileError::io("read", path)(error)),
    };
    let Some((header, body)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
        return Err(SealedFileError::WrongLength {
            path: path.to_path_buf(),
            expected: HEADER_BYTES as u64,
            actual: bytes.len() as u64,
        });
    };
    let mut rest = header.as_slice();
    let actual_magic = take::<8>(&mut rest);
    let version = u32::from_le_bytes(take(&mut rest));
    let length = u64::from_le_bytes(take(&mut rest));
    let expected: [u8; 32] = take(&mut rest);

    if actual_magic != magic {
        return Err(SealedFileError::WrongMagic {
            path: path.to_path_buf(),
            expected: String::from_utf8_lossy(&magic).into_owned(),
            actual: String::from_utf8_lossy(&actual_magic).into_owned(),
        });
    }
    if version != FORMAT_VERSION {
        return Err(SealedFileError::WrongVersion {
            path: path.to_path_buf(),
            expected: FORMAT_VERSION,
            actual: version,
        });
    }
    if length != body.len() as u64 {
        return Err(SealedFileError::WrongLength {
            path: path.to_path_buf(),
            expected: length.saturating_add(HEADER_BYTES as u64),
            actual: bytes.len() as u64,
        });
    }
    let actual = digest(magic, version, length, &[body]);
    if actual != expected {
        return Err(SealedFileError::WrongDigest {
            path: path.to_path_buf(),
            expected: hex::encode(expected),
            actual: hex::encode(actual),
        });
    }
    Ok(Some(Sealed { bytes, digest: actual }))
}

fn digest(magic: [u8; 8], version: u32, length: u64, parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(magic);
    hasher.update(version.to_le_bytes());
    hasher.update(length.to_le_bytes());
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// Takes the first `N` bytes; zeros where `bytes` is shorter.
fn take<const N: usize>(bytes: &mut &[u8]) -> [u8; N] {
    match bytes.split_first_chunk::<N>() {
        Some((first, rest)) => {
            *bytes = rest;
            *first
        }
        None => [0; N],
    }
}
