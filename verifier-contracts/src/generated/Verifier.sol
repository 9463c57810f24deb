// SPDX-License-Identifier: MIT OR Apache-2.0
// Generated from the constraint system of the final circuit; never edited by hand.
pragma solidity ^0.8.30;

import {IVerifier} from "../interfaces/IVerifier.sol";

/// @title Verifier of aggregate proofs
/// @notice Checks halo2 proofs (KZG over BN254, SHPLONK openings, Keccak transcript) of one constraint system:
/// 21 commitments and 198 evaluations in a proof, 12 fixed columns,
/// 3 columns under the permutation, one instance column of 62 values. The circuit's size, its fixed columns and the set-up are data: they are
/// in the verifying key, the code of another contract whose address and code hash are fixed here at construction.
/// @dev The assembly owns all memory from 0x80 on and never returns to Solidity. Residues are below 2^254, so that
/// sums of up to four of them don't overflow; mulmod and addmod reduce them.
contract Verifier is IVerifier {
    /// @dev Names the constraint system and the layout of the verifying key.
    bytes32 private constant SHAPE = 0x8a804bba7378c835f18828e79413e16034914ef547ff948ac160e3854abb5e40;

    uint256 private constant R = 0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001;
    uint256 private constant R_MINUS_2 = 0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593efffffff;
    uint256 private constant Q = 0x30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47;

    uint256 private constant LIMB_BITS = 88;
    uint256 private constant LIMB_MASK = 0xffffffffffffffffffffff;

    uint256 private constant ERROR_CALLDATA_LENGTH = 0xf70a1019;
    uint256 private constant ERROR_CALLDATA_OFFSET = 0xe66fda10;
    uint256 private constant ERROR_PUBLIC_INPUTS_LENGTH = 0xeccb831f;
    uint256 private constant ERROR_PROOF_LENGTH = 0xc0545fa0;
    uint256 private constant ERROR_PUBLIC_INPUT_OUT_OF_RANGE = 0x5230c2ff;
    uint256 private constant ERROR_SCALAR_OUT_OF_RANGE = 0xe7a46f17;
    uint256 private constant ERROR_COORDINATE_OUT_OF_RANGE = 0xae32bc57;
    uint256 private constant ERROR_POINT_AT_INFINITY = 0x824fa20c;
    uint256 private constant ERROR_POINT_NOT_ON_CURVE = 0xc19c691e;
    uint256 private constant ERROR_DEGENERATE_CHALLENGE = 0x56a8acf5;
    uint256 private constant ERROR_PRECOMPILE_FAILED = 0x84e81692;
    uint256 private constant ERROR_PROOF_REJECTED = 0xc3b0d8cd;
    uint256 private constant ERROR_VERIFYING_KEY_HASH = 0xa3b43b81;

    // Counts.
    uint256 private constant BATCH_PLACES = 5;
    uint256 private constant PUBLIC_INPUTS = 50;
    uint256 private constant BLINDING_ROWS = 47;

    // Call data.
    uint256 private constant CALLDATA_LENGTH = 9540;
    uint256 private constant PROOF_LENGTH = 7808;
    uint256 private constant CALLDATA_PUBLIC_INPUTS = 0x64;
    uint256 private constant CALLDATA_PROOF = 0x6c4;

    // The verifying key: a byte that stops execution, then words.
    uint256 private constant VERIFYING_KEY_LENGTH = 11041;
    uint256 private constant SRS_DEVELOPMENT = 1;
    uint256 private constant SRS_IMPORTED = 2;

    // Memory: the sum of points, the point at work and its other operand, one after the other for the precompiles.
    uint256 private constant SUM = 0x80;
    uint256 private constant POINT = 0xc0;
    uint256 private constant OPERAND = 0x100;
    // Challenges, and what follows from them.
    uint256 private constant ORDER = 0x140;
    uint256 private constant THETA = 0x160;
    uint256 private constant BETA = 0x180;
    uint256 private constant GAMMA = 0x1a0;
    uint256 private constant Y = 0x1c0;
    uint256 private constant X = 0x1e0;
    uint256 private constant MU = 0x200;
    uint256 private constant NU = 0x220;
    uint256 private constant U = 0x240;
    uint256 private constant RHO = 0x260;
    uint256 private constant X_N = 0x280;
    uint256 private constant QUOTIENT_EVAL = 0x2a0;
    uint256 private constant VANISHING_0 = 0x2c0;
    uint256 private constant OPENED = 0x2e0;
    uint256 private constant QUOTIENT_POINT = 0x300;
    uint256 private constant ACCUMULATOR = 0x340;
    // The verifying key's words.
    uint256 private constant KEY = 0x3e0;
    uint256 private constant KEY_LOG_SIZE = 0x420;
    uint256 private constant KEY_SIZE_INVERSE = 0x440;
    uint256 private constant KEY_OMEGA = 0x460;
    uint256 private constant KEY_OMEGA_LAST = 0x480;
    uint256 private constant KEY_DIGEST = 0x4a0;
    uint256 private constant KEY_G2 = 0x4c0;
    uint256 private constant KEY_S_G2 = 0x540;
    uint256 private constant KEY_ROTATIONS = 0x5c0;
    uint256 private constant KEY_WEIGHTS = 0xca0;
    // Sets of polynomials opened at the same rotations, as entries of two bytes: the numbers of rotations and of
    // polynomials, for each rotation the address of u / x - omega^i and those of the evaluations there, the
    // addresses of the commitments.
    uint256 private constant KEY_OPENINGS = 0x2220;
    // What the transcript absorbs, in order: digest, instances, proof.
    uint256 private constant DIGEST = 0x2f00;
    uint256 private constant INSTANCES = 0x2f20;
    uint256 private constant INSTANCE_LIMBS = 0x3560;
    uint256 private constant PROOF = 0x36e0;
    uint256 private constant PERMUTED_POINTS = 0x37e0;
    uint256 private constant PRODUCT_POINTS = 0x3960;
    uint256 private constant QUOTIENT_POINTS = 0x3aa0;
    uint256 private constant QUOTIENT_POINTS_LAST = 0x3b60;
    uint256 private constant EVALS = 0x3ba0;
    uint256 private constant W = 0x5460;
    uint256 private constant W_PRIME = 0x54a0;
    uint256 private constant PROOF_END = 0x54e0;
    // Values at x: of the Lagrange polynomials of the last row in use, of all 47 rows after it, of the first row, and of
    // the instance column. Before that, numerators, whose denominators follow.
    uint256 private constant LAGRANGE_LAST = 0x54e0;
    uint256 private constant LAGRANGE_BLINDING = 0x5500;
    uint256 private constant LAGRANGE_FIRST = 0x5520;
    uint256 private constant INSTANCE_EVAL = 0x5540;
    // What is inverted, all at once: the denominators, then x^n - 1 and x.
    uint256 private constant INVERSE_LAST = 0x5560;
    uint256 private constant INVERSE_VANISHING = 0x55e0;
    uint256 private constant INVERSE_X = 0x5600;
    uint256 private constant INVERSES_END = 0x5620;
    uint256 private constant PARTIAL_PRODUCTS = 0x5620;
    // u / x - omega^i for each rotation i that occurs.
    uint256 private constant DIFFERENCES = 0x56e0;
    // Of each set of polynomials: what it has at u, and the inverse of its vanishing polynomial there.
    uint256 private constant SET_VALUES = 0x5dc0;
    uint256 private constant SET_INVERSES = 0x5ee0;
    uint256 private constant SET_PARTIALS = 0x6000;
    // What the pairing precompile reads.
    uint256 private constant PAIRING = 0x9a80;
    // Where the next weight is; free before the pairing.
    uint256 private constant WEIGHT = 0x9a80;

    /// @inheritdoc IVerifier
    address public immutable verifyingKey;
    /// @inheritdoc IVerifier
    bytes32 public immutable verifyingKeyHash;
    /// @inheritdoc IVerifier
    bool public immutable developmentSrs;

    /// @param verifyingKey_ The contract whose code is the verifying key.
    /// @param verifyingKeyHash_ The hash of that code.
    constructor(address verifyingKey_, bytes32 verifyingKeyHash_) {
        bytes32 actualHash = verifyingKey_.codehash;
        if (actualHash != verifyingKeyHash_) {
            revert VerifyingKeyHash(verifyingKey_, verifyingKeyHash_, actualHash);
        }
        uint256 length = verifyingKey_.code.length;
        if (length != VERIFYING_KEY_LENGTH) revert VerifyingKeyLength(VERIFYING_KEY_LENGTH, length);

        bytes32 shape;
        uint256 source;
        assembly ("memory-safe") {
            extcodecopy(verifyingKey_, 0x00, 1, 0x40)
            shape := mload(0x00)
            source := mload(0x20)
        }
        if (shape != SHAPE) revert VerifyingKeyShape(SHAPE, shape);
        if (source != SRS_DEVELOPMENT && source != SRS_IMPORTED) revert UnknownSrs(source);
        bool local = block.chainid == 31337 || block.chainid == 1337;
        if (source == SRS_DEVELOPMENT && !local) revert DevelopmentSrs(block.chainid);

        verifyingKey = verifyingKey_;
        verifyingKeyHash = verifyingKeyHash_;
        developmentSrs = source == SRS_DEVELOPMENT;
    }

    /// @inheritdoc IVerifier
    function batchPlaces() external pure returns (uint256) {
        return BATCH_PLACES;
    }

    /// @inheritdoc IVerifier
    function proofLength() external pure returns (uint256) {
        return PROOF_LENGTH;
    }

    /// @inheritdoc IVerifier
    function verify(uint256[] calldata, bytes calldata) external view returns (bool) {
        address key = verifyingKey;
        bytes32 keyHash = verifyingKeyHash;

        assembly {
            function fail(selector) {
                mstore(0x00, shl(224, selector))
                revert(0x00, 0x04)
            }

            function failWith(selector, value) {
                mstore(0x00, shl(224, selector))
                mstore(0x04, value)
                revert(0x00, 0x24)
            }

            function failWithTwo(selector, first, second) {
                mstore(0x00, shl(224, selector))
                mstore(0x04, first)
                mstore(0x24, second)
                revert(0x00, 0x44)
            }

            function failWithThree(selector, first, second, third) {
                mstore(0x00, shl(224, selector))
                mstore(0x04, first)
                mstore(0x24, second)
                mstore(0x44, third)
                revert(0x00, 0x64)
            }

            // Only the canonical encoding of two arrays of the right lengths passes.
            function checkCalldata() {
                let length := calldataload(0x44)
                if iszero(eq(length, PUBLIC_INPUTS)) {
                    failWithTwo(ERROR_PUBLIC_INPUTS_LENGTH, PUBLIC_INPUTS, length)
                }
                let offset := calldataload(0x04)
                if iszero(eq(offset, 0x40)) { failWithTwo(ERROR_CALLDATA_OFFSET, 0x40, offset) }
                offset := calldataload(0x24)
                if iszero(eq(offset, sub(CALLDATA_PROOF, 0x24))) {
                    failWithTwo(ERROR_CALLDATA_OFFSET, sub(CALLDATA_PROOF, 0x24), offset)
                }
                length := calldataload(sub(CALLDATA_PROOF, 0x20))
                if iszero(eq(length, PROOF_LENGTH)) { failWithTwo(ERROR_PROOF_LENGTH, PROOF_LENGTH, length) }
                if iszero(eq(calldatasize(), CALLDATA_LENGTH)) {
                    failWithTwo(ERROR_CALLDATA_LENGTH, CALLDATA_LENGTH, calldatasize())
                }
            }

            // Rejects the point at infinity too, which blinding keeps out of honest proofs.
            function checkPoint(pointer, offset) {
                let x := mload(pointer)
                let y := mload(add(pointer, 0x20))
                if iszero(lt(x, Q)) { failWithTwo(ERROR_COORDINATE_OUT_OF_RANGE, offset, x) }
                if iszero(lt(y, Q)) { failWithTwo(ERROR_COORDINATE_OUT_OF_RANGE, add(offset, 0x20), y) }
                if iszero(or(x, y)) { failWith(ERROR_POINT_AT_INFINITY, offset) }
                if iszero(eq(mulmod(y, y, Q), addmod(mulmod(mulmod(x, x, Q), x, Q), 3, Q))) {
                    failWithThree(ERROR_POINT_NOT_ON_CURVE, offset, x, y)
                }
            }

            function loadKey(account, expected) {
                let actual := extcodehash(account)
                if iszero(eq(actual, expected)) {
                    failWithThree(ERROR_VERIFYING_KEY_HASH, account, expected, actual)
                }
                extcodecopy(account, KEY, 1, sub(VERIFYING_KEY_LENGTH, 1))
                mstore(DIGEST, mload(KEY_DIGEST))
            }

            // The instances: the public inputs, then the accumulator's coordinates in limbs, low ones first.
            function loadInstances() {
                calldatacopy(INSTANCES, CALLDATA_PUBLIC_INPUTS, mul(PUBLIC_INPUTS, 0x20))
                for { let pointer := INSTANCES } lt(pointer, INSTANCE_LIMBS) { pointer := add(pointer, 0x20) } {
                    if iszero(lt(mload(pointer), R)) {
                        failWithTwo(
                            ERROR_PUBLIC_INPUT_OUT_OF_RANGE, shr(5, sub(pointer, INSTANCES)), mload(pointer)
                        )
                    }
                }
                calldatacopy(ACCUMULATOR, CALLDATA_PROOF, 0x80)
                checkPoint(ACCUMULATOR, 0x00)
                checkPoint(add(ACCUMULATOR, 0x40), 0x40)
                let limbs := INSTANCE_LIMBS
                for { let pointer := ACCUMULATOR } lt(limbs, PROOF) { pointer := add(pointer, 0x20) } {
                    let coordinate := mload(pointer)
                    mstore(limbs, and(coordinate, LIMB_MASK))
                    mstore(add(limbs, 0x20), and(shr(LIMB_BITS, coordinate), LIMB_MASK))
                    mstore(add(limbs, 0x40), shr(mul(2, LIMB_BITS), coordinate))
                    limbs := add(limbs, 0x60)
                }
            }

            function loadProof() {
                calldatacopy(PROOF, add(CALLDATA_PROOF, 0x80), sub(PROOF_END, PROOF))
                for { let pointer := PROOF } lt(pointer, EVALS) { pointer := add(pointer, 0x40) } {
                    checkPoint(pointer, add(sub(pointer, PROOF), 0x80))
                }
                for { let pointer := EVALS } lt(pointer, W) { pointer := add(pointer, 0x20) } {
                    if iszero(lt(mload(pointer), R)) {
                        failWithTwo(ERROR_SCALAR_OUT_OF_RANGE, add(sub(pointer, PROOF), 0x80), mload(pointer))
                    }
                }
                checkPoint(W, add(sub(W, PROOF), 0x80))
                checkPoint(W_PRIME, add(sub(W_PRIME, PROOF), 0x80))
            }

            // Hashes the last hash and what was read since then, which lies from start to end.
            function squeeze(last, start, end) -> hash {
                let pointer := sub(start, 0x20)
                let kept := mload(pointer)
                mstore(pointer, last)
                hash := keccak256(pointer, sub(end, pointer))
                mstore(pointer, kept)
            }

            // Hashes the last hash when nothing was read since then; a byte 1 tells it from a read scalar.
            function squeezeAgain(last) -> hash {
                mstore(0x00, last)
                mstore8(0x20, 1)
                hash := keccak256(0x00, 0x21)
            }

            function squeezeChallenges() {
                let hash := mload(DIGEST)
                hash := squeeze(hash, INSTANCES, PERMUTED_POINTS)
                mstore(THETA, mod(hash, R))
                hash := squeeze(hash, PERMUTED_POINTS, PRODUCT_POINTS)
                mstore(BETA, mod(hash, R))
                hash := squeezeAgain(hash)
                mstore(GAMMA, mod(hash, R))
                hash := squeeze(hash, PRODUCT_POINTS, QUOTIENT_POINTS)
                mstore(Y, mod(hash, R))
                hash := squeeze(hash, QUOTIENT_POINTS, EVALS)
                mstore(X, mod(hash, R))
                hash := squeeze(hash, EVALS, W)
                mstore(MU, mod(hash, R))
                hash := squeezeAgain(hash)
                mstore(NU, mod(hash, R))
                hash := squeeze(hash, W, W_PRIME)
                mstore(U, mod(hash, R))
                hash := squeeze(hash, W_PRIME, PROOF_END)
                mstore(RHO, mod(hash, R))
                mstore(ORDER, R)
            }

            function storeFraction(pointer, numerator, denominator) {
                mstore(pointer, numerator)
                mstore(add(pointer, sub(INVERSE_LAST, LAGRANGE_LAST)), denominator)
            }

            // Sums of omega^i * c_i / (x - omega^i), as fractions: i the last row in use, those after it, the first row, all
            // c_i = 1; the first rows with the instances as c_i. And the denominators x^n - 1 and x.
            function prepareInverses() {
                let x := mload(X)
                let value := x
                for { let i := mload(KEY_LOG_SIZE) } i { i := sub(i, 1) } { value := mulmod(value, value, R) }
                mstore(X_N, value)
                mstore(INVERSE_VANISHING, add(value, sub(R, 1)))
                mstore(INVERSE_X, x)

                let omega := mload(KEY_OMEGA)
                let root := mload(KEY_OMEGA_LAST)
                storeFraction(LAGRANGE_LAST, root, add(x, sub(R, root)))
                let numerator := 0
                let denominator := 1
                for { let i := BLINDING_ROWS } i { i := sub(i, 1) } {
                    root := mulmod(root, omega, R)
                    let difference := add(x, sub(R, root))
                    numerator := addmod(mulmod(numerator, difference, R), mulmod(root, denominator, R), R)
                    denominator := mulmod(denominator, difference, R)
                }
                storeFraction(LAGRANGE_BLINDING, numerator, denominator)
                root := 1
                storeFraction(LAGRANGE_FIRST, root, add(x, sub(R, root)))
                numerator := 0
                denominator := 1
                for { let instance := INSTANCES } lt(instance, PROOF) { instance := add(instance, 0x20) } {
                    let difference := add(x, sub(R, root))
                    value := mulmod(mload(instance), root, R)
                    numerator := addmod(mulmod(numerator, difference, R), mulmod(value, denominator, R), R)
                    denominator := mulmod(denominator, difference, R)
                    root := mulmod(root, omega, R)
                }
                storeFraction(INSTANCE_EVAL, numerator, denominator)
            }

            // Replaces values by their inverses: one inversion, three products for each.
            function invert(start, end, partials) {
                let product := 1
                let partial := partials
                for { let pointer := start } lt(pointer, end) { pointer := add(pointer, 0x20) } {
                    mstore(partial, product)
                    partial := add(partial, 0x20)
                    product := mulmod(product, mload(pointer), R)
                }
                if iszero(product) { fail(ERROR_DEGENERATE_CHALLENGE) }
                mstore(PAIRING, 0x20)
                mstore(add(PAIRING, 0x20), 0x20)
                mstore(add(PAIRING, 0x40), 0x20)
                mstore(add(PAIRING, 0x60), product)
                mstore(add(PAIRING, 0x80), R_MINUS_2)
                mstore(add(PAIRING, 0xa0), R)
                if iszero(staticcall(gas(), 5, PAIRING, 0xc0, 0x00, 0x20)) { fail(ERROR_PRECOMPILE_FAILED) }
                let inverse := mload(0x00)
                for { let pointer := end } gt(pointer, start) {} {
                    pointer := sub(pointer, 0x20)
                    partial := sub(partial, 0x20)
                    let value := mload(pointer)
                    mstore(pointer, mulmod(inverse, mload(partial), R))
                    inverse := mulmod(inverse, value, R)
                }
            }

            // L_i(x) = omega^i * (x^n - 1) / (n * (x - omega^i)), and sums of them.
            function evaluateLagrange() {
                let scale := mulmod(add(mload(X_N), sub(R, 1)), mload(KEY_SIZE_INVERSE), R)
                let inverse := INVERSE_LAST
                for { let pointer := LAGRANGE_LAST } lt(pointer, INVERSE_LAST) { pointer := add(pointer, 0x20) } {
                    mstore(pointer, mulmod(mulmod(mload(pointer), mload(inverse), R), scale, R))
                    inverse := add(inverse, 0x20)
                }
            }

            function foldConstraints0(folded) -> f {
                let r := mload(ORDER)
                f := folded
                mstore(0x6120, mulmod(mload(0x4f20), addmod(2, sub(r, mload(0x4f20)), r), r))
                mstore(0x6140, addmod(addmod(mulmod(mulmod(mload(0x4f40), mload(0x3c40), r), mload(0x3bc0), r), mload(0x4f60), r), mulmod(mload(0x4f80), mload(0x3ba0), r), r))
                mstore(0x6160, addmod(addmod(mload(0x6140), mulmod(mload(0x4fa0), mload(0x3be0), r), r), mulmod(mload(0x4fc0), mload(0x3c00), r), r))
                mstore(0x6180, addmod(addmod(mload(0x6160), mulmod(mload(0x4fe0), mload(0x3c20), r), r), mulmod(mload(0x3c40), mload(0x5000), r), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x6120), addmod(mload(0x6180), mulmod(mload(0x3bc0), mload(0x5020), r), r), r), r)
                mstore(0x61a0, addmod(mload(0x3ba0), sub(r, mulmod(mload(0x3be0), 4, r)), r))
                mstore(0x61c0, mulmod(mulmod(mload(0x61a0), addmod(mload(0x61a0), mload(0x2580), r), r), addmod(mload(0x61a0), mload(0x25a0), r), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x5040), mulmod(mload(0x61c0), addmod(mload(0x61a0), mload(0x25c0), r), r), r), r)
                mstore(0x61e0, addmod(mload(0x3be0), sub(r, mulmod(mload(0x3c00), 4, r)), r))
                mstore(0x6200, mulmod(mulmod(mload(0x61e0), addmod(mload(0x61e0), mload(0x2580), r), r), addmod(mload(0x61e0), mload(0x25a0), r), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x5040), mulmod(mload(0x6200), addmod(mload(0x61e0), mload(0x25c0), r), r), r), r)
                mstore(0x6220, addmod(mload(0x3c00), sub(r, mulmod(mload(0x3c20), 4, r)), r))
                mstore(0x6240, mulmod(mulmod(mload(0x6220), addmod(mload(0x6220), mload(0x2580), r), r), addmod(mload(0x6220), mload(0x25a0), r), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x5040), mulmod(mload(0x6240), addmod(mload(0x6220), mload(0x25c0), r), r), r), r)
                mstore(0x6260, addmod(mload(0x3c20), sub(r, mulmod(mload(0x3c40), 4, r)), r))
                mstore(0x6280, mulmod(mulmod(mload(0x6260), addmod(mload(0x6260), mload(0x2580), r), r), addmod(mload(0x6260), mload(0x25a0), r), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x5040), mulmod(mload(0x6280), addmod(mload(0x6260), mload(0x25c0), r), r), r), r)
                mstore(0x62a0, addmod(mload(0x3c40), sub(r, mulmod(mload(0x3bc0), 4, r)), r))
                mstore(0x62c0, mulmod(mulmod(mload(0x62a0), addmod(mload(0x62a0), mload(0x2580), r), r), addmod(mload(0x62a0), mload(0x25a0), r), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x5040), mulmod(mload(0x62c0), addmod(mload(0x62a0), mload(0x25c0), r), r), r), r)
                mstore(0x62e0, addmod(mload(0x3bc0), sub(r, mulmod(4, mload(0x3c60), r)), r))
                mstore(0x6300, mulmod(mulmod(mload(0x62e0), addmod(mload(0x62e0), mload(0x2580), r), r), addmod(mload(0x62e0), mload(0x25a0), r), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x5040), mulmod(mload(0x6300), addmod(mload(0x62e0), mload(0x25c0), r), r), r), r)
                mstore(0x6320, addmod(mload(0x3c60), sub(r, mulmod(4, mload(0x3c80), r)), r))
                mstore(0x6340, mulmod(mulmod(mload(0x6320), addmod(mload(0x6320), mload(0x2580), r), r), addmod(mload(0x6320), mload(0x25a0), r), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x5040), mulmod(mload(0x6340), addmod(mload(0x6320), mload(0x25c0), r), r), r), r)
                mstore(0x6360, addmod(mload(0x3c80), sub(r, mulmod(4, mload(0x3ca0), r)), r))
                mstore(0x6380, mulmod(mulmod(mload(0x6360), addmod(mload(0x6360), mload(0x2580), r), r), addmod(mload(0x6360), mload(0x25a0), r), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x5040), mulmod(mload(0x6380), addmod(mload(0x6360), mload(0x25c0), r), r), r), r)
                mstore(0x63a0, addmod(mload(0x3ca0), sub(r, mulmod(4, mload(0x3cc0), r)), r))
                mstore(0x63c0, mulmod(mulmod(mload(0x63a0), addmod(mload(0x63a0), mload(0x2580), r), r), addmod(mload(0x63a0), mload(0x25a0), r), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x5040), mulmod(mload(0x63c0), addmod(mload(0x63a0), mload(0x25c0), r), r), r), r)
                mstore(0x63e0, addmod(mload(0x3cc0), sub(r, mulmod(4, mload(0x3ce0), r)), r))
                mstore(0x6400, mulmod(mulmod(mload(0x63e0), addmod(mload(0x63e0), mload(0x2580), r), r), addmod(mload(0x63e0), mload(0x25a0), r), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x5040), mulmod(mload(0x6400), addmod(mload(0x63e0), mload(0x25c0), r), r), r), r)
                mstore(0x6420, addmod(mload(0x3ba0), mload(0x4f80), r))
                mstore(0x6440, mulmod(mload(0x6420), mload(0x6420), r))
                mstore(0x6460, addmod(mload(0x3c20), sub(r, mulmod(mload(0x6440), mload(0x6440), r)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x5060), mload(0x6460), r), r)
                mstore(0x6480, addmod(mload(0x3be0), mload(0x4fa0), r))
            }

            function foldConstraints1(folded) -> f {
                let r := mload(ORDER)
                f := folded
                mstore(0x64a0, mulmod(mload(0x6480), mload(0x6480), r))
                mstore(0x64c0, addmod(mload(0x3c40), sub(r, mulmod(mload(0x64a0), mload(0x64a0), r)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x5060), mload(0x64c0), r), r)
                mstore(0x64e0, addmod(mload(0x3c00), mload(0x4fc0), r))
                mstore(0x6500, mulmod(mload(0x64e0), mload(0x64e0), r))
                mstore(0x6520, addmod(mload(0x3bc0), sub(r, mulmod(mload(0x6500), mload(0x6500), r)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x5060), mload(0x6520), r), r)
                mstore(0x6540, mulmod(mload(0x3c20), mload(0x6420), r))
                mstore(0x6560, mulmod(mload(0x6540), mload(0x25e0), r))
                mstore(0x6580, mulmod(mload(0x3c40), mload(0x6480), r))
                mstore(0x65a0, mulmod(mload(0x3bc0), mload(0x64e0), r))
                mstore(0x65c0, addmod(addmod(mload(0x6560), mulmod(mload(0x6580), mload(0x2600), r), r), mulmod(mload(0x65a0), mload(0x2620), r), r))
                mstore(0x65e0, addmod(mload(0x65c0), mload(0x4fe0), r))
                mstore(0x6600, addmod(mload(0x3c60), sub(r, mulmod(mload(0x65e0), mload(0x65e0), r)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x5060), mload(0x6600), r), r)
                mstore(0x6620, addmod(addmod(mulmod(mload(0x6540), mload(0x2640), r), mulmod(mload(0x6580), mload(0x2660), r), r), mulmod(mload(0x65a0), mload(0x2680), r), r))
                mstore(0x6640, addmod(mload(0x6620), mload(0x5000), r))
                mstore(0x6660, addmod(mload(0x3c80), sub(r, mulmod(mload(0x6640), mload(0x6640), r)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x5060), mload(0x6660), r), r)
                mstore(0x6680, addmod(addmod(mulmod(mload(0x6540), mload(0x26a0), r), mulmod(mload(0x6580), mload(0x26c0), r), r), mulmod(mload(0x65a0), mload(0x26e0), r), r))
                mstore(0x66a0, addmod(mload(0x6680), mload(0x5020), r))
                mstore(0x66c0, addmod(mload(0x3ca0), sub(r, mulmod(mload(0x66a0), mload(0x66a0), r)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x5060), mload(0x66c0), r), r)
                mstore(0x66e0, mulmod(mload(0x3c60), mulmod(mload(0x3c60), mload(0x65e0), r), r))
                mstore(0x6700, mulmod(mload(0x3c80), mulmod(mload(0x3c80), mload(0x6640), r), r))
                mstore(0x6720, mulmod(mload(0x3ca0), mulmod(mload(0x3ca0), mload(0x66a0), r), r))
                mstore(0x6740, addmod(addmod(mulmod(mload(0x25e0), mload(0x66e0), r), mulmod(mload(0x2600), mload(0x6700), r), r), mulmod(mload(0x2620), mload(0x6720), r), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x5060), addmod(mload(0x3ce0), sub(r, mload(0x6740)), r), r), r)
                mstore(0x6760, addmod(addmod(mulmod(mload(0x2640), mload(0x66e0), r), mulmod(mload(0x2660), mload(0x6700), r), r), mulmod(mload(0x2680), mload(0x6720), r), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x5060), addmod(mload(0x3d00), sub(r, mload(0x6760)), r), r), r)
                mstore(0x6780, addmod(addmod(mulmod(mload(0x26a0), mload(0x66e0), r), mulmod(mload(0x26c0), mload(0x6700), r), r), mulmod(mload(0x26e0), mload(0x6720), r), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x5060), addmod(mload(0x3d20), sub(r, mload(0x6780)), r), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x6460), mload(0x5080), r), r)
                mstore(0x67a0, addmod(addmod(mulmod(mload(0x3be0), mload(0x2600), r), mulmod(mload(0x3c00), mload(0x2620), r), r), mload(0x6560), r))
                mstore(0x67c0, addmod(mload(0x67a0), mload(0x4fa0), r))
                mstore(0x67e0, addmod(mload(0x3c40), sub(r, mulmod(mload(0x67c0), mload(0x67c0), r)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x5080), mload(0x67e0), r), r)
                mstore(0x6800, mulmod(mload(0x25e0), mulmod(mload(0x3c40), mulmod(mload(0x3c40), mload(0x67c0), r), r), r))
                mstore(0x6820, addmod(addmod(mulmod(mload(0x3be0), mload(0x2700), r), mulmod(mload(0x3c00), mload(0x2720), r), r), mulmod(mload(0x6540), mload(0x2740), r), r))
                mstore(0x6840, addmod(mload(0x3bc0), sub(r, addmod(mload(0x6800), mload(0x6820), r)), r))
            }

            function foldConstraints2(folded) -> f {
                let r := mload(ORDER)
                f := folded
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x5080), mload(0x6840), r), r)
                mstore(0x6860, addmod(mload(0x3bc0), mload(0x4fc0), r))
                mstore(0x6880, mulmod(mload(0x6860), mload(0x6860), r))
                mstore(0x68a0, addmod(mload(0x3c60), sub(r, mulmod(mload(0x6880), mload(0x6880), r)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x5080), mload(0x68a0), r), r)
                mstore(0x68c0, addmod(addmod(mulmod(mload(0x3be0), mload(0x2760), r), mulmod(mload(0x3c00), mload(0x2780), r), r), mulmod(mload(0x6540), mload(0x27a0), r), r))
                mstore(0x68e0, mulmod(mload(0x3c60), mload(0x6860), r))
                mstore(0x6900, addmod(addmod(mload(0x68c0), mulmod(mload(0x3bc0), mload(0x27c0), r), r), mulmod(mload(0x25e0), mload(0x68e0), r), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x5080), addmod(mload(0x3ce0), sub(r, mload(0x6900)), r), r), r)
                mstore(0x6920, addmod(addmod(mulmod(mload(0x3be0), mload(0x27e0), r), mulmod(mload(0x3c00), mload(0x2800), r), r), mulmod(mload(0x6540), mload(0x2820), r), r))
                mstore(0x6940, addmod(addmod(mload(0x6920), mulmod(mload(0x3bc0), mload(0x2840), r), r), mulmod(mload(0x2640), mload(0x68e0), r), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x5080), addmod(mload(0x3d00), sub(r, mload(0x6940)), r), r), r)
                mstore(0x6960, addmod(addmod(mulmod(mload(0x3be0), mload(0x2860), r), mulmod(mload(0x3c00), mload(0x2880), r), r), mulmod(mload(0x6540), mload(0x28a0), r), r))
                mstore(0x6980, addmod(addmod(mload(0x6960), mulmod(mload(0x3bc0), mload(0x28c0), r), r), mulmod(mload(0x26a0), mload(0x68e0), r), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x5080), addmod(mload(0x3d20), sub(r, mload(0x6980)), r), r), r)
                mstore(0x69a0, addmod(addmod(mload(0x41a0), mulmod(mload(0x41c0), 32768, r), r), mulmod(mload(0x41e0), 1073741824, r), r))
                mstore(0x69c0, addmod(mload(0x4080), sub(r, mload(0x69a0)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x50a0), mload(0x69c0), r), r)
                mstore(0x69e0, addmod(addmod(mload(0x4200), mulmod(32768, mload(0x4220), r), r), mulmod(1073741824, mload(0x4240), r), r))
                mstore(0x6a00, addmod(mload(0x40a0), sub(r, mload(0x69e0)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x50a0), mload(0x6a00), r), r)
                mstore(0x6a20, addmod(addmod(mload(0x4260), mulmod(32768, mload(0x4280), r), r), mulmod(1073741824, mload(0x42a0), r), r))
                mstore(0x6a40, addmod(mload(0x40c0), sub(r, mload(0x6a20)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x50a0), mload(0x6a40), r), r)
                mstore(0x6a60, addmod(addmod(mload(0x42c0), mulmod(32768, mload(0x42e0), r), r), mulmod(1073741824, mload(0x4300), r), r))
                mstore(0x6a80, addmod(mload(0x40e0), sub(r, mload(0x6a60)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x50a0), mload(0x6a80), r), r)
                mstore(0x6aa0, addmod(addmod(mload(0x4320), mulmod(32768, mload(0x4340), r), r), mulmod(1073741824, mload(0x4360), r), r))
                mstore(0x6ac0, addmod(mload(0x4100), sub(r, mload(0x6aa0)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x50a0), mload(0x6ac0), r), r)
                mstore(0x6ae0, addmod(mload(0x4380), mulmod(32768, mload(0x43a0), r), r))
                mstore(0x6b00, addmod(mload(0x4120), sub(r, mload(0x6ae0)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x50a0), mload(0x6b00), r), r)
                mstore(0x6b20, addmod(addmod(mload(0x3e60), mulmod(32768, mload(0x3e80), r), r), mulmod(1073741824, mload(0x3ea0), r), r))
                mstore(0x6b40, addmod(addmod(mload(0x3ec0), mulmod(32768, mload(0x3ee0), r), r), mulmod(1073741824, mload(0x3f00), r), r))
                mstore(0x6b60, addmod(addmod(mload(0x3f20), mulmod(32768, mload(0x3f40), r), r), mulmod(1073741824, mload(0x3f60), r), r))
                mstore(0x6b80, addmod(addmod(mload(0x6b20), mulmod(mload(0x6b40), 35184372088832, r), r), mulmod(mload(0x6b60), mload(0x28e0), r), r))
                mstore(0x6ba0, addmod(addmod(mload(0x3f80), mulmod(32768, mload(0x3fa0), r), r), mulmod(1073741824, mload(0x3fc0), r), r))
                mstore(0x6bc0, addmod(addmod(mload(0x3fe0), mulmod(32768, mload(0x4000), r), r), mulmod(1073741824, mload(0x4020), r), r))
                mstore(0x6be0, addmod(mload(0x4040), mulmod(32768, mload(0x4060), r), r))
            }

            function foldConstraints3(folded) -> f {
                let r := mload(ORDER)
                f := folded
                mstore(0x6c00, addmod(addmod(mload(0x6ba0), mulmod(35184372088832, mload(0x6bc0), r), r), mulmod(mload(0x28e0), mload(0x6be0), r), r))
                mstore(0x6c20, addmod(mload(0x6b80), mulmod(mload(0x6c00), mload(0x2900), r), r))
                mstore(0x6c40, addmod(mload(0x3be0), sub(r, mload(0x3d40)), r))
                mstore(0x6c60, addmod(mload(0x3c00), sub(r, mload(0x3d60)), r))
                mstore(0x6c80, addmod(mload(0x3c20), sub(r, mload(0x3d80)), r))
                mstore(0x6ca0, addmod(addmod(mload(0x6c40), mulmod(35184372088832, mload(0x6c60), r), r), mulmod(mload(0x28e0), mload(0x6c80), r), r))
                mstore(0x6cc0, addmod(mload(0x3c40), sub(r, mload(0x3da0)), r))
                mstore(0x6ce0, addmod(mload(0x3bc0), sub(r, mload(0x3dc0)), r))
                mstore(0x6d00, addmod(mload(0x3c60), sub(r, mload(0x3de0)), r))
                mstore(0x6d20, addmod(addmod(mload(0x6cc0), mulmod(35184372088832, mload(0x6ce0), r), r), mulmod(mload(0x28e0), mload(0x6d00), r), r))
                mstore(0x6d40, addmod(mload(0x6ca0), mulmod(mload(0x2900), mload(0x6d20), r), r))
                mstore(0x6d60, addmod(addmod(mload(0x43c0), mulmod(32768, mload(0x43e0), r), r), mulmod(1073741824, mload(0x4400), r), r))
                mstore(0x6d80, addmod(addmod(mload(0x4420), mulmod(32768, mload(0x4440), r), r), mulmod(1073741824, mload(0x4460), r), r))
                mstore(0x6da0, addmod(addmod(mload(0x4480), mulmod(32768, mload(0x44a0), r), r), mulmod(1073741824, mload(0x44c0), r), r))
                mstore(0x6dc0, addmod(addmod(mload(0x6d60), mulmod(35184372088832, mload(0x6d80), r), r), mulmod(mload(0x28e0), mload(0x6da0), r), r))
                mstore(0x6de0, addmod(addmod(mload(0x44e0), mulmod(32768, mload(0x4500), r), r), mulmod(1073741824, mload(0x4520), r), r))
                mstore(0x6e00, addmod(addmod(mload(0x4540), mulmod(32768, mload(0x4560), r), r), mulmod(1073741824, mload(0x4580), r), r))
                mstore(0x6e20, addmod(mload(0x6de0), mulmod(35184372088832, mload(0x6e00), r), r))
                mstore(0x6e40, addmod(mload(0x45a0), mulmod(32768, mload(0x45c0), r), r))
                mstore(0x6e60, addmod(addmod(mload(0x6e40), mulmod(1073741824, mload(0x45e0), r), r), mload(0x2920), r))
                mstore(0x6e80, mulmod(mload(0x2900), addmod(mload(0x6e20), mulmod(mload(0x28e0), mload(0x6e60), r), r), r))
                mstore(0x6ea0, mulmod(addmod(mload(0x6dc0), mload(0x6e80), r), mload(0x2940), r))
                mstore(0x6ec0, addmod(addmod(addmod(mulmod(mload(0x6c20), mload(0x6d40), r), sub(r, mload(0x3c80)), r), mload(0x3e00), r), sub(r, mload(0x6ea0)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x50a0), mload(0x6ec0), r), r)
                mstore(0x6ee0, mulmod(35184372088832, addmod(mulmod(mload(0x6b20), mload(0x6c60), r), mulmod(mload(0x6b40), mload(0x6c40), r), r), r))
                mstore(0x6f00, addmod(addmod(mulmod(mload(0x6b20), mload(0x6c80), r), mulmod(mload(0x6b40), mload(0x6c60), r), r), mulmod(mload(0x6b60), mload(0x6c40), r), r))
                mstore(0x6f20, addmod(addmod(addmod(mulmod(mload(0x6b20), mload(0x6c40), r), mload(0x6ee0), r), mulmod(mload(0x28e0), mload(0x6f00), r), r), sub(r, mload(0x3ca0)), r))
                mstore(0x6f40, mulmod(35184372088832, addmod(mulmod(mload(0x6d60), 3909836464388, r), mulmod(mload(0x6d80), 13292260883783, r), r), r))
                mstore(0x6f60, addmod(addmod(mulmod(mload(0x6d60), 25726323172442, r), mulmod(mload(0x6d80), 3909836464388, r), r), mulmod(mload(0x6da0), 13292260883783, r), r))
                mstore(0x6f80, addmod(addmod(mulmod(mload(0x6d60), 13292260883783, r), mload(0x6f40), r), mulmod(mload(0x28e0), mload(0x6f60), r), r))
                mstore(0x6fa0, addmod(addmod(mload(0x4600), mulmod(32768, mload(0x4620), r), r), mulmod(1073741824, mload(0x4640), r), r))
                mstore(0x6fc0, addmod(addmod(mload(0x6fa0), mulmod(35184372088832, mload(0x4660), r), r), mload(0x2960), r))
                mstore(0x6fe0, mulmod(mload(0x2900), mload(0x6fc0), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x50a0), addmod(addmod(addmod(mload(0x6f20), mload(0x3e20), r), sub(r, mload(0x6f80)), r), sub(r, mload(0x6fe0)), r), r), r)
                mstore(0x7000, addmod(addmod(mulmod(mload(0x6b20), mload(0x6cc0), r), mulmod(mload(0x6b40), mload(0x6c80), r), r), mulmod(mload(0x6b60), mload(0x6c60), r), r))
                mstore(0x7020, addmod(addmod(mulmod(mload(0x6b20), mload(0x6ce0), r), mulmod(mload(0x6b40), mload(0x6cc0), r), r), mulmod(mload(0x6b60), mload(0x6c80), r), r))
                mstore(0x7040, addmod(addmod(mload(0x7020), mulmod(mload(0x6ba0), mload(0x6c60), r), r), mulmod(mload(0x6bc0), mload(0x6c40), r), r))
                mstore(0x7060, addmod(addmod(mload(0x7000), mulmod(mload(0x6ba0), mload(0x6c40), r), r), mulmod(35184372088832, mload(0x7040), r), r))
                mstore(0x7080, addmod(addmod(mulmod(mload(0x6b20), mload(0x6d00), r), mulmod(mload(0x6b40), mload(0x6ce0), r), r), mulmod(mload(0x6b60), mload(0x6cc0), r), r))
                mstore(0x70a0, addmod(addmod(mload(0x7080), mulmod(mload(0x6ba0), mload(0x6c80), r), r), mulmod(mload(0x6bc0), mload(0x6c60), r), r))
            }

            function foldConstraints4(folded) -> f {
                let r := mload(ORDER)
                f := folded
                mstore(0x70c0, mulmod(mload(0x28e0), addmod(mload(0x70a0), mulmod(mload(0x6be0), mload(0x6c40), r), r), r))
                mstore(0x70e0, addmod(addmod(mulmod(mload(0x6d60), 598829367984, r), mulmod(mload(0x6d80), 25726323172442, r), r), mulmod(mload(0x6da0), 3909836464388, r), r))
                mstore(0x7100, addmod(addmod(mulmod(mload(0x6d60), 15475203545989, r), mulmod(mload(0x6d80), 598829367984, r), r), mulmod(mload(0x6da0), 25726323172442, r), r))
                mstore(0x7120, addmod(addmod(mload(0x7100), mulmod(mload(0x6de0), 3909836464388, r), r), mulmod(mload(0x6e00), 13292260883783, r), r))
                mstore(0x7140, addmod(addmod(mload(0x70e0), mulmod(mload(0x6de0), 13292260883783, r), r), mulmod(35184372088832, mload(0x7120), r), r))
                mstore(0x7160, addmod(addmod(mulmod(mload(0x6d60), 405940025, r), mulmod(mload(0x6d80), 15475203545989, r), r), mulmod(mload(0x6da0), 598829367984, r), r))
                mstore(0x7180, addmod(addmod(mload(0x7160), mulmod(mload(0x6de0), 25726323172442, r), r), mulmod(mload(0x6e00), 3909836464388, r), r))
                mstore(0x71a0, mulmod(mload(0x28e0), addmod(mload(0x7180), mulmod(mload(0x6e60), 13292260883783, r), r), r))
                mstore(0x71c0, addmod(mload(0x7140), mload(0x71a0), r))
                mstore(0x71e0, addmod(addmod(addmod(addmod(mload(0x7060), mload(0x70c0), r), sub(r, mload(0x3cc0)), r), mload(0x3e40), r), sub(r, mload(0x71c0)), r))
                mstore(0x7200, addmod(addmod(mload(0x4680), mulmod(32768, mload(0x46a0), r), r), mulmod(1073741824, mload(0x46c0), r), r))
                mstore(0x7220, addmod(addmod(mload(0x7200), mulmod(35184372088832, mload(0x46e0), r), r), mload(0x2960), r))
                mstore(0x7240, mulmod(mload(0x2900), mload(0x7220), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x50a0), addmod(addmod(mload(0x71e0), mload(0x6fc0), r), sub(r, mload(0x7240)), r), r), r)
                mstore(0x7260, mulmod(mload(0x6c20), mload(0x6c20), r))
                mstore(0x7280, addmod(addmod(mload(0x3d40), mulmod(35184372088832, mload(0x3d60), r), r), mulmod(mload(0x28e0), mload(0x3d80), r), r))
                mstore(0x72a0, addmod(addmod(mload(0x3da0), mulmod(35184372088832, mload(0x3dc0), r), r), mulmod(mload(0x28e0), mload(0x3de0), r), r))
                mstore(0x72c0, addmod(mload(0x7280), mulmod(mload(0x2900), mload(0x72a0), r), r))
                mstore(0x72e0, addmod(addmod(mload(0x3be0), mulmod(mload(0x3c00), 35184372088832, r), r), mulmod(mload(0x3c20), mload(0x28e0), r), r))
                mstore(0x7300, addmod(addmod(mload(0x3c40), mulmod(mload(0x3bc0), 35184372088832, r), r), mulmod(mload(0x3c60), mload(0x28e0), r), r))
                mstore(0x7320, addmod(mload(0x72e0), mulmod(mload(0x2900), mload(0x7300), r), r))
                mstore(0x7340, addmod(mload(0x7260), sub(r, addmod(mload(0x72c0), mload(0x7320), r)), r))
                mstore(0x7360, addmod(addmod(mload(0x4080), mulmod(mload(0x40a0), 35184372088832, r), r), mulmod(mload(0x40c0), mload(0x28e0), r), r))
                mstore(0x7380, addmod(addmod(mload(0x40e0), mulmod(mload(0x4100), 35184372088832, r), r), mulmod(mload(0x4120), mload(0x28e0), r), r))
                mstore(0x73a0, addmod(mload(0x7360), mulmod(mload(0x2900), mload(0x7380), r), r))
                mstore(0x73c0, addmod(addmod(mload(0x4700), mulmod(32768, mload(0x4720), r), r), mulmod(1073741824, mload(0x4740), r), r))
                mstore(0x73e0, addmod(addmod(mload(0x4760), mulmod(32768, mload(0x4780), r), r), mulmod(1073741824, mload(0x47a0), r), r))
                mstore(0x7400, addmod(addmod(mload(0x47c0), mulmod(32768, mload(0x47e0), r), r), mulmod(1073741824, mload(0x4800), r), r))
                mstore(0x7420, addmod(addmod(mload(0x73c0), mulmod(35184372088832, mload(0x73e0), r), r), mulmod(mload(0x28e0), mload(0x7400), r), r))
                mstore(0x7440, addmod(addmod(mload(0x4820), mulmod(32768, mload(0x4840), r), r), mulmod(1073741824, mload(0x4860), r), r))
                mstore(0x7460, addmod(addmod(mload(0x4880), mulmod(32768, mload(0x48a0), r), r), mulmod(1073741824, mload(0x48c0), r), r))
                mstore(0x7480, addmod(addmod(mload(0x48e0), mulmod(32768, mload(0x4900), r), r), mload(0x2980), r))
                mstore(0x74a0, addmod(addmod(mload(0x7440), mulmod(35184372088832, mload(0x7460), r), r), mulmod(mload(0x28e0), mload(0x7480), r), r))
                mstore(0x74c0, mulmod(mload(0x2940), addmod(mload(0x7420), mulmod(mload(0x2900), mload(0x74a0), r), r), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x50a0), addmod(addmod(mload(0x7340), sub(r, mload(0x73a0)), r), sub(r, mload(0x74c0)), r), r), r)
                mstore(0x74e0, mulmod(mload(0x6b20), mload(0x6b40), r))
                mstore(0x7500, addmod(mulmod(mload(0x6b20), mload(0x6b20), r), mulmod(35184372088832, addmod(mload(0x74e0), mload(0x74e0), r), r), r))
                mstore(0x7520, mulmod(mload(0x6b20), mload(0x6b60), r))
                mstore(0x7540, addmod(addmod(mload(0x7520), mulmod(mload(0x6b40), mload(0x6b40), r), r), mload(0x7520), r))
                mstore(0x7560, addmod(mload(0x7500), mulmod(mload(0x28e0), mload(0x7540), r), r))
            }

            function foldConstraints5(folded) -> f {
                let r := mload(ORDER)
                f := folded
                mstore(0x7580, addmod(mload(0x7560), sub(r, addmod(mload(0x7280), mload(0x72e0), r)), r))
                mstore(0x75a0, mulmod(35184372088832, addmod(mulmod(3909836464388, mload(0x73c0), r), mulmod(13292260883783, mload(0x73e0), r), r), r))
                mstore(0x75c0, addmod(addmod(mulmod(25726323172442, mload(0x73c0), r), mulmod(3909836464388, mload(0x73e0), r), r), mulmod(13292260883783, mload(0x7400), r), r))
                mstore(0x75e0, addmod(addmod(mulmod(13292260883783, mload(0x73c0), r), mload(0x75a0), r), mulmod(mload(0x28e0), mload(0x75c0), r), r))
                mstore(0x7600, addmod(addmod(mload(0x4920), mulmod(32768, mload(0x4940), r), r), mulmod(1073741824, mload(0x4960), r), r))
                mstore(0x7620, addmod(addmod(mload(0x7600), mulmod(35184372088832, mload(0x4980), r), r), mload(0x2960), r))
                mstore(0x7640, mulmod(mload(0x2900), mload(0x7620), r))
                mstore(0x7660, addmod(addmod(addmod(mload(0x7580), sub(r, mload(0x7360)), r), sub(r, mload(0x75e0)), r), sub(r, mload(0x7640)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x50a0), mload(0x7660), r), r)
                mstore(0x7680, mulmod(mload(0x6b20), mload(0x6ba0), r))
                mstore(0x76a0, mulmod(mload(0x6b40), mload(0x6b60), r))
                mstore(0x76c0, mulmod(mload(0x6b20), mload(0x6bc0), r))
                mstore(0x76e0, mulmod(mload(0x6b40), mload(0x6ba0), r))
                mstore(0x7700, addmod(addmod(addmod(mload(0x76c0), mload(0x76e0), r), mulmod(mload(0x6b60), mload(0x6b60), r), r), mload(0x76e0), r))
                mstore(0x7720, addmod(addmod(addmod(addmod(mload(0x7680), mload(0x76a0), r), mload(0x76a0), r), mload(0x7680), r), mulmod(35184372088832, addmod(mload(0x7700), mload(0x76c0), r), r), r))
                mstore(0x7740, mulmod(mload(0x6b20), mload(0x6be0), r))
                mstore(0x7760, mulmod(mload(0x6b40), mload(0x6bc0), r))
                mstore(0x7780, mulmod(mload(0x6b60), mload(0x6ba0), r))
                mstore(0x77a0, addmod(addmod(addmod(addmod(mload(0x7740), mload(0x7760), r), mload(0x7780), r), mload(0x7780), r), mload(0x7760), r))
                mstore(0x77c0, addmod(mload(0x7720), mulmod(mload(0x28e0), addmod(mload(0x77a0), mload(0x7740), r), r), r))
                mstore(0x77e0, addmod(mload(0x77c0), sub(r, addmod(mload(0x72a0), mload(0x7300), r)), r))
                mstore(0x7800, addmod(addmod(mulmod(598829367984, mload(0x73c0), r), mulmod(25726323172442, mload(0x73e0), r), r), mulmod(3909836464388, mload(0x7400), r), r))
                mstore(0x7820, addmod(addmod(mulmod(15475203545989, mload(0x73c0), r), mulmod(598829367984, mload(0x73e0), r), r), mulmod(25726323172442, mload(0x7400), r), r))
                mstore(0x7840, addmod(addmod(mload(0x7820), mulmod(3909836464388, mload(0x7440), r), r), mulmod(13292260883783, mload(0x7460), r), r))
                mstore(0x7860, addmod(addmod(mload(0x7800), mulmod(13292260883783, mload(0x7440), r), r), mulmod(35184372088832, mload(0x7840), r), r))
                mstore(0x7880, addmod(addmod(mulmod(405940025, mload(0x73c0), r), mulmod(15475203545989, mload(0x73e0), r), r), mulmod(598829367984, mload(0x7400), r), r))
                mstore(0x78a0, addmod(addmod(mload(0x7880), mulmod(25726323172442, mload(0x7440), r), r), mulmod(3909836464388, mload(0x7460), r), r))
                mstore(0x78c0, mulmod(mload(0x28e0), addmod(mload(0x78a0), mulmod(13292260883783, mload(0x7480), r), r), r))
                mstore(0x78e0, addmod(mload(0x7860), mload(0x78c0), r))
                mstore(0x7900, addmod(addmod(addmod(mload(0x77e0), sub(r, mload(0x7380)), r), sub(r, mload(0x78e0)), r), mload(0x7620), r))
                mstore(0x7920, addmod(addmod(mload(0x49a0), mulmod(32768, mload(0x49c0), r), r), mulmod(1073741824, mload(0x49e0), r), r))
                mstore(0x7940, addmod(addmod(mload(0x7920), mulmod(35184372088832, mload(0x4a00), r), r), mload(0x2960), r))
                mstore(0x7960, mulmod(mload(0x2900), mload(0x7940), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x50a0), addmod(mload(0x7900), sub(r, mload(0x7960)), r), r), r)
                mstore(0x7980, addmod(mload(0x3be0), sub(r, mload(0x4080)), r))
                mstore(0x79a0, addmod(mload(0x3c00), sub(r, mload(0x40a0)), r))
                mstore(0x79c0, addmod(mload(0x3c20), sub(r, mload(0x40c0)), r))
                mstore(0x79e0, addmod(addmod(mload(0x7980), mulmod(35184372088832, mload(0x79a0), r), r), mulmod(mload(0x28e0), mload(0x79c0), r), r))
                mstore(0x7a00, addmod(mload(0x3c40), sub(r, mload(0x40e0)), r))
                mstore(0x7a20, addmod(mload(0x3bc0), sub(r, mload(0x4100)), r))
            }

            function foldConstraints6(folded) -> f {
                let r := mload(ORDER)
                f := folded
                mstore(0x7a40, addmod(mload(0x3c60), sub(r, mload(0x4120)), r))
                mstore(0x7a60, addmod(addmod(mload(0x7a00), mulmod(35184372088832, mload(0x7a20), r), r), mulmod(mload(0x28e0), mload(0x7a40), r), r))
                mstore(0x7a80, mulmod(mload(0x6c20), addmod(mload(0x79e0), mulmod(mload(0x2900), mload(0x7a60), r), r), r))
                mstore(0x7aa0, addmod(mload(0x4140), addmod(mload(0x3c80), sub(r, mload(0x7a80)), r), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x50a0), mload(0x7aa0), r), r)
                mstore(0x7ac0, mulmod(35184372088832, addmod(mulmod(mload(0x6b20), mload(0x79a0), r), mulmod(mload(0x6b40), mload(0x7980), r), r), r))
                mstore(0x7ae0, addmod(addmod(mulmod(mload(0x6b20), mload(0x79c0), r), mulmod(mload(0x6b40), mload(0x79a0), r), r), mulmod(mload(0x6b60), mload(0x7980), r), r))
                mstore(0x7b00, addmod(mload(0x3ca0), sub(r, addmod(addmod(mulmod(mload(0x6b20), mload(0x7980), r), mload(0x7ac0), r), mulmod(mload(0x28e0), mload(0x7ae0), r), r)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x50a0), addmod(mload(0x4160), mload(0x7b00), r), r), r)
                mstore(0x7b20, addmod(addmod(mulmod(mload(0x6b20), mload(0x7a00), r), mulmod(mload(0x6b40), mload(0x79c0), r), r), mulmod(mload(0x6b60), mload(0x79a0), r), r))
                mstore(0x7b40, addmod(addmod(mulmod(mload(0x6b20), mload(0x7a20), r), mulmod(mload(0x6b40), mload(0x7a00), r), r), mulmod(mload(0x6b60), mload(0x79c0), r), r))
                mstore(0x7b60, addmod(addmod(mload(0x7b40), mulmod(mload(0x6ba0), mload(0x79a0), r), r), mulmod(mload(0x6bc0), mload(0x7980), r), r))
                mstore(0x7b80, addmod(addmod(mload(0x7b20), mulmod(mload(0x6ba0), mload(0x7980), r), r), mulmod(35184372088832, mload(0x7b60), r), r))
                mstore(0x7ba0, addmod(addmod(mulmod(mload(0x6b20), mload(0x7a40), r), mulmod(mload(0x6b40), mload(0x7a20), r), r), mulmod(mload(0x6b60), mload(0x7a00), r), r))
                mstore(0x7bc0, addmod(addmod(mload(0x7ba0), mulmod(mload(0x6ba0), mload(0x79c0), r), r), mulmod(mload(0x6bc0), mload(0x79a0), r), r))
                mstore(0x7be0, mulmod(mload(0x28e0), addmod(mload(0x7bc0), mulmod(mload(0x6be0), mload(0x7980), r), r), r))
                mstore(0x7c00, addmod(mload(0x3cc0), sub(r, addmod(mload(0x7b80), mload(0x7be0), r)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x50a0), addmod(mload(0x4180), mload(0x7c00), r), r), r)
                mstore(0x7c20, addmod(mload(0x3d00), sub(r, mulmod(mload(0x4fa0), mload(0x3ce0), r)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x50a0), addmod(mload(0x7c20), sub(r, mload(0x3ba0)), r), r), r)
                mstore(0x7c40, addmod(mload(0x3d20), sub(r, mulmod(mload(0x6d40), mload(0x6d40), r)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x50a0), mload(0x7c40), r), r)
                mstore(0x7c60, mulmod(mulmod(mulmod(mload(0x6d40), mload(0x4a20), r), addmod(mload(0x3d20), mload(0x29c0), r), r), addmod(mload(0x3d20), mload(0x2a00), r), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x50a0), addmod(mload(0x7c60), mload(0x2580), r), r), r)
                mstore(0x7c80, mulmod(mload(0x50c0), addmod(2, sub(r, mload(0x50c0)), r), r))
                mstore(0x7ca0, mulmod(mload(0x7c80), addmod(3, sub(r, mload(0x50c0)), r), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x69c0), mload(0x7ca0), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x6a00), mload(0x7ca0), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x6a40), mload(0x7ca0), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x6a80), mload(0x7ca0), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x6ac0), mload(0x7ca0), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x6b00), mload(0x7ca0), r), r)
                mstore(0x7cc0, addmod(addmod(mload(0x4a40), mulmod(35184372088832, mload(0x4a60), r), r), mulmod(mload(0x28e0), mload(0x4a80), r), r))
                mstore(0x7ce0, addmod(addmod(mload(0x4aa0), mulmod(35184372088832, mload(0x4ac0), r), r), mulmod(mload(0x28e0), mload(0x4ae0), r), r))
                mstore(0x7d00, addmod(mload(0x7cc0), mulmod(mload(0x2900), mload(0x7ce0), r), r))
                mstore(0x7d20, addmod(mulmod(2, mulmod(mload(0x6c20), mload(0x7d00), r), r), sub(r, mulmod(3, mulmod(mload(0x72c0), mload(0x72c0), r), r)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x7ca0), addmod(mload(0x7d20), sub(r, mload(0x6ea0)), r), r), r)
                mstore(0x7d40, mulmod(35184372088832, addmod(mulmod(mload(0x6b20), mload(0x4a60), r), mulmod(mload(0x6b40), mload(0x4a40), r), r), r))
                mstore(0x7d60, addmod(addmod(mulmod(mload(0x6b20), mload(0x4a80), r), mulmod(mload(0x6b40), mload(0x4a60), r), r), mulmod(mload(0x6b60), mload(0x4a40), r), r))
                mstore(0x7d80, mulmod(2, addmod(addmod(mulmod(mload(0x6b20), mload(0x4a40), r), mload(0x7d40), r), mulmod(mload(0x28e0), mload(0x7d60), r), r), r))
            }

            function foldConstraints7(folded) -> f {
                let r := mload(ORDER)
                f := folded
                mstore(0x7da0, mulmod(mload(0x3d40), mload(0x3d60), r))
                mstore(0x7dc0, addmod(mulmod(mload(0x3d40), mload(0x3d40), r), mulmod(35184372088832, addmod(mload(0x7da0), mload(0x7da0), r), r), r))
                mstore(0x7de0, mulmod(mload(0x3d40), mload(0x3d80), r))
                mstore(0x7e00, addmod(addmod(mload(0x7de0), mulmod(mload(0x3d60), mload(0x3d60), r), r), mload(0x7de0), r))
                mstore(0x7e20, mulmod(3, addmod(mload(0x7dc0), mulmod(mload(0x28e0), mload(0x7e00), r), r), r))
                mstore(0x7e40, addmod(addmod(addmod(mload(0x7d80), sub(r, mload(0x7e20)), r), sub(r, mload(0x6f80)), r), sub(r, mload(0x6fe0)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x7ca0), mload(0x7e40), r), r)
                mstore(0x7e60, addmod(addmod(mulmod(mload(0x6b20), mload(0x4aa0), r), mulmod(mload(0x6b40), mload(0x4a80), r), r), mulmod(mload(0x6b60), mload(0x4a60), r), r))
                mstore(0x7e80, addmod(addmod(mulmod(mload(0x6b20), mload(0x4ac0), r), mulmod(mload(0x6b40), mload(0x4aa0), r), r), mulmod(mload(0x6b60), mload(0x4a80), r), r))
                mstore(0x7ea0, addmod(addmod(mload(0x7e80), mulmod(mload(0x6ba0), mload(0x4a60), r), r), mulmod(mload(0x6bc0), mload(0x4a40), r), r))
                mstore(0x7ec0, addmod(addmod(mload(0x7e60), mulmod(mload(0x6ba0), mload(0x4a40), r), r), mulmod(35184372088832, mload(0x7ea0), r), r))
                mstore(0x7ee0, addmod(addmod(mulmod(mload(0x6b20), mload(0x4ae0), r), mulmod(mload(0x6b40), mload(0x4ac0), r), r), mulmod(mload(0x6b60), mload(0x4aa0), r), r))
                mstore(0x7f00, addmod(addmod(mload(0x7ee0), mulmod(mload(0x6ba0), mload(0x4a80), r), r), mulmod(mload(0x6bc0), mload(0x4a60), r), r))
                mstore(0x7f20, mulmod(mload(0x28e0), addmod(mload(0x7f00), mulmod(mload(0x6be0), mload(0x4a40), r), r), r))
                mstore(0x7f40, mulmod(mload(0x3d40), mload(0x3da0), r))
                mstore(0x7f60, mulmod(mload(0x3d60), mload(0x3d80), r))
                mstore(0x7f80, mulmod(mload(0x3d40), mload(0x3dc0), r))
                mstore(0x7fa0, mulmod(mload(0x3d60), mload(0x3da0), r))
                mstore(0x7fc0, addmod(addmod(addmod(mload(0x7f80), mload(0x7fa0), r), mulmod(mload(0x3d80), mload(0x3d80), r), r), mload(0x7fa0), r))
                mstore(0x7fe0, addmod(addmod(addmod(addmod(mload(0x7f40), mload(0x7f60), r), mload(0x7f60), r), mload(0x7f40), r), mulmod(35184372088832, addmod(mload(0x7fc0), mload(0x7f80), r), r), r))
                mstore(0x8000, mulmod(mload(0x3d40), mload(0x3de0), r))
                mstore(0x8020, mulmod(mload(0x3d60), mload(0x3dc0), r))
                mstore(0x8040, mulmod(mload(0x3d80), mload(0x3da0), r))
                mstore(0x8060, addmod(addmod(addmod(addmod(mload(0x8000), mload(0x8020), r), mload(0x8040), r), mload(0x8040), r), mload(0x8020), r))
                mstore(0x8080, addmod(mload(0x7fe0), mulmod(mload(0x28e0), addmod(mload(0x8060), mload(0x8000), r), r), r))
                mstore(0x80a0, addmod(mulmod(2, addmod(mload(0x7ec0), mload(0x7f20), r), r), sub(r, mulmod(3, mload(0x8080), r)), r))
                mstore(0x80c0, addmod(addmod(addmod(mload(0x80a0), sub(r, mload(0x71c0)), r), mload(0x6fc0), r), sub(r, mload(0x7240)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x7ca0), mload(0x80c0), r), r)
                mstore(0x80e0, addmod(mload(0x7260), sub(r, mulmod(2, mload(0x72c0), r)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x7ca0), addmod(addmod(mload(0x80e0), sub(r, mload(0x73a0)), r), sub(r, mload(0x74c0)), r), r), r)
                mstore(0x8100, addmod(mload(0x7560), sub(r, mulmod(2, mload(0x7280), r)), r))
                mstore(0x8120, addmod(addmod(addmod(mload(0x8100), sub(r, mload(0x7360)), r), sub(r, mload(0x75e0)), r), sub(r, mload(0x7640)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x7ca0), mload(0x8120), r), r)
                mstore(0x8140, addmod(mload(0x77c0), sub(r, mulmod(2, mload(0x72a0), r)), r))
                mstore(0x8160, addmod(addmod(addmod(mload(0x8140), sub(r, mload(0x7380)), r), sub(r, mload(0x78e0)), r), mload(0x7620), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x7ca0), addmod(mload(0x8160), sub(r, mload(0x7960)), r), r), r)
                mstore(0x8180, addmod(mload(0x3d40), sub(r, mload(0x4080)), r))
                mstore(0x81a0, addmod(mload(0x3d60), sub(r, mload(0x40a0)), r))
                mstore(0x81c0, addmod(mload(0x3d80), sub(r, mload(0x40c0)), r))
                mstore(0x81e0, addmod(addmod(mload(0x8180), mulmod(35184372088832, mload(0x81a0), r), r), mulmod(mload(0x28e0), mload(0x81c0), r), r))
            }

            function foldConstraints8(folded) -> f {
                let r := mload(ORDER)
                f := folded
                mstore(0x8200, addmod(mload(0x3da0), sub(r, mload(0x40e0)), r))
                mstore(0x8220, addmod(mload(0x3dc0), sub(r, mload(0x4100)), r))
                mstore(0x8240, addmod(mload(0x3de0), sub(r, mload(0x4120)), r))
                mstore(0x8260, addmod(addmod(mload(0x8200), mulmod(35184372088832, mload(0x8220), r), r), mulmod(mload(0x28e0), mload(0x8240), r), r))
                mstore(0x8280, mulmod(mload(0x6c20), addmod(mload(0x81e0), mulmod(mload(0x2900), mload(0x8260), r), r), r))
                mstore(0x82a0, addmod(mload(0x4140), addmod(mload(0x7d00), sub(r, mload(0x8280)), r), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x7ca0), mload(0x82a0), r), r)
                mstore(0x82c0, mulmod(35184372088832, addmod(mulmod(mload(0x6b20), mload(0x81a0), r), mulmod(mload(0x6b40), mload(0x8180), r), r), r))
                mstore(0x82e0, addmod(addmod(mulmod(mload(0x6b20), mload(0x81c0), r), mulmod(mload(0x6b40), mload(0x81a0), r), r), mulmod(mload(0x6b60), mload(0x8180), r), r))
                mstore(0x8300, addmod(mload(0x7cc0), sub(r, addmod(addmod(mulmod(mload(0x6b20), mload(0x8180), r), mload(0x82c0), r), mulmod(mload(0x28e0), mload(0x82e0), r), r)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x7ca0), addmod(mload(0x4160), mload(0x8300), r), r), r)
                mstore(0x8320, addmod(addmod(mulmod(mload(0x6b20), mload(0x8200), r), mulmod(mload(0x6b40), mload(0x81c0), r), r), mulmod(mload(0x6b60), mload(0x81a0), r), r))
                mstore(0x8340, addmod(addmod(mulmod(mload(0x6b20), mload(0x8220), r), mulmod(mload(0x6b40), mload(0x8200), r), r), mulmod(mload(0x6b60), mload(0x81c0), r), r))
                mstore(0x8360, addmod(addmod(mload(0x8340), mulmod(mload(0x6ba0), mload(0x81a0), r), r), mulmod(mload(0x6bc0), mload(0x8180), r), r))
                mstore(0x8380, addmod(addmod(mload(0x8320), mulmod(mload(0x6ba0), mload(0x8180), r), r), mulmod(35184372088832, mload(0x8360), r), r))
                mstore(0x83a0, addmod(addmod(mulmod(mload(0x6b20), mload(0x8240), r), mulmod(mload(0x6b40), mload(0x8220), r), r), mulmod(mload(0x6b60), mload(0x8200), r), r))
                mstore(0x83c0, addmod(addmod(mload(0x83a0), mulmod(mload(0x6ba0), mload(0x81c0), r), r), mulmod(mload(0x6bc0), mload(0x81a0), r), r))
                mstore(0x83e0, mulmod(mload(0x28e0), addmod(mload(0x83c0), mulmod(mload(0x6be0), mload(0x8180), r), r), r))
                mstore(0x8400, addmod(mload(0x7ce0), sub(r, addmod(mload(0x8380), mload(0x83e0), r)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x7ca0), addmod(mload(0x4180), mload(0x8400), r), r), r)
                mstore(0x8420, mulmod(mload(0x50c0), addmod(mload(0x50c0), mload(0x2580), r), r))
                mstore(0x8440, mulmod(mload(0x8420), addmod(mload(0x50c0), mload(0x25c0), r), r))
                mstore(0x8460, addmod(mload(0x4b00), sub(r, mload(0x6b20)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x8440), mload(0x8460), r), r)
                mstore(0x8480, addmod(mload(0x4b20), sub(r, mload(0x6b40)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x8440), mload(0x8480), r), r)
                mstore(0x84a0, addmod(mload(0x4b40), sub(r, mload(0x6b60)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x8440), mload(0x84a0), r), r)
                mstore(0x84c0, addmod(mload(0x4b60), sub(r, mload(0x6ba0)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x8440), mload(0x84c0), r), r)
                mstore(0x84e0, addmod(mload(0x4b80), sub(r, mload(0x6bc0)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x8440), mload(0x84e0), r), r)
                mstore(0x8500, addmod(mload(0x4ba0), sub(r, mload(0x6be0)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x8440), mload(0x8500), r), r)
                mstore(0x8520, addmod(addmod(mload(0x4b00), mulmod(35184372088832, mload(0x4b20), r), r), mulmod(mload(0x28e0), mload(0x4b40), r), r))
                mstore(0x8540, addmod(addmod(mload(0x4b60), mulmod(35184372088832, mload(0x4b80), r), r), mulmod(mload(0x28e0), mload(0x4ba0), r), r))
                mstore(0x8560, addmod(mload(0x8520), mulmod(mload(0x2900), mload(0x8540), r), r))
                mstore(0x8580, addmod(addmod(mload(0x69a0), mulmod(mload(0x69e0), 35184372088832, r), r), mulmod(mload(0x6a20), mload(0x28e0), r), r))
                mstore(0x85a0, addmod(mload(0x6a60), mulmod(mload(0x6aa0), 35184372088832, r), r))
                mstore(0x85c0, addmod(addmod(mload(0x6ae0), mulmod(1073741824, mload(0x43c0), r), r), mload(0x2920), r))
            }

            function foldConstraints9(folded) -> f {
                let r := mload(ORDER)
                f := folded
                mstore(0x85e0, mulmod(mload(0x2900), addmod(mload(0x85a0), mulmod(mload(0x28e0), mload(0x85c0), r), r), r))
                mstore(0x8600, addmod(addmod(mload(0x3e00), sub(r, mload(0x8560)), r), sub(r, mulmod(mload(0x2940), addmod(mload(0x8580), mload(0x85e0), r), r)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x8440), mload(0x8600), r), r)
                mstore(0x8620, mulmod(35184372088832, addmod(mulmod(mload(0x69a0), 3909836464388, r), mulmod(mload(0x69e0), 13292260883783, r), r), r))
                mstore(0x8640, addmod(addmod(mulmod(mload(0x69a0), 25726323172442, r), mulmod(mload(0x69e0), 3909836464388, r), r), mulmod(mload(0x6a20), 13292260883783, r), r))
                mstore(0x8660, addmod(addmod(mulmod(mload(0x69a0), 13292260883783, r), mload(0x8620), r), mulmod(mload(0x28e0), mload(0x8640), r), r))
                mstore(0x8680, addmod(addmod(mload(0x43e0), mulmod(32768, mload(0x4400), r), r), mulmod(1073741824, mload(0x4420), r), r))
                mstore(0x86a0, addmod(addmod(mload(0x8680), mulmod(35184372088832, mload(0x4440), r), r), mload(0x2960), r))
                mstore(0x86c0, addmod(addmod(addmod(mload(0x3e20), sub(r, mload(0x8520)), r), sub(r, mload(0x8660)), r), sub(r, mulmod(mload(0x2900), mload(0x86a0), r)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x8440), mload(0x86c0), r), r)
                mstore(0x86e0, addmod(addmod(mulmod(mload(0x69a0), 598829367984, r), mulmod(mload(0x69e0), 25726323172442, r), r), mulmod(mload(0x6a20), 3909836464388, r), r))
                mstore(0x8700, addmod(addmod(mulmod(mload(0x69a0), 15475203545989, r), mulmod(mload(0x69e0), 598829367984, r), r), mulmod(mload(0x6a20), 25726323172442, r), r))
                mstore(0x8720, addmod(addmod(mload(0x8700), mulmod(mload(0x6a60), 3909836464388, r), r), mulmod(mload(0x6aa0), 13292260883783, r), r))
                mstore(0x8740, addmod(addmod(mload(0x86e0), mulmod(mload(0x6a60), 13292260883783, r), r), mulmod(35184372088832, mload(0x8720), r), r))
                mstore(0x8760, addmod(addmod(mulmod(mload(0x69a0), 405940025, r), mulmod(mload(0x69e0), 15475203545989, r), r), mulmod(mload(0x6a20), 598829367984, r), r))
                mstore(0x8780, addmod(addmod(mload(0x8760), mulmod(mload(0x6a60), 25726323172442, r), r), mulmod(mload(0x6aa0), 3909836464388, r), r))
                mstore(0x87a0, mulmod(mload(0x28e0), addmod(mload(0x8780), mulmod(13292260883783, mload(0x85c0), r), r), r))
                mstore(0x87c0, addmod(addmod(mload(0x3e40), sub(r, mload(0x8540)), r), sub(r, addmod(mload(0x8740), mload(0x87a0), r)), r))
                mstore(0x87e0, addmod(addmod(mload(0x4460), mulmod(32768, mload(0x4480), r), r), mulmod(1073741824, mload(0x44a0), r), r))
                mstore(0x8800, addmod(addmod(mload(0x87e0), mulmod(35184372088832, mload(0x44c0), r), r), mload(0x2960), r))
                mstore(0x8820, addmod(addmod(mload(0x87c0), mload(0x86a0), r), sub(r, mulmod(mload(0x2900), mload(0x8800), r)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x8440), mload(0x8820), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x8440), addmod(mload(0x4bc0), sub(r, mload(0x3d40)), r), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x8440), addmod(mload(0x4be0), sub(r, mload(0x3d60)), r), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x8440), addmod(mload(0x4c00), sub(r, mload(0x3d80)), r), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x8440), addmod(mload(0x4c20), sub(r, mload(0x3da0)), r), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x8440), addmod(mload(0x4c40), sub(r, mload(0x3dc0)), r), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x8440), addmod(mload(0x4c60), sub(r, mload(0x3de0)), r), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x8440), addmod(mload(0x4c80), sub(r, mload(0x8560)), r), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x8440), addmod(mload(0x4ca0), sub(r, mload(0x8520)), r), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x8440), addmod(mload(0x4cc0), sub(r, mload(0x8540)), r), r), r)
                mstore(0x8840, addmod(addmod(mload(0x4bc0), mulmod(35184372088832, mload(0x4be0), r), r), mulmod(mload(0x28e0), mload(0x4c00), r), r))
                mstore(0x8860, addmod(addmod(mload(0x4c20), mulmod(35184372088832, mload(0x4c40), r), r), mulmod(mload(0x28e0), mload(0x4c60), r), r))
                mstore(0x8880, addmod(mload(0x4ce0), sub(r, addmod(mload(0x8840), mulmod(mload(0x2900), mload(0x8860), r), r)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x8440), mload(0x8880), r), r)
                mstore(0x88a0, mulmod(mload(0x50e0), addmod(2, sub(r, mload(0x50e0)), r), r))
                mstore(0x88c0, mulmod(mload(0x88a0), addmod(3, sub(r, mload(0x50e0)), r), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x8460), mload(0x88c0), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x8480), mload(0x88c0), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x84a0), mload(0x88c0), r), r)
            }

            function foldConstraints10(folded) -> f {
                let r := mload(ORDER)
                f := folded
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x84c0), mload(0x88c0), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x84e0), mload(0x88c0), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x8500), mload(0x88c0), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x88c0), addmod(mload(0x4d00), sub(r, mload(0x69a0)), r), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x88c0), addmod(mload(0x4d20), sub(r, mload(0x69e0)), r), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x88c0), addmod(mload(0x4d40), sub(r, mload(0x6a20)), r), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x88c0), addmod(mload(0x4d60), sub(r, mload(0x6a60)), r), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x88c0), addmod(mload(0x4d80), sub(r, mload(0x6aa0)), r), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x88c0), addmod(mload(0x4da0), sub(r, mload(0x6ae0)), r), r), r)
                mstore(0x88e0, addmod(addmod(mload(0x4d00), mulmod(35184372088832, mload(0x4d20), r), r), mulmod(mload(0x28e0), mload(0x4d40), r), r))
                mstore(0x8900, addmod(addmod(mload(0x4d60), mulmod(35184372088832, mload(0x4d80), r), r), mulmod(mload(0x28e0), mload(0x4da0), r), r))
                mstore(0x8920, addmod(mload(0x4dc0), sub(r, addmod(mload(0x88e0), mulmod(mload(0x2900), mload(0x8900), r), r)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x88c0), mload(0x8920), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x88c0), addmod(mload(0x4de0), sub(r, mload(0x88e0)), r), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x88c0), addmod(mload(0x4e00), sub(r, mload(0x8900)), r), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x88c0), addmod(mload(0x4e20), sub(r, mload(0x8560)), r), r), r)
                mstore(0x8940, mulmod(mload(0x8420), addmod(mload(0x50c0), mload(0x25a0), r), r))
                mstore(0x8960, addmod(addmod(mload(0x3d00), mulmod(mload(0x3d20), 35184372088832, r), r), mulmod(mload(0x28e0), mload(0x4a20), r), r))
                mstore(0x8980, addmod(addmod(mload(0x4e40), mulmod(35184372088832, mload(0x4e60), r), r), mulmod(mload(0x28e0), mload(0x4e80), r), r))
                mstore(0x89a0, addmod(mload(0x8960), mulmod(mload(0x2900), mload(0x8980), r), r))
                mstore(0x89c0, addmod(mload(0x6ae0), mload(0x2980), r))
                mstore(0x89e0, mulmod(mload(0x2900), addmod(mload(0x85a0), mulmod(mload(0x28e0), mload(0x89c0), r), r), r))
                mstore(0x8a00, addmod(addmod(mulmod(mload(0x89a0), mload(0x89a0), r), sub(r, mload(0x6c20)), r), sub(r, mulmod(mload(0x2940), addmod(mload(0x8580), mload(0x89e0), r), r)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x8940), mload(0x8a00), r), r)
                mstore(0x8a20, mulmod(mload(0x3d00), mload(0x3d20), r))
                mstore(0x8a40, addmod(mulmod(mload(0x3d00), mload(0x3d00), r), mulmod(35184372088832, addmod(mload(0x8a20), mload(0x8a20), r), r), r))
                mstore(0x8a60, mulmod(mload(0x3d00), mload(0x4a20), r))
                mstore(0x8a80, addmod(addmod(mload(0x8a60), mulmod(mload(0x3d20), mload(0x3d20), r), r), mload(0x8a60), r))
                mstore(0x8aa0, addmod(addmod(mload(0x8a40), mulmod(mload(0x28e0), mload(0x8a80), r), r), sub(r, mload(0x6b80)), r))
                mstore(0x8ac0, addmod(addmod(mload(0x45e0), mulmod(32768, mload(0x4700), r), r), mulmod(1073741824, mload(0x4720), r), r))
                mstore(0x8ae0, addmod(addmod(mload(0x8ac0), mulmod(35184372088832, mload(0x4740), r), r), mload(0x2960), r))
                mstore(0x8b00, addmod(addmod(mload(0x8aa0), sub(r, mload(0x8660)), r), sub(r, mulmod(mload(0x2900), mload(0x8ae0), r)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x8940), mload(0x8b00), r), r)
                mstore(0x8b20, mulmod(mload(0x3d00), mload(0x4e40), r))
                mstore(0x8b40, mulmod(mload(0x3d20), mload(0x4a20), r))
                mstore(0x8b60, mulmod(mload(0x3d00), mload(0x4e60), r))
                mstore(0x8b80, mulmod(mload(0x3d20), mload(0x4e40), r))
                mstore(0x8ba0, addmod(addmod(addmod(mload(0x8b60), mload(0x8b80), r), mulmod(mload(0x4a20), mload(0x4a20), r), r), mload(0x8b80), r))
                mstore(0x8bc0, addmod(addmod(addmod(addmod(mload(0x8b20), mload(0x8b40), r), mload(0x8b40), r), mload(0x8b20), r), mulmod(35184372088832, addmod(mload(0x8ba0), mload(0x8b60), r), r), r))
                mstore(0x8be0, mulmod(mload(0x3d00), mload(0x4e80), r))
            }

            function foldConstraints11(folded) -> f {
                let r := mload(ORDER)
                f := folded
                mstore(0x8c00, mulmod(mload(0x3d20), mload(0x4e60), r))
                mstore(0x8c20, mulmod(mload(0x4a20), mload(0x4e40), r))
                mstore(0x8c40, addmod(addmod(addmod(addmod(mload(0x8be0), mload(0x8c00), r), mload(0x8c20), r), mload(0x8c20), r), mload(0x8c00), r))
                mstore(0x8c60, addmod(mload(0x8bc0), mulmod(mload(0x28e0), addmod(mload(0x8c40), mload(0x8be0), r), r), r))
                mstore(0x8c80, mulmod(mload(0x28e0), addmod(mload(0x8780), mulmod(13292260883783, mload(0x89c0), r), r), r))
                mstore(0x8ca0, addmod(addmod(mload(0x8c60), sub(r, mload(0x6c00)), r), sub(r, addmod(mload(0x8740), mload(0x8c80), r)), r))
                mstore(0x8cc0, addmod(addmod(mload(0x73e0), mulmod(35184372088832, mload(0x47c0), r), r), mload(0x2960), r))
                mstore(0x8ce0, addmod(addmod(mload(0x8ca0), mload(0x8ae0), r), sub(r, mulmod(mload(0x2900), mload(0x8cc0), r)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x8940), mload(0x8ce0), r), r)
                mstore(0x8d00, addmod(mulmod(mload(0x7320), mload(0x7320), r), sub(r, mulmod(mload(0x6c20), mload(0x89a0), r)), r))
                mstore(0x8d20, addmod(mload(0x6e40), mload(0x2980), r))
                mstore(0x8d40, mulmod(mload(0x2900), addmod(mload(0x6e20), mulmod(mload(0x28e0), mload(0x8d20), r), r), r))
                mstore(0x8d60, addmod(addmod(mload(0x8d00), mload(0x25c0), r), sub(r, mulmod(mload(0x2940), addmod(mload(0x6dc0), mload(0x8d40), r), r)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x8940), mload(0x8d60), r), r)
                mstore(0x8d80, mulmod(mload(0x3be0), mload(0x3c00), r))
                mstore(0x8da0, addmod(mulmod(mload(0x3be0), mload(0x3be0), r), mulmod(35184372088832, addmod(mload(0x8d80), mload(0x8d80), r), r), r))
                mstore(0x8dc0, mulmod(mload(0x3be0), mload(0x3c20), r))
                mstore(0x8de0, addmod(addmod(mload(0x8dc0), mulmod(mload(0x3c00), mload(0x3c00), r), r), mload(0x8dc0), r))
                mstore(0x8e00, mulmod(35184372088832, addmod(mulmod(mload(0x3d00), mload(0x6b40), r), mulmod(mload(0x3d20), mload(0x6b20), r), r), r))
                mstore(0x8e20, addmod(addmod(mulmod(mload(0x3d00), mload(0x6b60), r), mulmod(mload(0x3d20), mload(0x6b40), r), r), mulmod(mload(0x6b20), mload(0x4a20), r), r))
                mstore(0x8e40, addmod(addmod(mload(0x8da0), mulmod(mload(0x28e0), mload(0x8de0), r), r), sub(r, addmod(addmod(mulmod(mload(0x3d00), mload(0x6b20), r), mload(0x8e00), r), mulmod(mload(0x28e0), mload(0x8e20), r), r)), r))
                mstore(0x8e60, addmod(addmod(mload(0x47e0), mulmod(32768, mload(0x4800), r), r), mulmod(1073741824, mload(0x4820), r), r))
                mstore(0x8e80, addmod(addmod(mload(0x8e60), mulmod(35184372088832, mload(0x4840), r), r), mload(0x2960), r))
                mstore(0x8ea0, addmod(addmod(addmod(mload(0x8e40), mload(0x25c0), r), sub(r, mload(0x6f80)), r), sub(r, mulmod(mload(0x2900), mload(0x8e80), r)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x8940), mload(0x8ea0), r), r)
                mstore(0x8ec0, mulmod(mload(0x3c40), mload(0x3be0), r))
                mstore(0x8ee0, mulmod(mload(0x3c00), mload(0x3c20), r))
                mstore(0x8f00, mulmod(mload(0x3bc0), mload(0x3be0), r))
                mstore(0x8f20, mulmod(mload(0x3c40), mload(0x3c00), r))
                mstore(0x8f40, addmod(addmod(addmod(mload(0x8f00), mload(0x8f20), r), mulmod(mload(0x3c20), mload(0x3c20), r), r), mload(0x8f20), r))
                mstore(0x8f60, addmod(addmod(addmod(addmod(mload(0x8ec0), mload(0x8ee0), r), mload(0x8ee0), r), mload(0x8ec0), r), mulmod(35184372088832, addmod(mload(0x8f40), mload(0x8f00), r), r), r))
                mstore(0x8f80, mulmod(mload(0x3be0), mload(0x3c60), r))
                mstore(0x8fa0, mulmod(mload(0x3bc0), mload(0x3c00), r))
                mstore(0x8fc0, mulmod(mload(0x3c40), mload(0x3c20), r))
                mstore(0x8fe0, addmod(addmod(addmod(addmod(mload(0x8f80), mload(0x8fa0), r), mload(0x8fc0), r), mload(0x8fc0), r), mload(0x8fa0), r))
                mstore(0x9000, addmod(mload(0x8f60), mulmod(mload(0x28e0), addmod(mload(0x8fe0), mload(0x8f80), r), r), r))
                mstore(0x9020, addmod(addmod(mulmod(mload(0x3d00), mload(0x6ba0), r), mulmod(mload(0x3d20), mload(0x6b60), r), r), mulmod(mload(0x6b40), mload(0x4a20), r), r))
                mstore(0x9040, addmod(addmod(mulmod(mload(0x3d00), mload(0x6bc0), r), mulmod(mload(0x3d20), mload(0x6ba0), r), r), mulmod(mload(0x6b60), mload(0x4a20), r), r))
                mstore(0x9060, addmod(addmod(mload(0x9040), mulmod(mload(0x6b40), mload(0x4e40), r), r), mulmod(mload(0x6b20), mload(0x4e60), r), r))
                mstore(0x9080, addmod(addmod(mload(0x9020), mulmod(mload(0x6b20), mload(0x4e40), r), r), mulmod(35184372088832, mload(0x9060), r), r))
            }

            function foldConstraints12(folded) -> f {
                let r := mload(ORDER)
                f := folded
                mstore(0x90a0, addmod(addmod(mulmod(mload(0x3d00), mload(0x6be0), r), mulmod(mload(0x3d20), mload(0x6bc0), r), r), mulmod(mload(0x6ba0), mload(0x4a20), r), r))
                mstore(0x90c0, addmod(addmod(mload(0x90a0), mulmod(mload(0x6b60), mload(0x4e40), r), r), mulmod(mload(0x6b40), mload(0x4e60), r), r))
                mstore(0x90e0, mulmod(mload(0x28e0), addmod(mload(0x90c0), mulmod(mload(0x6b20), mload(0x4e80), r), r), r))
                mstore(0x9100, addmod(mload(0x9000), sub(r, addmod(mload(0x9080), mload(0x90e0), r)), r))
                mstore(0x9120, mulmod(mload(0x28e0), addmod(mload(0x7180), mulmod(13292260883783, mload(0x8d20), r), r), r))
                mstore(0x9140, addmod(mload(0x9100), sub(r, addmod(mload(0x7140), mload(0x9120), r)), r))
                mstore(0x9160, addmod(addmod(mload(0x4860), mulmod(32768, mload(0x4880), r), r), mulmod(1073741824, mload(0x48a0), r), r))
                mstore(0x9180, addmod(addmod(mload(0x9160), mulmod(35184372088832, mload(0x48c0), r), r), mload(0x2960), r))
                mstore(0x91a0, addmod(addmod(mload(0x9140), mload(0x8e80), r), sub(r, mulmod(mload(0x2900), mload(0x9180), r)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x8940), mload(0x91a0), r), r)
                mstore(0x91c0, mulmod(mload(0x4f20), addmod(mload(0x4f20), mload(0x2580), r), r))
                mstore(0x91e0, mulmod(mload(0x4ea0), addmod(1, sub(r, mload(0x4ea0)), r), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x91c0), mload(0x91e0), r), r)
                mstore(0x9200, addmod(addmod(mload(0x6b20), mulmod(mload(0x3ec0), 35184372088832, r), r), mulmod(mload(0x3ee0), 1152921504606846976, r), r))
                mstore(0x9220, addmod(addmod(mload(0x9200), mulmod(mload(0x3f00), mload(0x2a20), r), r), mulmod(mload(0x3f20), mload(0x28e0), r), r))
                mstore(0x9240, addmod(addmod(mload(0x9220), mulmod(mload(0x3f40), mload(0x2a40), r), r), mulmod(mload(0x3f60), mload(0x2a60), r), r))
                mstore(0x9260, addmod(addmod(mload(0x8960), mload(0x9240), r), sub(r, mulmod(mload(0x2900), mload(0x4ea0), r)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x91c0), addmod(mload(0x9260), mload(0x2aa0), r), r), r)
                mstore(0x9280, addmod(addmod(mload(0x6ba0), mulmod(35184372088832, mload(0x3fe0), r), r), mulmod(mload(0x4000), 1152921504606846976, r), r))
                mstore(0x92a0, addmod(addmod(mload(0x9280), mulmod(mload(0x4020), mload(0x2a20), r), r), mulmod(mload(0x28e0), mload(0x4040), r), r))
                mstore(0x92c0, addmod(mload(0x8980), addmod(mload(0x92a0), mulmod(mload(0x4060), mload(0x2a40), r), r), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x91c0), addmod(addmod(mload(0x92c0), mload(0x4ea0), r), mload(0x2ae0), r), r), r)
                mstore(0x92e0, mulmod(mload(0x4d00), addmod(1, sub(r, mload(0x4d00)), r), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x91c0), mload(0x92e0), r), r)
                mstore(0x9300, addmod(addmod(mload(0x69a0), mulmod(mload(0x4200), 35184372088832, r), r), mulmod(mload(0x4220), 1152921504606846976, r), r))
                mstore(0x9320, addmod(addmod(mload(0x9300), mulmod(mload(0x4240), mload(0x2a20), r), r), mulmod(mload(0x4260), mload(0x28e0), r), r))
                mstore(0x9340, addmod(addmod(mload(0x9320), mulmod(mload(0x4280), mload(0x2a40), r), r), mulmod(mload(0x42a0), mload(0x2a60), r), r))
                mstore(0x9360, addmod(addmod(mload(0x72e0), mload(0x9340), r), sub(r, mulmod(mload(0x2900), mload(0x4d00), r)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x91c0), addmod(mload(0x9360), mload(0x2aa0), r), r), r)
                mstore(0x9380, addmod(addmod(mload(0x6a60), mulmod(mload(0x4320), 35184372088832, r), r), mulmod(mload(0x4340), 1152921504606846976, r), r))
                mstore(0x93a0, addmod(addmod(mload(0x9380), mulmod(mload(0x4360), mload(0x2a20), r), r), mulmod(mload(0x4380), mload(0x28e0), r), r))
                mstore(0x93c0, addmod(mload(0x7300), addmod(mload(0x93a0), mulmod(mload(0x43a0), mload(0x2a40), r), r), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x91c0), addmod(addmod(mload(0x93c0), mload(0x4d00), r), mload(0x2ae0), r), r), r)
                mstore(0x93e0, mulmod(mload(0x50e0), addmod(mload(0x50e0), mload(0x2580), r), r))
                mstore(0x9400, mulmod(mload(0x93e0), addmod(mload(0x50e0), mload(0x25c0), r), r))
                mstore(0x9420, addmod(mload(0x3ba0), sub(r, mload(0x4fa0)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x9400), mload(0x9420), r), r)
                mstore(0x9440, addmod(mload(0x3ce0), mload(0x4fa0), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x9400), mload(0x9440), r), r)
                mstore(0x9460, addmod(mload(0x3d00), sub(r, mload(0x3be0)), r))
            }

            function foldConstraints13(folded) -> f {
                let r := mload(ORDER)
                f := folded
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x9400), mload(0x9460), r), r)
                mstore(0x9480, addmod(mload(0x3d20), sub(r, mload(0x3c00)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x9400), mload(0x9480), r), r)
                mstore(0x94a0, addmod(mload(0x4a20), sub(r, mload(0x3c20)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x9400), mload(0x94a0), r), r)
                mstore(0x94c0, addmod(mload(0x4e40), sub(r, mload(0x3c40)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x9400), mload(0x94c0), r), r)
                mstore(0x94e0, addmod(mload(0x4e60), sub(r, mload(0x3bc0)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x9400), mload(0x94e0), r), r)
                mstore(0x9500, addmod(mload(0x4e80), sub(r, mload(0x3c60)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x9400), mload(0x9500), r), r)
                mstore(0x9520, addmod(mload(0x4ec0), mload(0x3c80), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x9400), mload(0x9520), r), r)
                mstore(0x9540, addmod(mload(0x4ee0), mload(0x3ca0), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x9400), mload(0x9540), r), r)
                mstore(0x9560, addmod(mload(0x4f00), mload(0x3cc0), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x9400), mload(0x9560), r), r)
                mstore(0x9580, mulmod(mload(0x93e0), addmod(mload(0x50e0), mload(0x25a0), r), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x9420), mload(0x9580), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x9440), mload(0x9580), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x9460), mload(0x9580), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x9480), mload(0x9580), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x94a0), mload(0x9580), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x94c0), mload(0x9580), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x94e0), mload(0x9580), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x9500), mload(0x9580), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x9520), mload(0x9580), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x9540), mload(0x9580), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x9560), mload(0x9580), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x9580), addmod(mload(0x3be0), sub(r, mload(0x4fc0)), r), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x9580), addmod(mload(0x3c00), sub(r, mload(0x4fe0)), r), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x9580), addmod(mload(0x3c20), sub(r, mload(0x5000)), r), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x9580), addmod(mload(0x3c40), sub(r, mload(0x5020)), r), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x9580), addmod(mload(0x3bc0), sub(r, mload(0x4f40)), r), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x9580), addmod(mload(0x3c60), sub(r, mload(0x4f60)), r), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x9580), addmod(mload(0x3c80), sub(r, mload(0x5100)), r), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x9580), addmod(mload(0x3ca0), sub(r, mload(0x5120)), r), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x9580), addmod(mload(0x3cc0), sub(r, mload(0x5140)), r), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x5520), addmod(1, sub(r, mload(0x5240)), r), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x54e0), addmod(mulmod(mload(0x5240), mload(0x5240), r), sub(r, mload(0x5240)), r), r), r)
            }

            function foldConstraints14(folded) -> f {
                let r := mload(ORDER)
                f := folded
                mstore(0x95a0, addmod(1, sub(r, addmod(mload(0x54e0), mload(0x5500), r)), r))
                mstore(0x95c0, addmod(mload(0x3ba0), mload(0x1a0), r))
                mstore(0x95e0, mulmod(mload(0x5260), addmod(mload(0x95c0), mulmod(mload(0x180), mload(0x51e0), r), r), r))
                mstore(0x9600, addmod(mload(0x3bc0), mload(0x1a0), r))
                mstore(0x9620, mulmod(mload(0x95e0), addmod(mload(0x9600), mulmod(mload(0x180), mload(0x5200), r), r), r))
                mstore(0x9640, addmod(mload(0x5540), mload(0x1a0), r))
                mstore(0x9660, mulmod(mload(0x9620), addmod(mload(0x9640), mulmod(mload(0x180), mload(0x5220), r), r), r))
                mstore(0x9680, mulmod(mload(0x180), mload(0x1e0), r))
                mstore(0x96a0, mulmod(mulmod(mload(0x5240), addmod(mload(0x95c0), mload(0x9680), r), r), addmod(mload(0x9600), mulmod(mload(0x9680), mload(0x2b00), r), r), r))
                mstore(0x96c0, mulmod(mload(0x96a0), addmod(mload(0x9640), mulmod(mload(0x9680), mload(0x2b20), r), r), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x95a0), addmod(mload(0x9660), sub(r, mload(0x96c0)), r), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x5520), addmod(1, sub(r, mload(0x5280)), r), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x54e0), addmod(mulmod(mload(0x5280), mload(0x5280), r), sub(r, mload(0x5280)), r), r), r)
                mstore(0x96e0, mulmod(addmod(mload(0x5300), mload(0x1a0), r), mulmod(mload(0x52a0), addmod(mload(0x52c0), mload(0x180), r), r), r))
                mstore(0x9700, addmod(mload(0x5160), mload(0x1a0), r))
                mstore(0x9720, mulmod(mload(0x9700), mulmod(mload(0x5280), addmod(mload(0x3e60), mload(0x180), r), r), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x95a0), addmod(mload(0x96e0), sub(r, mload(0x9720)), r), r), r)
                mstore(0x9740, addmod(mload(0x52c0), sub(r, mload(0x5300)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x5520), mload(0x9740), r), r)
                mstore(0x9760, mulmod(mload(0x9740), addmod(mload(0x52c0), sub(r, mload(0x52e0)), r), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x95a0), mload(0x9760), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x5520), addmod(1, sub(r, mload(0x5320)), r), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x54e0), addmod(mulmod(mload(0x5320), mload(0x5320), r), sub(r, mload(0x5320)), r), r), r)
                mstore(0x9780, mulmod(addmod(mload(0x53a0), mload(0x1a0), r), mulmod(mload(0x5340), addmod(mload(0x5360), mload(0x180), r), r), r))
                mstore(0x97a0, mulmod(mload(0x9700), mulmod(mload(0x5320), addmod(mload(0x3f00), mload(0x180), r), r), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x95a0), addmod(mload(0x9780), sub(r, mload(0x97a0)), r), r), r)
                mstore(0x97c0, addmod(mload(0x5360), sub(r, mload(0x53a0)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x5520), mload(0x97c0), r), r)
                mstore(0x97e0, mulmod(mload(0x97c0), addmod(mload(0x5360), sub(r, mload(0x5380)), r), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x95a0), mload(0x97e0), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x5520), addmod(1, sub(r, mload(0x53c0)), r), r), r)
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x54e0), addmod(mulmod(mload(0x53c0), mload(0x53c0), r), sub(r, mload(0x53c0)), r), r), r)
                mstore(0x9800, mulmod(addmod(mload(0x5440), mload(0x1a0), r), mulmod(mload(0x53e0), addmod(mload(0x5400), mload(0x180), r), r), r))
                mstore(0x9820, mulmod(mload(0x160), addmod(mulmod(mload(0x160), mload(0x51a0), r), mload(0x3ba0), r), r))
                mstore(0x9840, addmod(mulmod(mload(0x160), addmod(mload(0x9820), mload(0x3be0), r), r), mload(0x3c00), r))
                mstore(0x9860, mulmod(mload(0x160), addmod(mulmod(mload(0x160), mload(0x9840), r), mload(0x3c20), r), r))
                mstore(0x9880, addmod(mulmod(mload(0x160), addmod(mload(0x9860), mload(0x3c40), r), r), mload(0x3bc0), r))
                mstore(0x98a0, mulmod(mload(0x160), addmod(mulmod(mload(0x160), mload(0x9880), r), mload(0x3c60), r), r))
                mstore(0x98c0, addmod(mulmod(mload(0x160), addmod(mload(0x98a0), mload(0x3c80), r), r), mload(0x3ca0), r))
                mstore(0x98e0, addmod(mulmod(mload(0x160), mulmod(mload(0x4f80), mload(0x5180), r), r), mulmod(mload(0x3ba0), mload(0x5180), r), r))
            }

            function foldConstraints15(folded) -> f {
                let r := mload(ORDER)
                f := folded
                mstore(0x9900, mulmod(mload(0x160), addmod(mulmod(mload(0x160), mload(0x98e0), r), mulmod(mload(0x3be0), mload(0x5180), r), r), r))
                mstore(0x9920, mulmod(mload(0x160), addmod(mload(0x9900), mulmod(mload(0x3c00), mload(0x5180), r), r), r))
                mstore(0x9940, mulmod(mload(0x160), addmod(mload(0x9920), mulmod(mload(0x3c20), mload(0x5180), r), r), r))
                mstore(0x9960, mulmod(mload(0x160), addmod(mload(0x9940), mulmod(mload(0x3c40), mload(0x5180), r), r), r))
                mstore(0x9980, mulmod(mload(0x160), addmod(mload(0x9960), mulmod(mload(0x3bc0), mload(0x5180), r), r), r))
                mstore(0x99a0, mulmod(mload(0x160), addmod(mload(0x9980), mulmod(mload(0x3c60), mload(0x5180), r), r), r))
                mstore(0x99c0, mulmod(mload(0x160), addmod(mload(0x99a0), mulmod(mload(0x3c80), mload(0x5180), r), r), r))
                mstore(0x99e0, mulmod(mload(0x160), addmod(mload(0x99c0), mulmod(mload(0x3ca0), mload(0x5180), r), r), r))
                mstore(0x9a00, addmod(addmod(mload(0x99e0), mulmod(mload(0x3cc0), mload(0x5180), r), r), mload(0x180), r))
                mstore(0x9a20, mulmod(addmod(addmod(mulmod(mload(0x160), mload(0x98c0), r), mload(0x3cc0), r), mload(0x1a0), r), mulmod(mload(0x53c0), mload(0x9a00), r), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x95a0), addmod(mload(0x9800), sub(r, mload(0x9a20)), r), r), r)
                mstore(0x9a40, addmod(mload(0x5400), sub(r, mload(0x5440)), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x5520), mload(0x9a40), r), r)
                mstore(0x9a60, mulmod(mload(0x9a40), addmod(mload(0x5400), sub(r, mload(0x5420)), r), r))
                f := addmod(mulmod(f, mload(0x1c0), r), mulmod(mload(0x95a0), mload(0x9a60), r), r)
            }


            // The quotient's value at x: all constraints, folded by y, over x^n - 1.
            function evaluateQuotient() {
                evaluateLagrange()
                let folded := foldConstraints15(foldConstraints14(foldConstraints13(foldConstraints12(foldConstraints11(foldConstraints10(foldConstraints9(foldConstraints8(foldConstraints7(foldConstraints6(foldConstraints5(foldConstraints4(foldConstraints3(foldConstraints2(foldConstraints1(foldConstraints0(0))))))))))))))))
                mstore(QUOTIENT_EVAL, mulmod(folded, mload(INVERSE_VANISHING), R))
            }

            // point *= scalar
            function multiplyPoint(scalar) {
                mstore(OPERAND, scalar)
                if iszero(staticcall(gas(), 7, POINT, 0x60, POINT, 0x40)) { fail(ERROR_PRECOMPILE_FAILED) }
            }

            // sum += scalar * point
            function addToSum(scalar) {
                multiplyPoint(scalar)
                if iszero(staticcall(gas(), 6, SUM, 0x80, SUM, 0x40)) { fail(ERROR_PRECOMPILE_FAILED) }
            }

            // point = point * scalar + the point at an address
            function foldPoint(scalar, pointer) {
                multiplyPoint(scalar)
                mcopy(OPERAND, pointer, 0x40)
                if iszero(staticcall(gas(), 6, POINT, 0x80, POINT, 0x40)) { fail(ERROR_PRECOMPILE_FAILED) }
            }

            // The next entry of the list of what is opened where: two bytes.
            function entry(list) -> value {
                value := shr(240, mload(list))
            }

            // Commitments, whose addresses the list has from the last one on, by powers of mu.
            function foldCommitments(list, end) {
                let mu := mload(MU)
                mcopy(POINT, entry(list), 0x40)
                for { list := add(list, 2) } lt(list, end) { list := add(list, 2) } { foldPoint(mu, entry(list)) }
            }

            function raise(base, exponent) -> value {
                value := 1
                for {} exponent { exponent := shr(1, exponent) } {
                    if and(exponent, 1) { value := mulmod(value, base, R) }
                    base := mulmod(base, base, R)
                }
            }

            // u / x - omega^i for each rotation i that occurs.
            function prepareDifferences() {
                let u := mulmod(mload(U), mload(INVERSE_X), R)
                let rotation := KEY_ROTATIONS
                for { let pointer := DIFFERENCES } lt(pointer, SET_VALUES) { pointer := add(pointer, 0x20) } {
                    mstore(pointer, addmod(u, sub(R, mload(rotation)), R))
                    rotation := add(rotation, 0x20)
                }
            }

            // What a set of polynomials, joined by powers of mu, has at its rotations, interpolated at u / x, where the
            // set's points are powers of omega; and the product of the differences there.
            function interpolate(list, rotations, polynomials) -> next, value, product {
                let weight := mload(WEIGHT)
                let weightsEnd := add(weight, shl(5, rotations))
                mstore(WEIGHT, weightsEnd)
                next := list
                product := 1
                for {} lt(weight, weightsEnd) { weight := add(weight, 0x20) } {
                    let entries := mload(next)
                    let here := mload(and(shr(224, entries), 0xffff))
                    next := add(next, 4)
                    if gt(polynomials, 1) {
                        let mu := mload(MU)
                        for { let end := add(next, shl(1, sub(polynomials, 1))) } lt(next, end) { next := add(next, 2) } {
                            here := addmod(mulmod(here, mu, R), mload(entry(next)), R)
                        }
                    }
                    let difference := mload(shr(240, entries))
                    here := mulmod(mulmod(here, mload(weight), R), product, R)
                    value := addmod(mulmod(value, difference, R), here, R)
                    product := mulmod(product, difference, R)
                }
            }

            // Evaluations of all sets, each divided by the set's vanishing polynomial at u; the inverses of the latter.
            function openEvals() {
                prepareDifferences()
                mstore(WEIGHT, KEY_WEIGHTS)
                let list := KEY_OPENINGS
                let scale := 1
                for { let set := SET_VALUES } lt(set, SET_INVERSES) { set := add(set, 0x20) } {
                    let rotations := entry(list)
                    let polynomials := entry(add(list, 2))
                    let value, product
                    list, value, product := interpolate(add(list, 4), rotations, polynomials)
                    mstore(set, mulmod(value, scale, R))
                    mstore(
                        add(set, sub(SET_INVERSES, SET_VALUES)), mulmod(product, raise(mload(X), rotations), R)
                    )
                    scale := mulmod(scale, mload(NU), R)
                    list := add(list, mul(polynomials, 2))
                }
                mstore(VANISHING_0, mload(SET_INVERSES))
                invert(SET_INVERSES, SET_PARTIALS, SET_PARTIALS)
                let opened := 0
                let inverse := SET_INVERSES
                for { let set := SET_VALUES } lt(set, SET_INVERSES) { set := add(set, 0x20) } {
                    opened := addmod(opened, mulmod(mload(set), mload(inverse), R), R)
                    inverse := add(inverse, 0x20)
                }
                mstore(OPENED, opened)
            }

            // Commitments of all sets, divided by their set's vanishing polynomial at u and multiplied by the first set's.
            function openSets() {
                mcopy(POINT, QUOTIENT_POINTS_LAST, 0x40)
                let list := sub(QUOTIENT_POINTS_LAST, 0x40)
                for {} iszero(lt(list, QUOTIENT_POINTS)) { list := sub(list, 0x40) } { foldPoint(mload(X_N), list) }
                mcopy(QUOTIENT_POINT, POINT, 0x40)

                let scale := mload(VANISHING_0)
                list := KEY_OPENINGS
                for { let inverse := SET_INVERSES } lt(inverse, SET_PARTIALS) { inverse := add(inverse, 0x20) } {
                    let polynomials := entry(add(list, 2))
                    list := add(add(list, 4), mul(entry(list), mul(add(polynomials, 1), 2)))
                    let end := add(list, mul(polynomials, 2))
                    foldCommitments(list, end)
                    switch eq(inverse, SET_INVERSES)
                    case 1 { mcopy(SUM, POINT, 0x40) }
                    default { addToSum(mulmod(mload(inverse), scale, R)) }
                    scale := mulmod(scale, mload(NU), R)
                    list := end
                }
            }

            // Adds the opening proof, joins the accumulator by rho, and compares the pairings
            // e(lhs, g2) and e(rhs, s * g2).
            function decide() {
                let vanishing := mload(VANISHING_0)
                mstore(POINT, 1)
                mstore(add(POINT, 0x20), 2)
                addToSum(sub(R, mulmod(mload(OPENED), vanishing, R)))
                mcopy(POINT, W, 0x40)
                addToSum(sub(R, vanishing))
                mcopy(POINT, W_PRIME, 0x40)
                addToSum(mload(U))
                let rho := mload(RHO)
                mcopy(POINT, ACCUMULATOR, 0x40)
                addToSum(rho)
                mcopy(PAIRING, SUM, 0x40)
                mcopy(add(PAIRING, 0x40), KEY_G2, 0x80)

                mcopy(POINT, add(ACCUMULATOR, 0x40), 0x40)
                foldPoint(rho, W_PRIME)
                mstore(add(PAIRING, 0xc0), mload(POINT))
                mstore(add(PAIRING, 0xe0), mod(sub(Q, mload(add(POINT, 0x20))), Q))
                mcopy(add(PAIRING, 0x100), KEY_S_G2, 0x80)
                if iszero(staticcall(gas(), 8, PAIRING, 0x180, 0x00, 0x20)) { fail(ERROR_PRECOMPILE_FAILED) }
                if iszero(eq(mload(0x00), 1)) { fail(ERROR_PROOF_REJECTED) }
            }

            checkCalldata()
            loadKey(key, keyHash)
            loadInstances()
            loadProof()
            squeezeChallenges()
            prepareInverses()
            invert(INVERSE_LAST, INVERSES_END, PARTIAL_PRODUCTS)
            evaluateQuotient()
            openEvals()
            openSets()
            decide()
            mstore(0x00, 1)
            return(0x00, 0x20)
        }
    }
}
