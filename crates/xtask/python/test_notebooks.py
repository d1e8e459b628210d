"""The notebook checker, checked: every kind of broken notebook is caught and named with its cell."""

import tempfile
import unittest
from pathlib import Path
from unittest import mock

import nbformat

import notebooks

ROOT = Path(__file__).resolve().parents[3]


def source(*cells, first=notebooks.FIRST_CELL):
    """A notebook in Markdown; a cell is its code, or (tags, code)."""
    text = "---\njupyter:\n  kernelspec:\n    display_name: Rust (nchw)\n    language: rust\n    name: nchw\n---\n\n# A test\n"
    for cell in ([first] if first else []) + list(cells):
        tags, code = cell if isinstance(cell, tuple) else ("", cell)
        text += f"\n```rust{tags}\n{code}\n```\n"
    return text


class BuildTest(unittest.TestCase):
    def test_text_of_one_language_and_code_of_all(self):
        text = source("1 + 1") + '\n<!-- #region lang="en" -->\nHello\n<!-- #endregion -->\n' \
            + '\n<!-- #region lang="ko" -->\n안녕\n<!-- #endregion -->\n'
        english = [c.source for c in notebooks.build(text, "x").cells]
        korean = [c.source for c in notebooks.build(text, "x", "ko").cells]
        self.assertEqual(english, ["# A test", notebooks.FIRST_CELL, "1 + 1", "Hello"])
        self.assertEqual(korean, ["# A test", notebooks.FIRST_CELL, "1 + 1", "안녕"])

    def test_tags_are_read_and_unknown_ones_refused(self):
        built = notebooks.build(source((' tags=["figure", "varies"]', "x")), "x")
        self.assertEqual(built.cells[-1].metadata["tags"], ["figure", "varies"])
        with self.assertRaisesRegex(notebooks.Wrong, "cell 3 has tags nobody knows: figur"):
            notebooks.build(source((' tags=["figur"]', "x")), "x")

    def test_the_first_cell_is_the_same_everywhere(self):
        notebooks.require_first_cell(notebooks.build(source(), "x"))
        for wrong in [source("1 + 1", first=None), source(first=":dep nchw")]:
            with self.assertRaisesRegex(notebooks.Wrong, "the first code cell must be"):
                notebooks.require_first_cell(notebooks.build(wrong, "x"))

    def test_a_rebuilt_notebook_is_the_same_to_the_byte(self):
        one, two = (nbformat.writes(notebooks.build(source("1"), "x")) for _ in range(2))
        self.assertEqual(one, two)

    def test_an_ipynb_without_a_source_is_an_orphan(self):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "src").mkdir()
            (Path(folder) / "solutions").mkdir()
            for name in ["src/a.md", "a.ipynb", "b.ipynb", "solutions/a.md", "solutions/c.md"]:
                (Path(folder) / name).write_text("", encoding="utf-8")
            self.assertEqual(notebooks.orphans(Path(folder)), ["b.ipynb", "solutions/c.md"])
            with self.assertRaisesRegex(SystemExit, "there is no notebook c; there are: a"):
                notebooks.chosen(Path(folder), ["c"])


class ExerciseTest(unittest.TestCase):
    TAGS = ' tags=["exercise", "fails"]'

    def exercise(self, name):
        return self.TAGS, f'let a: u64 = your_turn("{name}")?;\nexercise("{name}").check(a)'

    def solution(self, name):
        return f'let a = 7;\nexercise("{name}").check(a)'

    def notebook(self, *cells):
        return notebooks.build(source(*cells), "x")

    def solved(self, notebook, *solutions):
        text = source(*solutions, first=None) if solutions else ""
        return [(name, cell.source) for name, cell in notebooks.solved(notebook, text, "x")]

    def test_solutions_come_in_the_order_of_the_exercises(self):
        notebook = self.notebook(self.exercise("3-1"), "1 + 1", self.exercise("3-2"))
        self.assertEqual(self.solved(notebook, self.solution("3-2"), self.solution("3-1")),
                         [("3-1", self.solution("3-1")), ("3-2", self.solution("3-2"))])
        self.assertEqual(self.solved(self.notebook("1 + 1")), [])

    def test_an_exercise_without_a_solution_and_a_solution_without_an_exercise(self):
        notebook = self.notebook(self.exercise("3-1"), self.exercise("3-2"))
        for solutions, message in [
            ([], "no solution in notebooks/solutions/x.md for exercise 3-1, 3-2"),
            (["3-1"], "no solution in notebooks/solutions/x.md for exercise 3-2"),
            (["3-1", "3-2", "3-3"], r"cell 4 .* solves exercise 3-3, which the notebook does not have"),
            (["3-1", "3-2", "3-1"], r"cell 4 .* solves exercise 3-1 for the second time"),
        ]:
            with self.assertRaisesRegex(notebooks.Wrong, message):
                self.solved(notebook, *map(self.solution, solutions))
        for unsolved in ["1 + 1", self.exercise("3-1")[1]]:
            with self.assertRaisesRegex(notebooks.Wrong, "must solve one exercise"):
                self.solved(notebook, unsolved)

    def test_an_exercise_is_tagged_and_has_one_id(self):
        tags, code = self.exercise("3-1")
        for cell, message in [
            (code, r"cell 3 \(.*\) is the learner's to write: tag it `exercise` and `fails`"),
            ((' tags=["exercise"]', code), "tag it `exercise` and `fails`"),
            ((tags, "1 + 1"), "it must have one id"),
            ((tags, code.replace('exercise("3-1")', 'exercise("3-2")')), "it must have one id"),
        ]:
            with self.assertRaisesRegex(notebooks.Wrong, message):
                notebooks.exercises(self.notebook(cell))
        with self.assertRaisesRegex(notebooks.Wrong, "cell 4 .* is exercise 3-1 for the second time"):
            notebooks.exercises(self.notebook(self.exercise("3-1"), self.exercise("3-1")))

    def test_an_exercise_must_fail_with_its_own_message(self):
        cell = self.notebook(self.exercise("3-1")).cells[2]
        outputs = [
            ("stderr", "exercise 3-1 is yours: replace it", None),
            ("stderr", "exercise 3-2 is yours: replace it", "was meant to say `exercise 3-1 is yours: …`"),
            ("stdout", "exercise 3-1 is yours: ", "was meant to say"),
        ]
        for stream, text, message in outputs:
            cell.outputs = [nbformat.v4.new_output("stream", name=stream, text=text)]
            if message:
                self.assertIn(message, notebooks.judge(cell))
            else:
                self.assertIsNone(notebooks.judge(cell))
        # A compile error shows the line, and the line is not the message.
        cell.outputs = [nbformat.v4.new_output("error", ename="E0425", evalue="", traceback=[cell.source])]
        self.assertIn("your_turn", notebooks.judge(cell))

    def test_a_solution_must_be_said_to_be_right(self):
        class Client:
            def __init__(self, text):
                self.nb, self.text = nbformat.v4.new_notebook(), text

            def execute_cell(self, cell, number):
                assert self.nb.cells[number] is cell
                cell.outputs = [nbformat.v4.new_output("execute_result", data={"text/plain": self.text})]

        (name, cell), = notebooks.solved(self.notebook(self.exercise("3-1")),
                                         source(self.solution("3-1"), first=None), "x")
        client = Client("✓ Exercise 3-1 is right.\n  Well done.")
        notebooks.run_solution(client, name, cell, 1)
        self.assertEqual(client.nb.cells, [])
        for text in ["✗ Exercise 3-1 is not right yet.", "✓ Exercise 3-2 is right."]:
            with self.assertRaisesRegex(notebooks.Wrong, "solution of exercise 3-1 is not said to be right:\n" + text):
                notebooks.run_solution(Client(text), name, cell, 1)
        panicked = nbformat.v4.new_output("stream", name="stderr", text="the cell panicked")
        cell.outputs = [panicked]
        self.assertIn("the cell panicked", notebooks.judge_solution(name, cell))


class StaleTest(unittest.TestCase):
    def pair(self, old, new):
        return notebooks.build(source(old), "x"), notebooks.build(source(new), "x")

    def test_another_text_or_tag_or_number_of_cells(self):
        with self.assertRaisesRegex(notebooks.Wrong, r"stale: cell 3 \(`2`\) is published with another text"):
            notebooks.require_fresh(*self.pair("1", "2"))
        with self.assertRaisesRegex(notebooks.Wrong, "with another tags"):
            notebooks.require_fresh(*self.pair("1", (' tags=["varies"]', "1")))
        with self.assertRaisesRegex(notebooks.Wrong, "stale: 2 cells are published, the source has 3"):
            notebooks.require_fresh(notebooks.build(source(), "x"), notebooks.build(source("1"), "x"))

    def test_another_output_unless_it_varies(self):
        for tags, stale in [("", True), (' tags=["varies"]', False)]:
            old, new = self.pair((tags, "x"), (tags, "x"))
            old.cells[2].outputs = [nbformat.v4.new_output("stream", name="stdout", text="1 s")]
            new.cells[2].outputs = [nbformat.v4.new_output("stream", name="stdout", text="2 s")]
            if stale:
                with self.assertRaisesRegex(notebooks.Wrong, "with another output"):
                    notebooks.require_fresh(old, new)
            else:
                notebooks.require_fresh(old, new)
            old.cells[2].outputs = []
            with self.assertRaisesRegex(notebooks.Wrong, "with another output"):
                notebooks.require_fresh(old, new)

    def test_a_line_beside_a_figure_that_varies(self):
        for tags, stale in [("", True), (' tags=["varies"]', False)]:
            old, new = self.pair((tags, "x"), (tags, "x"))
            figure = nbformat.v4.new_output("execute_result", data={"text/plain": "a figure"})
            old.cells[2].outputs = [figure]
            new.cells[2].outputs = [nbformat.v4.new_output("stream", name="stdout", text="a stand-in"), figure]
            if stale:
                with self.assertRaisesRegex(notebooks.Wrong, "with another output"):
                    notebooks.require_fresh(old, new)
            else:
                notebooks.require_fresh(old, new)

    def test_what_a_failing_cell_says_unless_the_compiler_says_it(self):
        tags = ' tags=["fails"]'
        old, new = self.pair((tags, "x"), (tags, "x"))
        for notebook, word in [(old, "expected"), (new, "wanted")]:
            notebook.cells[2].outputs = [nbformat.v4.new_output("error", ename="E0308", evalue=word, traceback=[word])]
        notebooks.require_fresh(old, new)
        for notebook, word in [(old, "expected"), (new, "wanted")]:
            notebook.cells[2].outputs = [nbformat.v4.new_output("stream", name="stderr", text=word)]
        with self.assertRaisesRegex(notebooks.Wrong, "with another output"):
            notebooks.require_fresh(old, new)

    def test_a_table_that_is_shown_otherwise_but_not_the_mark_of_a_form(self):
        for html, stale in [("<p id='nchw-form-{}'>", False), ("<p>{}</p>", True)]:
            old, new = self.pair("x", "x")
            for notebook, number in [(old, "1a"), (new, "2b")]:
                data = {"text/html": html.format(number), "text/plain": "the same"}
                notebook.cells[2].outputs = [nbformat.v4.new_output("execute_result", data=data)]
            if stale:
                with self.assertRaisesRegex(notebooks.Wrong, "with another output"):
                    notebooks.require_fresh(old, new)
            else:
                notebooks.require_fresh(old, new)

    def test_a_path_of_this_machine_is_not_published(self):
        notebook = notebooks.build(source("x"), "x")
        notebook.cells[2].outputs = [nbformat.v4.new_output("stream", name="stdout", text="/home/me/nchw/x")]
        with self.assertRaisesRegex(notebooks.Wrong, "shows a path of this machine"):
            notebooks.require_no_path(notebook, Path("/home/me/nchw"))

    def test_a_heavy_notebook_is_not_published(self):
        notebook = notebooks.build(source("x", "y"), "x")
        notebooks.require_light(notebook)
        for cell, size in zip(notebook.cells[2:], (1, notebooks.LARGEST)):
            cell.outputs = [nbformat.v4.new_output("display_data", data={"image/png": size * "A"})]
        with self.assertRaisesRegex(notebooks.Wrong, r"3\.5 MB are more than .* the heaviest, 3\.5 MB, is cell 4 \(`y`\)"):
            notebooks.require_light(notebook)


class JudgeTest(unittest.TestCase):
    def judged(self, html, tags=""):
        cell = notebooks.build(source((tags, "x")), "x").cells[2]
        cell.outputs = [nbformat.v4.new_output("display_data", data={"text/html": html})]
        return notebooks.judge(cell)

    def test_a_picture_needs_a_tag_and_an_alternative_text(self):
        picture, figure = '<img src="data:," alt="{}">', ' tags=["figure"]'
        self.assertIsNone(self.judged(picture.format("a cat"), figure))
        self.assertIn("without an alternative text", self.judged(picture.format(""), figure))
        self.assertIn("tag it `figure`", self.judged(picture.format("a cat")))
        self.assertIn("shows no picture", self.judged("<p>none</p>", figure))


class RunTest(unittest.TestCase):
    """Through the real kernel; one start each."""

    def wrong(self, *cells, limit=60):
        notebook = notebooks.build(source(*cells, first=None), "x")
        with self.assertRaises(notebooks.Wrong) as caught:
            notebooks.run(notebook, ROOT / "notebooks", limit)
        return str(caught.exception)

    def test_a_panic(self):
        message = self.wrong("let a = 1;", 'if a == 1 { panic!("too bad"); }', "a")
        self.assertIn("cell 3 (`if a == 1 { panic!(\"too bad\"); }`) wrote to stderr", message)
        self.assertIn("too bad", message)
        self.assertNotIn("backtrace", message)

    def test_an_error_through_a_question_mark(self):
        message = self.wrong('"x".parse::<i32>()?;')
        self.assertIn("cell 2", message)
        self.assertIn("invalid digit found in string", message)

    def test_a_compile_error(self):
        message = self.wrong('let a: i32 = "one";')
        self.assertIn('cell 2 (`let a: i32 = "one";`) failed', message)
        self.assertIn("mismatched types", message)

    def test_a_cell_that_hangs(self):
        self.assertIn("cell 2 (`loop {}`) still ran after 8 s", self.wrong("loop {}", limit=8))

    def test_a_cell_that_takes_the_process_with_it(self):
        self.assertIn("cell 2 (`std::process::abort()`) failed", self.wrong("std::process::abort()"))

    def test_a_kernel_that_dies(self):
        kill = 'std::process::Command::new("kill").args(["-9", &std::os::unix::process::parent_id().to_string()]).status()?;'
        self.assertIn("killed the kernel", self.wrong(kill))

    def test_a_cell_that_should_fail_and_does_not(self):
        self.assertIn("was meant to fail, and did not", self.wrong((' tags=["fails"]', "1 + 1")))

    def test_a_figure_that_is_due(self):
        self.assertIn("cell 2 (`1 + 1`) shows no picture", self.wrong((' tags=["figure"]', "1 + 1")))

    def test_a_cell_that_complains_without_saying_so(self):
        self.assertIn("cell 2 (`eprintln!(\"careful\");`) wrote to stderr", self.wrong('eprintln!("careful");'))

    def test_good_cells_of_every_kind(self):
        notebook = notebooks.build(source(
            (' tags=["fails"]', 'panic!("as planned");'),
            (' tags=["stderr"]', 'eprintln!("a warning");'),
            (' tags=["figure"]', 'Matrix::from([[1, 2], [3, 4]]).figure("Four numbers")?'),
            'print!("no line break");',
            'use std::io::Write; print!("flushed"); std::io::stdout().flush()?;',
        ), "x")
        first, total = notebooks.run(notebook, ROOT / "notebooks", 60)
        self.assertTrue(0 < first <= total)
        shown = ["".join(notebooks.text_of(o) for o in c.outputs).strip() for c in notebook.cells[2:] ]
        notebooks.publish(notebook)
        picture = notebook.cells[4].outputs[0]
        self.assertEqual(sorted(picture.data), ["image/png", "text/plain"])
        self.assertIn("Four numbers", picture.metadata["image/png"]["alt"])
        self.assertEqual(notebooks.alts(picture), [picture.metadata["image/png"]["alt"]])
        self.assertEqual(shown, ["the cell panicked: as planned", "a warning", "1 2\n3 4", "no line break", "flushed"])


class CommandTest(unittest.TestCase):
    def test_writes_without_check_and_compares_with_it(self):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            (root / "notebooks/src").mkdir(parents=True)
            (root / "notebooks/src/a.md").write_text(source("1 + 1"), encoding="utf-8")

            def pretend(notebook, *_, **__):
                notebook.cells[2].outputs = [nbformat.v4.new_output("execute_result", data={"text/plain": "2"})]
                return 1.0, 2.0

            with mock.patch.object(notebooks, "run", pretend):
                with self.assertRaisesRegex(notebooks.Wrong, "a.ipynb is missing"):
                    notebooks.perform(root, "a", check=True)
                notebooks.perform(root, "a", check=False)
                written = (root / "notebooks/a.ipynb").read_bytes()
                notebooks.perform(root, "a", check=True)
                notebooks.perform(root, "a", check=False)
                self.assertEqual((root / "notebooks/a.ipynb").read_bytes(), written)
                (root / "notebooks/src/a.md").write_text(source("1 + 2"), encoding="utf-8")
                with self.assertRaisesRegex(notebooks.Wrong, "stale: cell 3"):
                    notebooks.perform(root, "a", check=True)


if __name__ == "__main__":
    unittest.main()
