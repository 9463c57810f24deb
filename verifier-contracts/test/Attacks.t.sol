// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {RollupFixture} from "./utils/RollupFixture.sol";
import {MockVerifier} from "./utils/MockVerifier.sol";
import {IDataAvailability} from "../src/interfaces/IDataAvailability.sol";
import {IExits} from "../src/interfaces/IExits.sol";
import {IGovernance} from "../src/interfaces/IGovernance.sol";
import {IQueue} from "../src/interfaces/IQueue.sol";
import {IRollup} from "../src/interfaces/IRollup.sol";
import {ISettlement} from "../src/interfaces/ISettlement.sol";
import {Rollup} from "../src/Rollup.sol";

// What an attacker may try against the contracts, and the test that shows it fail. Tests without a file are here.
//
// | attack | test |
// |---|---|
// | deposit duplicated | Queue: test_RevertWhen_DepositDuplicated |
// | deposit or exit skipped, reordered | Queue: test_RevertWhen_OperationsSkippedOrReordered; Stream |
// | deposit altered | Queue: testFuzz_RevertWhen_DepositAltered; Stream: testFuzz_RevertWhen_OneBitFlipped |
// | withdrawal missing from the L1 stream | test_RevertWhen_WithdrawalLeftOut |
// | withdrawal paid twice | Claims: testFuzz_Claim_AllOfABatch; invariant/Rollup |
// | forced exit ignored | Deadlines: test_Overdue_HasToBeConsumed, test_Overdue_HoldsForProve |
// | forced exit of somebody else's account | Queue: test_RevertWhen_ExitOfAnotherOwner |
// | queue jammed, full of hostile operations | test_HostileQueue_WorstCaseFits; Deadlines: test_Overdue_TheFirst512 |
// | blob of another batch, extra blob, missing blob | Settlement: test_RevertWhen_Blob... |
// | other data with the evaluation known in advance | test_RevertWhen_DataChosenAfterThePoint |
// | z, y or commitment swapped between batches | test_RevertWhen_EvaluationsSwapped, test_RevertWhen_CommitmentsSwapped |
// | y not reduced | test_RevertWhen_ValuePlusOrder |
// | header fields and counts that the proof doesn't bind | Settlement: testFuzz_RevertWhen_ProofIsForOtherInputs |
// | L1 word plus r, leading zero words | Queue: test_RevertWhen_WordPlusOrder, test_RevertWhen_LeadingZeroWords |
// | escape with a balance plus r | Escape: test_RevertWhen_FieldPlusOrder; EscapeFields |
// | settlements that consume nothing while operations are overdue | Deadlines: test_Overdue_HasToBeConsumed |
// | timestamp in the far future or past | Settlement: test_RevertWhen_FromTheFuture, test_RevertWhen_OlderThanADay |
// | proof replayed on another chain or contract | Governance: test_RevertWhen_ProofIsOfAnotherRollupOrChain |
// | proof replayed under another verifier version | test_RevertWhen_CommittedUnderAnotherVersion |
// | operator and guardian colluding to hold a user in | test_OperatorAndGuardianCollude |
// | upgrade during a freeze | Governance: test_RevertWhen_UpgradedWhileOverdueOrFrozen |
// | upgrade while somebody is on the way out | Governance: test_RevertWhen_UpgradedWhileOverdueOrFrozen |
// | token registered twice | Queue: test_RevertWhen_TokenRegisteredTwice |
// | deposit that overflows a balance | test_DepositThatOverflows_IsPaidBack |
// | fraud hidden behind the contradiction of an earlier batch | test_RevertWhen_FraudHidesBehindAnotherContradiction |
// | a resolved contradiction shown again | test_RevertWhen_ResolvedContradictionIsShownAgain |
// | malicious tokens and receivers | Malicious |
contract AttacksTest is RollupFixture {
    function test_RevertWhen_WithdrawalLeftOut() public {
        queueDeposit(ALICE, 1 ether);
        Plan memory plan = nextPlan();
        plan.l1Words = concat(depositWords(depositOf(ALICE, 1 ether)), withdrawalWords(0, ALICE, 5));
        bytes[] memory proven = proofs(one(plan));
        // The proof holds for the stream with the withdrawal alone.
        plan.l1Words = depositWords(depositOf(ALICE, 1 ether));
        refused(one(plan), proven, abi.encodeWithSelector(MockVerifier.ProofRejected.selector));
    }

    /// @dev 512 deposits that all have to be paid back: every word that 512 operations can make fits one batch.
    function test_HostileQueue_WorstCaseFits() public {
        Plan memory plan = nextPlan();
        plan.l1Words = new uint256[](512 * 6);
        uint256 next = 0;
        for (uint128 i = 1; i <= 512; i++) {
            uint256[] memory deposited = queueDeposit(BOB, i);
            uint256[] memory back = withdrawalWords(0, BOB, i);
            for (uint256 j = 0; j < 6; j++) {
                plan.l1Words[next++] = j < 4 ? deposited[j] : back[j - 4];
            }
        }
        queueExit(ALICE, 1);
        vm.warp(block.timestamp + 7 days + 1);
        plan.timestamp = uint32(block.timestamp);
        uint256 before = gasleft();
        settleAs(BOB, one(plan));
        // With what the test itself does, still below the limit of a transaction (2^24).
        assertTrue(before - gasleft() < 1 << 24, "a transaction");
        assertEq(rollup.queueHead(), 512);
    }

    /// @dev The point depends on the blobs: data made for a point is not the data that makes the point.
    function test_RevertWhen_DataChosenAfterThePoint() public {
        Plan memory plan = nextPlan();
        uint256 z = point(plan, "tenon.v1.z_d");
        bytes[] memory proven = proofs(one(plan));
        // The same value at z from other blobs, though z was known before these were made.
        plan.blobs = new uint256[](2);
        plan.blobs[0] = 1;
        plan.blobs[1] = 2;
        assertTrue(point(plan, "tenon.v1.z_d") != z, "another point");
        refused(one(plan), proven, abi.encodeWithSelector(MockVerifier.ProofRejected.selector));
    }

    function test_RevertWhen_EvaluationsSwapped() public {
        Plan memory first = nextPlan();
        Plan memory second = after_(first);
        second.blobs[0] = 2;
        Plan[] memory plans = two(first, second);
        ISettlement.Batch[] memory made = batches(plans);
        (made[0].opening, made[1].opening) = (made[1].opening, made[0].opening);
        bytes[] memory proven = proofs(plans);
        submit(plans, made, proven, IDataAvailability.DataHash.selector);
        // The value alone, under the right commitment.
        made = batches(plans);
        made[0].opening = bytes.concat(bytes32(uint256(2)), ONE, ZERO);
        submit(plans, made, proven, IDataAvailability.OpeningRejected.selector);
    }

    function test_RevertWhen_CommitmentsSwapped() public {
        Plan memory first = nextPlan();
        Plan memory second = after_(first);
        bytes[] memory proven = proofs(two(first, second));
        (first.commit, second.commit) = (second.commit, first.commit);
        refused(two(first, second), proven, abi.encodeWithSelector(MockVerifier.ProofRejected.selector));
    }

    function test_RevertWhen_ValuePlusOrder() public {
        Plan[] memory plans = one(nextPlan());
        ISettlement.Batch[] memory made = batches(plans);
        made[0].opening = bytes.concat(bytes32(BLS_R + 1), ONE, ZERO);
        submit(plans, made, proofs(plans), IDataAvailability.ValueOutOfRange.selector);
    }

    function test_RevertWhen_CommittedUnderAnotherVersion() public {
        Plan[] memory plans = one(nextPlan());
        commit(plans);
        bytes[] memory old = proofs(plans);
        MockVerifier replacement = new MockVerifier(PLACES, false);
        upgradeTo(address(replacement), GOVERNOR);
        ISettlement.Batch[] memory made = batches(plans);
        vm.expectPartialRevert(ISettlement.NotCommitted.selector);
        vm.prank(OPERATOR);
        rollup.prove(1, 0, made, old);
        plans[0].timestamp = uint32(block.timestamp);
        refused(plans, old, abi.encodeWithSelector(MockVerifier.ProofRejected.selector));
    }

    /// @dev The guardian pauses whenever it can, the operator commits garbage and never proves: Alice is out one claim
    /// delay after the deadline of her exit, by anybody's proof.
    function test_OperatorAndGuardianCollude() public {
        uint256[] memory words = queueExit(ALICE, 0);
        words = concat(words, withdrawalWords(0, ALICE, 1 ether));
        vm.deal(address(rollup), 1 ether);
        uint256 end = block.timestamp + 7 days;
        while (block.timestamp + 4 days <= end) {
            vm.prank(GUARDIAN);
            rollup.pause();
            vm.warp(block.timestamp + 2 days);
            Plan memory garbage = nextPlan();
            garbage.number = rollup.lastCommitted() + 1;
            garbage.stateOut = 1;
            commit(one(garbage));
            vm.warp(block.timestamp + 2 days);
        }
        vm.warp(end + 1);
        vm.prank(GUARDIAN);
        rollup.pause();
        Plan memory plan = nextPlan();
        plan.l1Words = words;
        settleAs(BOB, one(plan));
        ISettlement.Outcome memory settled =
            outcome(plan, 0, 1, leaf(IExits.Withdrawal(1, 0, 0, ALICE, 1 ether)));
        vm.warp(block.timestamp + CLAIM_DELAY);
        vm.deal(ALICE, 0);
        rollup.claim(IExits.Withdrawal(1, 0, 0, ALICE, 1 ether), settled, new bytes32[](0), ALICE);
        assertEq(ALICE.balance, 1 ether);
    }

    /// @dev What can't be credited comes back as a withdrawal of the same batch, and is paid as one.
    function test_DepositThatOverflows_IsPaidBack() public {
        uint128 amount = type(uint128).max;
        Plan memory plan = nextPlan();
        plan.l1Words = concat(queueDeposit(ALICE, amount), withdrawalWords(0, ALICE, amount));
        settle(plan);
        IExits.Withdrawal memory back = IExits.Withdrawal(1, 0, 0, ALICE, amount);
        ISettlement.Outcome memory settled = outcome(plan, 0, 1, leaf(back));
        vm.warp(block.timestamp + CLAIM_DELAY);
        vm.deal(ALICE, 0);
        rollup.claim(back, settled, new bytes32[](0), ALICE);
        assertEq(ALICE.balance, amount);
    }

    // Verifiers that accept anything: what the contradiction rule is for.

    /// @dev Batch 2 steals. Its thief contradicts honest batch 1, so that nobody can contradict batch 2 before its
    /// claim delay is over. When batch 1 is confirmed, batch 2 has to be gone.
    function test_RevertWhen_FraudHidesBehindAnotherContradiction() public {
        uint256[] memory deposited = queueDeposit(ALICE, 1 ether);
        Plan memory honest = nextPlan();
        honest.l1Words = deposited;
        settle(honest);
        ISettlement.Outcome memory first = outcome(honest, 0, 1, 0);
        ISettlement.Input memory input_ = input(honest, 0, 1);
        Plan memory fraud = nextPlan();
        fraud.l1Words = withdrawalWords(0, BOB, 1 ether);
        settle(fraud);
        IExits.Withdrawal memory loot = IExits.Withdrawal(2, 0, 0, BOB, 1 ether);
        ISettlement.Outcome memory stolen = outcome(fraud, 1, 1, leaf(loot));

        Plan memory other = honest;
        uint256 stateOut = honest.stateOut;
        other.stateOut = 7;
        rollup.contradict(input_, first, batch(other), proofs(one(other)));
        vm.warp(block.timestamp + 1 days);
        MockVerifier replacement = new MockVerifier(PLACES, false);
        upgradeTo(address(replacement), COUNCIL);
        verifier = replacement;
        honest.stateOut = stateOut;
        rollup.resolve(input_, first, batch(honest), proofs(one(honest)));

        vm.expectRevert(abi.encodeWithSelector(IExits.NotFinal.selector, 2, 1));
        rollup.claim(loot, stolen, new bytes32[](0), BOB);
        assertEq(rollup.lastFinalized(), 1);
        assertEq(rollup.state(), stateOut);
        assertEq(address(rollup).balance, 1 ether);
    }

    /// @dev The proofs of the verifiers that were replaced don't count any more against what the new ones confirmed.
    function test_RevertWhen_ResolvedContradictionIsShownAgain() public {
        Plan memory plan = nextPlan();
        settle(plan);
        ISettlement.Outcome memory first = outcome(plan, 0, 0, 0);
        ISettlement.Input memory input_ = input(plan, 0, 0);
        uint256 stateOut = plan.stateOut;
        plan.stateOut = 7;
        ISettlement.Batch memory other = batch(plan);
        bytes[] memory old = proofs(one(plan));
        rollup.contradict(input_, first, other, old);
        MockVerifier replacement = new MockVerifier(PLACES, false);
        upgradeTo(address(replacement), COUNCIL);
        verifier = replacement;
        plan.stateOut = stateOut;
        rollup.resolve(input_, first, batch(plan), proofs(one(plan)));
        vm.expectPartialRevert(IExits.OutcomeMismatch.selector);
        rollup.contradict(input_, first, other, old);
        first.input = keccak256(abi.encode(keccak256("tenon.v1.input"), input(plan, 0, 0)));
        vm.expectPartialRevert(IExits.InputMismatch.selector);
        rollup.contradict(input_, first, other, old);
        input_ = input(plan, 0, 0);
        vm.expectRevert(abi.encodeWithSelector(MockVerifier.ProofRejected.selector));
        rollup.contradict(input_, first, other, old);
    }

    function upgradeTo(address replacement, address sender) private {
        bytes memory data = abi.encode(kindsOf(replacement));
        vm.prank(GOVERNOR);
        rollup.queueUpgrade(IGovernance.UpgradeKind.Policy, data, 0);
        if (sender == GOVERNOR) vm.warp(block.timestamp + 30 days);
        vm.prank(sender);
        rollup.executeUpgrade(IGovernance.UpgradeKind.Policy, data, 0);
    }

    function refused(Plan[] memory plans, bytes[] memory proven, bytes memory reason) private {
        ISettlement.Batch[] memory made = batches(plans);
        vm.blobhashes(allHashes(plans));
        vm.expectRevert(reason);
        vm.prank(OPERATOR);
        rollup.commitAndProve(plans[0].number, made, attestations(plans), proven);
        noBlobs();
    }

    function submit(
        Plan[] memory plans,
        ISettlement.Batch[] memory made,
        bytes[] memory proven,
        bytes4 reason
    ) private {
        vm.blobhashes(allHashes(plans));
        vm.expectPartialRevert(reason);
        vm.prank(OPERATOR);
        rollup.commitAndProve(plans[0].number, made, attestations(plans), proven);
        noBlobs();
    }
}
