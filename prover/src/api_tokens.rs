//! Tokens that callers of the service show, and what each may do.
//!
//! A token is 256 random bits, written `tenon_` and 64 hex digits. The file that the service reads has only its SHA-256,
//! beside a name, scopes and an expiry; the token itself is shown once, when it is made.

use std::{
    collections::HashMap,
    fmt, fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use rand::{RngCore as _, rngs::OsRng};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tracing::{error, info};

use crate::core::unix_ms;

/// What every token starts with, so that scanners for leaked secrets find it.
pub const PREFIX: &str = "tenon_";

/// Longest name of a token.
const MAX_NAME_BYTES: usize = 64;

/// Time between two looks at the file.
const RECHECK: Duration = Duration::from_secs(1);

/// What a token lets its owner do. None contains another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Submit batches.
    Submit,
    /// Read jobs, proofs, accounts, status and metrics.
    Read,
    /// Cancel jobs, ask for aggregations.
    Admin,
    /// Take tasks and return proofs.
    Worker,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Self; 4] = [Self::Submit, Self::Read, Self::Admin, Self::Worker];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Submit => "submit",
            Self::Read => "read",
            Self::Admin => "admin",
            Self::Worker => "worker",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|scope| scope.name() == text);
        found.ok_or_else(|| format!("expected submit, read, admin or worker, got {text:?}"))
    }
}

/// A token as the file has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiToken {
    /// Its name, in logs and for revoking it.
    pub name: String,
    /// What it lets its owner do.
    pub scopes: Vec<Scope>,
    /// SHA-256 of the token in hex.
    pub sha256: String,
    /// When it was made, in Unix seconds.
    pub created: u64,
    /// When it ends, in Unix seconds; never where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<u64>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    token: Vec<ApiToken>,
}

/// The file of tokens can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// It can't be read or written.
    #[error("token file {path}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It isn't a file of tokens.
    #[error("token file {path}: {message}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// The token asked for makes no sense.
    #[error("{0}")]
    Refused(String),
}

/// A file of tokens.
#[derive(Clone, Debug)]
pub struct TokenFile(PathBuf);

impl TokenFile {
    /// The file at a path, which needn't exist yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    fn failed(&self, error: io::Error) -> TokenError {
        TokenError::File { path: self.0.clone(), error }
    }

    /// All tokens in it.
    ///
    /// # Errors
    /// When it can't be read or isn't a file of tokens.
    pub fn read(&self) -> Result<Vec<ApiToken>, TokenError> {
        let text = fs::read_to_string(&self.0).map_err(|error| self.failed(error))?;
        parse(&text).map_err(|message| TokenError::Malformed { path: self.0.clone(), message })
    }

    fn read_or_empty(&self) -> Result<Vec<ApiToken>, TokenError> {
        match self.read() {
            Err(TokenError::File { error, .. }) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            read => read,
        }
    }

    /// Adds a token and gives it; it can't be had again.
    ///
    /// # Errors
    /// When the name is taken or the file can't be used.
    pub fn add(&self, name: &str, scopes: &[Scope], expires: Option<u64>) -> Result<String, TokenError> {
        let mut tokens = self.read_or_empty()?;
        if tokens.iter().any(|token| token.name == name) {
            return Err(TokenError::Refused(format!("a token with the name {name:?} exists")));
        }
        let mut secret = [0; 32];
        OsRng.fill_bytes(&mut secret);
        let secret = format!("{PREFIX}{}", hex::encode(secret));
        let mut scopes = scopes.to_vec();
        scopes.sort();
        scopes.dedup();
        tokens.push(ApiToken {
            name: name.to_owned(),
            scopes,
            sha256: hex::encode(digest(&secret)),
            created: unix_ms() / 1000,
            expires,
        });
        let check = tokens.last().map_or(Ok(()), check);
        check.map_err(TokenError::Refused)?;
        self.write(tokens)?;
        Ok(secret)
    }

    /// Takes a token out; a running service refuses it within two seconds.
    ///
    /// # Errors
    /// When no token has the name or the file can't be used.
    pub fn revoke(&self, name: &str) -> Result<(), TokenError> {
        let mut tokens = self.read()?;
        let before = tokens.len();
        tokens.retain(|token| token.name != name);
        if tokens.len() == before {
            return Err(TokenError::Refused(format!("no token has the name {name:?}")));
        }
        self.write(tokens)
    }

    /// In one step, so that a service never sees half of it.
    fn write(&self, tokens: Vec<ApiToken>) -> Result<(), TokenError> {
        let text = toml::to_string(&Document { token: tokens })
            .map_err(|error| TokenError::Malformed { path: self.0.clone(), message: error.to_string() })?;
        let mut name = self.0.clone().into_os_string();
        name.push(format!(".{}.new", std::process::id()));
        let new = PathBuf::from(name);
        let written = || {
            let mut options = fs::OpenOptions::new();
            options.write(true).create(true).truncate(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let mut file = options.open(&new)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, &self.0)
        };
        written().map_err(|error| self.failed(error))
    }
}

/// Reads the text of a file of tokens.
///
/// # Errors
/// With what is wrong with it.
pub fn parse(text: &str) -> Result<Vec<ApiToken>, String> {
    let document: Document = toml::from_str(text).map_err(|error| error.to_string())?;
    for (position, token) in document.token.iter().enumerate() {
        check(token)?;
        if document.token.iter().take(position).any(|other| other.name == token.name) {
            return Err(format!("two tokens have the name {:?}", token.name));
        }
    }
    Ok(document.token)
}

fn check(token: &ApiToken) -> Result<(), String> {
    let name = &token.name;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.is_empty() || name.len() > MAX_NAME_BYTES || !name.bytes().all(plain) {
        return Err(format!(
            "expected a name of 1 to {MAX_NAME_BYTES} letters, digits, '-', '_' and '.', got {name:?}"
        ));
    }
    if token.scopes.is_empty() {
        return Err(format!("token {name}: expected at least one scope"));
    }
    if hash_of(token).is_none() {
        return Err(format!("token {name}: expected a SHA-256 of 64 hex digits"));
    }
    Ok(())
}

fn hash_of(token: &ApiToken) -> Option<[u8; 32]> {
    hex::decode(&token.sha256).ok()?.try_into().ok()
}

fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret).into()
}

/// Why a token doesn't let its owner in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// There is none.
    #[error("a token is needed: send it as `authorization: Bearer TOKEN`")]
    Missing,
    /// The service doesn't know it, or it was revoked.
    #[error("the token is unknown, revoked or expired")]
    Unknown,
    /// It is for something else.
    #[error("the token doesn't have the scope {0}")]
    Scope(Scope),
}

/// The tokens that are in the file by hash, read again when it changes.
#[derive(Debug)]
pub struct Verifier {
    file: TokenFile,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    looked: Instant,
    stamp: Option<Stamp>,
    tokens: HashMap<[u8; 32], Arc<ApiToken>>,
}

/// Changes whenever the file is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: SystemTime,
    bytes: u64,
    inode: u64,
}

impl Verifier {
    /// Reads a file.
    ///
    /// # Errors
    /// When it can't be read or isn't a file of tokens.
    pub fn open(path: &Path) -> Result<Self, TokenError> {
        let file = TokenFile::new(path);
        let stamp = stamp(path);
        let tokens = by_hash(file.read()?);
        info!(file = %path.display(), tokens = tokens.len(), "callers need tokens");
        Ok(Self { file, known: Mutex::new(Known { looked: Instant::now(), stamp, tokens }) })
    }

    /// Lets the owner of a token in, where it has the scope.
    ///
    /// # Errors
    /// With the reason not to.
    pub fn verify(&self, secret: Option<&str>, scope: Scope) -> Result<Arc<ApiToken>, Denied> {
        let secret = secret.ok_or(Denied::Missing)?;
        // Looking a hash up tells nothing about a token: no caller can choose hashes.
        let found = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            self.refresh(&mut known);
            known.tokens.get(&digest(secret)).cloned()
        };
        let token = found.ok_or(Denied::Unknown)?;
        if token.expires.is_some_and(|expires| unix_ms() / 1000 >= expires) {
            return Err(Denied::Unknown);
        }
        if token.scopes.contains(&scope) { Ok(token) } else { Err(Denied::Scope(scope)) }
    }

    /// A file that can't be read any more lets nobody in.
    fn refresh(&self, known: &mut Known) {
        if known.looked.elapsed() < RECHECK {
            return;
        }
        known.looked = Instant::now();
        let now = stamp(self.file.path());
        if now.is_some() && now == known.stamp {
            return;
        }
        match self.file.read() {
            Ok(tokens) => {
                known.tokens = by_hash(tokens);
                info!(tokens = known.tokens.len(), "the file of tokens was read again");
            }
            Err(error) => {
                if known.stamp.is_some() || !known.tokens.is_empty() {
                    error!(%error, "no token is valid until the file can be read");
                }
                known.tokens.clear();
            }
        }
        known.stamp = now;
    }
}

fn by_hash(tokens: Vec<ApiToken>) -> HashMap<[u8; 32], Arc<ApiToken>> {
    tokens.into_iter().filter_map(|token| Some((hash_of(&token)?, Arc::new(token)))).collect()
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    #[cfg(unix)]
    let inode = std::os::unix::fs::MetadataExt::ino(&metadata);
    #[cfg(not(unix))]
    let inode = 0;
    Some(Stamp { modified: metadata.modified().ok()?, bytes: metadata.len(), inode })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_has_no_secret_and_lets_only_scopes_in() {
        let dir = tempfile::tempdir().unwrap();
        let file = TokenFile::new(dir.path().join("tokens.toml"));
        let reader = file.add("reader", &[Scope::Read, Scope::Read], None).unwrap();
        let old = file.add("old", &[Scope::Read], Some(1)).unwrap();
        let text = fs::read_to_string(file.path()).unwrap();
        let bits = reader.strip_prefix(PREFIX).unwrap();
        assert_eq!(bits.len(), 64);
        assert!(!text.contains(bits), "the token itself is in the file");
        let verifier = Verifier::open(file.path()).unwrap();
        assert_eq!(verifier.verify(Some(&reader), Scope::Read).unwrap().name, "reader");
        assert_eq!(verifier.verify(Some(&reader), Scope::Admin).unwrap_err(), Denied::Scope(Scope::Admin));
        assert_eq!(verifier.verify(None, Scope::Read).unwrap_err(), Denied::Missing);
        assert_eq!(verifier.verify(Some(&old), Scope::Read).unwrap_err(), Denied::Unknown);
        assert_eq!(verifier.verify(Some(&text), Scope::Read).unwrap_err(), Denied::Unknown);
        let hash = &file.read().unwrap()[0].sha256;
        assert_eq!(verifier.verify(Some(hash), Scope::Read).unwrap_err(), Denied::Unknown);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_revoked_token_and_a_lost_file_let_nobody_in() {
        let dir = tempfile::tempdir().unwrap();
        let file = TokenFile::new(dir.path().join("tokens.toml"));
        let [first, second] = ["first", "second"].map(|name| file.add(name, &[Scope::Read], None).unwrap());
        let verifier = Verifier::open(file.path()).unwrap();
        let valid = |token: &str| {
            verifier.known.lock().unwrap().looked = Instant::now().checked_sub(RECHECK * 2).unwrap();
            verifier.verify(Some(token), Scope::Read).is_ok()
        };
        assert!(valid(&first) && valid(&second));
        file.revoke("first").unwrap();
        assert!(!valid(&first) && valid(&second));
        fs::remove_file(file.path()).unwrap();
        assert!(!valid(&second));
        assert!(file.add("third", &[], None).is_err() && !file.path().exists());
        let third = file.add("third", &[Scope::Read], None).unwrap();
        assert!(valid(&third) && !valid(&second));
        assert!(file.add("third", &[Scope::Read], None).is_err());
        assert!(file.add("no spaces", &[Scope::Read], None).is_err());
    }
}
