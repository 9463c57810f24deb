// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {RollupFixture} from "./RollupFixture.sol";
import {IExits} from "../../src/interfaces/IExits.sol";

/// @notice Small trees of accounts, for escapes.
abstract contract StateTrees is RollupFixture {
    /// @dev The accounts; those between are empty.
    IExits.Account[] internal accounts;
    uint256[17] private empty;

    function addAccount(uint32 index, uint32 token, uint256 nonce, uint256 balance, address owner) internal {
        IExits.Account storage account = accounts.push();
        account.index = index;
        account.token = token;
        account.nonce = nonce;
        account.balance = balance;
        account.ax = uint256(keccak256(abi.encode("ax", index))) % R;
        account.ay = uint256(keccak256(abi.encode("ay", index))) % R;
        account.owner = owner;
    }

    function leafOf(IExits.Account memory account) internal view returns (uint256) {
        return poseidon5.hash(
            [
                account.token + account.nonce * 2 ** 32,
                account.balance,
                account.ax,
                account.ay,
                uint160(account.owner)
            ]
        );
    }

    /// @dev The hash of the node at a level and position.
    function nodeAt(uint256 level, uint256 position) internal returns (uint256) {
        bool found = false;
        for (uint256 i = 0; i < accounts.length; i++) {
            if (accounts[i].index >> (2 * level) == position) {
                if (level == 0) return leafOf(accounts[i]);
                found = true;
            }
        }
        if (!found) return emptyAt(level);
        uint256[4] memory children;
        for (uint256 i = 0; i < 4; i++) {
            children[i] = nodeAt(level - 1, 4 * position + i);
        }
        return poseidon4.hash(children);
    }

    function emptyAt(uint256 level) private returns (uint256) {
        if (level == 0) return 0;
        if (empty[level] == 0) {
            uint256 below = emptyAt(level - 1);
            empty[level] = poseidon4.hash([below, below, below, below]);
        }
        return empty[level];
    }

    /// @dev Fills in the paths, and returns the state.
    function close(uint32 nextIndex) internal returns (uint256 state) {
        uint256 root = nodeAt(16, 0);
        for (uint256 i = 0; i < accounts.length; i++) {
            accounts[i].nextIndex = nextIndex;
            accounts[i].root = root;
            uint256 position = accounts[i].index;
            for (uint256 level = 0; level < 16; level++) {
                uint256 next = 0;
                for (uint256 j = 0; j < 4; j++) {
                    if (j != position % 4) {
                        accounts[i].siblings[level][next++] = nodeAt(level, position / 4 * 4 + j);
                    }
                }
                position /= 4;
            }
        }
        return poseidon2.hash([root, uint256(nextIndex)]);
    }
}
