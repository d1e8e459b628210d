//! What libtorch computes on.

use tch::Device;

/// The first CUDA device when there is one, else the CPU.
///
/// The program is linked against libtorch's CPU part only, so that the same
/// build serves machines with and without a GPU. The CUDA part is loaded here,
/// and libtorch looks for a GPU only once: a program should ask for the device
/// before it computes anything. (A notebook's kernel has done so already.)
///
/// ```
/// use nchw::prelude::*;
/// let picture = Tensor::zeros([1, 3, 20, 30], (Kind::Float, device()));
/// assert_eq!(picture.device(), device());
/// ```
pub fn device() -> Device {
    load_cuda();
    Device::cuda_if_available()
}

/// What this machine computes with, in a sentence.
///
/// ```
/// use nchw::prelude::*;
/// println!("{}", machine());
/// ```
pub fn machine() -> String {
    let threads = tch::get_num_threads();
    let gpu = match device() {
        Device::Cuda(_) => format!("{} CUDA device(s)", tch::Cuda::device_count()),
        _ if has_driver() => "and CUDA sees no GPU though there is a driver: `cargo xtask doctor` says why, \
             or something was computed before `device()` was asked for"
            .into(),
        _ => "no GPU that CUDA sees; the course runs without one".into(),
    };
    format!("libtorch computes with {threads} CPU thread(s), {gpu}")
}

/// Whether this CPU computes with bf16 in hardware: AVX-512-BF16, or AMX, which has it, too.
pub(crate) fn cpu_has_bf16() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("avx512bf16");
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}

/// Whether there is an NVIDIA driver: on Linux, in a container that sees only the
/// device, or in Windows' Linux.
fn has_driver() -> bool {
    let places = ["/proc/driver/nvidia/version", "/dev/nvidiactl", "/usr/lib/wsl/lib/libcuda.so.1"];
    places.iter().any(|file| std::path::Path::new(file).exists())
}

#[cfg(target_os = "linux")]
fn load_cuda() {
    use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
    use std::sync::Once;
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Without a driver the library is of no use, and costs a second.
        if !has_driver() {
            return;
        }
        // SAFETY: libtorch's own library, of the version that is linked; its
        // initialisers only register operators.
        if let Ok(library) = unsafe { Library::open(Some("libtorch_cuda.so"), RTLD_NOW | RTLD_GLOBAL) } {
            add_in_one_order(&library);
            std::mem::forget(library);
        }
    });
}

/// Has cuDNN add up in the same order each time, or the same training would end with
/// other weights. tch has no word for it: `at::globalContext().setDeterministicCuDNN(true)`.
/// Gives whether libtorch has it; without it, all the rest works as well.
#[cfg(target_os = "linux")]
fn add_in_one_order(libtorch: &libloading::os::unix::Library) -> bool {
    use std::ffi::c_void;
    type Context = unsafe extern "C" fn() -> *mut c_void;
    type Set = unsafe extern "C" fn(*mut c_void, bool);
    // SAFETY: the names are those of C++ functions with these arguments in the one
    // version of libtorch that tch is made for; a method takes its object first.
    unsafe {
        let context = libtorch.get::<Context>(b"_ZN2at13globalContextEv");
        let set = libtorch.get::<Set>(b"_ZN2at7Context21setDeterministicCuDNNEb");
        let (Ok(context), Ok(set)) = (context, set) else { return false };
        set(context(), true);
    }
    true
}

#[cfg(not(target_os = "linux"))]
fn load_cuda() {}

/// Tests run in any order, and the first that computes would leave the others without
/// a GPU. It is to compute in fp32 as the CPU does: see [`Precision`](crate::train::Precision).
#[cfg(all(test, target_os = "linux"))]
#[used]
// SAFETY: called once by the loader, before `main`.
#[unsafe(link_section = ".init_array")]
static BEFORE_ALL_TESTS: extern "C" fn() = {
    extern "C" fn first() {
        // SAFETY: before `main` nothing else runs that could read the environment.
        unsafe { std::env::set_var("NVIDIA_TF32_OVERRIDE", "0") };
        load_cuda();
    }
    first
};

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use libloading::os::unix::{Library, RTLD_NOW};
    use std::ffi::c_void;

    /// The CPU's part of libtorch knows the setting, too: it can be seen without a GPU.
    #[test]
    fn libtorch_is_told_to_add_in_one_order() {
        // SAFETY: loaded already; the functions are those of `add_in_one_order`, and the one that reads it.
        unsafe {
            let library = Library::open(Some("libtorch_cpu.so"), RTLD_NOW).unwrap();
            let context =
                library.get::<unsafe extern "C" fn() -> *mut c_void>(b"_ZN2at13globalContextEv").unwrap();
            let told = library
                .get::<unsafe extern "C" fn(*const c_void) -> bool>(b"_ZNK2at7Context18deterministicCuDNNEv");
            let told = told.unwrap();
            if super::device() == tch::Device::Cpu {
                assert!(!told(context()));
            }
            assert!(super::add_in_one_order(&library));
            assert!(told(context()));
        }
    }
}
