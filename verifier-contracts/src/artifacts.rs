//! The compiled contracts, embedded: nothing here needs Node.js or a compiler.

use alloy::primitives::Bytes;

use crate::generator::Shape;

/// The committed verifier's constraint system: that of the final circuit.
pub const VERIFIER_SHAPE: Shape =
    Shape { gate_columns: 8, lookup_columns: 1, constant_columns: 1, batch_places: 2 };

/// The committed verifier's source. A generated verifier with another source isn't for the embedded code.
pub const VERIFIER_SOURCE: &str = include_str!("generated/Verifier.sol");

/// The rollup's source.
pub const ROLLUP_SOURCE: &str = include_str!("Rollup.sol");

/// The source of the verifier's interface.
pub const IVERIFIER_SOURCE: &str = include_str!("interfaces/IVerifier.sol");

/// The source of the rollup's interface.
pub const IROLLUP_SOURCE: &str = include_str!("interfaces/IOldRollup.sol");

/// The verifier's ABI and code, as JSON (`abi`, `bytecode`, `deployedBytecode`).
pub const VERIFIER_JSON: &str = include_str!("../artifacts/Verifier.json");

/// The rollup's ABI and code, in the same form.
pub const ROLLUP_JSON: &str = include_str!("../artifacts/Rollup.json");

#[allow(missing_docs)]
mod compiled {
    alloy::sol!(Verifier, "artifacts/Verifier.json");
    alloy::sol!(Rollup, "artifacts/Rollup.json");
}

/// The verifier's creation code, its constructor's arguments not included.
#[must_use]
pub fn verifier_creation_code() -> &'static Bytes {
    &compiled::Verifier::BYTECODE
}

/// The verifier's code on chain, its immutable values still 0.
#[must_use]
pub fn verifier_runtime_code() -> &'static Bytes {
    &compiled::Verifier::DEPLOYED_BYTECODE
}

/// The rollup's creation code, its constructor's arguments not included.
#[must_use]
pub fn rollup_creation_code() -> &'static Bytes {
    &compiled::Rollup::BYTECODE
}

/// The rollup's code on chain, its immutable values still 0.
#[must_use]
pub fn rollup_runtime_code() -> &'static Bytes {
    &compiled::Rollup::DEPLOYED_BYTECODE
}
