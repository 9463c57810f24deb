//! What an aggregate proof says.

/// Leaf proofs don't follow each other.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {}
