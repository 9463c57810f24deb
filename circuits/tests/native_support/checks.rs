//! Checks that every executed batch passes, from its witnesses and its words alone.

use std::collections::BTreeMap;

use tenon_circuits::{
    rollup::{
        BatchError, Execution, Fr, L1Item, L1Operation, ReasonCode, State, Withdrawal,
        evaluation::{Evaluations, Points},
        replay::replay,
        words::parse_l1_stream,
    },
    witness::ChunkWitness,
};

/// The rejections as (transaction, field, reason).
pub fn rejections(result: Result<Execution, BatchError>) -> Vec<(Option<usize>, String, ReasonCode)> {
    let rejections = result.expect_err("the batch should be refused").rejections;
    rejections.into_iter().map(|r| (r.transaction, r.field, r.reason)).collect()
}

/// One thing wrong with one transaction.
pub fn only(index: usize, field: &str, reason: ReasonCode) -> Vec<(Option<usize>, String, ReasonCode)> {
    vec![(Some(index), field.to_owned(), reason)]
}

/// Sums of balances by token; a field element holds any.
fn money(state: &State) -> BTreeMap<u32, Fr> {
    let mut sums: BTreeMap<u32, Fr> = BTreeMap::new();
    for account in state.accounts() {
        *sums.entry(account.token).or_default() += Fr::from(account.balance);
    }
    sums
}

/// The operations of an L1 stream, and its withdrawals.
pub fn parse(l1_words: &[Fr]) -> (Vec<L1Operation>, Vec<Withdrawal>) {
    let (mut operations, mut withdrawals) = (Vec::new(), Vec::new());
    for item in parse_l1_stream(l1_words).unwrap() {
        match item {
            L1Item::Operation(operation) => operations.push(operation),
            L1Item::Withdrawal(withdrawal) => withdrawals.push(withdrawal),
        }
    }
    (operations, withdrawals)
}

/// Everything that links a batch's witnesses, its words and its state: the witnesses recomputed from their paths,
/// the state rebuilt from the published words.
pub fn check_execution(state: &State, execution: &Execution) {
    let points = Points { z_d: 0x1234_5678_9abc_def0 << 60, z_l: u128::MAX - 5 };
    let execution = execution.clone().with_points(points);
    check_chunks(state, &execution);
    assert_eq!(execution.state_in, state.commitment());
    assert_eq!(execution.state_out, execution.state.commitment());

    let (operations, withdrawals) = parse(&execution.l1_words);
    assert_eq!(withdrawals, execution.withdrawals);
    let replayed = replay(state, &execution.da_words, &operations).unwrap();
    assert_eq!(replayed.state.commitment(), execution.state_out);
    assert!(replayed.state.accounts().eq(execution.state.accounts()));
    assert_eq!(replayed.withdrawals, withdrawals);
    assert_eq!(replayed.number, execution.chunks[0].number);
    assert_eq!(replayed.timestamp, execution.chunks[0].timestamp);
    assert_eq!(replayed.chunks, execution.chunks.len());

    let mut sums = money(state);
    for operation in &operations {
        if let L1Operation::Deposit { token, amount, .. } = operation {
            *sums.entry(*token).or_default() += Fr::from(*amount);
        }
    }
    for withdrawal in &withdrawals {
        *sums.get_mut(&withdrawal.token).unwrap() -= Fr::from(withdrawal.amount);
    }
    sums.retain(|_, sum| *sum != Fr::default());
    let mut after = money(&execution.state);
    after.retain(|_, sum| *sum != Fr::default());
    assert_eq!(after, sums, "no money appears or vanishes");
}

fn check_chunks(state: &State, execution: &Execution) {
    let (mut root, mut next_index) = (state.root(), state.next_index());
    let mut commit = Fr::default();
    let mut state_commitment = state.commitment();
    let mut evaluations = Evaluations::default();
    let (mut da_words, mut l1_words) = (Vec::new(), Vec::new());
    let mut are_operations_over = false;
    for (index, chunk) in execution.chunks.iter().enumerate() {
        let public = chunk.public_inputs();
        assert_eq!((chunk.root_in, chunk.next_index), (root, next_index));
        assert_eq!((public.state_in, public.commit_in), (state_commitment, commit));
        assert_eq!(public.commit_in == Fr::default(), index == 0);
        assert_eq!(public.evaluations_in, evaluations);
        assert_eq!(public.points, execution.public_inputs.points);
        for access in chunk.accesses() {
            assert_eq!(access.root_before(), root);
            root = access.root_after();
            if access.exists_after && !access.exists_before {
                assert_eq!(access.index, next_index);
                next_index += 1;
            }
        }
        assert!(chunk.operations.is_empty() || !are_operations_over, "operations come first");
        are_operations_over |= !chunk.transactions.is_empty();
        assert_eq!((chunk.root_out(), chunk.next_index_out()), (root, next_index));
        (state_commitment, commit) = (public.state_out, public.commit_out);
        evaluations = public.evaluations_out;
        assert_eq!(public.batch, execution.public_inputs.batch);
        assert_eq!(public.domain, execution.public_inputs.domain);
        da_words.extend(chunk.da_words());
        l1_words.extend(chunk.l1_words());
        let text = serde_json::to_string(chunk).unwrap();
        assert_eq!(&serde_json::from_str::<ChunkWitness>(&text).unwrap(), chunk);
    }
    assert_eq!((execution.state.root(), execution.state.next_index()), (root, next_index));
    assert_eq!((execution.commit, execution.public_inputs.commit), (commit, commit));
    assert_eq!(execution.state_out, state_commitment);
    assert_eq!(execution.public_inputs.evaluations, evaluations);
    assert_eq!((&execution.da_words, &execution.l1_words), (&da_words, &l1_words));
    let whole = Evaluations::default().absorb(&execution.public_inputs.points, &da_words, &l1_words);
    assert_eq!(evaluations, whole);
}
