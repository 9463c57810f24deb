// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {RollupFixture} from "./utils/RollupFixture.sol";
import {MockVerifier} from "./utils/MockVerifier.sol";
import {IExits} from "../src/interfaces/IExits.sol";
import {IGovernance} from "../src/interfaces/IGovernance.sol";
import {ISettlement} from "../src/interfaces/ISettlement.sol";

contract ContradictionTest is RollupFixture {
    /// @dev The batch that is contradicted, its other outcome, and what the contract kept of it.
    Plan private plan;
    Plan private other;
    ISettlement.Input private input_;
    ISettlement.Outcome private outcome_;
    uint256 private before;

    /// @dev Batch 2 of 3 consumes a deposit and withdraws.
    function setUp() public override {
        super.setUp();
        settle(nextPlan());
        before = rollup.state();
        uint256[] memory queued = queueDeposit(ALICE, 1 ether);
        plan = nextPlan();
        plan.l1Words = concat(queued, withdrawalWords(0, ALICE, 5));
        settle(plan);
        IExits.Withdrawal memory withdrawal = IExits.Withdrawal(2, 0, 0, ALICE, 5);
        outcome_ = outcome(plan, 0, 1, leaf(withdrawal));
        input_ = input(plan, 0, 1);
        assertEq(rollup.batchHash(2), keccak256(abi.encode(keccak256("tenon.v1.outcome"), outcome_)));
        settle(nextPlan());
        other = plan;
        other.stateOut = 7;
        other.l1Words = concat(queued, withdrawalWords(0, BOB, 6));
    }

    function contradict() private {
        contradictWith(other, "");
    }

    function contradictWith(Plan memory second, bytes memory reason) private {
        ISettlement.Batch memory made = batch(second);
        bytes[] memory proven = proofs(one(second));
        if (reason.length != 0) vm.expectRevert(reason);
        rollup.contradict(input_, outcome_, made, proven);
    }

    /// @dev Puts another verifier in place, with the council's help.
    function replaceVerifier() private {
        MockVerifier replacement = new MockVerifier(PLACES, false);
        bytes memory data = abi.encode(kindsOf(address(replacement)));
        vm.prank(GOVERNOR);
        rollup.queueUpgrade(IGovernance.UpgradeKind.Policy, data, 0);
        vm.prank(COUNCIL);
        rollup.executeUpgrade(IGovernance.UpgradeKind.Policy, data, 0);
        verifier = replacement;
    }

    function resolveWith(Plan memory result) private {
        ISettlement.Batch memory made = batch(result);
        bytes[] memory proven = proofs(one(result));
        rollup.resolve(input_, outcome_, made, proven);
    }

    function test_Contradict() public {
        contradict();
        assertTrue(rollup.isFrozen(), "frozen");
        (uint64 number, uint32 shownAt, uint32 version) = rollup.contradiction();
        assertEq(number, 2);
        assertEq(shownAt, block.timestamp);
        assertEq(version, 1);
        settleReverts(OPERATOR, one(nextPlan()), abi.encodeWithSelector(ISettlement.Frozen.selector));
        // Forced exits can be asked for still.
        queueExit(BOB, 3);
        vm.warp(block.timestamp + 20 days);
        vm.expectRevert(abi.encodeWithSelector(IExits.UnresolvedContradiction.selector, 2));
        rollup.freeze();
    }

    function test_Contradict_AtItsBounds() public {
        vm.warp(block.timestamp + CLAIM_DELAY - 1);
        contradict();
    }

    function test_RevertWhen_ContradictedAfterTheClaimDelay() public {
        uint256 end = block.timestamp + CLAIM_DELAY;
        vm.warp(end);
        contradictWith(other, abi.encodeWithSelector(IExits.TooLate.selector, end - 1, end));
    }

    function test_RevertWhen_TheOutcomeIsTheSame() public {
        contradictWith(plan, abi.encodeWithSelector(IExits.SameOutcome.selector));
    }

    /// @dev Either part of the outcome is enough.
    function test_Contradict_ByStateOrWordsAlone() public {
        other.l1Words = plan.l1Words;
        contradict();
        setUp();
        other.stateOut = plan.stateOut;
        contradict();
    }

    function test_RevertWhen_TheInputDiffers() public {
        Plan memory second = other;
        second.timestamp -= 1;
        ISettlement.Batch memory made = batch(second);
        bytes[] memory proven = proofs(one(second));
        vm.expectPartialRevert(IExits.InputMismatch.selector);
        rollup.contradict(input_, outcome_, made, proven);

        second = other;
        second.blobs[0] = 2;
        made = batch(second);
        proven = proofs(one(second));
        vm.expectPartialRevert(IExits.InputMismatch.selector);
        rollup.contradict(input_, outcome_, made, proven);

        second = other;
        second.l1Words = withdrawalWords(0, BOB, 6);
        made = batch(second);
        proven = proofs(one(second));
        vm.expectPartialRevert(IExits.InputMismatch.selector);
        rollup.contradict(input_, outcome_, made, proven);

        ISettlement.Input memory changed = input_;
        changed.stateIn += 1;
        made = batch(other);
        proven = proofs(one(other));
        vm.expectPartialRevert(IExits.InputMismatch.selector);
        rollup.contradict(changed, outcome_, made, proven);

        ISettlement.Outcome memory wrong = outcome_;
        wrong.stateOut += 1;
        vm.expectPartialRevert(IExits.OutcomeMismatch.selector);
        rollup.contradict(input_, wrong, made, proven);
    }

    function test_RevertWhen_TheProofIsWrong() public {
        ISettlement.Batch memory made = batch(other);
        bytes[] memory proven = proofs(one(plan));
        vm.expectRevert(abi.encodeWithSelector(MockVerifier.ProofRejected.selector));
        rollup.contradict(input_, outcome_, made, proven);
    }

    function test_RevertWhen_ContradictedTwice() public {
        contradict();
        contradictWith(other, abi.encodeWithSelector(IExits.AlreadyContradicted.selector, 2));
    }

    /// @dev An earlier batch may be contradicted as well: the later one falls with it.
    function test_Contradict_AnEarlierBatch() public {
        contradict();
        Plan memory first;
        first.number = 1;
        first.timestamp = uint32(block.timestamp);
        first.stateIn = 0x1c08e9ecd9e01ce23ff321bc9fad51cb0745f075844aed3efb85bcb74b0823f8;
        first.stateOut = stateAfter(1);
        first.commit = uint256(keccak256(abi.encode("commit", uint64(1)))) % R;
        first.blobs = new uint256[](1);
        first.blobs[0] = 1;
        input_ = input(first, 0, 0);
        outcome_ = outcome(first, 0, 0, 0);
        first.stateOut = 9;
        contradictWith(first, "");
        (uint64 number,,) = rollup.contradiction();
        assertEq(number, 1);
    }

    function test_Claims_OfEarlierBatchesGoOn() public {
        contradict();
        vm.warp(block.timestamp + CLAIM_DELAY);
        IExits.Withdrawal memory withdrawal = IExits.Withdrawal(2, 0, 0, ALICE, 5);
        vm.expectRevert(abi.encodeWithSelector(IExits.UnresolvedContradiction.selector, 2));
        rollup.claim(withdrawal, outcome_, new bytes32[](0), ALICE);
        withdrawal.number = 1;
        // Not held back: only there is no such withdrawal.
        vm.expectPartialRevert(IExits.OutcomeMismatch.selector);
        rollup.claim(withdrawal, outcome_, new bytes32[](0), ALICE);
    }

    function test_Resolve_First() public {
        contradict();
        replaceVerifier();
        vm.warp(block.timestamp + 30 days);
        resolveWith(plan);
        assertTrue(!rollup.isFrozen(), "goes on");
        // The batch after it has to be proven anew.
        assertEq(rollup.lastFinalized(), 2);
        assertEq(rollup.state(), plan.stateOut);
        assertEq(rollup.queueHead(), 1);
        // Its outcome counts as proven under the new verifiers, and its claim delay is over.
        ISettlement.Outcome memory confirmed = outcome_;
        confirmed.input = keccak256(abi.encode(keccak256("tenon.v1.input"), input(plan, 0, 1)));
        uint256 had = ALICE.balance;
        rollup.claim(IExits.Withdrawal(2, 0, 0, ALICE, 5), confirmed, new bytes32[](0), ALICE);
        assertEq(ALICE.balance - had, 5);
        settle(nextPlan());
    }

    function test_Resolve_Second() public {
        contradict();
        replaceVerifier();
        resolveWith(other);
        assertTrue(!rollup.isFrozen(), "goes on");
        assertEq(rollup.lastFinalized(), 2);
        assertEq(rollup.state(), 7);
        assertEq(rollup.queueHead(), 1);
        IExits.Withdrawal memory withdrawal = IExits.Withdrawal(2, 0, 0, BOB, 6);
        ISettlement.Outcome memory second = outcome(other, 0, 1, leaf(withdrawal));
        vm.expectPartialRevert(IExits.TooEarly.selector);
        rollup.claim(withdrawal, second, new bytes32[](0), BOB);
        vm.warp(block.timestamp + CLAIM_DELAY);
        rollup.claim(withdrawal, second, new bytes32[](0), BOB);
        vm.expectPartialRevert(IExits.OutcomeMismatch.selector);
        rollup.claim(IExits.Withdrawal(2, 0, 0, ALICE, 5), outcome_, new bytes32[](0), ALICE);
        settle(nextPlan());
        assertEq(rollup.lastFinalized(), 3);
    }

    function test_RevertWhen_ResolvedUnderTheSameVerifiers() public {
        contradict();
        ISettlement.Batch memory made = batch(plan);
        bytes[] memory proven = proofs(one(plan));
        vm.expectRevert(abi.encodeWithSelector(IExits.SameVersion.selector, 1));
        rollup.resolve(input_, outcome_, made, proven);
    }

    function test_RevertWhen_ResolvedWithAThirdOutcome() public {
        contradict();
        replaceVerifier();
        Plan memory third = plan;
        third.stateOut = 8;
        ISettlement.Batch memory made = batch(third);
        bytes[] memory proven = proofs(one(third));
        vm.expectRevert(abi.encodeWithSelector(IExits.NeitherOutcome.selector, 8, l1Hash(third)));
        rollup.resolve(input_, outcome_, made, proven);
    }

    function test_RevertWhen_ResolvedTooLate() public {
        contradict();
        replaceVerifier();
        uint256 end = block.timestamp + 30 days;
        vm.warp(end + 1);
        ISettlement.Batch memory made = batch(plan);
        bytes[] memory proven = proofs(one(plan));
        vm.expectRevert(abi.encodeWithSelector(IExits.TooLate.selector, end, end + 1));
        rollup.resolve(input_, outcome_, made, proven);
    }

    function test_RevertWhen_NothingIsContradicted() public {
        ISettlement.Batch memory made = batch(plan);
        vm.expectRevert(abi.encodeWithSelector(IExits.NoContradiction.selector));
        rollup.resolve(input_, outcome_, made, new bytes[](1));
        vm.expectRevert(abi.encodeWithSelector(IExits.NoContradiction.selector));
        rollup.voidContradicted(input_);
    }

    function test_Void() public {
        contradict();
        uint256 end = block.timestamp + 30 days;
        vm.warp(end);
        vm.expectRevert(abi.encodeWithSelector(IExits.TooEarly.selector, end + 1, end));
        rollup.voidContradicted(input_);
        vm.warp(end + 1);
        ISettlement.Input memory changed = input_;
        changed.stateIn = 1;
        vm.expectPartialRevert(IExits.InputMismatch.selector);
        rollup.voidContradicted(changed);
        rollup.voidContradicted(input_);
        assertTrue(rollup.isFrozen(), "for good");
        assertEq(rollup.lastFinalized(), 1);
        assertEq(rollup.state(), before);
        assertEq(rollup.queueHead(), 0);
        assertEq(rollup.escapeOpensAt(), block.timestamp);
        uint256 had = ALICE.balance;
        rollup.refund(0, depositOf(ALICE, 1 ether), ALICE);
        assertEq(ALICE.balance - had, 1 ether);
        vm.expectRevert(abi.encodeWithSelector(IExits.NotFinal.selector, 2, 1));
        rollup.claim(IExits.Withdrawal(2, 0, 0, ALICE, 5), outcome_, new bytes32[](0), ALICE);
    }

    /// @dev A queue that aged during the contradiction doesn't freeze at once, though it is open at once.
    function test_Freeze_WaitsAfterAResolution() public {
        queueExit(BOB, 3);
        contradict();
        vm.warp(block.timestamp + 29 days);
        replaceVerifier();
        resolveWith(plan);
        assertTrue(rollup.isOpen(), "open");
        uint256 earliest = block.timestamp + 7 days + 1;
        vm.warp(earliest - 1);
        vm.expectRevert(abi.encodeWithSelector(IExits.TooEarly.selector, earliest, earliest - 1));
        rollup.freeze();
        vm.warp(earliest);
        rollup.freeze();
    }

    function test_Upgrade_OnlyOfThePolicyDuringAContradiction() public {
        bytes memory data = abi.encode(address(core));
        vm.prank(GOVERNOR);
        rollup.queueUpgrade(IGovernance.UpgradeKind.Code, data, 0);
        contradict();
        vm.warp(block.timestamp + 30 days);
        vm.expectRevert(abi.encodeWithSelector(ISettlement.Frozen.selector));
        rollup.executeUpgrade(IGovernance.UpgradeKind.Code, data, 0);
    }
}
