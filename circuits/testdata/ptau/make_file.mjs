// Makes small.ptau with snarkjs: a ceremony of one contribution up to 2^5, prepared for phase 2. Each run makes another.
// Run with `npm install && npm run file`.
import { rmSync } from "node:fs";
import { buildBn128 } from "ffjavascript";
import * as snarkjs from "snarkjs";

const POWER = 5;
const curve = await buildBn128();
await snarkjs.powersOfTau.newAccumulator(curve, POWER, "new.ptau");
await snarkjs.powersOfTau.contribute("new.ptau", "contributed.ptau", "a test", "entropy of a test");
await snarkjs.powersOfTau.preparePhase2("contributed.ptau", "small.ptau");
await curve.terminate();
rmSync("new.ptau");
rmSync("contributed.ptau");
