"""The kernel "Rust (nchw)" and a Jupyter that comes, asks and leaves as it likes."""

import contextlib
import re
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path
from types import SimpleNamespace

import psutil
import zmq
from jupyter_client.manager import KernelManager

import kernel_probe
import kernels

ROOT = Path(__file__).resolve().parents[3]
# Seconds until the kernel must answer, and until what it started must be gone.
LIMIT, GONE_LIMIT = 120, 10


@contextlib.contextmanager
def a_kernel(folder=ROOT / "notebooks", home=None):
    manager = KernelManager(kernel_name="nchw")
    if home:
        manager.kernel_spec.env["NCHW_KERNEL"] = home
    manager.start_kernel(cwd=folder)
    group = kernels.group_of(manager)
    try:
        yield manager
    finally:
        if manager.has_kernel:
            manager.shutdown_kernel(now=True)
        kernels.kill_group(group)


def working_folder(manager):
    return Path(psutil.Process(manager.provisioner.pid).environ()["EVCXR_TMPDIR"])


def packages(folder):
    """The packages from the registry in a lock file, each with its version."""
    lock = (folder / "Cargo.lock").read_text(encoding="utf-8")
    return set(re.findall(r'name = "(.*)"\nversion = "(.*)"\nsource', lock))


def ask_and_leave(manager):
    """As JupyterLab does it: asks on two connections until there is one answer, and hangs up on all the others."""
    channels, answers, end = [manager.connect_shell(), manager.connect_control()], zmq.Poller(), time.monotonic() + LIMIT
    for channel in channels:
        answers.register(channel, zmq.POLLIN)
    while time.monotonic() < end:
        for channel in channels:
            manager.session.send(channel, "kernel_info_request")
        if answers.poll(50):
            break
    for channel in channels:
        channel.close(0)


def printed(manager, code):
    client, out = manager.client(), []
    client.start_channels()
    try:
        client.wait_for_ready(timeout=LIMIT)
        client.execute_interactive(code, timeout=LIMIT, output_hook=lambda m: out.append(m["content"].get("text", "")))
    finally:
        client.stop_channels()
    return "".join(out).strip()


def resident(manager):
    """MiB that evcxr and what runs the cells have in memory, their shared pages twice."""
    evcxr = psutil.Process(manager.provisioner.pid)
    return sum(process.memory_info().rss for process in [evcxr, *evcxr.children(recursive=True)]) / 2**20


class CellTest(unittest.TestCase):
    """Cells of one kernel, one after the other, as a learner types them."""

    @classmethod
    def setUpClass(cls):
        cls.manager = cls.enterClassContext(a_kernel())
        cls.client = cls.manager.client()
        cls.client.start_channels()
        cls.addClassCleanup(cls.client.stop_channels)
        cls.client.wait_for_ready(timeout=LIMIT)

    def setUp(self):
        # With something of the crate in it: an earlier test may have ended the process that had loaded it.
        self.assertEqual(self.cell(f"{kernel_probe.FIRST}\nlet _ = nchw::warm_up();"), self.came())

    @staticmethod
    def came(stdout="", stderr="", value=None, errors=()):
        return SimpleNamespace(stdout=stdout, stderr=stderr, value=value, errors=list(errors))

    def cell(self, code, interrupt=None, answer=None):
        """What comes of a cell, with the reply that the learner gives when asked."""
        came = self.came()

        def hook(message):
            kind, content = message["msg_type"], message["content"]
            if kind == "stream":
                setattr(came, content["name"], getattr(came, content["name"]) + content["text"])
            elif kind == "error":
                came.errors.append(re.sub(r"\x1b\[[0-9;]*m", "", content["evalue"]))
            elif kind == "execute_result":
                # A figure by the names of its formats.
                data = content["data"]
                came.value = data["text/plain"] if list(data) == ["text/plain"] else sorted(data)

        timer = threading.Timer(interrupt or 0, self.manager.interrupt_kernel)
        if interrupt:
            timer.start()
        self.client.execute_interactive(code, timeout=LIMIT, output_hook=hook, allow_stdin=answer is not None,
                                        stdin_hook=lambda message: self.client.input(answer))
        return came

    def test_an_unfinished_line_does_not_hide_an_error(self):
        self.cell("let kept = 7;")
        failing = [
            ('print!("a = "); let a: i32 = "x".parse()?;', "a = \n", "invalid digit found in string\n"),
            ('print!("b = "); let b: i32 = Option::<i32>::None.expect("no b");', "b = \n", "the cell panicked: no b\n"),
        ]
        for code, stdout, stderr in failing:
            self.assertEqual(self.cell(code), self.came(stdout, stderr))
            self.assertEqual(self.cell("kept"), self.came(value="7"))

    def test_a_thread_that_prints_dots_does_not_hide_an_error(self):
        dots = 'std::thread::spawn(|| for _ in 0..300 { print!("."); std::thread::sleep(std::time::Duration::from_millis(10)); })'
        self.cell(f"let kept = 8; let dots = {dots};")
        came = self.cell('let c: i32 = "x".parse()?;')
        self.assertIn("invalid digit", came.stderr)
        self.assertIn(".", came.stdout)
        self.assertEqual(set(came.stdout), {".", "\n"})
        self.assertEqual(self.cell("kept").value, "8")
        self.assertEqual(self.cell("dots.join().is_ok()").value, "true")

    def test_what_is_printed_without_a_line_break_is_shown_before_the_value(self):
        self.assertEqual(self.cell('print!("half"); 42'), self.came("half\n", value="42"))
        self.assertEqual(self.cell('for i in 0..3 { print!("{i} "); }').stdout, "0 1 2 \n")
        figure = 'print!("mean: "); Matrix::from([[1, 2], [3, 4]]).figure("Four numbers")?'
        self.assertEqual(self.cell(figure), self.came("mean: \n", value=["image/png", "text/html", "text/plain"]))
        tensor = 'print!("mean: "); Tensor::from(2.5)'
        came = self.cell(tensor)
        self.assertEqual(came.stdout, "mean: \n")
        self.assertIn("2.5", came.value)

    def test_half_a_line_on_stderr_belongs_to_its_cell(self):
        self.assertEqual(self.cell('eprint!("half")').stderr, "half\n")
        self.assertEqual(self.cell("1 + 1"), self.came(value="2"))

    def test_bytes_that_are_not_utf_8_leave_the_cells_in_step(self):
        self.cell(r'use std::io::Write; std::io::stdout().write_all(b"a\xffb\n")?; std::io::stderr().write_all(b"c\xffd\n")?;')
        self.assertEqual(self.cell(r'std::io::stdout().write_all(b"a\xffb\n")?; std::io::stderr().write_all(b"c\xffd\n")?;'),
                         self.came("a\ufffdb\n", "c\ufffdd\n"))
        for number in range(3):
            self.assertEqual(self.cell(f'eprintln!("{number}"); {number}'), self.came("", f"{number}\n", str(number)))

    def test_a_cell_that_reads_a_line_gets_what_the_learner_types(self):
        reads = 'let mut line = String::new(); print!("Your name: "); std::io::stdin().read_line(&mut line)?; line.trim()'
        self.assertEqual(self.cell(reads, answer="Ada"), self.came("Your name: \n", value='"Ada"'))
        twice = ("let lines: Vec<String> = std::io::stdin().lines().take(2).collect::<Result<_, _>>()?; lines.len()")
        self.assertEqual(self.cell(twice, answer="Grace").value, "2")
        # Where nobody can be asked, it does not wait for ever.
        self.assertEqual(self.cell(reads).value, '""')
        self.assertEqual(self.cell("1 + 1"), self.came(value="2"))

    def test_a_failing_cell_shows_its_own_error_only(self):
        self.cell("macro_rules! unused_so_far { () => { 1 } }\nfn unused_parameter(x: i64) -> i64 { 1 }")
        self.assertEqual(self.cell('let n: i32 = "one";'), self.came(errors=["mismatched types"]))

    def test_a_loop_that_prints_without_end_is_cut_and_forgotten_when_it_is_interrupted(self):
        before = resident(self.manager)
        for body, seconds in [("println!", 5), ("eprintln!", 2), ("print!", 2)]:
            came = self.cell(f'loop {{ {body}("again and again"); }}', interrupt=seconds)
            said = "".join([came.stdout, came.stderr, *came.errors])
            self.assertIn("Subprocess terminated", said)
            self.assertLess(len(said), 50_000)
            if body != "print!":
                self.assertIn("printed more than 2,000 lines", said)
            start = time.monotonic()
            self.assertEqual(self.cell("1 + 1").value, "2")
            self.assertLess(time.monotonic() - start, 3)
            self.assertLess(resident(self.manager) - before, 100)
            self.setUp()

    def test_what_a_process_says_before_it_aborts_is_shown(self):
        for _ in range(3):
            came = self.cell('eprintln!("the reason"); std::process::abort();')
            self.assertIn("What ran the cells has ended", "".join([came.stdout, *came.errors]))
            self.assertEqual(came.stderr, "the reason\n")
            self.setUp()

    def test_cells_are_built_with_the_versions_of_the_course(self):
        used = packages(working_folder(self.manager))
        self.assertIn(("tch", "0.24.0"), used)
        self.assertEqual(used - packages(ROOT), set())

    def test_tab_completes_and_shift_tab_explains_all_that_the_prelude_gives(self):
        prelude = (ROOT / "crates/nchw/src/prelude.rs").read_text(encoding="utf-8")
        ours = re.search(r"pub use crate::\{(.*?)\n\};", prelude, re.DOTALL)[1]
        names = set(re.findall(r"\b(\w+)\b(?!::)", ours)) - {"self"}
        self.assertLessEqual({"Image", "LectureNet", "quiz_form", "see", "train"}, names)
        completed = self.client.complete("Image::op", reply=True, timeout=LIMIT)["content"]["matches"]
        self.assertTrue(any(match.startswith("open") for match in completed), completed)
        for name in sorted(names):
            shown = self.client.inspect(name, len(name), reply=True, timeout=LIMIT)["content"]
            # What it is, and the example of its docs.
            self.assertRegex(shown["data"].get("text/plain", ""), "(?s)nchw.*(use nchw|let |assert)", name)


class KernelTest(unittest.TestCase):
    def test_it_outlives_who_asks_and_leaves_before_the_answer(self):
        for _ in range(2):
            with a_kernel() as manager:
                ask_and_leave(manager)
                self.assertEqual(printed(manager, 'println!("{}", 1 + 1);'), "2")
                self.assertTrue(manager.is_alive())

    def test_the_first_cell_runs_in_any_folder_and_the_cells_work_there(self):
        with tempfile.TemporaryDirectory() as folder, a_kernel(folder) as manager:
            ask_and_leave(manager)
            where = 'println!("{}", std::env::current_dir()?.display());'
            self.assertEqual(printed(manager, f"{kernel_probe.FIRST}\n{where}"), str(Path(folder).resolve()))

    def test_the_versions_of_the_course_are_there_before_the_crate_is_built(self):
        # As after a change of the crate: the kernel starts without it.
        kernel = ROOT / ".nchw/kernel"
        with tempfile.TemporaryDirectory(prefix="nchw-") as home:
            for part in kernel.iterdir():
                if part.name not in ("built", "build", "slots"):
                    (Path(home) / part.name).symlink_to(part)
            with a_kernel(home=home) as manager:
                self.assertEqual(printed(manager, 'println!("{}", 1 + 1);'), "2")
                self.assertEqual(packages(working_folder(manager)), set(), "removed by cargo as not needed")
            with a_kernel(home=home) as manager:
                printed(manager, ":version")
                self.assertEqual(packages(working_folder(manager)), packages(ROOT))

    def test_nothing_is_left_of_it_when_it_was_shut_down_or_killed(self):
        for now in (False, True):
            with a_kernel() as manager:
                printed(manager, "1 + 1")
                family = psutil.Process(manager.provisioner.pid).children(recursive=True)
                self.assertTrue(any("--relay" in kernels.command_of(process) for process in family), "the relay is among them")
                manager.shutdown_kernel(now=now)
                _, alive = psutil.wait_procs(family, GONE_LIMIT)
                # What runs the cells may still be in one when evcxr is killed.
                self.assertEqual([p for p in alive if "--relay" in kernels.command_of(p) or not now], [])

    def test_the_probe_does_not_wait_for_a_kernel_that_died(self):
        # Nor where nobody reads what it says any more: set-up was killed.
        waits = ("import kernel_probe, threading, time; from types import SimpleNamespace as Of\n"
                 "dead = Of(provisioner=Of(process=Of(poll=lambda: 9)))\n"
                 "threading.Thread(target=kernel_probe.watch, args=(dead, None, threading.Event())).start()\n"
                 f"time.sleep({LIMIT})")
        for read in (True, False):
            probe = subprocess.Popen([sys.executable, "-c", waits], cwd=Path(__file__).parent, text=True,
                                     stderr=subprocess.PIPE)
            if not read:
                probe.stderr.close()
            self.assertEqual(probe.wait(GONE_LIMIT), 1)
            if read:
                self.assertEqual(probe.stderr.read().strip(), "the kernel died")
                probe.stderr.close()


if __name__ == "__main__":
    unittest.main()
