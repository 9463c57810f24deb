// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Fixture} from "./utils/Fixture.sol";
import {Verifier} from "../src/generated/Verifier.sol";
import {IVerifier} from "../src/interfaces/IVerifier.sol";

contract VerifierTest is Fixture {
    uint256 private constant ACCUMULATOR_LENGTH = 128;
    /// @dev The two points that end a proof.
    uint256 private constant OPENING_LENGTH = 128;

    /// @dev Offsets in a proof: of the first evaluation, and of the two points after the last one.
    uint256 private evaluations;
    uint256 private opening;

    function setUp() public override {
        super.setUp();
        bytes memory proof = first.proof;
        // A scalar isn't a coordinate of a point: the first pair of words off the curve starts the evaluations.
        while (onCurve(wordAt(proof, evaluations), wordAt(proof, evaluations + 32))) evaluations += 64;
        opening = proof.length - OPENING_LENGTH;
    }

    function onCurve(uint256 x, uint256 y) private pure returns (bool) {
        return mulmod(y, y, Q) == addmod(mulmod(mulmod(x, x, Q), x, Q), 3, Q);
    }

    /// @dev The offset of the point that the word at an offset belongs to; the offset itself for a scalar.
    function pointAt(uint256 offset) private view returns (uint256) {
        if (offset < evaluations) return offset / 64 * 64;
        if (offset < opening) return offset;
        return offset - (offset - opening) % 64;
    }

    function isPoint(uint256 offset) private view returns (bool) {
        return offset < evaluations || offset >= opening;
    }

    /// @dev The offset of the next point after that at an offset.
    function nextPoint(uint256 offset) private view returns (uint256) {
        return offset + 64 == evaluations ? opening : offset + 64;
    }

    /// @dev The error for a coordinate that was replaced.
    function expectPointRefused(bytes memory proof, uint256 offset) private {
        uint256 start = pointAt(offset);
        uint256 x = wordAt(proof, start);
        uint256 y = wordAt(proof, start + 32);
        if (x >= Q) {
            vm.expectRevert(abi.encodeWithSelector(IVerifier.CoordinateOutOfRange.selector, start, x));
        } else if (y >= Q) {
            vm.expectRevert(abi.encodeWithSelector(IVerifier.CoordinateOutOfRange.selector, start + 32, y));
        } else if (x == 0 && y == 0) {
            vm.expectRevert(abi.encodeWithSelector(IVerifier.PointAtInfinity.selector, start));
        } else if (!onCurve(x, y)) {
            vm.expectRevert(abi.encodeWithSelector(IVerifier.PointNotOnCurve.selector, start, x, y));
        } else {
            vm.expectRevert(abi.encodeWithSelector(IVerifier.ProofRejected.selector));
        }
    }

    function expectRefused(bytes memory proof, uint256 offset) private {
        if (isPoint(offset)) {
            expectPointRefused(proof, offset);
        } else if (wordAt(proof, offset) >= R) {
            uint256 value = wordAt(proof, offset);
            vm.expectRevert(abi.encodeWithSelector(IVerifier.ScalarOutOfRange.selector, offset, value));
        } else {
            vm.expectRevert(abi.encodeWithSelector(IVerifier.ProofRejected.selector));
        }
    }

    function test_Verify_ValidProofs() public {
        assertTrue(verifier.verify(first.publicInputs, first.proof), "first");
        vm.snapshotGasLastCall("Verifier", "verify");
        assertTrue(verifier.verify(next.publicInputs, next.proof), "next");
    }

    function test_Getters() public view {
        assertEq(verifier.verifyingKey(), keyContract);
        assertEq(verifier.verifyingKeyHash(), keyHash);
        assertEq(verifier.batchPlaces() * 10, first.publicInputs.length);
        assertEq(verifier.proofLength(), first.proof.length);
        assertTrue(verifier.developmentSrs(), "development");
        assertTrue(address(verifier).code.length < 24_576, "EIP-170");
    }

    function test_RevertWhen_OneBitOfAnyProofWordFlipped() public {
        bytes memory proof = first.proof;
        for (uint256 offset = 0; offset < proof.length; offset += 32) {
            uint256 value = wordAt(proof, offset);
            setWordAt(proof, offset, value ^ (1 << (offset / 32 % 250)));
            expectRefused(proof, offset);
            verifier.verify(first.publicInputs, proof);
            setWordAt(proof, offset, value);
        }
    }

    function test_RevertWhen_OneBitOfAnyPublicInputFlipped() public {
        for (uint256 i = 0; i < first.publicInputs.length; i++) {
            uint256[] memory publicInputs = first.publicInputs;
            publicInputs[i] ^= 1;
            vm.expectRevert(abi.encodeWithSelector(IVerifier.ProofRejected.selector));
            verifier.verify(publicInputs, first.proof);
        }
    }

    function test_RevertWhen_OrderAddedToAnyScalar() public {
        bytes memory proof = first.proof;
        for (uint256 offset = evaluations; offset < opening; offset += 32) {
            uint256 value = wordAt(proof, offset) + R;
            setWordAt(proof, offset, value);
            vm.expectRevert(abi.encodeWithSelector(IVerifier.ScalarOutOfRange.selector, offset, value));
            verifier.verify(first.publicInputs, proof);
            setWordAt(proof, offset, value - R);
        }
    }

    function test_RevertWhen_OrderAddedToAnyPublicInput() public {
        for (uint256 i = 0; i < first.publicInputs.length; i++) {
            uint256[] memory publicInputs = first.publicInputs;
            publicInputs[i] += R;
            vm.expectRevert(
                abi.encodeWithSelector(IVerifier.PublicInputOutOfRange.selector, i, publicInputs[i])
            );
            verifier.verify(publicInputs, first.proof);
        }
    }

    function test_RevertWhen_ModulusAddedToAnyCoordinate() public {
        bytes memory proof = first.proof;
        for (uint256 offset = 0; offset < proof.length; offset += 32) {
            if (!isPoint(offset)) continue;
            uint256 value = wordAt(proof, offset) + Q;
            setWordAt(proof, offset, value);
            vm.expectRevert(abi.encodeWithSelector(IVerifier.CoordinateOutOfRange.selector, offset, value));
            verifier.verify(first.publicInputs, proof);
            setWordAt(proof, offset, value - Q);
        }
    }

    /// @dev Replaces each point in turn and expects the error.
    function replacePoints(uint256 newX, uint256 newY, bytes4 selector) private {
        bytes memory proof = first.proof;
        for (uint256 offset = 0; offset < proof.length; offset = nextPoint(offset)) {
            uint256 x = wordAt(proof, offset);
            uint256 y = wordAt(proof, offset + 32);
            setWordAt(proof, offset, newX);
            setWordAt(proof, offset + 32, newY);
            if (selector == IVerifier.PointAtInfinity.selector) {
                vm.expectRevert(abi.encodeWithSelector(selector, offset));
            } else if (selector == IVerifier.PointNotOnCurve.selector) {
                vm.expectRevert(abi.encodeWithSelector(selector, offset, newX, newY));
            } else {
                vm.expectRevert(abi.encodeWithSelector(selector));
            }
            verifier.verify(first.publicInputs, proof);
            setWordAt(proof, offset, x);
            setWordAt(proof, offset + 32, y);
        }
    }

    function test_RevertWhen_AnyPointAtInfinity() public {
        replacePoints(0, 0, IVerifier.PointAtInfinity.selector);
    }

    function test_RevertWhen_AnyPointOffTheCurve() public {
        replacePoints(1, 3, IVerifier.PointNotOnCurve.selector);
    }

    function test_RevertWhen_AnyPointReplacedByAnother() public {
        uint256[] memory point = vm.parseJsonUintArray(json, ".otherPoints");
        replacePoints(point[0], point[1], IVerifier.ProofRejected.selector);
    }

    function test_RevertWhen_AnyPointNegated() public {
        bytes memory proof = first.proof;
        for (uint256 offset = 0; offset < proof.length; offset = nextPoint(offset)) {
            uint256 y = wordAt(proof, offset + 32);
            setWordAt(proof, offset + 32, Q - y);
            vm.expectRevert(abi.encodeWithSelector(IVerifier.ProofRejected.selector));
            verifier.verify(first.publicInputs, proof);
            setWordAt(proof, offset + 32, y);
        }
    }

    function test_RevertWhen_AccumulatorFailsItsPairing() public {
        vm.expectRevert(abi.encodeWithSelector(IVerifier.ProofRejected.selector));
        verifier.verify(badAccumulator.publicInputs, badAccumulator.proof);
    }

    function test_RevertWhen_AccumulatorOfAnotherProof() public {
        bytes memory proof = first.proof;
        bytes memory other = next.proof;
        for (uint256 offset = 0; offset < ACCUMULATOR_LENGTH; offset += 32) {
            setWordAt(proof, offset, wordAt(other, offset));
        }
        vm.expectRevert(abi.encodeWithSelector(IVerifier.ProofRejected.selector));
        verifier.verify(first.publicInputs, proof);
    }

    function test_RevertWhen_PublicInputsOfAnotherProof() public {
        vm.expectRevert(abi.encodeWithSelector(IVerifier.ProofRejected.selector));
        verifier.verify(next.publicInputs, first.proof);
    }

    function test_RevertWhen_ProofOfAnotherLength() public {
        uint256 length = first.proof.length;
        uint256[5] memory lengths = [0, 1, length - 32, length - 1, length + 32];
        for (uint256 i = 0; i < lengths.length; i++) {
            bytes memory proof = new bytes(lengths[i]);
            for (uint256 j = 0; j < lengths[i] && j < length; j++) {
                proof[j] = first.proof[j];
            }
            vm.expectRevert(abi.encodeWithSelector(IVerifier.ProofLength.selector, length, lengths[i]));
            verifier.verify(first.publicInputs, proof);
        }
    }

    function test_RevertWhen_PublicInputsOfAnotherLength() public {
        uint256 length = first.publicInputs.length;
        uint256[3] memory lengths = [0, length - 1, length + 1];
        for (uint256 i = 0; i < lengths.length; i++) {
            uint256[] memory publicInputs = new uint256[](lengths[i]);
            vm.expectRevert(abi.encodeWithSelector(IVerifier.PublicInputsLength.selector, length, lengths[i]));
            verifier.verify(publicInputs, first.proof);
        }
    }

    function test_RevertWhen_CalldataPadded() public view {
        bytes memory data = abi.encodeCall(IVerifier.verify, (first.publicInputs, first.proof));
        bytes[2] memory padded = [bytes.concat(data, hex"00"), bytes.concat(data, new bytes(32))];
        for (uint256 i = 0; i < padded.length; i++) {
            (bool success, bytes memory answer) = address(verifier).staticcall(padded[i]);
            assertTrue(!success, "refused");
            assertEq(
                answer,
                abi.encodeWithSelector(IVerifier.CalldataLength.selector, data.length, padded[i].length)
            );
        }
    }

    function test_RevertWhen_CalldataTruncated() public view {
        bytes memory data = abi.encodeCall(IVerifier.verify, (first.publicInputs, first.proof));
        uint256[6] memory lengths = [data.length - 1, data.length - 32, 0x84, 0x44, 4, 0];
        for (uint256 i = 0; i < lengths.length; i++) {
            bytes memory truncated = new bytes(lengths[i]);
            for (uint256 j = 0; j < lengths[i]; j++) {
                truncated[j] = data[j];
            }
            (bool success,) = address(verifier).staticcall(truncated);
            assertTrue(!success, "refused");
        }
    }

    function test_RevertWhen_CalldataNotCanonical() public view {
        // The public inputs after the proof: the same arguments in another encoding.
        bytes memory data = abi.encodePacked(
            IVerifier.verify.selector,
            abi.encode(0x60 + first.proof.length, 0x40, first.proof.length),
            first.proof,
            abi.encode(first.publicInputs.length),
            first.publicInputs
        );
        (bool success,) = address(verifier).staticcall(data);
        assertTrue(!success, "refused");
    }

    function test_RevertWhen_VerifyingKeyCodeChanged() public {
        bytes memory other = key;
        other[40] ^= 0x01;
        vm.etch(keyContract, other);
        vm.expectRevert(
            abi.encodeWithSelector(
                IVerifier.VerifyingKeyHash.selector, keyContract, keyHash, keccak256(other)
            )
        );
        verifier.verify(first.publicInputs, first.proof);
    }

    function test_RevertWhen_VerifyingKeyIsForAnotherCircuit() public {
        // One bit of the last commitment's y: off the curve; of the transcript's first scalar: another key.
        uint256[2] memory places = [key.length - 1, 1 + 7 * 32 - 1];
        bytes4[2] memory errors = [IVerifier.PrecompileFailed.selector, IVerifier.ProofRejected.selector];
        for (uint256 i = 0; i < places.length; i++) {
            bytes memory other = key;
            other[places[i]] ^= 0x01;
            Verifier wrong = new Verifier(deployCode(other), keccak256(other));
            vm.expectRevert(abi.encodeWithSelector(errors[i]));
            wrong.verify{gas: 2_000_000}(first.publicInputs, first.proof);
        }
    }

    function test_RevertWhen_ConstructedWithAnotherHash() public {
        bytes32 other = keccak256("other");
        vm.expectRevert(
            abi.encodeWithSelector(IVerifier.VerifyingKeyHash.selector, keyContract, other, keyHash)
        );
        new Verifier(keyContract, other);
    }

    function test_RevertWhen_ConstructedWithoutKeyCode() public {
        address none = address(0xdead);
        vm.expectRevert(
            abi.encodeWithSelector(IVerifier.VerifyingKeyHash.selector, none, keyHash, bytes32(0))
        );
        new Verifier(none, keyHash);
    }

    function test_RevertWhen_ConstructedWithKeyOfAnotherLength() public {
        bytes memory other = bytes.concat(key, hex"00");
        address account = deployCode(other);
        vm.expectRevert(
            abi.encodeWithSelector(IVerifier.VerifyingKeyLength.selector, key.length, other.length)
        );
        new Verifier(account, keccak256(other));
    }

    function test_RevertWhen_ConstructedWithKeyOfAnotherShape() public {
        bytes memory other = key;
        uint256 shape = wordAt(other, 1);
        setWordAt(other, 1, shape ^ 1);
        address account = deployCode(other);
        vm.expectRevert(abi.encodeWithSelector(IVerifier.VerifyingKeyShape.selector, shape, shape ^ 1));
        new Verifier(account, keccak256(other));
    }

    function test_RevertWhen_ConstructedWithUnknownSrs() public {
        bytes memory other = key;
        setWordAt(other, 33, 3);
        address account = deployCode(other);
        vm.expectRevert(abi.encodeWithSelector(IVerifier.UnknownSrs.selector, 3));
        new Verifier(account, keccak256(other));
    }

    function testFuzz_RevertWhen_DevelopmentSrsOnPublicChain(uint64 chainId) public {
        vm.assume(chainId != 31337 && chainId != 1337 && chainId != 0);
        vm.chainId(chainId);
        vm.expectRevert(abi.encodeWithSelector(IVerifier.DevelopmentSrs.selector, uint256(chainId)));
        new Verifier(keyContract, keyHash);
    }

    function test_Construct_DevelopmentSrsOnLocalChains() public {
        vm.chainId(1337);
        new Verifier(keyContract, keyHash);
    }

    function test_Construct_ImportedSrsOnPublicChain() public {
        bytes memory other = key;
        setWordAt(other, 33, 2);
        vm.chainId(1);
        Verifier imported = new Verifier(deployCode(other), keccak256(other));
        assertTrue(!imported.developmentSrs(), "imported");
    }

    function testFuzz_RevertWhen_ProofWordReplaced(uint256 index, uint256 value) public {
        uint256 offset = bound(index, 0, first.proof.length / 32 - 1) * 32;
        vm.assume(value != wordAt(first.proof, offset));
        bytes memory proof = first.proof;
        setWordAt(proof, offset, value);
        expectRefused(proof, offset);
        verifier.verify(first.publicInputs, proof);
    }

    function testFuzz_RevertWhen_ProofBitFlipped(uint256 index) public {
        uint256 bit = bound(index, 0, first.proof.length * 8 - 1);
        uint256 offset = bit / 256 * 32;
        bytes memory proof = first.proof;
        setWordAt(proof, offset, wordAt(proof, offset) ^ (1 << (bit % 256)));
        expectRefused(proof, offset);
        verifier.verify(first.publicInputs, proof);
    }

    function testFuzz_RevertWhen_PublicInputReplaced(uint256 index, uint256 value) public {
        uint256 i = bound(index, 0, first.publicInputs.length - 1);
        uint256[] memory publicInputs = first.publicInputs;
        vm.assume(value != publicInputs[i]);
        publicInputs[i] = value;
        if (value >= R) {
            vm.expectRevert(abi.encodeWithSelector(IVerifier.PublicInputOutOfRange.selector, i, value));
        } else {
            vm.expectRevert(abi.encodeWithSelector(IVerifier.ProofRejected.selector));
        }
        verifier.verify(publicInputs, first.proof);
    }
}
