// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {IExits} from "../interfaces/IExits.sol";
import {IPoseidonT3, IPoseidonT5, IPoseidonT6} from "../interfaces/IPoseidon.sol";

/// @title The tree of accounts
/// @notice Arity 4, depth 16; leaf `H_5(token | nonce << 32, balance, ax, ay, owner)`, node `H_4` of its children,
/// state `H_2(root, next index)`.
library StateTree {
    /// @notice Levels above the leaves.
    uint256 internal constant DEPTH = 16;

    uint256 private constant R = 0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001;

    /// @notice A hasher failed, for want of gas.
    error HasherFailed(address hasher);

    /// @dev The contracts that hash.
    struct Hashers {
        IPoseidonT3 two;
        IPoseidonT5 four;
        IPoseidonT6 five;
    }

    /// @notice Reverts unless every field of an account is in range: hashers reduce silently.
    function requireInRange(IExits.Account calldata account) internal pure {
        // A calldata field above its type's range is refused where it is read.
        if (account.index >= account.nextIndex) revert IExits.FieldOutOfRange("index", account.index);
        if (account.nonce >> 40 != 0) revert IExits.FieldOutOfRange("nonce", account.nonce);
        if (account.balance == 0 || account.balance >> 128 != 0) {
            revert IExits.FieldOutOfRange("balance", account.balance);
        }
        if (account.ax >= R) revert IExits.FieldOutOfRange("ax", account.ax);
        if (account.ay >= R) revert IExits.FieldOutOfRange("ay", account.ay);
        if (account.owner == address(0)) revert IExits.FieldOutOfRange("owner", 0);
        if (account.root >= R) revert IExits.FieldOutOfRange("root", account.root);
        requireSiblings(account.siblings);
    }

    function requireSiblings(uint256[3][DEPTH] calldata siblings) private pure {
        for (uint256 i = 0; i < 3 * DEPTH; i++) {
            uint256 sibling;
            assembly ("memory-safe") {
                sibling := calldataload(add(siblings, shl(5, i)))
            }
            if (sibling >= R) revert IExits.FieldOutOfRange("sibling", sibling);
        }
    }

    /// @notice The root that an account's path leads to. Its positions are the index's base-4 digits, lowest first.
    function rootOf(IExits.Account calldata account, Hashers memory hashers)
        internal
        view
        returns (uint256 node)
    {
        node = hashers.five
            .hash(
                [
                    uint256(account.token) | account.nonce << 32,
                    account.balance,
                    account.ax,
                    account.ay,
                    uint256(uint160(account.owner))
                ]
            );
        uint256[3][DEPTH] calldata siblings = account.siblings;
        for (uint256 level = 0; level < DEPTH; level++) {
            node = parent(hashers.four, siblings[level], account.index >> (2 * level) & 3, node);
        }
    }

    /// @dev The parent of a node and its siblings. Sixteen of these are most of what an escape costs.
    function parent(IPoseidonT5 hasher, uint256[3] calldata siblings, uint256 position, uint256 node)
        private
        view
        returns (uint256 hash)
    {
        bytes4 selector = IPoseidonT5.hash.selector;
        bool success;
        assembly ("memory-safe") {
            let pointer := mload(0x40)
            let before := shl(5, position)
            mstore(pointer, selector)
            let children := add(pointer, 4)
            calldatacopy(children, siblings, before)
            mstore(add(children, before), node)
            calldatacopy(add(add(children, before), 0x20), add(siblings, before), sub(0x60, before))
            success := and(staticcall(gas(), hasher, pointer, 0x84, 0, 0x20), eq(returndatasize(), 0x20))
            hash := mload(0)
        }
        if (!success) revert HasherFailed(address(hasher));
    }
}
