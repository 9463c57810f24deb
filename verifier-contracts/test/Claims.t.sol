// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {RollupFixture} from "./utils/RollupFixture.sol";
import {Reenterer, Refuser, SilentToken, Token} from "./utils/Tokens.sol";
import {IExits} from "../src/interfaces/IExits.sol";
import {IQueue} from "../src/interfaces/IQueue.sol";
import {ISettlement} from "../src/interfaces/ISettlement.sol";

contract ClaimsTest is RollupFixture {
    IExits.Withdrawal[] private withdrawals;
    ISettlement.Outcome private settled;

    /// @dev Settles a batch with withdrawals, after deposits that cover those of ether.
    function settleWithdrawals(IExits.Withdrawal[] memory made) private {
        uint128 total = 0;
        uint256[] memory words;
        for (uint256 i = 0; i < made.length; i++) {
            if (made[i].token == 0) total += made[i].amount;
            words = concat(words, withdrawalWords(made[i].token, made[i].owner, made[i].amount));
            withdrawals.push(made[i]);
        }
        Plan memory plan = nextPlan();
        uint64 head = rollup.queueHead();
        plan.l1Words = total == 0 ? words : concat(queueDeposit(ALICE, total), words);
        settle(plan);
        settled = outcome(plan, head, rollup.queueHead(), root());
        assertEq(rollup.batchHash(plan.number), keccak256(abi.encode(keccak256("tenon.v1.outcome"), settled)));
    }

    function several(uint32 count) private pure returns (IExits.Withdrawal[] memory made) {
        made = new IExits.Withdrawal[](count);
        for (uint32 i = 0; i < count; i++) {
            made[i] = IExits.Withdrawal(1, i, 0, i % 2 == 0 ? ALICE : BOB, 100 + i);
        }
    }

    /// @dev The hash of a subtree, level by level.
    function subtree(uint256 level, uint256 index) private view returns (bytes32) {
        if (index << level >= withdrawals.length) return 0;
        if (level == 0) return leaf(withdrawals[index]);
        return node(subtree(level - 1, 2 * index), subtree(level - 1, 2 * index + 1));
    }

    function depth() private view returns (uint256 levels) {
        while (1 << levels < withdrawals.length) levels++;
    }

    function root() private view returns (bytes32) {
        return withdrawals.length == 0 ? bytes32(0) : subtree(depth(), 0);
    }

    function path(uint256 index) private view returns (bytes32[] memory siblings) {
        siblings = new bytes32[](depth());
        for (uint256 level = 0; level < siblings.length; level++) {
            siblings[level] = subtree(level, index >> level ^ 1);
        }
    }

    function claimReverts(IExits.Withdrawal memory withdrawal, bytes32[] memory siblings, bytes memory reason)
        private
    {
        vm.expectRevert(reason);
        rollup.claim(withdrawal, settled, siblings, withdrawal.owner);
    }

    function testFuzz_Claim_AllOfABatch(uint32 count) public {
        count = uint32(bound(count, 1, 20));
        settleWithdrawals(several(count));
        vm.warp(block.timestamp + CLAIM_DELAY);
        uint256 alice = ALICE.balance;
        uint256 bob = BOB.balance;
        for (uint256 i = 0; i < count; i++) {
            assertTrue(!rollup.isClaimed(1, uint32(i)), "not yet");
            rollup.claim(withdrawals[i], settled, path(i), withdrawals[i].owner);
            assertTrue(rollup.isClaimed(1, uint32(i)), "claimed");
            claimReverts(
                withdrawals[i], path(i), abi.encodeWithSelector(IExits.AlreadyClaimed.selector, 1, i)
            );
        }
        assertEq(address(rollup).balance, 0);
        assertEq(ALICE.balance + BOB.balance - alice - bob, uint256(count) * 100 + count * (count - 1) / 2);
    }

    function test_ClaimDelay_AtItsBounds() public {
        settleWithdrawals(several(1));
        uint256 opens = block.timestamp + CLAIM_DELAY;
        vm.warp(opens - 1);
        claimReverts(
            withdrawals[0], path(0), abi.encodeWithSelector(IExits.TooEarly.selector, opens, opens - 1)
        );
        vm.warp(opens);
        rollup.claim(withdrawals[0], settled, path(0), ALICE);
    }

    function testFuzz_RevertWhen_WithdrawalAltered(uint256 field, uint256 bit) public {
        settleWithdrawals(several(5));
        vm.warp(block.timestamp + CLAIM_DELAY);
        IExits.Withdrawal memory withdrawal = withdrawals[2];
        field = bound(field, 0, 3);
        if (field == 0) withdrawal.index ^= uint32(1 << bit % 3);
        if (field == 1) withdrawal.token ^= uint32(1 << bit % 32);
        if (field == 2) withdrawal.owner = address(uint160(withdrawal.owner) ^ uint160(1 << bit % 160));
        if (field == 3) withdrawal.amount ^= uint128(1 << bit % 128);
        vm.expectPartialRevert(IExits.WithdrawalMismatch.selector);
        rollup.claim(withdrawal, settled, path(2), withdrawal.owner);
    }

    function test_RevertWhen_PathHasAnotherLength() public {
        settleWithdrawals(several(5));
        vm.warp(block.timestamp + CLAIM_DELAY);
        vm.expectPartialRevert(IExits.WithdrawalMismatch.selector);
        rollup.claim(withdrawals[0], settled, new bytes32[](0), ALICE);
        bytes32[] memory long = new bytes32[](4);
        for (uint256 i = 0; i < 3; i++) {
            long[i] = path(0)[i];
        }
        vm.expectPartialRevert(IExits.WithdrawalMismatch.selector);
        rollup.claim(withdrawals[0], settled, long, ALICE);
        claimReverts(
            withdrawals[4], new bytes32[](2), abi.encodeWithSelector(IExits.WithdrawalIndex.selector, 2, 4)
        );
        claimReverts(
            withdrawals[4], new bytes32[](33), abi.encodeWithSelector(IExits.WithdrawalIndex.selector, 33, 4)
        );
    }

    /// @dev A node can't be claimed as a leaf, nor a leaf of one batch in another.
    function test_RevertWhen_OfAnotherBatch() public {
        settleWithdrawals(several(2));
        settle(nextPlan());
        vm.warp(block.timestamp + CLAIM_DELAY);
        IExits.Withdrawal memory withdrawal = withdrawals[0];
        withdrawal.number = 2;
        vm.expectPartialRevert(IExits.OutcomeMismatch.selector);
        rollup.claim(withdrawal, settled, path(0), ALICE);
        withdrawal.number = 3;
        claimReverts(withdrawal, path(0), abi.encodeWithSelector(IExits.NotFinal.selector, 3, 2));
    }

    function testFuzz_RevertWhen_OutcomeAltered(uint256 field, uint256 bit) public {
        settleWithdrawals(several(1));
        vm.warp(block.timestamp + CLAIM_DELAY);
        ISettlement.Outcome memory other = settled;
        field = bound(field, 0, 4);
        uint256 mask = 1 << bit % 256;
        if (field == 0) other.input ^= bytes32(mask);
        if (field == 1) other.stateOut ^= mask;
        if (field == 2) other.l1Hash ^= bytes32(mask);
        if (field == 3) other.withdrawals ^= bytes32(mask);
        if (field == 4) other.finalizedAt ^= uint32(1 << bit % 32);
        vm.expectPartialRevert(IExits.OutcomeMismatch.selector);
        rollup.claim(withdrawals[0], other, path(0), ALICE);
    }

    function test_Claim_RecipientOfTheOwnersChoice() public {
        settleWithdrawals(several(1));
        vm.warp(block.timestamp + CLAIM_DELAY);
        vm.expectRevert(abi.encodeWithSelector(IExits.NotOwner.selector, ALICE, BOB));
        vm.prank(BOB);
        rollup.claim(withdrawals[0], settled, path(0), BOB);
        uint256 before = BOB.balance;
        vm.prank(ALICE);
        rollup.claim(withdrawals[0], settled, path(0), BOB);
        assertEq(BOB.balance - before, 100);
    }

    function test_Claim_FailedTransferBlocksNobodyElse() public {
        IExits.Withdrawal[] memory made = several(2);
        Refuser refuser = new Refuser();
        made[0].owner = address(refuser);
        settleWithdrawals(made);
        vm.warp(block.timestamp + CLAIM_DELAY);
        claimReverts(
            made[0],
            path(0),
            abi.encodeWithSelector(
                IQueue.TransferFailed.selector, address(0), address(rollup), address(refuser), 100
            )
        );
        assertTrue(!rollup.isClaimed(1, 0), "still there");
        rollup.claim(made[1], settled, path(1), BOB);
        vm.prank(address(refuser));
        rollup.claim(made[0], settled, path(0), ALICE);
    }

    function test_RevertWhen_ClaimReenters() public {
        IExits.Withdrawal[] memory made = several(2);
        Reenterer reenterer = new Reenterer();
        made[0].owner = address(reenterer);
        settleWithdrawals(made);
        vm.warp(block.timestamp + CLAIM_DELAY);
        reenterer.hook(
            address(rollup), abi.encodeCall(rollup.claim, (made[1], settled, path(1), made[1].owner))
        );
        rollup.claim(made[0], settled, path(0), made[0].owner);
        assertTrue(!reenterer.succeeded(), "refused");
        assertEq(reenterer.answer(), abi.encodeWithSelector(IQueue.Reentered.selector));
    }

    function test_Claim_Tokens() public {
        Token token = new Token();
        SilentToken silent = new SilentToken();
        rollup.registerToken(address(token));
        rollup.registerToken(address(silent));
        token.mint(address(rollup), 100);
        silent.mint(address(rollup), 101);
        IExits.Withdrawal[] memory made = several(2);
        made[0].token = 1;
        made[1].token = 2;
        settleWithdrawals(made);
        vm.warp(block.timestamp + CLAIM_DELAY);
        rollup.claim(made[0], settled, path(0), ALICE);
        rollup.claim(made[1], settled, path(1), BOB);
        assertEq(token.balanceOf(ALICE), 100);
        assertEq(silent.balanceOf(BOB), 101);
    }

    function test_RevertWhen_TokenUnknown() public {
        IExits.Withdrawal[] memory made = several(1);
        made[0].token = 1;
        settleWithdrawals(made);
        vm.warp(block.timestamp + CLAIM_DELAY);
        claimReverts(made[0], path(0), abi.encodeWithSelector(IQueue.TokenUnknown.selector, 1));
    }

    function test_Claim_WhilePausedAndFrozen() public {
        settleWithdrawals(several(2));
        queueExit(ALICE, 1);
        vm.prank(GUARDIAN);
        rollup.pause();
        vm.warp(block.timestamp + CLAIM_DELAY);
        rollup.claim(withdrawals[0], settled, path(0), ALICE);
        vm.warp(block.timestamp + 15 days);
        rollup.freeze();
        rollup.claim(withdrawals[1], settled, path(1), BOB);
    }

    function test_Gas() public {
        settleWithdrawals(several(16));
        vm.warp(block.timestamp + CLAIM_DELAY);
        rollup.claim(withdrawals[3], settled, path(3), BOB);
        vm.snapshotGasLastCall("Rollup", "claim");
    }
}
