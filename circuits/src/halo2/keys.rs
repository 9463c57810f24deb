//! Proving and verifying keys: made once, kept in a directory, checked whenever they are read.

mod error;
mod file;
mod inventory;

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use halo2_proofs::{
    halo2curves::bn256::{Fr, G1Affine},
    plonk::{Circuit, ProvingKey, VerifyingKey, keygen_pk2},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use super::{
    fingerprint,
    leaf::{LeafCircuit, LeafKeys, SizeClass, prove_leaf},
    prove::{LeafProof, verify_leaf_proof},
    sealed,
    srs::{Srs, SrsSource},
};
use crate::{
    aggregation::{self, AggregationKeys, AggregationVerifier},
    rollup::PROTOCOL_VERSION,
    witness::ChunkWitness,
};

pub use error::KeyError;
use file::{Description, MAGIC, Reader, VERIFYING_MAGIC};

pub use inventory::{Content, StoredFile, needed_files, needed_to_verify, stored_files};

const PROOF_MAGIC: [u8; 8] = *b"TENONPRF";

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
    /// The leaf circuit of a class.
    fn leaf(class: SizeClass) -> Self {
        Self { circuit: "leaf".to_owned(), class: class.name.to_owned(), k: class.k }
    }

    /// The circuit that aggregates `leaves` proofs of a class.
    pub(crate) fn aggregation(class: &str, leaves: usize) -> Self {
        Self { circuit: format!("aggregation-{leaves}"), class: class.to_owned(), k: aggregation::k(leaves) }
    }

    /// The file of all that proving takes.
    fn path(&self, directory: &Path) -> PathBuf {
        directory.join(format!("{}-{}-k{}.key", self.circuit, self.class, self.k))
    }

    /// The file of what verifying takes.
    fn verifying_path(&self, directory: &Path) -> PathBuf {
        self.path(directory).with_extension("vk")
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

/// What it takes to verify the proofs of one circuit: its verifying key, and the reference string that it was made
/// under.
pub struct CircuitVerifier {
    srs: Arc<Srs>,
    verifying_key: VerifyingKey<G1Affine>,
    info: KeyInfo,
}

impl std::fmt::Debug for CircuitVerifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CircuitVerifier").field("info", &self.info).finish_non_exhaustive()
    }
}

impl CircuitVerifier {
    /// What the key is for.
    pub fn info(&self) -> &KeyInfo {
        &self.info
    }

    /// The reference string.
    pub fn srs(&self) -> &Srs {
        &self.srs
    }

    /// The key that verifies.
    pub fn verifying_key(&self) -> &VerifyingKey<G1Affine> {
        &self.verifying_key
    }
}

/// Keys of one circuit with the reference string that they were made under.
pub struct CircuitKeys {
    verifier: Arc<CircuitVerifier>,
    proving_key: ProvingKey<G1Affine>,
}

impl std::fmt::Debug for CircuitKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CircuitKeys").field("info", self.info()).finish_non_exhaustive()
    }
}

impl CircuitKeys {
    /// What the keys are for.
    pub fn info(&self) -> &KeyInfo {
        self.verifier.info()
    }

    /// The reference string.
    pub fn srs(&self) -> &Srs {
        self.verifier.srs()
    }

    /// The key that verifies.
    pub fn verifying_key(&self) -> &VerifyingKey<G1Affine> {
        self.verifier.verifying_key()
    }

    /// The part of the keys that verifying takes.
    pub fn verifier(&self) -> &Arc<CircuitVerifier> {
        &self.verifier
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

    /// What verifies leaf proofs of a class, without the proving key. Keys are made where there are none.
    ///
    /// # Errors
    /// As for [`Self::circuit`].
    pub fn leaf_verifier(&self, class: SizeClass) -> Result<Arc<CircuitVerifier>, KeyError> {
        self.circuit_verifier(&KeyName::leaf(class), &LeafCircuit::keygen(class))
    }

    /// What verifies aggregate proofs of `leaves` leaf proofs of a class, without the proving keys. Keys are made where
    /// there are none.
    ///
    /// # Errors
    /// As for [`AggregationKeys::load_or_create`].
    pub fn aggregation_verifier(
        &self,
        class: SizeClass,
        leaves: usize,
    ) -> Result<AggregationVerifier, KeyError> {
        let leaf = self.leaf_verifier(class)?;
        match AggregationVerifier::load(self, &leaf, leaves)? {
            Some(verifier) => Ok(verifier),
            None => Ok(self.aggregation(class, leaves)?.verifier().clone()),
        }
    }

    /// A proof of an empty chunk, stored beside the keys; one of other keys is made anew.
    fn padding(&self, keys: &LeafKeys) -> Result<LeafProof, KeyError> {
        let class = keys.class();
        let path = empty_proof_path(&self.directory, class);
        if let Some(sealed) = sealed::read(&path, PROOF_MAGIC)? {
            let proof = serde_json::from_slice(sealed.body())
                .map_err(|error| KeyError::Malformed { path: path.clone(), reason: error.to_string() })?;
            if verify_leaf_proof(keys.circuit(), &proof).is_ok() {
                return Ok(proof);
            }
        }
        let proof = prove_leaf(keys, &ChunkWitness::empty(Default::default(), 1, 0))
            .map_err(|error| KeyError::Padding(Box::new(error)))?;
        let json = serde_json::to_vec(&proof).map_err(io::Error::from)?;
        sealed::write(&path, PROOF_MAGIC, &[&json])?;
        Ok(proof)
    }

    /// The keys of `circuit`, whose witness doesn't matter, read or made.
    ///
    /// # Errors
    /// When stored keys can't be trusted or are for another circuit or reference string, or none can be
    /// made or stored.
    pub fn circuit<C: Circuit<Fr>>(&self, name: &KeyName, circuit: &C) -> Result<Arc<CircuitKeys>, KeyError>
    where
        C::Params: Clone,
    {
        let fingerprint = fingerprint_of(name, circuit)?;
        let stored = self.load::<C, ()>(name, fingerprint, |()| Ok(circuit.params()))?;
        let (keys, ()) = match stored {
            Some(stored) => stored,
            None => self.create(name, fingerprint, circuit, || Ok(()))?,
        };
        Ok(Arc::new(keys))
    }

    /// What verifies the proofs of `circuit`: read, or else the part of [`Self::circuit`] that does.
    ///
    /// # Errors
    /// As for [`Self::circuit`].
    pub fn circuit_verifier<C: Circuit<Fr>>(
        &self,
        name: &KeyName,
        circuit: &C,
    ) -> Result<Arc<CircuitVerifier>, KeyError>
    where
        C::Params: Clone,
    {
        let fingerprint = fingerprint_of(name, circuit)?;
        let stored = self.load_verifier::<C, ()>(name, fingerprint, |()| Ok(circuit.params()))?;
        match stored {
            Some(verifier) => Ok(verifier),
            None => Ok(Arc::clone(self.circuit(name, circuit)?.verifier())),
        }
    }

    /// Makes and stores keys. `layout` is called when the circuit has been laid out.
    pub(crate) fn create<C: Circuit<Fr>, L: Serialize>(
        &self,
        name: &KeyName,
        fingerprint: [u8; 32],
        circuit: &C,
        layout: impl FnOnce() -> Result<L, KeyError>,
    ) -> Result<(CircuitKeys, L), KeyError> {
        check_environment()?;
        let srs = self.srs(name.k)?;
        let proving_key = keygen_pk2(srs.params(), circuit, false)
            .map_err(|source| KeyError::Circuit { circuit: name.circuit.clone(), source })?;
        let verifying_key = proving_key.get_vk().clone();
        let info = KeyInfo::new(name, &srs, &verifying_key);
        let description = Description { fingerprint, info: info.clone(), layout: layout()? };
        file::store(&name.path(&self.directory), &description, &proving_key)?;
        file::store_verifying(&name.verifying_path(&self.directory), &description, &verifying_key)?;
        let verifier = Arc::new(CircuitVerifier { srs, verifying_key, info });
        Ok((CircuitKeys { verifier, proving_key }, description.layout))
    }

    /// Reads keys, when there are any. `params` gives the circuit's parameters, from its layout, or says what is wrong
    /// with it. Where the file of the verifying key is gone, it is written again.
    pub(crate) fn load<C: Circuit<Fr>, L: Serialize + DeserializeOwned>(
        &self,
        name: &KeyName,
        fingerprint: [u8; 32],
        params: impl FnOnce(&L) -> Result<C::Params, String>,
    ) -> Result<Option<(CircuitKeys, L)>, KeyError>
    where
        C::Params: Clone,
    {
        let path = name.path(&self.directory);
        let Some(sealed) = sealed::read(&path, MAGIC)? else { return Ok(None) };
        let malformed = |reason: String| KeyError::Malformed { path: path.clone(), reason };
        let mut reader = Reader(sealed.body());
        let (verifier, layout) = self.head::<C, L>(&path, &mut reader, name, fingerprint, params)?;

        let domain = verifier.verifying_key.get_domain();
        let fixed = reader.columns(domain).map_err(malformed)?;
        let sigma = reader.columns(domain).map_err(malformed)?;
        reader.finish().map_err(malformed)?;
        let vk = &verifier.verifying_key;
        let expected = (vk.fixed_commitments().len(), vk.permutation().commitments().len());
        if expected != (fixed.len(), sigma.len()) {
            return Err(malformed("the number of columns isn't the circuit's".into()));
        }
        let proving_key = file::assemble(vk.clone(), fixed, sigma);

        let description = Description { fingerprint, info: verifier.info.clone(), layout };
        let verifying_path = name.verifying_path(&self.directory);
        if !verifying_path.is_file() {
            file::store_verifying(&verifying_path, &description, vk)?;
        }
        Ok(Some((CircuitKeys { verifier: Arc::new(verifier), proving_key }, description.layout)))
    }

    /// Reads what verifying takes, when it is there; `params` as for [`Self::load`].
    pub(crate) fn load_verifier<C: Circuit<Fr>, L: DeserializeOwned>(
        &self,
        name: &KeyName,
        fingerprint: [u8; 32],
        params: impl FnOnce(&L) -> Result<C::Params, String>,
    ) -> Result<Option<Arc<CircuitVerifier>>, KeyError>
    where
        C::Params: Clone,
    {
        let path = name.verifying_path(&self.directory);
        let Some(sealed) = sealed::read(&path, VERIFYING_MAGIC)? else { return Ok(None) };
        let mut reader = Reader(sealed.body());
        let (verifier, _) = self.head::<C, L>(&path, &mut reader, name, fingerprint, params)?;
        reader.finish().map_err(|reason| KeyError::Malformed { path, reason })?;
        Ok(Some(Arc::new(verifier)))
    }

    /// Reads and checks what files of both kinds start with: the description and the verifying key.
    fn head<C: Circuit<Fr>, L: DeserializeOwned>(
        &self,
        path: &Path,
        reader: &mut Reader<'_>,
        name: &KeyName,
        fingerprint: [u8; 32],
        params: impl FnOnce(&L) -> Result<C::Params, String>,
    ) -> Result<(CircuitVerifier, L), KeyError>
    where
        C::Params: Clone,
    {
        check_environment()?;
        let malformed = |reason: String| KeyError::Malformed { path: path.to_path_buf(), reason };
        let Description::<L> { fingerprint: actual, info, layout } =
            serde_json::from_slice(reader.section().map_err(malformed)?)
                .map_err(|error| malformed(format!("description: {error}")))?;
        let mismatch = |what, expected: String, actual: String| {
            let path = path.to_path_buf();
            if expected == actual { Ok(()) } else { Err(KeyError::Mismatch { path, what, expected, actual }) }
        };
        mismatch("version of the circuit", hex::encode(fingerprint), hex::encode(actual))?;
        mismatch("size", format!("k = {}", name.k), format!("k = {}", info.k))?;
        let srs = self.srs(name.k)?;
        mismatch("reference string", hex::encode(srs.digest()), hex::encode(info.srs_digest))?;

        let vk = reader.section().map_err(malformed)?;
        let params = params(&layout).map_err(malformed)?;
        let verifying_key = file::verifying_key::<C>(vk, name.k, params).map_err(malformed)?;
        let expected = KeyInfo::new(name, &srs, &verifying_key);
        mismatch("key", hex::encode(expected.digest), hex::encode(info.digest))?;
        mismatch("purpose", format!("{expected:?}"), format!("{info:?}"))?;
        Ok((CircuitVerifier { srs, verifying_key, info }, layout))
    }
}

/// Digest of all that the keys of `circuit` depend on.
fn fingerprint_of<C: Circuit<Fr>>(name: &KeyName, circuit: &C) -> Result<[u8; 32], KeyError> {
    check_environment()?;
    fingerprint::of_circuit(circuit)
        .map_err(|source| KeyError::Circuit { circuit: name.circuit.clone(), source })
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
