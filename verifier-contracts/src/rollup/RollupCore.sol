// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {IDataAvailability} from "../interfaces/IDataAvailability.sol";
import {IQueue} from "../interfaces/IQueue.sol";
import {ISettlement} from "../interfaces/ISettlement.sol";
import {Blobs} from "../libraries/Blobs.sol";
import {Hashes} from "../libraries/Hashes.sol";
import {L1Stream} from "../libraries/L1Stream.sol";
import {Transfers} from "../libraries/Transfers.sol";
import {BatchProofs} from "./BatchProofs.sol";
import {Bounds} from "./Bounds.sol";
import {Delegate} from "./Delegate.sol";

/// @title The rollup's code: settlement and queue
/// @notice What it doesn't answer itself, it hands on to {RollupExits}.
contract RollupCore is BatchProofs, Delegate, ISettlement, IQueue {
    bytes32 private constant BATCH_TAG = keccak256("tenon.v1.batch");
    /// @dev How far behind a batch's timestamp may be when it is committed.
    uint256 private constant MAX_AGE = 1 days;
    /// @dev The account index that is never used.
    uint32 private constant NO_ACCOUNT = type(uint32).max;

    /// @dev The code for everything else.
    address private immutable EXITS;

    /// @inheritdoc IQueue
    uint256 public immutable exitFee;

    /// @param data What checks data availability; the zero address for blobs.
    /// @param exits The code of {RollupExits}.
    /// @param exitFee_ What a forced exit costs, in wei.
    // slither-disable-next-line missing-zero-check (has to have code, which the zero address doesn't)
    constructor(IDataAvailability data, address exits, uint256 exitFee_) BatchProofs(data) {
        Bounds.requireCode(exits);
        Bounds.requireExitFee(exitFee_);
        EXITS = exits;
        exitFee = exitFee_;
    }

    /// @notice Everything else.
    fallback() external {
        _delegate(EXITS);
    }

    /// @inheritdoc ISettlement
    function commit(uint64 first, Header[] calldata headers) external {
        _requireOperator();
        _requireLive();
        _requireNotPaused();
        uint64 number = uint64(_committed) + 1;
        if (first != number) revert BatchNumber(number, first);
        if (headers.length == 0) revert BatchCount(type(uint64).max, 0);
        bytes32 previous = _batches[number - 1];
        uint32 timestamp = lastCommittedTimestamp();
        uint256 blobs = 0;
        for (uint256 i = 0; i < headers.length; i++) {
            Header calldata header = headers[i];
            _checkTimestamp(number, timestamp, header.timestamp);
            timestamp = header.timestamp;
            (previous, blobs) = _commitOne(number, previous, header, blobs);
            number++;
        }
        _requireNoBlob(blobs);
        _committed = uint40(number - 1);
        _committedTimestamp = timestamp;
        if (_pendingSince == 0) _pendingSince = uint32(block.timestamp);
    }

    /// @inheritdoc ISettlement
    function prove(uint64 first, bytes32 previous, Batch[] calldata batches, bytes[] calldata proofs)
        external
    {
        _requireOperator();
        _requireLive();
        uint64 last = first + uint64(batches.length) - 1;
        _requireNext(first);
        if (last > _committed) revert NotCommitted(first, _committed, last);
        _settle(batches, proofs, previous, true);
        _pendingSince = last == _committed ? 0 : uint32(block.timestamp);
    }

    /// @inheritdoc ISettlement
    function commitAndProve(
        uint64 first,
        Batch[] calldata batches,
        bytes[] calldata attestations,
        bytes[] calldata proofs
    ) external {
        _requireLive();
        bool allowed = _operators[msg.sender];
        if ((!allowed || block.timestamp < _pausedUntil) && !isOpen()) {
            if (!allowed) revert NotOperator(msg.sender);
            revert Paused(_pausedUntil);
        }
        _discardUnproven();
        _requireNext(first);
        if (attestations.length != batches.length) {
            revert AttestationCount(batches.length, attestations.length);
        }
        uint64 number = first;
        uint32 timestamp = _finalizedTimestamp;
        uint256 blobs = 0;
        for (uint256 i = 0; i < batches.length; i++) {
            Batch calldata batch = batches[i];
            _checkTimestamp(number, timestamp, batch.timestamp);
            timestamp = batch.timestamp;
            blobs = _publishOne(number, batch, blobs, attestations[i]);
            number++;
        }
        _requireNoBlob(blobs);
        _settle(batches, proofs, 0, false);
        if (_pendingSince != 0) _pendingSince = 0;
    }

    /// @inheritdoc ISettlement
    function revertBatches(uint64 first) external {
        _requireOperator();
        _requireLive();
        uint64 last = _committed;
        if (first <= _finalized || first > last) revert NotCommitted(_finalized + 1, last, first);
        _committed = uint40(first - 1);
        // The timestamps of the batches kept are in their hashes alone; proving compares each with the one before.
        _committedTimestamp = _finalizedTimestamp;
        emit BatchesReverted(first, last);
    }

    /// @inheritdoc IQueue
    function registerToken(address token) external returns (uint32 id) {
        if (token.code.length == 0) revert TokenWithoutCode(token);
        id = _tokenIds[token];
        if (id != 0) revert TokenAlreadyRegistered(token, id);
        _tokens.push(token);
        id = uint32(_tokens.length);
        _tokenIds[token] = id;
        emit TokenRegistered(id, token);
    }

    /// @inheritdoc IQueue
    function deposit(uint32 token, uint256 amount, uint256 ax, uint256 ay, address owner, uint32 to)
        external
        payable
        nonReentrant
        returns (uint64 index)
    {
        _requireLive();
        _requireNotPaused();
        if (ax >= R) revert KeyOutOfRange(ax);
        if (ay >= R) revert KeyOutOfRange(ay);
        if (owner == address(0) || owner == address(this)) revert InvalidOwner(owner);
        address tokenContract = _tokenAddress(token);
        uint256 value = token == 0 ? amount : 0;
        if (msg.value != value) revert WrongValue(value, msg.value);
        if (token != 0) amount = Transfers.take(tokenContract, msg.sender, amount);
        if (amount == 0 || amount > type(uint128).max) revert AmountOutOfRange(amount);
        Deposit memory queued = Deposit(token, to, uint128(amount), ax, ay, owner);
        uint32 deadline;
        (index, deadline) = _enqueue(L1Stream.depositHash(queued));
        emit DepositQueued(index, owner, queued, deadline);
    }

    /// @inheritdoc IQueue
    function requestExit(uint32 account) external payable returns (uint64 index) {
        if (_frozenAt != 0) revert Frozen();
        if (account == NO_ACCOUNT) revert InvalidAccount(account);
        if (msg.value != exitFee) revert WrongValue(exitFee, msg.value);
        _fees += msg.value;
        uint32 deadline;
        (index, deadline) = _enqueue(L1Stream.exitHash(account, msg.sender));
        emit ExitQueued(index, msg.sender, account, deadline);
    }

    /// @inheritdoc ISettlement
    function isOpen() public view returns (bool) {
        uint256 since = _pendingSince;
        return _overdue() || (since != 0 && block.timestamp > since + DEADLINE);
    }

    /// @inheritdoc ISettlement
    function state() external view returns (uint256) {
        return _state;
    }

    /// @inheritdoc ISettlement
    function lastFinalized() external view returns (uint64) {
        return _finalized;
    }

    /// @inheritdoc ISettlement
    function lastCommitted() external view returns (uint64) {
        return _committed;
    }

    /// @inheritdoc ISettlement
    function lastFinalizedTimestamp() external view returns (uint32) {
        return _finalizedTimestamp;
    }

    /// @inheritdoc ISettlement
    function lastCommittedTimestamp() public view returns (uint32) {
        return _committed == _finalized ? _finalizedTimestamp : _committedTimestamp;
    }

    /// @inheritdoc ISettlement
    function finalizedAt() external view returns (uint32) {
        return _finalizedAt;
    }

    /// @inheritdoc ISettlement
    function batchHash(uint64 number) external view returns (bytes32) {
        return _batches[number];
    }

    /// @inheritdoc ISettlement
    function domain() external view returns (uint256) {
        return _domain();
    }

    /// @inheritdoc ISettlement
    function dataAvailability() external view returns (address) {
        return address(DATA);
    }

    /// @inheritdoc IQueue
    function queueHead() external view returns (uint64) {
        return _queueHead;
    }

    /// @inheritdoc IQueue
    function queueTail() external view returns (uint64) {
        return _queueTail;
    }

    /// @inheritdoc IQueue
    function queueEntry(uint64 index) external view returns (uint224 hash, uint32 deadline) {
        uint256 entry = _queue[index];
        // The low 224 bits, and the 32 above them.
        return (uint224(entry), uint32(entry >> 224));
    }

    /// @inheritdoc IQueue
    function tokenAddress(uint32 id) external view returns (address) {
        return _tokenAddress(id);
    }

    /// @inheritdoc IQueue
    function tokenId(address token) external view returns (uint32) {
        return _tokenIds[token];
    }

    /// @inheritdoc IQueue
    function tokenCount() external view returns (uint32) {
        return uint32(_tokens.length + 1);
    }

    function _requireOperator() private view {
        if (!_operators[msg.sender]) revert NotOperator(msg.sender);
    }

    function _requireNext(uint64 first) private view {
        uint64 next = uint64(_finalized) + 1;
        if (first != next) revert BatchNumber(next, first);
    }

    function _requireNoBlob(uint256 index) private view {
        bytes32 versionedHash = blobhash(index);
        if (versionedHash != 0) revert BlobUnused(index, versionedHash);
    }

    function _checkTimestamp(uint64 number, uint32 previous, uint32 timestamp) private view {
        uint256 earliest = block.timestamp > MAX_AGE ? block.timestamp - MAX_AGE : 0;
        if (previous > earliest) earliest = previous;
        if (timestamp < earliest) revert BatchTooOld(number, earliest, timestamp);
        if (timestamp > block.timestamp) revert BatchTooNew(number, block.timestamp, timestamp);
    }

    function _enqueue(uint224 hash) private returns (uint64 index, uint32 deadline) {
        // Code called at its own address has no policy.
        if (_version == 0) revert NotTheRollup(address(this));
        index = _queueTail;
        deadline = uint32(block.timestamp + DEADLINE);
        _queue[index] = uint256(deadline) << 224 | hash;
        _queueTail = uint40(index + 1);
    }

    /// @dev What {IDataAvailability-publish} says.
    function _publish(uint64 number, uint256 commit_, uint256 firstBlob, bytes calldata attestation)
        private
        view
        returns (bytes32[] memory)
    {
        if (_usesBlobs()) return Blobs.publish(firstBlob, attestation);
        // slither-disable-next-line calls-loop (fixed at deployment; a failure fails the batch)
        return DATA.publish(_domain(), number, commit_, firstBlob, attestation);
    }

    /// @dev Publishes and stores one batch.
    function _commitOne(uint64 number, bytes32 previous, Header calldata header, uint256 blobs)
        private
        returns (bytes32 hash, uint256 nextBlob)
    {
        if (header.stateOut >= R) revert StateOutOfRange(number, header.stateOut);
        if (header.commit >= R) revert CommitOutOfRange(number, header.commit);
        bytes32[] memory hashes = _publish(number, header.commit, blobs, header.attestation);
        hash = _chain(
            previous,
            number,
            header.timestamp,
            header.stateOut,
            header.commit,
            header.l1Hash,
            Hashes.ofWords(hashes)
        );
        _batches[number] = hash;
        nextBlob = blobs + hashes.length;
        emit BatchCommitted(number, header.timestamp, header.stateOut, header.commit, header.l1Hash, hashes);
        emit BatchChained(number, previous, hash);
    }

    /// @dev Publishes one batch that is proven at once.
    function _publishOne(uint64 number, Batch calldata batch, uint256 blobs, bytes calldata attestation)
        private
        returns (uint256)
    {
        bytes32[] memory hashes = _publish(number, batch.commit, blobs, attestation);
        bytes32 dataHash = Hashes.ofWords(hashes);
        if (dataHash != batch.dataHash) revert DataMismatch(number, dataHash, batch.dataHash);
        bytes32 l1Hash = L1Stream.hash(batch.l1Words);
        emit BatchCommitted(number, batch.timestamp, batch.stateOut, batch.commit, l1Hash, hashes);
        return blobs + hashes.length;
    }

    /// @dev A batch's chained hash.
    function _chain(
        bytes32 previous,
        uint64 number,
        uint32 timestamp,
        uint256 stateOut,
        uint256 commit_,
        bytes32 l1Hash,
        bytes32 dataHash
    ) private view returns (bytes32) {
        return keccak256(
            abi.encode(BATCH_TAG, previous, _version, number, timestamp, stateOut, commit_, l1Hash, dataHash)
        );
    }

    /// @dev Proves a run on top of the last final batch and makes it final.
    /// @param chained The hash before the first one, where the batches were committed before.
    /// @param committed Whether they were.
    function _settle(Batch[] calldata batches, bytes[] calldata proofs, bytes32 chained, bool committed)
        private
    {
        uint32 version = _version;
        uint256[] memory values = _values(version, batches.length);
        // slither-disable-next-line uninitialized-local (filled field by field)
        Step memory step;
        step.domain = _domain();
        step.stateIn = _state;
        step.number = _finalized;
        step.queueStart = _queueHead;
        step.queueEnd = step.queueStart;
        step.queueTail = _queueTail;
        uint64 head = step.queueStart;
        uint32 timestamp = _finalizedTimestamp;
        for (uint256 i = 0; i < batches.length; i++) {
            Batch calldata batch = batches[i];
            step.number++;
            if (batch.timestamp < timestamp) revert BatchTooOld(step.number, timestamp, batch.timestamp);
            timestamp = batch.timestamp;
            step.queueStart = step.queueEnd;
            _place(values, i, step, batch);
            if (committed) {
                chained = _chain(
                    chained,
                    step.number,
                    batch.timestamp,
                    batch.stateOut,
                    batch.commit,
                    step.l1Hash,
                    batch.dataHash
                );
                if (i + 1 == batches.length && chained != _batches[step.number]) {
                    revert BatchHash(step.number, _batches[step.number], chained);
                }
            }
            _record(version, step, batch);
            step.stateIn = batch.stateOut;
        }
        _requireForced(head, step.queueEnd, step.queueTail);
        _state = step.stateIn;
        uint40 last = uint40(step.number);
        if (!committed) _committed = last;
        _finalized = last;
        _queueHead = uint40(step.queueEnd);
        _finalizedTimestamp = timestamp;
        _finalizedAt = uint32(block.timestamp);
        _requireProofs(version, values, proofs);
    }

    /// @dev Keeps a batch's outcome.
    function _record(uint32 version, Step memory step, Batch calldata batch) private {
        Outcome memory outcome = Outcome(
            _inputHash(version, step, batch),
            batch.stateOut,
            step.l1Hash,
            step.withdrawals,
            uint32(block.timestamp)
        );
        _batches[step.number] = _outcomeHash(outcome);
        if (batch.l1Words.length != 0) emit L1Words(step.number, batch.l1Words);
        emit BatchFinalized(step.number, outcome, step.queueEnd);
    }

    /// @dev Reverts when a settlement leaves an overdue operation, unless it consumed enough.
    function _requireForced(uint64 head, uint64 end, uint64 tail) private view {
        if (end == tail || end - head >= FORCED_OPERATIONS) return;
        uint256 deadline = _deadline(end);
        if (block.timestamp > deadline) revert OverdueOperation(end, deadline);
    }
}
