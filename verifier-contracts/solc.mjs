#!/usr/bin/env node
// The compiler that foundry.toml names: answers the two calls that forge makes, through the npm package `solc`.
import { readFileSync } from "node:fs";
import solc from "solc";

const [, , ...args] = process.argv;
if (args.includes("--standard-json")) {
  process.stdout.write(solc.compile(readFileSync(0, "utf8")));
} else {
  process.stdout.write(`solc, the solidity compiler\nVersion: ${solc.version()}\n`);
}
