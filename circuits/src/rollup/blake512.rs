//! BLAKE-512, the SHA-3 finalist (not BLAKE2b), without salt: what circomlib derives keys and nonces with.

/// Bytes of a block.
const BLOCK: usize = 128;

const SIGMA: [[usize; 16]; 10] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
    [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
    [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
    [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
    [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
    [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
    [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
    [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
    [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
];

/// The first digits of pi.
const PI: [u64; 16] = [
    0x243f_6a88_85a3_08d3,
    0x1319_8a2e_0370_7344,
    0xa409_3822_299f_31d0,
    0x082e_fa98_ec4e_6c89,
    0x4528_21e6_38d0_1377,
    0xbe54_66cf_34e9_0c6c,
    0xc0ac_29b7_c97c_50dd,
    0x3f84_d5b5_b547_0917,
    0x9216_d5d9_8979_fb1b,
    0xd131_0ba6_98df_b5ac,
    0x2ffd_72db_d01a_dfb7,
    0xb8e1_afed_6a26_7e96,
    0xba7c_9045_f12c_7f99,
    0x24a1_9947_b391_6cf7,
    0x0801_f2e2_858e_fc16,
    0x6369_20d8_7157_4e69,
];

const INITIAL: [u64; 8] = [
    0x6a09_e667_f3bc_c908,
    0xbb67_ae85_84ca_a73b,
    0x3c6e_f372_fe94_f82b,
    0xa54f_f53a_5f1d_36f1,
    0x510e_527f_ade6_82d1,
    0x9b05_688c_2b3e_6c1f,
    0x1f83_d9ab_fb41_bd6b,
    0x5be0_cd19_137e_2179,
];

/// The four words that each of a round's eight mixing steps works on: columns, then diagonals.
const STEPS: [[usize; 4]; 8] = [
    [0, 4, 8, 12],
    [1, 5, 9, 13],
    [2, 6, 10, 14],
    [3, 7, 11, 15],
    [0, 5, 10, 15],
    [1, 6, 11, 12],
    [2, 7, 8, 13],
    [3, 4, 9, 14],
];

/// `bits` counts the message's bits up to the end of this block, and is 0 for a block that has none of them.
fn compress(state: &mut [u64; 8], block: &[u8], bits: u128) {
    let mut message = [0u64; 16];
    for (word, bytes) in message.iter_mut().zip(block.chunks_exact(8)) {
        *word = bytes.iter().fold(0, |value, byte| (value << 8) | u64::from(*byte));
    }
    let mut v = [0u64; 16];
    v[..8].copy_from_slice(state);
    v[8..].copy_from_slice(&PI[..8]);
    let (low, high) = (bits as u64, (bits >> 64) as u64);
    v[12] ^= low;
    v[13] ^= low;
    v[14] ^= high;
    v[15] ^= high;
    for round in 0..16 {
        let sigma = &SIGMA[round % 10];
        for (step, [a, b, c, d]) in STEPS.into_iter().enumerate() {
            let (i, j) = (sigma[2 * step], sigma[2 * step + 1]);
            v[a] = v[a].wrapping_add(v[b]).wrapping_add(message[i] ^ PI[j]);
            v[d] = (v[d] ^ v[a]).rotate_right(32);
            v[c] = v[c].wrapping_add(v[d]);
            v[b] = (v[b] ^ v[c]).rotate_right(25);
            v[a] = v[a].wrapping_add(v[b]).wrapping_add(message[j] ^ PI[i]);
            v[d] = (v[d] ^ v[a]).rotate_right(16);
            v[c] = v[c].wrapping_add(v[d]);
            v[b] = (v[b] ^ v[c]).rotate_right(11);
        }
    }
    for (i, word) in state.iter_mut().enumerate() {
        *word ^= v[i] ^ v[i + 8];
    }
}

/// The digest of `message`.
pub fn hash(message: &[u8]) -> [u8; 64] {
    let bits = 8 * message.len() as u128;
    let mut padded = message.to_vec();
    padded.push(0x80);
    while padded.len() % BLOCK != BLOCK - 16 {
        padded.push(0);
    }
    // The last bit before the length is set; it may be in the same byte as the padding's first bit.
    if let Some(last) = padded.last_mut() {
        *last |= 1;
    }
    padded.extend_from_slice(&bits.to_be_bytes());

    let mut state = INITIAL;
    for (index, block) in padded.chunks_exact(BLOCK).enumerate() {
        let start = (8 * BLOCK * index) as u128;
        let counter = if bits > start { bits.min(start + 8 * BLOCK as u128) } else { 0 };
        compress(&mut state, block, counter);
    }
    let mut digest = [0; 64];
    for (bytes, word) in digest.chunks_exact_mut(8).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    digest
}

#[cfg(test)]
mod tests {
    #[test]
    fn published_digests() {
        // The submission's two vectors (1 and 144 zero bytes), and lengths around a block's end.
        let vectors = [
            (
                vec![0],
                "97961587f6d970faba6d2478045de6d1fabd09b61ae50932054d52bc29d31be4ff9102b9f69e2bbdb83be13d4b9c06091e5fa0b48bd081b634058be0ec49beb3",
            ),
            (
                vec![0; 144],
                "313717d608e9cf758dcb1eb0f0c3cf9fc150b2d500fb33f51c52afc99d358a2f1374b8a38bba7974e7f6ef79cab16f22ce1e649d6e01ad9589c213045d545dde",
            ),
            (
                vec![],
                "a8cfbbd73726062df0c6864dda65defe58ef0cc52a5625090fa17601e1eecd1b628e94f396ae402a00acc9eab77b4d4c2e852aaaa25a636d80af3fc7913ef5b8",
            ),
            (
                vec![0; 111],
                "125695c5cc01de48d8b107c101778fc447a55ad3440a17dc153c6c652faecdbf017aed68f4f48826b9dfc413ef8f14ae7dfd8b74a0afcf47b61ce7dcb1058976",
            ),
            (
                vec![0; 112],
                "aa42836448c9db34e0e45a49f916b54c25c9eefe3f9f65db0c13654bcbd9a938c24251f3bedb7105fa4ea54292ce9ebf5adea15ce530fb71cdf409387a78c6ff",
            ),
            (
                vec![0xab; 300],
                "7d835bc18b4fbf6145194d1f69129f19f7fc22762ef5d127223dc9b5749ca3b0ab1ba9c3deae94fafab22ad2c01c55811610d2405bb6418c60aaa7dc380e427b",
            ),
        ];
        for (message, digest) in vectors {
            assert_eq!(hex::encode(super::hash(&message)), digest, "{} bytes", message.len());
        }
    }
}
