//! What libtorch computes on.

use tch::Device;

/// The first CUDA device when there is one, else the CPU.
///
/// The program is linked against libtorch's CPU part only, so that the same
/// build serves machines with and without a GPU. The CUDA part is loaded here,
/// before libtorch is asked for the first time whether there is a GPU.
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
        _ => "no GPU that CUDA sees; the course runs without one".into(),
    };
    format!("libtorch computes with {threads} CPU thread(s), {gpu}")
}

/// Where a driver shows itself: on Linux, in containers that see only the device,
/// and in Windows' Linux.
#[cfg(target_os = "linux")]
const DRIVER: [&str; 3] = ["/proc/driver/nvidia/version", "/dev/nvidiactl", "/usr/lib/wsl/lib/libcuda.so.1"];

#[cfg(target_os = "linux")]
fn load_cuda() {
    use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
    use std::sync::Once;
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Without a driver the library is of no use, and costs a second.
        if !DRIVER.iter().any(|file| std::path::Path::new(file).exists()) {
            return;
        }
        // SAFETY: libtorch's own library, of the version that is linked; its
        // initialisers only register operators.
        if let Ok(library) = unsafe { Library::open(Some("libtorch_cuda.so"), RTLD_NOW | RTLD_GLOBAL) } {
            std::mem::forget(library);
        }
    });
}

#[cfg(not(target_os = "linux"))]
fn load_cuda() {}
