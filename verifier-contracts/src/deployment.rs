//! The contracts in the order of their deployment, each transaction and address known before the first is sent.

use alloy::{
    primitives::{Address, B256, Bytes, U256, keccak256},
    sol_types::{SolConstructor, SolValue},
};
use thiserror::Error;

use crate::{
    artifacts::{
        self, VERIFIER_SOURCE,
        compiled::{self, core, exits, governance, rollup},
    },
    calldata,
    generator::GeneratedVerifier,
};

/// Creation code that returns what follows it as the contract's code, without its 2-byte length:
/// `PUSH2 length; DUP1; PUSH1 10; RETURNDATASIZE; CODECOPY; RETURNDATASIZE; RETURN`.
const PUSH2: u8 = 0x61;
const COPY_AND_RETURN: [u8; 7] = [0x80, 0x60, 0x0a, 0x3d, 0x39, 0x3d, 0xf3];

/// The kind of proof that the embedded verifier checks.
pub const HALO2_KIND: u16 = 1;

/// The usual claim delay, in seconds.
pub const DEFAULT_CLAIM_DELAY: u64 = 3 * 60 * 60;

/// The usual fee of a forced exit, in wei: 0.001 ether.
pub const DEFAULT_EXIT_FEE: u64 = 1_000_000_000_000_000;

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

/// Where batches' data is published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DataMode {
    /// In blobs.
    #[default]
    Blobs,
    /// Kept by a committee.
    Committee {
        /// The members' addresses.
        members: Vec<Address>,
        /// How many have to sign: at least 6.
        threshold: u64,
    },
}

/// What a deployer chooses; the contracts refuse what is out of bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// The state before the first batch. Another than the empty one makes a demonstration, for local chains alone.
    pub genesis_state: Option<U256>,
    /// Names operators and queues upgrades.
    pub governor: Address,
    /// May pause commits and deposits for a time.
    pub guardian: Address,
    /// May end a pause and veto an upgrade; neither governor nor guardian.
    pub council: Address,
    /// May commit and prove.
    pub operators: Vec<Address>,
    /// Seconds from a batch's finalization until its withdrawals can be claimed.
    pub claim_delay: u64,
    /// What a forced exit costs, in wei.
    pub exit_fee: U256,
    /// Where batches' data is published.
    pub data: DataMode,
}

impl Parameters {
    /// A demonstration that starts from any state: as [`Parameters::of_one`], for local chains alone.
    #[must_use]
    pub fn demonstration(operator: Address, genesis_state: U256) -> Self {
        Self { genesis_state: Some(genesis_state), ..Self::of_one(operator) }
    }

    /// A rollup without accounts: one account is operator, governor and guardian, and nobody is the council.
    #[must_use]
    pub fn of_one(operator: Address) -> Self {
        Self {
            genesis_state: None,
            governor: operator,
            guardian: operator,
            council: Address::repeat_byte(0xc0),
            operators: vec![operator],
            claim_delay: DEFAULT_CLAIM_DELAY,
            exit_fee: U256::from(DEFAULT_EXIT_FEE),
            data: DataMode::Blobs,
        }
    }
}

/// Everything that a deployer sends, known before anything is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// The contract whose code is the verifying key.
    pub verifying_key: Creation,
    /// The verifier.
    pub verifier: Creation,
    /// What checks data availability; nothing where the data is in blobs.
    pub data: Option<Creation>,
    /// The hashers of two, four and five elements.
    pub poseidon: [Creation; 3],
    /// The rollup's code: powers, exits, core. Each hands on to the one before it.
    pub code: [Creation; 3],
    /// The rollup.
    pub rollup: Creation,
}

/// Why a deployment can't be planned.
#[derive(Debug, Error)]
pub enum DeploymentError {
    /// The verifier was generated for another constraint system than the embedded code.
    #[error("the embedded verifier is for another constraint system than the verifying key")]
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
    /// Plans the transactions of a deployer who has sent `nonce` others and sends these next.
    ///
    /// # Errors
    /// When the generated verifier isn't the one whose code is embedded.
    pub fn plan(
        deployer: Address,
        nonce: u64,
        verifier: &GeneratedVerifier,
        parameters: &Parameters,
    ) -> Result<Self, DeploymentError> {
        if verifier.solidity != VERIFIER_SOURCE {
            return Err(DeploymentError::OtherConstraintSystem);
        }
        let key_code = &verifier.verifying_key;
        let mut next = nonce;
        let mut create = |name, init_code| {
            let address = deployer.create(next);
            next += 1;
            Creation { name, init_code, address }
        };
        let verifying_key = create("verifying key", verifying_key_init_code(key_code)?);
        let code = verifier_init_code(verifying_key.address, keccak256(key_code));
        let verifier = create("verifier", code);
        let data = data_init_code(&parameters.data).map(|code| create("data availability", code));
        let data_address = data.as_ref().map(|creation| creation.address).unwrap_or_default();
        let poseidon = [
            create("Poseidon of two", compiled::PoseidonT3::BYTECODE.clone()),
            create("Poseidon of four", compiled::PoseidonT5::BYTECODE.clone()),
            create("Poseidon of five", compiled::PoseidonT6::BYTECODE.clone()),
        ];
        let powers = create("rollup's powers", governance::RollupGovernance::BYTECODE.clone());
        let hashers = [&poseidon[0], &poseidon[1], &poseidon[2]].map(|creation| creation.address);
        let exits =
            create("rollup's exits", exits_init_code(data_address, &powers, hashers, parameters.claim_delay));
        let core = create("rollup's core", core_init_code(data_address, &exits, parameters.exit_fee));
        let rollup = create("rollup", rollup_init_code(&core, &verifier, parameters));
        Ok(Self { verifying_key, verifier, data, poseidon, code: [powers, exits, core], rollup })
    }

    /// The transactions in the order in which they have to be sent.
    #[must_use]
    pub fn creations(&self) -> Vec<&Creation> {
        let first = [&self.verifying_key, &self.verifier];
        first
            .into_iter()
            .chain(&self.data)
            .chain(&self.poseidon)
            .chain(&self.code)
            .chain([&self.rollup])
            .collect()
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
    with_arguments(
        artifacts::verifier_creation_code(),
        &(verifying_key, verifying_key_hash).abi_encode_params(),
    )
}

fn data_init_code(mode: &DataMode) -> Option<Bytes> {
    match mode {
        DataMode::Blobs => None,
        DataMode::Committee { members, threshold } => {
            let arguments = compiled::CommitteeData::constructorCall {
                members: members.clone(),
                threshold_: U256::from(*threshold),
            };
            Some(with_arguments(&compiled::CommitteeData::BYTECODE, &arguments.abi_encode()))
        }
    }
}

fn exits_init_code(data: Address, powers: &Creation, hashers: [Address; 3], claim_delay: u64) -> Bytes {
    let [poseidon2, poseidon4, poseidon5] = hashers;
    let arguments = exits::RollupExits::constructorCall {
        data,
        governance: powers.address,
        poseidon2,
        poseidon4,
        poseidon5,
        claimDelay_: U256::from(claim_delay),
    };
    with_arguments(&exits::RollupExits::BYTECODE, &arguments.abi_encode())
}

fn core_init_code(data: Address, exits: &Creation, exit_fee: U256) -> Bytes {
    let arguments = core::RollupCore::constructorCall { data, exits: exits.address, exitFee_: exit_fee };
    with_arguments(&core::RollupCore::BYTECODE, &arguments.abi_encode())
}

fn rollup_init_code(core: &Creation, verifier: &Creation, parameters: &Parameters) -> Bytes {
    let configuration = rollup::RollupAddress::Configuration {
        implementation: core.address,
        roles: rollup::IGovernance::Roles {
            governor: parameters.governor,
            guardian: parameters.guardian,
            council: parameters.council,
        },
        operators: parameters.operators.clone(),
        kinds: vec![rollup::IGovernance::ProofKind { kind: HALO2_KIND, verifier: verifier.address }],
    };
    let configuration = configuration.abi_encode();
    match parameters.genesis_state {
        None => with_arguments(&rollup::Rollup::BYTECODE, &configuration),
        Some(state) => {
            // Of a structure of changing length, encoded alone, the first word says where it starts.
            let arguments =
                [&[0; 31][..], &[0x40], &state.to_be_bytes::<32>(), &configuration[32..]].concat();
            with_arguments(&compiled::DemoRollup::BYTECODE, &arguments)
        }
    }
}

fn with_arguments(code: &Bytes, arguments: &[u8]) -> Bytes {
    [code.as_ref(), arguments].concat().into()
}
