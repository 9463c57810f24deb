// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {PoseidonT3} from "poseidon-solidity/PoseidonT3.sol";
import {PoseidonT5} from "poseidon-solidity/PoseidonT5.sol";
import {PoseidonT6} from "poseidon-solidity/PoseidonT6.sol";
import {DemoRollup} from "../../src/DemoRollup.sol";
import {Rollup} from "../../src/Rollup.sol";
import {IDataAvailability} from "../../src/interfaces/IDataAvailability.sol";
import {IGovernance} from "../../src/interfaces/IGovernance.sol";
import {IPoseidonT3, IPoseidonT5, IPoseidonT6} from "../../src/interfaces/IPoseidon.sol";
import {IExits} from "../../src/interfaces/IExits.sol";
import {IQueue} from "../../src/interfaces/IQueue.sol";
import {IRollup} from "../../src/interfaces/IRollup.sol";
import {ISettlement} from "../../src/interfaces/ISettlement.sol";
import {RollupAddress} from "../../src/rollup/RollupAddress.sol";
import {RollupCore} from "../../src/rollup/RollupCore.sol";
import {RollupExits} from "../../src/rollup/RollupExits.sol";
import {RollupGovernance} from "../../src/rollup/RollupGovernance.sol";
import {MockVerifier} from "./MockVerifier.sol";
import {Test} from "./Test.sol";

/// @notice A deployed rollup with a mock verifier, and batches for it. What the contract derives is derived here once
/// more, from the protocol's text.
abstract contract RollupFixture is Test {
    uint256 internal constant R = 0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001;
    uint256 internal constant BLS_R = 0x73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001;
    uint256 internal constant START = 1_800_000_000;
    uint256 internal constant PLACES = 4;
    uint256 internal constant CLAIM_DELAY = 3 hours;
    uint256 internal constant EXIT_FEE = 0.001 ether;
    uint16 internal constant HALO2 = 1;
    address internal constant OPERATOR = address(0x0901);
    address internal constant GOVERNOR = address(0x0902);
    address internal constant GUARDIAN = address(0x0903);
    address internal constant COUNCIL = address(0x0904);
    address internal constant ALICE = address(0xa11ce);
    address internal constant BOB = address(0xb0b);

    /// @dev Commitments to the constant polynomials 1 and 2: the generator and its double.
    bytes internal constant ONE =
        hex"97f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb";
    bytes internal constant TWO =
        hex"a572cbea904d67468808c8eb50a9450c9721db309128012543902d0ac358a62ae28f75bb8f1c7c42c39a8c5529bf0f4e";
    /// @dev The point at infinity: commitment to 0, proof for every constant.
    bytes internal constant ZERO =
        hex"c00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000";

    /// @dev A batch before the contract sees it.
    struct Plan {
        uint64 number;
        uint32 timestamp;
        uint256 stateIn;
        uint256 stateOut;
        uint256 commit;
        uint256[] l1Words;
        /// The constants in its blobs, 1 or 2.
        uint256[] blobs;
    }

    IRollup internal rollup;
    MockVerifier internal verifier;
    IPoseidonT3 internal poseidon2;
    IPoseidonT5 internal poseidon4;
    IPoseidonT6 internal poseidon5;
    RollupCore internal core;

    function setUp() public virtual {
        vm.warp(START);
        vm.chainId(31337);
        verifier = new MockVerifier(PLACES, true);
        deployHashers();
        core = deployCore(IDataAvailability(address(0)));
        rollup = IRollup(address(new Rollup(configuration(core))));
        vm.deal(ALICE, 1000 ether);
        vm.deal(BOB, 1000 ether);
    }

    function deployHashers() internal {
        poseidon2 = IPoseidonT3(create(type(PoseidonT3).creationCode));
        poseidon4 = IPoseidonT5(create(type(PoseidonT5).creationCode));
        poseidon5 = IPoseidonT6(create(type(PoseidonT6).creationCode));
    }

    function create(bytes memory code) internal returns (address created) {
        assembly ("memory-safe") {
            created := create(0, add(code, 0x20), mload(code))
        }
        assertTrue(created != address(0), "created");
    }

    function deployCore(IDataAvailability data_) internal returns (RollupCore) {
        RollupGovernance governance = new RollupGovernance();
        RollupExits exits =
            new RollupExits(data_, address(governance), poseidon2, poseidon4, poseidon5, CLAIM_DELAY);
        return new RollupCore(data_, address(exits), EXIT_FEE);
    }

    function configuration(RollupCore core_)
        internal
        view
        returns (RollupAddress.Configuration memory configured)
    {
        configured.implementation = address(core_);
        configured.roles = IGovernance.Roles(GOVERNOR, GUARDIAN, COUNCIL);
        configured.operators = new address[](1);
        configured.operators[0] = OPERATOR;
        configured.kinds = kindsOf(address(verifier));
    }

    function kindsOf(address checker) internal pure returns (IGovernance.ProofKind[] memory kinds) {
        kinds = new IGovernance.ProofKind[](1);
        kinds[0] = IGovernance.ProofKind(HALO2, checker);
    }

    function demo(uint256 genesis) internal returns (IRollup) {
        return IRollup(address(new DemoRollup(configuration(core), genesis)));
    }

    // Batches.

    /// @notice The next batch on top of the last final one, with one blob and no L1 words.
    function nextPlan() internal view returns (Plan memory plan) {
        plan.number = rollup.lastFinalized() + 1;
        plan.timestamp = uint32(block.timestamp);
        plan.stateIn = rollup.state();
        plan.stateOut = stateAfter(plan.number);
        plan.commit = uint256(keccak256(abi.encode("commit", plan.number))) % R;
        plan.blobs = new uint256[](1);
        plan.blobs[0] = 1;
    }

    /// @notice The batch after a planned one.
    function after_(Plan memory before) internal pure returns (Plan memory plan) {
        plan.number = before.number + 1;
        plan.timestamp = before.timestamp;
        plan.stateIn = before.stateOut;
        plan.stateOut = stateAfter(plan.number);
        plan.commit = uint256(keccak256(abi.encode("commit", plan.number))) % R;
        plan.blobs = new uint256[](1);
        plan.blobs[0] = 1;
    }

    function stateAfter(uint64 number) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode("state", number))) % R;
    }

    function one(Plan memory plan) internal pure returns (Plan[] memory plans) {
        plans = new Plan[](1);
        plans[0] = plan;
    }

    function two(Plan memory first, Plan memory second) internal pure returns (Plan[] memory plans) {
        plans = new Plan[](2);
        plans[0] = first;
        plans[1] = second;
    }

    function versioned(bytes memory commitment) internal pure returns (bytes32) {
        return bytes32((uint256(sha256(commitment)) & (type(uint256).max >> 8)) | 1 << 248);
    }

    function commitmentOf(uint256 constant_) internal pure returns (bytes memory) {
        return constant_ == 0 ? ZERO : constant_ == 1 ? ONE : TWO;
    }

    function blobHashes(Plan memory plan) internal pure returns (bytes32[] memory hashes) {
        hashes = new bytes32[](plan.blobs.length);
        for (uint256 i = 0; i < hashes.length; i++) {
            hashes[i] = versioned(commitmentOf(plan.blobs[i]));
        }
    }

    function dataHash(Plan memory plan) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(blobHashes(plan)));
    }

    function l1Hash(Plan memory plan) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(plan.l1Words));
    }

    function headers(Plan[] memory plans) internal pure returns (ISettlement.Header[] memory made) {
        made = new ISettlement.Header[](plans.length);
        for (uint256 i = 0; i < plans.length; i++) {
            Plan memory plan = plans[i];
            made[i] = ISettlement.Header(
                plan.timestamp,
                plan.stateOut,
                plan.commit,
                l1Hash(plan),
                abi.encodePacked(uint8(plan.blobs.length))
            );
        }
    }

    function batches(Plan[] memory plans) internal pure returns (ISettlement.Batch[] memory made) {
        made = new ISettlement.Batch[](plans.length);
        for (uint256 i = 0; i < plans.length; i++) {
            made[i] = batch(plans[i]);
        }
    }

    function batch(Plan memory plan) internal pure returns (ISettlement.Batch memory) {
        bytes memory opening;
        for (uint256 i = 0; i < plan.blobs.length; i++) {
            opening = bytes.concat(opening, bytes32(plan.blobs[i]), commitmentOf(plan.blobs[i]), ZERO);
        }
        return
            ISettlement.Batch(
                plan.timestamp, plan.stateOut, plan.commit, dataHash(plan), plan.l1Words, opening
            );
    }

    function attestations(Plan[] memory plans) internal pure returns (bytes[] memory made) {
        made = new bytes[](plans.length);
        for (uint256 i = 0; i < plans.length; i++) {
            made[i] = abi.encodePacked(uint8(plans[i].blobs.length));
        }
    }

    function allHashes(Plan[] memory plans) internal pure returns (bytes32[] memory hashes) {
        uint256 count = 0;
        for (uint256 i = 0; i < plans.length; i++) {
            count += plans[i].blobs.length;
        }
        hashes = new bytes32[](count);
        count = 0;
        for (uint256 i = 0; i < plans.length; i++) {
            bytes32[] memory own = blobHashes(plans[i]);
            for (uint256 j = 0; j < own.length; j++) {
                hashes[count++] = own[j];
            }
        }
    }

    /// @notice A proof for planned batches.
    function proofs(Plan[] memory plans) internal view returns (bytes[] memory made) {
        made = new bytes[](1);
        made[0] = verifier.proofOf(publicInputs(plans));
    }

    function point(Plan memory plan, string memory tag) internal view returns (uint256) {
        bytes32 hash = keccak256(
            abi.encode(
                keccak256(bytes(tag)),
                rollup.domain(),
                uint256(plan.number) | uint256(plan.timestamp) << 64,
                plan.stateIn,
                plan.stateOut,
                plan.commit,
                l1Hash(plan),
                dataHash(plan)
            )
        );
        return uint128(uint256(hash));
    }

    function publicInputs(Plan[] memory plans) internal view returns (uint256[] memory values) {
        values = new uint256[](10 * PLACES);
        for (uint256 i = 0; i < plans.length; i++) {
            Plan memory plan = plans[i];
            values[10 * i] = rollup.domain();
            values[10 * i + 1] = uint256(plan.number) | uint256(plan.timestamp) << 64;
            values[10 * i + 2] = plan.stateIn;
            values[10 * i + 3] = plan.stateOut;
            values[10 * i + 4] = plan.commit;
            uint256 z = point(plan, "tenon.v1.z_d");
            uint256 y = 0;
            for (uint256 j = 0; j < plan.blobs.length; j++) {
                uint256 power = 1;
                for (uint256 k = 0; k < 4096 * j; k++) {
                    power = mulmod(power, z, BLS_R);
                }
                y = addmod(y, mulmod(power, plan.blobs[j], BLS_R), BLS_R);
            }
            values[10 * i + 5] = z;
            values[10 * i + 6] = y & type(uint128).max;
            values[10 * i + 7] = y >> 128;
            z = point(plan, "tenon.v1.z_l");
            y = 0;
            for (uint256 j = 0; j < plan.l1Words.length; j++) {
                y = addmod(mulmod(y, z, R), plan.l1Words[j], R);
            }
            values[10 * i + 8] = z;
            values[10 * i + 9] = y;
        }
    }

    /// @notice Commits and proves in one call, as the operator.
    function settle(Plan[] memory plans) internal {
        settleAs(OPERATOR, plans);
    }

    function settle(Plan memory plan) internal {
        settle(one(plan));
    }

    function settleAs(address sender, Plan[] memory plans) internal {
        ISettlement.Batch[] memory made = batches(plans);
        bytes[] memory attested = attestations(plans);
        bytes[] memory proven = proofs(plans);
        vm.blobhashes(allHashes(plans));
        vm.prank(sender);
        rollup.commitAndProve(plans[0].number, made, attested, proven);
        noBlobs();
    }

    /// @notice The same, expected to revert.
    function settleReverts(address sender, Plan[] memory plans, bytes memory reason) internal {
        ISettlement.Batch[] memory made = batches(plans);
        bytes[] memory attested = attestations(plans);
        bytes[] memory proven = proofs(plans);
        vm.blobhashes(allHashes(plans));
        vm.expectRevert(reason);
        vm.prank(sender);
        rollup.commitAndProve(plans[0].number, made, attested, proven);
        noBlobs();
    }

    function commit(Plan[] memory plans) internal {
        ISettlement.Header[] memory made = headers(plans);
        vm.blobhashes(allHashes(plans));
        vm.prank(OPERATOR);
        rollup.commit(plans[0].number, made);
        noBlobs();
    }

    function prove(bytes32 previous, Plan[] memory plans) internal {
        ISettlement.Batch[] memory made = batches(plans);
        bytes[] memory proven = proofs(plans);
        vm.prank(OPERATOR);
        rollup.prove(plans[0].number, previous, made, proven);
    }

    function noBlobs() internal {
        vm.blobhashes(new bytes32[](0));
    }

    // The queue.

    /// @notice Alice's key and hers alone.
    function depositOf(address owner, uint128 amount) internal pure returns (IQueue.Deposit memory) {
        return IQueue.Deposit(0, type(uint32).max, amount, R - 1, R - 2, owner);
    }

    function queueDeposit(address owner, uint128 amount) internal returns (uint256[] memory words) {
        IQueue.Deposit memory deposit = depositOf(owner, amount);
        vm.deal(address(this), amount);
        rollup.deposit{value: amount}(0, amount, deposit.ax, deposit.ay, owner, deposit.to);
        return depositWords(deposit);
    }

    function queueExit(address owner, uint32 account) internal returns (uint256[] memory words) {
        vm.deal(owner, owner.balance + EXIT_FEE);
        vm.prank(owner);
        rollup.requestExit{value: EXIT_FEE}(account);
        words = new uint256[](1);
        words[0] = exitWord(account, owner);
    }

    function depositWords(IQueue.Deposit memory deposit) internal pure returns (uint256[] memory words) {
        words = new uint256[](4);
        words[0] = 1 + uint256(deposit.token) * 2 ** 8 + uint256(deposit.to) * 2 ** 40
            + uint256(deposit.amount) * 2 ** 72;
        words[1] = deposit.token + uint256(uint160(deposit.owner)) * 2 ** 32 + deposit.ax / 2 ** 248 * 2
            ** 192 + deposit.ay / 2 ** 248 * 2 ** 198;
        words[2] = deposit.ax % 2 ** 248;
        words[3] = deposit.ay % 2 ** 248;
    }

    function exitWord(uint32 account, address owner) internal pure returns (uint256) {
        return 2 + uint256(account) * 2 ** 8 + uint256(uint160(owner)) * 2 ** 40;
    }

    function withdrawalWords(uint32 token, address owner, uint128 amount)
        internal
        pure
        returns (uint256[] memory words)
    {
        words = new uint256[](2);
        words[0] = 3 + uint256(token) * 2 ** 8 + uint256(uint160(owner)) * 2 ** 40;
        words[1] = amount;
    }

    function concat(uint256[] memory a, uint256[] memory b) internal pure returns (uint256[] memory joined) {
        joined = new uint256[](a.length + b.length);
        for (uint256 i = 0; i < joined.length; i++) {
            joined[i] = i < a.length ? a[i] : b[i - a.length];
        }
    }

    // Outcomes.

    function input(Plan memory plan, uint64 queueStart, uint64 queueEnd)
        internal
        view
        returns (ISettlement.Input memory)
    {
        return ISettlement.Input(
            rollup.policyVersion(),
            plan.number,
            plan.timestamp,
            plan.stateIn,
            dataHash(plan),
            queueStart,
            queueEnd
        );
    }

    function outcome(Plan memory plan, uint64 queueStart, uint64 queueEnd, bytes32 withdrawals)
        internal
        view
        returns (ISettlement.Outcome memory)
    {
        bytes32 hash = keccak256(abi.encode(keccak256("tenon.v1.input"), input(plan, queueStart, queueEnd)));
        return ISettlement.Outcome(hash, plan.stateOut, l1Hash(plan), withdrawals, uint32(block.timestamp));
    }

    function leaf(IExits.Withdrawal memory withdrawal) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256("tenon.v1.withdrawal.leaf"),
                withdrawal.number,
                withdrawal.index,
                withdrawal.token,
                withdrawal.owner,
                withdrawal.amount
            )
        );
    }

    function node(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return keccak256(abi.encode(keccak256("tenon.v1.withdrawal.node"), left, right));
    }
}
