// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {RollupFixture} from "./utils/RollupFixture.sol";
import {Token} from "./utils/Tokens.sol";
import {IExits} from "../src/interfaces/IExits.sol";
import {IQueue} from "../src/interfaces/IQueue.sol";
import {ISettlement} from "../src/interfaces/ISettlement.sol";

/// @notice A token that misbehaves as it is told.
contract EvilToken is Token {
    enum Mode {
        Honest,
        ReturnsFalse,
        ReturnsTwo,
        ReturnsShort,
        ReturnsMuch,
        RevertsWithMuch,
        Blacklists,
        BurnsGas
    }

    Mode public mode;
    address public listed;
    address public target;
    bytes public call;
    bool public succeeded;
    bytes public answer;

    function behave(Mode mode_, address listed_) external {
        mode = mode_;
        listed = listed_;
    }

    function hook(address target_, bytes calldata call_) external {
        target = target_;
        call = call_;
    }

    /// @notice A rebase: takes a share of somebody's balance away.
    function rebase(address holder, uint256 balance) external {
        balanceOf[holder] = balance;
    }

    function transfer(address to, uint256 amount) external override returns (bool) {
        return act(msg.sender, to, amount);
    }

    function transferFrom(address from, address to, uint256 amount) external override returns (bool) {
        return act(from, to, amount);
    }

    function act(address from, address to, uint256 amount) private returns (bool) {
        if (mode == Mode.ReturnsFalse) return false;
        if (mode == Mode.Blacklists && (from == listed || to == listed)) revert("listed");
        if (mode == Mode.BurnsGas) {
            while (true) {}
        }
        move(from, to, amount);
        if (target != address(0)) (succeeded, answer) = target.call(call);
        uint256 length = 0x20;
        uint256 value = 1;
        bool reverts = false;
        if (mode == Mode.ReturnsTwo) value = 2;
        if (mode == Mode.ReturnsShort) length = 31;
        if (mode == Mode.ReturnsMuch) length = 100_000;
        if (mode == Mode.RevertsWithMuch) (length, reverts) = (100_000, true);
        assembly {
            mstore(0, value)
            if reverts { revert(0, length) }
            return(0, length)
        }
    }
}

/// @notice Gets ether the hard way.
contract GasBurner {
    receive() external payable {
        while (true) {}
    }
}

contract ManyBytes {
    receive() external payable {
        assembly {
            revert(0, 1000000)
        }
    }
}

/// @notice Bad tokens and receivers hurt nobody but their holders and themselves.
contract MaliciousTest is RollupFixture {
    EvilToken private evil;
    Token private good;
    IExits.Withdrawal[] private withdrawals;
    ISettlement.Outcome private settled;

    function setUp() public override {
        super.setUp();
        evil = new EvilToken();
        good = new Token();
        assertEq(rollup.registerToken(address(evil)), 1);
        assertEq(rollup.registerToken(address(good)), 2);
        fund(evil);
        fund(good);
    }

    function fund(Token token) private {
        token.mint(ALICE, 1000);
        vm.prank(ALICE);
        token.approve(address(rollup), 1000);
    }

    function depositAs(uint32 token, uint256 amount) private returns (bool success) {
        vm.prank(ALICE);
        (success,) = address(rollup)
            .call(abi.encodeCall(rollup.deposit, (token, amount, 1, 2, ALICE, type(uint32).max)));
    }

    /// @dev Alice deposits 100 of each, and withdraws them in one batch, 60 wei with them.
    function settleWithdrawals(address receiver) private {
        uint256[] memory words = queueDeposit(BOB, 60);
        for (uint32 token = 1; token <= 2; token++) {
            assertTrue(depositAs(token, 100), "deposited");
            words = concat(words, depositWords(IQueue.Deposit(token, type(uint32).max, 100, 1, 2, ALICE)));
        }
        withdrawals.push(IExits.Withdrawal(1, 0, 0, receiver, 60));
        withdrawals.push(IExits.Withdrawal(1, 1, 1, ALICE, 100));
        withdrawals.push(IExits.Withdrawal(1, 2, 2, ALICE, 100));
        for (uint256 i = 0; i < 3; i++) {
            words = concat(
                words, withdrawalWords(withdrawals[i].token, withdrawals[i].owner, withdrawals[i].amount)
            );
        }
        Plan memory plan = nextPlan();
        plan.l1Words = words;
        settle(plan);
        bytes32 root =
            node(node(leaf(withdrawals[0]), leaf(withdrawals[1])), node(leaf(withdrawals[2]), bytes32(0)));
        settled = outcome(plan, 0, 3, root);
        vm.warp(block.timestamp + CLAIM_DELAY);
    }

    function claim(uint256 index, address caller, address recipient) private returns (bool success) {
        bytes32[] memory path = new bytes32[](2);
        path[0] = index == 2 ? bytes32(0) : leaf(withdrawals[index ^ 1]);
        path[1] = index == 2
            ? node(leaf(withdrawals[0]), leaf(withdrawals[1]))
            : node(leaf(withdrawals[2]), bytes32(0));
        vm.prank(caller);
        (success,) = address(rollup).call{gas: 5_000_000}(
            abi.encodeCall(rollup.claim, (withdrawals[index], settled, path, recipient))
        );
    }

    /// @dev However the token answers: a deposit either counts in full or leaves no trace.
    function test_Deposit_HoweverTheTokenAnswers() public {
        for (uint256 mode = 0; mode <= uint256(type(EvilToken.Mode).max); mode++) {
            evil.behave(EvilToken.Mode(mode), ALICE);
            uint64 tail = rollup.queueTail();
            uint256 held = evil.balanceOf(address(rollup));
            vm.prank(ALICE);
            (bool success,) = address(rollup).call{gas: 3_000_000}(
                abi.encodeCall(rollup.deposit, (1, 10, 1, 2, ALICE, type(uint32).max))
            );
            bool fine = mode == uint256(EvilToken.Mode.Honest) || mode == uint256(EvilToken.Mode.ReturnsMuch);
            assertTrue(success == fine, "as it answers");
            assertEq(rollup.queueTail(), fine ? tail + 1 : tail);
            assertEq(evil.balanceOf(address(rollup)), fine ? held + 10 : held);
        }
        assertTrue(depositAs(2, 10), "the good token");
    }

    /// @dev A claim that fails can be tried again, and the others are paid meanwhile.
    function test_Claim_HoweverTheTokenAnswers() public {
        settleWithdrawals(BOB);
        for (uint256 mode = 1; mode <= uint256(type(EvilToken.Mode).max); mode++) {
            if (mode == uint256(EvilToken.Mode.ReturnsMuch)) continue;
            evil.behave(EvilToken.Mode(mode), ALICE);
            assertTrue(!claim(1, ALICE, ALICE), "fails");
            assertTrue(!rollup.isClaimed(1, 1), "not claimed");
        }
        assertTrue(claim(0, BOB, BOB) && claim(2, BOB, ALICE), "others");
        assertEq(good.balanceOf(ALICE), 1000);
        // Blacklisted, Alice has somebody else paid.
        evil.behave(EvilToken.Mode.Blacklists, ALICE);
        assertTrue(claim(1, ALICE, BOB), "another recipient");
        assertEq(evil.balanceOf(BOB), 100);
    }

    /// @dev A rebase down: the first ones to claim are paid, of this token; everything else is untouched.
    function test_Rebase_HurtsItsHoldersAlone() public {
        settleWithdrawals(BOB);
        evil.rebase(address(rollup), 99);
        assertTrue(!claim(1, ALICE, ALICE), "short");
        assertTrue(claim(0, BOB, BOB) && claim(2, BOB, ALICE), "others");
        evil.rebase(address(rollup), 100);
        assertTrue(claim(1, ALICE, ALICE), "made good");
    }

    /// @dev Out of deposit and claim, every entry point that moves value is closed, and the others do no harm.
    function test_Reentry_IntoEveryEntryPoint() public {
        settleWithdrawals(BOB);
        bytes32[] memory path = new bytes32[](2);
        path[0] = bytes32(0);
        path[1] = node(leaf(withdrawals[0]), leaf(withdrawals[1]));
        IExits.Account memory account;
        account.owner = ALICE;
        bytes[5] memory closed = [
            abi.encodeCall(rollup.deposit, (2, 1, 1, 2, ALICE, 0)),
            abi.encodeCall(rollup.claim, (withdrawals[2], settled, path, ALICE)),
            abi.encodeCall(rollup.escape, (account, ALICE)),
            abi.encodeCall(rollup.refund, (0, depositOf(ALICE, 1), ALICE)),
            abi.encodeCall(rollup.collectFees, (ALICE))
        ];
        for (uint256 i = 0; i < closed.length; i++) {
            evil.hook(address(rollup), closed[i]);
            assertTrue(depositAs(1, 10), "deposited");
            assertTrue(!evil.succeeded(), "closed");
            if (i != 4) assertEq(evil.answer(), abi.encodeWithSelector(IQueue.Reentered.selector));
        }
        evil.hook(address(rollup), closed[1]);
        assertTrue(claim(1, ALICE, ALICE), "claimed");
        assertEq(evil.answer(), abi.encodeWithSelector(IQueue.Reentered.selector));
        assertTrue(!rollup.isClaimed(1, 2), "only one");
    }

    /// @dev An exit asked for from within a deposit comes before it; both are whole.
    function test_Reentry_IntoTheQueue() public {
        evil.hook(address(rollup), abi.encodeCall(rollup.registerToken, (address(this))));
        assertTrue(depositAs(1, 10), "deposited");
        assertTrue(evil.succeeded(), "registered");
        assertEq(rollup.queueTail(), 1);
        (uint224 hash,) = rollup.queueEntry(0);
        IQueue.Deposit memory made = IQueue.Deposit(1, type(uint32).max, 10, 1, 2, ALICE);
        assertEq(hash, uint224(uint256(keccak256(abi.encodePacked(depositWords(made))))));
        assertEq(evil.balanceOf(address(rollup)), 10);
    }

    function test_EtherReceivers_HurtThemselvesAlone() public {
        address[2] memory receivers = [address(new GasBurner()), address(new ManyBytes())];
        for (uint256 i = 0; i < 2; i++) {
            setUp();
            delete withdrawals;
            settleWithdrawals(receivers[i]);
            assertTrue(!claim(0, ALICE, receivers[i]), "fails");
            assertTrue(!rollup.isClaimed(1, 0), "not claimed");
            assertTrue(claim(1, BOB, ALICE) && claim(2, BOB, ALICE), "others");
            // As the owner it can name somebody else.
            assertTrue(claim(0, receivers[i], BOB), "another recipient");
        }
    }
}
