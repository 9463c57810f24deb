// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// @title Rollup: the state that proofs have reached
/// @notice Settles runs of batches, each run with one proof. The state before a batch, the domain and the order of
/// the proof's public inputs come from the contract; a caller names only what the batches lead to.
interface IRollup {
    /// @notice One batch of a run.
    /// @param number Its number: one more than that of the batch before it; the first is 1.
    /// @param timestamp Its time in Unix seconds, not before that of the batch before it and not in the future.
    /// @param state The state after it.
    /// @param commit The commitment to its published data.
    struct Batch {
        uint64 number;
        uint32 timestamp;
        uint256 state;
        uint256 commit;
    }

    /// @notice A batch was settled: its proof was accepted and `state` is the rollup's state after it.
    event BatchSettled(uint64 indexed number, uint32 timestamp, uint256 state, uint256 commit);

    /// @notice The verifier's address has no code.
    error VerifierWithoutCode(address verifier);
    /// @notice The genesis state isn't below the order of the scalar field.
    error GenesisStateOutOfRange(uint256 state);
    /// @notice The call data is longer or shorter than that of the one canonical encoding.
    error SettlementLength(uint256 expected, uint256 actual);
    /// @notice A run has at least one batch and at most as many as a proof has places for.
    error BatchCount(uint256 maximum, uint256 actual);
    /// @notice A batch doesn't follow the one before it.
    error BatchNumber(uint64 expected, uint64 actual);
    /// @notice A batch is older than the one before it.
    error BatchTooOld(uint64 number, uint32 earliest, uint32 actual);
    /// @notice A batch is from the future.
    error BatchTooNew(uint64 number, uint256 latest, uint32 actual);
    /// @notice A batch's state isn't below the order of the scalar field.
    error StateOutOfRange(uint64 number, uint256 state);
    /// @notice A batch's commitment isn't below the order of the scalar field.
    error CommitOutOfRange(uint64 number, uint256 commit);
    /// @notice The verifier didn't say that the proof holds.
    error ProofNotAccepted();

    /// @notice Settles a run of batches; reverts with one of the errors above, or one of the verifier's, unless
    /// the proof shows that they lead from the stored state to the last batch's.
    /// @param batches The run, in order.
    /// @param proof The proof as {IVerifier-verify} takes it.
    function settle(Batch[] calldata batches, bytes calldata proof) external;

    /// @notice The state that the settled batches lead to.
    function state() external view returns (uint256);

    /// @notice The number of the last settled batch, 0 before the first one.
    function lastBatch() external view returns (uint64);

    /// @notice The timestamp of the last settled batch, 0 before the first one.
    function lastTimestamp() external view returns (uint32);

    /// @notice The number that signatures and proofs carry, so that they hold for this contract on this chain alone.
    function domain() external view returns (uint256);

    /// @notice The contract that checks proofs.
    function verifier() external view returns (address);
}
