"""The kernel "Rust (nchw)": cells, clients that do not wait for an answer, and what remains after its end."""

import contextlib
import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
import time
import tomllib
import unittest
from pathlib import Path
from typing import NamedTuple

import psutil
import zmq
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import KernelManager

from common import FIRST_CELL, ROOT, free_port
from kernel import Kernel, Output, Toolchain, command_line, family

# Seconds until the kernel must answer, and until its processes must end.
LIMIT, END_LIMIT = 120, 10


class Shown(NamedTuple):
    """What a notebook shows of a cell's output. A figure's value is the names of its formats."""

    stdout: str = ""
    stderr: str = ""
    value: str | list[str] | None = None
    errors: list[str] = []


def compiled_from(lists):
    """What rustc noted in its lists of dependencies: the files, relative to the clone, and the variables.

    Another clone may have compiled them, in the working folder of a kernel, where `crates` is a link.
    """
    files, variables = set(), set()
    for path in lists:
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("# env-dep:"):
                variables.add(line.removeprefix("# env-dep:").partition("=")[0])
            elif ": " in line:
                words = re.split(r"(?<!\\) ", line.partition(": ")[2])
                starts = [word.rfind("crates/") for word in words]
                files.update(os.path.normpath(word[max(start, 0):]) for word, start in zip(words, starts, strict=True) if word)
    return files, variables


def start_kernel(folder=ROOT / "notebooks", home=None):
    manager = KernelManager(kernel_name="nchw")
    if home:
        manager.kernel_spec.env["NCHW_KERNEL"] = home
    return Kernel(manager=manager, folder=folder, timeout=LIMIT)


def working_folder(kernel):
    return Path(kernel.processes[0].environ()["EVCXR_TMPDIR"])


def packages(folder):
    """The packages from the registry in a lock file, each with its version."""
    lock = tomllib.loads((folder / "Cargo.lock").read_text(encoding="utf-8"))
    return {(package["name"], package["version"]) for package in lock["package"] if "source" in package}


def ask_and_leave(manager):
    """Asks on two connections until one answer arrives, then closes them and ignores the others, as JupyterLab does."""
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


def resident(kernel):
    """MiB of memory of the kernel's processes; shared pages count in each of them."""
    return sum(process.memory_info().rss for process in kernel.processes) / 2**20


class SharedTest(unittest.TestCase):
    """What another clone copies must depend only on what its hash contains."""

    def test_the_hash_of_the_compiled_crates_contains_every_file_and_no_folder_is_compiled_in(self):
        code = (ROOT / "crates/xtask/src/kernel/fresh.rs").read_text(encoding="utf-8")
        parts, others = (re.findall(r'"([^"]+)"', re.search(rf"let {name} = (\[.*?\])", code, re.DOTALL)[1])
                         for name in ["parts", "others"])
        crates = [*re.findall(r'"(\w+)"', re.search(r"CRATES.*= (\[.*\])", code)[1]), "program"]
        known = {*others, *(f"crates/{name}/{part}" for name in crates for part in parts)}
        lists = [*ROOT.glob(".nchw/kernel/build/*/debug/deps/nchw*.d"),
                 *ROOT.glob(".nchw/target/*/debug/nchw.d"), *ROOT.glob(".nchw/target/*/debug/nchw-torch.d")]
        self.assertEqual(len(lists), 7, "five crates and two programs")
        files, variables = compiled_from(lists)
        self.assertGreater(len(files), 300)
        missing = {file for file in files if not any(file == one or file.startswith(f"{one}/") for one in known)}
        self.assertEqual(missing, set())
        self.assertEqual(variables, {"CARGO_PKG_VERSION"})


class CellTest(unittest.TestCase):
    """Cells in one kernel, one after another, as a learner runs them."""

    @classmethod
    def setUpClass(cls):
        cls.kernel = cls.enterClassContext(start_kernel())

    def setUp(self):
        # Uses the crate, because an earlier test may have ended the process that had loaded it.
        self.assertEqual(self.cell(f"{FIRST_CELL}\nlet _ = nchw::warm_up();"), Shown())

    def cell(self, code, **options):
        output = self.kernel.run(code, **options)
        value = None
        for data in output.results:
            value = data["text/plain"] if list(data) == ["text/plain"] else sorted(data)
        return Shown(output.stdout, output.stderr, value, output.errors)

    def test_an_unfinished_line_does_not_hide_an_error(self):
        self.cell("let kept = 7;")
        failing = [
            ('print!("a = "); let a: i32 = "x".parse()?;', "a = \n", "invalid digit found in string\n"),
            ('print!("b = "); let b: i32 = Option::<i32>::None.expect("no b");', "b = \n", "the cell panicked: no b\n"),
        ]
        for code, stdout, stderr in failing:
            self.assertEqual(self.cell(code), Shown(stdout, stderr))
            self.assertEqual(self.cell("kept"), Shown(value="7"))

    def test_a_wrong_argument_for_the_learner_s_own_function_is_explained(self):
        self.cell("fn half(x: f32) -> f32 { x / 2.0 }")
        for code, expected in [("half(3)", "mismatched types"), ("half()", "argument")]:
            output = self.cell(code)
            self.assertIn(expected, "".join(output.errors), code)

    def test_a_thread_that_prints_dots_does_not_hide_an_error(self):
        dots = 'std::thread::spawn(|| for _ in 0..300 { print!("."); std::thread::sleep(std::time::Duration::from_millis(10)); })'
        self.cell(f"let kept = 8; let dots = {dots};")
        output = self.cell('let c: i32 = "x".parse()?;')
        self.assertIn("invalid digit", output.stderr)
        self.assertIn(".", output.stdout)
        self.assertEqual(set(output.stdout), {".", "\n"})
        self.assertEqual(self.cell("kept").value, "8")
        self.assertEqual(self.cell("dots.join().is_ok()").value, "true")

    def test_what_is_printed_without_a_line_break_is_shown_before_the_value(self):
        self.assertEqual(self.cell('print!("half"); 42'), Shown("half\n", value="42"))
        self.assertEqual(self.cell('for i in 0..3 { print!("{i} "); }').stdout, "0 1 2 \n")
        figure = 'print!("mean: "); Matrix::from([[1, 2], [3, 4]]).figure("Four numbers")?'
        self.assertEqual(self.cell(figure), Shown("mean: \n", value=["image/png", "text/html", "text/plain"]))
        tensor = 'print!("mean: "); Tensor::from(2.5)'
        output = self.cell(tensor)
        self.assertEqual(output.stdout, "mean: \n")
        self.assertIn("2.5", output.value)

    def test_an_unfinished_line_on_stderr_belongs_to_its_cell(self):
        self.assertEqual(self.cell('eprint!("half")').stderr, "half\n")
        self.assertEqual(self.cell("1 + 1"), Shown(value="2"))

    def test_bytes_that_are_not_utf_8_do_not_disturb_the_next_cells(self):
        self.cell(r'use std::io::Write; std::io::stdout().write_all(b"a\xffb\n")?; std::io::stderr().write_all(b"c\xffd\n")?;')
        self.assertEqual(self.cell(r'std::io::stdout().write_all(b"a\xffb\n")?; std::io::stderr().write_all(b"c\xffd\n")?;'),
                         Shown("a\ufffdb\n", "c\ufffdd\n"))
        for number in range(3):
            self.assertEqual(self.cell(f'eprintln!("{number}"); {number}'), Shown("", f"{number}\n", str(number)))

    def test_a_cell_reads_what_the_learner_types(self):
        reads = 'let mut line = String::new(); print!("Your name: "); std::io::stdin().read_line(&mut line)?; line.trim()'
        self.assertEqual(self.cell(reads, answer="Ada"), Shown("Your name: \n", value='"Ada"'))
        twice = ("let lines: Vec<String> = std::io::stdin().lines().take(2).collect::<Result<_, _>>()?; lines.len()")
        self.assertEqual(self.cell(twice, answer="Grace").value, "2")
        # If nobody can answer, the cell does not wait for ever.
        self.assertEqual(self.cell(reads).value, '""')
        self.assertEqual(self.cell("1 + 1"), Shown(value="2"))

    def test_a_failing_cell_shows_its_own_error_only(self):
        self.cell("macro_rules! unused_so_far { () => { 1 } }\nfn unused_parameter(x: i64) -> i64 { 1 }")
        self.assertEqual(self.cell('let n: i32 = "one";'), Shown(errors=["mismatched types"]))

    def test_the_output_of_an_endless_loop_is_limited_and_the_loop_can_be_interrupted(self):
        before = resident(self.kernel)
        for body, seconds in [("println!", 5), ("eprintln!", 2), ("print!", 2)]:
            code = f'println!("begun"); loop {{ {body}("again and again"); }}'
            output = self.cell(code, interrupt_after=seconds, from_output=True)
            text = "".join([output.stdout, output.stderr, *output.errors])
            self.assertIn("Subprocess terminated", text)
            self.assertLess(len(text), 50_000)
            if body != "print!":
                self.assertIn("printed more than 2,000 lines", text)
            start = time.monotonic()
            self.assertEqual(self.cell("1 + 1").value, "2")
            # At once, and not after all that the loop printed; with much room for a busy machine.
            self.assertLess(time.monotonic() - start, 20)
            self.assertLess(resident(self.kernel) - before, 100)
            self.setUp()

    def test_the_last_output_before_an_abort_is_shown(self):
        for _ in range(3):
            output = self.cell('eprintln!("the reason"); std::process::abort();')
            self.assertIn("The process that ran the cells has ended", "".join([output.stdout, *output.errors]))
            self.assertEqual(output.stderr, "the reason\n")
            self.setUp()

    def test_cells_are_built_with_the_versions_of_the_course(self):
        used = packages(working_folder(self.kernel))
        self.assertIn(("tch", "0.24.0"), used)
        self.assertEqual(used - packages(ROOT), set())

    def test_tab_completes_and_shift_tab_explains_every_item_of_the_prelude(self):
        prelude = (ROOT / "crates/nchw/src/prelude.rs").read_text(encoding="utf-8")
        ours = re.search(r"pub use crate::\{(.*?)\n\};", prelude, re.DOTALL)[1]
        names = set(re.findall(r"\b(\w+)\b(?!::)", ours)) - {"self"}
        self.assertLessEqual({"Image", "LectureNet", "quiz_form", "see", "train"}, names)
        completed = self.kernel.client.complete("Image::op", reply=True, timeout=LIMIT)["content"]["matches"]
        self.assertTrue(any(match.startswith("open") for match in completed), completed)
        for name in sorted(names):
            shown = self.kernel.client.inspect(name, len(name), reply=True, timeout=LIMIT)["content"]
            # Its name and the example of its docs.
            self.assertRegex(shown["data"].get("text/plain", ""), "(?s)nchw.*(use nchw|let |assert)", name)

    def test_the_types_of_the_standard_library_are_known_and_explained(self):
        values = {
            "5_u32.pow(2)": "25", "1.0_f64.sqrt()": "1.0", "1_u32.to_be_bytes()": "[0, 0, 0, 1]", "i16::BITS": "16",
            "[3, 1].map(|x| x as f32)": "[3.0, 1.0]", "vec![1, 2].iter().map(|x| x * 2).collect::<Vec<i32>>()": "[2, 4]",
            "\"a b\".split(' ').map(String::from).collect::<Vec<_>>()": '["a", "b"]',
            "std::collections::BTreeMap::from([(1, 'a')])": "{1: 'a'}", "std::iter::repeat_n(1, 3).sum::<i32>()": "3",
            "std::rc::Rc::new(std::cell::RefCell::new(1)).borrow().clone()": "1", "std::num::NonZero::new(3_u8)": "Some(3)",
            "std::time::Duration::from_millis(3)": "3ms", "std::path::Path::new(\"a\").join(\"b\")": '"a/b"',
        }
        # A variable is kept for the next cell only if rust-analyzer knows its type.
        self.cell("".join(f"let v{i} = {value};\n" for i, value in enumerate(values)))
        for i, (value, expected) in enumerate(values.items()):
            self.assertEqual(self.cell(f"v{i}").value, expected, value)
        # Of an integer that only tch uses.
        self.cell("let stride = 2;\nlet map = Tensor::ones([1, 1, 5, 7], (Kind::Float, Device::Cpu)).max_pool2d(3, stride, 0, 1, false);")
        self.assertEqual([self.cell("map.size()").value, self.cell("stride").value], ["[1, 1, 2, 3]", "2"])
        for name, words in {"v5.push": "Appends an element", "v0.pow": "Raises self to the power", "Vec": "growable array"}.items():
            shown = self.kernel.client.inspect(name, len(name), reply=True, timeout=LIMIT)["content"]
            self.assertIn(words, shown["data"].get("text/plain", ""), name)


class CompilationTest(unittest.TestCase):
    """Which programs compile a cell."""

    def test_a_cell_that_was_compiled_before_is_not_compiled_again(self):
        """In every round the cells run in a new kernel. evcxr lists the variables in another order each time."""
        with tempfile.TemporaryDirectory(prefix="nchw-") as name:
            folder, data = Path(name), Path(name) / "data.txt"
            # The compiler has never seen these cells: it is a script in a new folder.
            kept = {
                "let a = Image::open(\"../datasets/photos/china.jpg\")?.grey();": "",
                "let b = vec![1u8, 2];\nlet c = Some(2.5f64);": "",
                "(b.len(), c)": "(2, Some(2.5))",
                "let d = a.width();": "",
                "d": "640",
                'if b.len() == 2 { panic!("on purpose") }': "on purpose",
            }
            # Not kept: what an error says about a line, and what else a cell reads.
            others = {"b.wrong()": "no method named `wrong`", f'include_str!("{data}").len()': "{0}"}
            for number in range(3):
                data.write_text("x" * number, encoding="utf-8")
                manager = KernelManager(kernel_name="nchw")
                toolchain = Toolchain(manager, folder)
                with Kernel(manager=manager, folder=ROOT / "notebooks", timeout=LIMIT) as kernel:
                    kernel.run(FIRST_CELL)
                    for code, expected in (kept | others).items():
                        toolchain.calls()
                        self.assertIn(expected.format(number), kernel.run(code).text, code)
                        if code in kept:
                            called = [name for name, _, _ in toolchain.calls()]
                            self.assertEqual("rustc" in called, number == 0, f"round {number}: {code}: {called}")

    def test_cargo_compiles_a_cell_only_if_more_than_the_cell_has_changed_and_a_value_is_compiled_once(self):
        with tempfile.TemporaryDirectory(prefix="nchw-") as name:
            folder, manager = Path(name), KernelManager(kernel_name="nchw")
            toolchain = Toolchain(manager, folder)
            library = folder / "small"
            (library / "src").mkdir(parents=True)
            (library / "Cargo.toml").write_text('[package]\nname = "small"\nversion = "1.0.0"\n', encoding="utf-8")
            (library / "src/lib.rs").write_text("pub fn five() -> i64 { 5 }", encoding="utf-8")
            with Kernel(manager=manager, folder=ROOT / "notebooks", timeout=LIMIT) as kernel:
                def programs(code, expected):
                    toolchain.calls()
                    self.assertEqual(kernel.run(code).text, expected, code)
                    return [name for name, _, _ in toolchain.calls()]

                kernel.run(FIRST_CELL)
                once = ["cc", "rustc"]
                self.assertEqual(programs("let sizes = Tensor::zeros([2, 3], (Kind::Float, Device::Cpu)).size();", ""), once)
                for code, value in [("sizes", "[2, 3]"), ("sizes.len()", "2"), ('"a".to_string()', '"a"'),
                                    ("Some(1u8)", "Some(1)"), ("(1u8, 'x')", "(1, 'x')"), ("for _ in 0..2 {}", "")]:
                    self.assertEqual(programs(code, value), once, code)
                self.assertIn("mismatched types", kernel.run('let wrong: i64 = "text";').text)
                self.assertEqual(programs("sizes.len()", "2"), once, "after an error")
                # evcxr checks these, because it cannot find the type of a variable.
                for code, expected in [("let x = 10\nx", "expected `;`"), ("let twice = |x: f64| x * 2.0;", "cannot be persisted")]:
                    toolchain.calls()
                    self.assertIn(expected, kernel.run(code).text)
                    self.assertNotIn("cargo", [name for name, _, _ in toolchain.calls()], code)
                kernel.run("#[derive(Debug)] struct Dog { age: u32 }\nlet dog = Dog { age: 3 };")
                self.assertIn("cargo", programs(':dep anyhow = "1"\nanyhow::Ok(5i64)?', "5"))
                self.assertEqual(programs("anyhow::Ok(6i64)?", "6"), once)
                # The learner may edit a crate of their own.
                self.assertIn("cargo", programs(f':dep small = {{ path = "{library}" }}\nsmall::five()', "5"))
                time.sleep(1)
                (library / "src/lib.rs").write_text("pub fn five() -> i64 { 6 - 1 + 10 }", encoding="utf-8")
                self.assertIn("cargo", programs("small::five() + 1i64", "16"))
                self.assertEqual(kernel.run("dog").text, "Dog { age: 3 }", "the same type as before")
                # It may use the course's crates.
                manifest = f'[package]\nname = "small"\nedition = "2024"\n\n[dependencies]\nnchw = {{ path = "{ROOT}/crates/nchw" }}\n'
                code = "pub fn five() -> i64 { 5 }\npub fn shape(x: &nchw::prelude::Tensor) -> Vec<i64> { x.size() }"
                (library / "Cargo.toml").write_text(manifest, encoding="utf-8")
                (library / "src/lib.rs").write_text(code, encoding="utf-8")
                self.assertEqual(kernel.run("small::shape(&Tensor::zeros([2, 3], (Kind::Float, Device::Cpu)))").text, "[2, 3]")
                # A mistake in it is shown with its place.
                (library / "src/lib.rs").write_text(code.replace("5 }", '"5" }'), encoding="utf-8")
                shown = kernel.run("small::five()").complaint
                self.assertIn(f"{(library / 'src/lib.rs').resolve()}:1:24", shown)
                self.assertIn("expected `i64`, found `&str`", shown)
                (library / "src/lib.rs").write_text(code, encoding="utf-8")
                self.assertEqual(kernel.run("small::five() + 1").text, "6")
                used = packages(working_folder(kernel))
                kernel.run(":clear")
                self.assertEqual(kernel.run("1 + 1").text, "2")
                self.assertEqual(packages(working_folder(kernel)), used, "no cell needs them now, but the next first cell will")


class RawTest(unittest.TestCase):
    """The kernel as VS Code runs it: it reads kernel.json, starts the program as its own child, and speaks over zeromq.

    There is no kernel manager, no provisioner and no process group, and the connection file has no session.
    """

    @contextlib.contextmanager
    def client(self):
        """Starts a kernel; yields its process and a client that is connected to it."""
        spec = json.loads((ROOT / ".venv/share/jupyter/kernels/nchw/kernel.json").read_text(encoding="utf-8"))
        ports = {f"{name}_port": free_port() for name in ("hb", "control", "shell", "stdin", "iopub")}
        connection = {"transport": "tcp", "ip": "127.0.0.1", "signature_scheme": "hmac-sha256", "key": secrets.token_hex(16),
                      "kernel_name": "nchw", **ports}
        environment = {name: value for name, value in os.environ.items() if not name.startswith("JUPYTER")} | spec["env"]
        with tempfile.TemporaryDirectory(prefix="nchw with a space ") as folder:
            file = Path(folder) / "kernel-v3.json"
            file.write_text(json.dumps(connection), encoding="utf-8")
            argv = [argument.replace("{connection_file}", str(file)) for argument in spec["argv"]]
            with (Path(folder) / "log").open("w") as log:
                process = subprocess.Popen(argv, cwd=ROOT / "notebooks", env=environment, stdin=subprocess.DEVNULL,
                                           stdout=log, stderr=log)
            client = BlockingKernelClient()
            try:
                client.load_connection_info(connection)
                # On a busy machine, the heartbeat of a second would be missed; VS Code has none.
                client.start_channels(hb=False)
                client.wait_for_ready(timeout=LIMIT)
                yield process, client
            finally:
                client.stop_channels()
                for one in family(process.pid) if process.poll() is None else []:
                    one.kill()
                process.wait()

    def run_cell(self, client, code, then=None, answer=None):
        """The cell's output; after its first message, calls `then`."""
        output, actions = Output(), [then] if then else []

        def hook(message):
            output.add(message, 0)
            if message["msg_type"] == "stream" and actions:
                actions.pop()()

        client.execute_interactive(code, timeout=LIMIT, output_hook=hook, allow_stdin=answer is not None,
                                   stdin_hook=lambda _: client.input(answer))
        return output

    def test_a_notebook_runs_and_the_kernel_ends_when_it_is_asked_to(self):
        with self.client() as (process, client):
            info = client.kernel_info(reply=True, timeout=LIMIT)["content"]
            self.assertEqual(info["language_info"]["file_extension"], ".rs")
            self.assertEqual(self.run_cell(client, FIRST_CELL).text, "")
            self.assertEqual(self.run_cell(client, "6 * 7").text, "42")
            photo = self.run_cell(client, 'let photo = Image::open("../datasets/photos/china.jpg")?;\nphoto')
            self.assertIn("image/png", photo.results[0])
            self.assertIn("is invalid for input of size 6",
                          self.run_cell(client, "let wrong = Tensor::from_slice(&[1, 2, 3, 4, 5, 6]).view([4, 2]);").stderr)
            self.assertEqual(self.run_cell(client, 'let wrong: i64 = "text";').errors, ["mismatched types"])
            reads = "let mut line = String::new(); std::io::stdin().read_line(&mut line)?; line.trim()"
            self.assertEqual(self.run_cell(client, reads, answer="Ada").results[-1]["text/plain"], '"Ada"')
            matches = client.complete("Image::op", reply=True, timeout=LIMIT)["content"]["matches"]
            self.assertTrue(any(match.startswith("open") for match in matches), matches)
            # kernel.json asks for a message, not for a signal.
            interrupt = lambda: client.session.send(client.control_channel.socket, "interrupt_request", {})
            loop = self.run_cell(client, 'println!("begun"); loop { std::thread::yield_now(); }', then=interrupt)
            self.assertIn("Subprocess terminated", loop.text)
            self.assertEqual(self.run_cell(client, "1 + 1").text, "2")
            children = family(process.pid)[1:]
            client.shutdown(reply=False)
            self.assertEqual(process.wait(END_LIMIT), 0)
            self.assertEqual(psutil.wait_procs(children, END_LIMIT)[1], [])

    def test_no_process_remains_when_the_client_ends_the_kernel(self):
        with self.client() as (process, client):
            self.run_cell(client, "1 + 1")
            children = family(process.pid)[1:]
            self.assertTrue(children)
            process.terminate()
            process.wait(END_LIMIT)
            self.assertEqual(psutil.wait_procs(children, END_LIMIT)[1], [])


class KernelTest(unittest.TestCase):
    def test_a_client_that_leaves_before_the_answer_does_no_harm(self):
        for _ in range(2):
            with start_kernel() as kernel:
                ask_and_leave(kernel.manager)
                self.assertEqual(kernel.run("1 + 1").text, "2")
                self.assertTrue(kernel.manager.is_alive())

    def test_the_cells_run_in_the_folder_of_the_notebook(self):
        with tempfile.TemporaryDirectory() as folder, start_kernel(folder) as kernel:
            ask_and_leave(kernel.manager)
            output = kernel.run(f'{FIRST_CELL}\nprintln!("{{}}", std::env::current_dir()?.display());')
            self.assertEqual(output.text, f"{Path(folder).resolve()}\n")

    def test_the_lock_file_is_used_before_the_crate_is_built(self):
        # As after a change of the crate: the kernel starts without the crate.
        with tempfile.TemporaryDirectory(prefix="nchw-") as home:
            for part in (ROOT / ".nchw/kernel").iterdir():
                if part.name not in ("built", "build", "slots"):
                    (Path(home) / part.name).symlink_to(part)
            with start_kernel(home=home) as kernel:
                self.assertEqual(kernel.run("1 + 1").text, "2")
                self.assertEqual(packages(working_folder(kernel)), packages(ROOT), "although no cell needs them yet")

    def test_no_process_remains_after_a_shut_down_or_a_kill(self):
        for now in (False, True):
            with start_kernel() as kernel:
                kernel.run("1 + 1")
                children = kernel.processes[1:]
                self.assertTrue(any("--relay" in command_line(process) for process in children), "the relay is among them")
                kernel.manager.shutdown_kernel(now=now)
                _, alive = psutil.wait_procs(children, END_LIMIT)
                # If evcxr is killed, the process that runs the cells may still be in one.
                self.assertEqual([p for p in alive if "--relay" in command_line(p) or not now], [])

    def test_the_probe_ends_when_the_kernel_dies(self):
        # Also if no process reads its stderr any more, because set-up was killed.
        code = ("import kernel_probe, threading, time; from types import SimpleNamespace as Of\n"
                 "dead = Of(provisioner=Of(process=Of(poll=lambda: 9)))\n"
                 "threading.Thread(target=kernel_probe.watch, args=(dead, None, threading.Event())).start()\n"
                 f"time.sleep({LIMIT})")
        for read in (True, False):
            probe = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[1], encoding="utf-8",
                                     stderr=subprocess.PIPE)
            if not read:
                probe.stderr.close()
            self.assertEqual(probe.wait(END_LIMIT), 1)
            if read:
                self.assertEqual(probe.stderr.read().strip(), "the kernel died")
                probe.stderr.close()
