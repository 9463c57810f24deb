// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {IQueue} from "../interfaces/IQueue.sol";
import {ISettlement} from "../interfaces/ISettlement.sol";
import {WithdrawalTree} from "./WithdrawalTree.sol";

/// @title The L1 stream: operations consumed and withdrawals made, as a batch's proof binds them
/// @notice A deposit is `1 | token << 8 | to << 40 | amount << 72`, `token | owner << 32 | (ax >> 248) << 192 |
/// (ay >> 248) << 198`, `ax mod 2^248`, `ay mod 2^248`; a forced exit `2 | account << 8 | owner << 40`; a withdrawal
/// `3 | token << 8 | owner << 40`, `amount`.
library L1Stream {
    /// @notice The most words in a batch's stream.
    uint256 internal constant MAX_WORDS = 4096;

    uint256 private constant R = 0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001;
    uint256 private constant WORD_BITS = 248;
    uint256 private constant DEPOSIT = 1;
    uint256 private constant EXIT = 2;
    uint256 private constant WITHDRAWAL = 3;
    uint256 private constant DEPOSIT_WORDS = 4;
    uint256 private constant WITHDRAWAL_WORDS = 2;
    uint256 private constant LOW_248 = (1 << 248) - 1;

    /// @dev What a pass needs, and where it stands.
    /// @param number The batch's number.
    /// @param z Where to evaluate.
    /// @param y The evaluation so far.
    /// @param queueEnd The next operation that may be consumed.
    /// @param queueTail The number of operations queued.
    /// @param leaves The withdrawals' leaves.
    /// @param withdrawals How many there are.
    struct Pass {
        uint64 number;
        uint256 z;
        uint256 y;
        uint64 queueEnd;
        uint64 queueTail;
        bytes32[] leaves;
        uint256 withdrawals;
    }

    /// @notice The hash of a deposit's words, as the queue keeps it.
    function depositHash(IQueue.Deposit memory deposit) internal pure returns (uint224) {
        uint256 first =
            DEPOSIT | uint256(deposit.token) << 8 | uint256(deposit.to) << 40 | uint256(deposit.amount) << 72;
        uint256 second = uint256(deposit.token) | uint256(uint160(deposit.owner)) << 32 | (deposit.ax >> 248)
            << 192 | (deposit.ay >> 248) << 198;
        return
            uint224(uint256(keccak256(abi.encode(first, second, deposit.ax & LOW_248, deposit.ay & LOW_248))));
    }

    /// @notice The hash of a forced exit's word, as the queue keeps it.
    function exitHash(uint32 account, address owner) internal pure returns (uint224) {
        uint256 word = EXIT | uint256(account) << 8 | uint256(uint160(owner)) << 40;
        return uint224(uint256(keccak256(abi.encode(word))));
    }

    /// @notice Keccak-256 of a stream's words.
    function hash(uint256[] calldata words) internal pure returns (bytes32 digest) {
        if (words.length > MAX_WORDS) revert ISettlement.L1StreamTooLong(MAX_WORDS, words.length);
        assembly ("memory-safe") {
            let pointer := mload(0x40)
            let length := shl(5, words.length)
            calldatacopy(pointer, words.offset, length)
            digest := keccak256(pointer, length)
        }
    }

    /// @notice Reads a stream in one strict pass: operations have to be the queue's next ones, withdrawals become the
    /// batch's tree, and the words' polynomial is evaluated on the way.
    /// @param words The stream, not longer than {MAX_WORDS}.
    /// @param queue The queue.
    /// @param pass With number, z, queueEnd and queueTail; y and queueEnd change.
    /// @return root The root of the batch's withdrawals.
    function parse(uint256[] calldata words, mapping(uint64 => uint256) storage queue, Pass memory pass)
        internal
        view
        returns (bytes32 root)
    {
        if (words.length == 0) return 0;
        pass.leaves = new bytes32[](words.length / 2);
        uint256 next = 0;
        while (next < words.length) {
            uint256 start = next;
            uint256 tag = load(words, start) & 0xff;
            if (tag == WITHDRAWAL) {
                next = take(words, start, WITHDRAWAL_WORDS, pass);
                addWithdrawal(words, start, pass);
            } else if (tag == DEPOSIT || tag == EXIT) {
                next = take(words, start, tag == DEPOSIT ? DEPOSIT_WORDS : 1, pass);
                if (pass.queueEnd >= pass.queueTail) revert ISettlement.QueueExceeded(start, pass.queueTail);
                check(words, start, next - start, pass.queueEnd, queue);
                pass.queueEnd++;
            } else {
                revert ISettlement.L1UnknownTag(start, load(words, start));
            }
        }
        return WithdrawalTree.root(pass.leaves, pass.withdrawals);
    }

    function load(uint256[] calldata words, uint256 index) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := calldataload(add(words.offset, shl(5, index)))
        }
    }

    /// @dev Takes an item's words into the evaluation.
    function take(uint256[] calldata words, uint256 start, uint256 length, Pass memory pass)
        private
        pure
        returns (uint256 end)
    {
        end = start + length;
        if (end > words.length) revert ISettlement.L1StreamEnds(end, words.length);
        uint256 y = pass.y;
        for (uint256 i = start; i < end; i++) {
            uint256 word = load(words, i);
            if (word >> WORD_BITS != 0) revert ISettlement.L1WordOutOfRange(i, word);
            y = addmod(mulmod(y, pass.z, R), word, R);
        }
        pass.y = y;
    }

    /// @dev Compares an operation with the queue's.
    function check(
        uint256[] calldata words,
        uint256 start,
        uint256 length,
        uint64 operation,
        mapping(uint64 => uint256) storage queue
    ) private view {
        uint256 actual;
        assembly ("memory-safe") {
            let pointer := mload(0x40)
            length := shl(5, length)
            calldatacopy(pointer, add(words.offset, shl(5, start)), length)
            actual := keccak256(pointer, length)
        }
        actual = uint224(actual);
        uint256 expected = uint224(queue[operation]);
        if (actual != expected) revert ISettlement.OperationMismatch(operation, expected, actual);
    }

    /// @dev Adds a withdrawal's leaf.
    function addWithdrawal(uint256[] calldata words, uint256 start, Pass memory pass) private pure {
        uint256 word = load(words, start);
        uint256 amount = load(words, start + 1);
        if (word >> 200 != 0 || amount == 0 || amount >> 128 != 0) {
            revert ISettlement.L1Withdrawal(start, word, amount);
        }
        // Both fit: the word has no bits above its address.
        (uint32 token, address owner) = (uint32(word >> 8), address(uint160(word >> 40)));
        uint256 index = pass.withdrawals;
        pass.leaves[index] = WithdrawalTree.leaf(pass.number, index, token, owner, amount);
        pass.withdrawals = index + 1;
    }
}
