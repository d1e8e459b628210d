//! Changes to the process that runs a notebook's cells.
//!
//! A panic prints only its message, since the backtrace shows evcxr and the
//! standard library. The output of a cell reaches the notebook completely: by
//! itself, evcxr loses a line that does not end with a line break when one of its
//! own marks follows on the same line, loses track at a byte that is not UTF-8,
//! and takes minutes to display what an endless loop has printed. Other programs
//! that use the crate keep Rust's default behaviour.

use crate::error::sentence;
use std::{
    any::Any,
    cell::Cell,
    collections::VecDeque,
    fs::File,
    io::{self, BufRead, BufReader, PipeReader, PipeWriter, Read, Write},
    os::fd::AsRawFd,
    panic::{self, AssertUnwindSafe, PanicHookInfo},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex, Once, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

/// Runs when the library is loaded, so that no cell has to call it.
#[used]
#[cfg_attr(target_os = "linux", unsafe(link_section = ".init_array"))]
#[cfg_attr(target_os = "macos", unsafe(link_section = "__DATA,__mod_init_func"))]
static ON_LOAD: extern "C" fn() = on_load;

extern "C" fn on_load() {
    // evcxr sets this for the process that runs the cells.
    if std::env::var_os("EVCXR_IS_RUNTIME").is_some() {
        std::panic::set_hook(Box::new(|info| eprintln!("{}", panic_message(info))));
        // The kernel sets this when the notebook is not in evcxr's working folder.
        if let Some(folder) = std::env::var_os("NCHW_NOTEBOOK_FOLDER")
            && let Err(error) = std::env::set_current_dir(&folder)
        {
            eprintln!("could not change to the notebook's folder {}: {error}", folder.display());
        }
        if let Err(error) = forward_output().and_then(|()| provide_input()) {
            eprintln!("the output of cells may appear late: {error}");
        }
        delay_aborts();
    }
}

/// Delays an abort: the threads of `forward_output`, which end with the process, still have to
/// forward its reason, which was written last.
fn delay_aborts() {
    extern "C" fn wait_and_abort(signal: libc::c_int) {
        thread::sleep(Duration::from_millis(200));
        // SAFETY: `raise` may be called in a signal handler.
        unsafe { libc::raise(signal) };
    }
    let handler: extern "C" fn(libc::c_int) = wait_and_abort;
    // SAFETY: all zeros is a valid `sigaction`: no flags, an empty mask. The handler only calls
    // `nanosleep` and `raise`. SA_RESETHAND restores the default action, which ends the process.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as libc::sighandler_t;
        action.sa_flags = libc::SA_RESETHAND;
        libc::sigaction(libc::SIGABRT, &raw const action, std::ptr::null_mut());
    }
}

/// The message after the end of the process that runs the cells.
const ENDED: &str = "The process that ran the cells has ended: it was interrupted, a cell called `exit`, or a \
                     function called itself too often (stack overflow). All variables are gone; the notebook \
                     and its files are not. Run the first cell again, then the others: Run, Run All Above.";

/// Starts a shell that waits for this process to end and then explains why:
/// evcxr only prints "Subprocess terminated with status: signal: 9".
///
/// The shell also forwards the last output to stderr: the reason for an abort may still be in
/// the pipe after the thread that reads it has ended.
///
/// It waits once more at the end: another thread of evcxr passes each line on to the notebook, and drops it if the cell
/// has ended before, which it does as soon as stdout ends.
fn explain_the_end(stderr: &PipeReader) -> io::Result<()> {
    // The shell inherits the duplicate, unlike the original.
    let unread = rustix::io::dup(stderr)?;
    // The shell's input ends when this process does, for any reason. evcxr reads the shell's output
    // last, before the end of stdout. evcxr reads stderr in another thread, and assigns what it reads
    // after the end of stdout to no cell.
    let unread = unread.as_raw_fd();
    let script =
        format!("cat >/dev/null; tail -c 4096 /dev/fd/{unread} >&2; sleep 0.2; echo \"$0\"; sleep 0.2");
    let waiting = Command::new("/bin/sh").arg("-c").arg(script).arg(ENDED).stdin(Stdio::piped()).spawn()?;
    // The input stays open as long as this process runs.
    std::mem::forget(waiting);
    Ok(())
}

/// The line that tells evcxr that a cell has ended.
const COMPLETE: &str = "EVCXR_EXECUTION_COMPLETE";
/// The line that ends the display of a value.
const CONTENT_ENDS: &str = "EVCXR_END_CONTENT";
/// The lines that tell evcxr that a panic, or an error returned by `?`, has just been printed.
const FAILED: [&str; 2] = ["EVCXR_PANIC_NOTIFICATION", "EVCXR_ERROR_OCCURRED"];
/// The beginnings of lines that carry data for evcxr.
const CONTENT_BEGINS: &str = "EVCXR_BEGIN_CONTENT ";
const CARRIERS: [&str; 5] = [
    CONTENT_BEGINS,
    "EVCXR_VARIABLE_CHANGED_TYPE:",
    "EVCXR_INPUT_REQUEST:",
    "EVCXR_INPUT_REQUEST_PASSWORD:",
    PRINTED_ALL,
];
/// The beginning of the line that `print_end` prints after all output of a cell.
const PRINTED_ALL: &str = "NCHW_CELL_HAS_PRINTED_ALL ";

/// The mark of this copy of the library. A process contains several copies, since each cell links
/// one, and they forward output to each other: with the same mark, they would answer each other for ever.
fn end_mark() -> String {
    format!("{PRINTED_ALL}{:p}", &raw const ON_LOAD)
}

/// Splits a line into its text and the mark at its end. evcxr recognises a mark only at the
/// beginning of a line, so a mark after an unfinished line must be moved to its own line.
fn split_mark(line: &str) -> (&str, &str) {
    let Some(at) = line.rfind("EVCXR_").max(line.rfind("NCHW_CELL_")) else { return (line, "") };
    let (text, mark) = line.split_at(at);
    let whole = mark == COMPLETE || mark == CONTENT_ENDS || FAILED.contains(&mark);
    if whole || CARRIERS.iter().any(|start| mark.starts_with(start)) { (text, mark) } else { (line, "") }
}

/// The most that one cell may print. evcxr sends every line as a separate message and keeps
/// waiting messages in memory: after an endless loop of prints, it would be busy for minutes.
/// JupyterLab drops messages, including the value, after more than 3,000 within 3 seconds.
const MOST_LINES: usize = 2_000;
const MOST_BYTES: usize = 1 << 20;
/// How many of a cell's last lines are shown if it printed more than that.
const LAST_LINES: usize = 10;
const CUT: &str = "[This cell has printed more than 2,000 lines or 1 MB. The following lines are omitted, \
                   except the last 10, which are shown when the cell ends.]";

/// What a cell has printed to stdout or to stderr.
#[derive(Default)]
struct Printed {
    lines: usize,
    bytes: usize,
    last: VecDeque<String>,
}

impl Printed {
    fn line(&mut self, to: &mut impl Write, line: &str) -> io::Result<()> {
        self.lines += 1;
        self.bytes += line.len();
        if self.lines <= MOST_LINES && self.bytes <= MOST_BYTES {
            return write_line(to, line);
        }
        if self.last.is_empty() {
            write_line(to, CUT)?;
        }
        self.last.push_back(line.chars().take(1000).collect());
        if self.last.len() > LAST_LINES {
            self.last.pop_front();
        }
        Ok(())
    }

    fn end_cell(&mut self, to: &mut impl Write) -> io::Result<()> {
        std::mem::take(self).last.iter().try_for_each(|line| write_line(to, line))
    }
}

/// Writes a line at once, so that other writers can only write between lines.
fn write_line(to: &mut impl Write, line: &str) -> io::Result<()> {
    to.write_all(format!("{line}\n").as_bytes())
}

/// Reads the next line into `line`; returns false at the end of the input.
///
/// `print!` in an endless loop produces an endless line, which would fill the memory. Unless
/// `whole` is set, only the beginning of a line and its end, which may hold a mark, are kept.
fn read_line(from: &mut impl BufRead, line: &mut Vec<u8>, whole: bool) -> io::Result<bool> {
    line.clear();
    while from.by_ref().take(65_536).read_until(b'\n', line)? > 0 {
        if line.last() == Some(&b'\n') {
            line.pop();
            return Ok(true);
        }
        if !whole && line.len() > 2 * MOST_BYTES {
            line.drain(MOST_BYTES..line.len() - 1024);
        }
    }
    Ok(!line.is_empty())
}

/// Starts the two threads that forward the stdout and stderr of the cells to evcxr.
fn forward_output() -> io::Result<()> {
    let to_evcxr = File::from(rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?);
    let errors_to_evcxr = File::from(rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stderr(), 3)?);
    let (stdout, stdout_writer) = io::pipe()?;
    let (stderr, stderr_writer) = io::pipe()?;
    explain_the_end(&stderr)?;
    let (send_end, stderr_ended) = mpsc::channel();
    let (errors, mut marks) = (errors_to_evcxr.try_clone()?, stderr_writer.try_clone()?);
    thread::Builder::new().name("nchw-stderr".into()).spawn(move || {
        forward_stderr(BufReader::new(stderr), errors, &end_mark(), || {
            let _ = send_end.send(());
        })
    })?;
    let wait = move |failed| {
        // Discards the ends of earlier cells that arrived too late.
        while stderr_ended.try_recv().is_ok() {}
        let _ = write_line(&mut marks, &end_mark());
        // With a time limit, since a cell may have closed or redirected its stderr.
        let _ = stderr_ended.recv_timeout(Duration::from_secs(1));
        wait_until_read(&errors_to_evcxr, failed);
        // The cell has ended and evcxr has not been notified yet: the read that is waiting now is evcxr's.
        *EVCXR_READS.lock().unwrap_or_else(PoisonError::into_inner) = blocked_in();
    };
    let stdout_copy = stdout_writer.try_clone()?;
    thread::Builder::new().name("nchw-stdout".into()).spawn(move || {
        forward_stdout(BufReader::new(stdout), to_evcxr, &end_mark(), wait, |mark| {
            print_end(mark, &stdout_copy)
        })
    })?;
    rustix::stdio::dup2_stdout(stdout_writer)?;
    rustix::stdio::dup2_stderr(stderr_writer)?;
    Ok(())
}

/// Forwards what cells print, line by line and as UTF-8 (evcxr stops reading at any other
/// byte), with every mark on a line of its own. Before the last mark of a cell, it calls `flush`
/// to print a line that is still unfinished, and `wait` until stderr has been read.
fn forward_stdout(
    mut from: impl BufRead,
    mut to: impl Write,
    end: &str,
    mut wait: impl FnMut(bool),
    flush: impl Fn(&str),
) -> io::Result<()> {
    let (mut bytes, mut printed) = (Vec::new(), Printed::default());
    let (mut in_content, mut failed) = (false, false);
    let (mut cell, mut cell_end) = (0, String::new());
    while read_line(&mut from, &mut bytes, in_content)? {
        let line = String::from_utf8_lossy(&bytes);
        let (text, mark) = split_mark(&line);
        match text {
            "" if !mark.is_empty() => {}
            text if in_content => write_line(&mut to, text)?,
            text => printed.line(&mut to, text)?,
        }
        if mark == COMPLETE {
            cell += 1;
            cell_end = format!("{end} {cell}");
            flush(&cell_end);
        } else if !mark.is_empty() && mark == cell_end {
            if std::mem::take(&mut in_content) {
                // Without this line, evcxr would wait for ever.
                write_line(&mut to, CONTENT_ENDS)?;
            }
            cell_end.clear();
            printed.end_cell(&mut to)?;
            wait(std::mem::take(&mut failed));
            write_line(&mut to, COMPLETE)?;
        } else if !mark.is_empty() && !mark.strip_prefix(end).is_some_and(|of| of.starts_with(' ')) {
            failed |= FAILED.contains(&mark);
            let ends_content = mark == CONTENT_ENDS || FAILED.contains(&mark);
            in_content = mark.starts_with(CONTENT_BEGINS) || (in_content && !ends_content);
            write_line(&mut to, mark)?;
        }
    }
    Ok(())
}

/// Forwards what cells write to stderr in the same way. At the mark, which comes at the end of a
/// cell, it ends an unfinished line and calls `ended`.
fn forward_stderr(mut from: impl BufRead, mut to: impl Write, end: &str, ended: impl Fn()) -> io::Result<()> {
    let (mut bytes, mut printed) = (Vec::new(), Printed::default());
    while read_line(&mut from, &mut bytes, false)? {
        let line = String::from_utf8_lossy(&bytes);
        let (text, mark) = line.rfind(PRINTED_ALL).map_or((&*line, ""), |at| line.split_at(at));
        if !text.is_empty() || mark.is_empty() {
            printed.line(&mut to, text)?;
        }
        if mark == end {
            printed.end_cell(&mut to)?;
            ended();
        } else if !mark.is_empty() {
            // The mark of another copy of this library.
            write_line(&mut to, mark)?;
        }
    }
    Ok(())
}

/// Prints `mark` after everything that cells have printed, including an unfinished line in the
/// buffer of the standard library. It prints in a separate thread, since printing may block until
/// earlier output has been read.
///
/// If a cell holds the lock of stdout, `let out = stdout().lock();`, the mark is written directly
/// to the pipe after a second, without waiting for the first attempt any longer.
fn print_end(mark: &str, stdout: &PipeWriter) {
    static PRINTING: AtomicBool = AtomicBool::new(false);
    let (mark, stdout) = (mark.to_owned(), stdout.try_clone());
    thread::spawn(move || {
        if !PRINTING.swap(true, Ordering::SeqCst) {
            let (send, printed) = mpsc::channel();
            let mark = mark.clone();
            thread::spawn(move || {
                let _ = write_line(&mut io::stdout(), &mark);
                PRINTING.store(false, Ordering::SeqCst);
                let _ = send.send(());
            });
            if printed.recv_timeout(Duration::from_secs(1)).is_ok() {
                return;
            }
        }
        let _ = stdout.and_then(|mut stdout| write_line(&mut stdout, &mark));
    });
}

/// Waits until evcxr has read everything from stderr and had time to display it.
fn wait_until_read(stderr: &File, failed: bool) {
    for _ in 0..200 {
        if !rustix::io::ioctl_fionread(stderr).is_ok_and(|unread| unread > 0) {
            break;
        }
        thread::sleep(Duration::from_millis(1));
    }
    thread::sleep(Duration::from_millis(if failed { 60 } else { 15 }));
}

/// The system call in which evcxr waits for the next cell.
static EVCXR_READS: Mutex<Option<Vec<String>>> = Mutex::new(None);

/// The system call in which the main thread, which runs the cells, is waiting: its number, the
/// file and the buffer. `None` if the thread is running, or on systems other than Linux.
fn blocked_in() -> Option<Vec<String>> {
    let thread = std::process::id();
    let call = std::fs::read_to_string(format!("/proc/self/task/{thread}/syscall")).ok()?;
    let call: Vec<String> = call.split_whitespace().take(3).map(str::to_owned).collect();
    (call.len() == 3).then_some(call)
}

/// Whether a cell is waiting for a line from stdin: the same call on the same file as evcxr's
/// own, but with another buffer.
fn cell_reads(now: &[String], evcxr: &[String]) -> bool {
    now[..2] == evcxr[..2] && now[2] != evcxr[2]
}

/// Lets a cell read lines from the learner, as `read_line` does in a program.
///
/// evcxr sends its commands through the stdin of this process, so a cell would wait there for
/// ever. One thread notices that a cell is waiting and requests a line from evcxr; the other
/// forwards what evcxr writes, including the learner's line, and then resets the request.
fn provide_input() -> io::Result<()> {
    let from_evcxr = File::from(rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?);
    let (stdin, mut to_cells) = io::pipe()?;
    let mut to_evcxr = File::from(rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?);
    let requested = Arc::new(Mutex::new(false));
    let answered = Arc::clone(&requested);
    thread::Builder::new().name("nchw-stdin".into()).spawn(move || {
        for mut line in BufReader::new(from_evcxr).split(b'\n').map_while(io::Result::ok) {
            line.push(b'\n');
            // Locked until the line is written: then no cell is waiting for it any longer.
            let mut requested = answered.lock().unwrap_or_else(PoisonError::into_inner);
            if to_cells.write_all(&line).is_err() {
                break;
            }
            *requested = false;
        }
    })?;
    thread::Builder::new().name("nchw-input".into()).spawn(move || {
        loop {
            thread::sleep(Duration::from_millis(200));
            let mut requested = requested.lock().unwrap_or_else(PoisonError::into_inner);
            let evcxr = EVCXR_READS.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let (Some(now), Some(evcxr), false) = (blocked_in(), evcxr, *requested)
                && cell_reads(&now, &evcxr)
            {
                *requested = true;
                // First print the cell's prompt, which has no line break yet, unless the cell holds the
                // lock of the standard library's stdout.
                let (send, flushed) = mpsc::channel();
                thread::spawn(move || {
                    let _ = io::stdout().flush();
                    let _ = send.send(());
                });
                let _ = flushed.recv_timeout(Duration::from_secs(1));
                let _ = write_line(&mut to_evcxr, "EVCXR_INPUT_REQUEST:this cell reads a line: type it here");
            }
        }
    })?;
    rustix::stdio::dup2_stdin(stdin)?;
    Ok(())
}

fn panic_message(info: &PanicHookInfo) -> String {
    shorten(message(info.payload()))
}

fn message(payload: &dyn Any) -> &str {
    let formatted = payload.downcast_ref::<String>().map(String::as_str);
    formatted.or(payload.downcast_ref::<&str>().copied()).unwrap_or("a panic without a message")
}

/// The message of a panic, shortened for the learner.
///
/// The functions of tch panic with libtorch's message inside a Rust message. The
/// learner needs only the former, and the name of the variant that does not panic.
fn shorten(message: &str) -> String {
    match libtorch_message(message) {
        None => format!("the cell panicked: {message}"),
        Some(sentence) => format!(
            "the cell panicked; libtorch says: {sentence}\n\
             (the function of the same name with the prefix `f_` returns this as an error: end the call with `?`)"
        ),
    }
}

/// libtorch's message in a panic of tch.
fn libtorch_message(message: &str) -> Option<String> {
    let quoted = &message[message.find("Torch(\"")? + "Torch(\"".len()..];
    let inside = quoted.strip_suffix("\")").unwrap_or(quoted);
    Some(sentence(&inside.replace("\\n", "\n").replace("\\\"", "\"")))
}

thread_local! {
    /// Whether `caught` catches panics of this thread, so that they are not printed.
    static CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// Runs code that may panic in tch (the `forward` of a module cannot return an error).
/// A panic is not printed but returned as its message: that of libtorch, if it comes
/// from there.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> std::result::Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !CAUGHT.get() {
                previous(info);
            }
        }));
    });
    let outer = CAUGHT.replace(true);
    let done = panic::catch_unwind(AssertUnwindSafe(work));
    CAUGHT.set(outer);
    done.map_err(|payload| {
        let message = message(&*payload);
        libtorch_message(message)
            .map_or_else(|| message.to_owned(), |sentence| format!("libtorch says: {sentence}"))
    })
}

#[cfg(test)]
mod tests {
    use super::{
        CUT, MOST_BYTES, PRINTED_ALL, caught, cell_reads, end_mark, forward_stderr, forward_stdout,
        read_line, shorten,
    };
    use std::{
        cell::{Cell, RefCell},
        io::{BufReader, Read},
    };

    const END: &str = "NCHW_CELL_HAS_PRINTED_ALL test";

    fn forwarded(printed: impl AsRef<[u8]>) -> (String, Vec<bool>, usize) {
        let (mut to, waits, flushed) = (Vec::new(), RefCell::new(Vec::new()), Cell::new(0));
        let wait = |failed| waits.borrow_mut().push(failed);
        let flush = |mark: &str| {
            flushed.set(flushed.get() + 1);
            assert_eq!(mark, format!("{END} {}", flushed.get()));
        };
        forward_stdout(printed.as_ref(), &mut to, END, wait, flush).unwrap();
        (String::from_utf8(to).unwrap(), waits.into_inner(), flushed.get())
    }

    fn forwarded_errors(printed: impl AsRef<[u8]>) -> (String, usize) {
        let (mut to, ends) = (Vec::new(), Cell::new(0));
        forward_stderr(printed.as_ref(), &mut to, END, || ends.set(ends.get() + 1)).unwrap();
        (String::from_utf8(to).unwrap(), ends.get())
    }

    #[test]
    fn a_cell_ends_after_all_of_its_output() {
        let printed = format!(
            "a\nEVCXR_EXECUTION_COMPLETE\n{END} 1\n\
             EVCXR_PANIC_NOTIFICATION\nEVCXR_EXECUTION_COMPLETE\nlate{END} 2\n"
        );
        let expected = "a\nEVCXR_EXECUTION_COMPLETE\n\
                        EVCXR_PANIC_NOTIFICATION\nlate\nEVCXR_EXECUTION_COMPLETE\n";
        assert_eq!(forwarded(printed), (expected.to_owned(), vec![false, true], 2));
    }

    #[test]
    fn a_late_mark_ends_no_other_cell() {
        let printed = format!(
            "EVCXR_EXECUTION_COMPLETE\n{END} 1\n{END} 1\nEVCXR_EXECUTION_COMPLETE\n{END} 1\nlast\n{END} 2\n"
        );
        let expected = "EVCXR_EXECUTION_COMPLETE\nlast\nEVCXR_EXECUTION_COMPLETE\n";
        assert_eq!(forwarded(printed), (expected.to_owned(), vec![false, false], 2));
    }

    #[test]
    fn the_mark_of_another_copy_of_the_library_is_forwarded() {
        let mark = end_mark();
        assert!(mark.starts_with(PRINTED_ALL));
        // The second copy prints through the first, which prints its mark through the second.
        let (mut between, mut shown) = (Vec::new(), Vec::new());
        let flood = "line\n".repeat(20_000);
        let printed = format!("{flood}EVCXR_EXECUTION_COMPLETE\n{END} 1\n{mark} 1\n");
        forward_stdout(printed.as_bytes(), &mut between, END, |_| (), |_| ()).unwrap();
        forward_stdout(&between[..], &mut shown, &mark, |_| (), |_| ()).unwrap();
        let shown = String::from_utf8(shown).unwrap();
        assert!(shown.ends_with("\nEVCXR_EXECUTION_COMPLETE\n"), "{}", &shown[shown.len() - 100..]);
        let (errors, ends) = forwarded_errors(format!("{flood}half{mark}\n{END}\n"));
        assert!(errors.contains(&format!("\n{mark}\n")), "{}", &errors[errors.len() - 100..]);
        assert_eq!(ends, 1);
    }

    #[test]
    fn an_unfinished_line_is_ended_before_each_mark_of_evcxr() {
        let marks = [
            "EVCXR_PANIC_NOTIFICATION",
            "EVCXR_ERROR_OCCURRED",
            "EVCXR_VARIABLE_CHANGED_TYPE:photo",
            "EVCXR_INPUT_REQUEST:Your name: ",
            "EVCXR_INPUT_REQUEST_PASSWORD:Word: ",
            "EVCXR_BEGIN_CONTENT text/plain\n42\nEVCXR_END_CONTENT",
        ];
        for mark in marks {
            let (shown, ..) = forwarded(format!("mean: {mark}\n"));
            assert_eq!(shown, format!("mean: \n{mark}\n"));
            let (shown, ..) = forwarded(format!("{mark}\n"));
            assert_eq!(shown, format!("{mark}\n"), "a mark alone is unchanged");
        }
        let (shown, ..) = forwarded(format!("half a lineEVCXR_EXECUTION_COMPLETE\nhalf{END} 1\n"));
        assert_eq!(shown, "half a line\nhalf\nEVCXR_EXECUTION_COMPLETE\n");
    }

    #[test]
    fn a_mark_inside_a_sentence_is_text() {
        let text = "the line EVCXR_ERROR_OCCURRED tells evcxr of an error; EVCXR_CONFIG_DIR is a folder\n";
        assert_eq!(forwarded(text).0, text);
    }

    #[test]
    fn the_display_of_a_value_ends_with_its_cell_at_the_latest() {
        let (shown, ..) =
            forwarded(format!("EVCXR_BEGIN_CONTENT text/plain\n42\nEVCXR_EXECUTION_COMPLETE\n{END} 1\n"));
        let expected = "EVCXR_BEGIN_CONTENT text/plain\n42\nEVCXR_END_CONTENT\nEVCXR_EXECUTION_COMPLETE\n";
        assert_eq!(shown, expected);
    }

    #[test]
    fn invalid_utf_8_is_replaced_and_the_marks_after_it_are_recognised() {
        let (shown, ..) = forwarded(b"a\xffb\n\xc3EVCXR_ERROR_OCCURRED\n");
        assert_eq!(shown, "a\u{fffd}b\n\u{fffd}\nEVCXR_ERROR_OCCURRED\n");
        assert_eq!(forwarded_errors(b"a\xffb\n").0, "a\u{fffd}b\n");
    }

    #[test]
    fn the_beginning_and_the_end_of_endless_output_are_shown() {
        let numbers: String = (1..=30_000).map(|n| format!("{n}\n")).collect();
        let first: String = (1..=2_000).map(|n| format!("{n}\n")).collect();
        let last: String = (29_991..=30_000).map(|n| format!("{n}\n")).collect();
        let figure = "EVCXR_BEGIN_CONTENT text/html\n<img>\nEVCXR_END_CONTENT\n";
        let (shown, ..) = forwarded(format!(
            "{numbers}{figure}EVCXR_ERROR_OCCURRED\nEVCXR_EXECUTION_COMPLETE\n{END} 1\nnext cell\n"
        ));
        let expected = format!(
            "{first}{CUT}\n{figure}EVCXR_ERROR_OCCURRED\n{last}EVCXR_EXECUTION_COMPLETE\nnext cell\n"
        );
        assert!(shown == expected, "{} and {} bytes", shown.len(), expected.len());
        let (shown, ends) = forwarded_errors(format!("{numbers}{END}\nnext cell\n"));
        assert!(shown == format!("{first}{CUT}\n{last}next cell\n"), "{} bytes", shown.len());
        assert_eq!(ends, 1);
    }

    #[test]
    fn a_few_long_lines_are_cut_too() {
        let (shown, ..) = forwarded(format!("{}\n", "x".repeat(1000)).repeat(5_000));
        assert!(shown.len() < MOST_BYTES + 20_000, "{} bytes", shown.len());
        assert!(shown.contains(CUT));
    }

    #[test]
    fn an_endless_line_needs_little_memory_and_its_mark_is_recognised() {
        let mark = b"EVCXR_ERROR_OCCURRED\n";
        let endless = || BufReader::new(std::io::repeat(b'x').take(30 << 20).chain(&mark[..]));
        let mut line = Vec::new();
        assert!(read_line(&mut endless(), &mut line, false).unwrap());
        assert!(line.capacity() <= 8 * MOST_BYTES, "{} bytes", line.capacity());
        let mut shown = Vec::new();
        forward_stdout(endless(), &mut shown, END, |_| (), |_| ()).unwrap();
        assert_eq!(String::from_utf8(shown).unwrap(), format!("{CUT}\nEVCXR_ERROR_OCCURRED\n"));
    }

    #[test]
    fn a_long_line_of_a_figure_is_not_cut() {
        let figure =
            format!("EVCXR_BEGIN_CONTENT image/png\n{}\nEVCXR_END_CONTENT\n", "iVBO".repeat(MOST_BYTES));
        assert!(forwarded(&figure).0 == figure);
    }

    #[test]
    fn an_unfinished_line_on_stderr_is_ended_with_its_cell() {
        let (shown, ends) = forwarded_errors(format!("half{END}\n{END}\nnext\n"));
        assert_eq!((shown.as_str(), ends), ("half\nnext\n", 2));
    }

    #[test]
    fn reads_by_a_cell_and_by_evcxr_are_distinguished() {
        let call = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let evcxr = call("0 0x0 0x5581");
        assert!(cell_reads(&call("0 0x0 0x7f21"), &evcxr));
        assert!(!cell_reads(&evcxr, &evcxr), "it waits for the next cell");
        assert!(!cell_reads(&call("0 0x5 0x7f21"), &evcxr), "it reads a file");
        assert!(!cell_reads(&call("202 0x0 0x7f21"), &evcxr), "it waits for a thread");
    }

    #[test]
    fn a_libtorch_panic_is_shortened_to_its_message() {
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
    fn a_missing_device_is_explained_in_one_sentence() {
        let raw = "called `Result::unwrap()` on an `Err` value: Torch(\"Could not run 'aten::empty' with arguments \
                   from the 'CUDA' backend. This could be because the operator doesn't exist for this backend, or \
                   was omitted. [CPU, Meta].\\n\\nCPU: registered at RegisterCPU.cpp\\nException raised from x\")";
        let short = shorten(raw);
        assert!(
            short.contains("from the 'CUDA' backend. This device is not available: `device()` returns"),
            "{short}"
        );
        assert!(!short.contains("registered") && !short.contains("Meta"), "{short}");
    }

    #[test]
    fn any_other_panic_keeps_its_message() {
        assert_eq!(shorten("index out of bounds"), "the cell panicked: index out of bounds");
    }

    #[test]
    fn a_caught_panic_returns_its_message() {
        assert_eq!(caught(|| 1 + 1), Ok(2));
        assert_eq!(caught(|| panic!("seven {}", 7)), Err::<(), _>("seven 7".to_owned()));
        let wrong = || tch::Tensor::from_slice(&[1.0, 2.0]).view([3]);
        assert_eq!(caught(wrong).unwrap_err(), "libtorch says: shape '[3]' is invalid for input of size 2");
    }
}
