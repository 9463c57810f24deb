//! The files of keys.
//!
//! A file of verifying keys holds a description and the verifying key, a file of proving keys these and the fixed and
//! permutation columns by their values; what follows from these is computed on reading, which is faster than reading it.

use std::{io, path::Path};

use halo2_proofs::{
    SerdeFormat,
    arithmetic::{Field, parallelize},
    halo2curves::{
        bn256::{Fr, G1Affine},
        serde::SerdeObject,
    },
    plonk::{Circuit, ConstraintSystem, ProvingKey, VerifyingKey, permutation},
    poly::{Coeff, EvaluationDomain, LagrangeCoeff, Polynomial},
};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{KeyError, KeyInfo, hex_digest};
use crate::halo2::sealed;

/// Of files with all that proving takes.
pub(super) const MAGIC: [u8; 8] = *b"TENONKEY";
/// Of files with what verifying takes.
pub(super) const VERIFYING_MAGIC: [u8; 8] = *b"TENONVFK";
const FIELD_BYTES: usize = 32;

/// The part of a key file that isn't bulk.
#[derive(Serialize, Deserialize)]
pub(super) struct Description<L> {
    #[serde(with = "hex_digest")]
    pub(super) fingerprint: [u8; 32],
    pub(super) info: KeyInfo,
    pub(super) layout: L,
}

/// Writes a file of proving keys.
pub(super) fn store<L: Serialize>(
    path: &Path,
    description: &Description<L>,
    pk: &ProvingKey<G1Affine>,
) -> Result<(), KeyError> {
    let head = head(description, pk.get_vk())?;
    let fixed = encode_columns(pk.fixed_values());
    let sigma = encode_columns(pk.permutation().permutations());
    sealed::write(path, MAGIC, &[&head, &fixed, &sigma])?;
    Ok(())
}

/// Writes a file of verifying keys.
pub(super) fn store_verifying<L: Serialize>(
    path: &Path,
    description: &Description<L>,
    vk: &VerifyingKey<G1Affine>,
) -> Result<(), KeyError> {
    sealed::write(path, VERIFYING_MAGIC, &[&head(description, vk)?])?;
    Ok(())
}

/// The two sections that both kinds of files start with.
fn head<L: Serialize>(
    description: &Description<L>,
    vk: &VerifyingKey<G1Affine>,
) -> Result<Vec<u8>, KeyError> {
    let description = serde_json::to_vec(description).map_err(io::Error::from)?;
    let vk = vk.to_bytes(SerdeFormat::RawBytesUnchecked);
    let mut head = Vec::new();
    for section in [&description, &vk] {
        head.extend((section.len() as u64).to_le_bytes());
        head.extend(section);
    }
    Ok(head)
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
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

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

    pub(super) fn section(&mut self) -> Result<&'a [u8], String> {
        let length = self.length()?;
        self.take(length)
    }

    pub(super) fn columns(
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

    /// Refuses bytes that nobody has read.
    pub(super) fn finish(self) -> Result<(), String> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(format!("{} bytes follow the last section", self.0.len()))
        }
    }
}

/// Bytes of a verifying key before its points: version, k, whether selectors are compressed, number of fixed columns.
const VK_HEAD_BYTES: usize = 1 + 4 + 1 + 4;
const VK_VERSION: u8 = 2;
const POINT_BYTES: usize = 64;

/// Reads the verifying key of a circuit with `2^k` rows. The library panics on a malformed key, so its shape is checked
/// before.
pub(super) fn verifying_key<C: Circuit<Fr>>(
    bytes: &[u8],
    k: u32,
    params: C::Params,
) -> Result<VerifyingKey<G1Affine>, String>
where
    C::Params: Clone,
{
    let mut constraints = ConstraintSystem::default();
    C::configure_with_params(&mut constraints, params.clone());
    // Each selector has become a fixed column.
    let fixed = constraints.num_fixed_columns() + constraints.num_selectors();
    let permuted = constraints.permutation().get_columns().len();

    let mut head = vec![VK_VERSION];
    head.extend(k.to_le_bytes());
    head.push(0);
    head.extend(u32::try_from(fixed).map_err(|_| "too many fixed columns")?.to_le_bytes());
    let length = VK_HEAD_BYTES + (fixed + permuted) * POINT_BYTES;
    if bytes.get(..VK_HEAD_BYTES) != Some(&head) {
        let actual = hex::encode(bytes.get(..VK_HEAD_BYTES).unwrap_or(bytes));
        return Err(format!("the verifying key starts with {actual} instead of {}", hex::encode(head)));
    }
    if bytes.len() != length {
        return Err(format!("the verifying key has {} bytes instead of {length}", bytes.len()));
    }
    VerifyingKey::from_bytes::<C>(bytes, SerdeFormat::RawBytesUnchecked, params)
        .map_err(|error| format!("verifying key: {error}"))
}

/// Puts a proving key together from the values of its columns.
pub(super) fn assemble(
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
