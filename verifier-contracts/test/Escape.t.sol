// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {StateTrees} from "./utils/StateTrees.sol";
import {Reenterer, Token} from "./utils/Tokens.sol";
import {IExits} from "../src/interfaces/IExits.sol";
import {IQueue} from "../src/interfaces/IQueue.sol";
import {ISettlement} from "../src/interfaces/ISettlement.sol";

contract EscapeTest is StateTrees {
    Token private token;

    /// @dev A rollup with three accounts, and a queue that nobody serves.
    function setUp() public override {
        super.setUp();
        token = new Token();
        addAccount(0, 0, 3, 1 ether, ALICE);
        addAccount(6, 1, 2 ** 40 - 1, 50, BOB);
        addAccount(0xfffffffe, 0, 0, 2 ether, BOB);
        rollup = demo(close(0xffffffff));
        rollup.registerToken(address(token));
        token.mint(address(rollup), 50);
        vm.deal(address(rollup), 3 ether);
    }

    function freeze() private {
        queueDeposit(ALICE, 7 ether);
        vm.warp(block.timestamp + 14 days + 1);
        rollup.freeze();
    }

    function test_Escape() public {
        freeze();
        uint256 before = ALICE.balance;
        rollup.escape(accounts[0], ALICE);
        vm.snapshotGasLastCall("Rollup", "escape");
        assertEq(ALICE.balance - before, 1 ether);
        before = BOB.balance;
        rollup.escape(accounts[1], BOB);
        assertEq(token.balanceOf(BOB), 50);
        rollup.escape(accounts[2], BOB);
        assertEq(BOB.balance - before, 2 ether);
        for (uint256 i = 0; i < 3; i++) {
            assertTrue(rollup.isEscaped(accounts[i].index), "escaped");
            vm.expectRevert(abi.encodeWithSelector(IExits.AlreadyEscaped.selector, accounts[i].index));
            rollup.escape(accounts[i], accounts[i].owner);
        }
        assertTrue(!rollup.isEscaped(1), "not escaped");
        assertEq(address(rollup).balance, 7 ether);
    }

    /// @dev Whole transactions stay below 1.1 million: a transaction's 21,000 and the calldata come on top here.
    function test_Escape_Gas() public {
        freeze();
        bytes memory data = abi.encodeCall(rollup.escape, (accounts[1], BOB));
        uint256 calldataGas = 21_000;
        for (uint256 i = 0; i < data.length; i++) {
            calldataGas += data[i] == 0 ? 4 : 16;
        }
        // Siblings without zeros, as in a full tree.
        calldataGas += 48 * 32 * 12;
        uint256 before = gasleft();
        (bool success,) = address(rollup).call(data);
        uint256 used = before - gasleft() + calldataGas;
        assertTrue(success, "escaped");
        vm.snapshotValue("Rollup", "escape, whole transaction", used);
        assertTrue(used <= 1_100_000, "1.1 million");
    }

    function test_RevertWhen_NotFrozen() public {
        vm.expectRevert(abi.encodeWithSelector(IExits.NotFrozen.selector));
        rollup.escape(accounts[0], ALICE);
        assertEq(rollup.escapeOpensAt(), type(uint256).max);
    }

    function test_Escape_OneClaimDelayAfterTheLastFinalization() public {
        queueDeposit(ALICE, 1 ether);
        vm.warp(block.timestamp + 14 days);
        // A settlement that leaves the overdue operation isn't possible, so one that consumes all comes first.
        queueExit(BOB, 6);
        Plan memory plan = nextPlan();
        plan.stateOut = rollup.state();
        plan.l1Words = depositWords(depositOf(ALICE, 1 ether));
        settle(plan);
        uint256 finalized = block.timestamp;
        vm.warp(finalized + 14 days + 1);
        rollup.freeze();
        assertEq(rollup.escapeOpensAt(), block.timestamp);
        rollup.escape(accounts[0], ALICE);
    }

    function test_RevertWhen_RecipientIsNotTheOwners() public {
        freeze();
        vm.expectRevert(abi.encodeWithSelector(IExits.NotOwner.selector, ALICE, BOB));
        vm.prank(BOB);
        rollup.escape(accounts[0], BOB);
        uint256 before = BOB.balance;
        vm.prank(ALICE);
        rollup.escape(accounts[0], BOB);
        assertEq(BOB.balance - before, 1 ether);
    }

    function test_RevertWhen_FieldPlusOrder() public {
        freeze();
        for (uint256 field = 0; field < 6; field++) {
            IExits.Account memory account = accounts[0];
            string memory name;
            uint256 value;
            if (field == 0) (name, value) = ("balance", account.balance += R);
            if (field == 1) (name, value) = ("ax", account.ax += R);
            if (field == 2) (name, value) = ("ay", account.ay += R);
            if (field == 3) (name, value) = ("root", account.root += R);
            if (field == 4) (name, value) = ("sibling", account.siblings[15][2] += R);
            if (field == 5) (name, value) = ("nonce", account.nonce += 2 ** 40);
            vm.expectRevert(abi.encodeWithSelector(IExits.FieldOutOfRange.selector, name, value));
            rollup.escape(account, ALICE);
        }
        IExits.Account memory changed = accounts[0];
        changed.balance = 0;
        vm.expectRevert(abi.encodeWithSelector(IExits.FieldOutOfRange.selector, "balance", 0));
        rollup.escape(changed, ALICE);
        changed = accounts[0];
        changed.owner = address(0);
        vm.expectRevert(abi.encodeWithSelector(IExits.FieldOutOfRange.selector, "owner", 0));
        rollup.escape(changed, address(0));
        changed = accounts[2];
        changed.nextIndex = changed.index;
        vm.expectRevert(abi.encodeWithSelector(IExits.FieldOutOfRange.selector, "index", changed.index));
        rollup.escape(changed, BOB);
    }

    /// @dev A field of a narrow type with bits above it doesn't decode.
    function test_RevertWhen_CalldataFieldIsDirty() public {
        freeze();
        uint256[4] memory offsets = [uint256(0), 32, 192, 224];
        for (uint256 i = 0; i < offsets.length; i++) {
            bytes memory data = abi.encodeCall(rollup.escape, (accounts[0], ALICE));
            uint256 place = 0x24 + offsets[i];
            assembly ("memory-safe") {
                let word := add(data, place)
                mstore(word, or(mload(word), shl(255, 1)))
            }
            (bool success,) = address(rollup).call(data);
            assertTrue(!success, "refused");
        }
    }

    function testFuzz_RevertWhen_AccountAltered(uint256 field, uint256 bit) public {
        freeze();
        IExits.Account memory account = accounts[1];
        field = bound(field, 0, 9);
        if (field == 0) account.index ^= uint32(1 << bit % 31);
        if (field == 1) account.token ^= uint32(1 << bit % 32);
        if (field == 2) account.nonce ^= 1 << bit % 40;
        if (field == 3) account.balance ^= 1 << bit % 128;
        if (field == 4) account.ax ^= 1 << bit % 250;
        if (field == 5) account.ay ^= 1 << bit % 250;
        if (field == 6) account.owner = address(uint160(account.owner) ^ uint160(1 << bit % 160));
        if (field == 7) account.nextIndex ^= uint32(1 << bit % 31);
        if (field == 8) account.root ^= 1 << bit % 250;
        if (field == 9) account.siblings[bit % 16][bit % 3] ^= 1 << bit % 250;
        vm.assume(account.balance != 0 && account.owner != address(0));
        vm.assume(account.ax < R && account.ay < R && account.root < R);
        vm.assume(account.siblings[bit % 16][bit % 3] < R);
        vm.assume(account.index < account.nextIndex);
        vm.expectPartialRevert(IExits.StateMismatch.selector);
        rollup.escape(account, account.owner);
    }

    function test_Refund() public {
        freeze();
        uint256 before = ALICE.balance;
        rollup.refund(0, depositOf(ALICE, 7 ether), ALICE);
        assertEq(ALICE.balance - before, 7 ether);
        vm.expectPartialRevert(IExits.DepositMismatch.selector);
        rollup.refund(0, depositOf(ALICE, 7 ether), ALICE);
    }

    function test_RevertWhen_RefundIsWrong() public {
        queueExit(BOB, 6);
        freeze();
        vm.expectPartialRevert(IExits.DepositMismatch.selector);
        rollup.refund(1, depositOf(ALICE, 8 ether), ALICE);
        vm.expectPartialRevert(IExits.DepositMismatch.selector);
        rollup.refund(0, depositOf(ALICE, 7 ether), ALICE);
        vm.expectRevert(abi.encodeWithSelector(IExits.NotQueued.selector, 0, 2, 2));
        rollup.refund(2, depositOf(ALICE, 7 ether), ALICE);
        vm.expectRevert(abi.encodeWithSelector(IExits.NotOwner.selector, ALICE, BOB));
        vm.prank(BOB);
        rollup.refund(1, depositOf(ALICE, 7 ether), BOB);
    }

    function test_RevertWhen_RefundOfAConsumedDeposit() public {
        Plan memory plan = nextPlan();
        plan.stateOut = rollup.state();
        plan.l1Words = queueDeposit(ALICE, 1 ether);
        settle(plan);
        freeze();
        vm.expectRevert(abi.encodeWithSelector(IExits.NotQueued.selector, 1, 2, 0));
        rollup.refund(0, depositOf(ALICE, 1 ether), ALICE);
    }

    function test_RevertWhen_RefundBeforeFreeze() public {
        queueDeposit(ALICE, 1 ether);
        vm.expectRevert(abi.encodeWithSelector(IExits.NotFrozen.selector));
        rollup.refund(0, depositOf(ALICE, 1 ether), ALICE);
    }

    function test_RevertWhen_EscapeReenters() public {
        Reenterer reenterer = new Reenterer();
        freeze();
        reenterer.hook(address(rollup), abi.encodeCall(rollup.escape, (accounts[2], BOB)));
        vm.prank(ALICE);
        rollup.escape(accounts[0], address(reenterer));
        assertTrue(!reenterer.succeeded(), "refused");
        assertEq(reenterer.answer(), abi.encodeWithSelector(IQueue.Reentered.selector));
    }

    // The way there.

    function test_Freeze_AtItsBounds() public {
        vm.expectRevert(abi.encodeWithSelector(IExits.QueueEmpty.selector));
        rollup.freeze();
        queueExit(BOB, 6);
        uint256 earliest = block.timestamp + 14 days + 1;
        vm.warp(earliest - 1);
        vm.expectRevert(abi.encodeWithSelector(IExits.TooEarly.selector, earliest, earliest - 1));
        rollup.freeze();
        vm.prank(GUARDIAN);
        rollup.pause();
        vm.warp(earliest);
        rollup.freeze();
        assertTrue(rollup.isFrozen(), "frozen");
        vm.expectRevert(abi.encodeWithSelector(IExits.AlreadyFrozen.selector));
        rollup.freeze();
    }

    function test_RevertWhen_AnythingSettlesWhileFrozen() public {
        Plan[] memory plans = one(nextPlan());
        commit(plans);
        freeze();
        bytes memory reason = abi.encodeWithSelector(ISettlement.Frozen.selector);
        settleReverts(OPERATOR, plans, reason);
        settleReverts(ALICE, plans, reason);
        ISettlement.Header[] memory made = headers(plans);
        vm.expectRevert(reason);
        vm.prank(OPERATOR);
        rollup.commit(2, made);
        ISettlement.Batch[] memory proven = batches(plans);
        bytes[] memory checked = proofs(plans);
        vm.expectRevert(reason);
        vm.prank(OPERATOR);
        rollup.prove(1, 0, proven, checked);
        vm.expectRevert(reason);
        vm.prank(OPERATOR);
        rollup.revertBatches(1);
        vm.expectRevert(reason);
        rollup.deposit{value: 0}(0, 0, 1, 1, ALICE, 0);
        vm.expectRevert(reason);
        vm.prank(ALICE);
        rollup.requestExit(1);
    }
}
