//! The device that libtorch computes on, and its features.

use tch::Device;

/// The first CUDA device if there is one, else the CPU.
///
/// The program is linked only against libtorch's CPU part, so that the same build works on machines
/// with and without a GPU. This function loads the CUDA part. libtorch looks for a GPU only once, so
/// a program should call this function before it computes anything. (A notebook's kernel does.)
///
/// ```
/// use nchw::prelude::*;
/// let image = Tensor::zeros([1, 3, 20, 30], (Kind::Float, device()));
/// assert_eq!(image.device(), device());
/// ```
pub fn device() -> Device {
    load_cuda();
    Device::cuda_if_available()
}

/// The number of CPU threads and GPUs that libtorch uses, in a sentence.
///
/// ```
/// use nchw::prelude::*;
/// println!("{}", machine());
/// ```
pub fn machine() -> String {
    let threads = tch::get_num_threads();
    let gpu = match device() {
        Device::Cuda(_) => match tch::Cuda::device_count() {
            1 => "one CUDA device".into(),
            count => format!("{count} CUDA devices"),
        },
        _ if has_driver() => {
            "and CUDA finds no GPU although there is a driver: `cargo xtask doctor` says why, \
             or something was computed before `device()` was called"
                .into()
        }
        _ => "no CUDA GPU found; the course runs without one".into(),
    };
    let threads = if threads == 1 { "one CPU thread".into() } else { format!("{threads} CPU threads") };
    format!("libtorch computes with {threads}, {gpu}")
}

/// The kind of a device, in options and logs.
pub(crate) fn kind(device: Device) -> &'static str {
    match device {
        Device::Cpu => "cpu",
        Device::Cuda(_) => "cuda",
        Device::Mps => "mps",
        Device::Vulkan => "vulkan",
    }
}

/// Whether this CPU has bf16 in hardware: AVX-512-BF16, which every CPU with AMX has, too.
pub(crate) fn cpu_has_bf16() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("avx512bf16");
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}

/// The compute capability of a GPU (major, minor) as the driver reports it: (7, 5) for a T4. `None`
/// if there is no driver or no such GPU. tch has no function for it.
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
    // SAFETY: the driver's library and functions, declared as in cuda.h; every pointer is to a
    // number that outlives the call. The driver stays loaded, because libtorch uses it, too.
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

/// Whether there is an NVIDIA driver: on Linux, in a container that has only the device file, or in
/// WSL.
fn has_driver() -> bool {
    let files = ["/proc/driver/nvidia/version", "/dev/nvidiactl", "/usr/lib/wsl/lib/libcuda.so.1"];
    files.iter().any(|file| std::path::Path::new(file).exists())
}

#[cfg(target_os = "linux")]
fn load_cuda() {
    use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
    use std::sync::Once;
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Without a driver the library is useless, and loading it takes a second.
        if !has_driver() {
            return;
        }
        // SAFETY: libtorch's own library, in the version that is linked; its initialisers only
        // register operators.
        if let Ok(library) = unsafe { Library::open(Some("libtorch_cuda.so"), RTLD_NOW | RTLD_GLOBAL) } {
            set_deterministic_cudnn(&library);
            std::mem::forget(library);
        }
    });
}

/// Makes cuDNN use deterministic algorithms, so that the same training ends with the same weights:
/// `at::globalContext().setDeterministicCuDNN(true)`, for which tch has no function. Returns whether
/// libtorch has this function; without it, everything else still works.
#[cfg(target_os = "linux")]
fn set_deterministic_cudnn(libtorch: &libloading::os::unix::Library) -> bool {
    use std::ffi::c_void;
    type Context = unsafe extern "C" fn() -> *mut c_void;
    type Set = unsafe extern "C" fn(*mut c_void, bool);
    // SAFETY: the C++ functions with these names have these arguments in the only version of libtorch
    // that tch supports; the first argument of a method is its object.
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

/// Loads CUDA before any test runs, because libtorch looks for a GPU only once, at the first
/// computation. Also turns off TF32, so that the GPU computes in fp32 like the CPU; see
/// [`Precision`](crate::train::Precision).
#[cfg(all(test, target_os = "linux"))]
#[used]
// SAFETY: called once by the loader, before `main`.
#[unsafe(link_section = ".init_array")]
static BEFORE_ALL_TESTS: extern "C" fn() = {
    extern "C" fn prepare() {
        // SAFETY: before `main`, no other thread can read the environment.
        unsafe { std::env::set_var("NVIDIA_TF32_OVERRIDE", "0") };
        load_cuda();
    }
    prepare
};

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use libloading::os::unix::{Library, RTLD_NOW};
    use std::ffi::c_void;

    #[test]
    fn only_an_existing_gpu_has_a_compute_capability() {
        match super::device() {
            tch::Device::Cuda(number) => {
                let (major, _) = super::compute_capability(number).unwrap();
                assert!((3..100).contains(&major), "{major}");
            }
            _ => assert_eq!(super::compute_capability(0), None),
        }
        assert_eq!(super::compute_capability(9999), None);
    }

    /// The setting is in libtorch's CPU part, so this needs no GPU.
    #[test]
    fn cudnn_is_set_to_deterministic_algorithms() {
        // SAFETY: the library is already loaded; the functions are those of `set_deterministic_cudnn`,
        // and the one that reads the setting.
        unsafe {
            let library = Library::open(Some("libtorch_cpu.so"), RTLD_NOW).unwrap();
            let context =
                library.get::<unsafe extern "C" fn() -> *mut c_void>(b"_ZN2at13globalContextEv").unwrap();
            let is_deterministic = library
                .get::<unsafe extern "C" fn(*const c_void) -> bool>(b"_ZNK2at7Context18deterministicCuDNNEv");
            let is_deterministic = is_deterministic.unwrap();
            if super::device() == tch::Device::Cpu {
                assert!(!is_deterministic(context()));
            }
            assert!(super::set_deterministic_cudnn(&library));
            assert!(is_deterministic(context()));
        }
    }
}
