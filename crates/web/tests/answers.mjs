// Asks the WebAssembly module for the requests in answers.txt, and compares its answers.
//
//     node answers.mjs MODULE.wasm

import { readFileSync } from "node:fs";

const { instance } = await WebAssembly.instantiate(readFileSync(process.argv[2]), {});
const { alloc, free, request, answer_length, memory } = instance.exports;

function ask(text) {
  const bytes = new TextEncoder().encode(text);
  const address = alloc(bytes.length);
  new Uint8Array(memory.buffer, address, bytes.length).set(bytes);
  const start = request(address, bytes.length);
  const answer = new TextDecoder().decode(new Uint8Array(memory.buffer, start, answer_length()));
  free(address);
  return answer;
}

const lines = readFileSync(new URL("answers.txt", import.meta.url), "utf8").trimEnd().split("\n");
const wrong = [];
for (let at = 0; at < lines.length; at += 2) {
  const [question, expected] = [lines[at], lines[at + 1]];
  const answer = ask(question);
  if (answer !== expected) wrong.push(`${question}\n  expected ${expected}\n  got      ${answer}`);
}
if (wrong.length > 0) {
  console.error(`the WebAssembly module gives other answers than its source (run \`cargo xtask web\`):\n${wrong.join("\n")}`);
  process.exit(1);
}
console.log(`  the WebAssembly module gives the same ${lines.length / 2} answers as its source`);
