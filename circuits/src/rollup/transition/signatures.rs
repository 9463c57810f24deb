//! Signatures, all checked at once before anything is executed.

use rayon::prelude::*;

use crate::rollup::{
    Batch, Fr, L1Operation, NO_ACCOUNT, PublicKey, Recipient, State, Transaction, transaction::KIND_OPEN,
};

/// A signature, checked for this signer and this recipient.
pub(super) struct Checked {
    signer: PublicKey,
    recipient: Recipient,
    error: Option<String>,
}

impl Checked {
    fn new(domain: Fr, transaction: &Transaction, signer: PublicKey, recipient: Recipient) -> Self {
        let message = transaction.message(domain, &recipient);
        let error = signer.verify(message, &transaction.signature).err().map(|error| error.to_string());
        Self { signer, recipient, error }
    }
}

/// Checks the signatures of a batch, in parallel. Accounts that the batch opens are foreseen at the indices that
/// they get when all that comes before is valid; where that isn't so [`error`] looks again.
pub(super) fn check_all(state: &State, domain: Fr, batch: &Batch) -> Vec<Option<Checked>> {
    let first = state.next_index();
    let mut opened: Vec<Recipient> = batch
        .l1_operations
        .iter()
        .filter_map(|operation| match operation {
            L1Operation::Deposit { recipient, to: NO_ACCOUNT, .. } => Some(*recipient),
            _ => None,
        })
        .collect();
    let parties: Vec<_> = batch
        .transactions
        .iter()
        .map(|transaction| {
            let recipient_of = |index: u32| match state.account(index) {
                Some(account) => Some(account.recipient()),
                None => opened.get(index.checked_sub(first)? as usize).copied(),
            };
            let parties = recipient_of(transaction.from).zip(transaction.message_recipient(recipient_of));
            if transaction.kind == KIND_OPEN {
                opened.extend(transaction.opens);
            }
            parties
        })
        .collect();
    let transactions = batch.transactions.par_iter().zip(parties);
    transactions
        .map(|(transaction, parties)| {
            let (sender, recipient) = parties?;
            Some(Checked::new(domain, transaction, sender.key, recipient))
        })
        .collect()
}

/// What is wrong with a signature, when this is its signer and this the recipient.
pub(super) fn error(
    domain: Fr,
    transaction: &Transaction,
    signer: PublicKey,
    recipient: Recipient,
    foreseen: Option<Checked>,
) -> Option<String> {
    let foreseen = foreseen.filter(|checked| (checked.signer, checked.recipient) == (signer, recipient));
    foreseen.unwrap_or_else(|| Checked::new(domain, transaction, signer, recipient)).error
}
