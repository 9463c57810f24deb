// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {IRollup} from "./interfaces/IOldRollup.sol";
import {IVerifier} from "./interfaces/IVerifier.sol";

/// @title Rollup, for demonstrations
/// @notice Starts from any state that its deployer names, and anybody can settle batches with a proof.
contract Rollup is IRollup {
    /// @dev The order of the scalar field.
    uint256 private constant R = 0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001;
    /// @dev Public inputs of one batch.
    uint256 private constant VALUES_PER_BATCH = 5;
    /// @dev Call data of {settle} without its batches and its proof: selector, two offsets, two lengths.
    uint256 private constant SETTLE_LENGTH = 4 + 4 * 32;
    uint256 private constant BATCH_LENGTH = 4 * 32;

    /// @inheritdoc IRollup
    address public immutable verifier;
    /// @inheritdoc IRollup
    uint256 public immutable domain;
    /// @dev Batches that one proof has places for.
    uint256 private immutable BATCH_PLACES;

    /// @inheritdoc IRollup
    uint256 public state;
    /// @inheritdoc IRollup
    uint64 public lastBatch;
    /// @inheritdoc IRollup
    uint32 public lastTimestamp;

    /// @param verifier_ The contract that checks proofs.
    /// @param genesisState The state before the first batch.
    constructor(address verifier_, uint256 genesisState) {
        if (verifier_.code.length == 0) revert VerifierWithoutCode(verifier_);
        if (genesisState >= R) revert GenesisStateOutOfRange(genesisState);
        verifier = verifier_;
        BATCH_PLACES = IVerifier(verifier_).batchPlaces();
        domain = uint256(keccak256(abi.encode("tenon.v1", block.chainid, address(this)))) >> 8;
        state = genesisState;
    }

    /// @inheritdoc IRollup
    function settle(Batch[] calldata batches, bytes calldata proof) external {
        uint256 length = SETTLE_LENGTH + batches.length * BATCH_LENGTH + (proof.length + 31) / 32 * 32;
        if (msg.data.length != length) revert SettlementLength(length, msg.data.length);
        if (batches.length == 0 || batches.length > BATCH_PLACES) {
            revert BatchCount(BATCH_PLACES, batches.length);
        }

        uint256[] memory publicInputs = new uint256[](VALUES_PER_BATCH * BATCH_PLACES);
        uint64 number = lastBatch;
        uint32 timestamp = lastTimestamp;
        uint256 current = state;
        for (uint256 i = 0; i < batches.length; i++) {
            Batch calldata batch = batches[i];
            number++;
            check(batch, number, timestamp);
            uint256 start = VALUES_PER_BATCH * i;
            publicInputs[start] = domain;
            publicInputs[start + 1] = uint256(number) | uint256(batch.timestamp) << 64;
            publicInputs[start + 2] = current;
            publicInputs[start + 3] = batch.state;
            publicInputs[start + 4] = batch.commit;
            timestamp = batch.timestamp;
            current = batch.state;
            emit BatchSettled(number, timestamp, current, batch.commit);
        }
        state = current;
        lastBatch = number;
        lastTimestamp = timestamp;

        if (!IVerifier(verifier).verify(publicInputs, proof)) revert ProofNotAccepted();
    }

    /// @dev Checks a batch against the number that it has to have and the timestamp of the batch before it.
    function check(Batch calldata batch, uint64 number, uint32 earliest) private view {
        if (batch.number != number) revert BatchNumber(number, batch.number);
        if (batch.timestamp < earliest) revert BatchTooOld(number, earliest, batch.timestamp);
        if (batch.timestamp > block.timestamp) revert BatchTooNew(number, block.timestamp, batch.timestamp);
        if (batch.state >= R) revert StateOutOfRange(number, batch.state);
        if (batch.commit >= R) revert CommitOutOfRange(number, batch.commit);
    }
}
