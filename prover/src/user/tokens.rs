//! The contract's tokens, and what is needed of an ERC-20.

use alloy::{
    primitives::{Address, U256},
    sol_types::SolCall,
};
use tenon_contracts::bindings::IRollup;

use super::{Sender, UserError, event};
use crate::l1::{Chain, Inclusion, L1Error, Message, rollup::RollupContract};

/// Ether's id.
pub const ETHER: u32 = 0;

mod erc20 {
    #![allow(missing_docs)]
    alloy::sol! {
        interface IErc20 {
            function balanceOf(address account) external view returns (uint256);
            function allowance(address owner, address spender) external view returns (uint256);
            function approve(address spender, uint256 amount) external;
        }
    }
}
pub use erc20::IErc20;

/// The address of a token; none for ether.
///
/// # Errors
/// When there is no such token or the chain can't be reached.
pub async fn address(contract: &RollupContract<'_>, token: u32) -> Result<Option<Address>, UserError> {
    if token == ETHER {
        return Ok(None);
    }
    let count = contract.read(IRollup::tokenCountCall {}).await?;
    if token >= count {
        return Err(UserError::TokenUnknown { count, actual: token });
    }
    Ok(Some(contract.read(IRollup::tokenAddressCall { id: token }).await?))
}

/// The addresses of all tokens but ether, by their ids from 1 on.
///
/// # Errors
/// When the chain can't be reached.
pub async fn all(contract: &RollupContract<'_>) -> Result<Vec<Address>, UserError> {
    let count = contract.read(IRollup::tokenCountCall {}).await?;
    let mut addresses = Vec::new();
    for id in 1..count {
        addresses.push(contract.read(IRollup::tokenAddressCall { id }).await?);
    }
    Ok(addresses)
}

/// Gives a token its id, for ever.
///
/// # Errors
/// When the contract refuses it or the chain can't be reached.
pub async fn register(
    contract: &RollupContract<'_>,
    sender: &Sender<'_>,
    token: Address,
) -> Result<(u32, Inclusion), UserError> {
    const ACTION: &str = "registering the token";
    let call = IRollup::registerTokenCall { token };
    let message = sender.message(contract.address, U256::ZERO, call.abi_encode().into());
    let inclusion = sender.send(ACTION, &message, None).await?;
    let registered: IRollup::TokenRegistered = event(contract, &inclusion, ACTION).await?;
    Ok((registered.id, inclusion))
}

/// Asks a token.
pub(super) async fn read<C: SolCall>(
    chain: &dyn Chain,
    token: Address,
    call: C,
) -> Result<C::Return, L1Error> {
    let action = format!("asking {token} for {}", C::SIGNATURE);
    let message = Message { to: Some(token), data: call.abi_encode().into(), ..Message::default() };
    let output = chain.call(&action, &message).await?;
    C::abi_decode_returns(&output).map_err(|error| L1Error::NotTheContract {
        address: token,
        expected: "token",
        reason: format!("{} answers {output}: {error}", C::SIGNATURE),
    })
}

/// What an account holds of a token.
pub(super) async fn balance(
    chain: &dyn Chain,
    token: Option<Address>,
    account: Address,
) -> Result<U256, L1Error> {
    match token {
        None => chain.balance(account).await,
        Some(token) => read(chain, token, IErc20::balanceOfCall { account }).await,
    }
}
