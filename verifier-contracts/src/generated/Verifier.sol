// SPDX-License-Identifier: MIT OR Apache-2.0
// Generated from the constraint system of the final circuit; never edited by hand.
pragma solidity ^0.8.30;

import {IVerifier} from "../interfaces/IVerifier.sol";

/// @title Verifier of aggregate proofs
/// @notice Checks halo2 proofs (KZG over BN254, SHPLONK openings, Keccak transcript) of one constraint system:
/// 8 gate columns, 1 lookup columns, 1 columns of constants,
/// one instance column of 32 values. The circuit's size, its fixed columns and the set-up are data: they are
/// in the verifying key, the code of another contract whose address and code hash are fixed here at construction.
/// @dev The assembly owns all memory from 0x80 on and never returns to Solidity. Residues are below 2^254, so that
/// sums of up to four of them don't overflow; mulmod and addmod reduce them.
contract Verifier is IVerifier {
    /// @dev Names the constraint system and the layout of the verifying key.
    bytes32 private constant SHAPE = 0xd81ff885eb2fd79d1ab5b64e308a537f6aae3a37e16bb455cdce3c106113f59b;

    uint256 private constant R = 0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001;
    uint256 private constant R_MINUS_2 = 0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593efffffff;
    uint256 private constant Q = 0x30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47;
    /// @dev Generates the cosets that tell the columns of the permutation apart.
    uint256 private constant DELTA = 0x09226b6e22c6f0ca64ec26aad4c86e715b5f898e5e963f25870e56bbe533e9a2;

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
    uint256 private constant BATCH_PLACES = 2;
    uint256 private constant PUBLIC_INPUTS = 20;
    uint256 private constant GATE_COLUMNS = 8;
    uint256 private constant LOOKUP_COLUMNS = 1;
    uint256 private constant FIXED_COLUMNS = 10;
    uint256 private constant PERMUTATION_COLUMNS = 11;
    uint256 private constant PERMUTATION_PRODUCTS = 6;

    // Call data.
    uint256 private constant CALLDATA_LENGTH = 4900;
    uint256 private constant PROOF_LENGTH = 4128;
    uint256 private constant CALLDATA_PUBLIC_INPUTS = 0x64;
    uint256 private constant CALLDATA_PROOF = 0x304;

    // The verifying key: a byte that stops execution, then words.
    uint256 private constant VERIFYING_KEY_LENGTH = 2209;
    uint256 private constant SRS_DEVELOPMENT = 1;
    uint256 private constant SRS_IMPORTED = 2;

    // Memory: the sum of points, the point at work and its other operand, one after the other for the precompiles.
    uint256 private constant SUM = 0x80;
    uint256 private constant POINT = 0xc0;
    uint256 private constant OPERAND = 0x100;
    // Challenges, and what follows from them.
    uint256 private constant BETA = 0x140;
    uint256 private constant GAMMA = 0x160;
    uint256 private constant Y = 0x180;
    uint256 private constant X = 0x1a0;
    uint256 private constant MU = 0x1c0;
    uint256 private constant NU = 0x1e0;
    uint256 private constant U = 0x200;
    uint256 private constant RHO = 0x220;
    uint256 private constant X_N = 0x240;
    uint256 private constant L_0 = 0x260;
    uint256 private constant L_LAST = 0x280;
    uint256 private constant L_ACTIVE = 0x2a0;
    uint256 private constant QUOTIENT_EVAL = 0x2c0;
    uint256 private constant VANISHING_0 = 0x2e0;
    uint256 private constant OPENED = 0x300;
    uint256 private constant QUOTIENT_POINT = 0x320;
    uint256 private constant ACCUMULATOR = 0x360;
    // The verifying key's words.
    uint256 private constant KEY = 0x3e0;
    uint256 private constant KEY_LOG_SIZE = 0x420;
    uint256 private constant KEY_SIZE_INVERSE = 0x440;
    uint256 private constant KEY_OMEGA = 0x460;
    uint256 private constant KEY_OMEGA_INVERSE = 0x480;
    uint256 private constant KEY_OMEGA_LAST = 0x4a0;
    uint256 private constant KEY_DIGEST = 0x4c0;
    uint256 private constant KEY_WEIGHTS_0_1_2_3 = 0x4e0;
    uint256 private constant KEY_WEIGHTS_0_1_LAST = 0x560;
    uint256 private constant KEY_WEIGHTS_0_1 = 0x5c0;
    uint256 private constant KEY_WEIGHTS_0_PREVIOUS = 0x600;
    uint256 private constant KEY_G2 = 0x640;
    uint256 private constant KEY_S_G2 = 0x6c0;
    uint256 private constant KEY_FIXED_LAST = 0x980;
    uint256 private constant KEY_PERMUTATION_LAST = 0xc40;
    // What the transcript absorbs, in order: digest, instances, proof.
    uint256 private constant DIGEST = 0xc80;
    uint256 private constant INSTANCES = 0xca0;
    uint256 private constant INSTANCE_LIMBS = 0xf20;
    uint256 private constant PROOF = 0x10a0;
    uint256 private constant LOOKUP_ADVICE_POINTS = 0x12a0;
    uint256 private constant PERMUTED_POINTS = 0x12e0;
    uint256 private constant PRODUCT_POINTS = 0x1360;
    uint256 private constant RANDOM_POINT = 0x1520;
    uint256 private constant QUOTIENT_POINTS = 0x1560;
    uint256 private constant ADVICE_EVALS = 0x1620;
    uint256 private constant LOOKUP_ADVICE_EVALS = 0x1a20;
    uint256 private constant FIXED_EVALS = 0x1a40;
    uint256 private constant TABLE_EVAL = 0x1a60;
    uint256 private constant SELECTOR_EVALS = 0x1a80;
    uint256 private constant RANDOM_EVAL = 0x1b80;
    uint256 private constant PERMUTATION_EVALS = 0x1ba0;
    uint256 private constant PRODUCT_EVALS = 0x1d00;
    uint256 private constant LOOKUP_EVALS = 0x1f20;
    uint256 private constant W = 0x1fc0;
    uint256 private constant W_PRIME = 0x2000;
    uint256 private constant PROOF_END = 0x2040;
    // The values at x of the permutation's columns.
    uint256 private constant COLUMN_EVALS = 0x2040;
    uint256 private constant COLUMN_EVALS_GATE = 0x2060;
    uint256 private constant COLUMN_EVALS_LOOKUP = 0x2160;
    uint256 private constant COLUMN_EVALS_INSTANCE = 0x2180;
    // What is inverted, all at once: the denominators of the Lagrange polynomials -7 to INSTANCES - 1 (which then
    // become their values at x), x^n - 1, x, and u - x * omega^i for i = 0, 1, 2, 3, -1 and -7.
    uint256 private constant LAGRANGE = 0x21a0;
    uint256 private constant LAGRANGE_0 = 0x2280;
    uint256 private constant INVERSE_VANISHING = 0x2680;
    uint256 private constant INVERSE_X = 0x26a0;
    uint256 private constant INVERSE_0 = 0x26c0;
    uint256 private constant INVERSE_1 = 0x26e0;
    uint256 private constant INVERSE_2 = 0x2700;
    uint256 private constant INVERSE_3 = 0x2720;
    uint256 private constant INVERSE_PREVIOUS = 0x2740;
    uint256 private constant INVERSE_LAST = 0x2760;
    uint256 private constant INVERSES_END = 0x2780;
    uint256 private constant PARTIAL_PRODUCTS_GAP = 0x5e0;
    // What the pairing precompile reads.
    uint256 private constant PAIRING = 0x2d60;

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
                for { let pointer := PROOF } lt(pointer, ADVICE_EVALS) { pointer := add(pointer, 0x40) } {
                    checkPoint(pointer, add(sub(pointer, PROOF), 0x80))
                }
                for { let pointer := ADVICE_EVALS } lt(pointer, W) { pointer := add(pointer, 0x20) } {
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
                // theta, not used: every lookup has one expression.
                let hash := squeeze(mload(DIGEST), INSTANCES, PERMUTED_POINTS)
                hash := squeeze(hash, PERMUTED_POINTS, PRODUCT_POINTS)
                mstore(BETA, mod(hash, R))
                hash := squeezeAgain(hash)
                mstore(GAMMA, mod(hash, R))
                hash := squeeze(hash, PRODUCT_POINTS, QUOTIENT_POINTS)
                mstore(Y, mod(hash, R))
                hash := squeeze(hash, QUOTIENT_POINTS, ADVICE_EVALS)
                mstore(X, mod(hash, R))
                hash := squeeze(hash, ADVICE_EVALS, W)
                mstore(MU, mod(hash, R))
                hash := squeezeAgain(hash)
                mstore(NU, mod(hash, R))
                hash := squeeze(hash, W, W_PRIME)
                mstore(U, mod(hash, R))
                hash := squeeze(hash, W_PRIME, PROOF_END)
                mstore(RHO, mod(hash, R))
            }

            function prepareInverses() {
                let x := mload(X)
                let power := x
                for { let i := mload(KEY_LOG_SIZE) } i { i := sub(i, 1) } { power := mulmod(power, power, R) }
                mstore(X_N, power)
                mstore(INVERSE_VANISHING, add(power, sub(R, 1)))
                mstore(INVERSE_X, x)

                let omega := mload(KEY_OMEGA)
                power := mload(KEY_OMEGA_LAST)
                for { let pointer := LAGRANGE } lt(pointer, INVERSE_VANISHING) { pointer := add(pointer, 0x20) } {
                    mstore(pointer, add(x, sub(R, power)))
                    power := mulmod(power, omega, R)
                }

                let u := mload(U)
                power := x
                let vanishing := 1
                for { let pointer := INVERSE_0 } lt(pointer, INVERSE_PREVIOUS) { pointer := add(pointer, 0x20) } {
                    mstore(pointer, add(u, sub(R, power)))
                    vanishing := mulmod(vanishing, mload(pointer), R)
                    power := mulmod(power, omega, R)
                }
                mstore(VANISHING_0, vanishing)
                mstore(INVERSE_PREVIOUS, add(u, sub(R, mulmod(x, mload(KEY_OMEGA_INVERSE), R))))
                mstore(INVERSE_LAST, add(u, sub(R, mulmod(x, mload(KEY_OMEGA_LAST), R))))
            }

            // Replaces all prepared values by their inverses: one inversion, three products for each.
            function invert() {
                let product := 1
                for { let pointer := LAGRANGE } lt(pointer, INVERSES_END) { pointer := add(pointer, 0x20) } {
                    mstore(add(pointer, PARTIAL_PRODUCTS_GAP), product)
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
                for { let pointer := INVERSES_END } gt(pointer, LAGRANGE) {} {
                    pointer := sub(pointer, 0x20)
                    let value := mload(pointer)
                    mstore(pointer, mulmod(inverse, mload(add(pointer, PARTIAL_PRODUCTS_GAP)), R))
                    inverse := mulmod(inverse, value, R)
                }
            }

            // L_i(x) = omega^i * (x^n - 1) / (n * (x - omega^i)), and with them the instance column's value at x.
            function evaluateLagrange() {
                let scale := mulmod(add(mload(X_N), sub(R, 1)), mload(KEY_SIZE_INVERSE), R)
                let omega := mload(KEY_OMEGA)
                scale := mulmod(scale, mload(KEY_OMEGA_LAST), R)
                let pointer := LAGRANGE
                mstore(L_LAST, mulmod(mload(pointer), scale, R))
                let inactive := mload(L_LAST)
                for { pointer := add(pointer, 0x20) } lt(pointer, LAGRANGE_0) { pointer := add(pointer, 0x20) } {
                    scale := mulmod(scale, omega, R)
                    inactive := addmod(inactive, mulmod(mload(pointer), scale, R), R)
                }
                mstore(L_ACTIVE, addmod(1, sub(R, inactive), R))
                let value := 0
                for { let instance := INSTANCES } lt(instance, PROOF) { instance := add(instance, 0x20) } {
                    scale := mulmod(scale, omega, R)
                    let lagrange := mulmod(mload(pointer), scale, R)
                    if eq(pointer, LAGRANGE_0) { mstore(L_0, lagrange) }
                    value := addmod(value, mulmod(mload(instance), lagrange, R), R)
                    pointer := add(pointer, 0x20)
                }
                mstore(COLUMN_EVALS_INSTANCE, value)
            }

            // The permutation's columns: constants, gate columns at rotation 0, lookup columns, instance.
            function gatherColumns() {
                mcopy(COLUMN_EVALS, FIXED_EVALS, sub(COLUMN_EVALS_GATE, COLUMN_EVALS))
                let eval := ADVICE_EVALS
                for { let pointer := COLUMN_EVALS_GATE } lt(pointer, COLUMN_EVALS_LOOKUP) {
                    pointer := add(pointer, 0x20)
                } {
                    mstore(pointer, mload(eval))
                    eval := add(eval, 0x80)
                }
                mcopy(COLUMN_EVALS_LOOKUP, LOOKUP_ADVICE_EVALS, sub(COLUMN_EVALS_INSTANCE, COLUMN_EVALS_LOOKUP))
            }

            // selector * (a + b * c - d), one a gate column.
            function foldGates() -> folded {
                let y := mload(Y)
                let eval := ADVICE_EVALS
                for { let selector := SELECTOR_EVALS } lt(selector, RANDOM_EVAL) { selector := add(selector, 0x20) } {
                    let value := mulmod(mload(add(eval, 0x20)), mload(add(eval, 0x40)), R)
                    value := add(add(value, mload(eval)), sub(R, mload(add(eval, 0x60))))
                    folded := addmod(mulmod(folded, y, R), mulmod(mload(selector), value, R), R)
                    eval := add(eval, 0x80)
                }
            }

            // l_0 * (1 - z)
            function foldStart(folded, z) -> result {
                result := mulmod(mload(L_0), add(1, sub(R, mload(z))), R)
                result := addmod(mulmod(folded, mload(Y), R), result, R)
            }

            // l_last * (z * z - z)
            function foldEnd(folded, z) -> result {
                let value := mload(z)
                result := mulmod(mload(L_LAST), add(mulmod(value, value, R), sub(R, value)), R)
                result := addmod(mulmod(folded, mload(Y), R), result, R)
            }

            function foldPermutationEnds(folded) -> result {
                result := foldStart(folded, PRODUCT_EVALS)
                result := foldEnd(result, sub(LOOKUP_EVALS, 0x40))
                // l_0 * (z_i - z_(i-1) at the last usable row)
                let y := mload(Y)
                for { let z := add(PRODUCT_EVALS, 0x60) } lt(z, LOOKUP_EVALS) { z := add(z, 0x60) } {
                    let value := add(mload(z), sub(R, mload(sub(z, 0x20))))
                    result := addmod(mulmod(result, y, R), mulmod(mload(L_0), value, R), R)
                }
            }

            // l_active * (z(omega x) * prod(column + beta * sigma + gamma) - z(x) * prod(column + beta * id + gamma)),
            // two columns to a product.
            function foldPermutation(folded) -> result {
                result := folded
                let beta := mload(BETA)
                let gamma := mload(GAMMA)
                let identity := mulmod(beta, mload(X), R)
                let z := PRODUCT_EVALS
                let column := COLUMN_EVALS
                let sigma := PERMUTATION_EVALS
                for {} lt(sigma, PRODUCT_EVALS) {} {
                    let left := mload(add(z, 0x20))
                    let right := mload(z)
                    for { let end := add(sigma, 0x40) } and(lt(sigma, end), lt(sigma, PRODUCT_EVALS)) {} {
                        let value := add(mload(column), gamma)
                        left := mulmod(left, add(value, mulmod(beta, mload(sigma), R)), R)
                        right := mulmod(right, add(value, identity), R)
                        identity := mulmod(identity, DELTA, R)
                        sigma := add(sigma, 0x20)
                        column := add(column, 0x20)
                    }
                    let value := mulmod(mload(L_ACTIVE), add(left, sub(R, right)), R)
                    result := addmod(mulmod(result, mload(Y), R), value, R)
                    z := add(z, 0x60)
                }
            }

            // The five constraints of each lookup, whose evaluations are z(x), z(omega x), input(x), input(x / omega)
            // and table(x), the last three permuted.
            function foldLookups(folded) -> result {
                result := folded
                let y := mload(Y)
                let advice := LOOKUP_ADVICE_EVALS
                for { let eval := LOOKUP_EVALS } lt(eval, W) { eval := add(eval, 0xa0) } {
                    result := foldStart(result, eval)
                    result := foldEnd(result, eval)
                    let input := mload(add(eval, 0x40))
                    let table := mload(add(eval, 0x80))
                    let value := mulmod(mload(add(eval, 0x20)), add(input, mload(BETA)), R)
                    value := mulmod(value, add(table, mload(GAMMA)), R)
                    let right := mulmod(mload(eval), add(mload(advice), mload(BETA)), R)
                    right := mulmod(right, add(mload(TABLE_EVAL), mload(GAMMA)), R)
                    value := mulmod(mload(L_ACTIVE), add(value, sub(R, right)), R)
                    result := addmod(mulmod(result, y, R), value, R)
                    right := add(input, sub(R, table))
                    result := addmod(mulmod(result, y, R), mulmod(mload(L_0), right, R), R)
                    value := mulmod(right, add(input, sub(R, mload(add(eval, 0x60)))), R)
                    value := mulmod(mload(L_ACTIVE), value, R)
                    result := addmod(mulmod(result, y, R), value, R)
                    advice := add(advice, 0x20)
                }
            }

            // The quotient's value at x: all constraints, folded by y, over x^n - 1.
            function evaluateQuotient() {
                evaluateLagrange()
                gatherColumns()
                let folded := foldLookups(foldPermutation(foldPermutationEnds(foldGates())))
                mstore(QUOTIENT_EVAL, mulmod(folded, mload(INVERSE_VANISHING), R))
            }

            // folded * mu^count + the values, from the last one back to the first one, by powers of mu.
            function foldEvals(folded, last, stride, count) -> result {
                result := folded
                let mu := mload(MU)
                for {} count { count := sub(count, 1) } {
                    result := addmod(mulmod(result, mu, R), mload(last), R)
                    last := sub(last, stride)
                }
            }

            // Adds what a set of polynomials, folded to `value`, has at one of the set's points.
            function addOpened(scale, weight, inverse, value) {
                value := mulmod(mulmod(value, scale, R), mulmod(mload(weight), mload(inverse), R), R)
                mstore(OPENED, addmod(mload(OPENED), value, R))
            }

            // The interpolated evaluations of all sets at u, divided by the first set's vanishing polynomial at u.
            function evaluateOpenings() {
                let inverse := mload(INVERSE_X)
                let scale := mulmod(mulmod(inverse, inverse, R), inverse, R)
                let last := add(ADVICE_EVALS, mul(sub(GATE_COLUMNS, 1), 0x80))
                mstore(OPENED, 0)
                for { let i := 0 } lt(i, 0x80) { i := add(i, 0x20) } {
                    addOpened(
                        scale,
                        add(KEY_WEIGHTS_0_1_2_3, i),
                        add(INVERSE_0, i),
                        foldEvals(0, add(last, i), 0x80, GATE_COLUMNS)
                    )
                }

                let nu := mload(NU)
                scale := nu
                let value := foldEvals(mload(RANDOM_EVAL), QUOTIENT_EVAL, 0, 1)
                value := foldEvals(value, sub(PRODUCT_EVALS, 0x20), 0x20, PERMUTATION_COLUMNS)
                value := foldEvals(value, sub(RANDOM_EVAL, 0x20), 0x20, FIXED_COLUMNS)
                value := foldEvals(value, sub(W, 0x20), 0xa0, LOOKUP_COLUMNS)
                value := foldEvals(value, sub(FIXED_EVALS, 0x20), 0x20, LOOKUP_COLUMNS)
                value := mulmod(mulmod(value, scale, R), mload(INVERSE_0), R)
                mstore(OPENED, addmod(mload(OPENED), value, R))

                scale := mulmod(scale, nu, R)
                value := mulmod(scale, mulmod(inverse, inverse, R), R)
                last := sub(LOOKUP_EVALS, 0xa0)
                addOpened(
                    value, KEY_WEIGHTS_0_1_LAST, INVERSE_0, foldEvals(0, last, 0x60, sub(PERMUTATION_PRODUCTS, 1))
                )
                addOpened(
                    value,
                    add(KEY_WEIGHTS_0_1_LAST, 0x20),
                    INVERSE_1,
                    foldEvals(0, add(last, 0x20), 0x60, sub(PERMUTATION_PRODUCTS, 1))
                )
                addOpened(
                    value,
                    add(KEY_WEIGHTS_0_1_LAST, 0x40),
                    INVERSE_LAST,
                    foldEvals(0, add(last, 0x40), 0x60, sub(PERMUTATION_PRODUCTS, 1))
                )

                scale := mulmod(scale, nu, R)
                last := sub(W, 0xa0)
                value := mulmod(scale, inverse, R)
                addOpened(
                    value,
                    KEY_WEIGHTS_0_1,
                    INVERSE_0,
                    foldEvals(foldEvals(0, last, 0xa0, LOOKUP_COLUMNS), sub(LOOKUP_EVALS, 0x40), 0, 1)
                )
                addOpened(
                    value,
                    add(KEY_WEIGHTS_0_1, 0x20),
                    INVERSE_1,
                    foldEvals(foldEvals(0, add(last, 0x20), 0xa0, LOOKUP_COLUMNS), sub(LOOKUP_EVALS, 0x20), 0, 1)
                )

                value := mulmod(mulmod(scale, nu, R), inverse, R)
                addOpened(
                    value, KEY_WEIGHTS_0_PREVIOUS, INVERSE_0, foldEvals(0, add(last, 0x40), 0xa0, LOOKUP_COLUMNS)
                )
                addOpened(
                    value,
                    add(KEY_WEIGHTS_0_PREVIOUS, 0x20),
                    INVERSE_PREVIOUS,
                    foldEvals(0, add(last, 0x60), 0xa0, LOOKUP_COLUMNS)
                )
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

            // point * scalar^count + the commitments, from the last one back to the first one, by powers of scalar.
            function foldPoints(scalar, last, stride, count) {
                for {} count { count := sub(count, 1) } {
                    multiplyPoint(scalar)
                    mcopy(OPERAND, last, 0x40)
                    if iszero(staticcall(gas(), 6, POINT, 0x80, POINT, 0x40)) { fail(ERROR_PRECOMPILE_FAILED) }
                    last := sub(last, stride)
                }
            }

            // The left side's commitments, set by set, each set divided by its vanishing polynomial at u and
            // multiplied by the first set's.
            function sumCommitments() {
                mcopy(POINT, add(QUOTIENT_POINTS, 0x80), 0x40)
                foldPoints(mload(X_N), add(QUOTIENT_POINTS, 0x40), 0x40, 2)
                mcopy(QUOTIENT_POINT, POINT, 0x40)

                let mu := mload(MU)
                mcopy(POINT, sub(LOOKUP_ADVICE_POINTS, 0x40), 0x40)
                foldPoints(mu, sub(LOOKUP_ADVICE_POINTS, 0x80), 0x40, sub(GATE_COLUMNS, 1))
                mcopy(SUM, POINT, 0x40)

                let nu := mload(NU)
                let inverse := mload(INVERSE_0)
                let scale := mulmod(mulmod(mload(VANISHING_0), inverse, R), nu, R)
                mcopy(POINT, RANDOM_POINT, 0x40)
                foldPoints(mu, QUOTIENT_POINT, 0, 1)
                foldPoints(mu, KEY_PERMUTATION_LAST, 0x40, PERMUTATION_COLUMNS)
                foldPoints(mu, KEY_FIXED_LAST, 0x40, FIXED_COLUMNS)
                foldPoints(mu, sub(PRODUCT_POINTS, 0x40), 0x80, LOOKUP_COLUMNS)
                foldPoints(mu, sub(PERMUTED_POINTS, 0x40), 0x40, LOOKUP_COLUMNS)
                addToSum(scale)

                scale := mulmod(mulmod(scale, nu, R), mload(INVERSE_1), R)
                let last := add(PRODUCT_POINTS, mul(sub(PERMUTATION_PRODUCTS, 2), 0x40))
                mcopy(POINT, last, 0x40)
                foldPoints(mu, sub(last, 0x40), 0x40, sub(PERMUTATION_PRODUCTS, 2))
                addToSum(mulmod(scale, mload(INVERSE_LAST), R))

                scale := mulmod(scale, nu, R)
                mcopy(POINT, sub(RANDOM_POINT, 0x40), 0x40)
                foldPoints(mu, sub(RANDOM_POINT, 0x80), 0x40, LOOKUP_COLUMNS)
                addToSum(scale)

                scale := mulmod(mulmod(mload(VANISHING_0), inverse, R), mload(INVERSE_PREVIOUS), R)
                inverse := mulmod(nu, nu, R)
                scale := mulmod(scale, mulmod(inverse, inverse, R), R)
                mcopy(POINT, sub(PRODUCT_POINTS, 0x80), 0x40)
                foldPoints(mu, sub(PRODUCT_POINTS, 0x100), 0x80, sub(LOOKUP_COLUMNS, 1))
                addToSum(scale)
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
                foldPoints(rho, W_PRIME, 0, 1)
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
            invert()
            evaluateQuotient()
            evaluateOpenings()
            sumCommitments()
            decide()
            mstore(0x00, 1)
            return(0x00, 0x20)
        }
    }
}
