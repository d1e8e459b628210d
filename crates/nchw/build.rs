//! Tells programs where libtorch is at run time.
//!
//! torch-sys links it, but its `-rpath` does not reach what links this crate
//! (cargo passes `rustc-link-arg` of a dependency to nobody).
fn main() {
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    // Set-up leaves it empty where the loader's variable is enough.
    let Some(libtorch) = std::env::var("LIBTORCH").ok().filter(|folder| !folder.is_empty()) else {
        return;
    };
    println!("cargo:rustc-link-arg=-Wl,-rpath,{libtorch}/lib");
    // macOS keeps the loader's variable from programs that a program of the system starts, such as a shell script. The
    // wrapper is beside the folder that set-up made for libtorch.
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "macos") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{libtorch}/../libtch");
    }
}
