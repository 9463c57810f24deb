//! The compiled contracts, embedded: nothing here needs Node.js or a compiler.

use alloy::primitives::Bytes;

macro_rules! sources {
    ($($path:literal),* $(,)?) => {
        [$((concat!("src/", $path), include_str!($path))),*]
    };
}
macro_rules! artifacts {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../artifacts/", $name, ".json")))),*]
    };
}

/// Batches that a proof for the committed verifier has places for.
pub const VERIFIER_BATCH_PLACES: usize = tenon_circuits::public_inputs::BATCH_PLACES;

/// The committed verifier's source. A generated verifier with another source isn't for the embedded code.
pub const VERIFIER_SOURCE: &str = include_str!("generated/Verifier.sol");

/// The verifier's ABI and code, as JSON (`abi`, `bytecode`, `deployedBytecode`).
pub const VERIFIER_JSON: &str = include_str!("../artifacts/Verifier.json");

/// Path and text of each source file but the verifier's, with its imports as they are in this crate.
pub const SOURCES: &[(&str, &str)] = &sources![
    "CommitteeData.sol",
    "DemoRollup.sol",
    "Rollup.sol",
    "interfaces/IDataAvailability.sol",
    "interfaces/IExits.sol",
    "interfaces/IGovernance.sol",
    "interfaces/IPoseidon.sol",
    "interfaces/IQueue.sol",
    "interfaces/IRollup.sol",
    "interfaces/ISettlement.sol",
    "interfaces/IVerifier.sol",
    "libraries/Blobs.sol",
    "libraries/Hashes.sol",
    "libraries/L1Stream.sol",
    "libraries/StateTree.sol",
    "libraries/Transfers.sol",
    "libraries/WithdrawalTree.sol",
    "rollup/BatchProofs.sol",
    "rollup/Bounds.sol",
    "rollup/Delegate.sol",
    "rollup/Policies.sol",
    "rollup/RollupAddress.sol",
    "rollup/RollupCore.sol",
    "rollup/RollupExits.sol",
    "rollup/RollupGovernance.sol",
    "rollup/RollupStorage.sol",
];

/// Name and JSON (`abi`, `bytecode`, `deployedBytecode`) of each compiled contract but the verifier, and of the
/// interface that the rollup's address answers to, which has no code.
pub const ARTIFACTS: &[(&str, &str)] = &artifacts![
    "CommitteeData",
    "DemoRollup",
    "IRollup",
    "PoseidonT3",
    "PoseidonT5",
    "PoseidonT6",
    "Rollup",
    "RollupCore",
    "RollupExits",
    "RollupGovernance",
];

#[allow(missing_docs)]
pub(crate) mod compiled {
    alloy::sol!(Verifier, "artifacts/Verifier.json");
    alloy::sol!(CommitteeData, "artifacts/CommitteeData.json");
    alloy::sol!(PoseidonT3, "artifacts/PoseidonT3.json");
    alloy::sol!(PoseidonT5, "artifacts/PoseidonT5.json");
    alloy::sol!(PoseidonT6, "artifacts/PoseidonT6.json");
    alloy::sol!(DemoRollup, "artifacts/DemoRollup.json");

    pub(crate) mod governance {
        alloy::sol!(RollupGovernance, "artifacts/RollupGovernance.json");
    }
    pub(crate) mod exits {
        alloy::sol!(RollupExits, "artifacts/RollupExits.json");
    }
    pub(crate) mod core {
        alloy::sol!(RollupCore, "artifacts/RollupCore.json");
    }
    pub(crate) mod rollup {
        alloy::sol!(Rollup, "artifacts/Rollup.json");
    }
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
