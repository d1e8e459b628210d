"""What the scripts leave behind, overwrite, and skip."""

import contextlib
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
import unittest
from pathlib import Path
from unittest import mock

import generated
import mistakes
import notebooks
import unit_tests
import updates
from common import (FIRST_CELL, MARK, ROOT, Failure, listed_processes, marked_environment, marked_processes, run_command,
                    temporary_progress)

SCRIPTS = ROOT / "crates/xtask/python"


def scripts():
    """The names and texts of all scripts except this one."""
    for path in SCRIPTS.rglob("*.py"):
        if path != Path(__file__).resolve():
            yield path.relative_to(SCRIPTS), path.read_text(encoding="utf-8")


class UpdateTest(unittest.TestCase):
    def test_what_the_readme_says_if_git_refuses_keeps_every_changed_notebook(self):
        readme = (ROOT / "README.md").read_text(encoding="utf-8")
        for command in updates.KEEP.split(" && "):
            self.assertIn(f"`{command}`", readme)
        with tempfile.TemporaryDirectory() as name:
            course, folder = Path(name) / "course", Path(name) / "my clone"
            git = ["git", "-C", course, "-c", "user.name=a", "-c", "user.email=a@b"]
            (course / "notebooks").mkdir(parents=True)
            folder.mkdir()
            subprocess.run(["git", "init", "--quiet", "--initial-branch", "main", course], check=True)
            for version in "12":
                for notebook in updates.PUBLISHED:
                    (course / "notebooks" / notebook).write_text(f'{{"cells": [], "version": {version}}}', encoding="utf-8")
                subprocess.run([*git, "add", "."], check=True)
                subprocess.run([*git, "commit", "--quiet", "-m", version], check=True)
            with mock.patch.object(updates, "ROOT", course):
                clone = updates.Clone(folder, os.environ, "main~1")
            for notebook in updates.PUBLISHED:
                updates.write_own_text(folder / "notebooks" / notebook)
            updates.pull(clone)
            for notebook in updates.PUBLISHED:
                self.assertIn('"version": 2', (folder / "notebooks" / notebook).read_text(encoding="utf-8"))
                self.assertIn("My own text.", (folder / "my-notebooks/old" / notebook).read_text(encoding="utf-8"))


class MarkTest(unittest.TestCase):
    @unittest.skipUnless(shutil.which("ps"), "ps is not installed")
    def test_marked_processes_are_found_with_and_without_proc(self):
        with marked_environment() as environment:
            mark = f"{MARK}={environment[MARK]}".encode()
            with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env=environment) as marked:
                self.assertEqual((marked_processes(environment), listed_processes(mark)), ([marked.pid], [marked.pid]))
            self.assertEqual((marked_processes(environment), listed_processes(mark)), ([], []))


class TemporaryTest(unittest.TestCase):
    def setUp(self):
        self.temporary = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.enterContext(mock.patch.object(tempfile, "tempdir", str(self.temporary)))

    def left(self):
        return sorted(path.name for path in self.temporary.iterdir())

    def test_the_notebook_runner_always_removes_its_files(self):
        notebook = notebooks.build("```rust\n1 + 1\n```\n", "x")
        for end in (RuntimeError("no kernel"), KeyboardInterrupt(), SystemExit(143), OSError("a full disk")):
            with mock.patch.object(notebooks, "NotebookClient") as client:
                client.return_value.setup_kernel.side_effect = end
                with self.assertRaises((Failure, type(end))):
                    notebooks.run(notebook, self.temporary)
            self.assertEqual(self.left(), [], repr(end))

    def test_the_mistakes_always_remove_their_files(self):
        for end in (None, KeyboardInterrupt(), OSError("a full disk")):
            with mock.patch.object(mistakes, "Kernel"), \
                    mock.patch.object(mistakes, "perform", side_effect=end, return_value=("a message", None)):
                with contextlib.suppress(KeyboardInterrupt, OSError):
                    mistakes.perform_all([{"title": "one"}], self.temporary)
            self.assertEqual(self.left(), [], repr(end))

    def test_cells_do_not_touch_the_authors_quiz_answers(self):
        with mock.patch.dict(os.environ, NCHW_PROGRESS="the author's"):
            with temporary_progress() as folder:
                self.assertEqual(os.environ["NCHW_PROGRESS"], str(folder / "progress.json"))
            self.assertEqual(os.environ["NCHW_PROGRESS"], "the author's")

    def test_a_script_that_is_ended_by_a_signal_removes_its_files(self):
        code = ("import common, time\nwith common.temporary_progress():\n    print('ready', flush=True)\n    time.sleep(60)")
        for number in (signal.SIGTERM, signal.SIGINT):
            script = subprocess.Popen([sys.executable, "-c", code], cwd=SCRIPTS, stdout=subprocess.PIPE,
                                      stderr=subprocess.DEVNULL, env=os.environ | {"TMPDIR": str(self.temporary)},
                                      preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
            self.assertEqual(script.stdout.readline(), b"ready\n")
            script.send_signal(number)
            self.assertNotEqual(script.wait(20), 0)
            script.stdout.close()
            self.assertEqual(self.left(), [], number)

    def test_temporary_folders_remove_themselves(self):
        for name, text in scripts():
            self.assertIsNone(re.search(r"mkdtemp|mkstemp|delete=False", text), f"{name}: use TemporaryDirectory")


class OutputTest(unittest.TestCase):
    def test_bytes_that_are_not_utf8_are_replaced(self):
        command = ["sh", "-c", r"printf '\277\300: fatal\n' >&2; exit 3"]
        self.assertEqual(run_command(command), (3, "\ufffd\ufffd: fatal\n"))

    def test_a_background_process_is_not_waited_for(self):
        start = time.monotonic()
        self.assertEqual(run_command(["sh", "-c", "sleep 20 & echo out"]), (0, "out\n"))
        self.assertLess(time.monotonic() - start, 10)

    def test_every_text_file_has_an_encoding(self):
        missing = re.compile(r"\.read_text\((?!encoding)|\btext=True|\.decode\(\)|write_text\((?!.*encoding)")
        for name, text in scripts():
            for number, line in enumerate(text.splitlines(), 1):
                self.assertIsNone(missing.search(line), f"{name}:{number}: {line.strip()}")


class GeneratedTest(unittest.TestCase):
    def setUp(self):
        self.root = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.file = self.root / "notebooks/a.ipynb"

    def git(self, *arguments):
        who = ["-c", "user.name=n", "-c", "user.email=e", "-c", "init.defaultBranch=main"]
        subprocess.run(["git", *who, *arguments], cwd=self.root, check=True, capture_output=True)

    def edit(self, text):
        self.file.parent.mkdir(exist_ok=True)
        self.file.write_text(text, encoding="utf-8")

    def test_edits_are_never_overwritten(self):
        generated.require_unedited(self.root, self.file)
        self.edit("a learner's, and no git")
        with self.assertRaisesRegex(generated.Edited, r"notebooks/a.ipynb was edited.*mv notebooks/a.ipynb a-mine.ipynb"):
            generated.require_unedited(self.root, self.file)
        self.git("init", "--quiet")
        with self.assertRaises(generated.Edited):
            generated.require_unedited(self.root, self.file)
        self.git("add", "notebooks")
        self.git("commit", "--quiet", "-m", "as published")
        generated.require_unedited(self.root, self.file)
        self.edit("a learner's answer")
        with self.assertRaises(generated.Edited):
            generated.require_unedited(self.root, self.file)

    def test_a_generated_file_can_be_written_again(self):
        generated.write(self.root, self.file, "one\n")
        generated.write(self.root, self.root / "docs/b.md", "two\n")
        generated.require_unedited(self.root, self.file)
        self.edit("one\nand an answer\n")
        with self.assertRaises(generated.Edited):
            generated.require_unedited(self.root, self.file)
        with self.assertRaises(generated.Edited):
            generated.write(self.root, self.file, "edited while the command ran\n")
        self.assertEqual(self.file.read_text(encoding="utf-8"), "one\nand an answer\n")
        generated.require_unedited(self.root, self.root / "docs/b.md")
        self.assertEqual([path.name for path in self.file.parent.iterdir()], ["a.ipynb"], "no temporary file remains")

    def test_notebooks_and_mistakes_check_for_edits_before_they_run_anything(self):
        (self.root / "notebooks/src").mkdir(parents=True)
        (self.root / "docs").mkdir()
        source = f"```rust\n{FIRST_CELL}\n```\n"
        (self.root / "notebooks/src/a.md").write_text(source, encoding="utf-8")
        (self.root / "docs/mistakes.md").write_text("mine", encoding="utf-8")
        self.edit("mine")
        with mock.patch.object(notebooks, "run") as run, self.assertRaises(generated.Edited):
            notebooks.perform(self.root, "a", check=False)
        run.assert_not_called()
        with mock.patch.object(mistakes, "perform_all") as run, self.assertRaisesRegex(SystemExit, "was edited"):
            with mock.patch.object(mistakes, "ROOT", self.root), mock.patch.object(sys, "argv", ["mistakes.py"]):
                mistakes.main()
        run.assert_not_called()
        self.assertEqual(self.file.read_text(encoding="utf-8"), "mine")
        self.assertEqual((self.root / "docs/mistakes.md").read_text(encoding="utf-8"), "mine")


class MistakesTest(unittest.TestCase):
    """`mistakes.py` without a kernel; the messages are not compared."""

    def check(self, root):
        with mock.patch.object(mistakes, "Kernel"), mock.patch.object(mistakes, "perform", return_value=("x", None)), \
                mock.patch.object(mistakes, "ROOT", root), mock.patch.object(sys, "argv", ["mistakes.py", "--check"]), \
                contextlib.redirect_stdout(io.StringIO()) as out, self.assertRaises(SystemExit) as end:
            mistakes.main()
        return end.exception.code, out.getvalue()

    def test_a_stale_page_is_reported(self):
        status, output = self.check(ROOT)
        self.assertEqual(status, 0, output)
        first = tomllib.loads((SCRIPTS / "mistakes.toml").read_text(encoding="utf-8"))["mistake"][0]
        page = (ROOT / "docs/mistakes.md").read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            (root / "docs").mkdir()
            (root / "docs/mistakes.md").write_text(page.replace(first["why"], "Another reason."), encoding="utf-8")
            status, output = self.check(root)
        self.assertEqual(status, 1)
        self.assertIn("docs/mistakes.md differs", output)

    def test_a_page_with_a_failed_message_is_not_written(self):
        with tempfile.TemporaryDirectory() as folder, mock.patch.object(mistakes, "Kernel"), \
                mock.patch.object(mistakes, "perform", return_value=("too slow", "it is not the expected message")), \
                mock.patch.object(mistakes, "ROOT", Path(folder)), mock.patch.object(sys, "argv", ["mistakes.py"]), \
                contextlib.redirect_stdout(io.StringIO()) as out, self.assertRaises(SystemExit) as end:
            mistakes.main()
        self.assertEqual(end.exception.code, 1)
        self.assertIn("it is not the expected message", out.getvalue())
        self.assertIn("docs/mistakes.md was not rewritten", out.getvalue())


class SkipTest(unittest.TestCase):
    def test_skipped_unit_tests_are_recorded(self):
        module = ("import unittest\nclass T(unittest.TestCase):\n"
                  "    def test_runs(self): pass\n"
                  "    @unittest.skip('no tool')\n    def test_skipped(self): pass\n")
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "test_of_this_test.py").write_text(module, encoding="utf-8")
            skips = Path(folder) / "skips"
            with mock.patch.dict(os.environ, NCHW_SKIPS=str(skips)), mock.patch.object(sys, "path", [folder, *sys.path]), \
                    mock.patch.object(sys, "argv", ["unit_tests.py", "test_of_this_test"]), \
                    contextlib.redirect_stderr(io.StringIO()), self.assertRaises(SystemExit) as end:
                unit_tests.main()
            self.assertEqual(end.exception.code, 0)
            self.assertEqual(skips.read_text(encoding="utf-8"), "test_of_this_test.T.test_skipped: no tool\n")
