// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {IQueue} from "../interfaces/IQueue.sol";

/// @title What the rollup uses of an ERC-20 token
interface IToken {
    /// @notice An account's balance.
    function balanceOf(address account) external view returns (uint256);
    /// @notice Sends from the caller.
    function transfer(address to, uint256 amount) external returns (bool);
    /// @notice Sends from an account that allows it.
    function transferFrom(address from, address to, uint256 amount) external returns (bool);
}

/// @title Moving ether and tokens
/// @notice Tokens that return nothing are taken at their word; what a recipient returns is never copied.
library Transfers {
    /// @notice Sends ether, or a token.
    function send(address token, address to, uint256 amount) internal {
        bool done;
        if (token == address(0)) {
            assembly ("memory-safe") {
                done := call(gas(), to, amount, 0, 0, 0, 0)
            }
        } else {
            done = call(token, abi.encodeCall(IToken.transfer, (to, amount)));
        }
        if (!done) revert IQueue.TransferFailed(token, address(this), to, amount);
    }

    /// @notice Takes a token from an account, and says how much arrived.
    function take(address token, address from, uint256 amount) internal returns (uint256) {
        uint256 before = IToken(token).balanceOf(address(this));
        if (!call(token, abi.encodeCall(IToken.transferFrom, (from, address(this), amount)))) {
            revert IQueue.TransferFailed(token, from, address(this), amount);
        }
        uint256 afterwards = IToken(token).balanceOf(address(this));
        return afterwards > before ? afterwards - before : 0;
    }

    /// @dev Whether a call succeeds and returns true, or nothing from an address with code.
    function call(address token, bytes memory data) private returns (bool done) {
        assembly ("memory-safe") {
            done := call(gas(), token, 0, add(data, 0x20), mload(data), 0, 0x20)
            switch returndatasize()
            case 0 { done := and(done, gt(extcodesize(token), 0)) }
            default { done := and(done, and(gt(returndatasize(), 31), eq(mload(0), 1))) }
        }
    }
}
