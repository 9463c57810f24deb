// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {RollupFixture} from "../utils/RollupFixture.sol";
import {IExits} from "../../src/interfaces/IExits.sol";
import {IQueue} from "../../src/interfaces/IQueue.sol";
import {ISettlement} from "../../src/interfaces/ISettlement.sol";

/// @notice The rollup's rules in Solidity, for a handful of accounts: who has what after each batch, and which words
/// the batch leads to. Batches made here are the only ones that have proofs.
abstract contract Ledger is RollupFixture {
    uint256 internal constant MAX_ACCOUNTS = 7;
    uint256 internal constant AX = R - 5;
    uint256 internal constant AY = 7;
    uint32 internal constant NEW = type(uint32).max;

    struct Owned {
        uint32 token;
        address owner;
        uint256 nonce;
        uint256 balance;
    }

    /// @dev An operation of the queue, as the model keeps it.
    struct Operation {
        bool isDeposit;
        bool refunded;
        uint32 token;
        uint32 account;
        uint32 deadline;
        uint128 amount;
        address owner;
    }

    /// @dev A committed or final batch.
    struct Record {
        Plan plan;
        /// The chained hash before it, as committed.
        bytes32 previous;
        /// Nobody can prove it.
        bool garbage;
        uint64 queueStart;
        uint64 queueEnd;
        IExits.Withdrawal[] withdrawals;
        ISettlement.Input input;
        ISettlement.Outcome outcome;
    }

    Operation[] internal operations;
    mapping(uint64 => Record) internal records;
    /// @dev The accounts after a batch, by index.
    mapping(uint64 => Owned[]) internal history;
    uint256[17] private empty;

    /// @dev What a batch under construction has so far.
    struct Draft {
        uint64 number;
        Owned[] accounts;
        uint256[] words;
        IExits.Withdrawal[] withdrawals;
        uint64 head;
    }

    function prepareTrees() internal {
        for (uint256 level = 1; level <= 16; level++) {
            uint256 below = empty[level - 1];
            empty[level] = poseidon4.hash([below, below, below, below]);
        }
    }

    /// @dev Makes the batch after number - 1: the queue's next operations, then transactions of the seed's choice.
    function draft(uint64 number, uint64 head, uint64 end, uint256 seed)
        internal
        view
        returns (Draft memory made)
    {
        made.number = number;
        made.accounts = history[number - 1];
        made.head = head;
        while (made.head < end) {
            execute(made, operations[made.head]);
            made.head++;
        }
        uint256 transactions = seed % 4;
        for (uint256 i = 0; i < transactions; i++) {
            seed = uint256(keccak256(abi.encode(seed)));
            transact(made, seed);
        }
    }

    function execute(Draft memory made, Operation memory operation) private pure {
        if (!operation.isDeposit) {
            made.words = concat(made.words, single(exitWord(operation.account, operation.owner)));
            if (operation.account >= made.accounts.length) return;
            Owned memory leaving = made.accounts[operation.account];
            if (leaving.owner != operation.owner || leaving.balance == 0) return;
            withdraw(made, leaving.token, leaving.owner, leaving.balance);
            leaving.balance = 0;
            return;
        }
        made.words = concat(made.words, depositWords(depositIn(operation)));
        if (operation.account == NEW && made.accounts.length < MAX_ACCOUNTS) {
            Owned[] memory more = new Owned[](made.accounts.length + 1);
            for (uint256 i = 0; i < made.accounts.length; i++) {
                more[i] = made.accounts[i];
            }
            more[made.accounts.length] = Owned(operation.token, operation.owner, 0, operation.amount);
            made.accounts = more;
            return;
        }
        if (operation.account < made.accounts.length) {
            Owned memory credited = made.accounts[operation.account];
            if (credited.owner == operation.owner && credited.token == operation.token) {
                credited.balance += operation.amount;
                return;
            }
        }
        withdraw(made, operation.token, operation.owner, operation.amount);
    }

    /// @dev A transfer or a withdrawal.
    function transact(Draft memory made, uint256 seed) private pure {
        uint256 count = made.accounts.length;
        if (count == 0) return;
        Owned memory from = made.accounts[seed % count];
        uint256 amount = (seed >> 32) % (from.balance + 1);
        if (amount == 0) return;
        Owned memory to = made.accounts[(seed >> 16) % count];
        from.nonce++;
        from.balance -= amount;
        if (seed >> 255 == 0 && to.token == from.token) to.balance += amount;
        else withdraw(made, from.token, from.owner, amount);
    }

    function withdraw(Draft memory made, uint32 token, address owner, uint256 amount) private pure {
        uint256 count = made.withdrawals.length;
        IExits.Withdrawal[] memory more = new IExits.Withdrawal[](count + 1);
        for (uint256 i = 0; i < count; i++) {
            more[i] = made.withdrawals[i];
        }
        more[count] = IExits.Withdrawal(made.number, uint32(count), token, owner, uint128(amount));
        made.withdrawals = more;
        made.words = concat(made.words, withdrawalWords(token, owner, uint128(amount)));
    }

    function single(uint256 word) private pure returns (uint256[] memory words) {
        words = new uint256[](1);
        words[0] = word;
    }

    function depositIn(Operation memory operation) internal pure returns (IQueue.Deposit memory) {
        return IQueue.Deposit(operation.token, operation.account, operation.amount, AX, AY, operation.owner);
    }

    // The state's tree: eight leaves at most, everything else is empty.

    function leafOf(Owned memory account) private view returns (uint256) {
        uint256 meta = account.token + account.nonce * 2 ** 32;
        return poseidon5.hash([meta, account.balance, AX, AY, uint160(account.owner)]);
    }

    function leavesOf(Owned[] memory accounts) private view returns (uint256[8] memory leaves) {
        for (uint256 i = 0; i < accounts.length; i++) {
            leaves[i] = leafOf(accounts[i]);
        }
    }

    function quad(uint256[8] memory leaves, uint256 which) private view returns (uint256) {
        uint256 i = 4 * which;
        return poseidon4.hash([leaves[i], leaves[i + 1], leaves[i + 2], leaves[i + 3]]);
    }

    function rootOf(uint256[8] memory leaves) private view returns (uint256 root) {
        root = poseidon4.hash([quad(leaves, 0), quad(leaves, 1), empty[1], empty[1]]);
        for (uint256 level = 2; level < 16; level++) {
            root = poseidon4.hash([root, empty[level], empty[level], empty[level]]);
        }
    }

    function stateOf(Owned[] memory accounts) internal view returns (uint256) {
        return poseidon2.hash([rootOf(leavesOf(accounts)), accounts.length]);
    }

    /// @dev An account with its path, as an escape wants it.
    function pathed(Owned[] memory accounts, uint32 index)
        internal
        view
        returns (IExits.Account memory made)
    {
        uint256[8] memory leaves = leavesOf(accounts);
        Owned memory account = accounts[index];
        made.index = index;
        made.token = account.token;
        made.nonce = account.nonce;
        made.balance = account.balance;
        (made.ax, made.ay, made.owner) = (AX, AY, account.owner);
        made.nextIndex = uint32(accounts.length);
        made.root = rootOf(leaves);
        uint256 next = 0;
        for (uint256 i = 0; i < 4; i++) {
            if (i != index % 4) made.siblings[0][next++] = leaves[index / 4 * 4 + i];
        }
        made.siblings[1] = [quad(leaves, 1 - index / 4), empty[1], empty[1]];
        for (uint256 level = 2; level < 16; level++) {
            made.siblings[level] = [empty[level], empty[level], empty[level]];
        }
    }

    // A batch's withdrawals.

    function subtree(IExits.Withdrawal[] memory all, uint256 level, uint256 index)
        internal
        pure
        returns (bytes32)
    {
        if (index << level >= all.length) return 0;
        if (level == 0) return leaf(all[index]);
        return node(subtree(all, level - 1, 2 * index), subtree(all, level - 1, 2 * index + 1));
    }

    function depth(IExits.Withdrawal[] memory all) private pure returns (uint256 levels) {
        while (1 << levels < all.length) levels++;
    }

    function withdrawalRoot(IExits.Withdrawal[] memory all) internal pure returns (bytes32) {
        return all.length == 0 ? bytes32(0) : subtree(all, depth(all), 0);
    }

    function withdrawalPath(IExits.Withdrawal[] memory all, uint256 index)
        internal
        pure
        returns (bytes32[] memory siblings)
    {
        siblings = new bytes32[](depth(all));
        for (uint256 level = 0; level < siblings.length; level++) {
            siblings[level] = subtree(all, level, index >> level ^ 1);
        }
    }
}
