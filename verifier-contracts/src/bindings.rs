//! The contracts' functions, errors and events, from the Solidity sources of their interfaces.
#![allow(missing_docs)]

use alloy::sol;

sol!(
    #![sol(all_derives)]
    "src/interfaces/IVerifier.sol"
);
sol!(
    #![sol(all_derives)]
    "src/interfaces/IOldRollup.sol"
);

/// The whole rollup's interface: settlement, queue, exits, powers.
pub mod rollup {
    alloy::sol!(
        #![sol(all_derives)]
        IRollup,
        "artifacts/IRollup.json"
    );
}
