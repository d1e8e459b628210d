//! The functions that the WebAssembly module exports.
//!
//! A script allocates a buffer, writes a request into it as JSON, calls `request` and reads the
//! answer at the address that it returns; `script/module.js` does this. Plain functions instead of
//! wasm-bindgen: there are four of them, and the module needs no generated script and no other
//! program to build it.

use crate::{Module, answer};
use std::cell::RefCell;

thread_local! {
    static MODULE: RefCell<Module> = RefCell::default();
    /// The answer to the last request, until the next one.
    static ANSWER: RefCell<String> = RefCell::default();
}

/// The address of a new buffer of at least this many bytes, aligned for `f32`; 0 when the memory is full.
#[unsafe(no_mangle)]
pub extern "C" fn alloc(bytes: usize) -> usize {
    MODULE.with_borrow_mut(|module| module.memory.alloc(bytes).unwrap_or(0))
}

/// Frees a buffer.
#[unsafe(no_mangle)]
pub extern "C" fn free(address: usize) {
    MODULE.with_borrow_mut(|module| module.memory.free(address));
}

/// Answers the request in a buffer; the address of the answer, which is valid until the next request.
#[unsafe(no_mangle)]
pub extern "C" fn request(address: usize, length: usize) -> *const u8 {
    let text = MODULE.with_borrow_mut(|module| {
        let request = module.memory.bytes(address, length).map(<[u8]>::to_vec);
        answer(module, &request.unwrap_or_default())
    });
    ANSWER.with_borrow_mut(|kept| {
        *kept = text;
        kept.as_ptr()
    })
}

/// The length of the last answer in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn answer_length() -> usize {
    ANSWER.with_borrow(String::len)
}
