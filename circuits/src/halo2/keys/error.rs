//! What goes wrong with keys and reference strings.

use std::{io, path::PathBuf};

use halo2_proofs::plonk;

use crate::halo2::{ProveError, PtauError, SealedFileError, SrsSource};

/// Keys or reference strings could not be made, read or trusted.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A stored file is missing a piece, damaged or of another kind.
    #[error(transparent)]
    File(#[from] SealedFileError),
    /// The operating system refused an operation on the key directory.
    #[error("key directory: {0}")]
    Io(#[from] io::Error),
    /// A file is undamaged, but its content makes no sense.
    #[error("{path} is malformed: {reason}; delete it to have it made again")]
    Malformed {
        /// The file concerned.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A reference string of another size than its name says.
    #[error("{path} holds a reference string for k = {actual} instead of {expected}; delete or rename it")]
    WrongSize {
        /// The file concerned.
        path: PathBuf,
        /// The size asked for, as log2 of the number of rows.
        expected: u32,
        /// The size found.
        actual: u32,
    },
    /// No reference string of this size can be made.
    #[error("reference strings have 1 <= k <= {max}, not k = {k}")]
    UnsupportedSize {
        /// The size asked for, as log2 of the number of rows.
        k: u32,
        /// The largest size.
        max: u32,
    },
    /// A ceremony's file can't be used.
    #[error("{path}: {source}")]
    Ceremony {
        /// The file concerned.
        path: PathBuf,
        /// What is wrong with it.
        source: PtauError,
    },
    /// A reference string is there that isn't the one to be imported.
    #[error(
        "{path} holds another reference string, {found}; name an empty key directory, as keys made under one string \
         don't fit another"
    )]
    StringExists {
        /// The file concerned.
        path: PathBuf,
        /// Where it comes from.
        found: SrsSource,
    },
    /// A stored key was made by another version of the circuit, or under another reference string.
    #[error("{path} is for another {what}: {actual} instead of {expected}; delete it to have it made again")]
    Mismatch {
        /// The file concerned.
        path: PathBuf,
        /// What differs.
        what: &'static str,
        /// This program's value.
        expected: String,
        /// The value in the file.
        actual: String,
    },
    /// The environment would change the circuits.
    #[error(
        "the environment variable MAX_DEGREE is set (to {value:?}), which changes the circuits' degree: unset it"
    )]
    MaxDegreeSet {
        /// The variable's value.
        value: String,
    },
    /// Two reference strings have different secrets.
    #[error(
        "the reference strings for k = {leaf} and k = {aggregation} are powers of different secrets: delete one"
    )]
    UnrelatedStrings {
        /// Size of the leaf circuit's string.
        leaf: u32,
        /// Size of the aggregation circuit's string.
        aggregation: u32,
    },
    /// An aggregation of fewer than two leaves was asked for.
    #[error("an aggregation takes at least 2 leaf proofs, not {0}")]
    TooFewLeaves(usize),
    /// The circuit could not be laid out.
    #[error("keys of {circuit}: {source}")]
    Circuit {
        /// Name of the circuit.
        circuit: String,
        /// The proving library's reason.
        source: plonk::Error,
    },
    /// The proof that fills unused places, of an empty chunk, could not be made or isn't valid.
    #[error("proof of an empty chunk: {0}")]
    Padding(#[source] Box<ProveError>),
    /// A leaf proof doesn't fit the circuit that is to verify it.
    #[error("the aggregation circuit can't take the leaf proof: {0}")]
    Aggregation(String),
}
