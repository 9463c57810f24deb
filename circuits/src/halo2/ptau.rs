//! Files of powers of tau as snarkjs writes them (`.ptau`): what a ceremony leaves, prepared for phase 2.
//!
//! Layout, integers little endian: `ptau`, version 1 (u32), number of sections (u32); then for each section its type
//! (u32), its length in bytes (u64) and its content. Type 1 is the header: bytes of a coordinate (u32), the base field's
//! modulus, `power` and the ceremony's power (u32 each). Type 2 has `2^(power + 1) − 1` powers in G1, type 3 `2^power`
//! in G2, and type 12, in files prepared for phase 2, the Lagrange basis in G1 of every size from 2^0 on, one after the
//! other. Coordinates are in Montgomery form, which is the proving library's own form in memory.
//!
//! A file is trusted for nothing. [`read`] checks each point that it takes, that all are powers of one secret in both
//! groups, and that the Lagrange basis is that of the powers; what it can't check is that nobody knows the secret.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

use halo2_proofs::{
    arithmetic::{Field, best_multiexp},
    halo2curves::{
        bn256::{Bn256, Fq, Fr, G1Affine, G2Affine},
        ff::PrimeField,
        group::{Curve, prime::PrimeCurveAffine},
        pairing::Engine,
        serde::SerdeObject,
    },
    poly::EvaluationDomain,
};
use rand::rngs::OsRng;
use rayon::prelude::*;

use super::srs::{G1_BYTES, G2_BYTES, Points, is_development};

const MAGIC: [u8; 4] = *b"ptau";
const VERSION: u32 = 1;
const HEADER: u32 = 1;
const POWERS_G1: u32 = 2;
const POWERS_G2: u32 = 3;
const LAGRANGE_G1: u32 = 12;
const COORDINATE_BYTES: u32 = 32;
/// Sections of a file; snarkjs writes 11 of them.
const MAX_SECTIONS: u32 = 64;
/// Bytes of a header.
const HEADER_BYTES: u64 = 4 + 32 + 4 + 4;
/// Generator of the multiplicative group of which snarkjs takes its roots of unity: the least non-residue.
const LEAST_NON_RESIDUE: u64 = 5;

/// A file of powers of tau can't be used.
#[derive(Debug, thiserror::Error)]
pub enum PtauError {
    /// The file can't be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is no such file, or of another version or curve.
    #[error("expected {what} {expected}, found {actual}")]
    Unexpected {
        /// What is meant.
        what: &'static str,
        /// As such files have it.
        expected: String,
        /// As this one has it.
        actual: String,
    },
    /// It ends too early.
    #[error("the section with {0} is missing or too short")]
    Missing(&'static str),
    /// It has no Lagrange basis.
    #[error("the file isn't prepared for phase 2: run `snarkjs powersoftau prepare phase2` on it first")]
    NotPrepared,
    /// It has too few powers.
    #[error("expected powers up to 2^{expected} at least, found 2^{actual}")]
    TooSmall {
        /// The size asked for, as log2.
        expected: u32,
        /// The file's.
        actual: u32,
    },
    /// A point isn't on the curve, not in its group, or the identity.
    #[error("point {index} of {what} isn't a point of the group other than the identity")]
    Point {
        /// The section.
        what: &'static str,
        /// Its place.
        index: usize,
    },
    /// The points aren't powers of one secret.
    #[error("{0}: the file is damaged or forged")]
    Inconsistent(&'static str),
    /// The powers are those of the development set-up, or of a secret that anybody guesses.
    #[error("the secret of these powers is known: proofs under them could be forged by anybody")]
    KnownSecret,
}

/// Where a section's content is.
#[derive(Clone, Copy)]
struct Section {
    kind: u32,
    start: u64,
    bytes: u64,
}

/// Reads what circuits of `2^k` rows take.
///
/// # Errors
/// When the file can't be read, isn't prepared for phase 2, is too small, or its points aren't powers of one secret that
/// nobody is known to know.
pub(super) fn read(path: &Path, k: u32) -> Result<Points, PtauError> {
    let mut file = File::open(path)?;
    let sections = sections(&mut file)?;
    check_header(&mut file, &sections, k)?;
    let n = 1_usize << k;
    let powers: Vec<G1Affine> = points(&mut file, &sections, (POWERS_G1, "powers in G1"), 0, n)?;
    let in_g2: Vec<G2Affine> = points(&mut file, &sections, (POWERS_G2, "powers in G2"), 0, 2)?;
    if !sections.iter().any(|section| section.kind == LAGRANGE_G1) {
        return Err(PtauError::NotPrepared);
    }
    let theirs: Vec<G1Affine> =
        points(&mut file, &sections, (LAGRANGE_G1, "Lagrange basis"), n as u64 - 1, n)?;
    let lagrange = reordered(&theirs, k)?;
    let points = Points { powers, lagrange, g2: in_g2[0], s_g2: in_g2[1] };
    check_powers(&points)?;
    check_lagrange(&points, k)?;
    Ok(points)
}

fn expect<T: PartialEq + ToString>(what: &'static str, expected: T, actual: T) -> Result<(), PtauError> {
    if expected == actual {
        return Ok(());
    }
    Err(PtauError::Unexpected { what, expected: expected.to_string(), actual: actual.to_string() })
}

fn read_u32(file: &mut File) -> io::Result<u32> {
    let mut bytes = [0; 4];
    file.read_exact(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

fn read_u64(file: &mut File) -> io::Result<u64> {
    let mut bytes = [0; 8];
    file.read_exact(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

fn sections(file: &mut File) -> Result<Vec<Section>, PtauError> {
    let length = file.metadata()?.len();
    let mut magic = [0; 4];
    file.read_exact(&mut magic)?;
    let text = |bytes: [u8; 4]| String::from_utf8_lossy(&bytes).into_owned();
    expect("a file that starts with", text(MAGIC), text(magic))?;
    expect("version", VERSION, read_u32(file)?)?;
    let count = read_u32(file)?;
    if count > MAX_SECTIONS {
        let expected = format!("of at most {MAX_SECTIONS}");
        return Err(PtauError::Unexpected {
            what: "a number of sections",
            expected,
            actual: count.to_string(),
        });
    }
    let mut sections = Vec::new();
    for _ in 0..count {
        let kind = read_u32(file)?;
        let bytes = read_u64(file)?;
        let start = file.stream_position()?;
        let end = start.checked_add(bytes).filter(|end| *end <= length);
        let end = end.ok_or(PtauError::Missing("all that its table says"))?;
        sections.push(Section { kind, start, bytes });
        file.seek(SeekFrom::Start(end))?;
    }
    Ok(sections)
}

/// The only section of a kind.
fn section(sections: &[Section], (kind, what): (u32, &'static str)) -> Result<Section, PtauError> {
    let mut found = sections.iter().filter(|section| section.kind == kind);
    match (found.next(), found.next()) {
        (Some(section), None) => Ok(*section),
        _ => Err(PtauError::Missing(what)),
    }
}

fn check_header(file: &mut File, sections: &[Section], k: u32) -> Result<(), PtauError> {
    let header = section(sections, (HEADER, "the header"))?;
    if header.bytes < HEADER_BYTES {
        return Err(PtauError::Missing("the header"));
    }
    file.seek(SeekFrom::Start(header.start))?;
    expect("bytes of a coordinate:", COORDINATE_BYTES, read_u32(file)?)?;
    let mut modulus = [0; 32];
    file.read_exact(&mut modulus)?;
    modulus.reverse();
    expect("BN254's modulus", Fq::MODULUS.to_owned(), format!("0x{}", hex::encode(modulus)))?;
    let power = read_u32(file)?;
    if power < k {
        return Err(PtauError::TooSmall { expected: k, actual: power });
    }
    Ok(())
}

/// `count` points of a section from place `first` on.
fn points<P: Point>(
    file: &mut File,
    sections: &[Section],
    (kind, what): (u32, &'static str),
    first: u64,
    count: usize,
) -> Result<Vec<P>, PtauError> {
    let section = section(sections, (kind, what))?;
    let start = first * P::BYTES as u64;
    let bytes = count * P::BYTES;
    if section.bytes < start + bytes as u64 {
        return Err(PtauError::Missing(what));
    }
    let mut content = vec![0; bytes];
    file.seek(SeekFrom::Start(section.start + start))?;
    file.read_exact(&mut content)?;
    content
        .par_chunks_exact(P::BYTES)
        .enumerate()
        .map(|(index, bytes)| P::decode(bytes).ok_or(PtauError::Point { what, index }))
        .collect()
}

/// A point of one of the groups.
trait Point: Sized + Send {
    const BYTES: usize;

    /// Nothing but a point of the group other than the identity.
    fn decode(bytes: &[u8]) -> Option<Self>;
}

impl Point for G1Affine {
    const BYTES: usize = G1_BYTES;

    fn decode(bytes: &[u8]) -> Option<Self> {
        // Every point of the curve is in the group.
        Self::from_raw_bytes(bytes).filter(|point| !bool::from(point.is_identity()))
    }
}

impl Point for G2Affine {
    const BYTES: usize = G2_BYTES;

    fn decode(bytes: &[u8]) -> Option<Self> {
        let point = Self::from_raw_bytes(bytes)?;
        // The order of the group is one more than this scalar.
        let is_in_group = bool::from((point * -Fr::ONE + point).to_affine().is_identity());
        (is_in_group && !bool::from(point.is_identity())).then_some(point)
    }
}

/// The Lagrange basis in the order of the proving library's root of unity, of one in the order of snarkjs's.
fn reordered(theirs: &[G1Affine], k: u32) -> Result<Vec<G1Affine>, PtauError> {
    let n = 1_usize << k;
    let exponent = root_exponent(k).ok_or(PtauError::Inconsistent("roots of unity"))?;
    Ok((0..n).map(|i| theirs[i * exponent % n]).collect())
}

/// `e` with `ours = theirs^e` for the roots of unity of order 2^k.
fn root_exponent(k: u32) -> Option<usize> {
    let ours = EvaluationDomain::<Fr>::new(1, k).get_omega();
    let order = Fr::S;
    // theirs = g^((r − 1) / 2^k).
    let mut theirs = Fr::from(LEAST_NON_RESIDUE).pow_vartime(odd_part());
    for _ in k..order {
        theirs = theirs.square();
    }
    // Bit after bit from the lowest: what is left of ours has an order that halves.
    let (mut exponent, mut left) = (0, ours);
    let inverse = Option::<Fr>::from(theirs.invert())?;
    for bit in 0..k {
        let probe = left.pow_vartime([1_u64 << (k - 1 - bit)]);
        if probe != Fr::ONE {
            exponent |= 1_usize << bit;
            left *= inverse.pow_vartime([1_u64 << bit]);
        }
    }
    (left == Fr::ONE).then_some(exponent)
}

/// `(r − 1) / 2^28`, low limb first.
fn odd_part() -> [u64; 4] {
    let minus_one = (-Fr::ONE).to_repr();
    let integer = num_bigint::BigUint::from_bytes_le(minus_one.as_ref()) >> Fr::S;
    let mut digits = integer.to_u64_digits();
    digits.resize(4, 0);
    std::array::from_fn(|i| digits[i])
}

/// Consecutive powers of one secret in G1, which is that of G2: a random combination of `P_(i+1) = τ·P_i`.
fn check_powers(points: &Points) -> Result<(), PtauError> {
    let Points { powers, g2, s_g2, .. } = points;
    if powers[0] != G1Affine::generator() || *g2 != G2Affine::generator() {
        return Err(PtauError::Inconsistent("the powers don't start with the generators"));
    }
    if is_development(s_g2) || *s_g2 == *g2 || *s_g2 == (-*g2) {
        return Err(PtauError::KnownSecret);
    }
    let weights: Vec<Fr> = (1..powers.len()).map(|_| Fr::random(OsRng)).collect();
    let before = best_multiexp(&weights, &powers[..powers.len() - 1]).to_affine();
    let after = best_multiexp(&weights, &powers[1..]).to_affine();
    if Bn256::pairing(&before, s_g2) != Bn256::pairing(&after, g2) {
        return Err(PtauError::Inconsistent("the points aren't powers of one secret"));
    }
    Ok(())
}

/// The basis says the same of a random polynomial as the powers do.
fn check_lagrange(points: &Points, k: u32) -> Result<(), PtauError> {
    let domain = EvaluationDomain::<Fr>::new(1, k);
    let values: Vec<Fr> = (0..1_usize << k).map(|_| Fr::random(OsRng)).collect();
    let by_values = best_multiexp(&values, &points.lagrange).to_affine();
    let coefficients = domain.lagrange_to_coeff(domain.lagrange_from_vec(values));
    if by_values != best_multiexp(&coefficients, &points.powers).to_affine() {
        return Err(PtauError::Inconsistent("the Lagrange basis isn't that of the powers"));
    }
    Ok(())
}
