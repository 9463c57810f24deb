// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {IDataAvailability} from "../interfaces/IDataAvailability.sol";
import {IExits} from "../interfaces/IExits.sol";
import {IPoseidonT3, IPoseidonT5, IPoseidonT6} from "../interfaces/IPoseidon.sol";
import {IQueue} from "../interfaces/IQueue.sol";
import {ISettlement} from "../interfaces/ISettlement.sol";
import {Bitmaps} from "../libraries/Bitmaps.sol";
import {L1Stream} from "../libraries/L1Stream.sol";
import {StateTree} from "../libraries/StateTree.sol";
import {Transfers} from "../libraries/Transfers.sol";
import {WithdrawalTree} from "../libraries/WithdrawalTree.sol";
import {BatchProofs} from "./BatchProofs.sol";
import {Bounds} from "./Bounds.sol";
import {Delegate} from "./Delegate.sol";

/// @title The rollup's code: ways out
/// @notice What it doesn't answer itself, it hands on to {RollupGovernance}.
contract RollupExits is BatchProofs, Delegate, IExits {
    /// @dev Seconds in which a contradiction can be resolved.
    uint256 private constant RESOLVE_DELAY = 30 days;

    /// @dev The code for everything else.
    address private immutable GOVERNANCE;
    IPoseidonT3 private immutable POSEIDON_2;
    IPoseidonT5 private immutable POSEIDON_4;
    IPoseidonT6 private immutable POSEIDON_5;

    /// @inheritdoc IExits
    uint256 public immutable claimDelay;

    /// @notice A hasher doesn't hash as circomlib does.
    error NotPoseidon(address hasher);

    /// @param data What checks data availability; the zero address for blobs.
    /// @param governance The code of {RollupGovernance}.
    /// @param poseidon2 Poseidon of two elements.
    /// @param poseidon4 Poseidon of four elements.
    /// @param poseidon5 Poseidon of five elements.
    /// @param claimDelay_ Seconds from a batch's finalization until its withdrawals can be claimed.
    constructor(
        IDataAvailability data,
        // slither-disable-next-line missing-zero-check (has to have code, which the zero address doesn't)
        address governance,
        IPoseidonT3 poseidon2,
        IPoseidonT5 poseidon4,
        IPoseidonT6 poseidon5,
        uint256 claimDelay_
    ) BatchProofs(data) {
        Bounds.requireCode(governance);
        Bounds.requireClaimDelay(claimDelay_);
        // circomlib's published vectors.
        if (
            poseidon2.hash([uint256(1), 2])
                != 0x115cc0f5e7d690413df64c6b9662e9cf2a3617f2743245519e19607a4417189a
        ) revert NotPoseidon(address(poseidon2));
        if (
            poseidon4.hash([uint256(1), 2, 3, 4])
                != 0x299c867db6c1fdd79dcefa40e4510b9837e60ebb1ce0663dbaa525df65250465
        ) revert NotPoseidon(address(poseidon4));
        if (
            poseidon5.hash([uint256(1), 2, 3, 4, 5])
                != 0x0dab9449e4a1398a15224c0b15a49d598b2174d305a316c918125f8feeb123c0
        ) revert NotPoseidon(address(poseidon5));
        GOVERNANCE = governance;
        POSEIDON_2 = poseidon2;
        POSEIDON_4 = poseidon4;
        POSEIDON_5 = poseidon5;
        claimDelay = claimDelay_;
    }

    /// @notice Everything else.
    fallback() external {
        _delegate(GOVERNANCE);
    }

    /// @inheritdoc IExits
    function claim(
        Withdrawal calldata withdrawal,
        ISettlement.Outcome calldata outcome,
        bytes32[] calldata path,
        address recipient
    ) external nonReentrant {
        _requireRecipient(withdrawal.owner, recipient);
        uint64 number = withdrawal.number;
        if (number > _finalized) revert NotFinal(number, _finalized);
        if (_contradicted != 0 && number >= _contradicted) revert UnresolvedContradiction(_contradicted);
        _requireOutcome(number, outcome);
        uint256 earliest = outcome.finalizedAt + claimDelay;
        if (block.timestamp < earliest) revert TooEarly(earliest, block.timestamp);
        _requireWithdrawal(withdrawal, outcome.withdrawals, path);
        if (!Bitmaps.set(_claims[number], withdrawal.index)) revert AlreadyClaimed(number, withdrawal.index);
        emit Claimed(number, withdrawal.index, withdrawal.owner, withdrawal.token, withdrawal.amount);
        Transfers.send(_tokenAddress(withdrawal.token), recipient, withdrawal.amount);
    }

    /// @inheritdoc IExits
    function freeze() external {
        if (_frozenAt != 0) revert AlreadyFrozen();
        if (_contradicted != 0) revert UnresolvedContradiction(_contradicted);
        uint64 head = _queueHead;
        if (head == _queueTail) revert QueueEmpty();
        uint256 deadline = _deadline(head);
        // Nothing could settle during a contradiction.
        uint256 since = deadline > _resolvedAt ? deadline : _resolvedAt;
        if (block.timestamp <= since + FREEZE_DELAY) {
            revert TooEarly(since + FREEZE_DELAY + 1, block.timestamp);
        }
        _frozenAt = uint32(block.timestamp);
        emit FrozenAt(head, deadline);
    }

    /// @inheritdoc IExits
    function escape(Account calldata account, address recipient) external nonReentrant {
        _requireRecipient(account.owner, recipient);
        _requireEscapeOpen();
        StateTree.requireInRange(account);
        StateTree.Hashers memory hashers = StateTree.Hashers(POSEIDON_2, POSEIDON_4, POSEIDON_5);
        uint256 root = StateTree.rootOf(account, hashers);
        if (root != account.root) revert StateMismatch(account.root, root);
        uint256 state = hashers.two.hash([root, uint256(account.nextIndex)]);
        if (state != _state) revert StateMismatch(_state, state);
        if (!Bitmaps.set(_escapes, account.index)) revert AlreadyEscaped(account.index);
        emit Escaped(account.index, account.owner, account.token, account.balance);
        Transfers.send(_tokenAddress(account.token), recipient, account.balance);
    }

    /// @inheritdoc IExits
    function refund(uint64 operation, IQueue.Deposit calldata deposit, address recipient)
        external
        nonReentrant
    {
        _requireRecipient(deposit.owner, recipient);
        _requireEscapeOpen();
        if (operation < _queueHead || operation >= _queueTail) {
            revert NotQueued(_queueHead, _queueTail, operation);
        }
        uint256 expected = uint224(_queue[operation]);
        uint256 actual = L1Stream.depositHash(deposit);
        if (expected != actual) revert DepositMismatch(operation, expected, actual);
        _queue[operation] = 0;
        emit Refunded(operation, deposit.owner, deposit.token, deposit.amount);
        Transfers.send(_tokenAddress(deposit.token), recipient, deposit.amount);
    }

    /// @inheritdoc IExits
    function contradict(
        ISettlement.Input calldata input,
        ISettlement.Outcome calldata outcome,
        ISettlement.Batch calldata batch,
        bytes[] calldata proofs
    ) external {
        uint64 number = input.number;
        if (number == 0 || number > _finalized) revert NotFinal(number, _finalized);
        if (_contradicted != 0 && number >= _contradicted) revert AlreadyContradicted(_contradicted);
        _requireOutcome(number, outcome);
        _requireInput(input, outcome.input);
        uint256 end = outcome.finalizedAt + claimDelay;
        if (block.timestamp >= end) revert TooLate(end - 1, block.timestamp);
        Step memory step = _reprove(input.version, input, batch, proofs);
        if (batch.stateOut == outcome.stateOut && step.l1Hash == outcome.l1Hash) revert SameOutcome();
        _contradicted = uint40(number);
        _contradiction = Contradiction({
            shownAt: uint32(block.timestamp),
            version: input.version,
            input: outcome.input,
            first: _outcomeHash(outcome),
            second: _resultHash(batch.stateOut, step.l1Hash)
        });
        emit Contradicted(number, input, outcome, batch.stateOut, step.l1Hash, step.withdrawals);
    }

    /// @inheritdoc IExits
    function resolve(
        ISettlement.Input calldata input,
        ISettlement.Outcome calldata outcome,
        ISettlement.Batch calldata batch,
        bytes[] calldata proofs
    ) external {
        Contradiction memory shown = _requireContradiction(input);
        uint256 end = uint256(shown.shownAt) + RESOLVE_DELAY;
        if (block.timestamp > end) revert TooLate(end, block.timestamp);
        // slither-disable-next-line incorrect-equality (versions count up by one)
        if (_version == shown.version) revert SameVersion(shown.version);
        if (_outcomeHash(outcome) != shown.first) {
            revert OutcomeMismatch(input.number, shown.first, _outcomeHash(outcome));
        }
        Step memory step = _reprove(_version, input, batch, proofs);
        bool first = batch.stateOut == outcome.stateOut && step.l1Hash == outcome.l1Hash;
        // slither-disable-next-line incorrect-equality (hashes)
        if (!first && _resultHash(batch.stateOut, step.l1Hash) != shown.second) {
            revert NeitherOutcome(batch.stateOut, step.l1Hash);
        }
        delete _contradiction;
        _contradicted = 0;
        _resolvedAt = uint32(block.timestamp);
        if (_pendingSince != 0) _pendingSince = uint32(block.timestamp);
        _conclude(input, batch, step, first, first ? outcome.finalizedAt : uint32(block.timestamp));
    }

    /// @inheritdoc IExits
    function voidContradicted(ISettlement.Input calldata input) external {
        Contradiction memory shown = _requireContradiction(input);
        uint256 end = uint256(shown.shownAt) + RESOLVE_DELAY;
        if (block.timestamp <= end) revert TooEarly(end + 1, block.timestamp);
        delete _contradiction;
        _contradicted = 0;
        _frozenAt = uint32(block.timestamp);
        _finalized = uint40(input.number - 1);
        _committed = uint40(input.number - 1);
        _state = input.stateIn;
        _queueHead = uint40(input.queueStart);
        emit BatchesVoided(input.number, input.stateIn, input.queueStart);
    }

    /// @inheritdoc IExits
    function isClaimed(uint64 number, uint32 index) external view returns (bool) {
        return Bitmaps.get(_claims[number], index);
    }

    /// @inheritdoc IExits
    function isEscaped(uint32 index) external view returns (bool) {
        return Bitmaps.get(_escapes, index);
    }

    /// @inheritdoc IExits
    function isFrozen() external view returns (bool) {
        return _frozenAt != 0 || _contradicted != 0;
    }

    /// @inheritdoc IExits
    function escapeOpensAt() public view returns (uint256) {
        // slither-disable-next-line incorrect-equality (0 stands for never)
        if (_frozenAt == 0 || _contradicted != 0) return type(uint256).max;
        uint256 opens = _finalizedAt + claimDelay;
        return opens > _frozenAt ? opens : _frozenAt;
    }

    /// @inheritdoc IExits
    function contradiction() external view returns (uint64 number, uint32 shownAt, uint32 version) {
        return (_contradicted, _contradiction.shownAt, _contradiction.version);
    }

    function _requireRecipient(address owner, address recipient) private view {
        if (recipient != owner && msg.sender != owner) revert NotOwner(owner, msg.sender);
    }

    function _requireEscapeOpen() private view {
        if (_contradicted != 0) revert UnresolvedContradiction(_contradicted);
        // slither-disable-next-line incorrect-equality (0 stands for never)
        if (_frozenAt == 0) revert NotFrozen();
        uint256 opens = escapeOpensAt();
        if (block.timestamp < opens) revert TooEarly(opens, block.timestamp);
    }

    function _requireOutcome(uint64 number, ISettlement.Outcome calldata outcome) private view {
        bytes32 actual = _outcomeHash(outcome);
        if (actual != _batches[number]) revert OutcomeMismatch(number, _batches[number], actual);
    }

    function _requireInput(ISettlement.Input calldata input, bytes32 expected) private pure {
        bytes32 actual = keccak256(abi.encode(INPUT_TAG, input));
        if (actual != expected) revert InputMismatch(expected, actual);
    }

    function _requireContradiction(ISettlement.Input calldata input)
        private
        view
        returns (Contradiction memory shown)
    {
        if (_contradicted == 0) revert NoContradiction();
        shown = _contradiction;
        _requireInput(input, shown.input);
    }

    function _requireWithdrawal(Withdrawal calldata withdrawal, bytes32 root, bytes32[] calldata path)
        private
        pure
    {
        uint256 index = withdrawal.index;
        if (path.length > 32 || index >> path.length != 0) revert WithdrawalIndex(path.length, index);
        bytes32 leaf = WithdrawalTree.leaf(
            withdrawal.number, index, withdrawal.token, withdrawal.owner, withdrawal.amount
        );
        bytes32 actual = WithdrawalTree.rootOf(leaf, index, path);
        if (actual != root) revert WithdrawalMismatch(root, actual);
    }

    /// @dev Proves a final batch's input once more, with another outcome perhaps.
    function _reprove(
        uint32 version,
        ISettlement.Input calldata input,
        ISettlement.Batch calldata batch,
        bytes[] calldata proofs
    ) private view returns (Step memory step) {
        uint256[] memory values = _values(version, 1);
        step.domain = _domain();
        step.stateIn = input.stateIn;
        step.number = input.number;
        step.queueStart = input.queueStart;
        step.queueTail = input.queueEnd;
        _place(values, 0, step, batch);
        // The same blobs or commitment, timestamp and operations.
        bytes32 expected = keccak256(abi.encode(INPUT_TAG, input));
        bytes32 actual = _inputHash(input.version, step, batch);
        if (actual != expected) revert InputMismatch(expected, actual);
        _requireProofs(version, values, proofs);
    }

    function _resultHash(uint256 stateOut, bytes32 l1Hash) private pure returns (bytes32) {
        return keccak256(abi.encode(RESULT_TAG, stateOut, l1Hash));
    }

    /// @dev Makes an outcome the batch's under the present policy, so that the verifiers that contradicted themselves
    /// can't contradict it again, and the batch the last final one: those verifiers accepted its successors, and their
    /// claim delays went by while nobody could contradict them.
    function _conclude(
        ISettlement.Input calldata input,
        ISettlement.Batch calldata batch,
        Step memory step,
        bool first,
        uint32 finalizedAt
    ) private {
        ISettlement.Outcome memory outcome = ISettlement.Outcome(
            _inputHash(_version, step, batch), batch.stateOut, step.l1Hash, step.withdrawals, finalizedAt
        );
        _batches[input.number] = _outcomeHash(outcome);
        if (batch.l1Words.length != 0) emit ISettlement.L1Words(input.number, batch.l1Words);
        emit ContradictionResolved(input.number, first, outcome);
        _discardUnproven();
        uint64 next = input.number + 1;
        if (next <= _finalized) emit BatchesVoided(next, batch.stateOut, input.queueEnd);
        _finalized = uint40(input.number);
        _committed = uint40(input.number);
        _finalizedTimestamp = input.timestamp;
        _finalizedAt = finalizedAt;
        _state = batch.stateOut;
        _queueHead = uint40(input.queueEnd);
    }
}
