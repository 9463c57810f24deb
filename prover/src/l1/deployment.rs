//! Deploying the contracts, and asking deployed ones what they are.

use alloy::primitives::{Address, B256, U256};
use tenon_circuits::rollup::Fr;
use tenon_contracts::{
    bindings::{IRollup, IVerifier},
    deployment::{Deployment, Parameters},
    generator::GeneratedVerifier,
};

use super::{L1Error, Message, from_word, rollup::RollupContract, sender::Sender};

/// The contracts and what deploying them took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployed {
    /// The contract whose code is the verifying key.
    pub verifying_key: Address,
    /// The verifier.
    pub verifier: Address,
    /// The rollup.
    pub rollup: Address,
    /// The chain's id.
    pub chain_id: u64,
    /// What transactions and proofs for this rollup carry.
    pub domain: Fr,
    /// The block in which the rollup came to be.
    pub block: u64,
    /// Gas of all transactions.
    pub gas_used: u64,
}

/// Deploys verifier and rollup.
///
/// # Errors
/// When there is no such verifier, a transaction fails, or another one of the sender's comes between.
pub async fn deploy(
    sender: &Sender<'_>,
    verifier: &GeneratedVerifier,
    parameters: &Parameters,
) -> Result<Deployed, L1Error> {
    let chain_id = sender.chain.chain_id().await?;
    let nonce = sender.chain.nonce(sender.address()).await?;
    let plan = Deployment::plan(sender.address(), nonce, verifier, parameters)?;
    let (mut gas_used, mut block) = (0, 0);
    for creation in plan.creations() {
        let action = format!("deploying the {}", creation.name);
        let message =
            Message { from: sender.address(), data: creation.init_code.clone(), ..Message::default() };
        let inclusion = sender.send(&action, &message, None).await?;
        gas_used += inclusion.gas_used;
        block = inclusion.block;
        match inclusion.created {
            Some(actual) if actual == creation.address => {}
            Some(actual) => {
                return Err(L1Error::Moved { name: creation.name, expected: creation.address, actual });
            }
            None => return Err(L1Error::Failed { action, reason: "no contract was created".into() }),
        }
    }
    let domain: U256 = plan.domain(chain_id);
    Ok(Deployed {
        verifying_key: plan.verifying_key.address,
        verifier: plan.verifier.address,
        rollup: plan.rollup.address,
        chain_id,
        domain: from_word("domain", domain)?,
        block,
        gas_used,
    })
}

/// What a rollup contract is, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// Its state.
    pub state: Fr,
    /// The number of the last final batch; 0 for none.
    pub last_batch: u64,
    /// The domain that it takes proofs for.
    pub domain: Fr,
    /// Hash of the verifying key that the first verifier of its policy takes.
    pub verifying_key_hash: B256,
}

/// Asks a rollup contract and its verifier.
///
/// # Errors
/// When there is no such contract or the chain can't be reached.
pub async fn position(contract: &RollupContract<'_>) -> Result<Position, L1Error> {
    let version = contract.read(IRollup::policyVersionCall {}).await?;
    let policy = contract.read(IRollup::policyCall { version }).await?;
    let verifier = policy.kinds.first().map(|kind| kind.verifier).unwrap_or_default();
    let verifier = RollupContract { chain: contract.chain, address: verifier };
    Ok(Position {
        state: from_word("state", contract.read(IRollup::stateCall {}).await?)?,
        last_batch: contract.read(IRollup::lastFinalizedCall {}).await?,
        domain: contract.domain().await?,
        verifying_key_hash: verifier.read(IVerifier::verifyingKeyHashCall {}).await?,
    })
}
