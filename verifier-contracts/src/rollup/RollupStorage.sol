// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {IQueue} from "../interfaces/IQueue.sol";
import {ISettlement} from "../interfaces/ISettlement.sol";

/// @title What the rollup stores
/// @notice One layout for the rollup's address and all code that runs at it. What a settlement touches is packed
/// into four words.
abstract contract RollupStorage {
    /// @dev What the guard of a contradiction keeps.
    /// @param shownAt When it was shown, in Unix seconds.
    /// @param version The version of the policy under which both proofs were accepted.
    /// @param input The hash of the batch's {ISettlement-Input}.
    /// @param first The hash of the first outcome.
    /// @param second The hash of the second one's result.
    struct Contradiction {
        uint32 shownAt;
        uint32 version;
        bytes32 input;
        bytes32 first;
        bytes32 second;
    }

    /// @dev One kind of a proof policy. The first entry of a policy says how many there are.
    struct PolicyEntry {
        address verifier;
        uint16 kind;
        uint16 batchPlaces;
        uint16 count;
    }

    /// @dev The order of the scalar field.
    uint256 internal constant R = 0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001;
    /// @dev Seconds from an operation's arrival to its deadline, and the longest time without a finalization.
    uint256 internal constant DEADLINE = 7 days;
    /// @dev Seconds from the oldest operation's deadline until anybody may freeze.
    uint256 internal constant FREEZE_DELAY = 7 days;
    /// @dev Operations that a settlement has to consume at most, however many are overdue.
    uint256 internal constant FORCED_OPERATIONS = 512;

    // Written by the rollup's code, each part of which is a contract of its own and sees some of it alone.
    // slither-disable-start uninitialized-state,constable-states,immutable-states

    // Slot 0: what every call reads, and commits write.
    address internal _implementation;
    /// @dev Since when something has been committed without any finalization; 0 if nothing has.
    uint32 internal _pendingSince;
    /// @dev The last committed batch's timestamp, where that one isn't final.
    uint32 internal _committedTimestamp;
    /// @dev The proof policy's version; 0 where code is called at its own address.
    uint32 internal _version;

    // Slot 1.
    uint256 internal _state;

    // Slot 2: what a settlement writes. Numbers and places of 40 bits last for ever.
    uint40 internal _finalized;
    uint40 internal _committed;
    uint40 internal _queueHead;
    uint40 internal _queueTail;
    uint32 internal _finalizedTimestamp;
    uint32 internal _finalizedAt;
    uint32 internal _frozenAt;

    // Slot 3: what a settlement reads: the present policy's first entry once more, and what may hold it up.
    address internal _verifier;
    uint16 internal _batchPlaces;
    uint8 internal _kinds;
    /// @dev The contradicted batch's number; 0 without an unresolved contradiction.
    uint40 internal _contradicted;
    uint32 internal _pausedUntil;

    /// @dev By number: an unproven batch's chained hash, a final one's outcome hash.
    mapping(uint64 => bytes32) internal _batches;
    /// @dev By place: deadline in the high 32 bits, hash in the low 224.
    mapping(uint64 => uint256) internal _queue;
    /// @dev By version, by position.
    mapping(uint32 => mapping(uint256 => PolicyEntry)) internal _policies;
    mapping(address => bool) internal _operators;

    /// @dev By id less 1.
    address[] internal _tokens;
    mapping(address => uint32) internal _tokenIds;
    /// @dev By number, by index divided by 256.
    mapping(uint64 => mapping(uint256 => uint256)) internal _claims;
    /// @dev By index divided by 256.
    mapping(uint256 => uint256) internal _escapes;
    Contradiction internal _contradiction;

    uint256 internal _fees;
    uint32 internal _coolDownUntil;
    uint32 internal _resolvedAt;
    address internal _governor;
    address internal _guardian;
    address internal _council;
    /// @dev By id: when it can be executed.
    mapping(bytes32 => uint256) internal _upgrades;

    /// @dev Whether a call that moves value is under way.
    bool internal transient _entered;

    // slither-disable-end uninitialized-state,constable-states,immutable-states

    /// @dev Keeps calls that move value from running within one another.
    modifier nonReentrant() {
        if (_entered) revert IQueue.Reentered();
        _entered = true;
        _;
        _entered = false;
    }

    /// @dev What signatures and proofs carry. Computed anew, so that it can't be that of another chain after a fork.
    function _domain() internal view returns (uint256) {
        return uint256(keccak256(abi.encode("tenon.v1", block.chainid, address(this)))) >> 8;
    }

    /// @dev Reverts when nothing may settle.
    function _requireLive() internal view {
        if (_frozenAt != 0 || _contradicted != 0) revert ISettlement.Frozen();
    }

    function _requireNotPaused() internal view {
        if (block.timestamp < _pausedUntil) revert ISettlement.Paused(_pausedUntil);
    }

    /// @dev An operation's deadline.
    function _deadline(uint64 operation) internal view returns (uint256) {
        return _queue[operation] >> 224;
    }

    /// @dev Whether the oldest operation is past its deadline.
    function _overdue() internal view returns (bool) {
        return _queueHead < _queueTail && block.timestamp > _deadline(_queueHead);
    }

    /// @dev Discards committed, unproven batches.
    function _discardUnproven() internal {
        uint40 last = _committed;
        uint40 finalized = _finalized;
        if (last == finalized) return;
        _committed = finalized;
        emit ISettlement.BatchesReverted(finalized + 1, last);
    }

    /// @dev A token's address, the zero address for ether.
    function _tokenAddress(uint32 id) internal view returns (address) {
        if (id == 0) return address(0);
        if (id > _tokens.length) revert IQueue.TokenUnknown(id);
        return _tokens[id - 1];
    }
}
