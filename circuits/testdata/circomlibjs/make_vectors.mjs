// Makes vectors.json with circomlibjs: Poseidon of 1 to 6 inputs, and EdDSA-Poseidon keys and signatures.
// Run with `npm ci && npm run vectors`.
import { writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { buildEddsa, buildPoseidon } from "circomlibjs";

const r = 21888242871839275222246405745257275088548364400416034343698204186575808495617n;
const poseidon = await buildPoseidon();
const eddsa = await buildEddsa();
const F = poseidon.F;

const digest = (label) => createHash("sha256").update(label).digest();
const element = (label) => BigInt("0x" + digest(label).toString("hex")) % r;
const decimal = (x) => F.toObject(x).toString();

const edges = [0n, 1n, r - 1n, 2n ** 128n, 2n ** 248n - 1n];
const hashes = [];
for (let n = 1; n <= 6; n++) {
  const cases = [
    ...edges.map((edge) => Array(n).fill(edge)),
    Array.from({ length: n }, (_, i) => BigInt(i + 1)),
    ...[0, 1, 2].map((c) => Array.from({ length: n }, (_, i) => element(`poseidon ${n} ${c} ${i}`))),
  ];
  for (const inputs of cases) {
    hashes.push({ inputs: inputs.map(String), output: decimal(poseidon(inputs)) });
  }
}

const seeds = [Buffer.alloc(32, 0), Buffer.alloc(32, 255), Buffer.from([...Array(32).keys()])];
for (let i = 0; i < 5; i++) seeds.push(digest(`seed ${i}`));
const messages = [0n, 1n, r - 1n, element("message")];
const signatures = [];
for (const seed of seeds) {
  const key = eddsa.prv2pub(seed);
  for (const message of messages) {
    const signature = eddsa.signPoseidon(seed, F.e(message));
    if (!eddsa.verifyPoseidon(F.e(message), signature, key)) throw new Error("circomlibjs refuses its own");
    signatures.push({
      seed: seed.toString("hex"),
      key: { x: decimal(key[0]), y: decimal(key[1]) },
      message: message.toString(),
      r8x: decimal(signature.R8[0]),
      r8y: decimal(signature.R8[1]),
      s: signature.S.toString(),
    });
  }
}

const path = new URL("vectors.json", import.meta.url);
writeFileSync(path, JSON.stringify({ poseidon: hashes, signatures }, null, 1) + "\n");
process.exit(0);
