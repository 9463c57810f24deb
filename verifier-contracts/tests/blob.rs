//! A batch's data as blobs: there and back, against the KZG library and against the EVM's point evaluation.

use alloy::{
    eips::eip4844::Blob,
    primitives::{Address, B256, Bytes, U256},
};
use ark_ff::{Field, PrimeField, Zero};
use proptest::prelude::*;
use tenon_circuits::rollup::{
    Fr,
    evaluation::{DaScalar, Evaluations, Points},
    field,
};
use tenon_contracts::{
    blob::{BLOB_ELEMENTS, BlobError, Blobs, MAX_BLOBS, Opening, versioned_hash, words_from_blobs},
    evm::{LOCAL_CHAIN_ID, LocalChain, Message},
};

/// The largest word.
fn largest_word() -> Fr {
    Fr::from(2).pow([248]) - Fr::from(1)
}

fn words(count: usize, seed: u64) -> Vec<Fr> {
    let word =
        |index: usize| Fr::from(seed + 1) * Fr::from(index as u64 + 7).pow([9]) + Fr::from(index as u64);
    let mut words: Vec<Fr> = (0..count).map(word).map(truncated).collect();
    if let Some(last) = words.last_mut().filter(|_| count > 2) {
        *last = largest_word();
    }
    words
}

fn truncated(value: Fr) -> Fr {
    let mut bytes = field::to_bytes(&value);
    bytes[0] = 0;
    field::from_bytes(&bytes).unwrap_or_default()
}

fn evaluation(words: &[Fr], z_d: u128) -> DaScalar {
    Evaluations::default().absorb(&Points { z_d, z_l: 0 }, words, &[]).y_d
}

/// Asks the EVM for the value of a blob's polynomial.
fn point_evaluation(hash: B256, z: u128, opening: &Opening) -> Result<Bytes, String> {
    let mut point = [0; 32];
    point[16..].copy_from_slice(&z.to_be_bytes());
    let y = field::bigint_to_bytes(&opening.y.into_bigint());
    let input = [&hash[..], &point, &y, &opening.commitment[..], &opening.proof[..]].concat();
    let chain = LocalChain::new(LOCAL_CHAIN_ID, 1_700_000_000);
    let precompile = Address::with_last_byte(0x0a);
    let result = chain.call(Address::repeat_byte(1), precompile, input.into());
    result.map(|receipt| receipt.output).map_err(|error| error.to_string())
}

#[test]
fn there_and_back_at_the_limits() {
    for count in [1, 2, 4095, 4096, 4097, 2 * BLOB_ELEMENTS, MAX_BLOBS * BLOB_ELEMENTS] {
        let words = words(count, 3);
        let blobs = Blobs::from_words(&words).unwrap();
        assert_eq!(blobs.blobs().len(), count.div_ceil(BLOB_ELEMENTS));
        assert_eq!(words_from_blobs(blobs.blobs(), &blobs.versioned_hashes()).unwrap(), words);
        assert_eq!(Blobs::from_blobs(blobs.blobs(), &blobs.versioned_hashes()).unwrap(), blobs);
    }
}

#[test]
fn words_inside_may_be_zero_and_the_last_too() {
    let mut words = vec![Fr::zero(); BLOB_ELEMENTS + 1];
    words[0] = Fr::from(5);
    let blobs = Blobs::from_words(&words).unwrap();
    // The first blob is the zero blob, whose commitment is the point at infinity.
    assert_eq!(blobs.blobs()[0], Blob::ZERO);
    assert_eq!(words_from_blobs(blobs.blobs(), &blobs.versioned_hashes()).unwrap(), words);
    assert_eq!(blobs.open(3).unwrap().len(), 2);
}

#[test]
fn a_blob_of_one_word_is_that_word_everywhere() {
    let word = largest_word();
    let blobs = Blobs::from_words(&[word]).unwrap();
    for element in blobs.blobs()[0].chunks_exact(32) {
        assert_eq!(element, field::to_bytes(&word));
    }
}

#[test]
fn openings_are_the_horner_evaluation_and_the_evm_accepts_them() {
    let words = words(BLOB_ELEMENTS + 10, 1);
    let blobs = Blobs::from_words(&words).unwrap();
    let z = 0x1234_5678_9abc_def0_1234_5678_9abc_def1;
    let openings = blobs.open(z).unwrap();
    let shift = DaScalar::from(z).pow([BLOB_ELEMENTS as u64]);
    assert_eq!(openings[0].y + shift * openings[1].y, evaluation(&words, z));

    let modulus: [u8; 32] = field::bigint_to_bytes(&DaScalar::MODULUS);
    for (hash, opening) in blobs.versioned_hashes().into_iter().zip(&openings) {
        let output = point_evaluation(hash, z, opening).unwrap();
        assert_eq!(output.len(), 64);
        assert_eq!(output[30..32], [0x10, 0x00]);
        assert_eq!(output[32..], modulus);
        let other = Opening { y: opening.y + DaScalar::from(1), ..*opening };
        assert!(point_evaluation(hash, z, &other).is_err());
        assert!(point_evaluation(hash, z + 1, opening).is_err());
        assert!(point_evaluation(B256::repeat_byte(1), z, opening).is_err());
    }
}

#[test]
fn what_cannot_be_published_is_refused() {
    let maximum = MAX_BLOBS * BLOB_ELEMENTS;
    assert_eq!(Blobs::from_words(&[]), Err(BlobError::WordCount { maximum, actual: 0 }));
    let too_many = words(maximum + 1, 1);
    assert_eq!(Blobs::from_words(&too_many), Err(BlobError::WordCount { maximum, actual: maximum + 1 }));
    assert_eq!(Blobs::from_words(&[Fr::zero(), Fr::from(1)]), Err(BlobError::LeadingZero));
    let too_large = largest_word() + Fr::from(1);
    let actual = field::to_hex(&too_large);
    assert_eq!(
        Blobs::from_words(&[Fr::from(1), too_large]),
        Err(BlobError::WordTooLarge { index: 1, actual })
    );
}

#[test]
fn blobs_of_something_else_are_refused() {
    let blobs = Blobs::from_words(&words(BLOB_ELEMENTS + 1, 1)).unwrap();
    let hashes = blobs.versioned_hashes();
    let [first, last] = [blobs.blobs()[0], blobs.blobs()[1]];
    let swapped = [last, first];
    let expected = BlobError::VersionedHash { index: 0, expected: hashes[0], actual: hashes[1] };
    assert_eq!(words_from_blobs(&swapped, &hashes), Err(expected));
    let missing = BlobError::BlobCount { expected: 2, actual: 1 };
    assert_eq!(words_from_blobs(&[first], &hashes), Err(missing));
    assert_eq!(words_from_blobs(&[], &[]), Err(BlobError::BlobCount { expected: 0, actual: 0 }));

    // A zero blob at the end would be ignored.
    let zero = versioned_hash(&Blob::ZERO).unwrap();
    let padded = words_from_blobs(&[first, Blob::ZERO], &[hashes[0], zero]);
    assert_eq!(padded, Err(BlobError::ZeroBlob { index: 1 }));

    // Elements that aren't words: the blob's polynomial is the constant 2^248.
    let mut element = [0; 32];
    element[0] = 1;
    let wide = Blob::from_slice(&element.repeat(BLOB_ELEMENTS));
    let error = words_from_blobs(&[wide], &[versioned_hash(&wide).unwrap()]).unwrap_err();
    assert!(matches!(error, BlobError::WordTooLarge { index: 0, .. }), "{error}");

    // Elements that aren't reduced.
    assert!(matches!(versioned_hash(&Blob::repeat_byte(0xff)), Err(BlobError::Kzg(_))));
}

#[test]
fn a_sidecar_has_the_proofs_of_all_cells() {
    let blobs = Blobs::from_words(&words(2 * BLOB_ELEMENTS, 2)).unwrap();
    let sidecar = blobs.sidecar().unwrap();
    assert_eq!(sidecar.blobs, blobs.blobs());
    assert_eq!(sidecar.versioned_hashes().collect::<Vec<_>>(), blobs.versioned_hashes());
    assert_eq!(sidecar.cell_proofs.len(), 2 * 128);

    let settings = c_kzg::ethereum_kzg_settings(0);
    let cells: Vec<_> = sidecar
        .blobs
        .iter()
        .flat_map(|blob| settings.compute_cells(&c_kzg::Blob::new(blob.0)).unwrap().to_vec())
        .collect();
    let bytes = |values: &[alloy::primitives::FixedBytes<48>]| -> Vec<c_kzg::Bytes48> {
        values.iter().map(|value| c_kzg::Bytes48::new(value.0)).collect()
    };
    let commitments: Vec<_> =
        bytes(&sidecar.commitments).into_iter().flat_map(|commitment| [commitment; 128]).collect();
    let indices: Vec<u64> = (0..2 * 128).map(|index| index % 128).collect();
    let proofs = bytes(&sidecar.cell_proofs);
    assert!(settings.verify_cell_kzg_proof_batch(&commitments, &indices, &cells, &proofs).unwrap());
    let mut swapped = proofs;
    swapped.swap(0, 1);
    assert!(!settings.verify_cell_kzg_proof_batch(&commitments, &indices, &cells, &swapped).unwrap());
}

#[test]
fn a_transaction_carries_blobs_and_value() {
    // Returns the hash of its first blob; takes value.
    let code = [0x5f, 0x49, 0x5f, 0x52, 0x60, 0x20, 0x5f, 0xf3];
    let [contract, sender] = [Address::repeat_byte(2), Address::repeat_byte(3)];
    let mut chain = LocalChain::new(LOCAL_CHAIN_ID, 1_700_000_000);
    chain.set_code(contract, code.into());
    let blob_hashes = Blobs::from_words(&words(1, 1)).unwrap().versioned_hashes();
    let message = Message {
        from: sender,
        to: Some(contract),
        value: U256::from(5),
        blob_hashes: blob_hashes.clone(),
        ..Message::default()
    };
    assert!(chain.execute(&message).is_err(), "a sender without the value");
    chain.fund(sender, U256::from(7));
    assert_eq!(chain.simulate(&message).unwrap().output[..], blob_hashes[0][..]);
    assert_eq!(chain.block_number(), 1);
    assert_eq!(chain.execute(&message).unwrap().output[..], blob_hashes[0][..]);
    assert_eq!((chain.block_number(), chain.nonce(sender)), (2, 1));
    assert_eq!([chain.balance(sender), chain.balance(contract)], [2, 5].map(U256::from));
    let plain = Message { blob_hashes: Vec::new(), value: U256::ZERO, ..message };
    assert_eq!(chain.simulate(&plain).unwrap().output[..], B256::ZERO[..]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn any_words_come_back(count in 1..2 * BLOB_ELEMENTS, seed in any::<u32>(), z in any::<u128>()) {
        let words = words(count, u64::from(seed));
        let blobs = Blobs::from_words(&words).unwrap();
        prop_assert_eq!(&words_from_blobs(blobs.blobs(), &blobs.versioned_hashes()).unwrap(), &words);
        let shift = DaScalar::from(z).pow([BLOB_ELEMENTS as u64]);
        let sum = blobs.open(z).unwrap().iter().rev().fold(DaScalar::zero(), |sum, part| sum * shift + part.y);
        prop_assert_eq!(sum, evaluation(&words, z));
    }

    #[test]
    fn a_changed_bit_is_noticed(place in 0..131_072_usize, bit in 0..8_u32) {
        let blobs = Blobs::from_words(&words(5000, 1)).unwrap();
        let mut changed = blobs.blobs().to_vec();
        changed[0][place] ^= 1 << bit;
        prop_assert!(words_from_blobs(&changed, &blobs.versioned_hashes()).is_err());
    }
}
