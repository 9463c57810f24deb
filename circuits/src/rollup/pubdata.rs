//! The data that a batch publishes, enough to rebuild the state from the state before, and its commitment.

use super::{Fr, MAX_FEE_ACCOUNTS, Transaction, field::power_of_two, poseidon};

/// Number of the DA stream: what is added above a word's 248 bits when it is absorbed.
pub const DA_STREAM: u64 = 1;
/// Bits of a transaction's record; a word holds two.
pub const RECORD_BITS: u64 = 124;
/// Tag of the word that opens a batch.
const TAG_BATCH: u128 = 1;
/// Tag of the word that opens a chunk.
const TAG_CHUNK: u128 = 2;

/// The word that opens a batch: `1 | number (64) << 8 | timestamp (32) << 72`.
pub fn batch_header(number: u64, timestamp: u32) -> Fr {
    Fr::from(TAG_BATCH | u128::from(number) << 8 | u128::from(timestamp) << 72)
}

/// The word that opens a chunk: `2 | n_l1 (16) << 8 | n_tx (16) << 24 | fee0 (32) << 40 | fee1 << 72 |
/// fee2 << 104 | fee3 << 136`, [`NO_ACCOUNT`](super::NO_ACCOUNT) where there is no fee account.
pub fn chunk_header(l1_operations: u16, transactions: u16, fee_accounts: [u32; MAX_FEE_ACCOUNTS]) -> Fr {
    let [fee0, fee1, fee2, fee3] = fee_accounts.map(u128::from);
    let low = TAG_CHUNK | u128::from(l1_operations) << 8 | u128::from(transactions) << 24 | fee0 << 40;
    Fr::from(low) + Fr::from(fee1 | fee2 << 32 | fee3 << 64) * power_of_two(72)
}

/// Records two to a word, the first in the low half, an odd last one alone.
pub fn record_words<'a>(transactions: impl IntoIterator<Item = &'a Transaction>) -> Vec<Fr> {
    let shift = power_of_two(RECORD_BITS);
    let mut words = Vec::new();
    for (index, transaction) in transactions.into_iter().enumerate() {
        let record = transaction.record();
        match words.last_mut() {
            Some(word) if index % 2 == 1 => *word += record * shift,
            _ => words.push(record),
        }
    }
    words
}

/// Words that a batch of this many transactions in chunks of `chunk_capacity` publishes.
pub fn word_count(transactions: usize, chunk_capacity: usize) -> usize {
    let capacity = chunk_capacity.max(1);
    let last = transactions % capacity;
    1 + transactions / capacity * (1 + capacity.div_ceil(2))
        + if last == 0 { 0 } else { 1 + last.div_ceil(2) }
}

/// The commitment after one more DA word: `H_2(commit, word + 1 * 2^248)`.
pub fn absorb(commit: Fr, word: Fr) -> Fr {
    poseidon::hash_2([commit, word + Fr::from(DA_STREAM) * power_of_two(248)])
}

/// The commitment after these DA words.
pub fn absorb_all(commit: Fr, words: &[Fr]) -> Fr {
    words.iter().fold(commit, |commit, word| absorb(commit, *word))
}
