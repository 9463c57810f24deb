//! Where files are kept by name: a directory, which may be shared between machines, or a bucket of an S3-compatible
//! store. Writing is all or nothing in both. What is read is checked by whoever named it.

use std::{
    fmt,
    fs::{self, File},
    future::Future,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use object_store::{ObjectStore, ObjectStoreExt, RetryConfig, aws::AmazonS3Builder, path::Path as Key};
use rand::RngCore;
use tokio::{runtime::Handle, time::timeout};

use super::s3::Connector;

/// Time after which a file that is still unfinished was left by a process that died.
const ABANDONED_AFTER: Duration = Duration::from_secs(3600);

/// Longest time that one read or write of a bucket may take, with all its retries.
const BUCKET_TIMEOUT: Duration = Duration::from_secs(60);

/// Tries of a request to a bucket.
const BUCKET_RETRIES: usize = 5;

/// The store can't be used.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// The setting isn't the address of a store.
    #[error("object store: expected s3://BUCKET or s3://BUCKET/PREFIX, found {0:?}")]
    Address(String),
    /// What is missing to reach the bucket.
    #[error("object store {address}: {error}")]
    Bucket {
        /// The bucket's address.
        address: String,
        /// Why.
        error: object_store::Error,
    },
}

/// Keeps files by folder and name.
pub struct Place(Kind);

enum Kind {
    Directory {
        root: PathBuf,
        /// Keeps the unfinished files of processes apart; empty for the directory's owner.
        writer: String,
        count: AtomicU64,
    },
    Bucket {
        store: Arc<dyn ObjectStore>,
        address: String,
        prefix: String,
        runtime: Handle,
    },
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Directory { root, .. } => f.debug_tuple("Directory").field(root).finish(),
            Kind::Bucket { address, .. } => f.debug_tuple("Bucket").field(address).finish(),
        }
    }
}

impl Place {
    /// A directory that no other process writes to.
    #[must_use]
    pub fn own(root: &Path) -> Self {
        Self(Kind::Directory { root: root.to_owned(), writer: String::new(), count: AtomicU64::new(0) })
    }

    /// A directory that other processes write to as well.
    #[must_use]
    pub fn shared(root: &Path) -> Self {
        let mut id = [0; 8];
        rand::rngs::OsRng.fill_bytes(&mut id);
        let writer = format!("{}-", hex::encode(id));
        Self(Kind::Directory { root: root.to_owned(), writer, count: AtomicU64::new(0) })
    }

    /// A bucket, `s3://BUCKET/PREFIX`, with the region, the endpoint and the credentials of the environment
    /// (`AWS_REGION`, `AWS_ENDPOINT`, `AWS_ACCESS_KEY_ID` and the other usual names). It is read and written from
    /// threads that may block, outside of `runtime`'s own.
    ///
    /// # Errors
    /// When the address isn't one or something is missing.
    pub fn bucket(address: &str, runtime: Handle) -> Result<Self, PlaceError> {
        let malformed = || PlaceError::Address(address.to_owned());
        let rest = address.strip_prefix("s3://").ok_or_else(malformed)?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(malformed());
        }
        let retry = RetryConfig {
            max_retries: BUCKET_RETRIES,
            retry_timeout: BUCKET_TIMEOUT / 2,
            ..RetryConfig::default()
        };
        let store = AmazonS3Builder::from_env()
            .with_bucket_name(bucket)
            .with_retry(retry)
            .with_http_connector(Connector)
            .build()
            .map_err(|error| PlaceError::Bucket { address: address.to_owned(), error })?;
        Ok(Self(Kind::Bucket {
            store: Arc::new(store),
            address: format!("s3://{bucket}"),
            prefix: prefix.trim_matches('/').to_owned(),
            runtime,
        }))
    }

    /// Makes a directory's folders and clears what died processes left unfinished there.
    ///
    /// # Errors
    /// When they can't be made or listed, with the folder.
    pub fn prepare(&self, folders: &[&str]) -> Result<(), (PathBuf, io::Error)> {
        let Kind::Directory { root, writer, .. } = &self.0 else { return Ok(()) };
        for folder in folders {
            let directory = root.join(folder);
            let failed = |error| (directory.clone(), error);
            fs::create_dir_all(&directory).map_err(failed)?;
            for entry in fs::read_dir(&directory).map_err(failed)?.flatten() {
                let name = entry.file_name();
                let Some(stem) = name.to_str().and_then(|name| name.strip_suffix(".tmp")) else { continue };
                let is_own = writer.is_empty() && stem.bytes().all(|byte| byte.is_ascii_digit());
                let modified = entry.metadata().and_then(|metadata| metadata.modified());
                let is_old = modified.is_ok_and(|time| {
                    SystemTime::now().duration_since(time).is_ok_and(|age| age > ABANDONED_AFTER)
                });
                if is_own || is_old {
                    let _ = fs::remove_file(entry.path());
                }
            }
        }
        Ok(())
    }

    /// Where a file is, for people.
    #[must_use]
    pub fn locate(&self, folder: &str, name: &str) -> PathBuf {
        match &self.0 {
            Kind::Directory { root, .. } => root.join(folder).join(name),
            Kind::Bucket { address, prefix, .. } => {
                PathBuf::from(format!("{address}/{}", key(prefix, folder, name)))
            }
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// When it isn't there ([`io::ErrorKind::NotFound`]) or can't be read.
    pub fn read(&self, folder: &str, name: &str) -> io::Result<Vec<u8>> {
        match &self.0 {
            Kind::Directory { root, .. } => fs::read(root.join(folder).join(name)),
            Kind::Bucket { store, prefix, runtime, .. } => {
                let key = key(prefix, folder, name);
                wait(runtime, async { Ok(store.get(&key).await?.bytes().await?.to_vec()) })
            }
        }
    }

    /// Writes a file. After an error nothing of it is there, or all of it.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn write(&self, folder: &str, name: &str, content: &[u8]) -> io::Result<()> {
        match &self.0 {
            Kind::Directory { root, writer, count } => {
                let directory = root.join(folder);
                let number = count.fetch_add(1, Ordering::Relaxed);
                let temporary = directory.join(format!("{writer}{number}.tmp"));
                let written = File::create(&temporary)
                    .and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all()))
                    .and_then(|()| fs::rename(&temporary, directory.join(name)))
                    .and_then(|()| File::open(&directory)?.sync_all());
                if written.is_err() {
                    let _ = fs::remove_file(&temporary);
                }
                written
            }
            Kind::Bucket { store, prefix, runtime, .. } => {
                let key = key(prefix, folder, name);
                let content = bytes::Bytes::copy_from_slice(content);
                wait(runtime, async { store.put(&key, content.into()).await.map(|_| ()) })
            }
        }
    }
}

fn key(prefix: &str, folder: &str, name: &str) -> Key {
    Key::from_iter(prefix.split('/').chain([folder, name]).filter(|part| !part.is_empty()))
}

/// The outcome of a request to a bucket, which may take a limited time.
fn wait<T>(runtime: &Handle, request: impl Future<Output = object_store::Result<T>>) -> io::Result<T> {
    match runtime.block_on(async { timeout(BUCKET_TIMEOUT, request).await }) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error @ object_store::Error::NotFound { .. })) => {
            Err(io::Error::new(io::ErrorKind::NotFound, error))
        }
        Ok(Err(error)) => Err(io::Error::other(error)),
        Err(_) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("no answer from the object store within {BUCKET_TIMEOUT:?}"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_and_abandoned_leftovers_are_cleared() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::own(dir.path());
        place.prepare(&["proofs"]).unwrap();
        let leftover = |name: &str| {
            let path = dir.path().join("proofs").join(name);
            fs::write(&path, "half").unwrap();
            path
        };
        let own = leftover("7.tmp");
        let abandoned = leftover("00ff-1.tmp");
        let in_work = leftover("00ff-2.tmp");
        let long_ago = SystemTime::now() - 2 * ABANDONED_AFTER;
        File::options().write(true).open(&abandoned).unwrap().set_modified(long_ago).unwrap();
        Place::shared(dir.path()).prepare(&["proofs"]).unwrap();
        assert!(own.exists() && !abandoned.exists() && in_work.exists());
        place.prepare(&["proofs"]).unwrap();
        assert!(!own.exists() && in_work.exists());
    }

    #[tokio::test]
    async fn addresses_are_checked() {
        for address in ["", "bucket", "s3://", "s3:///prefix", "http://bucket"] {
            let error = Place::bucket(address, Handle::current()).unwrap_err();
            assert!(matches!(error, PlaceError::Address(_)), "{address}: {error}");
        }
        let place = Place::bucket("s3://bucket/a/b/", Handle::current()).unwrap();
        assert_eq!(place.locate("proofs", "1.json"), PathBuf::from("s3://bucket/a/b/proofs/1.json"));
    }
}
