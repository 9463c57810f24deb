// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {RollupFixture} from "./utils/RollupFixture.sol";
import {FeeToken, HookToken, RefusingToken, SilentToken, Token} from "./utils/Tokens.sol";
import {IQueue} from "../src/interfaces/IQueue.sol";
import {ISettlement} from "../src/interfaces/ISettlement.sol";

contract QueueTest is RollupFixture {
    function test_Deposit() public {
        IQueue.Deposit memory made = depositOf(ALICE, 5);
        vm.expectEmit(true, true, false, true, address(rollup));
        emit IQueue.DepositQueued(0, ALICE, made, uint32(block.timestamp + 7 days));
        uint256[] memory words = queueDeposit(ALICE, 5);
        (uint224 hash, uint32 deadline) = rollup.queueEntry(0);
        assertEq(hash, uint224(uint256(keccak256(abi.encodePacked(words)))));
        assertEq(deadline, block.timestamp + 7 days);
        assertEq(rollup.queueTail(), 1);
        assertEq(rollup.queueHead(), 0);
        assertEq(address(rollup).balance, 5);
    }

    function testFuzz_Deposit_Words(uint128 amount, uint256 ax, uint256 ay, address owner, uint32 to) public {
        vm.assume(owner != address(0) && owner != address(rollup) && amount != 0);
        IQueue.Deposit memory made = IQueue.Deposit(0, to, amount, ax % R, ay % R, owner);
        vm.deal(BOB, amount);
        vm.prank(BOB);
        rollup.deposit{value: amount}(0, amount, made.ax, made.ay, owner, to);
        uint256[] memory words = depositWords(made);
        (uint224 hash,) = rollup.queueEntry(0);
        assertEq(hash, uint224(uint256(keccak256(abi.encodePacked(words)))));
        for (uint256 i = 0; i < 4; i++) {
            assertTrue(words[i] < 2 ** 248, "248 bits");
        }
        // And it is consumed.
        Plan memory plan = nextPlan();
        plan.l1Words = words;
        settle(plan);
        assertEq(rollup.queueHead(), 1);
    }

    function test_RevertWhen_DepositIsWrong() public {
        vm.deal(address(this), 10);
        depositReverts(0, 0, 0, 1, 1, ALICE, abi.encodeWithSelector(IQueue.AmountOutOfRange.selector, 0));
        depositReverts(1, 0, 2, 1, 1, ALICE, abi.encodeWithSelector(IQueue.WrongValue.selector, 2, 1));
        depositReverts(1, 0, 1, R, 1, ALICE, abi.encodeWithSelector(IQueue.KeyOutOfRange.selector, R));
        depositReverts(1, 0, 1, 1, R + 1, ALICE, abi.encodeWithSelector(IQueue.KeyOutOfRange.selector, R + 1));
        bytes memory reason = abi.encodeWithSelector(IQueue.InvalidOwner.selector, address(0));
        depositReverts(1, 0, 1, 1, 1, address(0), reason);
        reason = abi.encodeWithSelector(IQueue.InvalidOwner.selector, address(rollup));
        depositReverts(1, 0, 1, 1, 1, address(rollup), reason);
        depositReverts(1, 1, 1, 1, 1, ALICE, abi.encodeWithSelector(IQueue.TokenUnknown.selector, 1));
        uint256 large = uint256(type(uint128).max) + 1;
        vm.deal(address(this), large);
        reason = abi.encodeWithSelector(IQueue.AmountOutOfRange.selector, large);
        depositReverts(large, 0, large, 1, 1, ALICE, reason);
        assertEq(rollup.queueTail(), 0);
    }

    function test_Token() public {
        Token token = new Token();
        assertEq(rollup.tokenCount(), 1);
        vm.prank(BOB);
        assertEq(rollup.registerToken(address(token)), 1);
        assertEq(rollup.tokenAddress(1), address(token));
        assertEq(rollup.tokenId(address(token)), 1);
        assertEq(rollup.tokenAddress(0), address(0));
        token.mint(ALICE, 100);
        vm.startPrank(ALICE);
        token.approve(address(rollup), 60);
        rollup.deposit(1, 60, 1, 2, ALICE, 3);
        vm.stopPrank();
        assertQueued(0, IQueue.Deposit(1, 3, 60, 1, 2, ALICE));
        assertEq(token.balanceOf(address(rollup)), 60);
    }

    function test_RevertWhen_EtherComesWithToken() public {
        rollup.registerToken(address(new Token()));
        vm.deal(address(this), 1);
        depositReverts(1, 1, 1, 1, 1, ALICE, abi.encodeWithSelector(IQueue.WrongValue.selector, 0, 1));
    }

    function test_RevertWhen_TokenRegisteredTwice() public {
        Token token = new Token();
        rollup.registerToken(address(token));
        vm.expectRevert(abi.encodeWithSelector(IQueue.TokenAlreadyRegistered.selector, address(token), 1));
        rollup.registerToken(address(token));
    }

    function test_RevertWhen_TokenHasNoCode() public {
        vm.expectRevert(abi.encodeWithSelector(IQueue.TokenWithoutCode.selector, ALICE));
        rollup.registerToken(ALICE);
    }

    function test_Token_FeeIsNotCredited() public {
        FeeToken token = new FeeToken();
        rollup.registerToken(address(token));
        token.mint(address(this), 1000);
        token.approve(address(rollup), 1000);
        rollup.deposit(1, 1000, 1, 2, ALICE, 3);
        assertQueued(0, IQueue.Deposit(1, 3, 990, 1, 2, ALICE));
        assertEq(token.balanceOf(address(rollup)), 990);
    }

    function test_Token_WithoutReturnValue() public {
        SilentToken token = new SilentToken();
        rollup.registerToken(address(token));
        token.mint(address(this), 9);
        rollup.deposit(1, 9, 1, 2, ALICE, 3);
        assertQueued(0, IQueue.Deposit(1, 3, 9, 1, 2, ALICE));
    }

    function test_RevertWhen_TokenRefuses() public {
        RefusingToken token = new RefusingToken();
        rollup.registerToken(address(token));
        vm.expectRevert(
            abi.encodeWithSelector(
                IQueue.TransferFailed.selector, address(token), address(this), address(rollup), 9
            )
        );
        rollup.deposit(1, 9, 1, 2, ALICE, 3);
    }

    /// @dev A deposit within a deposit would be counted twice.
    function test_RevertWhen_TokenReenters() public {
        HookToken token = new HookToken();
        rollup.registerToken(address(token));
        token.mint(address(this), 9);
        token.mint(address(token), 9);
        token.approve(address(rollup), 9);
        token.hook(address(rollup), abi.encodeCall(rollup.deposit, (1, 1, 1, 2, ALICE, 3)));
        rollup.deposit(1, 9, 1, 2, ALICE, 3);
        assertTrue(!token.succeeded(), "refused");
        assertEq(rollup.queueTail(), 1);
    }

    function test_RequestExit() public {
        vm.expectEmit(true, true, false, true, address(rollup));
        emit IQueue.ExitQueued(0, ALICE, 7, uint32(block.timestamp + 7 days));
        uint256[] memory words = queueExit(ALICE, 7);
        (uint224 hash,) = rollup.queueEntry(0);
        assertEq(hash, uint224(uint256(keccak256(abi.encodePacked(words)))));
        assertEq(rollup.fees(), EXIT_FEE);
        Plan memory plan = nextPlan();
        plan.l1Words = words;
        settle(plan);
        assertEq(rollup.queueHead(), 1);
    }

    function test_RevertWhen_ExitIsWrong() public {
        vm.deal(ALICE, 1 ether);
        vm.expectRevert(abi.encodeWithSelector(IQueue.WrongValue.selector, EXIT_FEE, 0));
        vm.prank(ALICE);
        rollup.requestExit(1);
        vm.expectRevert(abi.encodeWithSelector(IQueue.InvalidAccount.selector, type(uint32).max));
        vm.prank(ALICE);
        rollup.requestExit{value: EXIT_FEE}(type(uint32).max);
    }

    function test_RevertWhen_CodeIsCalledAtItsOwnAddress() public {
        vm.deal(address(this), 1);
        vm.expectRevert(abi.encodeWithSelector(IQueue.NotTheRollup.selector, address(core)));
        core.deposit{value: 1}(0, 1, 1, 1, ALICE, 0);
    }

    // The stream.

    function test_Stream_EveryItem() public {
        uint256[] memory words = queueDeposit(ALICE, 5);
        words = concat(words, withdrawalWords(0, ALICE, 5));
        words = concat(words, queueExit(BOB, 3));
        words = concat(words, withdrawalWords(0, BOB, type(uint128).max));
        words = concat(words, queueDeposit(BOB, 7));
        words = concat(words, withdrawalWords(type(uint32).max, address(type(uint160).max), 1));
        Plan memory plan = nextPlan();
        plan.l1Words = words;
        vm.expectEmit(true, false, false, true, address(rollup));
        emit ISettlement.L1Words(1, words);
        settle(plan);
        assertEq(rollup.queueHead(), 3);
    }

    function test_RevertWhen_DepositDuplicated() public {
        uint256[] memory words = queueDeposit(ALICE, 5);
        streamReverts(concat(words, words), abi.encodeWithSelector(ISettlement.QueueExceeded.selector, 4, 1));
        queueDeposit(BOB, 5);
        (uint224 expected,) = rollup.queueEntry(1);
        (uint224 actual,) = rollup.queueEntry(0);
        streamReverts(
            concat(words, words),
            abi.encodeWithSelector(ISettlement.OperationMismatch.selector, 1, expected, actual)
        );
    }

    function test_RevertWhen_OperationsSkippedOrReordered() public {
        uint256[] memory first = queueDeposit(ALICE, 5);
        uint256[] memory second = queueExit(BOB, 3);
        (uint224 expected,) = rollup.queueEntry(0);
        (uint224 actual,) = rollup.queueEntry(1);
        bytes memory reason =
            abi.encodeWithSelector(ISettlement.OperationMismatch.selector, 0, expected, actual);
        streamReverts(second, reason);
        streamReverts(concat(second, first), reason);
    }

    function testFuzz_RevertWhen_DepositAltered(uint256 word, uint256 bit) public {
        uint256[] memory words = queueDeposit(ALICE, 5);
        (uint224 expected,) = rollup.queueEntry(0);
        word = bound(word, 0, 3);
        // The tag's bits make another item of it.
        bit = bound(bit, word == 0 ? 8 : 0, 247);
        words[word] ^= 2 ** bit;
        uint224 actual = uint224(uint256(keccak256(abi.encodePacked(words))));
        streamReverts(
            words, abi.encodeWithSelector(ISettlement.OperationMismatch.selector, 0, expected, actual)
        );
    }

    function test_RevertWhen_ExitOfAnotherOwner() public {
        queueExit(BOB, 3);
        uint256[] memory words = new uint256[](1);
        words[0] = exitWord(3, ALICE);
        (uint224 expected,) = rollup.queueEntry(0);
        uint224 actual = uint224(uint256(keccak256(abi.encodePacked(words))));
        streamReverts(
            words, abi.encodeWithSelector(ISettlement.OperationMismatch.selector, 0, expected, actual)
        );
    }

    function testFuzz_RevertWhen_WordTooLarge(uint256 index, uint256 word) public {
        uint256[] memory words = concat(queueDeposit(ALICE, 5), withdrawalWords(0, ALICE, 5));
        index = bound(index, 0, words.length - 1);
        // Tags stay, so that the item is still read.
        words[index] |= bound(word, 1, 255) * 2 ** 248;
        bytes memory reason =
            abi.encodeWithSelector(ISettlement.L1WordOutOfRange.selector, index, words[index]);
        streamReverts(words, reason);
    }

    function test_RevertWhen_WordPlusOrder() public {
        uint256[] memory words = withdrawalWords(0, ALICE, 5);
        words[1] += R;
        streamReverts(words, abi.encodeWithSelector(ISettlement.L1WordOutOfRange.selector, 1, words[1]));
    }

    function test_RevertWhen_LeadingZeroWords() public {
        uint256[] memory words = concat(new uint256[](1), withdrawalWords(0, ALICE, 5));
        streamReverts(words, abi.encodeWithSelector(ISettlement.L1UnknownTag.selector, 0, 0));
    }

    function testFuzz_RevertWhen_TagUnknown(uint8 tag) public {
        vm.assume(tag == 0 || tag > 3);
        uint256[] memory words = withdrawalWords(0, ALICE, 5);
        words[0] = words[0] - 3 + tag;
        streamReverts(words, abi.encodeWithSelector(ISettlement.L1UnknownTag.selector, 0, words[0]));
    }

    function test_RevertWhen_StreamEndsWithinAnItem() public {
        uint256[] memory words = queueDeposit(ALICE, 5);
        for (uint256 length = 1; length < 4; length++) {
            uint256[] memory cut = new uint256[](length);
            for (uint256 i = 0; i < length; i++) {
                cut[i] = words[i];
            }
            streamReverts(cut, abi.encodeWithSelector(ISettlement.L1StreamEnds.selector, 4, length));
        }
        words = new uint256[](1);
        words[0] = withdrawalWords(0, ALICE, 5)[0];
        streamReverts(words, abi.encodeWithSelector(ISettlement.L1StreamEnds.selector, 2, 1));
    }

    function test_RevertWhen_WithdrawalMalformed() public {
        uint256[] memory words = withdrawalWords(0, ALICE, 5);
        words[1] = 0;
        streamReverts(words, abi.encodeWithSelector(ISettlement.L1Withdrawal.selector, 0, words[0], 0));
        words[1] = 2 ** 128;
        streamReverts(words, abi.encodeWithSelector(ISettlement.L1Withdrawal.selector, 0, words[0], words[1]));
        words[1] = 5;
        words[0] |= 2 ** 200;
        streamReverts(words, abi.encodeWithSelector(ISettlement.L1Withdrawal.selector, 0, words[0], 5));
    }

    function test_RevertWhen_StreamTooLong() public {
        uint256[] memory words = new uint256[](4097);
        streamReverts(words, abi.encodeWithSelector(ISettlement.L1StreamTooLong.selector, 4096, 4097));
    }

    function test_Stream_AtItsLongest() public {
        uint256[] memory words = new uint256[](4096);
        uint256[] memory item = withdrawalWords(0, ALICE, 5);
        for (uint256 i = 0; i < 4096; i++) {
            words[i] = item[i % 2];
        }
        Plan memory plan = nextPlan();
        plan.l1Words = words;
        settle(plan);
        assertEq(rollup.lastFinalized(), 1);
    }

    function streamReverts(uint256[] memory words, bytes memory reason) private {
        Plan memory plan = nextPlan();
        plan.l1Words = words;
        settleReverts(OPERATOR, one(plan), reason);
    }

    function depositReverts(
        uint256 value,
        uint32 token,
        uint256 amount,
        uint256 ax,
        uint256 ay,
        address owner,
        bytes memory reason
    ) private {
        vm.expectRevert(reason);
        rollup.deposit{value: value}(token, amount, ax, ay, owner, 0);
    }

    function assertQueued(uint64 index, IQueue.Deposit memory made) private view {
        (uint224 hash,) = rollup.queueEntry(index);
        assertEq(hash, uint224(uint256(keccak256(abi.encodePacked(depositWords(made))))));
    }
}
