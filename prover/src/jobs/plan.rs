//! Which batches to aggregate together.

use tenon_circuits::public_inputs::BATCH_PLACES;

use super::JobState;

/// A batch that no aggregation covers, or whose aggregation bounds a run.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Its number.
    pub number: u64,
    /// Its leaf proofs.
    pub leaves: u32,
    /// Its job's state.
    pub state: JobState,
    /// Whether an aggregation covers it.
    pub covered: bool,
    /// When its last leaf proof was stored, in Unix milliseconds.
    pub proven_at_ms: Option<u64>,
}

impl Candidate {
    fn is_proven(&self) -> bool {
        !self.covered && self.state == JobState::Aggregating
    }
}

/// Runs of proven batches to aggregate now: runs that are full, that can't grow, or whose oldest
/// batch is `max_age_ms` old.
///
/// `candidates` are in batch order; `capacity` is in leaf proofs. No run has more than [`BATCH_PLACES`] batches.
pub fn runs(candidates: &[Candidate], capacity: u32, max_age_ms: u64, now_ms: u64) -> Vec<(u64, u64)> {
    let mut found = Vec::new();
    let mut rest = candidates;
    while let Some(first) = rest.first() {
        if !first.is_proven() {
            rest = &rest[1..];
            continue;
        }
        let mut length = 0;
        let mut leaves = 0;
        for (offset, candidate) in (0..).zip(rest) {
            if candidate.number != first.number + offset
                || !candidate.is_proven()
                || leaves + candidate.leaves > capacity
                || length == BATCH_PLACES
            {
                break;
            }
            length += 1;
            leaves += candidate.leaves;
        }
        let (run, after) = rest.split_at(length.max(1));
        let last = run.last().unwrap_or(first);
        let next = after.first().filter(|next| next.number == last.number + 1);
        let full = leaves >= capacity
            || length == BATCH_PLACES
            || next.is_some_and(|next| next.covered || leaves + next.leaves > capacity);
        let oldest = run.iter().filter_map(|candidate| candidate.proven_at_ms).min().unwrap_or(now_ms);
        if full || now_ms.saturating_sub(oldest) >= max_age_ms {
            found.push((first.number, last.number));
        }
        rest = after;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(number: u64, leaves: u32, state: JobState) -> Candidate {
        Candidate { number, leaves, state, covered: false, proven_at_ms: Some(1000 + number) }
    }

    fn proven(number: u64, leaves: u32) -> Candidate {
        batch(number, leaves, JobState::Aggregating)
    }

    #[test]
    fn full_runs_start_at_once() {
        let candidates = [proven(1, 1), proven(2, 1), proven(3, 2), proven(4, 1)];
        assert_eq!(runs(&candidates, 2, 1000, 1100), [(1, 2), (3, 3)]);
    }

    #[test]
    fn a_batch_that_does_not_fit_closes_the_run() {
        assert_eq!(runs(&[proven(1, 1), batch(2, 2, JobState::Proving)], 2, 1000, 1100), [(1, 1)]);
        assert!(runs(&[proven(1, 1), batch(2, 1, JobState::Proving)], 2, 1000, 1100).is_empty());
    }

    #[test]
    fn a_run_has_no_more_batches_than_places() {
        let candidates: Vec<_> = (1..=7).map(|number| proven(number, 1)).collect();
        assert_eq!(runs(&candidates, 16, 1000, 1100), [(1, BATCH_PLACES as u64)]);
    }

    #[test]
    fn age_closes_a_run() {
        assert!(runs(&[proven(1, 1)], 2, 1000, 2000).is_empty());
        assert_eq!(runs(&[proven(1, 1)], 2, 1000, 2001), [(1, 1)]);
    }

    #[test]
    fn a_failed_batch_is_left_out() {
        let candidates = [proven(1, 1), batch(2, 1, JobState::Failed), proven(3, 1), proven(4, 1)];
        assert_eq!(runs(&candidates, 2, 1000, 1100), [(3, 4)]);
        assert_eq!(runs(&candidates, 2, 50, 1100), [(1, 1), (3, 4)]);
    }

    #[test]
    fn covered_batches_bound_runs() {
        let covered = Candidate { covered: true, ..proven(2, 1) };
        assert_eq!(runs(&[proven(1, 1), covered, proven(3, 1)], 2, 1000, 1100), [(1, 1)]);
    }
}
