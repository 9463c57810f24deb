//! The contracts' functions, errors and events, from the Solidity sources of their interfaces.
#![allow(missing_docs)]

use alloy::sol;

sol!(
    #![sol(all_derives)]
    "src/interfaces/IVerifier.sol"
);
sol!(
    #![sol(all_derives)]
    "src/interfaces/IRollup.sol"
);
