//! One process at a time owns a data directory.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
    process,
};

/// The data directory can't be used.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error("data directory {path} is held by another process{holder}; stop it or use another directory")]
    Held {
        /// The directory.
        path: PathBuf,
        /// ` (process 123)` where known.
        holder: String,
    },
    /// Nothing can be written there.
    #[error("data directory {path} is not writable: {error}")]
    NotWritable {
        /// The directory.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

/// The right to use a data directory, until dropped or the process ends.
#[derive(Debug)]
pub struct DataDirLock(File);

impl DataDirLock {
    /// Takes the directory, which is made where missing.
    ///
    /// # Errors
    /// When another process has it or it can't be written.
    pub fn take(path: &Path) -> Result<Self, LockError> {
        let not_writable = |error| LockError::NotWritable { path: path.to_owned(), error };
        fs::create_dir_all(path).map_err(not_writable)?;
        let name = path.join("lock");
        let mut file = OpenOptions::new()
            .create(true)
            .read(true)
            .write(true)
            .truncate(false)
            .open(&name)
            .map_err(not_writable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = fs::read_to_string(&name)
                    .ok()
                    .and_then(|text| text.trim().parse::<u32>().ok())
                    .map(|id| format!(" (process {id})"))
                    .unwrap_or_default();
                return Err(LockError::Held { path: path.to_owned(), holder });
            }
            Err(TryLockError::Error(error)) => return Err(not_writable(error)),
        }
        file.set_len(0)
            .and_then(|()| writeln!(file, "{}", process::id()))
            .and_then(|()| file.sync_all())
            .map_err(not_writable)?;
        Ok(Self(file))
    }

    /// Gives the directory back.
    pub fn release(&self) {
        if let Err(error) = self.0.unlock() {
            tracing::warn!(%error, "unlocking the data directory failed");
        }
    }
}
