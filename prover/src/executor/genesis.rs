//! The accounts that a log starts with.

use std::{
    io,
    path::{Path, PathBuf},
};

use tenon_circuits::rollup::{
    State,
    json::{Genesis, JsonError},
};

/// The genesis file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum GenesisError {
    /// It can't be read.
    #[error("genesis file {path}: {error}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It isn't a list of accounts.
    #[error("genesis file {path}: {error}")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Why.
        error: JsonError,
    },
}

/// The state of a genesis file; the empty state without one.
///
/// # Errors
/// When the file can't be read or isn't a list of accounts.
pub fn genesis_state(path: Option<&Path>) -> Result<State, GenesisError> {
    let Some(path) = path else { return Ok(State::new()) };
    let text =
        std::fs::read_to_string(path).map_err(|error| GenesisError::Read { path: path.to_owned(), error })?;
    Genesis::from_json(&text)
        .and_then(|genesis| genesis.state())
        .map_err(|error| GenesisError::Invalid { path: path.to_owned(), error })
}
