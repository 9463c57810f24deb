//! A chain in memory: the real EVM, run by revm, for the demonstration and for tests.

use alloy::primitives::{Address, Bytes, Log, TxKind, U256};
use revm::{
    Context, ExecuteCommitEvm, ExecuteEvm, MainBuilder, MainContext,
    bytecode::Bytecode,
    context::{
        BlockEnv, TxEnv,
        result::{ExecutionResult, Output},
    },
    database::InMemoryDB,
    state::AccountInfo,
};
use thiserror::Error;

/// The chain id of a local chain, on which development set-ups are accepted.
pub const LOCAL_CHAIN_ID: u64 = 31337;

/// The most gas that a transaction can use.
const GAS_LIMIT: u64 = 16_000_000;

/// A chain in memory. Gas costs nothing on it and anybody can send transactions.
#[derive(Clone, Debug)]
pub struct LocalChain {
    database: InMemoryDB,
    chain_id: u64,
    block: u64,
    timestamp: u64,
}

/// What a transaction did.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// Gas used, that of the call data included.
    pub gas_used: u64,
    /// What the called contract returned.
    pub output: Bytes,
    /// The address of the created contract.
    pub created: Option<Address>,
    /// Events.
    pub logs: Vec<Log>,
}

/// Why a transaction did nothing.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum EvmError {
    /// The contract refused it.
    #[error("reverted with 0x{} after {gas_used} gas", hex::encode(data))]
    Reverted {
        /// The contract's error, ABI-encoded.
        data: Bytes,
        /// Gas used.
        gas_used: u64,
    },
    /// Execution failed: out of gas, an invalid instruction and the like.
    #[error("halted: {reason}")]
    Halted {
        /// What happened.
        reason: String,
    },
    /// The transaction can't be executed at all.
    #[error("invalid transaction: {reason}")]
    Invalid {
        /// What is wrong.
        reason: String,
    },
}

impl LocalChain {
    /// An empty chain whose first block has the given timestamp in Unix seconds.
    #[must_use]
    pub fn new(chain_id: u64, timestamp: u64) -> Self {
        Self { database: InMemoryDB::default(), chain_id, block: 1, timestamp }
    }

    /// The chain's id.
    #[must_use]
    pub fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// Sets the timestamp of the blocks to come, in Unix seconds.
    pub fn set_timestamp(&mut self, timestamp: u64) {
        self.timestamp = timestamp;
    }

    /// Puts code at an address.
    pub fn set_code(&mut self, address: Address, code: Bytes) {
        let bytecode = Bytecode::new_raw(code);
        self.database.insert_account_info(address, AccountInfo::from_bytecode(bytecode));
    }

    /// The number of transactions that an address has sent.
    #[must_use]
    pub fn nonce(&self, address: Address) -> u64 {
        self.database.cache.accounts.get(&address).map_or(0, |account| account.info.nonce)
    }

    /// Executes a transaction in a block of its own, without `to` one that creates a contract.
    ///
    /// # Errors
    /// When it reverts, halts or is invalid.
    pub fn transact(&mut self, from: Address, to: Option<Address>, data: Bytes) -> Result<Receipt, EvmError> {
        let transaction = self.transaction(from, to, data)?;
        let context = self.context();
        let mut evm = context.with_db(&mut self.database).build_mainnet();
        let result = evm.transact_commit(transaction).map_err(invalid)?;
        self.block += 1;
        receipt(result)
    }

    /// Executes a call and forgets its effects.
    ///
    /// # Errors
    /// When it reverts, halts or is invalid.
    pub fn call(&self, from: Address, to: Address, data: Bytes) -> Result<Receipt, EvmError> {
        let transaction = self.transaction(from, Some(to), data)?;
        let mut evm = self.context().with_db(self.database.clone()).build_mainnet();
        receipt(evm.transact(transaction).map_err(invalid)?.result)
    }

    fn transaction(&self, from: Address, to: Option<Address>, data: Bytes) -> Result<TxEnv, EvmError> {
        TxEnv::builder()
            .caller(from)
            .kind(to.map_or(TxKind::Create, TxKind::Call))
            .data(data)
            .nonce(self.nonce(from))
            .gas_limit(GAS_LIMIT)
            .chain_id(Some(self.chain_id))
            .build()
            .map_err(|error| EvmError::Invalid { reason: format!("{error:?}") })
    }

    fn context(&self) -> revm::handler::MainnetContext<revm::database::EmptyDB> {
        let block = BlockEnv {
            number: U256::from(self.block),
            timestamp: U256::from(self.timestamp),
            ..BlockEnv::default()
        };
        Context::mainnet().with_block(block).modify_cfg_chained(|config| config.chain_id = self.chain_id)
    }
}

fn invalid(error: impl std::fmt::Debug) -> EvmError {
    EvmError::Invalid { reason: format!("{error:?}") }
}

fn receipt(result: ExecutionResult) -> Result<Receipt, EvmError> {
    match result {
        ExecutionResult::Success { gas, logs, output, .. } => {
            let (output, created) = match output {
                Output::Call(output) => (output, None),
                Output::Create(output, address) => (output, address),
            };
            Ok(Receipt { gas_used: gas.tx_gas_used(), output, created, logs })
        }
        ExecutionResult::Revert { gas, output, .. } => {
            Err(EvmError::Reverted { data: output, gas_used: gas.tx_gas_used() })
        }
        ExecutionResult::Halt { reason, .. } => Err(EvmError::Halted { reason: format!("{reason:?}") }),
    }
}
