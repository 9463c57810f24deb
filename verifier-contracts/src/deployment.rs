//! The three contracts in the order of their deployment: verifying key, verifier, rollup.

use alloy::{
    primitives::{Address, B256, Bytes, U256, keccak256},
    sol_types::SolValue,
};
use thiserror::Error;

use crate::{
    artifacts::{self, VERIFIER_SHAPE, VERIFIER_SOURCE},
    calldata,
    generator::GeneratedVerifier,
};

/// Creation code that returns what follows it as the contract's code, without its 2-byte length:
/// `PUSH2 length; DUP1; PUSH1 10; RETURNDATASIZE; CODECOPY; RETURNDATASIZE; RETURN`.
const PUSH2: u8 = 0x61;
const COPY_AND_RETURN: [u8; 7] = [0x80, 0x60, 0x0a, 0x3d, 0x39, 0x3d, 0xf3];

/// One transaction that creates a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Creation {
    /// What it creates.
    pub name: &'static str,
    /// The transaction's data.
    pub init_code: Bytes,
    /// Where the contract comes to be.
    pub address: Address,
}

/// Everything that a deployer sends, known before anything is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// The contract whose code is the verifying key.
    pub verifying_key: Creation,
    /// The verifier.
    pub verifier: Creation,
    /// The rollup.
    pub rollup: Creation,
}

/// Why a deployment can't be planned.
#[derive(Debug, Error)]
pub enum DeploymentError {
    /// The verifier was generated for another constraint system than the embedded code.
    #[error(
        "the embedded verifier is for {VERIFIER_SHAPE:?}, the verifying key for another constraint system"
    )]
    OtherConstraintSystem,
    /// The verifying key is too long for a contract's code.
    #[error("the verifying key has {actual} bytes, a contract's code can have {maximum}")]
    VerifyingKeyTooLong {
        /// The largest code that a chain accepts.
        maximum: usize,
        /// The key's length.
        actual: usize,
    },
}

/// The largest code of a contract in bytes (EIP-170).
pub const MAX_CODE_SIZE: usize = 24_576;

impl Deployment {
    /// Plans the transactions of a deployer who has sent `nonce` others and sends these three next.
    ///
    /// # Errors
    /// When the generated verifier isn't the one whose code is embedded.
    pub fn plan(
        deployer: Address,
        nonce: u64,
        verifier: &GeneratedVerifier,
        genesis_state: U256,
    ) -> Result<Self, DeploymentError> {
        if verifier.solidity != VERIFIER_SOURCE {
            return Err(DeploymentError::OtherConstraintSystem);
        }
        let [key, checker, rollup] = [0, 1, 2].map(|offset| deployer.create(nonce + offset));
        let key_code = &verifier.verifying_key;
        let creation = |name, init_code, address| Creation { name, init_code, address };
        Ok(Self {
            verifying_key: creation("verifying key", verifying_key_init_code(key_code)?, key),
            verifier: creation("verifier", verifier_init_code(key, keccak256(key_code)), checker),
            rollup: creation("rollup", rollup_init_code(checker, genesis_state), rollup),
        })
    }

    /// The transactions in the order in which they have to be sent.
    #[must_use]
    pub fn creations(&self) -> [&Creation; 3] {
        [&self.verifying_key, &self.verifier, &self.rollup]
    }

    /// The domain that transactions for this rollup are signed for.
    #[must_use]
    pub fn domain(&self, chain_id: u64) -> U256 {
        calldata::domain(chain_id, self.rollup.address)
    }
}

/// Creation code of the contract whose code is a verifying key.
///
/// # Errors
/// When the key is longer than a contract's code can be.
pub fn verifying_key_init_code(verifying_key: &[u8]) -> Result<Bytes, DeploymentError> {
    let actual = verifying_key.len();
    let too_long = || DeploymentError::VerifyingKeyTooLong { maximum: MAX_CODE_SIZE, actual };
    if actual > MAX_CODE_SIZE {
        return Err(too_long());
    }
    let length = u16::try_from(actual).map_err(|_| too_long())?;
    let mut code = vec![PUSH2];
    code.extend(length.to_be_bytes());
    code.extend(COPY_AND_RETURN);
    code.extend(verifying_key);
    Ok(code.into())
}

/// Creation code of the verifier for a deployed verifying key.
#[must_use]
pub fn verifier_init_code(verifying_key: Address, verifying_key_hash: B256) -> Bytes {
    let arguments = (verifying_key, verifying_key_hash).abi_encode_params();
    [artifacts::verifier_creation_code().as_ref(), &arguments].concat().into()
}

/// Creation code of the rollup for a deployed verifier.
#[must_use]
pub fn rollup_init_code(verifier: Address, genesis_state: U256) -> Bytes {
    let arguments = (verifier, genesis_state).abi_encode_params();
    [artifacts::rollup_creation_code().as_ref(), &arguments].concat().into()
}
