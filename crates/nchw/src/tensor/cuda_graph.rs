//! Work that is repeated many times, and that a GPU therefore records once: a CUDA graph.
//!
//! The lecture's network is so small that a GPU finishes an operation before the CPU has launched the next one. A graph
//! launches all operations of a training step together. The recorded operations read and write the same tensors every
//! time, so whatever changes from one repetition to the next has to be copied into tensors that stay.

use crate::Result;
use tch::{Device, Tensor};

/// How often the work is computed before it is recorded: libtorch and cuDNN first choose algorithms and allocate memory.
const WARM_UP: usize = 3;

/// Records work on a GPU and repeats it.
pub(crate) trait Recorder: Send {
    /// Computes the work where it will be recorded.
    fn warm_up(&mut self, work: &mut dyn FnMut() -> Result<Tensor>) -> Result<Tensor>;
    /// Records the work, without computing it → the tensor that holds the result after each repetition.
    fn record(&mut self, work: &mut dyn FnMut() -> Result<Tensor>) -> Result<Tensor>;
    /// Computes the recorded work.
    fn replay(&mut self) -> Result<()>;
}

/// Work that is repeated many times.
pub(crate) struct Repeated {
    /// None: the work is computed every time.
    recorder: Option<Box<dyn Recorder>>,
    warm_ups: usize,
    /// Where the recorded work writes its result.
    recorded: Option<Tensor>,
}

impl Repeated {
    /// On a GPU, the work will be recorded if set-up has compiled the library for it, and `NCHW_CUDA_GRAPH` is not 0.
    /// Everywhere else, it is computed every time.
    pub(crate) fn on(device: Device) -> Repeated {
        let wanted = device.is_cuda() && std::env::var_os("NCHW_CUDA_GRAPH").is_none_or(|value| value != "0");
        Repeated::with(wanted.then(cuda::recorder).flatten())
    }

    fn with(recorder: Option<Box<dyn Recorder>>) -> Repeated {
        Repeated { recorder, warm_ups: 0, recorded: None }
    }

    /// Whether the work will be recorded, or is: it then has to read from tensors that stay.
    pub(crate) fn is_recorded(&self) -> bool {
        self.recorder.is_some()
    }

    /// Computes the work once more → its result. It must always be the same work, and `state` must contain every tensor
    /// that it changes.
    ///
    /// The first repetition of a recording is compared with the work itself. If a bit differs, or the work cannot be
    /// recorded, it is computed every time: slower, with the same numbers.
    pub(crate) fn run(
        &mut self,
        state: &[&Tensor],
        work: &mut dyn FnMut() -> Result<Tensor>,
    ) -> Result<Tensor> {
        let Some(recorder) = &mut self.recorder else { return work() };
        if let Some(result) = &self.recorded {
            recorder.replay()?;
            // The next repetition writes to the same memory.
            return Ok(result.copy());
        }
        if self.warm_ups < WARM_UP {
            self.warm_ups += 1;
            return recorder.warm_up(work);
        }
        let before = copies(state);
        let replayed = recorder.record(work).and_then(|recorded| {
            recorder.replay()?;
            Ok((copies(&[state, &[&recorded]].concat()), recorded))
        });
        for (tensor, before) in state.iter().zip(&before) {
            tch::no_grad(|| tensor.shallow_clone().f_copy_(before))?;
        }
        let result = work()?;
        let expected = [state, &[&result]].concat();
        match replayed {
            Ok((found, recorded)) if same(&found, &expected) => self.recorded = Some(recorded),
            Ok(_) => self.give_up("its numbers differ from those of single operations"),
            Err(error) => self.give_up(&error.to_string()),
        }
        Ok(result)
    }

    fn give_up(&mut self, why: &str) {
        eprintln!("nchw: the GPU launches operations one by one, which is slower: {why}");
        self.recorder = None;
    }
}

fn copies(tensors: &[&Tensor]) -> Vec<Tensor> {
    tensors.iter().map(|tensor| tensor.copy()).collect()
}

fn same(found: &[Tensor], expected: &[&Tensor]) -> bool {
    found.iter().zip(expected).all(|(found, expected)| found.size() == expected.size() && found == *expected)
}

#[cfg(target_os = "linux")]
mod cuda {
    use super::Recorder;
    use crate::{Error, Result};
    use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
    use std::ffi::{CStr, c_char, c_void};
    use std::{mem, ptr};
    use tch::Tensor;

    /// What set-up compiles from `crates/xtask/cpp/cuda_graph.cpp`.
    const LIBRARY: &str = "libnchw_cuda.so";
    /// Null, or what went wrong.
    type Message = *mut c_char;

    /// The functions of the library.
    struct Functions {
        message_free: unsafe extern "C" fn(Message),
        stream_own: unsafe extern "C" fn() -> Message,
        stream_default: unsafe extern "C" fn() -> Message,
        begin: unsafe extern "C" fn(*mut *mut c_void) -> Message,
        end: unsafe extern "C" fn(*mut c_void) -> Message,
        replay: unsafe extern "C" fn(*mut c_void) -> Message,
        free: unsafe extern "C" fn(*mut c_void) -> Message,
    }

    /// A recorder, if set-up has compiled the library. `device()` must have loaded libtorch's CUDA part.
    pub(super) fn recorder() -> Option<Box<dyn Recorder>> {
        // SAFETY: the functions are declared as in the library's source. It stays loaded, so that they stay valid.
        let functions = unsafe {
            let library = Library::open(Some(LIBRARY), RTLD_NOW | RTLD_LOCAL).ok()?;
            let functions = Functions {
                message_free: *library.get(b"nchw_message_free").ok()?,
                stream_own: *library.get(b"nchw_stream_own").ok()?,
                stream_default: *library.get(b"nchw_stream_default").ok()?,
                begin: *library.get(b"nchw_graph_begin").ok()?,
                end: *library.get(b"nchw_graph_end").ok()?,
                replay: *library.get(b"nchw_graph_replay").ok()?,
                free: *library.get(b"nchw_graph_free").ok()?,
            };
            mem::forget(library);
            functions
        };
        Some(Box::new(Graph { functions, graph: ptr::null_mut() }))
    }

    struct Graph {
        functions: Functions,
        /// Null until something is recorded.
        graph: *mut c_void,
    }

    // SAFETY: libtorch's graphs may be used by any thread, and `&mut self` lets in one at a time.
    unsafe impl Send for Graph {}

    impl Graph {
        fn check(&self, message: Message) -> Result<()> {
            if message.is_null() {
                return Ok(());
            }
            // SAFETY: the library's messages are C strings, which it frees itself.
            let text = unsafe { CStr::from_ptr(message) }.to_string_lossy().into_owned();
            // SAFETY: see above; the text is a copy.
            unsafe { (self.functions.message_free)(message) };
            Err(Error::new(text))
        }

        /// Does something on a stream of its own, and returns to the default stream in any case.
        fn on_own_stream<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
            // SAFETY: these functions take nothing.
            self.check(unsafe { (self.functions.stream_own)() })?;
            let result = work(self);
            // SAFETY: see above.
            let back = self.check(unsafe { (self.functions.stream_default)() });
            result.and_then(|result| back.map(|()| result))
        }
    }

    impl Recorder for Graph {
        fn warm_up(&mut self, work: &mut dyn FnMut() -> Result<Tensor>) -> Result<Tensor> {
            self.on_own_stream(|_| work())
        }

        fn record(&mut self, work: &mut dyn FnMut() -> Result<Tensor>) -> Result<Tensor> {
            self.on_own_stream(|this| {
                // SAFETY: the library writes a pointer to a new graph, which `drop` frees.
                let message = unsafe { (this.functions.begin)(&mut this.graph) };
                this.check(message)?;
                let result = work();
                // SAFETY: `graph` is the graph that was begun.
                let end = this.check(unsafe { (this.functions.end)(this.graph) });
                result.and_then(|result| end.map(|()| result))
            })
        }

        fn replay(&mut self) -> Result<()> {
            // SAFETY: `Repeated` calls this only after a recording that succeeded.
            self.check(unsafe { (self.functions.replay)(self.graph) })
        }
    }

    impl Drop for Graph {
        fn drop(&mut self) {
            if !self.graph.is_null() {
                // SAFETY: nothing uses the graph after this. A message is not of interest any more.
                let _ = self.check(unsafe { (self.functions.free)(self.graph) });
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod cuda {
    pub(super) fn recorder() -> Option<Box<dyn super::Recorder>> {
        None
    }
}

#[cfg(test)]
impl Repeated {
    /// On the CPU, as on a GPU that cannot record the work after all.
    pub(crate) fn without_room() -> Repeated {
        struct NoRoom;
        impl Recorder for NoRoom {
            fn warm_up(&mut self, work: &mut dyn FnMut() -> Result<Tensor>) -> Result<Tensor> {
                work()
            }
            fn record(&mut self, _: &mut dyn FnMut() -> Result<Tensor>) -> Result<Tensor> {
                Err(crate::Error::new("no room"))
            }
            fn replay(&mut self) -> Result<()> {
                Err(crate::Error::new("nothing is recorded"))
            }
        }
        Repeated::with(Some(Box::new(NoRoom)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use std::sync::{Arc, Mutex};
    use tch::Kind;

    /// Stands for a GPU that has recorded "add 1, and return three times the sum".
    struct Fake {
        calls: Arc<Mutex<String>>,
        state: Tensor,
        result: Tensor,
        can_record: bool,
        /// What a repetition adds.
        adds: f64,
    }

    impl Fake {
        fn note(&self, call: char) {
            self.calls.lock().unwrap().push(call);
        }
    }

    impl Recorder for Fake {
        fn warm_up(&mut self, work: &mut dyn FnMut() -> Result<Tensor>) -> Result<Tensor> {
            self.note('w');
            work()
        }

        fn record(&mut self, _: &mut dyn FnMut() -> Result<Tensor>) -> Result<Tensor> {
            self.note('R');
            match self.can_record {
                true => Ok(self.result.shallow_clone()),
                false => Err(Error::new("no room")),
            }
        }

        fn replay(&mut self) -> Result<()> {
            self.note('r');
            let _ = self.state.f_add_scalar_(self.adds)?;
            self.result.f_copy_(&(self.state.sum(Kind::Float) * 3.0))?;
            Ok(())
        }
    }

    /// Runs the work six times → the recorder's calls, how often the work was computed, and the results.
    fn six_runs(can_record: bool, adds: f64) -> (String, usize, Vec<f64>) {
        let cpu = (Kind::Float, Device::Cpu);
        let (calls, state) = (Arc::<Mutex<String>>::default(), Tensor::zeros([2, 1], cpu));
        let (own, result) = (state.shallow_clone(), Tensor::zeros([], cpu));
        let fake = Fake { calls: calls.clone(), state: own, result, can_record, adds };
        let mut repeated = Repeated::with(Some(Box::new(fake)));
        let mut computed = 0;
        let mut work = || {
            computed += 1;
            let _ = state.shallow_clone().f_add_scalar_(1.0)?;
            Ok(state.sum(Kind::Float) * 3.0)
        };
        let results: Vec<Tensor> = (0..6).map(|_| repeated.run(&[&state], &mut work).unwrap()).collect();
        assert_eq!(repeated.is_recorded(), can_record && adds == 1.0);
        let calls = calls.lock().unwrap().clone();
        (calls, computed, results.iter().map(|result| result.double_value(&[])).collect())
    }

    #[test]
    fn every_run_counts_once_and_gives_the_same_result_recorded_or_not() {
        let expected = [6.0, 12.0, 18.0, 24.0, 30.0, 36.0];
        let cases = [
            // can be recorded, what a repetition adds → the calls, and how often the work itself is computed
            (true, 1.0, "wwwRrrr", 4),
            (true, 1.5, "wwwRr", 6),
            (false, 1.0, "wwwR", 6),
        ];
        for (can_record, adds, calls, computed) in cases {
            let found = six_runs(can_record, adds);
            assert_eq!(found, (calls.to_owned(), computed, expected.to_vec()), "{can_record} {adds}");
        }
    }

    #[test]
    fn on_a_cpu_nothing_is_recorded() {
        let mut repeated = Repeated::on(Device::Cpu);
        assert!(!repeated.is_recorded());
        let mut work = || Ok(Tensor::from(7.0));
        assert_eq!(repeated.run(&[], &mut work).unwrap().double_value(&[]), 7.0);
    }
}
