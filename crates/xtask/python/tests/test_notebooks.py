"""Tests of the notebook checker: it reports every kind of broken notebook, with the cell."""

import base64
import os
import struct
import tempfile
import unittest
import zlib
from pathlib import Path
from unittest import mock

import nbformat

import notebooks
from common import FIRST_CELL, NOTEBOOKS, Failure


def source(*cells, first=FIRST_CELL):
    """A notebook in Markdown; a cell is its code, or (tags, code)."""
    text = "---\njupyter:\n  kernelspec:\n    display_name: Rust (nchw)\n    language: rust\n    name: nchw\n---\n\n# A test\n"
    for cell in ([first] if first else []) + list(cells):
        tags, code = cell if isinstance(cell, tuple) else ("", cell)
        text += f"\n```rust{tags}\n{code}\n```\n"
    return text


def built(*cells, first=FIRST_CELL):
    return notebooks.build(source(*cells, first=first), "x")


def stream(name, text):
    return nbformat.v4.new_output("stream", name=name, text=text)


def result(data):
    return nbformat.v4.new_output("execute_result", data=data)


class BuildTest(unittest.TestCase):
    def test_text_is_selected_by_language_and_code_is_not(self):
        text = source("1 + 1") + '\n<!-- #region lang="en" -->\nHello\n<!-- #endregion -->\n' \
            + '\n<!-- #region lang="ko" -->\n안녕\n<!-- #endregion -->\n'
        english = [c.source for c in notebooks.build(text, "x").cells]
        korean = [c.source for c in notebooks.build(text, "x", "ko").cells]
        self.assertEqual(english, ["# A test", FIRST_CELL, "1 + 1", "Hello"])
        self.assertEqual(korean, ["# A test", FIRST_CELL, "1 + 1", "안녕"])

    def test_unknown_tags_are_errors(self):
        notebook = built((' tags=["figure", "varies"]', "x"))
        self.assertEqual(notebook.cells[-1].metadata["tags"], ["figure", "varies"])
        with self.assertRaisesRegex(Failure, "cell 3 has unknown tags: figur"):
            built((' tags=["figur"]', "x"))

    def test_the_first_cell_must_be_the_same_in_every_notebook(self):
        notebooks.require_first_cell(built())
        for wrong in [source("1 + 1", first=None), source(first=":dep nchw")]:
            with self.assertRaisesRegex(Failure, "the first code cell must be"):
                notebooks.require_first_cell(notebooks.build(wrong, "x"))

    def test_a_rebuilt_notebook_is_identical(self):
        one, two = (nbformat.writes(built("1")) for _ in range(2))
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


class AnswerTest(unittest.TestCase):
    GUESS = "\n**Guess:** how many?\n"
    ANSWER = '\n```rust tags=["answer"]\n6 * 7\n```\n'
    OTHER = "\n```rust\n6 * 7\n```\n"

    def notebook(self, *parts):
        return notebooks.build(source() + "".join(parts), "x")

    def test_the_cell_after_a_guess_is_its_answer(self):
        notebooks.require_hidden_answers(self.notebook(self.OTHER, self.GUESS, self.ANSWER, self.OTHER))
        for parts, complaint in [
            ((self.GUESS, self.OTHER), r"`\*\*Guess:\*\* how many\?`\) asks for a guess, so cell 4 .* tag it `answer`"),
            ((self.OTHER, self.ANSWER), "is tagged `answer`, but no text above it asks for a guess"),
            ((self.GUESS, self.ANSWER, self.ANSWER), "is tagged `answer`, but no text above it"),
            ((self.OTHER, self.GUESS), "no code cell follows with the answer"),
        ]:
            with self.subTest(complaint), self.assertRaisesRegex(Failure, complaint):
                notebooks.require_hidden_answers(self.notebook(*parts))

    def test_nothing_of_an_answer_is_shown_before_the_reader_unfolds_it(self):
        notebook = self.notebook(self.OTHER, self.GUESS, self.ANSWER)
        other, answer = notebook.cells[-3], notebook.cells[-1]
        figure = {"image/png": "iVBORw0KGgo=", "text/plain": "4 x 2",
                  "text/html": '<img src="data:image/png;base64,iVBORw0KGgo=" width="300" alt="an edge">'}
        for cell in (other, answer):
            cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text="is 42 <\n"),
                            nbformat.v4.new_output("display_data", data=dict(figure))]
        notebooks.publish(notebook)
        self.assertEqual([o.output_type for o in other.outputs], ["stream", "display_data"])
        self.assertEqual(len(answer.outputs), 1)
        shown = answer.outputs[0].data["text/html"]
        self.assertRegex(shown, "(?s)^<details><summary>Show the output</summary>.*is 42 &lt;.*<img .*</details>$")
        self.assertNotIn("image/png", answer.outputs[0].data)
        self.assertNotIn("42", answer.outputs[0].data["text/plain"])
        self.assertEqual(notebooks.alts(answer.outputs[0]), ["an edge"])

    def test_of_a_large_interactive_figure_only_the_still_one_is_published(self):
        notebook = built((' tags=["figure", "live"]', "net.play(&photo)?"))
        still = '<img src="data:image/png;base64,AAAA" alt="a cat">'
        html = f'<div class="nchw-play" data-options="{{}}">{still}</div><style>p {{}}</style><script>"large"</script>'
        notebook.cells[2].outputs = [result({"text/html": html, "text/plain": "a cat"})]
        notebooks.publish(notebook)
        self.assertEqual(notebook.cells[2].outputs[0].data["text/html"], still)

    def test_no_published_notebook_shows_an_answer(self):
        for path in sorted(NOTEBOOKS.glob("*.ipynb")):
            notebook = nbformat.read(path, as_version=4)
            notebooks.require_hidden_answers(notebook)
            for cell in notebook.cells:
                if "answer" in cell.metadata.get("tags", []) and cell.outputs:
                    with self.subTest(cell.id):
                        (output,) = cell.outputs
                        self.assertEqual(sorted(output.data), ["text/html", "text/plain"])
                        self.assertTrue(output.data["text/html"].startswith("<details><summary>Show the output"))


class ExerciseTest(unittest.TestCase):
    TAGS = ' tags=["exercise", "fails"]'

    def exercise(self, name):
        return self.TAGS, f'let a: u64 = your_turn("{name}")?;\nexercise("{name}").check(a)'

    def solution(self, name):
        return f'let a = 7;\nexercise("{name}").check(a)'

    def solved(self, notebook, *solutions):
        text = source(*solutions, first=None) if solutions else ""
        return [(name, cell.source) for name, cell in notebooks.solved(notebook, text, "x")]

    def test_solutions_come_in_the_order_of_the_exercises(self):
        notebook = built(self.exercise("3-1"), "1 + 1", self.exercise("3-2"))
        self.assertEqual(self.solved(notebook, self.solution("3-2"), self.solution("3-1")),
                         [("3-1", self.solution("3-1")), ("3-2", self.solution("3-2"))])
        self.assertEqual(self.solved(built("1 + 1")), [])

    def test_an_exercise_without_a_solution_and_a_solution_without_an_exercise(self):
        notebook = built(self.exercise("3-1"), self.exercise("3-2"))
        for solutions, message in [
            ([], "no solution in notebooks/solutions/x.md for exercise 3-1, 3-2"),
            (["3-1"], "no solution in notebooks/solutions/x.md for exercise 3-2"),
            (["3-1", "3-2", "3-3"], r"cell 4 .* solves exercise 3-3, which the notebook does not have"),
            (["3-1", "3-2", "3-1"], r"cell 4 .* solves exercise 3-1 for the second time"),
        ]:
            with self.assertRaisesRegex(Failure, message):
                self.solved(notebook, *map(self.solution, solutions))
        for unsolved in ["1 + 1", self.exercise("3-1")[1]]:
            with self.assertRaisesRegex(Failure, "must solve one exercise"):
                self.solved(notebook, unsolved)

    def test_an_exercise_is_tagged_and_has_one_id(self):
        tags, code = self.exercise("3-1")
        for cell, message in [
            (code, r"cell 3 \(.*\) is for the learner to solve: tag it `exercise` and `fails`"),
            ((' tags=["exercise"]', code), "tag it `exercise` and `fails`"),
            ((tags, "1 + 1"), "it must have one id"),
            ((tags, code.replace('exercise("3-1")', 'exercise("3-2")')), "it must have one id"),
        ]:
            with self.assertRaisesRegex(Failure, message):
                notebooks.exercises(built(cell))
        with self.assertRaisesRegex(Failure, "cell 4 .* is exercise 3-1 for the second time"):
            notebooks.exercises(built(self.exercise("3-1"), self.exercise("3-1")))

    def test_an_exercise_must_fail_with_its_own_message(self):
        cell = built(self.exercise("3-1")).cells[2]
        outputs = [
            ("stderr", "exercise 3-1 is yours: replace it", None),
            ("stderr", "exercise 3-2 is yours: replace it", "must fail with `exercise 3-1 is yours: …`"),
            ("stdout", "exercise 3-1 is yours: ", "must fail with"),
        ]
        for name, text, message in outputs:
            cell.outputs = [stream(name, text)]
            if message:
                self.assertIn(message, notebooks.judge(cell))
            else:
                self.assertIsNone(notebooks.judge(cell))
        # A compile error shows the line of code, but not the message.
        cell.outputs = [nbformat.v4.new_output("error", ename="E0425", evalue="", traceback=[cell.source])]
        self.assertIn("your_turn", notebooks.judge(cell))

    def test_a_solution_must_be_reported_as_right(self):
        class Client:
            def __init__(self, text):
                self.nb, self.text = nbformat.v4.new_notebook(), text

            def execute_cell(self, cell, number):
                assert self.nb.cells[number] is cell
                cell.outputs = [result({"text/plain": self.text})]

        (name, cell), = notebooks.solved(built(self.exercise("3-1")),
                                         source(self.solution("3-1"), first=None), "x")
        client = Client("✓ Exercise 3-1 is right.\n  Well done.")
        notebooks.run_solution(client, name, cell, 1)
        self.assertEqual(client.nb.cells, [])
        for text in ["✗ Exercise 3-1 is not right yet.", "✓ Exercise 3-2 is right."]:
            with self.assertRaisesRegex(Failure, "solution of exercise 3-1 is not reported as right:\n" + text):
                notebooks.run_solution(Client(text), name, cell, 1)
        cell.outputs = [stream("stderr", "the cell panicked")]
        self.assertIn("the cell panicked", notebooks.judge_solution(name, cell))


class StaleTest(unittest.TestCase):
    def expect(self, complaint, old, new):
        """Compares two notebooks; `complaint` is None if they are equivalent."""
        if complaint:
            with self.assertRaisesRegex(Failure, complaint):
                notebooks.require_fresh(old, new)
        else:
            notebooks.require_fresh(old, new)

    def test_a_different_source_tag_or_number_of_cells_is_stale(self):
        self.expect(r"stale: the source of cell 3 \(`2`\) differs", built("1"), built("2"))
        self.expect("stale: the tags of cell 3", built("1"), built((' tags=["varies"]', "1")))
        self.expect("stale: the published notebook has 2 cells, the source 3", built(), built("1"))

    def test_a_different_output_is_stale_unless_it_varies(self):
        error = [nbformat.v4.new_output("error", ename="E0308", evalue=word, traceback=[word])
                 for word in ("expected", "wanted")]
        one, two, form_one, form_two = (
            [result({"text/html": html, "text/plain": "the same"})]
            for html in ("<p>1a</p>", "<p>2b</p>", "<p id='nchw-form-1a'>", "<p id='nchw-form-2b'>"))
        figure = result({"text/plain": "a figure"})
        for tag, old, new, stale in [
            ("", [stream("stdout", "1 s")], [stream("stdout", "2 s")], True),
            ("varies", [stream("stdout", "1 s")], [stream("stdout", "2 s")], False),
            ("", [], [stream("stdout", "2 s")], True),
            ("varies", [], [stream("stdout", "2 s")], True),
            # Text next to a figure that varies is optional.
            ("", [figure], [stream("stdout", "a stand-in"), figure], True),
            ("varies", [figure], [stream("stdout", "a stand-in"), figure], False),
            # The compiler's messages depend on its version.
            ("fails", error[:1], error[1:], False),
            ("fails", [stream("stderr", "expected")], [stream("stderr", "wanted")], True),
            # The id of a form is random.
            ("", form_one, form_two, False),
            ("", one, two, True),
        ]:
            with self.subTest(tag=tag, old=old, new=new):
                published, fresh = (built((f' tags=["{tag}"]' if tag else "", "x")) for _ in range(2))
                published.cells[2].outputs, fresh.cells[2].outputs = old, new
                self.expect("stale: the output of cell 3" if stale else None, published, fresh)

    def test_a_path_of_this_machine_is_not_published(self):
        notebook = built("x")
        notebook.cells[2].outputs = [stream("stdout", "/home/me/nchw/x")]
        with self.assertRaisesRegex(Failure, "shows a path of this machine"):
            notebooks.require_no_path(notebook, Path("/home/me/nchw"))

    def test_a_large_notebook_is_not_published(self):
        notebook = built("x", "y")
        notebooks.require_light(notebook)
        for cell, size in zip(notebook.cells[2:], (1, notebooks.MAX_SIZE)):
            cell.outputs = [nbformat.v4.new_output("display_data", data={"image/png": size * "A"})]
        with self.assertRaisesRegex(Failure, r"has 3\.5 MB, more than .* the largest cell, 3\.5 MB, is cell 4 \(`y`\)"):
            notebooks.require_light(notebook)


class SmallerTest(unittest.TestCase):
    def png(self, *more):
        """120 x 80 pixels in RGB, all grey, stored with little compression; `more` are further chunks."""
        rows = b"".join(b"\0" + bytes(3 * [y + x // 10 & 255 for x in range(120)]) for y in range(80))
        header = struct.pack(">IIBBBBB", 120, 80, 8, 2, 0, 0, 0)
        chunks = [(b"IHDR", header), *more, (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b"")]
        data = b"".join(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
                        for kind, data in chunks)
        return base64.b64encode(b"\x89PNG\r\n\x1a\n" + data).decode("ascii")

    def test_figures_are_stored_in_fewer_bytes_and_nothing_else_changes(self):
        still, moving = self.png(), self.png((b"acTL", struct.pack(">II", 1, 0)))
        notebook = built("x", "y")
        html = '<details><img src="data:image/png;base64,{}" alt="a &amp; b"></details>'
        for cell, image in zip(notebook.cells[2:], (still, moving)):
            data = {"image/png": image, "text/html": html.format(image), "text/plain": "grey"}
            cell.outputs = [nbformat.v4.new_output("display_data", data=data), stream("stdout", "42\n")]
        small = notebooks.smaller(notebook, os.environ["NCHW_PUBLISH_PYTHON"])
        one, two = (cell.outputs[0].data for cell in small.cells[2:])
        self.assertLess(len(one["image/png"]), 0.8 * len(still))
        signature_and_size = [base64.b64decode(image)[:24] for image in (one["image/png"], still)]
        self.assertEqual(*signature_and_size)
        self.assertEqual(one["text/html"], html.format(one["image/png"]))
        self.assertEqual(two["image/png"], moving)
        for cell, image in zip(small.cells[2:], (still, moving)):
            cell.outputs[0].data.update({"image/png": image, "text/html": html.format(image)})
        self.assertEqual(small, notebook)


class JudgeTest(unittest.TestCase):
    def judged(self, html, tags=""):
        cell = built((tags, "x")).cells[2]
        cell.outputs = [nbformat.v4.new_output("display_data", data={"text/html": html})]
        return notebooks.judge(cell)

    def test_a_figure_needs_a_tag_and_an_alternative_text(self):
        image, tags = '<img src="data:," alt="{}">', ' tags=["figure"]'
        self.assertIsNone(self.judged(image.format("a cat"), tags))
        self.assertIn("without an alternative text", self.judged(image.format(""), tags))
        self.assertIn("tag it `figure`", self.judged(image.format("a cat")))
        self.assertIn("must show a figure", self.judged("<p>none</p>", tags))


class RunTest(unittest.TestCase):
    """Runs cells in the kernel; each test starts one."""

    def failure(self, *cells, limit=60):
        notebook = built(*cells, first=None)
        with self.assertRaises(Failure) as caught:
            notebooks.run(notebook, NOTEBOOKS, limit)
        return str(caught.exception)

    def test_every_failure_names_its_cell(self):
        kill = 'std::process::Command::new("kill").args(["-9", &std::os::unix::process::parent_id().to_string()]).status()?;'
        for cell, messages in [
            ('"x".parse::<i32>()?;', ["cell 2", "invalid digit found in string"]),
            ('let a: i32 = "one";', ['cell 2 (`let a: i32 = "one";`) failed', "mismatched types"]),
            ('quiz("pad9")', ["cell 2", "there is no quiz `pad9`"]),
            ('quiz_form(&["pad1", "pad9"])', ["cell 2", "there is no quiz `pad9`"]),
            ("loop {}", ["cell 2 (`loop {}`) still ran after 8 s"]),
            ("std::process::abort()", ["cell 2 (`std::process::abort()`) failed"]),
            (kill, ["killed the kernel"]),
            ((' tags=["fails"]', "1 + 1"), ["must fail (tag `fails`), but did not"]),
            ((' tags=["figure"]', "1 + 1"), ["cell 2 (`1 + 1`) must show a figure"]),
            ('eprintln!("careful");', ["cell 2 (`eprintln!(\"careful\");`) wrote to stderr"]),
        ]:
            with self.subTest(cell=cell):
                failure = self.failure(cell, limit=8 if cell == "loop {}" else 60)
                for message in messages:
                    self.assertIn(message, failure)

    def test_a_panic(self):
        message = self.failure("let a = 1;", 'if a == 1 { panic!("too bad"); }', "a")
        self.assertIn("cell 3 (`if a == 1 { panic!(\"too bad\"); }`) wrote to stderr", message)
        self.assertIn("too bad", message)
        self.assertNotIn("backtrace", message)

    def test_good_cells_of_every_kind(self):
        notebook = built(
            (' tags=["fails"]', 'panic!("as planned");'),
            (' tags=["stderr"]', 'eprintln!("a warning");'),
            (' tags=["figure"]', 'Matrix::from([[1, 2], [3, 4]]).figure("Four numbers")?'),
            'print!("no line break");',
            'use std::io::Write; print!("flushed"); std::io::stdout().flush()?;',
        )
        first, total = notebooks.run(notebook, NOTEBOOKS, 60)
        self.assertTrue(0 < first <= total)
        shown = ["".join(notebooks.text_of(o) for o in c.outputs).strip() for c in notebook.cells[2:]]
        notebooks.publish(notebook)
        figure = notebook.cells[4].outputs[0]
        self.assertEqual(sorted(figure.data), ["image/png", "text/plain"])
        self.assertIn("Four numbers", figure.metadata["image/png"]["alt"])
        self.assertEqual(notebooks.alts(figure), [figure.metadata["image/png"]["alt"]])
        self.assertEqual(shown, ["the cell panicked: as planned", "a warning", "1 2\n3 4", "no line break", "flushed"])


class CommandTest(unittest.TestCase):
    def test_check_compares_and_writes_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            (root / "notebooks/src").mkdir(parents=True)
            (root / "notebooks/src/a.md").write_text(source("1 + 1"), encoding="utf-8")

            def fake_run(notebook, *_, **__):
                notebook.cells[2].outputs = [result({"text/plain": "2"})]
                return 1.0, 2.0

            with mock.patch.object(notebooks, "run", fake_run):
                with self.assertRaisesRegex(Failure, "a.ipynb is missing"):
                    notebooks.perform(root, "a", check=True)
                notebooks.perform(root, "a", check=False)
                written = (root / "notebooks/a.ipynb").read_bytes()
                notebooks.perform(root, "a", check=True)
                notebooks.perform(root, "a", check=False)
                self.assertEqual((root / "notebooks/a.ipynb").read_bytes(), written)
                (root / "notebooks/src/a.md").write_text(source("1 + 2"), encoding="utf-8")
                with self.assertRaisesRegex(Failure, "stale: the source of cell 3"):
                    notebooks.perform(root, "a", check=True)
