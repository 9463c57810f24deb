//! Structured reference strings: powers of a secret `τ` in the exponent, in monomial and Lagrange form.
//!
//! The development set-up takes `τ` from a seed printed in this file, so anybody can forge proofs under
//! it; it exists because it is fast and needs no download. All its strings share one `τ` whatever their
//! size, which lets accumulators of leaf proofs be decided with the aggregation's own string.

use std::path::{Path, PathBuf};

use halo2_proofs::{
    arithmetic::{Field, parallelize},
    halo2curves::{
        bn256::{Bn256, Fr, G1Affine, G2Affine},
        ff::{BatchInvert, FromUniformBytes},
        group::Curve,
        serde::SerdeObject,
    },
    poly::{
        EvaluationDomain,
        commitment::{Params, ParamsProver},
        kzg::commitment::ParamsKZG,
    },
};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha512};

use super::{
    fixed_base::FixedBaseTable,
    keys::KeyError,
    ptau,
    sealed::{self, Sealed},
};

pub(super) const MAGIC: [u8; 8] = *b"TENONSRS";
const DEVELOPMENT_SEED: &[u8] = b"tenon development reference string: insecure, its secret is public";
/// Largest supported `k`; a string of this size takes 4 GiB.
pub const MAX_K: u32 = 25;
pub(super) const G1_BYTES: usize = 64;
pub(super) const G2_BYTES: usize = 128;

/// Where a reference string comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SrsSource {
    /// Made here from a public secret: **insecure**, for development and tests only.
    Development,
    /// Brought in from a ceremony.
    Imported,
}

impl SrsSource {
    fn to_byte(self) -> u8 {
        match self {
            Self::Development => 1,
            Self::Imported => 2,
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Development),
            2 => Some(Self::Imported),
            _ => None,
        }
    }
}

impl std::fmt::Display for SrsSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Development => "development (insecure)",
            Self::Imported => "imported",
        })
    }
}

/// A reference string for circuits of `2^k` rows.
pub struct Srs {
    params: ParamsKZG<Bn256>,
    source: SrsSource,
    digest: [u8; 32],
}

impl std::fmt::Debug for Srs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Srs")
            .field("k", &self.params.k())
            .field("source", &self.source)
            .field("digest", &hex::encode(self.digest))
            .finish_non_exhaustive()
    }
}

impl Srs {
    /// Reads the string of size `k` from `directory`, or makes a development string and stores it there.
    ///
    /// # Errors
    /// A stored string that is damaged, of another size or from another source than its name says.
    pub fn load_or_create(directory: &Path, k: u32) -> Result<Self, KeyError> {
        let path = Self::path(directory, k);
        match sealed::read(&path, MAGIC)? {
            Some(sealed) => Self::decode(&path, &sealed, k),
            None => Self::store(&path, k, SrsSource::Development, development(k)?),
        }
    }

    /// The file that holds the string of size `k`.
    pub fn path(directory: &Path, k: u32) -> PathBuf {
        directory.join(format!("srs-{k}.bin"))
    }

    /// The parameters in the proving library's form.
    pub fn params(&self) -> &ParamsKZG<Bn256> {
        &self.params
    }

    /// Where the string comes from.
    pub fn source(&self) -> SrsSource {
        self.source
    }

    /// SHA-256 digest of the stored string, its size and its source.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// Whether two strings, of any sizes, are powers of the same secret.
    pub fn shares_secret_with(&self, other: &Self) -> bool {
        self.generator() == other.generator()
            && self.params.g2() == other.params.g2()
            && self.params.s_g2() == other.params.s_g2()
    }

    /// The generator of G1 that the powers start with.
    pub fn generator(&self) -> G1Affine {
        self.params.get_g().first().copied().unwrap_or_default()
    }

    /// Takes the string of size `k` from a ceremony's file, as snarkjs writes it and prepared for phase 2, and stores it
    /// in `directory`. A string that is there already is left as it is.
    ///
    /// # Errors
    /// When the file can't be used, or another string of that size is there.
    pub fn import(directory: &Path, ceremony: &Path, k: u32) -> Result<Self, KeyError> {
        check_size(k)?;
        let path = Self::path(directory, k);
        let points = ptau::read(ceremony, k)
            .map_err(|source| KeyError::Ceremony { path: ceremony.to_path_buf(), source })?;
        let Some(sealed) = sealed::read(&path, MAGIC)? else {
            return Self::store(&path, k, SrsSource::Imported, points);
        };
        let stored = Self::decode(&path, &sealed, k)?;
        if stored.source == SrsSource::Imported && *stored.params.get_g() == points.powers {
            return Ok(stored);
        }
        Err(KeyError::StringExists { path, found: stored.source })
    }

    fn store(path: &Path, k: u32, source: SrsSource, points: Points) -> Result<Self, KeyError> {
        let Points { powers, lagrange, g2, s_g2 } = &points;
        let mut bytes = Vec::with_capacity(2 * powers.len() * G1_BYTES + 2 * G2_BYTES);
        for point in powers.iter().chain(lagrange) {
            point.write_raw(&mut bytes)?;
        }
        for point in [g2, s_g2] {
            point.write_raw(&mut bytes)?;
        }
        let digest = sealed::write(path, MAGIC, &[&[source.to_byte()], &k.to_le_bytes(), &bytes])?;
        Ok(Self { params: params(k, points), source, digest })
    }

    fn decode(path: &Path, sealed: &Sealed, k: u32) -> Result<Self, KeyError> {
        let malformed = |reason: String| KeyError::Malformed { path: path.to_path_buf(), reason };
        let (source, actual, body) = heading(path, sealed)?;
        if actual != k {
            return Err(KeyError::WrongSize { path: path.to_path_buf(), expected: k, actual });
        }
        check_size(k)?;
        let n = 1usize << k;
        let expected = 2 * n * G1_BYTES + 2 * G2_BYTES;
        if body.len() != expected {
            return Err(malformed(format!("{} bytes of points instead of {expected}", body.len())));
        }

        // The digest has been checked, so the points are as they were written.
        let (powers, body) = body.split_at(n * G1_BYTES);
        let (lagrange, body) = body.split_at(n * G1_BYTES);
        let (g2, s_g2) = body.split_at(G2_BYTES);
        let points = |bytes: &[u8]| -> Vec<G1Affine> {
            bytes.par_chunks_exact(G1_BYTES).map(G1Affine::from_raw_bytes_unchecked).collect()
        };
        let points = Points {
            powers: points(powers),
            lagrange: points(lagrange),
            g2: G2Affine::from_raw_bytes_unchecked(g2),
            s_g2: G2Affine::from_raw_bytes_unchecked(s_g2),
        };
        Ok(Self { params: params(k, points), source, digest: sealed.digest() })
    }
}

/// Source and size of a stored string, and its points.
pub(super) fn heading<'a>(path: &Path, sealed: &'a Sealed) -> Result<(SrsSource, u32, &'a [u8]), KeyError> {
    let malformed = |reason: String| KeyError::Malformed { path: path.to_path_buf(), reason };
    let (&source, body) = sealed.body().split_first().ok_or_else(|| malformed("the body is empty".into()))?;
    let source = SrsSource::from_byte(source).ok_or_else(|| malformed(format!("unknown source {source}")))?;
    let (k, points) =
        body.split_first_chunk::<4>().ok_or_else(|| malformed("the body ends before the size".into()))?;
    Ok((source, u32::from_le_bytes(*k), points))
}

fn check_size(k: u32) -> Result<(), KeyError> {
    if (1..=MAX_K).contains(&k) { Ok(()) } else { Err(KeyError::UnsupportedSize { k, max: MAX_K }) }
}

fn params(k: u32, points: Points) -> ParamsKZG<Bn256> {
    let Points { powers, lagrange, g2, s_g2 } = points;
    // The library only offers assembly from parts as a method of existing parameters.
    let any = ParamsKZG::<Bn256>::setup(1, rand::rngs::OsRng);
    any.from_parts(k, powers, Some(lagrange), g2, s_g2)
}

/// A string's points.
pub(super) struct Points {
    /// `τ^i` in G1, from i = 0 on.
    pub(super) powers: Vec<G1Affine>,
    /// The Lagrange basis at `τ` in G1, in the order of the proving library's root of unity.
    pub(super) lagrange: Vec<G1Affine>,
    /// The generator of G2.
    pub(super) g2: G2Affine,
    /// `τ` in G2.
    pub(super) s_g2: G2Affine,
}

fn development_secret() -> Fr {
    Fr::from_uniform_bytes(&Sha512::digest(DEVELOPMENT_SEED).into())
}

/// Whether `τ` in G2 is the secret of the development set-up.
pub(super) fn is_development(s_g2: &G2Affine) -> bool {
    *s_g2 == (G2Affine::generator() * development_secret()).to_affine()
}

fn development(k: u32) -> Result<Points, KeyError> {
    check_size(k)?;
    let secret = development_secret();
    let n = 1usize << k;

    let mut scalars = vec![Fr::ZERO; n];
    parallelize(&mut scalars, |scalars, start| {
        let mut power = secret.pow_vartime([start as u64]);
        for scalar in scalars {
            *scalar = power;
            power *= secret;
        }
    });
    let table = FixedBaseTable::new(G1Affine::generator());
    let powers = table.multiply(&scalars);

    // l_i(τ) = (τ^n − 1) / n · ω^i / (τ − ω^i).
    let omega = EvaluationDomain::<Fr>::new(1, k).get_omega();
    let factor = (secret.pow_vartime([n as u64]) - Fr::ONE)
        * Option::<Fr>::from(Fr::from(n as u64).invert()).unwrap_or_default();
    parallelize(&mut scalars, |scalars, start| {
        let first = omega.pow_vartime([start as u64]);
        let mut root = first;
        for scalar in scalars.iter_mut() {
            *scalar = secret - root;
            root *= omega;
        }
        scalars.iter_mut().batch_invert();
        root = first;
        for scalar in scalars {
            *scalar *= factor * root;
            root *= omega;
        }
    });
    let lagrange = table.multiply(&scalars);

    let g2 = G2Affine::generator();
    Ok(Points { powers, lagrange, g2, s_g2: (g2 * secret).to_affine() })
}
