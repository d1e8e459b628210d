// Loads a WebAssembly module and calls it. The page defines NCHW_MODULES: the modules by name, compressed
// with gzip, as base64.

const nchwCompiled = {};

// The compiled module; all figures of a page that use it share it.
function nchwCompile(name) {
  nchwCompiled[name] ??= (async () => {
    if (typeof DecompressionStream === "undefined" || typeof WebAssembly === "undefined") {
      throw new Error("this browser is too old for interactive figures: they need one of 2023 or newer");
    }
    return WebAssembly.compile(await nchwUnpack(NCHW_MODULES[name]));
  })();
  return nchwCompiled[name];
}

// The bytes that were compressed with gzip and written as base64.
function nchwUnpack(text) {
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const plain = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(plain).arrayBuffer();
}

// A module of its own for one figure.
//
//   module.call(name, values)  the answer of a call of `src/calls.rs`; throws its error message
//   module.floats(count)       a buffer of numbers in the module's memory:
//     .address                   what a call takes as its argument
//     .values                    its numbers as a Float32Array; ask for it again after each call,
//                                because the memory moves when it grows
//     .bytes                     the same memory as bytes (Uint8ClampedArray), such as the colours of a canvas
//     .free()
async function nchwLoadModule(name) {
  const { exports } = await WebAssembly.instantiate(await nchwCompile(name), {});
  const alloc = (bytes) => {
    const address = exports.alloc(bytes);
    if (address === 0) throw new Error(`there is no memory for ${bytes.toLocaleString("en")} more bytes`);
    return address;
  };
  return {
    call(name, values = {}) {
      const text = new TextEncoder().encode(JSON.stringify({ ...values, call: name }));
      const address = alloc(text.length);
      new Uint8Array(exports.memory.buffer, address, text.length).set(text);
      const start = exports.request(address, text.length);
      const bytes = new Uint8Array(exports.memory.buffer, start, exports.answer_length());
      const answer = JSON.parse(new TextDecoder().decode(bytes));
      exports.free(address);
      if (answer !== null && answer.error !== undefined) throw new Error(answer.error);
      return answer;
    },
    floats(count) {
      const address = alloc(4 * count);
      return {
        address,
        get values() {
          return new Float32Array(exports.memory.buffer, address, count);
        },
        get bytes() {
          return new Uint8ClampedArray(exports.memory.buffer, address, 4 * count);
        },
        free: () => exports.free(address),
      };
    },
  };
}
