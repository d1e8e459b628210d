// The filter lab's maps in the WebAssembly module, which uses SIMD, against PyTorch's numbers (`filter.py` wrote
// them), and how long a map takes.
//
//     node crates/web/tests/filter.mjs crates/web/assets/maps.wasm
import fs from "node:fs";

const { exports } = (await WebAssembly.instantiate(fs.readFileSync(process.argv[2]), {})).instance;

function call(name, values) {
  const text = new TextEncoder().encode(JSON.stringify({ ...values, call: name }));
  const address = exports.alloc(text.length);
  new Uint8Array(exports.memory.buffer, address, text.length).set(text);
  const start = exports.request(address, text.length);
  const answer = JSON.parse(new TextDecoder().decode(new Uint8Array(exports.memory.buffer, start, exports.answer_length())));
  exports.free(address);
  if (answer.error !== undefined) throw new Error(answer.error);
  return answer;
}

// The generator of `filter.py`.
function numbers(count, seed) {
  let state = seed;
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 24) / 256;
  });
}

const product = (sizes) => sizes.reduce((all, size) => all * size, 1);
let largest = 0;
let fastest = Infinity;
const cases = JSON.parse(fs.readFileSync(new URL("filter.json", import.meta.url), "utf8"));
for (const test of cases) {
  const [channels, rows, columns] = test.image;
  const count = product(test.image);
  const [image, map, rgba] = [0, 0, 0].map(() => exports.alloc(4 * count));
  new Float32Array(exports.memory.buffer, image, count).set(numbers(count, 1));
  const weights = numbers(channels * product(test.kernel), 2).map((number) => number - 0.5);
  const { kernel, bias, same, relu } = test;
  const ask = { image, channels, rows, columns, kernel, weights, bias, same, relu, map, rgba };
  for (let time = 0; time < 20; time += 1) {
    const start = performance.now();
    call("filter_map", ask);
    if (rows === 214) fastest = Math.min(fastest, performance.now() - start);
  }
  const found = new Float32Array(exports.memory.buffer, map, product(test.size));
  test.values.forEach((expected, index) => { largest = Math.max(largest, Math.abs(found[index * test.step] - expected)); });
  for (const address of [image, map, rgba]) exports.free(address);
}
// `!(a <= b)` is also true for NaN.
if (!(largest <= 1e-4)) {
  console.error(`a map of the filter lab differs from PyTorch's by ${largest} (run \`cargo xtask web\`)`);
  process.exit(1);
}
console.log(`  ${cases.length} maps of the filter lab as in PyTorch (largest difference ${largest.toExponential(1)}); a photo of `
  + `3 x 214 x 320 takes ${fastest.toFixed(1)} ms`);
