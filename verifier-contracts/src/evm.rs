//! A chain in memory: the real EVM, run by revm, for the demonstration and for tests.

use alloy::primitives::{Address, B256, Bytes, Log, TxKind, U256};
use revm::{
    Context, ExecuteCommitEvm, ExecuteEvm, MainBuilder, MainContext,
    bytecode::Bytecode,
    context::{
        BlockEnv, TxEnv,
        result::{ExecutionResult, Output},
    },
    context_interface::block::BlobExcessGasAndPrice,
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

/// A transaction, or a call that is only simulated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Who sends it.
    pub from: Address,
    /// The contract called; none to create one.
    pub to: Option<Address>,
    /// Wei sent along, which the sender has to hold.
    pub value: U256,
    /// Call data, or creation code.
    pub data: Bytes,
    /// Versioned hashes of the blobs that it carries.
    pub blob_hashes: Vec<B256>,
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

    /// The number of the block to come.
    #[must_use]
    pub fn block_number(&self) -> u64 {
        self.block
    }

    /// The timestamp of the block to come, in Unix seconds.
    #[must_use]
    pub fn timestamp(&self) -> u64 {
        self.timestamp
    }

    /// What an address holds, in wei.
    #[must_use]
    pub fn balance(&self, address: Address) -> U256 {
        self.database.cache.accounts.get(&address).map_or(U256::ZERO, |account| account.info.balance)
    }

    /// Gives an address so many wei more.
    pub fn fund(&mut self, address: Address, amount: U256) {
        let account = self.database.cache.accounts.get(&address);
        let mut info = account.map(|account| account.info.clone()).unwrap_or_default();
        info.balance = info.balance.saturating_add(amount);
        self.database.insert_account_info(address, info);
    }

    /// Executes a transaction in a block of its own, without `to` one that creates a contract.
    ///
    /// # Errors
    /// When it reverts, halts or is invalid.
    pub fn transact(&mut self, from: Address, to: Option<Address>, data: Bytes) -> Result<Receipt, EvmError> {
        self.execute(&Message { from, to, data, ..Message::default() })
    }

    /// Executes a call and forgets its effects.
    ///
    /// # Errors
    /// When it reverts, halts or is invalid.
    pub fn call(&self, from: Address, to: Address, data: Bytes) -> Result<Receipt, EvmError> {
        self.simulate(&Message { from, to: Some(to), data, ..Message::default() })
    }

    /// Executes a transaction in a block of its own.
    ///
    /// # Errors
    /// When it reverts, halts or is invalid. A transaction that reverts or halts counts in its sender's nonce.
    pub fn execute(&mut self, message: &Message) -> Result<Receipt, EvmError> {
        let transaction = self.transaction(message)?;
        let context = self.context();
        let mut evm = context.with_db(&mut self.database).build_mainnet();
        let result = evm.transact_commit(transaction).map_err(invalid)?;
        self.block += 1;
        receipt(result)
    }

    /// Executes a message and forgets its effects.
    ///
    /// # Errors
    /// When it reverts, halts or is invalid.
    pub fn simulate(&self, message: &Message) -> Result<Receipt, EvmError> {
        let transaction = self.transaction(message)?;
        let mut evm = self.context().with_db(self.database.clone()).build_mainnet();
        receipt(evm.transact(transaction).map_err(invalid)?.result)
    }

    fn transaction(&self, message: &Message) -> Result<TxEnv, EvmError> {
        let mut builder = TxEnv::builder()
            .caller(message.from)
            .kind(message.to.map_or(TxKind::Create, TxKind::Call))
            .value(message.value)
            .data(message.data.clone())
            .nonce(self.nonce(message.from))
            .gas_limit(GAS_LIMIT)
            .chain_id(Some(self.chain_id));
        if !message.blob_hashes.is_empty() {
            builder = builder.blob_hashes(message.blob_hashes.clone()).gas_priority_fee(Some(0));
        }
        builder.build().map_err(|error| EvmError::Invalid { reason: format!("{error:?}") })
    }

    fn context(&self) -> revm::handler::MainnetContext<revm::database::EmptyDB> {
        let block = BlockEnv {
            number: U256::from(self.block),
            timestamp: U256::from(self.timestamp),
            // Blobs cost nothing either.
            blob_excess_gas_and_price: Some(BlobExcessGasAndPrice { excess_blob_gas: 0, blob_gasprice: 0 }),
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
