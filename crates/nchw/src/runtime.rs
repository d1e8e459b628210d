//! What the crate does inside the process that runs a notebook's cells.
//!
//! A panic prints its message without the backtrace, which is about evcxr and
//! the standard library. What a cell prints reaches the notebook whole: evcxr
//! forgets a last line without a line break (or waits for ever), and what goes
//! to stderr at the very end may come too late to be shown. Other programs
//! keep Rust's own behaviour.

use crate::error::sentence;
use std::{
    any::Any,
    cell::Cell,
    fs::File,
    io::{self, BufRead, BufReader, Write},
    panic::{self, AssertUnwindSafe, PanicHookInfo},
    process::{Command, Stdio},
    sync::Once,
    time::Duration,
};

/// Runs when the library is loaded, so that no cell has to ask for it.
#[used]
#[cfg_attr(target_os = "linux", unsafe(link_section = ".init_array"))]
static ON_LOAD: extern "C" fn() = on_load;

extern "C" fn on_load() {
    // Set by evcxr for the process that runs the cells.
    if std::env::var_os("EVCXR_IS_RUNTIME").is_some() {
        std::panic::set_hook(Box::new(|info| eprintln!("{}", in_words(info))));
        explain_the_end();
        if let Err(error) = forward_stdout() {
            eprintln!("what cells print may be shown late: {error}");
        }
    }
}

/// What is said when the process that runs the cells is gone.
const ENDED: &str = "What ran the cells has ended: it was interrupted, told to exit, or a function called \
                     itself too often (stack overflow). What the cells had made is gone; the notebook and its \
                     files are not. Run the first cell again, then the others: Run, Run All Above.";

/// Has somebody wait for the end of this process, who can still say what that means:
/// evcxr only says "Subprocess terminated with status: signal: 9".
fn explain_the_end() {
    // Its input ends when this process does, however that happens. What it then writes is
    // the last that evcxr reads before the end of stdout.
    let mut waits = Command::new("/bin/sh");
    waits.arg("-c").arg("cat >/dev/null; echo \"$0\"").arg(ENDED);
    if let Ok(waiting) = waits.stdin(Stdio::piped()).spawn() {
        // The input stays open as long as this process is there.
        std::mem::forget(waiting);
    }
}

/// The line by which evcxr knows that a cell has ended.
const COMPLETE: &[u8] = b"EVCXR_EXECUTION_COMPLETE\n";
/// The lines that say a panic or an error through `?` has just been printed.
const FAILED: [&[u8]; 2] = [b"EVCXR_PANIC_NOTIFICATION\n", b"EVCXR_ERROR_OCCURRED\n"];

/// What `print_end` prints, to know that all before it has come.
///
/// Each copy of this library has its own: linked into every cell there are several in
/// a process, one behind the other, and they would answer each other for ever.
fn end_mark() -> Vec<u8> {
    format!("NCHW_CELL_HAS_PRINTED_ALL {:p}\n", &raw const ON_LOAD).into_bytes()
}

/// Puts a thread between what cells print and evcxr.
fn forward_stdout() -> io::Result<()> {
    let original = File::from(rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?);
    let (reader, writer) = io::pipe()?;
    std::thread::Builder::new()
        .name("nchw-stdout".into())
        .spawn(move || forward(BufReader::new(reader), original, &end_mark(), wait_for_stderr, print_end))?;
    rustix::stdio::dup2_stdout(writer)?;
    Ok(())
}

/// Passes lines on. Before a cell's last one it has the line printed that
/// still waits for its end, and waits until stderr has been read.
fn forward(mut from: impl BufRead, mut to: impl Write, end: &[u8], wait: impl Fn(bool), flush: impl Fn()) {
    let (mut line, mut failed) = (Vec::new(), false);
    while from.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        failed |= FAILED.contains(&line.as_slice());
        let written = if let Some(unfinished) = line.strip_suffix(COMPLETE) {
            flush();
            end_line(&mut to, unfinished)
        } else if let Some(unfinished) = line.strip_suffix(end) {
            let printed = end_line(&mut to, unfinished);
            wait(std::mem::take(&mut failed));
            printed.and_then(|()| to.write_all(COMPLETE))
        } else {
            to.write_all(&line)
        };
        if written.and_then(|()| to.flush()).is_err() {
            return;
        }
        line.clear();
    }
}

fn end_line(to: &mut impl Write, unfinished: &[u8]) -> io::Result<()> {
    if unfinished.is_empty() {
        return Ok(());
    }
    to.write_all(unfinished)?;
    to.write_all(b"\n")
}

/// Has a line printed after all that cells have printed, also what still waits
/// in the standard library for a line break. By a thread of its own: whoever
/// prints may have to wait until what was printed has been read.
fn print_end() {
    std::thread::spawn(|| {
        let _ = io::stdout().write_all(&end_mark());
    });
}

/// Until evcxr has taken everything from stderr, and had time to show it.
fn wait_for_stderr(failed: bool) {
    for _ in 0..200 {
        if !rustix::io::ioctl_fionread(rustix::stdio::stderr()).is_ok_and(|unread| unread > 0) {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(Duration::from_millis(if failed { 60 } else { 15 }));
}

fn in_words(info: &PanicHookInfo) -> String {
    shorten(message(info.payload()))
}

fn message(payload: &dyn Any) -> &str {
    let formatted = payload.downcast_ref::<String>().map(String::as_str);
    formatted.or(payload.downcast_ref::<&str>().copied()).unwrap_or("a panic without a message")
}

/// The message as a learner needs it.
///
/// tch's functions panic with Rust's text around libtorch's sentence; the
/// sentence is what helps, and that there is a variant that does not panic.
fn shorten(message: &str) -> String {
    match refusal(message) {
        None => format!("the cell panicked: {message}"),
        Some(sentence) => format!(
            "the cell panicked; libtorch says: {sentence}\n\
             (the function of the same name with f_ in front returns this as an error: end it with `?`)"
        ),
    }
}

/// libtorch's sentence in a panic of tch's.
fn refusal(message: &str) -> Option<String> {
    let quoted = &message[message.find("Torch(\"")? + "Torch(\"".len()..];
    let inside = quoted.strip_suffix("\")").unwrap_or(quoted);
    Some(sentence(&inside.replace("\\n", "\n").replace("\\\"", "\"")))
}

thread_local! {
    /// Whether a panic of this thread is caught by `caught`, and not to be printed.
    static CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// Does what may panic in tch (a module's `forward` cannot return an error).
/// Instead of printing a panic, gives its message: libtorch's sentence, where
/// it was libtorch that refused.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> std::result::Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !CAUGHT.get() {
                before(info);
            }
        }));
    });
    let outer = CAUGHT.replace(true);
    let done = panic::catch_unwind(AssertUnwindSafe(work));
    CAUGHT.set(outer);
    done.map_err(|payload| {
        let message = message(&*payload);
        refusal(message).map_or_else(|| message.to_owned(), |said| format!("libtorch says: {said}"))
    })
}

#[cfg(test)]
mod tests {
    use super::{caught, end_mark, forward, shorten};
    use std::cell::{Cell, RefCell};

    fn forwarded(printed: &str) -> (String, Vec<bool>, usize) {
        let (mut to, waits, flushed) = (Vec::new(), RefCell::new(Vec::new()), Cell::new(0));
        let wait = |failed| waits.borrow_mut().push(failed);
        forward(printed.as_bytes(), &mut to, b"END\n", wait, || flushed.set(flushed.get() + 1));
        (String::from_utf8(to).unwrap(), waits.into_inner(), flushed.get())
    }

    #[test]
    fn a_cell_ends_only_when_all_it_printed_has_come() {
        let printed = "a\nEVCXR_EXECUTION_COMPLETE\nEND\n\
                       EVCXR_PANIC_NOTIFICATION\nEVCXR_EXECUTION_COMPLETE\nlateEND\n";
        let expected = "a\nEVCXR_EXECUTION_COMPLETE\n\
                        EVCXR_PANIC_NOTIFICATION\nlate\nEVCXR_EXECUTION_COMPLETE\n";
        assert_eq!(forwarded(printed), (expected.to_owned(), vec![false, true], 2));
    }

    #[test]
    fn the_mark_of_another_copy_of_the_library_passes_through() {
        // The second prints through the first; the first's mark goes through the second.
        let (mut between, mut shown) = (Vec::new(), Vec::new());
        let printed = b"a\nEVCXR_EXECUTION_COMPLETE\nsecond\n";
        forward(&printed[..], &mut between, b"second\n", |_| (), || ());
        assert_eq!(between, b"a\nEVCXR_EXECUTION_COMPLETE\n");
        let mark = end_mark();
        forward(&mark[..], &mut between, b"second\n", |_| (), || ());
        forward(&between[..], &mut shown, &mark, |_| (), || ());
        assert_eq!(shown, b"a\nEVCXR_EXECUTION_COMPLETE\n");
    }

    #[test]
    fn a_last_line_without_an_end_gets_one() {
        let (shown, ..) = forwarded("half a lineEVCXR_EXECUTION_COMPLETE\nEND\n");
        assert_eq!(shown, "half a line\nEVCXR_EXECUTION_COMPLETE\n");
    }

    #[test]
    fn a_panic_of_libtorch_keeps_its_sentence_only() {
        let raw = "called `Result::unwrap()` on an `Err` value: Torch(\"size mismatch, got input (12), \
                   mat (12x5), vec (3)\\nException raised from meta at Blas.cpp:43\\nframe #0\")";
        let short = shorten(raw);
        assert!(
            short.contains("libtorch says: size mismatch, got input (12), mat (12x5), vec (3)\n"),
            "{short}"
        );
        assert!(!short.contains("frame") && !short.contains("unwrap"), "{short}");
    }

    #[test]
    fn a_device_that_is_not_there_is_one_sentence() {
        let raw = "called `Result::unwrap()` on an `Err` value: Torch(\"Could not run 'aten::empty' with arguments \
                   from the 'CUDA' backend. This could be because the operator doesn't exist for this backend, or \
                   was omitted. [CPU, Meta].\\n\\nCPU: registered at RegisterCPU.cpp\\nException raised from x\")";
        let short = shorten(raw);
        assert!(
            short.contains("from the 'CUDA' backend. There is no such device here: `device()` gives"),
            "{short}"
        );
        assert!(!short.contains("registered") && !short.contains("Meta"), "{short}");
    }

    #[test]
    fn another_panic_keeps_its_message() {
        assert_eq!(shorten("index out of bounds"), "the cell panicked: index out of bounds");
    }

    #[test]
    fn a_panic_that_is_caught_gives_its_message() {
        assert_eq!(caught(|| 1 + 1), Ok(2));
        assert_eq!(caught(|| panic!("seven {}", 7)), Err::<(), _>("seven 7".to_owned()));
        let wrong = || tch::Tensor::from_slice(&[1.0, 2.0]).view([3]);
        assert_eq!(caught(wrong).unwrap_err(), "libtorch says: shape '[3]' is invalid for input of size 2");
    }
}
