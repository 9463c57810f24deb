//! Proving and verifying keys: made once, kept in a directory, checked whenever they are read.

mod inventory;

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use halo2_proofs::{
    SerdeFormat,
    arithmetic::{Field, parallelize},
    halo2curves::{
        bn256::{Fr, G1Affine},
        serde::SerdeObject,
    },
    plonk::{self, Circuit, ProvingKey, VerifyingKey, keygen_pk2, permutation},
    poly::{Coeff, EvaluationDomain, LagrangeCoeff, Polynomial},
};
use rayon::prelude::*;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use super::{
    fingerprint,
    leaf::{LeafKeys, SizeClass, prove_leaf},
    prove::LeafProof,
    sealed::{self, SealedFileError},
    srs::{Srs, SrsSource},
};
use crate::{aggregation::AggregationKeys, rollup::PROTOCOL_VERSION, witness::ChunkWitness};

pub use inventory::{Content, StoredFile, needed_files, stored_files};

const MAGIC: [u8; 8] = *b"TENONKEY";
const PROOF_MAGIC: [u8; 8] = *b"TENONPRF";
const FIELD_BYTES: usize = 32;

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
    Padding(#[source] Box<super::prove::ProveError>),
    /// A leaf proof doesn't fit the circuit that is to verify it.
    #[error("the aggregation circuit can't take the leaf proof: {0}")]
    Aggregation(String),
}

/// Names a set of keys within a directory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyName {
    /// The circuit: `leaf`, `aggregation-2`.
    pub circuit: String,
    /// The size class of the leaf circuit.
    pub class: String,
    /// The circuit has `2^k` rows.
    pub k: u32,
}

impl KeyName {
    fn path(&self, directory: &Path) -> PathBuf {
        directory.join(format!("{}-{}-k{}.key", self.circuit, self.class, self.k))
    }
}

/// What a set of keys is for, and a digest that names it exactly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyInfo {
    /// The circuit: `leaf`, `aggregation-2`.
    pub name: String,
    /// Version of the protocol that the circuit proves.
    pub protocol_version: String,
    /// The size class of the leaf circuit.
    pub class: String,
    /// The circuit has `2^k` rows.
    pub k: u32,
    /// SHA-256 over the fields of this structure, the constraint system and the commitments to fixed
    /// columns and permutation.
    #[serde(with = "hex_digest")]
    pub digest: [u8; 32],
    /// Where the reference string comes from.
    pub srs_source: SrsSource,
    /// Digest of the reference string.
    #[serde(with = "hex_digest")]
    pub srs_digest: [u8; 32],
}

impl KeyInfo {
    fn new(name: &KeyName, srs: &Srs, vk: &VerifyingKey<G1Affine>) -> Self {
        let mut hasher = Sha256::new();
        for text in [PROTOCOL_VERSION, &name.circuit, &name.class, &format!("{:?}", vk.pinned())] {
            hasher.update((text.len() as u64).to_le_bytes());
            hasher.update(text);
        }
        hasher.update(name.k.to_le_bytes());
        hasher.update(srs.digest());
        Self {
            name: name.circuit.clone(),
            protocol_version: PROTOCOL_VERSION.to_owned(),
            class: name.class.clone(),
            k: name.k,
            digest: hasher.finalize().into(),
            srs_source: srs.source(),
            srs_digest: srs.digest(),
        }
    }
}

/// Keys of one circuit with the reference string that they were made under.
pub struct CircuitKeys {
    srs: Arc<Srs>,
    proving_key: ProvingKey<G1Affine>,
    info: KeyInfo,
}

impl std::fmt::Debug for CircuitKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CircuitKeys").field("info", &self.info).finish_non_exhaustive()
    }
}

impl CircuitKeys {
    /// What the keys are for.
    pub fn info(&self) -> &KeyInfo {
        &self.info
    }

    /// The reference string.
    pub fn srs(&self) -> &Srs {
        &self.srs
    }

    /// The key that verifies.
    pub fn verifying_key(&self) -> &VerifyingKey<G1Affine> {
        self.proving_key.get_vk()
    }

    pub(crate) fn proving_key(&self) -> &ProvingKey<G1Affine> {
        &self.proving_key
    }
}

/// A directory of reference strings and keys. What isn't there is made and stored; what is there is
/// checked, and refused with an error that says what to do when it doesn't fit.
pub struct KeyStore {
    directory: PathBuf,
    strings: Mutex<HashMap<u32, Arc<Srs>>>,
    leaves: Mutex<HashMap<SizeClass, Arc<LeafKeys>>>,
    aggregations: Mutex<HashMap<(SizeClass, usize), Arc<AggregationKeys>>>,
}

impl std::fmt::Debug for KeyStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyStore").field("directory", &self.directory).finish_non_exhaustive()
    }
}

impl KeyStore {
    /// Opens `directory`, which is created when missing.
    ///
    /// # Errors
    /// When the directory can't be created, or the environment would change the circuits.
    pub fn open(directory: &Path) -> Result<Self, KeyError> {
        check_environment()?;
        fs::create_dir_all(directory)?;
        Ok(Self {
            directory: directory.to_path_buf(),
            strings: Mutex::default(),
            leaves: Mutex::default(),
            aggregations: Mutex::default(),
        })
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The reference string for circuits of `2^k` rows.
    ///
    /// # Errors
    /// When the stored string can't be trusted, or none can be made or stored.
    pub fn srs(&self, k: u32) -> Result<Arc<Srs>, KeyError> {
        let mut strings = self.strings.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(srs) = strings.get(&k) {
            return Ok(Arc::clone(srs));
        }
        let srs = Arc::new(Srs::load_or_create(&self.directory, k)?);
        strings.insert(k, Arc::clone(&srs));
        Ok(srs)
    }

    /// The keys of a class's leaf circuit; read or made on the first call.
    ///
    /// # Errors
    /// As for [`Self::circuit`].
    pub fn leaf(&self, class: SizeClass) -> Result<Arc<LeafKeys>, KeyError> {
        let mut leaves = self.leaves.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(keys) = leaves.get(&class) {
            return Ok(Arc::clone(keys));
        }
        let keys = Arc::new(LeafKeys::load_or_create(self, class)?);
        leaves.insert(class, Arc::clone(&keys));
        Ok(keys)
    }

    /// The keys that aggregate `leaves` proofs of a class; read or made on the first call.
    ///
    /// # Errors
    /// As for [`AggregationKeys::load_or_create`].
    pub fn aggregation(&self, class: SizeClass, leaves: usize) -> Result<Arc<AggregationKeys>, KeyError> {
        let mut aggregations = self.aggregations.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(keys) = aggregations.get(&(class, leaves)) {
            return Ok(Arc::clone(keys));
        }
        let leaf = self.leaf(class)?;
        let padding = self.padding(&leaf)?;
        let keys = AggregationKeys::load_or_create(self, Arc::clone(leaf.circuit()), padding, leaves)?;
        let keys = Arc::new(keys);
        aggregations.insert((class, leaves), Arc::clone(&keys));
        Ok(keys)
    }

    /// A proof of an empty chunk, stored beside the keys.
    fn padding(&self, keys: &LeafKeys) -> Result<LeafProof, KeyError> {
        let class = keys.class();
        let path = empty_proof_path(&self.directory, class);
        match sealed::read(&path, PROOF_MAGIC)? {
            Some(sealed) => serde_json::from_slice(sealed.body())
                .map_err(|error| KeyError::Malformed { path, reason: error.to_string() }),
            None => {
                let proof = prove_leaf(keys, &ChunkWitness::empty(Default::default(), 1, 0))
                    .map_err(|error| KeyError::Padding(Box::new(error)))?;
                let json = serde_json::to_vec(&proof).map_err(io::Error::from)?;
                sealed::write(&path, PROOF_MAGIC, &[&json])?;
                Ok(proof)
            }
        }
    }

    /// The keys of `circuit`, whose witness doesn't matter, read or made.
    ///
    /// # Errors
    /// When stored keys can't be trusted or are for another circuit or reference string, or none can be
    /// made or stored.
    pub fn circuit<C: Circuit<Fr>>(&self, name: &KeyName, circuit: &C) -> Result<Arc<CircuitKeys>, KeyError> {
        check_environment()?;
        let fingerprint = fingerprint::of_circuit(circuit)
            .map_err(|source| KeyError::Circuit { circuit: name.circuit.clone(), source })?;
        let stored = self.load::<C, ()>(name, fingerprint, |()| circuit.params())?;
        let (keys, ()) = match stored {
            Some(stored) => stored,
            None => self.create(name, fingerprint, circuit, || Ok(()))?,
        };
        Ok(Arc::new(keys))
    }

    /// Makes and stores keys. `layout` is called when the circuit has been laid out.
    pub(crate) fn create<C: Circuit<Fr>, L: Serialize>(
        &self,
        name: &KeyName,
        fingerprint: [u8; 32],
        circuit: &C,
        layout: impl FnOnce() -> Result<L, KeyError>,
    ) -> Result<(CircuitKeys, L), KeyError> {
        let srs = self.srs(name.k)?;
        let proving_key = keygen_pk2(srs.params(), circuit, false)
            .map_err(|source| KeyError::Circuit { circuit: name.circuit.clone(), source })?;
        let info = KeyInfo::new(name, &srs, proving_key.get_vk());
        let description = Description { fingerprint, info: info.clone(), layout: layout()? };
        store(&name.path(&self.directory), &description, &proving_key)?;
        Ok((CircuitKeys { srs, proving_key, info }, description.layout))
    }

    /// Reads keys, when there are any. `params` gives the circuit's parameters, from its layout.
    pub(crate) fn load<C: Circuit<Fr>, L: DeserializeOwned>(
        &self,
        name: &KeyName,
        fingerprint: [u8; 32],
        params: impl FnOnce(&L) -> C::Params,
    ) -> Result<Option<(CircuitKeys, L)>, KeyError> {
        let path = name.path(&self.directory);
        let Some(sealed) = sealed::read(&path, MAGIC)? else { return Ok(None) };
        let malformed = |reason: String| KeyError::Malformed { path: path.clone(), reason };
        let mut reader = Reader(sealed.body());

        let Description::<L> { fingerprint: actual, info, layout } =
            serde_json::from_slice(reader.section().map_err(malformed)?)
                .map_err(|error| malformed(format!("description: {error}")))?;
        let mismatch = |what, expected: String, actual: String| {
            let path = path.clone();
            if expected == actual { Ok(()) } else { Err(KeyError::Mismatch { path, what, expected, actual }) }
        };
        mismatch("version of the circuit", hex::encode(fingerprint), hex::encode(actual))?;
        let srs = self.srs(name.k)?;
        mismatch("reference string", hex::encode(srs.digest()), hex::encode(info.srs_digest))?;

        let mut vk = reader.section().map_err(malformed)?;
        let vk = VerifyingKey::read::<_, C>(&mut vk, SerdeFormat::RawBytesUnchecked, params(&layout))?;
        let expected = KeyInfo::new(name, &srs, &vk);
        mismatch("key", hex::encode(expected.digest), hex::encode(info.digest))?;
        mismatch("purpose", format!("{expected:?}"), format!("{info:?}"))?;

        let fixed = reader.columns(vk.get_domain()).map_err(malformed)?;
        let sigma = reader.columns(vk.get_domain()).map_err(malformed)?;
        let expected = (vk.fixed_commitments().len(), vk.permutation().commitments().len());
        if expected != (fixed.len(), sigma.len()) {
            return Err(malformed("the number of columns isn't the circuit's".into()));
        }
        let proving_key = assemble(vk, fixed, sigma);
        Ok(Some((CircuitKeys { srs, proving_key, info }, layout)))
    }
}

/// The file of a class's proof of an empty chunk.
fn empty_proof_path(directory: &Path, class: SizeClass) -> PathBuf {
    directory.join(format!("empty-{}-k{}.proof", class.name, class.k))
}

/// Refuses an environment that changes the circuits.
pub(crate) fn check_environment() -> Result<(), KeyError> {
    match std::env::var_os("MAX_DEGREE") {
        None => Ok(()),
        Some(value) => Err(KeyError::MaxDegreeSet { value: value.to_string_lossy().into_owned() }),
    }
}

/// The part of a key file that isn't bulk.
#[derive(Serialize, Deserialize)]
struct Description<L> {
    #[serde(with = "hex_digest")]
    fingerprint: [u8; 32],
    info: KeyInfo,
    layout: L,
}

/// A key file holds the description, the verifying key, and the fixed and permutation columns by their
/// values; what follows from these is computed on reading, which is faster than reading it.
fn store<L: Serialize>(
    path: &Path,
    description: &Description<L>,
    pk: &ProvingKey<G1Affine>,
) -> Result<(), KeyError> {
    let description = serde_json::to_vec(description).map_err(io::Error::from)?;
    let vk = pk.get_vk().to_bytes(SerdeFormat::RawBytesUnchecked);
    let mut small = Vec::new();
    for section in [&description, &vk] {
        small.extend((section.len() as u64).to_le_bytes());
        small.extend(section);
    }
    let fixed = encode_columns(pk.fixed_values());
    let sigma = encode_columns(pk.permutation().permutations());
    sealed::write(path, MAGIC, &[&small, &fixed, &sigma])?;
    Ok(())
}

/// Values are all 0 or 1, eight to a byte.
const COLUMN_BITS: u8 = 0;
/// Values are in the library's internal form.
const COLUMN_RAW: u8 = 1;

fn encode_columns(columns: &[Polynomial<Fr, LagrangeCoeff>]) -> Vec<u8> {
    let encoded = columns
        .par_iter()
        .map(|column| {
            if column.iter().all(|value| *value == Fr::ZERO || *value == Fr::ONE) {
                let bits = column.chunks(8).map(|values| {
                    values.iter().rev().fold(0, |byte, value| byte << 1 | u8::from(*value == Fr::ONE))
                });
                std::iter::once(COLUMN_BITS).chain(bits).collect::<Vec<u8>>()
            } else {
                let mut bytes = Vec::with_capacity(1 + column.len() * FIELD_BYTES);
                bytes.push(COLUMN_RAW);
                bytes.extend(column.iter().flat_map(SerdeObject::to_raw_bytes));
                bytes
            }
        })
        .collect::<Vec<_>>();
    let mut bytes = (columns.len() as u64).to_le_bytes().to_vec();
    bytes.extend(encoded.into_iter().flatten());
    bytes
}

/// Reads the body of a key file from front to back.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, bytes: usize) -> Result<&'a [u8], String> {
        let (first, rest) = self.0.split_at_checked(bytes).ok_or("the body ends early")?;
        self.0 = rest;
        Ok(first)
    }

    fn length(&mut self) -> Result<usize, String> {
        let bytes = self.take(8)?.try_into().map_err(|_| "the body ends early")?;
        usize::try_from(u64::from_le_bytes(bytes)).map_err(|_| "a length is out of range".into())
    }

    fn section(&mut self) -> Result<&'a [u8], String> {
        let length = self.length()?;
        self.take(length)
    }

    fn columns(
        &mut self,
        domain: &EvaluationDomain<Fr>,
    ) -> Result<Vec<Polynomial<Fr, LagrangeCoeff>>, String> {
        let n = 1usize << domain.k();
        let count = self.length()?;
        let mut columns = Vec::new();
        for _ in 0..count {
            let values = match self.take(1)? {
                [COLUMN_BITS] => {
                    let bytes = self.take(n.div_ceil(8))?;
                    let bit = |byte: u8, i: usize| if byte >> i & 1 == 1 { Fr::ONE } else { Fr::ZERO };
                    bytes.iter().flat_map(|byte| (0..8).map(move |i| bit(*byte, i))).take(n).collect()
                }
                [COLUMN_RAW] => self
                    .take(n * FIELD_BYTES)?
                    .par_chunks_exact(FIELD_BYTES)
                    .map(Fr::from_raw_bytes_unchecked)
                    .collect(),
                other => return Err(format!("unknown column encoding {other:?}")),
            };
            columns.push(domain.lagrange_from_vec(values));
        }
        Ok(columns)
    }
}

/// Puts a proving key together from the values of its columns.
fn assemble(
    vk: VerifyingKey<G1Affine>,
    fixed: Vec<Polynomial<Fr, LagrangeCoeff>>,
    sigma: Vec<Polynomial<Fr, LagrangeCoeff>>,
) -> ProvingKey<G1Affine> {
    let domain = vk.get_domain();
    let coefficients = |columns: &[Polynomial<Fr, LagrangeCoeff>]| -> Vec<Polynomial<Fr, Coeff>> {
        columns.iter().map(|column| domain.lagrange_to_coeff(column.clone())).collect()
    };
    let fixed_polys = coefficients(&fixed);
    let sigma_polys = coefficients(&sigma);

    // The first row; the first unusable row; all usable rows.
    let first_unusable = (1usize << domain.k()).saturating_sub(vk.cs().blinding_factors() + 1);
    let indicator = |is_set: &(dyn Fn(usize) -> bool + Sync)| {
        let mut values = domain.empty_lagrange();
        parallelize(&mut values, |values, start| {
            for (i, value) in values.iter_mut().enumerate() {
                if is_set(start + i) {
                    *value = Fr::ONE;
                }
            }
        });
        domain.lagrange_to_coeff(values)
    };
    let l0 = indicator(&|row| row == 0);
    let l_last = indicator(&|row| row == first_unusable);
    let l_active_row = indicator(&|row| row < first_unusable);

    let permutation = permutation::ProvingKey::from_parts(sigma, sigma_polys);
    ProvingKey::from_parts(vk, l0, l_last, l_active_row, fixed, fixed_polys, permutation)
}

/// Digests in JSON: hexadecimal without a prefix.
mod hex_digest {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(digest: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(digest))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut digest = [0; 32];
        hex::decode_to_slice(text, &mut digest).map_err(D::Error::custom)?;
        Ok(digest)
    }
}
