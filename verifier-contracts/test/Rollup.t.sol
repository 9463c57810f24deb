// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Fixture} from "./utils/Fixture.sol";
import {Rollup} from "../src/Rollup.sol";
import {IRollup} from "../src/interfaces/IOldRollup.sol";
import {IVerifier} from "../src/interfaces/IVerifier.sol";

contract RollupTest is Fixture {
    /// @dev A verifier that never says yes.
    address private constant SILENT = address(0x51);

    function last() private view returns (IRollup.Batch memory) {
        return first.batches[first.batches.length - 1];
    }

    function settleFirst() private {
        rollup.settle(first.batches, first.proof);
    }

    /// @dev What the rollup stores hasn't changed since construction.
    function assertAtGenesis() private view {
        assertEq(rollup.state(), genesisState);
        assertEq(rollup.lastBatch(), 0);
        assertEq(rollup.lastTimestamp(), 0);
    }

    function test_Construct() public view {
        assertAtGenesis();
        assertEq(rollup.verifier(), address(verifier));
        assertEq(rollup.domain(), vm.parseJsonUint(json, ".domain"));
        bytes32 hash = keccak256(abi.encode("tenon.v1", block.chainid, address(rollup)));
        assertEq(rollup.domain(), uint256(hash) >> 8);
    }

    function test_RevertWhen_ConstructedWithoutVerifierCode() public {
        address none = address(0xdead);
        vm.expectRevert(abi.encodeWithSelector(IRollup.VerifierWithoutCode.selector, none));
        new Rollup(none, genesisState);
    }

    function testFuzz_RevertWhen_ConstructedWithGenesisOutOfRange(uint256 genesis) public {
        genesis = bound(genesis, R, type(uint256).max - 1);
        vm.expectRevert(abi.encodeWithSelector(IRollup.GenesisStateOutOfRange.selector, genesis));
        new Rollup(address(verifier), genesis);
    }

    function test_Settle_RunThenOneBatch() public {
        for (uint256 i = 0; i < first.batches.length; i++) {
            IRollup.Batch memory batch = first.batches[i];
            vm.expectEmit(true, false, false, true, address(rollup));
            emit IRollup.BatchSettled(batch.number, batch.timestamp, batch.state, batch.commit);
        }
        settleFirst();
        vm.snapshotGasLastCall("Rollup", "settle first run");
        assertEq(rollup.state(), last().state);
        assertEq(rollup.lastBatch(), last().number);
        assertEq(rollup.lastTimestamp(), last().timestamp);

        rollup.settle(next.batches, next.proof);
        vm.snapshotGasLastCall("Rollup", "settle one batch");
        assertEq(rollup.state(), next.batches[0].state);
        assertEq(rollup.lastBatch(), next.batches[0].number);
    }

    function test_RevertWhen_Replayed() public {
        settleFirst();
        uint64 expected = last().number + 1;
        vm.expectRevert(
            abi.encodeWithSelector(IRollup.BatchNumber.selector, expected, first.batches[0].number)
        );
        settleFirst();
        assertEq(rollup.state(), last().state);
    }

    function test_RevertWhen_ReplayedWithNewNumbers() public {
        settleFirst();
        IRollup.Batch[] memory batches = first.batches;
        for (uint256 i = 0; i < batches.length; i++) {
            batches[i].number += uint64(batches.length);
            batches[i].timestamp = last().timestamp;
        }
        vm.expectRevert(abi.encodeWithSelector(IVerifier.ProofRejected.selector));
        rollup.settle(batches, first.proof);
    }

    function test_RevertWhen_SettledBeforeItsPredecessor() public {
        vm.expectRevert(abi.encodeWithSelector(IRollup.BatchNumber.selector, 1, next.batches[0].number));
        rollup.settle(next.batches, next.proof);
        assertAtGenesis();
    }

    function test_RevertWhen_ProvenFromAnotherState() public {
        vm.store(address(rollup), bytes32(0), bytes32(genesisState + 1));
        assertEq(rollup.state(), genesisState + 1);
        vm.expectRevert(abi.encodeWithSelector(IVerifier.ProofRejected.selector));
        settleFirst();
    }

    function test_RevertWhen_ProvenForAnotherRollup() public {
        Rollup other = new Rollup(address(verifier), genesisState);
        vm.expectRevert(abi.encodeWithSelector(IVerifier.ProofRejected.selector));
        other.settle(first.batches, first.proof);
    }

    function test_RevertWhen_Swapped() public {
        IRollup.Batch[] memory batches = first.batches;
        (batches[0], batches[1]) = (batches[1], batches[0]);
        vm.expectRevert(abi.encodeWithSelector(IRollup.BatchNumber.selector, 1, 2));
        rollup.settle(batches, first.proof);
    }

    function test_RevertWhen_RunCutShort() public {
        IRollup.Batch[] memory batches = new IRollup.Batch[](1);
        batches[0] = first.batches[0];
        vm.expectRevert(abi.encodeWithSelector(IVerifier.ProofRejected.selector));
        rollup.settle(batches, first.proof);
        assertAtGenesis();
    }

    function test_RevertWhen_NoBatch() public {
        IRollup.Batch[] memory batches = new IRollup.Batch[](0);
        vm.expectRevert(abi.encodeWithSelector(IRollup.BatchCount.selector, verifier.batchPlaces(), 0));
        rollup.settle(batches, first.proof);
    }

    function test_RevertWhen_TooManyBatches() public {
        uint256 places = verifier.batchPlaces();
        IRollup.Batch[] memory batches = new IRollup.Batch[](places + 1);
        vm.expectRevert(abi.encodeWithSelector(IRollup.BatchCount.selector, places, places + 1));
        rollup.settle(batches, first.proof);
    }

    function test_RevertWhen_FromTheFuture() public {
        uint256 latest = last().timestamp - 1;
        vm.warp(latest);
        vm.expectRevert(
            abi.encodeWithSelector(IRollup.BatchTooNew.selector, last().number, latest, last().timestamp)
        );
        settleFirst();
    }

    function test_Settle_TimestampOfTheBlock() public {
        vm.warp(last().timestamp);
        settleFirst();
    }

    function test_RevertWhen_OlderThanItsPredecessor() public {
        settleFirst();
        IRollup.Batch[] memory batches = next.batches;
        batches[0].timestamp = last().timestamp - 1;
        vm.expectRevert(
            abi.encodeWithSelector(
                IRollup.BatchTooOld.selector, batches[0].number, last().timestamp, last().timestamp - 1
            )
        );
        rollup.settle(batches, next.proof);
    }

    function testFuzz_RevertWhen_StateReplaced(uint256 index, uint256 value) public {
        uint256 i = bound(index, 0, first.batches.length - 1);
        IRollup.Batch[] memory batches = first.batches;
        vm.assume(value != batches[i].state);
        batches[i].state = value;
        if (value >= R) {
            vm.expectRevert(
                abi.encodeWithSelector(IRollup.StateOutOfRange.selector, batches[i].number, value)
            );
        } else {
            vm.expectRevert(abi.encodeWithSelector(IVerifier.ProofRejected.selector));
        }
        rollup.settle(batches, first.proof);
        assertAtGenesis();
    }

    function testFuzz_RevertWhen_CommitReplaced(uint256 index, uint256 value) public {
        uint256 i = bound(index, 0, first.batches.length - 1);
        IRollup.Batch[] memory batches = first.batches;
        vm.assume(value != batches[i].commit);
        batches[i].commit = value;
        if (value >= R) {
            vm.expectRevert(
                abi.encodeWithSelector(IRollup.CommitOutOfRange.selector, batches[i].number, value)
            );
        } else {
            vm.expectRevert(abi.encodeWithSelector(IVerifier.ProofRejected.selector));
        }
        rollup.settle(batches, first.proof);
    }

    function testFuzz_RevertWhen_TimestampReplaced(uint32 timestamp) public {
        IRollup.Batch[] memory batches = first.batches;
        batches[0].timestamp = uint32(bound(timestamp, 0, batches[1].timestamp));
        vm.assume(batches[0].timestamp != first.batches[0].timestamp);
        vm.expectRevert(abi.encodeWithSelector(IVerifier.ProofRejected.selector));
        rollup.settle(batches, first.proof);
    }

    function test_RevertWhen_CalldataPadded() public {
        bytes memory data = abi.encodeCall(IRollup.settle, (first.batches, first.proof));
        bytes memory padded = bytes.concat(data, hex"00");
        (bool success, bytes memory answer) = address(rollup).call(padded);
        assertTrue(!success, "refused");
        assertEq(
            answer, abi.encodeWithSelector(IRollup.SettlementLength.selector, data.length, padded.length)
        );
    }

    function test_RevertWhen_CalldataTruncated() public {
        bytes memory data = abi.encodeCall(IRollup.settle, (first.batches, first.proof));
        uint256[4] memory lengths = [data.length - 1, data.length - 32, 0x44, 4];
        for (uint256 i = 0; i < lengths.length; i++) {
            bytes memory truncated = new bytes(lengths[i]);
            for (uint256 j = 0; j < lengths[i]; j++) {
                truncated[j] = data[j];
            }
            (bool success,) = address(rollup).call(truncated);
            assertTrue(!success, "refused");
        }
        assertAtGenesis();
    }

    function test_RevertWhen_ProofOfAnotherLength() public {
        bytes memory proof = bytes.concat(first.proof, new bytes(32));
        vm.expectRevert(
            abi.encodeWithSelector(IVerifier.ProofLength.selector, first.proof.length, proof.length)
        );
        rollup.settle(first.batches, proof);
    }

    function test_RevertWhen_VerifierSaysNo() public {
        // Answers 0 to everything: PUSH1 32, PUSH1 0, RETURN.
        vm.etch(SILENT, hex"60206000f3");
        Rollup other = new Rollup(SILENT, genesisState);
        vm.expectRevert(abi.encodeWithSelector(IRollup.BatchCount.selector, 0, first.batches.length));
        other.settle(first.batches, first.proof);

        // The same code in place of the verifier that the rollup was constructed with.
        vm.etch(address(verifier), hex"60206000f3");
        vm.expectRevert(abi.encodeWithSelector(IRollup.ProofNotAccepted.selector));
        settleFirst();
    }

    function test_RevertWhen_VerifierHasNoCode() public {
        vm.etch(address(verifier), hex"");
        (bool success,) = address(rollup).call(abi.encodeCall(IRollup.settle, (first.batches, first.proof)));
        assertTrue(!success, "refused");
        assertAtGenesis();
    }
}
