// Asks the WebAssembly modules for the requests in answers.txt, and compares their answers.
//
//     node answers.mjs FOLDER

import { readFileSync } from "node:fs";

const folder = process.argv[2];

async function load(file) {
  const { instance } = await WebAssembly.instantiate(readFileSync(`${folder}/${file}`), {});
  const { alloc, free, request, answer_length, memory } = instance.exports;
  return (text) => {
    const bytes = new TextEncoder().encode(text);
    const address = alloc(bytes.length);
    new Uint8Array(memory.buffer, address, bytes.length).set(bytes);
    const start = request(address, bytes.length);
    const answer = new TextDecoder().decode(new Uint8Array(memory.buffer, start, answer_length()));
    free(address);
    return answer;
  };
}

const lines = readFileSync(new URL("answers.txt", import.meta.url), "utf8").trimEnd().split("\n");
const wrong = [];
let file, ask;
let count = 0;
for (let at = 0; at < lines.length; ) {
  if (lines[at].startsWith("= ")) {
    file = lines[at].slice(2);
    ask = await load(file);
    at += 1;
    continue;
  }
  const [question, expected] = [lines[at], lines[at + 1]];
  const answer = ask(question);
  if (answer !== expected) wrong.push(`${file}: ${question}\n  expected ${expected}\n  got      ${answer}`);
  count += 1;
  at += 2;
}
if (wrong.length > 0) {
  console.error(`a WebAssembly module gives other answers than its source (run \`cargo xtask web\`):\n${wrong.join("\n")}`);
  process.exit(1);
}
console.log(`  the WebAssembly modules give the same ${count} answers as their source`);
