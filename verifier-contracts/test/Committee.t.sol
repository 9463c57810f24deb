// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {RollupFixture} from "./utils/RollupFixture.sol";
import {CommitteeData} from "../src/CommitteeData.sol";
import {Rollup} from "../src/Rollup.sol";
import {IDataAvailability} from "../src/interfaces/IDataAvailability.sol";
import {IRollup} from "../src/interfaces/IRollup.sol";
import {ISettlement} from "../src/interfaces/ISettlement.sol";

contract CommitteeTest is RollupFixture {
    uint256 private constant LAST_WORD = 77;
    /// @dev By ascending address.
    uint256[] private keys;
    CommitteeData private committee;

    function setUp() public override {
        super.setUp();
        address[] memory members = new address[](8);
        for (uint256 i = 0; i < 8; i++) {
            keys.push(i + 1);
            for (uint256 j = i; j > 0 && vm.addr(keys[j]) < vm.addr(keys[j - 1]); j--) {
                (keys[j], keys[j - 1]) = (keys[j - 1], keys[j]);
            }
            members[i] = vm.addr(i + 1);
        }
        committee = new CommitteeData(members, 6);
        rollup = IRollup(address(new Rollup(configuration(deployCore(committee)))));
        assertEq(rollup.dataAvailability(), address(committee));
    }

    function signature(uint256 key, Plan memory plan) private view returns (bytes memory) {
        bytes32 digest =
            keccak256(abi.encode(keccak256("tenon.v1.committee"), rollup.domain(), plan.number, plan.commit));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    function signatures(uint256 first, uint256 count, Plan memory plan)
        private
        view
        returns (bytes memory made)
    {
        for (uint256 i = first; i < first + count; i++) {
            made = bytes.concat(made, signature(keys[i], plan));
        }
    }

    function plan_() private view returns (Plan memory plan) {
        plan = nextPlan();
        plan.blobs = new uint256[](0);
    }

    function committeeBatch(Plan memory plan) private pure returns (ISettlement.Batch[] memory made) {
        made = batches(one(plan));
        made[0].opening = abi.encode(LAST_WORD);
    }

    function committeeProof(Plan memory plan) private view returns (bytes[] memory made) {
        uint256[] memory values = publicInputs(one(plan));
        values[5] = 0;
        values[6] = LAST_WORD;
        values[7] = 0;
        made = new bytes[](1);
        made[0] = verifier.proofOf(values);
    }

    function settleWith(Plan memory plan, bytes memory attestation, bytes memory reason) private {
        ISettlement.Batch[] memory made = committeeBatch(plan);
        bytes[] memory attested = new bytes[](1);
        attested[0] = attestation;
        bytes[] memory proven = committeeProof(plan);
        if (reason.length != 0) vm.expectRevert(reason);
        vm.prank(OPERATOR);
        rollup.commitAndProve(plan.number, made, attested, proven);
    }

    function test_CommitAndProve() public {
        Plan memory plan = plan_();
        settleWith(plan, signatures(0, 6, plan), "");
        assertEq(rollup.lastFinalized(), 1);
        plan = plan_();
        settleWith(plan, signatures(1, 7, plan), "");
        assertEq(rollup.lastFinalized(), 2);
    }

    function test_CommitThenProve() public {
        Plan memory plan = plan_();
        ISettlement.Header[] memory made = headers(one(plan));
        made[0].attestation = signatures(2, 6, plan);
        vm.prank(OPERATOR);
        rollup.commit(1, made);
        ISettlement.Batch[] memory proven = committeeBatch(plan);
        bytes[] memory checked = committeeProof(plan);
        vm.prank(OPERATOR);
        rollup.prove(1, 0, proven, checked);
        assertEq(rollup.lastFinalized(), 1);
    }

    /// @dev What a batch was proven from is known by its commitment here.
    function test_Contradict() public {
        Plan memory plan = plan_();
        settleWith(plan, signatures(0, 6, plan), "");
        ISettlement.Input memory input_ = input(plan, 0, 0);
        input_.data = bytes32(plan.commit);
        bytes32 hash = keccak256(abi.encode(keccak256("tenon.v1.input"), input_));
        ISettlement.Outcome memory outcome_ =
            ISettlement.Outcome(hash, plan.stateOut, l1Hash(plan), 0, uint32(block.timestamp));
        plan.stateOut = 7;
        ISettlement.Batch[] memory made = committeeBatch(plan);
        bytes[] memory proven = committeeProof(plan);
        rollup.contradict(input_, outcome_, made[0], proven);
        assertTrue(rollup.isFrozen(), "frozen");
    }

    function test_RevertWhen_TooFewSign() public {
        Plan memory plan = plan_();
        settleWith(
            plan,
            signatures(0, 5, plan),
            abi.encodeWithSelector(IDataAvailability.SignatureCount.selector, 6, 5)
        );
    }

    function test_RevertWhen_AStrangerSigns() public {
        Plan memory plan = plan_();
        bytes memory signed = bytes.concat(signature(99, plan), signatures(0, 6, plan));
        settleWith(plan, signed, abi.encodeWithSelector(IDataAvailability.NotAMember.selector, vm.addr(99)));
    }

    function test_RevertWhen_SignaturesRepeatOrDescend() public {
        Plan memory plan = plan_();
        address last = vm.addr(keys[4]);
        settleWith(
            plan,
            bytes.concat(signatures(0, 5, plan), signatures(4, 1, plan)),
            abi.encodeWithSelector(IDataAvailability.SignatureOrder.selector, last, last)
        );
        settleWith(
            plan,
            bytes.concat(signatures(0, 5, plan), signatures(3, 1, plan)),
            abi.encodeWithSelector(IDataAvailability.SignatureOrder.selector, last, vm.addr(keys[3]))
        );
    }

    function test_RevertWhen_SignedForAnotherBatch() public {
        Plan memory plan = plan_();
        Plan memory other = plan_();
        other.commit = 1;
        ISettlement.Batch[] memory made = committeeBatch(plan);
        bytes[] memory attested = new bytes[](1);
        attested[0] = signatures(0, 6, other);
        vm.expectPartialRevert(IDataAvailability.NotAMember.selector);
        vm.prank(OPERATOR);
        rollup.commitAndProve(1, made, attested, new bytes[](1));
    }

    function test_RevertWhen_BytesAreLeftOver() public {
        Plan memory plan = plan_();
        bytes memory signed = bytes.concat(signatures(0, 6, plan), hex"00");
        settleWith(
            plan, signed, abi.encodeWithSelector(IDataAvailability.DataLength.selector, 6 * 65, 6 * 65 + 1)
        );
    }

    function test_RevertWhen_BlobsComeAlong() public {
        Plan memory plan = plan_();
        bytes32[] memory hashes = new bytes32[](1);
        hashes[0] = versioned(ONE);
        bytes memory signed = signatures(0, 6, plan);
        vm.blobhashes(hashes);
        settleWith(plan, signed, abi.encodeWithSelector(ISettlement.BlobUnused.selector, 0, hashes[0]));
    }

    function test_RevertWhen_TheLastWordIsWrong() public {
        Plan memory plan = plan_();
        ISettlement.Batch[] memory made = committeeBatch(plan);
        bytes[] memory attested = new bytes[](1);
        attested[0] = signatures(0, 6, plan);
        made[0].opening = abi.encode(2 ** 248);
        vm.expectRevert(abi.encodeWithSelector(IDataAvailability.ValueOutOfRange.selector, 0, 2 ** 248));
        vm.prank(OPERATOR);
        rollup.commitAndProve(1, made, attested, new bytes[](1));
        made[0].opening = new bytes(31);
        vm.expectRevert(abi.encodeWithSelector(IDataAvailability.DataLength.selector, 32, 31));
        vm.prank(OPERATOR);
        rollup.commitAndProve(1, made, attested, new bytes[](1));
    }

    function test_RevertWhen_CommitteeIsWrong() public {
        address[] memory members = new address[](6);
        for (uint256 i = 0; i < 6; i++) {
            members[i] = address(uint160(i + 1));
        }
        new CommitteeData(members, 6);
        bytes memory reason = abi.encodeWithSelector(IDataAvailability.InvalidCommittee.selector, 5, 6);
        vm.expectRevert(reason);
        new CommitteeData(members, 5);
        reason = abi.encodeWithSelector(IDataAvailability.InvalidCommittee.selector, 7, 6);
        vm.expectRevert(reason);
        new CommitteeData(members, 7);
        reason = abi.encodeWithSelector(IDataAvailability.InvalidCommittee.selector, 6, 6);
        members[5] = members[0];
        vm.expectRevert(reason);
        new CommitteeData(members, 6);
        members[5] = address(0);
        vm.expectRevert(reason);
        new CommitteeData(members, 6);
    }
}
