//! The words that a batch publishes and their commitment: the DA stream, enough with the L1 queue to rebuild the
//! state, and the L1 stream of operations consumed and withdrawals made.

use super::{
    Address, Fr, L1Operation, MAX_FEE_ACCOUNTS, Recipient, Transaction,
    field::{self, power_of_two},
    poseidon,
    transaction::KIND_OPEN,
};

/// Number of the DA stream: what is added above a word's 248 bits when it is absorbed.
pub const DA_STREAM: u64 = 1;
/// Number of the L1 stream.
pub const L1_STREAM: u64 = 2;
/// Bits of a word.
pub const WORD_BITS: u64 = 248;
/// Bits of a transaction's record; a word holds two.
pub const RECORD_BITS: u64 = 124;
/// Words that name token, key and owner of an account.
pub const OPEN_WORDS: usize = 3;
/// Words of a deposit in the L1 stream.
pub const DEPOSIT_WORDS: usize = 1 + OPEN_WORDS;
/// Words of a forced exit in the L1 stream.
pub const FORCED_EXIT_WORDS: usize = 1;
/// Words of a withdrawal in the L1 stream.
pub const WITHDRAWAL_WORDS: usize = 2;
/// Tag of the word that opens a batch.
pub const TAG_BATCH: u8 = 1;
/// Tag of the word that opens a chunk.
pub const TAG_CHUNK: u8 = 2;
/// Tag of a deposit in the L1 stream.
pub const TAG_DEPOSIT: u8 = 1;
/// Tag of a forced exit in the L1 stream.
pub const TAG_FORCED_EXIT: u8 = 2;
/// Tag of a withdrawal in the L1 stream.
pub const TAG_WITHDRAWAL: u8 = 3;

/// A payment on L1 that a batch makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Withdrawal {
    /// The token.
    pub token: u32,
    /// Who is paid.
    pub owner: Address,
    /// In the token's smallest unit; not 0.
    pub amount: u128,
}

/// One item of the L1 stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum L1Item {
    /// An operation that the batch consumes.
    Operation(L1Operation),
    /// A withdrawal; right after the operation that causes it, if one does.
    Withdrawal(Withdrawal),
}

impl L1Item {
    /// A deposit is `1 | token << 8 | to << 40 | amount << 72` and the words of an open; a forced exit
    /// `2 | index << 8 | owner << 40`; a withdrawal `3 | token << 8 | owner << 40`, then the amount.
    pub fn words(&self) -> Vec<Fr> {
        let owned = |tag: u8, number: u32, owner: Address| {
            Fr::from(u64::from(tag) | u64::from(number) << 8) + owner.to_field() * power_of_two(40)
        };
        match self {
            Self::Operation(L1Operation::Deposit { token, amount, recipient, to }) => {
                let low = u128::from(TAG_DEPOSIT) | u128::from(*token) << 8 | u128::from(*to) << 40;
                let first = Fr::from(low) + Fr::from(*amount) * power_of_two(72);
                [&[first][..], &open_words(*token, recipient)].concat()
            }
            Self::Operation(L1Operation::ForcedExit { index, owner }) => {
                vec![owned(TAG_FORCED_EXIT, *index, *owner)]
            }
            Self::Withdrawal(Withdrawal { token, owner, amount }) => {
                vec![owned(TAG_WITHDRAWAL, *token, *owner), Fr::from(*amount)]
            }
        }
    }
}

/// The word that opens a batch: `1 | number (64) << 8 | timestamp (32) << 72`.
pub fn batch_header(number: u64, timestamp: u32) -> Fr {
    Fr::from(u128::from(TAG_BATCH) | u128::from(number) << 8 | u128::from(timestamp) << 72)
}

/// The word that opens a chunk: `2 | n_l1 (16) << 8 | n_tx (16) << 24 | fee0 (32) << 40 | fee1 << 72 |
/// fee2 << 104 | fee3 << 136`, [`NO_ACCOUNT`](super::NO_ACCOUNT) where there is no fee account.
pub fn chunk_header(l1_operations: u16, transactions: u16, fee_accounts: [u32; MAX_FEE_ACCOUNTS]) -> Fr {
    let [fee0, fee1, fee2, fee3] = fee_accounts.map(u128::from);
    let counts = u128::from(l1_operations) << 8 | u128::from(transactions) << 24;
    let low = u128::from(TAG_CHUNK) | counts | fee0 << 40;
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

/// Token, key and owner of an account: `token | owner << 32 | (Ax >> 248) << 192 | (Ay >> 248) << 198`,
/// `Ax mod 2^248`, `Ay mod 2^248`.
pub fn open_words(token: u32, recipient: &Recipient) -> [Fr; OPEN_WORDS] {
    let split = |coordinate: &Fr| {
        let mut bytes = field::to_bytes(coordinate);
        let high = std::mem::take(&mut bytes[0]);
        // Below 2^248, so the value is reduced.
        (Fr::from(high), field::from_bytes(&bytes).unwrap_or_default())
    };
    let ((x_high, x_low), (y_high, y_low)) = (split(&recipient.key.x), split(&recipient.key.y));
    let first = Fr::from(token)
        + recipient.owner.to_field() * power_of_two(32)
        + x_high * power_of_two(192)
        + y_high * power_of_two(198);
    [first, x_low, y_low]
}

/// The words of the accounts that these transactions open, in order.
pub fn all_open_words<'a>(transactions: impl IntoIterator<Item = &'a Transaction>) -> Vec<Fr> {
    let opens = transactions.into_iter().filter(|transaction| transaction.kind == KIND_OPEN);
    opens
        .filter_map(|open| open.opens.map(|recipient| open_words(open.token, &recipient)))
        .flatten()
        .collect()
}

/// DA words of a chunk: headers, records, opens.
pub fn chunk_da_words(is_first: bool, transactions: usize, opens: usize) -> usize {
    usize::from(is_first) + 1 + transactions.div_ceil(2) + OPEN_WORDS * opens
}

/// The commitment after one more word of a stream: `H_2(commit, word + stream * 2^248)`.
pub fn absorb(commit: Fr, stream: u64, word: Fr) -> Fr {
    poseidon::hash_2([commit, word + Fr::from(stream) * power_of_two(WORD_BITS)])
}

/// The commitment after these DA words.
pub fn absorb_all(commit: Fr, words: &[Fr]) -> Fr {
    words.iter().fold(commit, |commit, word| absorb(commit, DA_STREAM, *word))
}

/// The commitment after a chunk: all its DA words, then all its L1 words.
pub fn absorb_chunk(commit: Fr, da_words: &[Fr], l1_words: &[Fr]) -> Fr {
    let commit = absorb_all(commit, da_words);
    l1_words.iter().fold(commit, |commit, word| absorb(commit, L1_STREAM, *word))
}
