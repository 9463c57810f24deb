// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {RollupFixture} from "./utils/RollupFixture.sol";
import {MockVerifier} from "./utils/MockVerifier.sol";
import {Refuser} from "./utils/Tokens.sol";
import {DemoRollup} from "../src/DemoRollup.sol";
import {Rollup} from "../src/Rollup.sol";
import {IDataAvailability} from "../src/interfaces/IDataAvailability.sol";
import {IExits} from "../src/interfaces/IExits.sol";
import {IGovernance} from "../src/interfaces/IGovernance.sol";
import {IPoseidonT3} from "../src/interfaces/IPoseidon.sol";
import {IQueue} from "../src/interfaces/IQueue.sol";
import {IRollup} from "../src/interfaces/IRollup.sol";
import {ISettlement} from "../src/interfaces/ISettlement.sol";
import {RollupAddress} from "../src/rollup/RollupAddress.sol";
import {RollupCore} from "../src/rollup/RollupCore.sol";
import {RollupExits} from "../src/rollup/RollupExits.sol";

contract GovernanceTest is RollupFixture {
    IGovernance.UpgradeKind private constant POLICY = IGovernance.UpgradeKind.Policy;
    IGovernance.UpgradeKind private constant CODE = IGovernance.UpgradeKind.Code;
    IGovernance.UpgradeKind private constant ROLES = IGovernance.UpgradeKind.Roles;

    function unauthorized(address caller) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IGovernance.NotAuthorized.selector, caller);
    }

    function queue(IGovernance.UpgradeKind kind, bytes memory data) private returns (bytes32 id) {
        vm.prank(GOVERNOR);
        return rollup.queueUpgrade(kind, data, 0);
    }

    function policyOf(MockVerifier checker) private pure returns (bytes memory) {
        return abi.encode(kindsOf(address(checker)));
    }

    function executeReverts(IGovernance.UpgradeKind kind, bytes memory data, bytes memory reason) private {
        vm.expectRevert(reason);
        rollup.executeUpgrade(kind, data, 0);
    }

    // Operators and pauses.

    function test_SetOperator() public {
        vm.expectRevert(unauthorized(OPERATOR));
        vm.prank(OPERATOR);
        rollup.setOperator(ALICE, true);
        vm.startPrank(GOVERNOR);
        rollup.setOperator(ALICE, true);
        rollup.setOperator(OPERATOR, false);
        vm.stopPrank();
        assertTrue(rollup.isOperator(ALICE) && !rollup.isOperator(OPERATOR), "swapped");
        settleAs(ALICE, one(nextPlan()));
        bytes memory reason = abi.encodeWithSelector(ISettlement.NotOperator.selector, OPERATOR);
        settleReverts(OPERATOR, one(nextPlan()), reason);
    }

    function test_Pause() public {
        vm.expectRevert(unauthorized(COUNCIL));
        vm.prank(COUNCIL);
        rollup.pause();
        Plan[] memory committed = one(nextPlan());
        commit(committed);
        vm.prank(GUARDIAN);
        rollup.pause();
        uint256 until = block.timestamp + 48 hours;
        assertEq(rollup.pausedUntil(), until);
        assertEq(rollup.coolDownUntil(), until + 48 hours);
        vm.warp(until - 1);
        bytes memory reason = abi.encodeWithSelector(ISettlement.Paused.selector, until);
        settleReverts(OPERATOR, one(nextPlan()), reason);
        Plan[] memory next = one(after_(committed[0]));
        ISettlement.Header[] memory made = headers(next);
        vm.expectRevert(reason);
        vm.prank(OPERATOR);
        rollup.commit(2, made);
        vm.expectRevert(reason);
        rollup.deposit(0, 0, 1, 1, ALICE, 0);
        // What was committed can be proven, and exits asked for.
        prove(0, committed);
        queueExit(ALICE, 1);
        vm.warp(until);
        settle(nextPlan());
        queueDeposit(ALICE, 1);
    }

    function test_Pause_CoolDownAtItsBounds() public {
        vm.prank(GUARDIAN);
        rollup.pause();
        uint256 until = block.timestamp + 96 hours;
        vm.warp(until - 1);
        vm.expectRevert(abi.encodeWithSelector(IGovernance.CoolDown.selector, until));
        vm.prank(GUARDIAN);
        rollup.pause();
        vm.warp(until);
        vm.prank(GUARDIAN);
        rollup.pause();
    }

    function test_Unpause() public {
        vm.expectRevert(abi.encodeWithSelector(IGovernance.NotPaused.selector));
        rollup.unpause();
        vm.prank(GUARDIAN);
        rollup.pause();
        vm.expectRevert(unauthorized(ALICE));
        vm.prank(ALICE);
        rollup.unpause();
        vm.prank(COUNCIL);
        rollup.unpause();
        settle(nextPlan());
        // The cool-down stays.
        vm.expectPartialRevert(IGovernance.CoolDown.selector);
        vm.prank(GUARDIAN);
        rollup.pause();
        vm.warp(block.timestamp + 96 hours);
        vm.prank(GUARDIAN);
        rollup.pause();
        vm.warp(block.timestamp + 48 hours);
        vm.prank(ALICE);
        rollup.unpause();
    }

    function test_CollectFees() public {
        queueExit(ALICE, 1);
        vm.expectRevert(unauthorized(OPERATOR));
        vm.prank(OPERATOR);
        rollup.collectFees(OPERATOR);
        Refuser refuser = new Refuser();
        vm.expectPartialRevert(IQueue.TransferFailed.selector);
        vm.prank(GOVERNOR);
        rollup.collectFees(address(refuser));
        vm.prank(GOVERNOR);
        rollup.collectFees(GOVERNOR);
        assertEq(GOVERNOR.balance, EXIT_FEE);
        assertEq(rollup.fees(), 0);
        assertEq(address(rollup).balance, 0);
    }

    // Upgrades.

    function test_Upgrade_AtItsBounds() public {
        bytes memory data = policyOf(new MockVerifier(PLACES, true));
        bytes32 id = queue(POLICY, data);
        uint256 readyAt = block.timestamp + 30 days;
        assertEq(rollup.upgradeReadyAt(id), readyAt);
        vm.warp(readyAt - 1);
        bytes memory reason = abi.encodeWithSelector(
            IGovernance.UpgradeNotReady.selector, readyAt, readyAt + 14 days, readyAt - 1
        );
        executeReverts(POLICY, data, reason);
        vm.prank(COUNCIL);
        executeReverts(POLICY, data, reason);
        vm.warp(readyAt);
        rollup.executeUpgrade(POLICY, data, 0);
        assertEq(rollup.policyVersion(), 2);
        executeReverts(POLICY, data, abi.encodeWithSelector(IGovernance.UpgradeNotQueued.selector, id));
    }

    function test_Upgrade_Expires() public {
        bytes memory data = policyOf(new MockVerifier(PLACES, true));
        queue(POLICY, data);
        uint256 expiresAt = block.timestamp + 44 days;
        vm.warp(expiresAt + 1);
        executeReverts(
            POLICY,
            data,
            abi.encodeWithSelector(
                IGovernance.UpgradeNotReady.selector, expiresAt - 14 days, expiresAt, expiresAt + 1
            )
        );
        vm.warp(expiresAt);
        rollup.executeUpgrade(POLICY, data, 0);
    }

    function test_Upgrade_Queueing() public {
        bytes memory data = policyOf(new MockVerifier(PLACES, true));
        vm.expectRevert(unauthorized(COUNCIL));
        vm.prank(COUNCIL);
        rollup.queueUpgrade(POLICY, data, 0);
        bytes32 id = queue(POLICY, data);
        vm.expectRevert(abi.encodeWithSelector(IGovernance.UpgradeAlreadyQueued.selector, id));
        vm.prank(GOVERNOR);
        rollup.queueUpgrade(POLICY, data, 0);
        vm.expectRevert(unauthorized(GUARDIAN));
        vm.prank(GUARDIAN);
        rollup.cancelUpgrade(id);
        vm.prank(COUNCIL);
        rollup.cancelUpgrade(id);
        vm.expectRevert(abi.encodeWithSelector(IGovernance.UpgradeNotQueued.selector, id));
        vm.prank(GOVERNOR);
        rollup.cancelUpgrade(id);
        vm.warp(block.timestamp + 30 days);
        executeReverts(POLICY, data, abi.encodeWithSelector(IGovernance.UpgradeNotQueued.selector, id));
    }

    function test_Upgrade_PolicyDiscardsUnproven() public {
        MockVerifier replacement = new MockVerifier(PLACES, true);
        bytes memory data = policyOf(replacement);
        queue(POLICY, data);
        vm.warp(block.timestamp + 30 days);
        Plan[] memory plans = one(nextPlan());
        commit(plans);
        rollup.executeUpgrade(POLICY, data, 0);
        assertEq(rollup.lastCommitted(), 0);
        settleReverts(OPERATOR, plans, abi.encodeWithSelector(MockVerifier.ProofRejected.selector));
        verifier = replacement;
        settle(plans[0]);
        (IGovernance.ProofKind[] memory kinds, uint16 places) = rollup.policy(2);
        assertEq(kinds.length, 1);
        assertEq(kinds[0].verifier, address(replacement));
        assertEq(places, PLACES);
    }

    function test_Upgrade_Code() public {
        RollupCore replacement = deployCore(IDataAvailability(address(0)));
        bytes memory data = abi.encode(address(replacement));
        queue(CODE, data);
        vm.warp(block.timestamp + 30 days);
        settle(nextPlan());
        rollup.executeUpgrade(CODE, data, 0);
        assertEq(rollup.implementation(), address(replacement));
        assertEq(rollup.lastFinalized(), 1);
        settle(nextPlan());
    }

    function test_Upgrade_Roles() public {
        bytes memory data = abi.encode(IGovernance.Roles(ALICE, BOB, COUNCIL));
        queue(ROLES, data);
        vm.warp(block.timestamp + 30 days);
        rollup.executeUpgrade(ROLES, data, 0);
        assertEq(rollup.roles().governor, ALICE);
        vm.prank(BOB);
        rollup.pause();
    }

    /// @dev Whoever waits for an exit leaves under the old code.
    function test_RevertWhen_UpgradedWhileOverdueOrFrozen() public {
        bytes memory data = abi.encode(address(deployCore(IDataAvailability(address(0)))));
        queue(CODE, data);
        vm.warp(block.timestamp + 16 days);
        queueExit(ALICE, 1);
        uint256 deadline = block.timestamp + 7 days;
        vm.warp(block.timestamp + 14 days);
        executeReverts(CODE, data, abi.encodeWithSelector(ISettlement.OverdueOperation.selector, 0, deadline));
        vm.warp(block.timestamp + 1);
        rollup.freeze();
        executeReverts(CODE, data, abi.encodeWithSelector(ISettlement.Frozen.selector));
    }

    function test_RevertWhen_UpgradedToNothing() public {
        bytes memory data = abi.encode(ALICE);
        queue(CODE, data);
        vm.warp(block.timestamp + 30 days);
        executeReverts(CODE, data, abi.encodeWithSelector(IGovernance.WithoutCode.selector, ALICE));
    }

    // Policies.

    function test_Policy_AllKindsHaveToAccept() public {
        MockVerifier second = new MockVerifier(PLACES, true);
        IGovernance.ProofKind[] memory kinds = new IGovernance.ProofKind[](2);
        kinds[0] = IGovernance.ProofKind(1, address(verifier));
        kinds[1] = IGovernance.ProofKind(2, address(second));
        RollupAddress.Configuration memory configured = configuration(core);
        configured.kinds = kinds;
        rollup = rollupAt(configured);
        Plan[] memory plans = one(nextPlan());
        ISettlement.Batch[] memory made = batches(plans);
        bytes[] memory attested = attestations(plans);
        bytes[] memory proven = new bytes[](2);
        proven[0] = verifier.proofOf(publicInputs(plans));
        proven[1] = proven[0];
        vm.blobhashes(allHashes(plans));
        vm.expectRevert(abi.encodeWithSelector(MockVerifier.ProofRejected.selector));
        vm.prank(OPERATOR);
        rollup.commitAndProve(1, made, attested, proven);
        proven[1] = second.proofOf(publicInputs(plans));
        vm.prank(OPERATOR);
        rollup.commitAndProve(1, made, attested, proven);
        assertEq(rollup.lastFinalized(), 1);
    }

    function rollupAt(RollupAddress.Configuration memory configured) private returns (IRollup) {
        return IRollup(address(new Rollup(configured)));
    }

    function test_RevertWhen_PolicyIsWrong() public {
        IGovernance.ProofKind[] memory kinds = new IGovernance.ProofKind[](0);
        policyReverts(kinds, abi.encodeWithSelector(IGovernance.PolicyLength.selector, 8, 0));
        kinds = new IGovernance.ProofKind[](9);
        policyReverts(kinds, abi.encodeWithSelector(IGovernance.PolicyLength.selector, 8, 9));
        kinds = new IGovernance.ProofKind[](2);
        kinds[0] = IGovernance.ProofKind(2, address(verifier));
        kinds[1] = IGovernance.ProofKind(2, address(verifier));
        policyReverts(kinds, abi.encodeWithSelector(IGovernance.PolicyOrder.selector, 2, 2));
        kinds[1] = IGovernance.ProofKind(3, address(new MockVerifier(PLACES + 1, true)));
        policyReverts(kinds, abi.encodeWithSelector(IGovernance.PolicyPlaces.selector, PLACES, PLACES + 1));
        kinds[1] = IGovernance.ProofKind(3, ALICE);
        policyReverts(kinds, abi.encodeWithSelector(IGovernance.WithoutCode.selector, ALICE));
        vm.chainId(1);
        policyReverts(kinds, abi.encodeWithSelector(IGovernance.DevelopmentSetUp.selector, address(verifier)));
    }

    function policyReverts(IGovernance.ProofKind[] memory kinds, bytes memory reason) private {
        RollupAddress.Configuration memory configured = configuration(core);
        configured.kinds = kinds;
        vm.expectRevert(reason);
        new Rollup(configured);
    }

    // Deployment.

    function test_RevertWhen_RolesAreWrong() public {
        address[3][5] memory wrong = [
            [address(0), GUARDIAN, COUNCIL],
            [GOVERNOR, address(0), COUNCIL],
            [GOVERNOR, GUARDIAN, address(0)],
            [COUNCIL, GUARDIAN, COUNCIL],
            [GOVERNOR, COUNCIL, COUNCIL]
        ];
        for (uint256 i = 0; i < wrong.length; i++) {
            RollupAddress.Configuration memory configured = configuration(core);
            configured.roles = IGovernance.Roles(wrong[i][0], wrong[i][1], wrong[i][2]);
            vm.expectRevert(abi.encodeWithSelector(IGovernance.InvalidRoles.selector));
            new Rollup(configured);
        }
    }

    function test_Deploy_OnAPublicChain() public {
        vm.chainId(1);
        verifier = new MockVerifier(PLACES, false);
        rollup = IRollup(address(new Rollup(configuration(core))));
        settle(nextPlan());
    }

    function test_RevertWhen_DemonstrationOnAPublicChain() public {
        vm.chainId(1);
        verifier = new MockVerifier(PLACES, false);
        RollupAddress.Configuration memory configured = configuration(core);
        vm.expectRevert(abi.encodeWithSelector(IGovernance.NotALocalChain.selector, 1));
        new DemoRollup(configured, 5);
    }

    function test_RevertWhen_GenesisIsOutOfRange() public {
        RollupAddress.Configuration memory configured = configuration(core);
        vm.expectRevert(abi.encodeWithSelector(IGovernance.GenesisOutOfRange.selector, R));
        new DemoRollup(configured, R);
    }

    function test_RevertWhen_ParametersAreOutOfBounds() public {
        address code = address(core);
        IDataAvailability none = IDataAvailability(address(0));
        uint256[2] memory delays = [uint256(1 hours - 1), 7 days + 1];
        for (uint256 i = 0; i < 2; i++) {
            vm.expectRevert(
                abi.encodeWithSelector(
                    IGovernance.ParameterOutOfBounds.selector, "claimDelay", 1 hours, 7 days, delays[i]
                )
            );
            new RollupExits(none, code, poseidon2, poseidon4, poseidon5, delays[i]);
        }
        new RollupExits(none, code, poseidon2, poseidon4, poseidon5, 1 hours);
        new RollupExits(none, code, poseidon2, poseidon4, poseidon5, 7 days);
        vm.expectRevert(
            abi.encodeWithSelector(
                IGovernance.ParameterOutOfBounds.selector, "exitFee", 0, 0.01 ether, 0.01 ether + 1
            )
        );
        new RollupCore(none, code, 0.01 ether + 1);
        new RollupCore(none, code, 0.01 ether);
        vm.expectRevert(abi.encodeWithSelector(IGovernance.WithoutCode.selector, ALICE));
        new RollupCore(none, ALICE, 0);
        vm.expectRevert(abi.encodeWithSelector(IGovernance.WithoutCode.selector, ALICE));
        new RollupCore(IDataAvailability(ALICE), code, 0);
        vm.expectRevert(abi.encodeWithSelector(IGovernance.WithoutCode.selector, ALICE));
        new RollupExits(none, ALICE, poseidon2, poseidon4, poseidon5, 1 hours);
    }

    function test_RevertWhen_HasherIsAnother() public {
        OtherHasher other = new OtherHasher();
        vm.expectRevert(abi.encodeWithSelector(RollupExits.NotPoseidon.selector, address(other)));
        new RollupExits(
            IDataAvailability(address(0)),
            address(core),
            IPoseidonT3(address(other)),
            poseidon4,
            poseidon5,
            1 hours
        );
    }

    function test_RevertWhen_FunctionIsUnknown() public {
        (bool success, bytes memory answer) = address(rollup).call(hex"12345678");
        assertTrue(!success && answer.length == 0, "refused");
    }

    /// @dev A proof for one rollup isn't one for another, nor for the same on another chain.
    function test_RevertWhen_ProofIsOfAnotherRollupOrChain() public {
        Plan[] memory plans = one(nextPlan());
        ISettlement.Batch[] memory made = batches(plans);
        bytes[] memory attested = attestations(plans);
        bytes[] memory proven = proofs(plans);
        IRollup other = IRollup(address(new Rollup(configuration(core))));
        vm.blobhashes(allHashes(plans));
        vm.expectRevert(abi.encodeWithSelector(MockVerifier.ProofRejected.selector));
        vm.prank(OPERATOR);
        other.commitAndProve(1, made, attested, proven);
        vm.chainId(1337);
        vm.expectRevert(abi.encodeWithSelector(MockVerifier.ProofRejected.selector));
        vm.prank(OPERATOR);
        rollup.commitAndProve(1, made, attested, proven);
    }
}

contract OtherHasher {
    function hash(uint256[2] calldata inputs) external pure returns (uint256) {
        return inputs[0];
    }
}
