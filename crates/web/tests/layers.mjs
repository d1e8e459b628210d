// Every layer of the lecture's network in the WebAssembly module, against PyTorch's numbers
// (`layers.py` wrote them), and how long an image takes.
//
//     node crates/web/tests/layers.mjs crates/web/assets/net.wasm
import fs from "node:fs";

const folder = new URL("layers/", import.meta.url);
const shipped = new URL("../../nchw/assets/lecture-net.safetensors", import.meta.url);
const compiled = await WebAssembly.compile(fs.readFileSync(process.argv[2]));

// A module with the calls of `script/module.js`.
async function load() {
  const { exports } = await WebAssembly.instantiate(compiled, {});
  const buffer = (bytes) => {
    const address = exports.alloc(bytes.length);
    new Uint8Array(exports.memory.buffer, address, bytes.length).set(bytes);
    return address;
  };
  const call = (name, values = {}) => {
    const text = new TextEncoder().encode(JSON.stringify({ ...values, call: name }));
    const address = buffer(text);
    const start = exports.request(address, text.length);
    const bytes = new Uint8Array(exports.memory.buffer, start, exports.answer_length());
    const answer = JSON.parse(new TextDecoder().decode(bytes));
    exports.free(address);
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer;
  };
  const floats = (address, count) => new Float32Array(exports.memory.buffer, address, count);
  return { exports, buffer, call, floats };
}

// The tensors of a safetensors file in F32.
function read(url) {
  const data = fs.readFileSync(url);
  const length = Number(data.readBigUInt64LE(0));
  const header = JSON.parse(data.subarray(8, 8 + length).toString());
  delete header.__metadata__;
  const tensors = new Map();
  for (const [name, { shape, data_offsets: [first, last] }] of Object.entries(header)) {
    const bytes = Uint8Array.from(data.subarray(8 + length + first, 8 + length + last));
    tensors.set(name, { shape, numbers: new Float32Array(bytes.buffer) });
  }
  return tensors;
}

function fail(text) {
  console.error(text);
  process.exit(1);
}

const values = read(new URL("values.safetensors", folder));
let compared = 0;
let largest = 0;
for (const [name, image] of values) {
  if (!name.endsWith("/image")) continue;
  const [test] = name.split("/");
  const [kind] = test.split("-");
  const weights = fs.readFileSync(kind === "lecture" ? shipped : new URL(`${kind}.safetensors`, folder));
  const module = await load();
  const { layers } = module.call("net_load", { weights: module.buffer(weights), length: weights.length });
  const [, rows, columns] = image.shape;
  const address = module.buffer(new Uint8Array(image.numbers.buffer));
  const { probabilities } = module.call("net_show", { image: address, rows, columns });
  for (const [other, expected] of values) {
    if (!other.startsWith(`${test}/`) || !other.endsWith("/values")) continue;
    const layer = layers.findIndex((own) => own.name === other.split("/")[1].slice(3));
    let numbers = probabilities;
    if (layer >= 0) {
      const room = module.exports.alloc(4 * 32 * 32 * 32);
      const shape = module.call("net_maps", { layer, to: room });
      // A copy: the memory is used again after `free`.
      numbers = module.floats(room, shape.channels * shape.rows * shape.columns).slice();
      module.exports.free(room);
    }
    let step = Math.ceil(numbers.length / 100);
    if (step > 1 && step % 2 === 0) step += 1;
    if (expected.numbers.length !== Math.ceil(numbers.length / step)) fail(`${other}: ${numbers.length} numbers`);
    expected.numbers.forEach((number, index) => {
      const difference = Math.abs(number - numbers[index * step]);
      if (!(difference <= 1e-4)) fail(`${other} ${index}: expected ${number}, got ${numbers[index * step]}`);
      largest = Math.max(largest, difference);
    });
    compared += 1;
  }
}
if (compared < 200) fail(`compared only ${compared} outputs`);
console.log(`${compared} outputs are PyTorch's: the largest difference is ${largest.toExponential(1)}`);

// The time from an image to all layers.
const module = await load();
const weights = fs.readFileSync(shipped);
const weightsAddress = module.buffer(weights);
const before = performance.now();
module.call("net_load", { weights: weightsAddress, length: weights.length });
const loading = performance.now() - before;
const image = module.buffer(new Uint8Array(values.get("lecture-cat/image").numbers.buffer));
const times = [];
for (let run = 0; run < 70; run += 1) {
  const start = process.cpuUsage();
  const clock = performance.now();
  module.call("net_show", { image, rows: 32, columns: 32 });
  const used = process.cpuUsage(start);
  times.push({ cpu: (used.user + used.system) / 1000, clock: performance.now() - clock });
}
const median = (kind) => times.slice(20).map((time) => time[kind]).sort((a, b) => a - b)[25].toFixed(1);
console.log(`weights read in ${loading.toFixed(0)} ms`);
console.log(`image to all layers: ${median("cpu")} ms of one core, ${median("clock")} ms by the clock (median of 50)`);
