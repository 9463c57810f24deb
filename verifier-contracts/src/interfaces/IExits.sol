// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {IQueue} from "./IQueue.sol";
import {ISettlement} from "./ISettlement.sol";

/// @title Ways out
/// @notice Claims of withdrawals; and, should the operator fail its users, freeze, escape and refunds; and what
/// happens when two accepted proofs contradict each other.
interface IExits {
    /// @notice A withdrawal of a final batch.
    /// @param number The batch's number.
    /// @param index Its place among the batch's withdrawals.
    /// @param token The token's id.
    /// @param owner Who is paid.
    /// @param amount How much.
    struct Withdrawal {
        uint64 number;
        uint32 index;
        uint32 token;
        address owner;
        uint128 amount;
    }

    /// @notice An account with its place in the state. Every field is checked to be in range.
    /// @param index The account's index.
    /// @param token The token's id.
    /// @param nonce Its nonce, below 2^40.
    /// @param balance Its balance, below 2^128.
    /// @param ax Its key, first coordinate.
    /// @param ay Its key, second coordinate.
    /// @param owner The L1 address that is paid.
    /// @param nextIndex The number of accounts in the state.
    /// @param root The tree's root.
    /// @param siblings The path's siblings from the leaf up, in each level in ascending position.
    struct Account {
        uint32 index;
        uint32 token;
        uint256 nonce;
        uint256 balance;
        uint256 ax;
        uint256 ay;
        address owner;
        uint32 nextIndex;
        uint256 root;
        uint256[3][16] siblings;
    }

    /// @notice A withdrawal was paid.
    event Claimed(uint64 indexed number, uint32 index, address indexed owner, uint32 token, uint256 amount);
    /// @notice The contract is frozen.
    event FrozenAt(uint64 indexed operation, uint256 deadline);
    /// @notice An account left a frozen contract.
    event Escaped(uint32 indexed index, address indexed owner, uint32 token, uint256 amount);
    /// @notice A deposit that no final batch consumed was paid back.
    event Refunded(uint64 indexed operation, address indexed owner, uint32 token, uint256 amount);
    /// @notice Two accepted proofs contradict each other.
    event Contradicted(
        uint64 indexed number,
        ISettlement.Input input,
        ISettlement.Outcome first,
        uint256 secondState,
        bytes32 secondL1Hash,
        bytes32 secondWithdrawals
    );
    /// @notice A contradiction was resolved: the batch's outcome is the first or the second one, now under the present
    /// policy, which `outcome.input` says. The batch's L1 words come before it, {BatchesVoided} after it if there were
    /// successors.
    event ContradictionResolved(uint64 indexed number, bool first, ISettlement.Outcome outcome);
    /// @notice A batch and its successors are void, and the state is that before it: because a contradiction of it
    /// stayed unresolved, or one of the batch before it was resolved.
    event BatchesVoided(uint64 indexed number, uint256 state, uint64 queueHead);

    /// @notice The batch isn't final.
    error NotFinal(uint64 number, uint64 lastFinalized);
    /// @notice The outcome given isn't the batch's.
    error OutcomeMismatch(uint64 number, bytes32 expected, bytes32 actual);
    /// @notice The input given isn't the outcome's.
    error InputMismatch(bytes32 expected, bytes32 actual);
    /// @notice The delay isn't over.
    error TooEarly(uint256 earliest, uint256 actual);
    /// @notice The time for it is over.
    error TooLate(uint256 latest, uint256 actual);
    /// @notice The path doesn't lead from the withdrawal to the root.
    error WithdrawalMismatch(bytes32 expected, bytes32 actual);
    /// @notice The index doesn't fit a tree of the path's length.
    error WithdrawalIndex(uint256 leaves, uint256 index);
    /// @notice The withdrawal was paid already.
    error AlreadyClaimed(uint64 number, uint32 index);
    /// @notice Only the owner may name another recipient.
    error NotOwner(address owner, address caller);
    /// @notice The queue is empty.
    error QueueEmpty();
    /// @notice The contract isn't frozen.
    error NotFrozen();
    /// @notice The contract is frozen already.
    error AlreadyFrozen();
    /// @notice A contradiction is unresolved.
    error UnresolvedContradiction(uint64 number);
    /// @notice There is no unresolved contradiction.
    error NoContradiction();
    /// @notice The second outcome is the first one.
    error SameOutcome();
    /// @notice An earlier batch is contradicted already.
    error AlreadyContradicted(uint64 number);
    /// @notice The proof is under the verifiers that contradicted themselves.
    error SameVersion(uint32 version);
    /// @notice The proven outcome is neither of the two.
    error NeitherOutcome(uint256 stateOut, bytes32 l1Hash);
    /// @notice An account's field is out of range.
    error FieldOutOfRange(string field, uint256 value);
    /// @notice The account isn't part of the state.
    error StateMismatch(uint256 expected, uint256 actual);
    /// @notice The account left already.
    error AlreadyEscaped(uint32 index);
    /// @notice A final batch has consumed the operation, or it was never queued.
    error NotQueued(uint64 head, uint64 tail, uint64 operation);
    /// @notice The deposit was paid back already, or isn't that operation.
    error DepositMismatch(uint64 operation, uint256 expected, uint256 actual);

    /// @notice Pays a withdrawal of a final batch, {claimDelay} after its finalization.
    /// @param withdrawal The withdrawal.
    /// @param outcome The batch's outcome.
    /// @param path The siblings from the leaf up.
    /// @param recipient Who gets it: the owner, or whom the owner names in a call of its own.
    function claim(
        Withdrawal calldata withdrawal,
        ISettlement.Outcome calldata outcome,
        bytes32[] calldata path,
        address recipient
    ) external;

    /// @notice Freezes the contract for ever when the oldest operation is more than 7 days past its deadline.
    function freeze() external;

    /// @notice Pays an account of the last final state to its owner once the contract is frozen, once per index.
    /// @param account The account.
    /// @param recipient Who gets it: the owner, or whom the owner names in a call of its own.
    function escape(Account calldata account, address recipient) external;

    /// @notice Pays back a deposit that no final batch has consumed once the contract is frozen.
    /// @param operation Its place in the queue.
    /// @param deposit The deposit.
    /// @param recipient Who gets it: the owner, or whom the owner names in a call of its own.
    function refund(uint64 operation, IQueue.Deposit calldata deposit, address recipient) external;

    /// @notice Shows a second accepted proof for a final batch's input with another outcome, before the batch's
    /// claim delay is over. Freezes the contract until it is resolved.
    /// @param input What the batch was proven from.
    /// @param outcome What it led to.
    /// @param batch The same batch with the other outcome.
    /// @param proofs Its proofs, of a run of this batch alone, under the policy of `input.version`.
    function contradict(
        ISettlement.Input calldata input,
        ISettlement.Outcome calldata outcome,
        ISettlement.Batch calldata batch,
        bytes[] calldata proofs
    ) external;

    /// @notice Resolves a contradiction within 30 days with a proof under newer verifiers of one of the two outcomes.
    /// Whichever holds, it counts as proven under the present policy, and the batch is the last final one: its
    /// successors were proven under verifiers that contradicted themselves, and could not be contradicted meanwhile.
    /// They are proven anew. The first outcome's claim delay doesn't start again.
    /// @param input What the batch was proven from at first.
    /// @param outcome What it led to at first.
    /// @param batch The batch with the outcome that holds.
    /// @param proofs Its proofs, of a run of this batch alone, under the present policy.
    function resolve(
        ISettlement.Input calldata input,
        ISettlement.Outcome calldata outcome,
        ISettlement.Batch calldata batch,
        bytes[] calldata proofs
    ) external;

    /// @notice Makes a contradicted batch and its successors void when 30 days have passed. The freeze is final then.
    /// @param input What the batch was proven from.
    function voidContradicted(ISettlement.Input calldata input) external;

    /// @notice Whether a withdrawal was paid.
    function isClaimed(uint64 number, uint32 index) external view returns (bool);

    /// @notice Whether an account left.
    function isEscaped(uint32 index) external view returns (bool);

    /// @notice Whether nothing settles any more, be it because of a contradiction.
    function isFrozen() external view returns (bool);

    /// @notice The earliest time of {escape} and {refund}; 2^256 - 1 unless the contract is frozen for good.
    function escapeOpensAt() external view returns (uint256);

    /// @notice The number of the contradicted batch, when that was shown, and under which version; 0s without one.
    function contradiction() external view returns (uint64 number, uint32 shownAt, uint32 version);

    /// @notice Seconds from a batch's finalization until its withdrawals can be claimed.
    function claimDelay() external view returns (uint256);
}
