// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {IDataAvailability} from "../../src/interfaces/IDataAvailability.sol";
import {IExits} from "../../src/interfaces/IExits.sol";
import {IGovernance} from "../../src/interfaces/IGovernance.sol";
import {ISettlement} from "../../src/interfaces/ISettlement.sol";
import {Rollup} from "../../src/Rollup.sol";
import {IRollup} from "../../src/interfaces/IRollup.sol";
import {MockVerifier} from "../utils/MockVerifier.sol";
import {Token} from "../utils/Tokens.sol";
import {Ledger} from "./Ledger.sol";
import {ModelVerifier} from "./ModelVerifier.sol";

/// @notice What users, operators, roles and strangers do, at random. Each call is compared with what the model says:
/// whether it has to succeed, and what has to change.
contract Handler is Ledger {
    uint256 private constant DEADLINE = 7 days;

    Token public token;

    // What the model expects of the rollup.
    uint64 public finalized;
    uint64 public committed;
    uint64 public head;
    uint256 public pendingSince;
    uint256 public frozenAt;
    uint256 public finalizedAt;
    uint256 public pausedUntil;
    uint256 public coolDownUntil;
    uint256 public resolvedAt;
    uint256 public fees;
    uint64 public contradicted;
    uint256 public shownAt;
    bool public headFell;

    mapping(uint64 => mapping(uint256 => bool)) private claimed;
    mapping(uint256 => bool) private escaped;
    uint256 private salt;
    uint256 private genesis;
    /// @dev How often each kind of call did something.
    mapping(string => uint256) public calls;

    function setUp() public override {
        vm.warp(START);
        vm.chainId(31337);
        verifier = MockVerifier(address(new ModelVerifier(PLACES)));
        deployHashers();
        core = deployCore(IDataAvailability(address(0)));
        rollup = IRollup(address(new Rollup(configuration(core))));
        token = new Token();
        rollup.registerToken(address(token));
        prepareTrees();
        genesis = stateOf(history[0]);
        assertEq(rollup.state(), genesis);
    }

    // Small things.

    function target() external view returns (IRollup) {
        return rollup;
    }

    function tail() public view returns (uint64) {
        return uint64(operations.length);
    }

    function isFrozen() public view returns (bool) {
        return frozenAt != 0 || contradicted != 0;
    }

    function isOpen() public view returns (bool) {
        if (head < tail() && block.timestamp > operations[head].deadline) return true;
        return pendingSince != 0 && block.timestamp > pendingSince + DEADLINE;
    }

    function person(uint256 seed) private pure returns (address) {
        return seed % 3 == 0 ? ALICE : seed % 3 == 1 ? BOB : address(0xca401);
    }

    function balanceOf(uint32 id) private view returns (uint256) {
        return id == 0 ? address(rollup).balance : token.balanceOf(address(rollup));
    }

    /// @dev Calls, and compares whether that succeeded with what the model expects.
    function attempt(address sender, uint256 value, bytes memory data, bool expected, string memory what)
        private
    {
        uint64 before = rollup.queueHead();
        if (value != 0) vm.deal(sender, sender.balance + value);
        vm.prank(sender);
        (bool success, bytes memory answer) = address(rollup).call{value: value}(data);
        if (success != expected) {
            if (success) revert NotTrue(string.concat(what, ": not refused"));
            assembly ("memory-safe") {
                revert(add(answer, 0x20), mload(answer))
            }
        }
        if (success) calls[what]++;
        else calls[string.concat("refused ", what)]++;
        if (rollup.queueHead() < before && !goesBack) headFell = true;
    }

    bool private goesBack;

    // Users.

    function deposit(uint256 who, uint256 amount, uint256 id, uint256 to) external {
        address owner = person(who);
        Operation memory made;
        made.isDeposit = true;
        made.owner = owner;
        made.token = uint32(id % 2);
        made.amount = uint128(bound(amount, 1, 1 ether));
        made.account = to % 3 == 0 ? uint32(to / 3 % (MAX_ACCOUNTS + 1)) : NEW;
        made.deadline = uint32(block.timestamp + DEADLINE);
        if (made.token == 1) {
            token.mint(owner, made.amount);
            vm.prank(owner);
            token.approve(address(rollup), made.amount);
        }
        bool expected = !isFrozen() && block.timestamp >= pausedUntil;
        attempt(
            owner,
            made.token == 0 ? made.amount : 0,
            abi.encodeCall(rollup.deposit, (made.token, made.amount, AX, AY, owner, made.account)),
            expected,
            "deposit"
        );
        if (expected) operations.push(made);
    }

    /// @dev Nothing but the final freeze refuses a forced exit.
    function requestExit(uint256 who, uint256 account) public {
        Operation memory made;
        made.owner = person(who);
        made.account = uint32(account % MAX_ACCOUNTS);
        made.deadline = uint32(block.timestamp + DEADLINE);
        bytes memory data = abi.encodeCall(rollup.requestExit, (made.account));
        attempt(made.owner, EXIT_FEE, data, frozenAt == 0, "exit");
        if (frozenAt != 0) return;
        fees += EXIT_FEE;
        operations.push(made);
    }

    function claim(uint256 batchSeed, uint256 indexSeed) external {
        if (committed == 0) return;
        uint64 number = uint64(batchSeed % committed + 1);
        Record storage record = records[number];
        if (record.withdrawals.length == 0) return;
        claimOne(number, indexSeed % record.withdrawals.length);
    }

    function claimOne(uint64 number, uint256 index) private {
        Record storage record = records[number];
        IExits.Withdrawal[] memory all = record.withdrawals;
        bool expected = number <= finalized && !claimed[number][index]
            && (contradicted == 0 || number < contradicted)
            && block.timestamp >= record.outcome.finalizedAt + CLAIM_DELAY;
        uint256 before = balanceOf(all[index].token);
        attempt(
            address(this),
            0,
            abi.encodeCall(
                rollup.claim, (all[index], record.outcome, withdrawalPath(all, index), all[index].owner)
            ),
            expected,
            "claim"
        );
        if (!expected) return;
        claimed[number][index] = true;
        assertEq(before - balanceOf(all[index].token), all[index].amount);
    }

    function freeze() public {
        bool expected = frozenAt == 0 && contradicted == 0 && head < tail();
        if (expected) {
            uint256 since = operations[head].deadline;
            if (resolvedAt > since) since = resolvedAt;
            expected = block.timestamp > since + 7 days;
        }
        attempt(address(this), 0, abi.encodeCall(rollup.freeze, ()), expected, "freeze");
        if (expected) frozenAt = block.timestamp;
    }

    function escapeIsOpen() private view returns (bool) {
        return frozenAt != 0 && contradicted == 0 && block.timestamp >= finalizedAt + CLAIM_DELAY;
    }

    function escape(uint256 seed) public {
        Owned[] memory accounts = history[finalized];
        if (accounts.length == 0) return;
        uint32 index = uint32(seed % accounts.length);
        bool expected = escapeIsOpen() && !escaped[index] && accounts[index].balance != 0;
        uint256 before = balanceOf(accounts[index].token);
        attempt(
            address(this),
            0,
            abi.encodeCall(rollup.escape, (pathed(accounts, index), accounts[index].owner)),
            expected,
            "escape"
        );
        if (!expected) return;
        escaped[index] = true;
        assertEq(before - balanceOf(accounts[index].token), accounts[index].balance);
    }

    function refund(uint256 seed) external {
        if (operations.length == 0) return;
        refundOne(uint64(seed % operations.length));
    }

    function refundOne(uint64 place) private {
        Operation storage operation = operations[place];
        bool expected = escapeIsOpen() && place >= head && operation.isDeposit && !operation.refunded;
        bytes memory data = abi.encodeCall(rollup.refund, (place, depositIn(operation), operation.owner));
        attempt(address(this), 0, data, expected, "refund");
        if (expected) operation.refunded = true;
    }

    // Settlement.

    /// @dev A batch after another one, honest: allowed to have a proof.
    function build(uint64 number, uint64 start, uint64 end, uint256 stateIn, uint256 seed)
        private
        returns (Plan memory plan)
    {
        Draft memory made = draft(number, start, end, seed);
        plan.number = number;
        plan.timestamp = uint32(block.timestamp);
        plan.stateIn = stateIn;
        plan.stateOut = stateOf(made.accounts);
        plan.commit = uint256(keccak256(abi.encode(seed, number))) % R;
        plan.l1Words = made.words;
        plan.blobs = new uint256[](1 + seed % 2);
        plan.blobs[0] = 1;
        if (seed % 2 == 1) plan.blobs[1] = 2;
        Record storage record = records[number];
        record.plan = plan;
        record.garbage = false;
        record.queueStart = start;
        record.queueEnd = end;
        delete record.withdrawals;
        for (uint256 i = 0; i < made.withdrawals.length; i++) {
            record.withdrawals.push(made.withdrawals[i]);
        }
        delete history[number];
        for (uint256 i = 0; i < made.accounts.length; i++) {
            history[number].push(made.accounts[i]);
        }
    }

    function allow(Plan[] memory plans) private {
        ModelVerifier(address(verifier)).allow(publicInputs(plans));
    }

    /// @dev Where a run that starts at the queue's head may end.
    function someEnd(uint64 start, uint256 seed) private view returns (uint64) {
        uint64 left = tail() - start;
        if (left > 12) left = 12;
        return start + uint64(seed % (left + 1));
    }

    function forcedIsMet(uint64 end) private view returns (bool) {
        return end == tail() || block.timestamp <= operations[end].deadline;
    }

    function finish(uint64 last) private {
        for (uint64 number = finalized + 1; number <= last; number++) {
            Record storage record = records[number];
            record.input = input(record.plan, record.queueStart, record.queueEnd);
            record.outcome =
                outcome(record.plan, record.queueStart, record.queueEnd, withdrawalRoot(record.withdrawals));
        }
        finalized = last;
        head = records[last].queueEnd;
        finalizedAt = block.timestamp;
    }

    function commit(uint256 seed, bool garbage) external {
        uint64 number = committed + 1;
        uint64 start = committed == 0 ? 0 : records[committed].queueEnd;
        uint256 stateIn = committed == 0 ? rollup.state() : records[committed].plan.stateOut;
        bool expected = !isFrozen() && block.timestamp >= pausedUntil;
        if (!expected) {
            Plan[] memory none = one(nextPlan());
            none[0].number = number;
            vm.blobhashes(allHashes(none));
            attempt(OPERATOR, 0, abi.encodeCall(rollup.commit, (number, headers(none))), false, "commit");
            return noBlobs();
        }
        Plan[] memory plans = one(build(number, start, someEnd(start, seed), stateIn, seed));
        if (garbage && seed % 4 == 0) {
            plans[0].stateOut = stateAfter(number);
            records[number].plan.stateOut = plans[0].stateOut;
            records[number].garbage = true;
        } else if (committed != finalized) {
            records[number].garbage = records[committed].garbage;
        }
        records[number].previous = rollup.batchHash(committed);
        vm.blobhashes(allHashes(plans));
        attempt(OPERATOR, 0, abi.encodeCall(rollup.commit, (number, headers(plans))), true, "commit");
        noBlobs();
        committed = number;
        if (pendingSince == 0) pendingSince = block.timestamp;
    }

    function prove(uint256 seed) external {
        if (committed == finalized) return;
        uint64 last = finalized + 1 + uint64(seed % (committed - finalized));
        if (last > finalized + PLACES) last = finalized + uint64(PLACES);
        Plan[] memory plans = new Plan[](last - finalized);
        bool honest = true;
        for (uint64 i = 0; i < plans.length; i++) {
            plans[i] = records[finalized + 1 + i].plan;
            honest = honest && !records[finalized + 1 + i].garbage;
        }
        if (honest) allow(plans);
        bool expected = honest && !isFrozen() && forcedIsMet(records[last].queueEnd);
        bytes32 previous = records[finalized + 1].previous;
        bytes memory data =
            abi.encodeCall(rollup.prove, (finalized + 1, previous, batches(plans), proofs(plans)));
        attempt(OPERATOR, 0, data, expected, "prove");
        if (!expected) return;
        finish(last);
        pendingSince = committed == finalized ? 0 : block.timestamp;
    }

    function commitAndProve(uint256 seed, bool operator) external {
        uint64 middle = someEnd(head, seed >> 8);
        uint64 end = someEnd(middle, seed >> 16);
        // What isn't consumed though overdue is refused, which is tried now and then alone.
        while (seed >> 24 & 3 != 0 && !forcedIsMet(end)) end++;
        uint64 first = finalized + 1;
        bool allowed = operator && block.timestamp >= pausedUntil;
        bool expected = !isFrozen() && (allowed || isOpen()) && forcedIsMet(end);
        // Records of committed batches are overwritten only if these take their places.
        Plan[] memory plans;
        if (expected) {
            plans = two(build(first, head, middle, rollup.state(), seed), records[0].plan);
            plans[1] = build(first + 1, middle, end, plans[0].stateOut, seed / 2);
        } else {
            plans = one(nextPlan());
        }
        allow(plans);
        submit(operator ? OPERATOR : address(0x57a), first, plans, expected, "commitAndProve");
        if (!expected) return;
        finish(first + 1);
        committed = finalized;
        pendingSince = 0;
    }

    function submit(address sender, uint64 first, Plan[] memory plans, bool expected, string memory what)
        private
    {
        vm.blobhashes(allHashes(plans));
        bytes memory data = abi.encodeCall(
            rollup.commitAndProve, (first, batches(plans), attestations(plans), proofs(plans))
        );
        attempt(sender, 0, data, expected, what);
        noBlobs();
    }

    /// @dev A proof of something else proves nothing, whoever brings it.
    function forge(uint256 seed, bool operator) external {
        Plan memory plan = nextPlan();
        plan.stateOut = seed % R;
        if (seed % 2 == 0) plan.l1Words = withdrawalWords(uint32(seed >> 8 & 1), BOB, 1 ether);
        submit(operator ? OPERATOR : BOB, plan.number, one(plan), false, "forge");
    }

    function revertBatches(uint256 seed) external {
        if (committed == finalized) return;
        uint64 first = finalized + 1 + uint64(seed % (committed - finalized));
        attempt(OPERATOR, 0, abi.encodeCall(rollup.revertBatches, (first)), !isFrozen(), "revert");
        if (!isFrozen()) committed = first - 1;
    }

    // Contradictions: the verifier accepts two outcomes.

    function contradict(uint256 seed) external {
        if (finalized == 0 || seed % 4 != 0) return;
        uint64 number = finalized - uint64(seed / 4 % (finalized < 3 ? finalized : 3));
        Record storage record = records[number];
        bool expected = block.timestamp < record.outcome.finalizedAt + CLAIM_DELAY
            && (contradicted == 0 || number < contradicted);
        Plan memory other = record.plan;
        other.stateOut = stateAfter(number);
        if (record.input.version == rollup.policyVersion()) allow(one(other));
        else expected = false;
        bytes memory data = abi.encodeCall(
            rollup.contradict, (record.input, record.outcome, batch(other), proofs(one(other)))
        );
        attempt(BOB, 0, data, expected, "contradict");
        if (!expected) return;
        contradicted = number;
        shownAt = block.timestamp;
    }

    /// @dev Fixes the verifier, and proves the honest outcome.
    function resolve(uint256 seed) external {
        if (contradicted == 0 || block.timestamp > shownAt + 30 days || seed % 2 == 0) return;
        if (records[contradicted].input.version == rollup.policyVersion()) upgrade(COUNCIL);
        Record storage record = records[contradicted];
        Plan[] memory plans = one(record.plan);
        allow(plans);
        bytes memory data =
            abi.encodeCall(rollup.resolve, (record.input, record.outcome, batch(plans[0]), proofs(plans)));
        goesBack = true;
        attempt(ALICE, 0, data, true, "resolve");
        goesBack = false;
        takeBack(contradicted, record.queueEnd);
        uint32 since = record.outcome.finalizedAt;
        record.input = input(record.plan, record.queueStart, record.queueEnd);
        record.outcome =
            outcome(record.plan, record.queueStart, record.queueEnd, withdrawalRoot(record.withdrawals));
        record.outcome.finalizedAt = since;
        finalizedAt = since;
        resolvedAt = block.timestamp;
        if (pendingSince != 0) pendingSince = block.timestamp;
    }

    function voidContradicted() public {
        if (contradicted == 0) return;
        Record storage record = records[contradicted];
        bool expected = block.timestamp > shownAt + 30 days;
        goesBack = true;
        attempt(ALICE, 0, abi.encodeCall(rollup.voidContradicted, (record.input)), expected, "void");
        goesBack = false;
        if (!expected) return;
        takeBack(contradicted - 1, record.queueStart);
        frozenAt = block.timestamp;
    }

    function takeBack(uint64 last, uint64 to) private {
        finalized = last;
        committed = last;
        head = to;
        contradicted = 0;
    }

    // Roles.

    function pause() public {
        bool expected = block.timestamp >= coolDownUntil;
        attempt(GUARDIAN, 0, abi.encodeCall(rollup.pause, ()), expected, "pause");
        if (!expected) return;
        pausedUntil = block.timestamp + 48 hours;
        coolDownUntil = pausedUntil + 48 hours;
    }

    function unpause(uint256 seed) external {
        address sender = seed % 2 == 0 ? COUNCIL : BOB;
        bool expected = pausedUntil != 0 && (block.timestamp >= pausedUntil || sender == COUNCIL);
        attempt(sender, 0, abi.encodeCall(rollup.unpause, ()), expected, "unpause");
        if (expected) pausedUntil = 0;
    }

    function collectFees() external {
        attempt(GOVERNOR, 0, abi.encodeCall(rollup.collectFees, (GOVERNOR)), true, "fees");
        fees = 0;
    }

    /// @dev Roles and strangers, out of bounds: all refused.
    function overreach(uint256 seed) external {
        bytes[5] memory data = [
            abi.encodeCall(rollup.setOperator, (BOB, true)),
            abi.encodeCall(rollup.pause, ()),
            abi.encodeCall(rollup.queueUpgrade, (IGovernance.UpgradeKind.Code, abi.encode(core), 0)),
            abi.encodeCall(rollup.collectFees, (BOB)),
            abi.encodeCall(rollup.revertBatches, (finalized))
        ];
        address sender = seed % 2 == 0 ? BOB : COUNCIL;
        attempt(sender, 0, data[seed / 2 % 5], false, "overreach");
    }

    /// @dev The same policy with another verifier; queued, and executed once it can be.
    function upgrade(uint256 seed) external {
        if (seed % 8 == 0 && !isFrozen()) upgrade(GOVERNOR);
    }

    function upgrade(address sender) private {
        ModelVerifier next = new ModelVerifier(PLACES);
        bytes memory data = abi.encode(kindsOf(address(next)));
        bytes32 salt_ = bytes32(++salt);
        vm.prank(GOVERNOR);
        rollup.queueUpgrade(IGovernance.UpgradeKind.Policy, data, salt_);
        bytes memory execute_ =
            abi.encodeCall(rollup.executeUpgrade, (IGovernance.UpgradeKind.Policy, data, salt_));
        if (sender == GOVERNOR) {
            vm.warp(block.timestamp + 30 days - 1);
            attempt(sender, 0, execute_, false, "upgrade");
            vm.warp(block.timestamp + 1);
        }
        bool overdue = head < tail() && block.timestamp > operations[head].deadline;
        bool expected = contradicted != 0 ? sender == COUNCIL : !overdue;
        attempt(sender, 0, execute_, expected, "upgrade");
        if (!expected) return;
        verifier = MockVerifier(address(next));
        if (contradicted == 0) committed = finalized;
        assertEq(rollup.lastCommitted(), finalized);
        committed = finalized;
    }

    function warp(uint256 seed) external {
        uint256[8] memory steps =
            [uint256(12), 1 hours, CLAIM_DELAY - 1, CLAIM_DELAY, 12 hours, 1 days, 3 days, 8 days];
        vm.warp(block.timestamp + steps[seed % 8]);
    }

    // What has to hold.

    /// @notice What the rollup owes of a token.
    function owed(uint32 id) external view returns (uint256 sum) {
        if (id == 0) sum = fees;
        Owned[] memory accounts = history[finalized];
        for (uint256 i = 0; i < accounts.length; i++) {
            if (accounts[i].token == id && !escaped[i]) sum += accounts[i].balance;
        }
        for (uint64 number = 1; number <= finalized; number++) {
            IExits.Withdrawal[] memory all = records[number].withdrawals;
            for (uint256 i = 0; i < all.length; i++) {
                if (all[i].token == id && !claimed[number][i]) sum += all[i].amount;
            }
        }
        for (uint256 i = head; i < operations.length; i++) {
            Operation storage operation = operations[i];
            if (operation.isDeposit && operation.token == id && !operation.refunded) sum += operation.amount;
        }
    }

    function held(uint32 id) external view returns (uint256) {
        return balanceOf(id);
    }

    function expectedState() external view returns (uint256) {
        return finalized == 0 ? genesis : records[finalized].plan.stateOut;
    }

    /// @notice Whatever came before, and whatever the roles do: everybody leaves with everything.
    function everybodyLeaves() external {
        if (block.timestamp >= coolDownUntil) pause();
        if (contradicted != 0) {
            vm.warp(shownAt + 30 days + 1);
            voidContradicted();
        }
        if (frozenAt == 0) {
            requestExit(0, 0);
            uint256 since = operations[head].deadline;
            if (resolvedAt > since) since = resolvedAt;
            if (block.timestamp <= since + 7 days) vm.warp(since + 7 days + 1);
            if (block.timestamp >= coolDownUntil) pause();
            freeze();
        }
        escape(0);
        if (block.timestamp < finalizedAt + CLAIM_DELAY) vm.warp(finalizedAt + CLAIM_DELAY);
        assertTrue(block.timestamp >= rollup.escapeOpensAt(), "open");
        takeEverything();
        assertEq(address(rollup).balance, fees);
        assertEq(token.balanceOf(address(rollup)), 0);
        // Nobody leaves twice: with value there again, everything is refused.
        vm.deal(address(rollup), 1000 ether);
        token.mint(address(rollup), 1000 ether);
        takeEverything();
        assertEq(address(rollup).balance, 1000 ether);
        assertEq(token.balanceOf(address(rollup)), 1000 ether);
    }

    function takeEverything() private {
        for (uint64 number = 1; number <= finalized; number++) {
            for (uint256 i = 0; i < records[number].withdrawals.length; i++) {
                claimOne(number, i);
            }
        }
        for (uint256 i = 0; i < history[finalized].length; i++) {
            escape(i);
        }
        for (uint64 i = head; i < operations.length; i++) {
            refundOne(i);
        }
    }
}
