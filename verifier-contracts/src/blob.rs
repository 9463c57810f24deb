//! A batch's published data as EIP-4844 blobs. Of n words, word i is coefficient n - 1 - i of one polynomial; blob j
//! holds its coefficients 4096·j to 4096·j + 4095 as the evaluations `blob[i] = P_j(ω^bitrev(i))`. So the proof's
//! evaluation of the data at z is `Σ z^(4096·j) · P_j(z)`, and L1 checks each `P_j(z)` against a blob's commitment.

use std::fmt;

use alloy::{
    eips::{
        eip4844::{Blob, kzg_to_versioned_hash},
        eip7594::BlobTransactionSidecarEip7594,
    },
    primitives::{B256, FixedBytes},
};
use ark_ff::{BigInteger, Field, PrimeField, Zero};
use ark_poly::{EvaluationDomain, Radix2EvaluationDomain};
use c_kzg::KzgSettings;
use tenon_circuits::rollup::{
    Fr,
    evaluation::{DaScalar, to_da},
    field,
};
use thiserror::Error;

/// Coefficients of a blob.
pub const BLOB_ELEMENTS: usize = 4096;
/// Most blobs of a batch.
pub const MAX_BLOBS: usize = 6;
/// Words are below 2 to this power.
pub const WORD_BITS: u32 = 248;

/// Bytes of an element of a blob.
const ELEMENT_BYTES: usize = 32;
/// Tables that speed the library's multiplications up; 0 for none, which needs the least memory and start-up.
const PRECOMPUTE: u64 = 0;

/// Words or blobs that can't be a batch's data, or a failure of the KZG library.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BlobError {
    /// Nothing to publish, or more than a batch's blobs hold.
    #[error("expected 1 to {maximum} words for a batch's blobs, got {actual}")]
    WordCount {
        /// Words that the blobs hold.
        maximum: usize,
        /// Words given.
        actual: usize,
    },
    /// The first word is zero, so that the blobs wouldn't say how many words there are.
    #[error("expected a first word that isn't zero, got 0")]
    LeadingZero,
    /// The last blob holds nothing.
    #[error("expected blob {index}, the last, not to be the zero blob")]
    ZeroBlob {
        /// The blob's place.
        index: usize,
    },
    /// A word with too many bits.
    #[error("expected word {index} to be below 2^{WORD_BITS}, got {actual}")]
    WordTooLarge {
        /// The word's place.
        index: usize,
        /// Its value in hex.
        actual: String,
    },
    /// Another number of blobs than of hashes, or none or too many of both.
    #[error("expected {expected} blobs of 1 to {MAX_BLOBS}, got {actual}")]
    BlobCount {
        /// Number of versioned hashes.
        expected: usize,
        /// Number of blobs.
        actual: usize,
    },
    /// A blob isn't what L1 committed to.
    #[error("expected blob {index} to have the versioned hash {expected}, got {actual}")]
    VersionedHash {
        /// The blob's place.
        index: usize,
        /// The hash on L1.
        expected: B256,
        /// The hash of what was given.
        actual: B256,
    },
    /// An element of a blob isn't below the field's order.
    #[error("expected element {element} of blob {index} to be below the field's order, got 0x{actual}")]
    Element {
        /// The blob's place.
        index: usize,
        /// The element's place in it.
        element: usize,
        /// The element in hex.
        actual: String,
    },
    /// The openings don't add up to the evaluation of the words; a bug.
    #[error("expected openings that add up to {expected}, got {actual}")]
    Evaluation {
        /// The evaluation of the words.
        expected: String,
        /// What the openings add up to.
        actual: String,
    },
    /// The KZG library refused.
    #[error("KZG: {0}")]
    Kzg(String),
}

/// The value of one blob's polynomial at a point, with its proof for the point-evaluation precompile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The value.
    pub y: DaScalar,
    /// The blob's KZG commitment.
    pub commitment: FixedBytes<48>,
    /// The KZG proof.
    pub proof: FixedBytes<48>,
}

/// The blobs of one batch.
#[derive(Clone, PartialEq, Eq)]
pub struct Blobs {
    words: Vec<Fr>,
    blobs: Vec<Blob>,
    commitments: Vec<FixedBytes<48>>,
}

impl fmt::Debug for Blobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blobs")
            .field("words", &self.words.len())
            .field("versioned_hashes", &self.versioned_hashes())
            .finish()
    }
}

impl Blobs {
    /// The blobs that hold a batch's DA stream.
    ///
    /// # Errors
    /// When there are no words or too many, one has more than [`WORD_BITS`] bits, or the first is zero.
    pub fn from_words(words: &[Fr]) -> Result<Self, BlobError> {
        let maximum = MAX_BLOBS * BLOB_ELEMENTS;
        if words.is_empty() || words.len() > maximum {
            return Err(BlobError::WordCount { maximum, actual: words.len() });
        }
        if words.first().is_some_and(Zero::is_zero) {
            return Err(BlobError::LeadingZero);
        }
        check_words(words)?;
        let coefficients: Vec<DaScalar> = words.iter().rev().map(to_da).collect();
        let domain = domain()?;
        let blobs: Vec<Blob> = coefficients.chunks(BLOB_ELEMENTS).map(|part| encode(&domain, part)).collect();
        let commitments = blobs.iter().map(commitment).collect::<Result<_, _>>()?;
        Ok(Self { words: words.to_vec(), blobs, commitments })
    }

    /// The blobs with these hashes.
    ///
    /// # Errors
    /// When there isn't one blob for each hash, or they don't hold words as [`Blobs::from_words`] puts them.
    pub fn from_blobs(blobs: &[Blob], versioned_hashes: &[B256]) -> Result<Self, BlobError> {
        let (actual, expected) = (blobs.len(), versioned_hashes.len());
        if actual != expected || actual == 0 || actual > MAX_BLOBS {
            return Err(BlobError::BlobCount { expected, actual });
        }
        let mut commitments = Vec::with_capacity(actual);
        let mut words = Vec::with_capacity(actual * BLOB_ELEMENTS);
        let domain = domain()?;
        for (index, (blob, &expected)) in blobs.iter().zip(versioned_hashes).enumerate() {
            let commitment = commitment(blob)?;
            let actual = kzg_to_versioned_hash(commitment.as_slice());
            if actual != expected {
                return Err(BlobError::VersionedHash { index, expected, actual });
            }
            commitments.push(commitment);
            words.extend(decode(&domain, index, blob)?);
        }
        // The highest coefficients beyond the first word are zero.
        while words.last().is_some_and(Zero::is_zero) {
            words.pop();
        }
        if words.len() <= (blobs.len() - 1) * BLOB_ELEMENTS {
            return Err(BlobError::ZeroBlob { index: blobs.len() - 1 });
        }
        words.reverse();
        Ok(Self { words, blobs: blobs.to_vec(), commitments })
    }

    /// The words.
    #[must_use]
    pub fn words(&self) -> &[Fr] {
        &self.words
    }

    /// The blobs themselves.
    #[must_use]
    pub fn blobs(&self) -> &[Blob] {
        &self.blobs
    }

    /// The KZG commitment of each blob.
    #[must_use]
    pub fn commitments(&self) -> &[FixedBytes<48>] {
        &self.commitments
    }

    /// By these L1 knows the blobs.
    #[must_use]
    pub fn versioned_hashes(&self) -> Vec<B256> {
        self.commitments.iter().map(|commitment| kzg_to_versioned_hash(commitment.as_slice())).collect()
    }

    /// Opens every blob at the batch's point.
    ///
    /// # Errors
    /// When the openings don't add up to the evaluation of the words, or the KZG library fails.
    pub fn open(&self, z_d: u128) -> Result<Vec<Opening>, BlobError> {
        let z = DaScalar::from(z_d);
        let point = c_kzg::Bytes32::new(field::bigint_to_bytes(&z.into_bigint()));
        let mut openings = Vec::with_capacity(self.blobs.len());
        for (blob, commitment) in self.blobs.iter().zip(&self.commitments) {
            let (proof, y) = settings().compute_kzg_proof(&library_blob(blob), &point).map_err(kzg)?;
            let y = element(&y).ok_or_else(|| BlobError::Kzg("a value isn't reduced".into()))?;
            openings.push(Opening {
                y,
                commitment: *commitment,
                proof: FixedBytes(proof.to_bytes().into_inner()),
            });
        }
        let shift = z.pow([BLOB_ELEMENTS as u64]);
        let actual = openings.iter().rev().fold(DaScalar::zero(), |sum, opening| sum * shift + opening.y);
        let expected = self.words.iter().fold(DaScalar::zero(), |y, word| y * z + to_da(word));
        if actual != expected {
            let [expected, actual] = [expected, actual].map(|value| value.to_string());
            return Err(BlobError::Evaluation { expected, actual });
        }
        Ok(openings)
    }

    /// What a transaction that carries the blobs has beside it on the network (EIP-7594): each blob, its commitment
    /// and the proofs of its cells.
    ///
    /// # Errors
    /// When the KZG library fails.
    pub fn sidecar(&self) -> Result<BlobTransactionSidecarEip7594, BlobError> {
        let mut cell_proofs = Vec::with_capacity(self.blobs.len() * c_kzg::CELLS_PER_EXT_BLOB);
        for blob in &self.blobs {
            let (_, proofs) = settings().compute_cells_and_kzg_proofs(&library_blob(blob)).map_err(kzg)?;
            cell_proofs.extend(proofs.iter().map(|proof| FixedBytes(proof.to_bytes().into_inner())));
        }
        Ok(BlobTransactionSidecarEip7594 {
            blobs: self.blobs.clone(),
            commitments: self.commitments.clone(),
            cell_proofs,
        })
    }
}

/// The blobs of several sidecars in one, in order: what a transaction carries that commits several batches.
#[must_use]
pub fn join_sidecars(
    sidecars: impl IntoIterator<Item = BlobTransactionSidecarEip7594>,
) -> BlobTransactionSidecarEip7594 {
    let mut joined = BlobTransactionSidecarEip7594::default();
    for sidecar in sidecars {
        joined.blobs.extend(sidecar.blobs);
        joined.commitments.extend(sidecar.commitments);
        joined.cell_proofs.extend(sidecar.cell_proofs);
    }
    joined
}

/// The words that a batch's blobs hold, each blob being checked against its versioned hash.
///
/// # Errors
/// When the blobs aren't those of the hashes, or don't hold words.
pub fn words_from_blobs(blobs: &[Blob], versioned_hashes: &[B256]) -> Result<Vec<Fr>, BlobError> {
    Blobs::from_blobs(blobs, versioned_hashes).map(|blobs| blobs.words)
}

/// The hash by which L1 knows a blob.
///
/// # Errors
/// When an element of the blob isn't below the field's order.
pub fn versioned_hash(blob: &Blob) -> Result<B256, BlobError> {
    commitment(blob).map(|commitment| kzg_to_versioned_hash(commitment.as_slice()))
}

fn settings() -> &'static KzgSettings {
    c_kzg::ethereum_kzg_settings(PRECOMPUTE)
}

fn kzg(error: c_kzg::Error) -> BlobError {
    BlobError::Kzg(format!("{error:?}"))
}

fn commitment(blob: &Blob) -> Result<FixedBytes<48>, BlobError> {
    let commitment = settings().blob_to_kzg_commitment(&library_blob(blob)).map_err(kzg)?;
    Ok(FixedBytes(commitment.to_bytes().into_inner()))
}

fn library_blob(blob: &Blob) -> c_kzg::Blob {
    c_kzg::Blob::new(blob.0)
}

fn domain() -> Result<Radix2EvaluationDomain<DaScalar>, BlobError> {
    Radix2EvaluationDomain::new(BLOB_ELEMENTS)
        .ok_or_else(|| BlobError::Kzg(format!("no domain of {BLOB_ELEMENTS} elements")))
}

fn check_words(words: &[Fr]) -> Result<(), BlobError> {
    match words.iter().enumerate().find(|(_, word)| word.into_bigint().num_bits() > WORD_BITS) {
        Some((index, word)) => Err(BlobError::WordTooLarge { index, actual: field::to_hex(word) }),
        None => Ok(()),
    }
}

/// A blob from its polynomial's coefficients, lowest first.
fn encode(domain: &Radix2EvaluationDomain<DaScalar>, coefficients: &[DaScalar]) -> Blob {
    let mut values = domain.fft(coefficients);
    bit_reverse(&mut values);
    let mut blob = Blob::ZERO;
    for (place, value) in blob.chunks_exact_mut(ELEMENT_BYTES).zip(values) {
        place.copy_from_slice(&field::bigint_to_bytes(&value.into_bigint()));
    }
    blob
}

/// The coefficients of a blob's polynomial as words, lowest first.
fn decode(
    domain: &Radix2EvaluationDomain<DaScalar>,
    index: usize,
    blob: &Blob,
) -> Result<Vec<Fr>, BlobError> {
    let mut values = Vec::with_capacity(BLOB_ELEMENTS);
    for (place, bytes) in blob.chunks_exact(ELEMENT_BYTES).enumerate() {
        let value = <&[u8; ELEMENT_BYTES]>::try_from(bytes).ok().and_then(element);
        let not_reduced = || BlobError::Element { index, element: place, actual: hex::encode(bytes) };
        values.push(value.ok_or_else(not_reduced)?);
    }
    bit_reverse(&mut values);
    let coefficients = domain.ifft(&values);
    let word = |(place, coefficient): (usize, DaScalar)| {
        let value = coefficient.into_bigint();
        let word = (value.num_bits() <= WORD_BITS).then(|| Fr::from_bigint(value)).flatten();
        word.ok_or_else(|| BlobError::WordTooLarge {
            index: index * BLOB_ELEMENTS + place,
            actual: format!("0x{}", hex::encode(field::bigint_to_bytes(&value))),
        })
    };
    coefficients.into_iter().enumerate().map(word).collect()
}

fn element(bytes: &[u8; ELEMENT_BYTES]) -> Option<DaScalar> {
    DaScalar::from_bigint(field::bigint_from_bytes(bytes))
}

/// Swaps every element with the one at its index's bits in reverse.
fn bit_reverse(values: &mut [DaScalar]) {
    let shift = usize::BITS - values.len().trailing_zeros();
    for index in 0..values.len() {
        let other = index.reverse_bits() >> shift;
        if index < other {
            values.swap(index, other);
        }
    }
}
