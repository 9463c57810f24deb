//! The contracts' functions, errors and events: from the Solidity source of the verifier's interface, and from the
//! ABI of everything that the rollup's address answers to.
#![allow(missing_docs)]

use alloy::sol;

sol!(
    #![sol(all_derives)]
    "src/interfaces/IVerifier.sol"
);
sol!(
    #![sol(all_derives)]
    "src/interfaces/IDataAvailability.sol"
);

/// The rollup: settlement, queue, exits, powers. Its structures are in modules named for their interfaces.
pub mod rollup {
    alloy::sol!(
        #![sol(all_derives)]
        IRollup,
        "artifacts/IRollup.json"
    );
}

pub use rollup::{IExits, IGovernance, IQueue, IRollup, ISettlement};
