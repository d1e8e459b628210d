// Loads the WebAssembly module and calls it. The page defines NCHW_MODULE: the module, compressed
// with gzip, as base64.

let nchwCompiled = null;

// The compiled module; it is the same for all figures of a page.
function nchwCompile() {
  nchwCompiled ??= (async () => {
    if (typeof DecompressionStream === "undefined" || typeof WebAssembly === "undefined") {
      throw new Error("this browser is too old for interactive figures: they need one of 2023 or newer");
    }
    const packed = Uint8Array.from(atob(NCHW_MODULE), (letter) => letter.charCodeAt(0));
    const plain = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    return WebAssembly.compile(await new Response(plain).arrayBuffer());
  })();
  return nchwCompiled;
}

// A module of its own for one figure.
//
//   module.call(name, values)  the answer of a call of `src/calls.rs`; throws its error message
//   module.floats(count)       a buffer of numbers in the module's memory:
//     .address                   what a call takes as its argument
//     .values                    its numbers as a Float32Array; ask for it again after each call,
//                                because the memory moves when it grows
//     .free()
async function nchwLoadModule() {
  const { exports } = await WebAssembly.instantiate(await nchwCompile(), {});
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
        free: () => exports.free(address),
      };
    },
  };
}
