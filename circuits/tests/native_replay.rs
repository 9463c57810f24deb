//! The state rebuilt from published words, snapshots of it, and the strict reading of both streams.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod native_support;

use native_support::{
    account, batch, checks::check_execution, deposit, forced_exit, genesis, key, open, sign, test_domain,
    transfer, withdraw,
};
use proptest::prelude::*;
use tenon_circuits::rollup::{
    Account, AmountCode, Batch, ChunkCapacity, Execution, Fr, L1Operation, NO_ACCOUNT, Recipient, State,
    Transaction, execute,
    field::power_of_two,
    replay::{RecordError, ReplayError, replay},
    snapshot::{Snapshot, SnapshotError},
    transaction::L1OperationError,
    words::{WordError, parse_l1_stream},
};

/// A batch with everything in it, in two chunks.
fn everything() -> (State, Batch, Execution) {
    let state = genesis();
    let recipient = account(61, 0, 0).recipient();
    let transactions = vec![
        sign(&state, transfer(0, 1, 7, 0, 500, 10)),
        sign(&state, open(4, 0, 3, 7, recipient)),
        sign(&state, withdraw(0, 7, 1, 600, 1)),
    ];
    let l1_operations = vec![deposit(2, 7, 40, 1), deposit(2, 9, 41, 1), forced_exit(3, 4)];
    let batch = Batch { l1_operations, ..batch(transactions) };
    let execution = execute(&state, test_domain(), &batch, 4).unwrap();
    (state, batch, execution)
}

#[test]
fn damaged_da_words_are_refused() {
    let (state, batch, execution) = everything();
    check_execution(&state, &execution);
    let words = execution.da_words.clone();
    // Batch header; header and 1 record; header, 2 records in a word, 3 of the open.
    assert_eq!(words.len(), 8);
    let with = |position: usize, word: Fr| {
        let mut words = words.clone();
        words[position] = word;
        replay(&state, &words, &batch.l1_operations).unwrap_err()
    };
    let added = |position: usize, what: Fr| with(position, words[position] + what);
    let of_words = |error: ReplayError| match error {
        ReplayError::Words(error) => error,
        other => panic!("expected an error of the words, got {other}"),
    };
    assert!(matches!(of_words(with(0, Fr::default())), WordError::Tag { position: 0, actual: 0, .. }));
    assert!(matches!(of_words(added(0, power_of_two(104))), WordError::Unused { position: 0, .. }));
    assert!(matches!(of_words(added(0, power_of_two(248))), WordError::TooLarge { position: 0, .. }));
    assert!(matches!(of_words(with(1, words[0])), WordError::Tag { position: 1, actual: 1, .. }));
    assert!(matches!(of_words(added(1, power_of_two(168))), WordError::Unused { position: 1, .. }));
    assert!(matches!(of_words(added(2, power_of_two(124))), WordError::Unused { position: 2, .. }));
    assert!(matches!(of_words(added(5, power_of_two(204))), WordError::Unused { position: 5, .. }));
    let owner = account(61, 7, 0).owner.to_field() * power_of_two(32);
    let high = Fr::from(7u64) + owner + Fr::from(63u64) * power_of_two(192);
    assert!(matches!(of_words(with(5, high)), WordError::Coordinate { position: 6, .. }));
    let ownerless = Fr::from(7u64);
    let error = of_words(with(5, ownerless));
    assert_eq!(error, WordError::Operation { position: 5, error: L1OperationError::OwnerZero });
    // A kind that isn't one, and a nonzero field that the open doesn't use.
    let error = added(2, Fr::from(3u64));
    assert!(matches!(error, ReplayError::Transaction { index: 0, error: RecordError::Kind(4) }), "{error}");
    let error = added(4, power_of_two(68));
    assert!(matches!(error, ReplayError::Transaction { index: 1, error: RecordError::Fields { .. } }));
    // More money than there is, a receiver that isn't there, a fee account that isn't, no fee account at all.
    let error = added(2, Fr::from(10_000_000u64) * power_of_two(68));
    assert!(matches!(error, ReplayError::Transaction { index: 0, error: RecordError::Balance(0) }));
    let error = added(2, Fr::from(99u64) * power_of_two(36));
    assert!(matches!(error, ReplayError::Transaction { index: 0, error: RecordError::Account(100) }));
    let error = added(1, Fr::from(99u64) * power_of_two(40));
    assert!(matches!(error, ReplayError::Fees { chunk: 0, error: RecordError::Account(102) }));
    let error = added(1, Fr::from(2u64) * power_of_two(40));
    assert!(matches!(error, ReplayError::Fees { chunk: 0, error: RecordError::Tokens(5, 5) }));
    let error = added(1, Fr::from(u64::from(NO_ACCOUNT - 3)) * power_of_two(40));
    assert!(matches!(error, ReplayError::Fees { chunk: 0, error: RecordError::FeeAccount(7) }));

    // The first three words alone are a batch, of one chunk.
    for length in [0, 1, 2, 4, 5, 6, 7] {
        let error = of_words(replay(&state, &words[..length], &batch.l1_operations).unwrap_err());
        assert!(matches!(error, WordError::End { position, .. } if position == length), "{length}: {error}");
    }
    let longer = [&words[..], &[Fr::default()]].concat();
    assert!(replay(&state, &longer, &batch.l1_operations).is_err());
}

#[test]
fn operations_are_those_that_the_chunks_count() {
    let (state, batch, execution) = everything();
    let with = |operations: &[L1Operation]| replay(&state, &execution.da_words, operations);
    let operations = &batch.l1_operations;
    assert_eq!(with(operations).unwrap().state, execution.state);
    let fewer = with(&operations[..2]).unwrap_err();
    assert_eq!(fewer, ReplayError::Operations { expected: 3, actual: 2 });
    let more = with(&[&operations[..], &operations[..1]].concat()).unwrap_err();
    assert_eq!(more, ReplayError::Operations { expected: 3, actual: 4 });
    let mut swapped = operations.clone();
    swapped[0] = deposit(3, 7, 40, 2);
    assert_ne!(with(&swapped).unwrap().state, execution.state);
    // A chunk with operations after one with transactions, as a proof allows it.
    let mut late = execution.da_words;
    late[3] += Fr::from(1u64 << 8);
    let error = replay(&state, &late, operations).unwrap_err();
    assert_eq!(error, ReplayError::Operations { expected: 4, actual: 3 });
    let more = [&operations[..], &[deposit(1, 7, 40, 0)]].concat();
    let balance = |state: &State| state.account(0).map(|account| account.balance).unwrap();
    assert_eq!(balance(&replay(&state, &late, &more).unwrap().state), balance(&execution.state) + 40);
}

#[test]
fn l1_streams_are_read_strictly() {
    let (_, _, execution) = everything();
    let words = execution.l1_words;
    // Two deposits, the second with its refund, an exit of 3 with its withdrawal, a withdrawal.
    assert_eq!(words.len(), 4 + 6 + 3 + 2);
    let items = parse_l1_stream(&words).unwrap();
    assert_eq!(items.iter().flat_map(|item| item.words()).collect::<Vec<_>>(), words);
    assert_eq!(parse_l1_stream(&[]), Ok(vec![]));
    let added = |position: usize, what: Fr| {
        let mut words = words.clone();
        words[position] += what;
        parse_l1_stream(&words).unwrap_err()
    };
    assert!(matches!(added(0, power_of_two(200)), WordError::Unused { position: 0, .. }));
    assert!(matches!(added(0, power_of_two(248)), WordError::TooLarge { position: 0, .. }));
    assert!(matches!(added(0, Fr::from(3u64)), WordError::Tag { position: 0, actual: 4, .. }));
    assert_eq!(added(1, Fr::from(1u64)), WordError::Token { position: 1, expected: 7, actual: 8 });
    assert!(matches!(added(10, power_of_two(200)), WordError::Unused { position: 10, .. }));
    assert!(matches!(added(12, power_of_two(128)), WordError::Unused { position: 12, .. }));
    let zero_amount = added(12, -Fr::from(3u64));
    assert_eq!(zero_amount, WordError::Operation { position: 11, error: L1OperationError::AmountZero });
    let leading_zero = [&[Fr::default()], &words[..]].concat();
    assert!(matches!(parse_l1_stream(&leading_zero), Err(WordError::Tag { position: 0, actual: 0, .. })));
    for length in [1, 2, 3, 5, 9, 12, 14] {
        assert!(matches!(parse_l1_stream(&words[..length]), Err(WordError::End { .. })), "{length}");
    }
}

#[test]
fn snapshots_go_there_and_back() {
    let (_, _, execution) = everything();
    let snapshot = Snapshot { domain: test_domain(), batch: 12, state: execution.state };
    let bytes = snapshot.to_bytes();
    assert_eq!(bytes.len(), 88 + 7 * 109);
    let read = Snapshot::from_bytes(&bytes).unwrap();
    assert_eq!(read, snapshot);
    assert!(read.state.accounts().eq(snapshot.state.accounts()));
    let empty = Snapshot { domain: Fr::default(), batch: 0, state: State::new() };
    assert_eq!(Snapshot::from_bytes(&empty.to_bytes()), Ok(empty));

    assert_eq!(Snapshot::from_bytes(b"something else"), Err(SnapshotError::Magic));
    assert_eq!(Snapshot::from_bytes(&bytes[..30]), Err(SnapshotError::Length { expected: 88, actual: 30 }));
    let expected = bytes.len();
    let longer = [&bytes[..], &[0]].concat();
    let error = Snapshot::from_bytes(&longer).unwrap_err();
    assert_eq!(error, SnapshotError::Length { expected, actual: expected + 1 });
    let with = |position: usize, byte: u8| {
        let mut bytes = bytes.clone();
        bytes[position] = byte;
        Snapshot::from_bytes(&bytes).unwrap_err()
    };
    assert_eq!(with(11, 2), SnapshotError::Version { actual: 2 });
    assert!(matches!(with(12, 0xff), SnapshotError::Field { .. }));
    assert!(matches!(with(87, 6), SnapshotError::Length { .. }));
    // Token, nonce, balance, owner of the first account, and the commitment itself.
    for position in [91, 96, 112, 196, 83] {
        assert!(matches!(with(position, 0x77), SnapshotError::Commitment { .. }), "{position}");
    }
}

/// What a random batch is made of; numbers are brought into range where the batch is made.
#[derive(Clone, Debug)]
enum Draw {
    Transfer(u32, u32, u64, u16),
    Withdraw(u32, u64, u16),
    Open(u32, u32, u8, u16),
    Deposit(u32, u64, u8, Option<u32>),
    ForcedExit(u32, u8),
}

fn draw() -> impl Strategy<Value = Draw> {
    prop_oneof![
        3 => (0..12u32, 0..12u32, 0..30_000u64, 0..300u16).prop_map(|(a, b, c, d)| Draw::Transfer(a, b, c, d)),
        1 => (0..12u32, 0..30_000u64, 0..300u16).prop_map(|(a, b, c)| Draw::Withdraw(a, b, c)),
        1 => (0..12u32, 6..10u32, 1..9u8, 0..300u16).prop_map(|(a, b, c, d)| Draw::Open(a, b, c, d)),
        2 => (6..10u32, 1..30_000u64, 1..9u8, prop::option::of(0..12u32))
            .prop_map(|(a, b, c, d)| Draw::Deposit(a, b, c, d)),
        1 => (0..12u32, 1..9u8).prop_map(|(a, b)| Draw::ForcedExit(a, b)),
    ]
}

/// Keeps of the drawn transactions those that are valid after the ones before.
fn build(state: &State, number: u64, draws: &[Draw]) -> Batch {
    let mut next = Batch { number, ..batch(vec![]) };
    for draw in draws {
        let operation = match *draw {
            Draw::Deposit(token, amount, number, to) => {
                deposit(number, token, amount.into(), to.unwrap_or(NO_ACCOUNT))
            }
            Draw::ForcedExit(index, number) => forced_exit(index, number),
            _ => continue,
        };
        next.l1_operations.push(operation);
    }
    let mut current = state.clone();
    if !next.l1_operations.is_empty() {
        current = execute(state, test_domain(), &next, 4).unwrap().state;
    }
    for draw in draws {
        let sender = match *draw {
            Draw::Transfer(from, ..) | Draw::Withdraw(from, ..) | Draw::Open(from, ..) => from,
            _ => continue,
        };
        let Some(account) = current.account(sender) else { continue };
        let Account { token, nonce, owner, .. } = *account;
        let transaction = match *draw {
            Draw::Transfer(from, to, amount, fee) => {
                transfer(from, to, token, nonce, amount.into(), fee.into())
            }
            Draw::Withdraw(from, amount, fee) => withdraw(from, token, nonce, amount.into(), fee.into()),
            Draw::Open(from, token, number, fee) => {
                let opens: Recipient = self::account(number, 0, 0).recipient();
                open(from, nonce, fee.into(), token, opens)
            }
            _ => continue,
        };
        let recipient_of = |index| current.account(index).map(Account::recipient);
        let Some(recipient) = transaction.message_recipient(recipient_of) else { continue };
        // Keys and owners of the test accounts have the same number.
        let transaction: Transaction = transaction.signed(&key(owner.0[0]), test_domain(), &recipient);
        let alone = Batch { l1_operations: vec![], transactions: vec![transaction], ..next.clone() };
        if let Ok(execution) = execute(&current, test_domain(), &alone, 4) {
            current = execution.state;
            next.transactions.push(transaction);
        }
    }
    next
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn replay_reaches_the_state_of_the_execution(
        draws in prop::collection::vec(draw(), 1..16),
        more in prop::collection::vec(draw(), 1..8),
        slots in 1..8usize,
        opens in 1..4usize,
        l1_words in 6..20usize,
    ) {
        let capacity = ChunkCapacity::of_words(slots, opens, l1_words);
        let mut state = genesis();
        for (number, draws) in (1..).zip([draws, more]) {
            let batch = build(&state, number, &draws);
            if batch.transactions.is_empty() && batch.l1_operations.is_empty() {
                continue;
            }
            // Fees of one chunk can be spent in the next, which another cut may not allow.
            let Ok(execution) = execute(&state, test_domain(), &batch, capacity) else { continue };
            check_execution(&state, &execution);
            for chunk in &execution.chunks {
                prop_assert!(chunk.operations.len() + chunk.transactions.len() <= slots);
                let opened = chunk.transactions.iter().filter(|slot| slot.transaction.opens.is_some());
                prop_assert!(opened.count() <= opens && chunk.l1_words().len() <= l1_words);
            }
            state = execution.state;
        }
    }

    #[test]
    fn replay_survives_anything(
        position in 0..8usize,
        bit in 0..254u64,
        words in prop::collection::vec(any::<[u64; 4]>(), 0..6),
    ) {
        let (state, batch, execution) = everything();
        let mut damaged = execution.da_words.clone();
        damaged[position] += power_of_two(bit);
        if let Ok(replayed) = replay(&state, &damaged, &batch.l1_operations) {
            // Only what the state doesn't hold can differ without showing in it: number and timestamp, and fees.
            let same = replayed.state == execution.state;
            prop_assert!(!same || position == 0 || position == 1 || position == 3, "{position} {bit}");
        }
        let words: Vec<Fr> = words
            .into_iter()
            .map(|limbs| Fr::from(u128::from(limbs[0]) | u128::from(limbs[1] % 5) << 64) + Fr::from(limbs[2] % 4))
            .collect();
        let _ = replay(&state, &words, &[]);
        let _ = parse_l1_stream(&words);
    }

    #[test]
    fn l1_items_go_there_and_back(
        numbers in any::<(u32, u128, u32, u64)>(),
        key_seed in any::<u8>(),
        owner in any::<[u8; 20]>(),
        bytes in any::<[u8; 31]>(),
    ) {
        use tenon_circuits::rollup::{Address, L1Item, PublicKey, Withdrawal, field};
        prop_assume!(owner != [0; 20]);
        let (token, amount, to, _) = numbers;
        let amount = amount.max(1);
        let owner = Address(owner);
        let mut low = [0; 32];
        low[1..].copy_from_slice(&bytes);
        let coordinate = field::from_bytes(&low).unwrap();
        let x = coordinate + Fr::from(u64::from(key_seed)) * power_of_two(246);
        let recipient = Recipient { key: PublicKey { x, y: -x }, owner };
        let items = vec![
            L1Item::Operation(L1Operation::Deposit { token, amount, recipient, to }),
            L1Item::Operation(L1Operation::ForcedExit { index: to, owner }),
            L1Item::Withdrawal(Withdrawal { token, owner, amount }),
        ];
        let words: Vec<Fr> = items.iter().flat_map(L1Item::words).collect();
        prop_assert_eq!(parse_l1_stream(&words), Ok(items));
    }
}

#[test]
fn amounts_in_records_are_canonical() {
    let (state, batch, execution) = everything();
    let mut words = execution.da_words;
    let code = AmountCode(5 | 1 << 35).0 - AmountCode::encode(500).unwrap().0;
    words[2] += Fr::from(code) * power_of_two(68);
    let error = replay(&state, &words, &batch.l1_operations).unwrap_err();
    assert!(matches!(error, ReplayError::Transaction { index: 0, error: RecordError::Float(_) }), "{error}");
}
