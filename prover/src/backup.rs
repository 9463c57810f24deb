//! Copies of what can't be made again: the log and the archive.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};

/// Name of the database in a data directory.
const DATABASE: &str = "tenon.db";

/// Name of the archive in a data directory.
const ARCHIVE: &str = "archive";

/// A backup couldn't be made.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is no log to copy.
    #[error("{0}: there is no tenon.db in this data directory")]
    Missing(PathBuf),
    /// The target holds another rollup's backup, or a data directory in use.
    #[error("{0}: a service's data directory; choose another one")]
    InUse(PathBuf),
    /// A file couldn't be copied.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The database couldn't be copied.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
}

/// What was copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backup {
    /// Batches in the log.
    pub batches: u64,
    /// Files of the archive that weren't in the target yet.
    pub copied: u64,
    /// Files of the archive that were.
    pub kept: u64,
}

/// Copies the log and the archive of a data directory to `target`, which then is one that a service starts from. The
/// service may run meanwhile. A target from an earlier time is brought up to date.
///
/// # Errors
/// When there is nothing to copy, or it can't be copied.
pub async fn backup(data_dir: &Path, target: &Path) -> Result<Backup, BackupError> {
    let source = data_dir.join(DATABASE);
    if !source.is_file() {
        return Err(BackupError::Missing(data_dir.to_owned()));
    }
    // Only a running service, or one that was, leaves a lock.
    if target.join("lock").exists() || same(data_dir, target) {
        return Err(BackupError::InUse(target.to_owned()));
    }
    create(target)?;
    // The log comes first: what it has is in the archive already.
    let new = target.join(format!("{DATABASE}.new"));
    remove(&new)?;
    let options = SqliteConnectOptions::new().filename(&source).read_only(true);
    let mut connection = SqliteConnection::connect_with(&options).await?;
    sqlx::query("VACUUM INTO ?").bind(new.to_string_lossy().into_owned()).execute(&mut connection).await?;
    connection.close().await?;
    let mut connection =
        SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(&new).read_only(true)).await?;
    let batches: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM batches").fetch_one(&mut connection).await?;
    connection.close().await?;
    sync(&new)?;
    for rest in ["-wal", "-shm"] {
        remove(&target.join(format!("{DATABASE}{rest}")))?;
    }
    rename(&new, &target.join(DATABASE))?;
    let mut report = Backup { batches: u64::try_from(batches).unwrap_or(0), ..Backup::default() };
    let archive = data_dir.join(ARCHIVE);
    if archive.is_dir() {
        copy_new(&archive, &target.join(ARCHIVE), &mut report)?;
    }
    Ok(report)
}

fn same(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// Copies files that aren't there; what is there was written once and never changes.
fn copy_new(from: &Path, to: &Path, report: &mut Backup) -> Result<(), BackupError> {
    create(to)?;
    let failed = |error| BackupError::File { path: from.to_owned(), error };
    for entry in fs::read_dir(from).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let metadata = entry.metadata().map_err(failed)?;
        if metadata.is_dir() {
            copy_new(&source, &target, report)?;
            continue;
        }
        let there = fs::metadata(&target).is_ok_and(|there| there.len() == metadata.len());
        if there {
            report.kept += 1;
            continue;
        }
        let mut name = target.clone().into_os_string();
        name.push(".new");
        let new = PathBuf::from(name);
        fs::copy(&source, &new).map_err(|error| BackupError::File { path: source, error })?;
        sync(&new)?;
        rename(&new, &target)?;
        report.copied += 1;
    }
    Ok(())
}

fn create(path: &Path) -> Result<(), BackupError> {
    fs::create_dir_all(path).map_err(|error| BackupError::File { path: path.to_owned(), error })
}

fn sync(path: &Path) -> Result<(), BackupError> {
    let synced = fs::File::open(path).and_then(|file| file.sync_all());
    synced.map_err(|error| BackupError::File { path: path.to_owned(), error })
}

fn rename(from: &Path, to: &Path) -> Result<(), BackupError> {
    fs::rename(from, to).map_err(|error| BackupError::File { path: to.to_owned(), error })
}

fn remove(path: &Path) -> Result<(), BackupError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(BackupError::File { path: path.to_owned(), error })
        }
        _ => Ok(()),
    }
}
