//! Tells programs where libtorch is at run time.
//!
//! torch-sys links it, but its `-rpath` does not reach what links this crate
//! (cargo passes `rustc-link-arg` of a dependency to nobody).
fn main() {
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    let Ok(libtorch) = std::env::var("LIBTORCH") else {
        return;
    };
    println!("cargo:rustc-link-arg=-Wl,-rpath,{libtorch}/lib");
}
