//! What a key directory holds, without making anything.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::{KeyError, KeyInfo, KeyName, MAGIC, PROOF_MAGIC, Reader, VERIFYING_MAGIC, empty_proof_path};
use crate::{
    aggregation,
    halo2::{
        LeafProof,
        leaf::SizeClass,
        sealed,
        srs::{self, Srs, SrsSource},
    },
};

/// What a file of a key directory holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Keys of a circuit.
    Keys(KeyInfo),
    /// The part of a circuit's keys that verifying takes.
    VerifyingKey(KeyInfo),
    /// A reference string.
    Srs {
        /// The string is for circuits of `2^k` rows.
        k: u32,
        /// Where it comes from.
        source: SrsSource,
        /// Its digest.
        digest: [u8; 32],
    },
    /// The proof of an empty chunk.
    EmptyProof,
}

/// A file of a key directory.
#[derive(Debug)]
pub struct StoredFile {
    /// The file.
    pub path: PathBuf,
    /// Its length in bytes.
    pub bytes: u64,
    /// What it holds, after a check of its digest.
    pub content: Result<Content, KeyError>,
}

/// The part of a key file's description that says what it is for.
#[derive(Deserialize)]
struct Purpose {
    info: KeyInfo,
}

/// The files of a key directory in the order of their names, each checked against the digest that it carries.
/// None where there is no such directory. Whether keys fit this program's circuits shows when they are loaded.
///
/// # Errors
/// When the directory can't be read. What is wrong with a file is told with the file.
pub fn stored_files(directory: &Path) -> Result<Vec<StoredFile>, KeyError> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        let read = match path.extension().and_then(|extension| extension.to_str()) {
            Some("bin") if name.starts_with("srs-") => read_srs,
            Some("key") => |path: &Path| read_keys(path, MAGIC).map(Content::Keys),
            Some("vk") => |path: &Path| read_keys(path, VERIFYING_MAGIC).map(Content::VerifyingKey),
            Some("proof") if name.starts_with("empty-") => read_empty_proof,
            _ => continue,
        };
        files.push(StoredFile { bytes: entry.metadata()?.len(), content: read(&path), path });
    }
    files.sort_by(|left, right| left.path.cmp(&right.path));
    Ok(files)
}

/// The files that proving with a size class and a number of leaf proofs per aggregation needs.
pub fn needed_files(directory: &Path, class: SizeClass, leaves: usize) -> [PathBuf; 5] {
    [
        Srs::path(directory, class.k),
        KeyName::leaf(class).path(directory),
        empty_proof_path(directory, class),
        Srs::path(directory, aggregation::k(leaves)),
        KeyName::aggregation(class.name, leaves).path(directory),
    ]
}

/// The files that verifying needs: the first two for leaf proofs, all for aggregate proofs.
pub fn needed_to_verify(directory: &Path, class: SizeClass, leaves: usize) -> [PathBuf; 4] {
    [
        Srs::path(directory, class.k),
        KeyName::leaf(class).verifying_path(directory),
        Srs::path(directory, aggregation::k(leaves)),
        KeyName::aggregation(class.name, leaves).verifying_path(directory),
    ]
}

fn gone(path: &Path) -> KeyError {
    io::Error::new(io::ErrorKind::NotFound, format!("{} is gone", path.display())).into()
}

fn read_keys(path: &Path, magic: [u8; 8]) -> Result<KeyInfo, KeyError> {
    let sealed = sealed::read(path, magic)?.ok_or_else(|| gone(path))?;
    let malformed = |reason| KeyError::Malformed { path: path.to_path_buf(), reason };
    let description = Reader(sealed.body()).section().map_err(malformed)?;
    let purpose: Purpose =
        serde_json::from_slice(description).map_err(|error| malformed(format!("description: {error}")))?;
    Ok(purpose.info)
}

fn read_srs(path: &Path) -> Result<Content, KeyError> {
    let sealed = sealed::read(path, srs::MAGIC)?.ok_or_else(|| gone(path))?;
    let (source, k, _) = srs::heading(path, &sealed)?;
    Ok(Content::Srs { k, source, digest: sealed.digest() })
}

fn read_empty_proof(path: &Path) -> Result<Content, KeyError> {
    let sealed = sealed::read(path, PROOF_MAGIC)?.ok_or_else(|| gone(path))?;
    serde_json::from_slice::<LeafProof>(sealed.body())
        .map_err(|error| KeyError::Malformed { path: path.to_path_buf(), reason: error.to_string() })?;
    Ok(Content::EmptyProof)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_is_there_and_what_is_damaged() {
        let directory = tempfile::tempdir().unwrap();
        assert!(stored_files(&directory.path().join("none")).unwrap().is_empty());
        let srs = Srs::load_or_create(directory.path(), 4).unwrap();
        fs::write(directory.path().join("leaf-small-k14.key"), "nothing").unwrap();
        fs::write(directory.path().join("notes.txt"), "nothing").unwrap();
        let files = stored_files(directory.path()).unwrap();
        let [key, string] = files.as_slice() else { panic!("expected 2 files, found {files:?}") };
        assert!(key.content.is_err());
        let expected = Content::Srs { k: 4, source: SrsSource::Development, digest: srs.digest() };
        assert_eq!(string.content.as_ref().unwrap(), &expected);

        let mut bytes = fs::read(&string.path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&string.path, bytes).unwrap();
        let files = stored_files(directory.path()).unwrap();
        assert!(matches!(files[1].content, Err(KeyError::File(_))));
    }
}
