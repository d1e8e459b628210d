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

/// The compute capability of a GPU, major and minor, as the driver says it: (7, 5) for a T4.
/// Nothing where there is no driver or no such GPU; tch has no function for it.
#[cfg(target_os = "linux")]
pub(crate) fn compute_capability(number: usize) -> Option<(i32, i32)> {
    use std::ffi::{c_int, c_uint};
    type Init = unsafe extern "C" fn(c_uint) -> c_int;
    type Get = unsafe extern "C" fn(*mut c_int, c_int) -> c_int;
    type Attribute = unsafe extern "C" fn(*mut c_int, c_int, c_int) -> c_int;
    // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR in cuda.h.
    const MAJOR: c_int = 75;
    const MINOR: c_int = 76;
    if !has_driver() {
        return None;
    }
    let number = c_int::try_from(number).ok()?;
    // SAFETY: the driver's own library and functions, declared as in cuda.h; every pointer is to
    // a number that outlives the call. The driver stays loaded: libtorch uses it, too.
    unsafe {
        let driver = std::mem::ManuallyDrop::new(libloading::Library::new("libcuda.so.1").ok()?);
        let init = driver.get::<Init>(b"cuInit\0").ok()?;
        let get = driver.get::<Get>(b"cuDeviceGet\0").ok()?;
        let attribute = driver.get::<Attribute>(b"cuDeviceGetAttribute\0").ok()?;
        let (mut device, mut major, mut minor) = (0, 0, 0);
        let succeeded = init(0) == 0
            && get(&mut device, number) == 0
            && attribute(&mut major, MAJOR, device) == 0
            && attribute(&mut minor, MINOR, device) == 0;
        succeeded.then_some((major, minor))
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn compute_capability(_number: usize) -> Option<(i32, i32)> {
    None
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

    /// A GPU that libtorch computes on has a capability, and one that is not there has none.
    #[test]
    fn the_driver_says_the_compute_capability() {
        match super::device() {
            tch::Device::Cuda(number) => {
                let (major, _) = super::compute_capability(number).unwrap();
                assert!((3..100).contains(&major), "{major}");
            }
            _ => assert_eq!(super::compute_capability(0), None),
        }
        assert_eq!(super::compute_capability(9999), None);
    }

    /// The CPU's part of libtorch knows the setting, too: it can be seen without a GPU.
    #[test]
    fn libtorch_is_told_to_add_in_one_order() {
        // SAFETY: loaded already; the functions are those of `add_in_one_order`, and the one that reads it.
        unsafe {
            let library = Library::open(Some("libtorch_cpu.so"), RTLD_NOW).unwrap();
            let context =
                library.get::<unsafe extern "C" fn() -> *mut c_void>(b"_ZN2at13globalContextEv").unwrap();
            let message = library
                .get::<unsafe extern "C" fn(*const c_void) -> bool>(b"_ZNK2at7Context18deterministicCuDNNEv");
            let message = told.unwrap();
            if super::device() == tch::Device::Cpu {
                assert!(!message(context()));
            }
            assert!(super::add_in_one_order(&library));
            assert!(message(context()));
        }
    }
}
