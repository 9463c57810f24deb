//! Strict reading of published words: each bit is used, or must be 0.

use ark_ff::PrimeField;
use thiserror::Error;

use super::{
    Address, Fr, L1Operation, PublicKey, Recipient,
    field::{self, FieldError},
    pubdata::{L1Item, TAG_DEPOSIT, TAG_FORCED_EXIT, TAG_WITHDRAWAL, WORD_BITS, Withdrawal},
    transaction::L1OperationError,
};

/// Words that nothing could have published; the fault of whoever did.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WordError {
    /// The stream stops inside an item.
    #[error("word {position}: expected {expected}, got the stream's end")]
    End {
        /// Position in the stream.
        position: usize,
        /// What should be there.
        expected: &'static str,
    },
    /// A word of more than 248 bits.
    #[error("word {position}: expected less than 2^248, got {actual}")]
    TooLarge {
        /// Position in the stream.
        position: usize,
        /// The word.
        actual: String,
    },
    /// Another tag.
    #[error("word {position}: expected {expected}, got the tag {actual}")]
    Tag {
        /// Position in the stream.
        position: usize,
        /// What should be there.
        expected: &'static str,
        /// The word's low 8 bits.
        actual: u128,
    },
    /// Bits that nothing uses.
    #[error("word {position}: expected 0 in the bits that {what} doesn't use, got {actual}")]
    Unused {
        /// Position in the stream.
        position: usize,
        /// What the word is.
        what: &'static str,
        /// The word.
        actual: String,
    },
    /// A deposit whose account holds another token.
    #[error("word {position}: expected token {expected}, which the deposit names, got {actual}")]
    Token {
        /// Position in the stream.
        position: usize,
        /// The deposit's.
        expected: u32,
        /// The account's.
        actual: u32,
    },
    /// A key's coordinate that isn't reduced.
    #[error("word {position}: {error}")]
    Coordinate {
        /// Position in the stream.
        position: usize,
        /// Expected and actual.
        error: FieldError,
    },
    /// A value that the protocol excludes.
    #[error("word {position}: {error}")]
    Operation {
        /// Position in the stream.
        position: usize,
        /// Expected and actual.
        error: L1OperationError,
    },
    /// Words after the last item.
    #[error("expected {expected} words, got {actual}")]
    TooMany {
        /// Words of the items.
        expected: usize,
        /// Words given.
        actual: usize,
    },
}

/// Reads a stream word by word.
pub(super) struct WordReader<'a> {
    words: &'a [Fr],
    position: usize,
}

/// Takes a word apart, from its lowest bit on.
pub(super) struct Bits {
    word: Fr,
    limbs: [u64; 4],
    position: usize,
}

impl<'a> WordReader<'a> {
    pub(super) fn new(words: &'a [Fr]) -> Self {
        Self { words, position: 0 }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.position >= self.words.len()
    }

    /// Position of the next word.
    pub(super) fn position(&self) -> usize {
        self.position
    }

    /// The next word.
    pub(super) fn next(&mut self, expected: &'static str) -> Result<Bits, WordError> {
        let position = self.position;
        let word = *self.words.get(position).ok_or(WordError::End { position, expected })?;
        let limbs = word.into_bigint().0;
        if limbs[3] >> (WORD_BITS - 192) != 0 {
            return Err(WordError::TooLarge { position, actual: field::to_hex(&word) });
        }
        self.position += 1;
        Ok(Bits { word, limbs, position })
    }

    /// The next word, with this tag.
    pub(super) fn tagged(&mut self, tag: u8, expected: &'static str) -> Result<Bits, WordError> {
        let mut bits = self.next(expected)?;
        match bits.take(8) {
            actual if actual == u128::from(tag) => Ok(bits),
            actual => Err(WordError::Tag { position: bits.position, expected, actual }),
        }
    }

    /// The token, key and owner of an account.
    pub(super) fn open(&mut self) -> Result<(u32, Recipient), WordError> {
        let mut bits = self.next("an account's token and owner")?;
        let position = bits.position;
        let (token, owner) = (bits.take_u32(), bits.take_address());
        let (x_high, y_high) = (bits.take(6), bits.take(6));
        bits.finish("an account's first word")?;
        if owner.is_zero() {
            return Err(WordError::Operation { position, error: L1OperationError::OwnerZero });
        }
        let (x, y) = (self.coordinate(x_high)?, self.coordinate(y_high)?);
        Ok((token, Recipient { key: PublicKey { x, y }, owner }))
    }

    fn coordinate(&mut self, high: u128) -> Result<Fr, WordError> {
        let position = self.position;
        let mut bytes = field::to_bytes(&self.next("a key's coordinate")?.word);
        // Six bits.
        bytes[0] = high as u8;
        field::from_bytes(&bytes).map_err(|error| WordError::Coordinate { position, error })
    }

    /// An error when words are left.
    pub(super) fn finish(self) -> Result<(), WordError> {
        if self.is_at_end() {
            return Ok(());
        }
        Err(WordError::TooMany { expected: self.position, actual: self.words.len() })
    }
}

impl Bits {
    /// The next bits, at most 128.
    pub(super) fn take(&mut self, bits: u32) -> u128 {
        let low = u128::from(self.limbs[0]) | u128::from(self.limbs[1]) << 64;
        let high = u128::from(self.limbs[2]) | u128::from(self.limbs[3]) << 64;
        let (taken, low, high) = if bits < 128 {
            (low & ((1 << bits) - 1), low >> bits | high.unbounded_shl(128 - bits), high >> bits)
        } else {
            (low, high, 0)
        };
        self.limbs = [low as u64, (low >> 64) as u64, high as u64, (high >> 64) as u64];
        taken
    }

    pub(super) fn take_u32(&mut self) -> u32 {
        self.take(32) as u32
    }

    pub(super) fn take_address(&mut self) -> Address {
        let (low, high) = (self.take(128), self.take(32));
        let mut bytes = [0; 20];
        bytes[..4].copy_from_slice(&(high as u32).to_be_bytes());
        bytes[4..].copy_from_slice(&low.to_be_bytes());
        Address(bytes)
    }

    /// An error when the bits that are left aren't 0.
    pub(super) fn finish(self, what: &'static str) -> Result<(), WordError> {
        if self.limbs == [0; 4] {
            return Ok(());
        }
        Err(WordError::Unused { position: self.position, what, actual: field::to_hex(&self.word) })
    }
}

/// Reads an L1 stream: the operations consumed and the withdrawals, in order.
///
/// # Errors
/// When the words aren't exactly those of such items.
pub fn parse_l1_stream(words: &[Fr]) -> Result<Vec<L1Item>, WordError> {
    let mut reader = WordReader::new(words);
    let mut items = Vec::new();
    while !reader.is_at_end() {
        items.push(l1_item(&mut reader)?);
    }
    Ok(items)
}

fn l1_item(reader: &mut WordReader<'_>) -> Result<L1Item, WordError> {
    const EXPECTED: &str = "a deposit, a forced exit or a withdrawal";
    let position = reader.position();
    let mut bits = reader.next(EXPECTED)?;
    let item = match bits.take(8) {
        tag if tag == u128::from(TAG_DEPOSIT) => {
            let (token, to, amount) = (bits.take_u32(), bits.take_u32(), bits.take(128));
            bits.finish("a deposit")?;
            let position = reader.position();
            let (actual, recipient) = reader.open()?;
            if actual != token {
                return Err(WordError::Token { position, expected: token, actual });
            }
            L1Item::Operation(L1Operation::Deposit { token, amount, recipient, to })
        }
        tag if tag == u128::from(TAG_FORCED_EXIT) => {
            let (index, owner) = (bits.take_u32(), bits.take_address());
            bits.finish("a forced exit")?;
            L1Item::Operation(L1Operation::ForcedExit { index, owner })
        }
        tag if tag == u128::from(TAG_WITHDRAWAL) => {
            let (token, owner) = (bits.take_u32(), bits.take_address());
            bits.finish("a withdrawal")?;
            let mut bits = reader.next("a withdrawal's amount")?;
            let amount = bits.take(128);
            bits.finish("a withdrawal's amount")?;
            L1Item::Withdrawal(Withdrawal { token, owner, amount })
        }
        actual => return Err(WordError::Tag { position, expected: EXPECTED, actual }),
    };
    let checked = match &item {
        L1Item::Operation(operation) => operation.check(),
        L1Item::Withdrawal(Withdrawal { amount: 0, .. }) => Err(L1OperationError::AmountZero),
        L1Item::Withdrawal(withdrawal) if withdrawal.owner.is_zero() => Err(L1OperationError::OwnerZero),
        L1Item::Withdrawal(_) => Ok(()),
    };
    checked.map_err(|error| WordError::Operation { position, error })?;
    Ok(item)
}
