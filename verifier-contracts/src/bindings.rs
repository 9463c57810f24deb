//! The contracts' interfaces, read from their Solidity sources' compiled form.
#![allow(missing_docs)]

use alloy::sol;

sol!(
    #[derive(Debug, PartialEq, Eq)]
    IVerifier,
    "artifacts/IVerifier.abi.json"
);
