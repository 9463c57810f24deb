//! What the benches measure on: accounts, signed transfers and executed batches, always the same.

use tenon_circuits::rollup::{
    Account, Address, AmountCode, Batch, Execution, FeeCode, Fr, PrivateKey, Signature, State, Transaction,
    domain, execute, transaction::KIND_TRANSFER,
};

/// Token of every account.
const TOKEN: u32 = 1;
/// Balance of every account at genesis.
const BALANCE: u128 = 1_000_000_000;
/// The batches' timestamp, in Unix seconds.
const TIMESTAMP: u32 = 1_700_000_000;

/// Chain id and rollup address of a local chain.
pub fn bench_domain() -> Fr {
    domain(31337, Address([0x11; 20]))
}

/// The key of account `index`.
pub fn key(index: u32) -> PrivateKey {
    let mut seed = [0x5a; 32];
    seed[..4].copy_from_slice(&index.to_le_bytes());
    PrivateKey::from_seed(seed)
}

/// A state of `accounts` funded accounts.
///
/// # Errors
/// When there are more accounts than a tree holds.
pub fn state(accounts: u32) -> Result<State, tenon_circuits::rollup::state::StateError> {
    let accounts: Vec<Account> = (0..accounts)
        .map(|index| Account {
            token: TOKEN,
            nonce: 0,
            balance: BALANCE,
            key: key(index).public_key(),
            owner: Address([0x22; 20]),
        })
        .collect();
    State::from_accounts(&accounts)
}

/// Batch 1 on `state`: account i pays account i + 1, for the first `transfers` accounts; account 0 takes the fees.
///
/// # Errors
/// When the state has too few accounts.
pub fn execution(
    state: &State,
    transfers: u32,
    chunk: usize,
) -> Result<Execution, tenon_circuits::rollup::BatchError> {
    let accounts = state.next_index().max(1);
    let transactions = (0..transfers)
        .filter_map(|i| {
            let (from, to) = (i % accounts, (i + 1) % accounts);
            let unsigned = Transaction {
                kind: KIND_TRANSFER,
                from,
                to,
                token: TOKEN,
                nonce: u64::from(i / accounts),
                amount: AmountCode(1000 + u64::from(i)),
                fee: FeeCode(7),
                valid_until: u32::MAX,
                opens: None,
                signature: Signature::default(),
            };
            Some(unsigned.signed(&key(from), bench_domain(), &state.account(to)?.recipient()))
        })
        .collect();
    let batch =
        Batch { number: 1, timestamp: TIMESTAMP, fee_accounts: vec![0], l1_operations: vec![], transactions };
    execute(state, bench_domain(), &batch, chunk)
}
