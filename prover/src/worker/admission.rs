//! Admission of proofs by the memory that they are expected to take.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::jobs::TaskKind;

/// Time that a queued task may find no memory because smaller ones take it, before these wait.
const PATIENCE: Duration = Duration::from_secs(30);

/// Memory shared by the workers.
#[derive(Debug)]
pub(super) struct Admission {
    /// In bytes; 0 for no limit.
    limit: u64,
    used: Mutex<u64>,
    /// Since when a queued task finds no memory.
    crowded_out: Mutex<Option<Instant>>,
}

impl Admission {
    pub fn new(limit: u64) -> Self {
        Self { limit, used: Mutex::new(0), crowded_out: Mutex::new(None) }
    }

    fn used(&self) -> MutexGuard<'_, u64> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether small tasks have to wait until the memory in use is free, because a large one has found none for too
    /// long. `queued` says whether there is a task of a kind that doesn't fit.
    pub fn holds_back(&self, queued: bool, now: Instant) -> bool {
        let mut since = self.crowded_out.lock().unwrap_or_else(PoisonError::into_inner);
        if !queued {
            *since = None;
            return false;
        }
        now.saturating_duration_since(*since.get_or_insert(now)) >= PATIENCE
    }

    /// The kinds of task that fit now, with memory reserved for the largest of them. When nothing
    /// is in work everything fits, or large proofs would never be made.
    pub fn reserve(&self, needs: &[(TaskKind, u64)]) -> (Vec<TaskKind>, Reserved<'_>) {
        let mut used = self.used();
        let fits = |bytes: u64| self.limit == 0 || *used == 0 || used.saturating_add(bytes) <= self.limit;
        let admitted: Vec<_> = needs.iter().filter(|(_, bytes)| fits(*bytes)).collect();
        let bytes = admitted.iter().map(|(_, bytes)| *bytes).max().unwrap_or(0);
        *used = used.saturating_add(bytes);
        (admitted.into_iter().map(|(kind, _)| *kind).collect(), Reserved { admission: self, bytes })
    }
}

/// Reserved memory, given back when dropped.
#[derive(Debug)]
pub(super) struct Reserved<'a> {
    admission: &'a Admission,
    bytes: u64,
}

impl Reserved<'_> {
    /// Gives back what is over `bytes`.
    pub fn shrink(&mut self, bytes: u64) {
        let over = self.bytes.saturating_sub(bytes);
        let mut used = self.admission.used();
        *used = used.saturating_sub(over);
        self.bytes -= over;
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        let mut used = self.admission.used();
        *used = used.saturating_sub(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEEDS: [(TaskKind, u64); 2] = [(TaskKind::Leaf, 2), (TaskKind::Aggregate, 6)];

    #[test]
    fn admits_what_fits() {
        let admission = Admission::new(7);
        let (kinds, mut first) = admission.reserve(&NEEDS);
        assert_eq!(kinds, [TaskKind::Leaf, TaskKind::Aggregate]);
        first.shrink(2);
        let (kinds, second) = admission.reserve(&NEEDS);
        assert_eq!(kinds, [TaskKind::Leaf]);
        drop(first);
        drop(second);
        assert_eq!(*admission.used(), 0);
    }

    #[test]
    fn a_large_proof_isnt_crowded_out() {
        let admission = Admission::new(7);
        let start = Instant::now();
        assert!(!admission.holds_back(true, start));
        assert!(!admission.holds_back(true, start + PATIENCE / 2));
        assert!(!admission.holds_back(false, start + PATIENCE / 2));
        assert!(!admission.holds_back(true, start + PATIENCE));
        assert!(admission.holds_back(true, start + PATIENCE * 2));
        assert!(admission.holds_back(true, start + PATIENCE * 3));
        assert!(!admission.holds_back(false, start + PATIENCE * 3));
    }

    #[test]
    fn a_lone_large_proof_is_admitted() {
        let admission = Admission::new(1);
        let (kinds, _first) = admission.reserve(&NEEDS);
        assert_eq!(kinds.len(), 2);
        assert!(admission.reserve(&NEEDS).0.is_empty());
    }
}
