"""Makes vectors.json: points and evaluations of two streams, by Python's integers and a Keccak of its own."""

import json
import pathlib

BN254_R = 21888242871839275222246405745257275088548364400416034343698204186575808495617
BLS12_381_R = 52435875175126190479447740508185965837690552500527637822603658699938581184513
MASK = (1 << 64) - 1
ROTATIONS = [[0, 36, 3, 41, 18], [1, 44, 10, 45, 2], [62, 6, 43, 15, 61], [28, 55, 25, 21, 56], [27, 20, 39, 8, 14]]


def round_constants():
    register = 1
    for _ in range(24):
        constant = 0
        for j in range(7):
            if register & 1:
                constant |= 1 << ((1 << j) - 1)
            register = register << 1 ^ (0x171 if register >> 7 else 0)
        yield constant


CONSTANTS = list(round_constants())


def rotate(value, by):
    return (value << by | value >> (64 - by)) & MASK if by else value


def permute(lanes):
    for constant in CONSTANTS:
        columns = [lanes[x][0] ^ lanes[x][1] ^ lanes[x][2] ^ lanes[x][3] ^ lanes[x][4] for x in range(5)]
        theta = [columns[(x - 1) % 5] ^ rotate(columns[(x + 1) % 5], 1) for x in range(5)]
        lanes = [[lanes[x][y] ^ theta[x] for y in range(5)] for x in range(5)]
        moved = [[0] * 5 for _ in range(5)]
        for x in range(5):
            for y in range(5):
                moved[y][(2 * x + 3 * y) % 5] = rotate(lanes[x][y], ROTATIONS[x][y])
        lanes = [
            [moved[x][y] ^ (~moved[(x + 1) % 5][y] & MASK & moved[(x + 2) % 5][y]) for y in range(5)]
            for x in range(5)
        ]
        lanes[0][0] ^= constant
    return lanes


def keccak256(message):
    rate = 136
    padded = bytearray(message) + b"\x01" + bytes(-(len(message) + 1) % rate)
    padded[-1] |= 0x80
    lanes = [[0] * 5 for _ in range(5)]
    for start in range(0, len(padded), rate):
        for i in range(rate // 8):
            block = padded[start + 8 * i : start + 8 * i + 8]
            lanes[i % 5][i // 5] ^= int.from_bytes(block, "little")
        lanes = permute(lanes)
    return b"".join(lanes[i % 5][i // 5].to_bytes(8, "little") for i in range(4))


EMPTY = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
assert keccak256(b"").hex() == EMPTY
assert keccak256(b"The quick brown fox jumps over the lazy dog").hex() == (
    "4d741b6f1eb29cb2a9b9911c82f56fa8d73b04959d3d9d222895df6c0b28aa15"
)


def word(value):
    return value.to_bytes(32, "big")


def horner(words, point, modulus):
    value = 0
    for coefficient in words:
        value = (value * point + coefficient) % modulus
    return value


def element(seed, modulus):
    return int.from_bytes(keccak256(seed.encode()), "big") % modulus


def vector(name, da_count, l1_count, blobs):
    domain, state_in, state_out, commit = (
        element(f"{name} {part}", BN254_R) for part in ("domain", "state in", "state out", "commit")
    )
    number, timestamp = element(f"{name} number", 1 << 64), element(f"{name} timestamp", 1 << 32)
    da_words = [element(f"{name} da {i}", 1 << 248) for i in range(da_count)]
    l1_words = [element(f"{name} l1 {i}", 1 << 248) for i in range(l1_count)]
    hashes = [b"\x01" + keccak256(f"{name} blob {i}".encode())[1:] for i in range(blobs)]

    def point(tag):
        parts = [number | timestamp << 64, state_in, state_out, commit]
        encoded = keccak256(tag) + word(domain) + b"".join(word(part) for part in parts)
        encoded += keccak256(b"".join(word(w) for w in l1_words)) + keccak256(b"".join(hashes))
        return int.from_bytes(keccak256(encoded), "big") % (1 << 128)

    z_d, z_l = point(b"tenon.v1.z_d"), point(b"tenon.v1.z_l")
    hexed = lambda value: "0x" + word(value).hex()
    return {
        "domain": hexed(domain),
        "number": str(number),
        "timestamp": timestamp,
        "state_in": hexed(state_in),
        "state_out": hexed(state_out),
        "commit": hexed(commit),
        "da_words": [hexed(w) for w in da_words],
        "l1_words": [hexed(w) for w in l1_words],
        "blob_hashes": ["0x" + h.hex() for h in hashes],
        "points": {"z_d": str(z_d), "z_l": str(z_l)},
        "evaluations": {
            "y_d": hexed(horner(da_words, z_d, BLS12_381_R)),
            "y_l": hexed(horner(l1_words, z_l, BN254_R)),
        },
    }


vectors = [vector("no blob", 2, 0, 0), vector("one blob", 5, 3, 1), vector("six blobs", 40, 21, 6)]
path = pathlib.Path(__file__).with_name("vectors.json")
path.write_text(json.dumps(vectors, indent=2) + "\n")
