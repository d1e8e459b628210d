"""What the scripts of the chores leave behind, overwrite, and skip."""

import contextlib
import io
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
import unittest
from pathlib import Path
from unittest import mock

import kept
import kernels
import mistakes
import notebooks
import unit_tests

SCRIPTS = Path(__file__).resolve().parent
ROOT = SCRIPTS.parents[2]


class TemporaryTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.temporary = Path(folder.name)
        patch = mock.patch.object(tempfile, "tempdir", folder.name)
        patch.start()
        self.addCleanup(patch.stop)

    def left(self):
        return sorted(path.name for path in self.temporary.iterdir())

    def test_the_notebook_runner_leaves_nothing_behind_however_it_ends(self):
        notebook = notebooks.build("```rust\n1 + 1\n```\n", "x")
        for end in (RuntimeError("no kernel"), KeyboardInterrupt(), SystemExit(143), OSError("a full disk")):
            with mock.patch.object(notebooks, "NotebookClient") as client:
                client.return_value.setup_kernel.side_effect = end
                with self.assertRaises((notebooks.Wrong, type(end))):
                    notebooks.run(notebook, self.temporary)
            self.assertEqual(self.left(), [], repr(end))

    def test_the_mistakes_leave_nothing_behind_however_they_end(self):
        for end in (None, KeyboardInterrupt(), OSError("a full disk")):
            with mock.patch.object(mistakes, "Kernel"), mock.patch.object(mistakes, "perform", side_effect=end,
                                                                          return_value=("said", None)):
                with contextlib.suppress(KeyboardInterrupt, OSError):
                    mistakes.type_all([(1, {"title": "one"})], self.temporary)
            self.assertEqual(self.left(), [], repr(end))

    def test_cells_have_their_own_answers_and_the_author_keeps_theirs(self):
        with mock.patch.dict(os.environ, NCHW_PROGRESS="the author's"):
            with kernels.own_progress() as folder:
                self.assertEqual(os.environ["NCHW_PROGRESS"], str(folder / "progress.json"))
            self.assertEqual(os.environ["NCHW_PROGRESS"], "the author's")

    def test_ended_from_outside_a_script_still_tidies_up(self):
        code = ("import kernels, time\nwith kernels.own_progress():\n    print('ready', flush=True)\n    time.sleep(60)")
        for number in (signal.SIGTERM, signal.SIGINT):
            script = subprocess.Popen([sys.executable, "-c", code], cwd=SCRIPTS, stdout=subprocess.PIPE,
                                      stderr=subprocess.DEVNULL, env=os.environ | {"TMPDIR": str(self.temporary)},
                                      preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
            self.assertEqual(script.stdout.readline(), b"ready\n")
            script.send_signal(number)
            self.assertNotEqual(script.wait(20), 0)
            script.stdout.close()
            self.assertEqual(self.left(), [], number)

    def test_no_script_makes_a_temporary_folder_that_nobody_removes(self):
        for script in SCRIPTS.glob("*.py"):
            if script != Path(__file__).resolve():
                text = script.read_text(encoding="utf-8")
                found = re.search(r"mkdtemp|mkstemp|delete=False", text)
                self.assertIsNone(found, f"{script.name}: TemporaryDirectory removes itself")


class OutputTest(unittest.TestCase):
    def test_bytes_that_are_not_utf8_are_replaced(self):
        status, said = kernels.output_of(["sh", "-c", r"printf '\277\300: fatal\n' >&2; exit 3"])
        self.assertEqual((status, said), (3, "\ufffd\ufffd: fatal\n"))

    def test_a_process_that_is_left_behind_does_not_hold_it_up(self):
        start = time.monotonic()
        self.assertEqual(kernels.output_of(["sh", "-c", "sleep 20 & echo out"]), (0, "out\n"))
        self.assertLess(time.monotonic() - start, 10)

    def test_no_script_reads_text_in_whatever_encoding_the_machine_has(self):
        unsaid = re.compile(r"\.read_text\((?!encoding)|\btext=True|\.decode\(\)|write_text\((?!.*encoding)")
        for script in SCRIPTS.glob("*.py"):
            if script not in (Path(__file__).resolve(), SCRIPTS / "test_kernel.py"):
                for number, line in enumerate(script.read_text(encoding="utf-8").splitlines(), 1):
                    self.assertIsNone(unsaid.search(line), f"{script.name}:{number}: {line.strip()}")


class KeptTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.file = self.root / "notebooks/a.ipynb"

    def git(self, *arguments):
        who = ["-c", "user.name=n", "-c", "user.email=e", "-c", "init.defaultBranch=main"]
        subprocess.run(["git", *who, *arguments], cwd=self.root, check=True, capture_output=True)

    def edit(self, text):
        self.file.parent.mkdir(exist_ok=True)
        self.file.write_text(text, encoding="utf-8")

    def test_edits_are_never_overwritten(self):
        kept.require_unedited(self.root, self.file)
        self.edit("a learner's, and no git")
        with self.assertRaisesRegex(kept.Edited, r"notebooks/a.ipynb was edited.*mv notebooks/a.ipynb a-mine.ipynb"):
            kept.require_unedited(self.root, self.file)
        self.git("init", "--quiet")
        with self.assertRaises(kept.Edited):
            kept.require_unedited(self.root, self.file)
        self.git("add", "notebooks")
        self.git("commit", "--quiet", "-m", "as published")
        kept.require_unedited(self.root, self.file)
        self.edit("a learner's answer")
        with self.assertRaises(kept.Edited):
            kept.require_unedited(self.root, self.file)

    def test_what_a_chore_wrote_it_may_write_again(self):
        kept.write(self.root, self.file, "one\n")
        kept.write(self.root, self.root / "docs/b.md", "two\n")
        kept.require_unedited(self.root, self.file)
        self.edit("one\nand an answer\n")
        with self.assertRaises(kept.Edited):
            kept.require_unedited(self.root, self.file)
        with self.assertRaises(kept.Edited):
            kept.write(self.root, self.file, "edited while the chore ran\n")
        self.assertEqual(self.file.read_text(encoding="utf-8"), "one\nand an answer\n")
        kept.require_unedited(self.root, self.root / "docs/b.md")
        self.assertEqual([path.name for path in self.file.parent.iterdir()], ["a.ipynb"], "nothing is left beside it")

    def test_notebooks_and_mistakes_ask_before_anything_is_run(self):
        (self.root / "notebooks/src").mkdir(parents=True)
        (self.root / "docs").mkdir()
        source = f"```rust\n{notebooks.FIRST_CELL}\n```\n"
        (self.root / "notebooks/src/a.md").write_text(source, encoding="utf-8")
        (self.root / "docs/mistakes.md").write_text("mine", encoding="utf-8")
        self.edit("mine")
        with mock.patch.object(notebooks, "run") as run, self.assertRaises(kept.Edited):
            notebooks.perform(self.root, "a", check=False)
        run.assert_not_called()
        with mock.patch.object(mistakes, "type_all") as run, self.assertRaisesRegex(SystemExit, "was edited"):
            with mock.patch.object(sys, "argv", ["mistakes.py", "--root", str(self.root)]):
                mistakes.main()
        run.assert_not_called()
        self.assertEqual(self.file.read_text(encoding="utf-8"), "mine")
        self.assertEqual((self.root / "docs/mistakes.md").read_text(encoding="utf-8"), "mine")


class MistakesTest(unittest.TestCase):
    """`mistakes.py --check`, with a stand-in for the kernel: its output is not compared."""

    def main(self, *arguments, root=ROOT):
        with mock.patch.object(mistakes, "Kernel"), mock.patch.object(mistakes, "perform", return_value=("x", None)), \
                mock.patch.object(sys, "argv", ["mistakes.py", "--root", str(root), *arguments]), \
                contextlib.redirect_stdout(io.StringIO()) as out, self.assertRaises(SystemExit) as end:
            mistakes.main()
        return end.exception.code, out.getvalue()

    def test_one_mistake_can_be_checked_alone(self):
        all_titles = [m["title"] for m in tomllib.loads((SCRIPTS / "mistakes.toml").read_text(encoding="utf-8"))["mistake"]]
        self.assertEqual(self.main("--check")[0], 0)
        for title in (all_titles[0], all_titles[-1]):
            status, said = self.main("--check", "--only", title)
            self.assertEqual(status, 0, said)
            self.assertIn("1 of 1 mistakes", said)
        self.assertIn("no mistake has 'nobody' in its title", str(self.main("--only", "nobody")[0]))

    def test_a_stale_page_is_found_alone_too(self):
        first = tomllib.loads((SCRIPTS / "mistakes.toml").read_text(encoding="utf-8"))["mistake"][0]
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            (root / "docs").mkdir()
            page = (ROOT / "docs/mistakes.md").read_text(encoding="utf-8")
            (root / "docs/mistakes.md").write_text(page.replace(first["why"], "Another reason."), encoding="utf-8")
            for arguments in (["--check"], ["--check", "--only", first["title"]]):
                status, said = self.main(*arguments, root=root)
                self.assertEqual(status, 1)
                self.assertIn("docs/mistakes.md is another", said)


class SkipTest(unittest.TestCase):
    def test_what_unit_tests_skip_is_listed(self):
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


if __name__ == "__main__":
    unittest.main()
