//! How far a job is, and how long it will take.

use super::JobState;

/// Share of the work, in percent, that is done when all leaf proofs are.
const LEAF_SHARE: u32 = 80;

/// Mean proving seconds by stage, where measured.
#[derive(Clone, Copy, Debug, Default)]
pub struct Means {
    /// Of a leaf proof.
    pub leaf: Option<f64>,
    /// Of an aggregate proof.
    pub aggregate: Option<f64>,
}

/// Percent done.
pub fn percent(state: JobState, leaves_done: u32, leaves: u32) -> u32 {
    match state {
        JobState::Ready | JobState::Settling | JobState::Settled => 100,
        _ => LEAF_SHARE * leaves_done.min(leaves) / leaves.max(1),
    }
}

/// Expected seconds to READY for an open job, as if it were alone.
pub fn seconds_left(
    state: JobState,
    leaves_done: u32,
    leaves: u32,
    workers: usize,
    means: Means,
) -> Option<u32> {
    if !state.is_open() {
        return None;
    }
    let rounds = f64::from(leaves.saturating_sub(leaves_done)) / workers.max(1) as f64;
    let seconds = means.leaf? * rounds.ceil() + means.aggregate?;
    Some(seconds.ceil().min(f64::from(u32::MAX)) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_rises_to_100() {
        assert_eq!(percent(JobState::Accepted, 0, 2), 0);
        assert_eq!(percent(JobState::Proving, 1, 2), 40);
        assert_eq!(percent(JobState::Aggregating, 2, 2), 80);
        assert_eq!(percent(JobState::Ready, 2, 2), 100);
    }

    #[test]
    fn estimate_needs_measurements() {
        let means = Means { leaf: Some(10.0), aggregate: Some(60.0) };
        assert_eq!(seconds_left(JobState::Proving, 1, 4, 2, means), Some(80));
        assert_eq!(seconds_left(JobState::Proving, 1, 4, 2, Means::default()), None);
        assert_eq!(seconds_left(JobState::Ready, 4, 4, 2, means), None);
    }
}
