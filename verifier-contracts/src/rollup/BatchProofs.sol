// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {IDataAvailability} from "../interfaces/IDataAvailability.sol";
import {ISettlement} from "../interfaces/ISettlement.sol";
import {IVerifier} from "../interfaces/IVerifier.sol";
import {Blobs} from "../libraries/Blobs.sol";
import {L1Stream} from "../libraries/L1Stream.sol";
import {Bounds} from "./Bounds.sol";
import {RollupStorage} from "./RollupStorage.sol";

/// @title From batches to public inputs to verdicts
/// @notice The contract makes every public input itself: what it stores, what it hashes, what it evaluates.
abstract contract BatchProofs is RollupStorage {
    /// @dev Public inputs of one batch.
    uint256 internal constant VALUES_PER_BATCH = 10;
    bytes32 internal constant Z_D_TAG = keccak256("tenon.v1.z_d");
    bytes32 internal constant Z_L_TAG = keccak256("tenon.v1.z_l");
    bytes32 internal constant INPUT_TAG = keccak256("tenon.v1.input");
    bytes32 internal constant OUTCOME_TAG = keccak256("tenon.v1.outcome");
    bytes32 internal constant RESULT_TAG = keccak256("tenon.v1.result");

    /// @dev What checks the data; the zero address where it is in blobs.
    IDataAvailability internal immutable DATA;

    /// @dev Where a batch stands in a run, and what was found out about it.
    /// @param domain The rollup's domain.
    /// @param stateIn The state before it.
    /// @param number Its number.
    /// @param queueStart The first operation that it may consume.
    /// @param queueTail The number of operations queued.
    /// @param l1Hash Out: the hash of its L1 words.
    /// @param queueEnd Out: the first operation that it doesn't consume.
    /// @param withdrawals Out: the root of its withdrawals.
    struct Step {
        uint256 domain;
        uint256 stateIn;
        uint64 number;
        uint64 queueStart;
        uint64 queueTail;
        bytes32 l1Hash;
        uint64 queueEnd;
        bytes32 withdrawals;
    }

    constructor(IDataAvailability data) {
        if (address(data) != address(0)) Bounds.requireCode(address(data));
        DATA = data;
    }

    /// @dev Whether the data is in blobs.
    function _usesBlobs() internal view returns (bool) {
        return address(DATA) == address(0);
    }

    /// @dev Fills a batch's place among the public inputs, which is there.
    function _place(
        uint256[] memory values,
        uint256 place,
        Step memory step,
        ISettlement.Batch calldata batch
    ) internal view {
        uint256[VALUES_PER_BATCH] memory own = _placeOf(values, place);
        own[0] = step.domain;
        own[1] = uint256(step.number) | uint256(batch.timestamp) << 64;
        own[2] = step.stateIn;
        own[3] = batch.stateOut;
        own[4] = batch.commit;
        if (own[3] >= R) revert ISettlement.StateOutOfRange(step.number, own[3]);
        if (own[4] >= R) revert ISettlement.CommitOutOfRange(step.number, own[4]);
        step.l1Hash = L1Stream.hash(batch.l1Words);
        uint256 yD;
        (own[5], own[8]) = _points(own, step.l1Hash, batch.dataHash);
        if (_usesBlobs()) {
            yD = Blobs.evaluate(batch.dataHash, own[5], batch.opening);
        } else {
            // slither-disable-next-line calls-loop (fixed at deployment; a failure fails the batch)
            (own[5], yD) = DATA.evaluate(batch.dataHash, own[5], batch.opening);
        }
        own[6] = uint128(yD);
        own[7] = yD >> 128;
        if (batch.l1Words.length == 0) {
            step.withdrawals = 0;
            step.queueEnd = step.queueStart;
            return;
        }
        // slither-disable-next-line uninitialized-local (filled field by field)
        L1Stream.Pass memory pass;
        pass.number = step.number;
        pass.z = own[8];
        pass.queueEnd = step.queueStart;
        pass.queueTail = step.queueTail;
        step.withdrawals = L1Stream.parse(batch.l1Words, _queue, pass);
        step.queueEnd = pass.queueEnd;
        own[9] = pass.y;
    }

    /// @dev The part of the public inputs that is a place's own.
    function _placeOf(uint256[] memory values, uint256 place)
        private
        pure
        returns (uint256[VALUES_PER_BATCH] memory own)
    {
        assembly ("memory-safe") {
            own := add(add(values, 0x20), mul(place, 0x140))
        }
    }

    /// @dev The two points, after everything else about a batch.
    function _points(uint256[VALUES_PER_BATCH] memory own, bytes32 l1Hash, bytes32 dataHash)
        private
        pure
        returns (uint256 zD, uint256 zL)
    {
        bytes32 tagD = Z_D_TAG;
        bytes32 tagL = Z_L_TAG;
        assembly ("memory-safe") {
            let pointer := mload(0x40)
            // Domain, batch, state before, state after, commitment.
            mcopy(add(pointer, 0x20), own, 0xa0)
            mstore(add(pointer, 0xc0), l1Hash)
            mstore(add(pointer, 0xe0), dataHash)
            mstore(pointer, tagD)
            zD := and(keccak256(pointer, 0x100), 0xffffffffffffffffffffffffffffffff)
            mstore(pointer, tagL)
            zL := and(keccak256(pointer, 0x100), 0xffffffffffffffffffffffffffffffff)
        }
    }

    /// @dev Reverts unless every kind of a policy accepts its proof.
    function _requireProofs(uint32 version, uint256[] memory values, bytes[] calldata proofs) internal view {
        bool present = version == _version;
        uint256 count = present ? _kinds : _policies[version][0].count;
        if (proofs.length != count) revert ISettlement.ProofCount(count, proofs.length);
        for (uint256 i = 0; i < count; i++) {
            address verifier = present && i == 0 ? _verifier : _policies[version][i].verifier;
            // slither-disable-next-line calls-loop (every kind has to accept, 8 at most)
            if (!IVerifier(verifier).verify(values, proofs[i])) {
                revert ISettlement.ProofNotAccepted(verifier);
            }
        }
    }

    /// @dev Public inputs of a run, all 0.
    function _values(uint32 version, uint256 batches) internal view returns (uint256[] memory) {
        uint256 places = version == _version ? _batchPlaces : _policies[version][0].batchPlaces;
        if (batches == 0 || batches > places) revert ISettlement.BatchCount(places, batches);
        return new uint256[](VALUES_PER_BATCH * places);
    }

    /// @dev The hash of what a batch was proven from.
    function _inputHash(uint32 version, Step memory step, ISettlement.Batch calldata batch)
        internal
        view
        returns (bytes32)
    {
        bytes32 data = _usesBlobs() ? batch.dataHash : bytes32(batch.commit);
        return keccak256(
            abi.encode(
                INPUT_TAG,
                version,
                step.number,
                batch.timestamp,
                step.stateIn,
                data,
                step.queueStart,
                step.queueEnd
            )
        );
    }

    /// @dev What the contract keeps of a final batch.
    function _outcomeHash(ISettlement.Outcome memory outcome) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                OUTCOME_TAG,
                outcome.input,
                outcome.stateOut,
                outcome.l1Hash,
                outcome.withdrawals,
                outcome.finalizedAt
            )
        );
    }
}
