// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// @title Settlement: batches are committed, proven and thereby final
/// @notice A batch is committed with its header and data, proven later or at once, and final from then on. The
/// contract keeps one word a batch: its chained hash while it is unproven, the hash of its outcome once it is final.
interface ISettlement {
    /// @notice A batch as it is committed.
    /// @param timestamp Its time in Unix seconds.
    /// @param stateOut The state after it.
    /// @param commit The commitment to its DA and L1 words.
    /// @param l1Hash Keccak-256 of its L1 words, 32 bytes each.
    /// @param attestation What the data availability mode wants: one byte with the number of blobs, or the
    /// committee's signatures.
    struct Header {
        uint32 timestamp;
        uint256 stateOut;
        uint256 commit;
        bytes32 l1Hash;
        bytes attestation;
    }

    /// @notice A batch as it is proven.
    /// @param timestamp Its time in Unix seconds.
    /// @param stateOut The state after it.
    /// @param commit The commitment to its DA and L1 words.
    /// @param dataHash Keccak-256 of its blobs' versioned hashes, 32 bytes each.
    /// @param l1Words Its L1 stream.
    /// @param opening What the data availability mode wants: for each blob value (32 bytes), commitment (48) and
    /// proof (48); or the last DA word (32).
    struct Batch {
        uint32 timestamp;
        uint256 stateOut;
        uint256 commit;
        bytes32 dataHash;
        uint256[] l1Words;
        bytes opening;
    }

    /// @notice What a batch was proven from.
    /// @param version The version of the proof policy.
    /// @param number The batch's number.
    /// @param timestamp The batch's time in Unix seconds.
    /// @param stateIn The state before it.
    /// @param data The hash of its blobs' versioned hashes; in committee mode its commitment.
    /// @param queueStart The first operation of the queue that it could consume.
    /// @param queueEnd The first operation that it didn't consume.
    struct Input {
        uint32 version;
        uint64 number;
        uint32 timestamp;
        uint256 stateIn;
        bytes32 data;
        uint64 queueStart;
        uint64 queueEnd;
    }

    /// @notice What a final batch led to; its hash is what the contract keeps of it.
    /// @param input The hash of its {Input}.
    /// @param stateOut The state after it.
    /// @param l1Hash Keccak-256 of its L1 words, 32 bytes each.
    /// @param withdrawals The root of its withdrawals' tree; 0 without withdrawals.
    /// @param finalizedAt The time of its finalization in Unix seconds.
    struct Outcome {
        bytes32 input;
        uint256 stateOut;
        bytes32 l1Hash;
        bytes32 withdrawals;
        uint32 finalizedAt;
    }

    /// @notice A batch was committed; it became final in the same transaction if no {BatchChained} follows.
    /// @param blobHashes The versioned hashes of its blobs; none in committee mode.
    event BatchCommitted(
        uint64 indexed number,
        uint32 timestamp,
        uint256 stateOut,
        uint256 commit,
        bytes32 l1Hash,
        bytes32[] blobHashes
    );
    /// @notice A committed batch waits for its proof.
    /// @param previous What {batchHash} held for the batch before it: {prove} wants it.
    /// @param hash The batch's chained hash.
    event BatchChained(uint64 indexed number, bytes32 previous, bytes32 hash);
    /// @notice The L1 stream of a batch that became final in the same transaction; not emitted for an empty one.
    event L1Words(uint64 indexed number, uint256[] words);
    /// @notice A batch became final. `queueEnd` is the queue's first operation that isn't consumed.
    event BatchFinalized(uint64 indexed number, Outcome outcome, uint64 queueEnd);
    /// @notice The committed, unproven batches from `first` to `last` were discarded.
    event BatchesReverted(uint64 indexed first, uint64 last);

    /// @notice The caller is no operator, and the contract isn't open to everybody.
    error NotOperator(address caller);
    /// @notice Commits and deposits are paused.
    error Paused(uint256 until);
    /// @notice The contract is frozen: nothing settles.
    error Frozen();
    /// @notice A call names no batch, or more than a proof has places for.
    error BatchCount(uint256 maximum, uint256 actual);
    /// @notice A run doesn't start where it has to.
    error BatchNumber(uint64 expected, uint64 actual);
    /// @notice There is no committed, unproven batch of that number.
    error NotCommitted(uint64 first, uint64 last, uint64 actual);
    /// @notice A batch is older than the one before it, or too old to be committed now.
    error BatchTooOld(uint64 number, uint256 earliest, uint256 actual);
    /// @notice A batch is from the future.
    error BatchTooNew(uint64 number, uint256 latest, uint256 actual);
    /// @notice A batch's state isn't below the order of the scalar field.
    error StateOutOfRange(uint64 number, uint256 state);
    /// @notice A batch's commitment isn't below the order of the scalar field.
    error CommitOutOfRange(uint64 number, uint256 commit);
    /// @notice The transaction carries a blob that no batch uses.
    error BlobUnused(uint256 index, bytes32 versionedHash);
    /// @notice Not one attestation for each batch.
    error AttestationCount(uint256 expected, uint256 actual);
    /// @notice A batch's data isn't what was published for it.
    error DataMismatch(uint64 number, bytes32 expected, bytes32 actual);
    /// @notice The headers given aren't those that were committed.
    error BatchHash(uint64 number, bytes32 expected, bytes32 actual);
    /// @notice A batch has too many L1 words.
    error L1StreamTooLong(uint256 maximum, uint256 actual);
    /// @notice A word of an L1 stream isn't below 2^248.
    error L1WordOutOfRange(uint256 index, uint256 word);
    /// @notice An item of an L1 stream starts with an unknown tag.
    error L1UnknownTag(uint256 index, uint256 word);
    /// @notice An L1 stream ends within an item.
    error L1StreamEnds(uint256 expected, uint256 actual);
    /// @notice A withdrawal has bits set that it doesn't use, or an amount of 0 or above 128 bits.
    error L1Withdrawal(uint256 index, uint256 word, uint256 amount);
    /// @notice A stream consumes more operations than are queued.
    error QueueExceeded(uint256 index, uint64 tail);
    /// @notice An operation in a stream isn't the queue's next one.
    error OperationMismatch(uint64 operation, uint256 expected, uint256 actual);
    /// @notice A settlement leaves an overdue operation and consumes fewer than 512.
    error OverdueOperation(uint64 operation, uint256 deadline);
    /// @notice Not one proof for each kind that the policy names.
    error ProofCount(uint256 expected, uint256 actual);
    /// @notice A verifier didn't say that a proof holds.
    error ProofNotAccepted(address verifier);

    /// @notice Commits a run of batches whose data this transaction publishes. Operators only.
    /// @param first The first one's number: one more than that of the last committed batch.
    /// @param headers The batches.
    function commit(uint64 first, Header[] calldata headers) external;

    /// @notice Proves a run of committed batches. Operators only.
    /// @param first The first one's number: one more than that of the last final batch.
    /// @param previous What {batchHash} held for the batch before it when it was committed.
    /// @param batches The batches.
    /// @param proofs One proof for each kind that the policy names, in its order.
    function prove(uint64 first, bytes32 previous, Batch[] calldata batches, bytes[] calldata proofs) external;

    /// @notice Commits and proves a run of batches on top of the last final one; discards committed, unproven ones.
    /// Operators only, but for anybody while the contract {isOpen}.
    /// @param first The first one's number: one more than that of the last final batch.
    /// @param batches The batches.
    /// @param attestations For each batch what {commit} takes.
    /// @param proofs One proof for each kind that the policy names, in its order.
    function commitAndProve(
        uint64 first,
        Batch[] calldata batches,
        bytes[] calldata attestations,
        bytes[] calldata proofs
    ) external;

    /// @notice Discards the committed, unproven batches from `first` on. Operators only.
    function revertBatches(uint64 first) external;

    /// @notice The state after the last final batch.
    function state() external view returns (uint256);

    /// @notice The number of the last final batch, 0 before the first one.
    function lastFinalized() external view returns (uint64);

    /// @notice The number of the last committed batch, that of the last final one if none is unproven.
    function lastCommitted() external view returns (uint64);

    /// @notice The timestamp of the last final batch, 0 before the first one.
    function lastFinalizedTimestamp() external view returns (uint32);

    /// @notice The timestamp of the last committed batch.
    function lastCommittedTimestamp() external view returns (uint32);

    /// @notice When the last batch became final, in Unix seconds.
    function finalizedAt() external view returns (uint32);

    /// @notice The chained hash of an unproven batch, the hash of a final one's {Outcome}.
    function batchHash(uint64 number) external view returns (bytes32);

    /// @notice Whether anybody may {commitAndProve}: the oldest operation is past its deadline, or nothing became
    /// final for 7 days although something was committed.
    function isOpen() external view returns (bool);

    /// @notice What signatures and proofs carry, so that they hold for this contract on this chain alone.
    function domain() external view returns (uint256);

    /// @notice The contract that checks data availability; the zero address where the data is in blobs.
    function dataAvailability() external view returns (address);
}
