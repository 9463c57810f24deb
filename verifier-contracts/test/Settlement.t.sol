// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {RollupFixture} from "./utils/RollupFixture.sol";
import {MockVerifier} from "./utils/MockVerifier.sol";
import {IDataAvailability} from "../src/interfaces/IDataAvailability.sol";
import {ISettlement} from "../src/interfaces/ISettlement.sol";

contract SettlementTest is RollupFixture {
    function test_Genesis() public view {
        uint256 node = 0;
        for (uint256 i = 0; i < 16; i++) {
            node = poseidon4.hash([node, node, node, node]);
        }
        assertEq(rollup.state(), poseidon2.hash([node, uint256(0)]));
        assertEq(rollup.lastFinalized(), 0);
        assertEq(rollup.lastCommitted(), 0);
        bytes32 hash = keccak256(abi.encode("tenon.v1", block.chainid, address(rollup)));
        assertEq(rollup.domain(), uint256(hash) >> 8);
    }

    function test_CommitAndProve() public {
        Plan memory plan = nextPlan();
        settle(plan);
        assertEq(rollup.state(), plan.stateOut);
        assertEq(rollup.lastFinalized(), 1);
        assertEq(rollup.lastCommitted(), 1);
        assertEq(rollup.lastFinalizedTimestamp(), plan.timestamp);
        assertEq(rollup.finalizedAt(), block.timestamp);
        assertEq(rollup.batchHash(1), outcomeHash(outcome(plan, 0, 0, 0)));
    }

    function test_CommitAndProve_SeveralBatchesAndBlobs() public {
        Plan memory first = nextPlan();
        first.blobs = new uint256[](3);
        (first.blobs[0], first.blobs[1], first.blobs[2]) = (1, 2, 1);
        Plan memory second = after_(first);
        second.blobs[0] = 2;
        settle(two(first, second));
        assertEq(rollup.state(), second.stateOut);
        assertEq(rollup.lastFinalized(), 2);
    }

    function test_CommitThenProve() public {
        Plan memory first = nextPlan();
        Plan memory second = after_(first);
        Plan memory third = after_(second);
        third.blobs[0] = 2;
        commit(two(first, second));
        commit(one(third));
        assertEq(rollup.lastCommitted(), 3);
        assertEq(rollup.lastFinalized(), 0);
        bytes32 previous = rollup.batchHash(2);
        prove(0, two(first, second));
        assertEq(rollup.lastFinalized(), 2);
        assertEq(rollup.state(), second.stateOut);
        prove(previous, one(third));
        assertEq(rollup.state(), third.stateOut);
    }

    function test_RevertWhen_ProvenWithAnotherPrevious() public {
        Plan memory plan = nextPlan();
        commit(one(plan));
        bytes32 expected = rollup.batchHash(1);
        ISettlement.Batch[] memory made = batches(one(plan));
        bytes[] memory proven = proofs(one(plan));
        bytes32 actual = chained(bytes32(uint256(1)), plan);
        vm.expectRevert(abi.encodeWithSelector(ISettlement.BatchHash.selector, 1, expected, actual));
        vm.prank(OPERATOR);
        rollup.prove(1, bytes32(uint256(1)), made, proven);
    }

    function testFuzz_RevertWhen_ProvenOtherThanCommitted(uint256 field, uint256 change) public {
        Plan memory plan = nextPlan();
        commit(one(plan));
        bytes32 expected = rollup.batchHash(1);
        field = bound(field, 0, 3);
        if (field == 0) plan.timestamp += uint32(bound(change, 1, 1000));
        if (field == 1) plan.stateOut = change % R;
        if (field == 2) plan.commit = change % R;
        if (field == 3) plan.blobs[0] = 2;
        vm.assume(chained(0, plan) != expected);
        ISettlement.Batch[] memory made = batches(one(plan));
        bytes[] memory proven = proofs(one(plan));
        vm.expectRevert(abi.encodeWithSelector(ISettlement.BatchHash.selector, 1, expected, chained(0, plan)));
        vm.prank(OPERATOR);
        rollup.prove(1, 0, made, proven);
    }

    function test_RevertWhen_ProvenWithOtherWords() public {
        uint256[] memory words = queueDeposit(ALICE, 1 ether);
        queueDeposit(ALICE, 1 ether);
        Plan memory plan = nextPlan();
        plan.l1Words = words;
        commit(one(plan));
        bytes32 expected = rollup.batchHash(1);
        plan.l1Words = concat(words, words);
        ISettlement.Batch[] memory made = batches(one(plan));
        bytes[] memory proven = proofs(one(plan));
        vm.expectRevert(abi.encodeWithSelector(ISettlement.BatchHash.selector, 1, expected, chained(0, plan)));
        vm.prank(OPERATOR);
        rollup.prove(1, 0, made, proven);
    }

    function testFuzz_RevertWhen_ProofIsForOtherInputs(uint256 index, uint256 value) public {
        Plan memory plan = nextPlan();
        plan.l1Words = queueDeposit(ALICE, 1 ether);
        ISettlement.Batch[] memory made = batches(one(plan));
        bytes[] memory attested = attestations(one(plan));
        uint256[] memory values = publicInputs(one(plan));
        index = bound(index, 0, values.length - 1);
        vm.assume(values[index] != value);
        values[index] = value;
        bytes[] memory proven = new bytes[](1);
        proven[0] = verifier.proofOf(values);
        vm.blobhashes(blobHashes(plan));
        vm.expectRevert(abi.encodeWithSelector(MockVerifier.ProofRejected.selector));
        vm.prank(OPERATOR);
        rollup.commitAndProve(1, made, attested, proven);
    }

    function test_RevertWhen_VerifierSaysNo() public {
        Plan memory plan = nextPlan();
        // Answers 0 to everything: PUSH1 32, PUSH1 0, RETURN.
        vm.etch(address(verifier), hex"60206000f3");
        settleReverts(
            OPERATOR,
            one(plan),
            abi.encodeWithSelector(ISettlement.ProofNotAccepted.selector, address(verifier))
        );
    }

    function test_RevertWhen_VerifierHasNoCode() public {
        Plan[] memory plans = one(nextPlan());
        ISettlement.Batch[] memory made = batches(plans);
        bytes[] memory attested = attestations(plans);
        bytes[] memory proven = proofs(plans);
        vm.etch(address(verifier), hex"");
        vm.blobhashes(allHashes(plans));
        vm.expectRevert();
        vm.prank(OPERATOR);
        rollup.commitAndProve(1, made, attested, proven);
    }

    function test_RevertWhen_NotOperator() public {
        Plan memory plan = nextPlan();
        bytes memory reason = abi.encodeWithSelector(ISettlement.NotOperator.selector, ALICE);
        settleReverts(ALICE, one(plan), reason);
        ISettlement.Header[] memory made = headers(one(plan));
        vm.expectRevert(reason);
        vm.prank(ALICE);
        rollup.commit(1, made);
        vm.expectRevert(reason);
        vm.prank(ALICE);
        rollup.revertBatches(1);
        ISettlement.Batch[] memory proven = batches(one(plan));
        bytes[] memory none = new bytes[](0);
        vm.expectRevert(reason);
        vm.prank(ALICE);
        rollup.prove(1, 0, proven, none);
    }

    function test_RevertWhen_Replayed() public {
        Plan memory plan = nextPlan();
        settle(plan);
        settleReverts(OPERATOR, one(plan), abi.encodeWithSelector(ISettlement.BatchNumber.selector, 2, 1));
    }

    function test_RevertWhen_CommittedOutOfOrder() public {
        Plan memory plan = nextPlan();
        ISettlement.Header[] memory made = headers(one(plan));
        vm.expectRevert(abi.encodeWithSelector(ISettlement.BatchNumber.selector, 1, 2));
        vm.prank(OPERATOR);
        rollup.commit(2, made);
    }

    function test_RevertWhen_ProvenOutOfOrder() public {
        Plan memory first = nextPlan();
        Plan memory second = after_(first);
        commit(two(first, second));
        ISettlement.Batch[] memory made = batches(one(second));
        bytes[] memory proven = proofs(one(second));
        vm.expectRevert(abi.encodeWithSelector(ISettlement.BatchNumber.selector, 1, 2));
        vm.prank(OPERATOR);
        rollup.prove(2, 0, made, proven);
    }

    function test_RevertWhen_ProvenUncommitted() public {
        Plan memory first = nextPlan();
        commit(one(first));
        Plan[] memory plans = two(first, after_(first));
        ISettlement.Batch[] memory made = batches(plans);
        bytes[] memory proven = proofs(plans);
        vm.expectRevert(abi.encodeWithSelector(ISettlement.NotCommitted.selector, 1, 1, 2));
        vm.prank(OPERATOR);
        rollup.prove(1, 0, made, proven);
    }

    function test_RevertWhen_NoBatch() public {
        vm.expectRevert(abi.encodeWithSelector(ISettlement.BatchCount.selector, type(uint64).max, 0));
        vm.prank(OPERATOR);
        rollup.commit(1, new ISettlement.Header[](0));
        bytes memory reason = abi.encodeWithSelector(ISettlement.BatchCount.selector, PLACES, 0);
        vm.expectRevert(reason);
        vm.prank(OPERATOR);
        rollup.prove(1, 0, new ISettlement.Batch[](0), new bytes[](1));
        vm.expectRevert(reason);
        vm.prank(OPERATOR);
        rollup.commitAndProve(1, new ISettlement.Batch[](0), new bytes[](0), new bytes[](1));
    }

    function test_RevertWhen_TooManyBatches() public {
        Plan[] memory plans = new Plan[](PLACES + 1);
        plans[0] = nextPlan();
        for (uint256 i = 1; i < plans.length; i++) {
            plans[i] = after_(plans[i - 1]);
        }
        ISettlement.Batch[] memory made = batches(plans);
        bytes[] memory attested = attestations(plans);
        vm.blobhashes(allHashes(plans));
        vm.expectRevert(abi.encodeWithSelector(ISettlement.BatchCount.selector, PLACES, PLACES + 1));
        vm.prank(OPERATOR);
        rollup.commitAndProve(1, made, attested, new bytes[](1));
    }

    function test_RevertWhen_ProofCountDiffers() public {
        Plan memory plan = nextPlan();
        ISettlement.Batch[] memory made = batches(one(plan));
        bytes[] memory attested = attestations(one(plan));
        vm.blobhashes(blobHashes(plan));
        vm.expectRevert(abi.encodeWithSelector(ISettlement.ProofCount.selector, 1, 2));
        vm.prank(OPERATOR);
        rollup.commitAndProve(1, made, attested, new bytes[](2));
    }

    function test_Timestamp_AtItsBounds() public {
        Plan memory plan = nextPlan();
        plan.timestamp = uint32(block.timestamp - 1 days);
        settle(plan);
        plan = nextPlan();
        settle(plan);
        // As old as the one before it.
        plan = nextPlan();
        settle(plan);
    }

    function test_RevertWhen_FromTheFuture() public {
        Plan memory plan = nextPlan();
        plan.timestamp++;
        bytes memory reason =
            abi.encodeWithSelector(ISettlement.BatchTooNew.selector, 1, block.timestamp, block.timestamp + 1);
        settleReverts(OPERATOR, one(plan), reason);
        commitReverts(plan, reason);
    }

    function test_RevertWhen_OlderThanADay() public {
        Plan memory plan = nextPlan();
        plan.timestamp -= 1 days + 1;
        bytes memory reason = abi.encodeWithSelector(
            ISettlement.BatchTooOld.selector, 1, block.timestamp - 1 days, block.timestamp - 1 days - 1
        );
        settleReverts(OPERATOR, one(plan), reason);
        commitReverts(plan, reason);
    }

    function test_RevertWhen_OlderThanItsPredecessor() public {
        settle(nextPlan());
        Plan memory plan = nextPlan();
        plan.timestamp--;
        bytes memory reason =
            abi.encodeWithSelector(ISettlement.BatchTooOld.selector, 2, block.timestamp, block.timestamp - 1);
        settleReverts(OPERATOR, one(plan), reason);
        commitReverts(plan, reason);
    }

    /// @dev After a partial revert the contract has forgotten the timestamp of the last batch kept.
    function test_RevertWhen_ProvenOlderThanItsPredecessor() public {
        Plan memory first = nextPlan();
        Plan memory second = after_(first);
        commit(two(first, second));
        vm.prank(OPERATOR);
        rollup.revertBatches(2);
        second.timestamp -= 1;
        commit(one(second));
        Plan[] memory plans = two(first, second);
        ISettlement.Batch[] memory made = batches(plans);
        bytes[] memory proven = proofs(plans);
        vm.expectRevert(
            abi.encodeWithSelector(ISettlement.BatchTooOld.selector, 2, first.timestamp, second.timestamp)
        );
        vm.prank(OPERATOR);
        rollup.prove(1, 0, made, proven);
    }

    function testFuzz_RevertWhen_StateOutOfRange(uint256 state) public {
        Plan memory plan = nextPlan();
        plan.stateOut = bound(state, R, type(uint256).max - 1);
        bytes memory reason = abi.encodeWithSelector(ISettlement.StateOutOfRange.selector, 1, plan.stateOut);
        settleReverts(OPERATOR, one(plan), reason);
        commitReverts(plan, reason);
    }

    function testFuzz_RevertWhen_CommitOutOfRange(uint256 commitment) public {
        Plan memory plan = nextPlan();
        plan.commit = bound(commitment, R, type(uint256).max - 1);
        bytes memory reason = abi.encodeWithSelector(ISettlement.CommitOutOfRange.selector, 1, plan.commit);
        settleReverts(OPERATOR, one(plan), reason);
        commitReverts(plan, reason);
    }

    function test_RevertBatches() public {
        Plan memory first = nextPlan();
        Plan memory second = after_(first);
        commit(two(first, second));
        bytes32 kept = rollup.batchHash(1);
        vm.expectEmit(true, false, false, true, address(rollup));
        emit ISettlement.BatchesReverted(2, 2);
        vm.prank(OPERATOR);
        rollup.revertBatches(2);
        assertEq(rollup.lastCommitted(), 1);
        assertEq(rollup.batchHash(1), kept);
        second.stateOut = 7;
        commit(one(second));
        prove(0, two(first, second));
        assertEq(rollup.state(), 7);
    }

    function test_RevertWhen_FinalBatchReverted() public {
        settle(nextPlan());
        vm.expectRevert(abi.encodeWithSelector(ISettlement.NotCommitted.selector, 2, 1, 1));
        vm.prank(OPERATOR);
        rollup.revertBatches(1);
        vm.expectRevert(abi.encodeWithSelector(ISettlement.NotCommitted.selector, 2, 1, 2));
        vm.prank(OPERATOR);
        rollup.revertBatches(2);
    }

    function test_CommitAndProve_DiscardsUnproven() public {
        Plan memory garbage = nextPlan();
        garbage.stateOut = 1;
        commit(two(garbage, after_(garbage)));
        Plan memory plan = nextPlan();
        settle(plan);
        assertEq(rollup.lastCommitted(), 1);
        assertEq(rollup.state(), plan.stateOut);
    }

    function test_RevertWhen_BlobMissing() public {
        Plan memory plan = nextPlan();
        ISettlement.Header[] memory made = headers(one(plan));
        vm.expectRevert(abi.encodeWithSelector(IDataAvailability.BlobMissing.selector, 0));
        vm.prank(OPERATOR);
        rollup.commit(1, made);
    }

    function test_RevertWhen_BlobUnused() public {
        Plan memory plan = nextPlan();
        ISettlement.Header[] memory made = headers(one(plan));
        plan.blobs = new uint256[](2);
        (plan.blobs[0], plan.blobs[1]) = (1, 2);
        bytes32[] memory hashes = blobHashes(plan);
        vm.blobhashes(hashes);
        vm.expectRevert(abi.encodeWithSelector(ISettlement.BlobUnused.selector, 1, hashes[1]));
        vm.prank(OPERATOR);
        rollup.commit(1, made);
    }

    function test_RevertWhen_LastBlobEmpty() public {
        Plan memory plan = nextPlan();
        plan.blobs = new uint256[](2);
        plan.blobs[0] = 1;
        settleReverts(OPERATOR, one(plan), abi.encodeWithSelector(IDataAvailability.BlobEmpty.selector, 1));
        // One before the last may be.
        (plan.blobs[0], plan.blobs[1]) = (0, 1);
        settle(plan);
    }

    function test_BlobCount() public {
        Plan memory plan = nextPlan();
        plan.blobs = new uint256[](6);
        for (uint256 i = 0; i < 6; i++) {
            plan.blobs[i] = 1 + i % 2;
        }
        settle(plan);
        plan = nextPlan();
        plan.blobs = new uint256[](7);
        settleReverts(OPERATOR, one(plan), abi.encodeWithSelector(IDataAvailability.BlobCount.selector, 6, 7));
        plan.blobs = new uint256[](0);
        settleReverts(OPERATOR, one(plan), abi.encodeWithSelector(IDataAvailability.BlobCount.selector, 6, 0));
    }

    function test_RevertWhen_DataHashDiffers() public {
        Plan memory plan = nextPlan();
        ISettlement.Batch[] memory made = batches(one(plan));
        made[0].dataHash = bytes32(uint256(1));
        bytes[] memory attested = attestations(one(plan));
        vm.blobhashes(blobHashes(plan));
        vm.expectRevert(
            abi.encodeWithSelector(ISettlement.DataMismatch.selector, 1, dataHash(plan), bytes32(uint256(1)))
        );
        vm.prank(OPERATOR);
        rollup.commitAndProve(1, made, attested, new bytes[](1));
    }

    function test_RevertWhen_BlobOfAnotherBatch() public {
        Plan memory plan = nextPlan();
        ISettlement.Batch[] memory made = batches(one(plan));
        bytes32 expected = dataHash(plan);
        plan.blobs[0] = 2;
        made[0].opening = batch(plan).opening;
        bytes[] memory attested = attestations(one(plan));
        plan.blobs[0] = 1;
        vm.blobhashes(blobHashes(plan));
        plan.blobs[0] = 2;
        vm.expectRevert(abi.encodeWithSelector(IDataAvailability.DataHash.selector, expected, dataHash(plan)));
        vm.prank(OPERATOR);
        rollup.commitAndProve(1, made, attested, new bytes[](1));
    }

    function test_RevertWhen_AttestationCountDiffers() public {
        Plan memory plan = nextPlan();
        ISettlement.Batch[] memory made = batches(one(plan));
        vm.expectRevert(abi.encodeWithSelector(ISettlement.AttestationCount.selector, 1, 0));
        vm.prank(OPERATOR);
        rollup.commitAndProve(1, made, new bytes[](0), new bytes[](1));
    }

    function test_RevertWhen_EtherSentBare() public {
        vm.deal(address(this), 1);
        (bool success,) = address(rollup).call{value: 1}("");
        assertTrue(!success, "refused");
    }

    /// @dev Execution and calldata; neither a transaction's 21,000 nor what checking the proof takes.
    function test_Gas() public {
        settle(nextPlan());
        vm.warp(block.timestamp + 1);
        Plan memory first = nextPlan();
        uint256 single = gasOf(one(first));
        uint256 check = gasOfProof(one(first));
        vm.snapshotValue("Rollup", "commitAndProve over the proof check", single - check);
        vm.snapshotValue("Rollup", "a further batch with one blob", gasOf(two(first, after_(first))) - single);
        assertTrue(single - check <= 120_000, "one batch");
        assertTrue(gasOf(two(first, after_(first))) - single <= 95_000, "a further batch");
    }

    /// @dev Gas of a settlement's execution and calldata; undone.
    function gasOf(Plan[] memory plans) private returns (uint256 used) {
        bytes memory call = abi.encodeCall(
            rollup.commitAndProve, (plans[0].number, batches(plans), attestations(plans), proofs(plans))
        );
        vm.blobhashes(allHashes(plans));
        try this.measure(address(rollup), call) {}
        catch (bytes memory reason) {
            used = abi.decode(reason, (uint256));
        }
        used += calldataGas(call);
        // The openings' zero bytes, which real ones don't have.
        for (uint256 i = 0; i < plans.length; i++) {
            bytes memory opening = batch(plans[i]).opening;
            used += 16 * opening.length - calldataGas(opening);
        }
        noBlobs();
    }

    /// @dev Gas of checking a proof, its calldata included, that of the public inputs not.
    function gasOfProof(Plan[] memory plans) private returns (uint256 used) {
        bytes memory proof = proofs(plans)[0];
        try this.measure(address(verifier), abi.encodeCall(verifier.verify, (publicInputs(plans), proof))) {}
        catch (bytes memory reason) {
            used = abi.decode(reason, (uint256));
        }
        used += calldataGas(proof);
    }

    /// @notice Calls, and reverts with the gas used.
    function measure(address target, bytes calldata call) external {
        vm.prank(OPERATOR);
        uint256 before = gasleft();
        (bool success,) = target.call(call);
        uint256 used = before - gasleft();
        assertTrue(success, "called");
        assembly ("memory-safe") {
            mstore(0, used)
            revert(0, 0x20)
        }
    }

    function calldataGas(bytes memory call) private pure returns (uint256 gas_) {
        for (uint256 i = 0; i < call.length; i++) {
            gas_ += call[i] == 0 ? 4 : 16;
        }
    }

    function commitReverts(Plan memory plan, bytes memory reason) private {
        ISettlement.Header[] memory made = headers(one(plan));
        vm.blobhashes(blobHashes(plan));
        vm.expectRevert(reason);
        vm.prank(OPERATOR);
        rollup.commit(plan.number, made);
        noBlobs();
    }

    function chained(bytes32 previous, Plan memory plan) private view returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256("tenon.v1.batch"),
                previous,
                rollup.policyVersion(),
                plan.number,
                plan.timestamp,
                plan.stateOut,
                plan.commit,
                l1Hash(plan),
                dataHash(plan)
            )
        );
    }

    function outcomeHash(ISettlement.Outcome memory made) private pure returns (bytes32) {
        return keccak256(abi.encode(keccak256("tenon.v1.outcome"), made));
    }
}
