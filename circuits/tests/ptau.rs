//! Importing a ceremony's file made by snarkjs (`testdata/ptau`), and refusing every kind of wrong one.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::{
    fs,
    path::{Path, PathBuf},
};

use halo2_proofs::{
    arithmetic::Field,
    halo2curves::{
        bn256::{Fq2, Fr, G1Affine, G2Affine},
        group::{Curve, prime::PrimeCurveAffine},
        serde::SerdeObject,
    },
    poly::{
        EvaluationDomain,
        commitment::{Blind, Params, ParamsProver},
    },
};
use rand::{SeedableRng, rngs::StdRng};
use tempfile::TempDir;
use tenon_circuits::halo2::{KeyError, PtauError, Srs, SrsSource};

/// The fixture's power.
const POWER: u32 = 5;
const HEADER: u32 = 1;
const POWERS_G1: u32 = 2;
const POWERS_G2: u32 = 3;
const LAGRANGE_G1: u32 = 12;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/ptau/small.ptau")
}

fn u32_at(bytes: &[u8], place: usize) -> u32 {
    u32::from_le_bytes(bytes[place..place + 4].try_into().unwrap())
}

/// Where the table names a section, and where its content starts.
fn section(bytes: &[u8], kind: u32) -> (usize, usize) {
    let mut place = 12;
    loop {
        let length = u64::from_le_bytes(bytes[place + 4..place + 12].try_into().unwrap()) as usize;
        if u32_at(bytes, place) == kind {
            return (place, place + 12);
        }
        place += 12 + length;
    }
}

/// Imports the fixture with a change.
fn import_changed(k: u32, change: impl FnOnce(&mut Vec<u8>)) -> Result<Srs, KeyError> {
    let directory = TempDir::new().unwrap();
    let mut bytes = fs::read(fixture()).unwrap();
    change(&mut bytes);
    let file = directory.path().join("changed.ptau");
    fs::write(&file, bytes).unwrap();
    let imported = Srs::import(directory.path(), &file, k);
    assert_eq!(imported.is_ok(), Srs::path(directory.path(), k).is_file());
    imported
}

/// Why a changed file is refused.
fn refusal(change: impl FnOnce(&mut Vec<u8>)) -> PtauError {
    match import_changed(POWER, change) {
        Err(KeyError::Ceremony { source, .. }) => source,
        other => panic!("{other:?}"),
    }
}

fn put(bytes: &mut [u8], place: usize, content: &[u8]) {
    bytes[place..place + content.len()].copy_from_slice(content);
}

#[test]
fn both_forms_are_those_of_one_secret() {
    let directory = TempDir::new().unwrap();
    let mut random = StdRng::seed_from_u64(1);
    for k in 1..=POWER {
        let srs = Srs::import(directory.path(), &fixture(), k).unwrap();
        assert_eq!(srs.source(), SrsSource::Imported);
        let domain = EvaluationDomain::<Fr>::new(1, k);
        let values: Vec<Fr> = (0..1 << k).map(|_| Fr::random(&mut random)).collect();
        let values = domain.lagrange_from_vec(values);
        let by_values = srs.params().commit_lagrange(&values, Blind::default());
        let coefficients = domain.lagrange_to_coeff(values);
        assert_eq!(by_values, srs.params().commit(&coefficients, Blind::default()));
    }
    let strings = [2, POWER].map(|k| Srs::load_or_create(directory.path(), k).unwrap());
    assert!(strings[0].shares_secret_with(&strings[1]));
    assert_eq!(strings[1].source(), SrsSource::Imported);
    let development = Srs::load_or_create(TempDir::new().unwrap().path(), 2).unwrap();
    assert!(!strings[0].shares_secret_with(&development));
}

#[test]
fn a_string_that_is_there_stays() {
    let directory = TempDir::new().unwrap();
    let first = Srs::import(directory.path(), &fixture(), 3).unwrap();
    assert_eq!(Srs::import(directory.path(), &fixture(), 3).unwrap().digest(), first.digest());
    let development = Srs::load_or_create(directory.path(), 4).unwrap();
    let refused = Srs::import(directory.path(), &fixture(), 4);
    assert!(
        matches!(refused, Err(KeyError::StringExists { found: SrsSource::Development, .. })),
        "{refused:?}"
    );
    assert_eq!(Srs::load_or_create(directory.path(), 4).unwrap().digest(), development.digest());
}

#[test]
fn files_of_another_kind_are_refused() {
    assert!(matches!(refusal(|bytes| bytes[0] = b'x'), PtauError::Unexpected { .. }));
    assert!(matches!(refusal(|bytes| bytes[4] = 2), PtauError::Unexpected { what: "version", .. }));
    assert!(matches!(refusal(|bytes| bytes[8] = 65), PtauError::Unexpected { .. }));
    assert!(matches!(refusal(|bytes| bytes.truncate(bytes.len() - 1)), PtauError::Missing(_)));
    assert!(matches!(refusal(|bytes| bytes.truncate(7)), PtauError::Io(_)));
    let at = |bytes: &[u8], kind| section(bytes, kind);
    let coordinate = refusal(|bytes| {
        let (_, start) = at(bytes, HEADER);
        bytes[start] = 48;
    });
    assert!(matches!(coordinate, PtauError::Unexpected { what: "bytes of a coordinate:", .. }));
    let modulus = refusal(|bytes| {
        let (_, start) = at(bytes, HEADER);
        bytes[start + 4] ^= 1;
    });
    assert!(matches!(modulus, PtauError::Unexpected { what: "BN254's modulus", .. }));
    let power = refusal(|bytes| {
        let (_, start) = at(bytes, HEADER);
        bytes[start + 36] = 4;
    });
    assert!(matches!(power, PtauError::TooSmall { expected: POWER, actual: 4 }));
    for (kind, what) in [(HEADER, "the header"), (POWERS_G1, "powers in G1"), (POWERS_G2, "powers in G2")] {
        let missing = refusal(|bytes| {
            let (entry, _) = at(bytes, kind);
            put(bytes, entry, &99_u32.to_le_bytes());
        });
        assert!(matches!(missing, PtauError::Missing(found) if found == what), "{missing:?}");
    }
    let unprepared = refusal(|bytes| {
        let (entry, _) = at(bytes, LAGRANGE_G1);
        put(bytes, entry, &99_u32.to_le_bytes());
    });
    assert!(matches!(unprepared, PtauError::NotPrepared), "{unprepared:?}");
    let twice = refusal(|bytes| {
        let (entry, _) = at(bytes, LAGRANGE_G1);
        put(bytes, entry, &POWERS_G1.to_le_bytes());
    });
    assert!(matches!(twice, PtauError::Missing("powers in G1")), "{twice:?}");
    let large = import_changed(POWER + 1, |_| {});
    assert!(matches!(large, Err(KeyError::Ceremony { source: PtauError::TooSmall { .. }, .. })));
    assert!(matches!(import_changed(0, |_| {}), Err(KeyError::UnsupportedSize { .. })));
}

#[test]
fn every_point_counts() {
    let other = (G1Affine::generator() * Fr::from(77)).to_affine().to_raw_bytes();
    let n = 1 << POWER;
    for index in 0..n {
        let power = refusal(|bytes| {
            let (_, start) = section(bytes, POWERS_G1);
            put(bytes, start + 64 * index, &other);
        });
        assert!(matches!(power, PtauError::Inconsistent(_)), "power {index}: {power:?}");
        let basis = refusal(|bytes| {
            let (_, start) = section(bytes, LAGRANGE_G1);
            put(bytes, start + 64 * (n - 1 + index), &other);
        });
        assert!(matches!(basis, PtauError::Inconsistent(_)), "basis {index}: {basis:?}");
    }
    for (index, other) in [(0, 5_u64), (1, 7)] {
        let in_g2 = refusal(|bytes| {
            let (_, start) = section(bytes, POWERS_G2);
            let point = (G2Affine::generator() * Fr::from(other)).to_affine();
            put(bytes, start + 128 * index, &point.to_raw_bytes());
        });
        assert!(matches!(in_g2, PtauError::Inconsistent(_)), "{in_g2:?}");
    }
}

#[test]
fn points_outside_the_groups_are_refused() {
    let off_curve = refusal(|bytes| {
        let (_, start) = section(bytes, POWERS_G1);
        bytes[start + 64 * 3] ^= 1;
    });
    assert!(matches!(off_curve, PtauError::Point { what: "powers in G1", index: 3 }), "{off_curve:?}");
    let identity = refusal(|bytes| {
        let (_, start) = section(bytes, LAGRANGE_G1);
        put(bytes, start + 64 * 33, &[0; 64]);
    });
    assert!(matches!(identity, PtauError::Point { what: "Lagrange basis", index: 2 }), "{identity:?}");
    let outside = refusal(|bytes| {
        let (_, start) = section(bytes, POWERS_G2);
        put(bytes, start + 128, &outside_g2().to_raw_bytes());
    });
    assert!(matches!(outside, PtauError::Point { what: "powers in G2", index: 1 }), "{outside:?}");
}

/// A point of the twist that isn't in G2.
fn outside_g2() -> G2Affine {
    let generator = G2Affine::generator();
    let b = generator.y.square() - generator.x.square() * generator.x;
    (1..)
        .map(Fq2::from)
        .find_map(|x: Fq2| {
            let y = Option::<Fq2>::from((x.square() * x + b).sqrt())?;
            let point = G2Affine { x, y };
            let order_times = (point * -Fr::ONE + point).to_affine();
            (!bool::from(order_times.is_identity())).then_some(point)
        })
        .unwrap()
}

#[test]
fn known_secrets_are_refused() {
    // The development string's own powers, consistent as they are.
    let directory = TempDir::new().unwrap();
    let development = Srs::load_or_create(directory.path(), POWER).unwrap();
    let known = refusal(|bytes| {
        let (_, start) = section(bytes, POWERS_G1);
        for (index, point) in development.params().get_g().iter().enumerate() {
            put(bytes, start + 64 * index, &point.to_raw_bytes());
        }
        let (_, start) = section(bytes, POWERS_G2);
        put(bytes, start + 128, &development.params().s_g2().to_raw_bytes());
    });
    assert!(matches!(known, PtauError::KnownSecret), "{known:?}");
    let one = refusal(|bytes| {
        let (_, start) = section(bytes, POWERS_G1);
        for index in 0..1 << POWER {
            put(bytes, start + 64 * index, &G1Affine::generator().to_raw_bytes());
        }
        let (_, start) = section(bytes, POWERS_G2);
        put(bytes, start + 128, &G2Affine::generator().to_raw_bytes());
    });
    assert!(matches!(one, PtauError::KnownSecret), "{one:?}");
}
