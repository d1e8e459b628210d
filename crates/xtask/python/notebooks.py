"""Builds the notebooks from `notebooks/src`, runs them in the kernel and checks them.

Authors edit a notebook as jupytext Markdown, `notebooks/src/NAME.md`. It is published with its outputs as
`notebooks/NAME.ipynb`.

Tags of a code cell (```rust tags=["figure"]):
  figure    must show a figure
  fails     must fail: with a compile error, a panic, or an error through `?`
  stderr    may write to stderr
  varies    its output differs from run to run (times, or what the machine has)
  exercise  is for the learner to solve: it contains `your_turn("ID")`, and `fails` with the message of `your_turn`
  live      shows an interactive figure that is too large to publish: only its still figure is
  answer    answers the guess in the text above it (`**Guess`): readers unfold its output with "Show the output"

The solutions of NAME's exercises are in `notebooks/solutions/NAME.md`, one cell each. They run after the notebook's
last cell, in the same kernel, and the check in each of them must report that the solution is right. They are not
published.

A text cell may have a language (<!-- #region lang="ko" --> … <!-- #endregion -->). Text without a language, and all
code, belongs to every language.
"""

import argparse
import html
import itertools
import logging
import re
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from html.parser import HTMLParser
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError

import generated
from common import FIRST_CELL, ROOT, Failure, strip_ansi, temporary_progress
from kernel import group_of, kill_group

logging.getLogger("jupytext").setLevel(logging.WARNING)

# As the kernel describes itself, or JupyterLab would mark every notebook as modified as soon as it is opened.
KERNEL = {"kernelspec": {"display_name": "Rust (nchw)", "language": "rust", "name": "nchw"},
          "language_info": {"codemirror_mode": "rust", "file_extension": ".rs", "mimetype": "text/rust", "name": "Rust",
                            "pygment_lexer": "rust", "version": ""}}
TAGS = {"figure", "fails", "stderr", "varies", "exercise", "answer", "live"}
GUESS = "**Guess"
# Seconds for one cell; the slowest cells train a network.
LIMIT = 400
# Bytes of a published notebook.
MAX_SIZE = 3_500_000
WIDTH = re.compile(r'<img [^>]*width="(\d+)"')
# The still figure of an interactive one.
STILL = re.compile(r"<img [^>]*>")
SHOW = "Show the output"
# The bytes of a figure, which differ between machines.
BYTES = re.compile(r'src="data:image/png;base64,[^"]*"')
# The part of an id in a quiz form that makes it unique on a page.
FORM_ID = re.compile(r"nchw-form-[0-9a-f]+")
YOUR_TURN = re.compile(r'your_turn\("([^"]*)"\)')
CHECKED = re.compile(r'\bexercise\("([^"]*)"\)')


def build(text, name, language="en"):
    """Returns the notebook without outputs."""
    source = jupytext.reads(text, fmt="md")
    cells = []
    for cell in source.cells:
        if cell.metadata.get("lang", language) != language:
            continue
        tags = cell.metadata.get("tags", [])
        unknown = set(tags) - TAGS
        if unknown:
            raise Failure(f"cell {len(cells) + 1} has unknown tags: {', '.join(sorted(unknown))}")
        if "fails" in tags:
            # With Jupyter's own tag, Run All Cells continues after this cell.
            tags = [*tags, "raises-exception"]
        new = nbformat.v4.new_code_cell if cell.cell_type == "code" else nbformat.v4.new_markdown_cell
        cell = new(cell.source, metadata={"tags": tags} if tags else {})
        # An id that depends only on the position: a rebuilt notebook differs only where it changed.
        cell.id = f"{name}-{len(cells) + 1:03}"
        cells.append(cell)
    return nbformat.v4.new_notebook(cells=cells, metadata=KERNEL)


def title(number, cell):
    """The name of a cell in messages."""
    line = next((line for line in cell.source.splitlines() if line.strip()), "")
    return f"cell {number} (`{line}`)"


def require_first_cell(notebook):
    code = [c for c in notebook.cells if c.cell_type == "code"]
    if not code or code[0].source != FIRST_CELL:
        raise Failure(f"the first code cell must be, as in every notebook:\n{FIRST_CELL}")


def require_hidden_answers(notebook):
    """Raises `Failure` unless the first code cell after a guess, and no other cell, is tagged `answer`."""
    guess = None
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type == "markdown":
            guess = title(number, cell) if GUESS in cell.source else guess
            continue
        answers = "answer" in cell.metadata.get("tags", [])
        if guess and not answers:
            raise Failure(f"{guess} asks for a guess, so {title(number, cell)} shows the answer: tag it `answer`")
        if answers and not guess:
            raise Failure(f"{title(number, cell)} is tagged `answer`, but no text above it asks for a guess: `{GUESS}`")
        guess = None
    if guess:
        raise Failure(f"{guess} asks for a guess, but no code cell follows with the answer")


def exercises(notebook):
    """Returns the ids of the exercises in order."""
    found = []
    for number, cell in enumerate(notebook.cells, 1):
        ids = YOUR_TURN.findall(cell.source) if cell.cell_type == "code" else []
        tags = cell.metadata.get("tags", [])
        if not ids and "exercise" not in tags:
            continue
        if not {"exercise", "fails"} <= set(tags):
            raise Failure(f"{title(number, cell)} is for the learner to solve: tag it `exercise` and `fails`")
        if len(set(ids)) != 1 or CHECKED.findall(cell.source) != ids[:1]:
            raise Failure(f"{title(number, cell)} is an exercise: it must have one id, in "
                        '`your_turn("ID")` and again in `exercise("ID")`')
        if ids[0] in found:
            raise Failure(f"{title(number, cell)} is exercise {ids[0]} for the second time")
        found.append(ids[0])
    return found


def solved(notebook, text, name):
    """Returns the solution of every exercise, in the notebook's order: (id, cell)."""
    ids, solutions = exercises(notebook), {}
    for number, cell in enumerate(build(text, name).cells if text else [], 1):
        if cell.cell_type != "code":
            continue
        where = f"notebooks/solutions/{name}.md, {title(number, cell)}"
        found = CHECKED.findall(cell.source)
        if len(found) != 1 or YOUR_TURN.search(cell.source):
            raise Failure(f'{where} must solve one exercise, and check it once with `exercise("ID")`')
        if found[0] not in ids:
            raise Failure(f"{where} solves exercise {found[0]}, which the notebook does not have")
        if found[0] in solutions:
            raise Failure(f"{where} solves exercise {found[0]} for the second time")
        solutions[found[0]] = cell
    missing = [exercise for exercise in ids if exercise not in solutions]
    if missing:
        raise Failure(f"no solution in notebooks/solutions/{name}.md for exercise {', '.join(missing)}")
    return [(exercise, solutions[exercise]) for exercise in ids]


def run(notebook, folder, limit=LIMIT, solutions=()):
    """Runs all code cells and keeps their outputs; returns the seconds to the first output and to the end.

    Stops at the first cell that is wrong. The solutions run last, so that no cell can depend on one of them.
    """
    with temporary_progress():
        return run_cells(notebook, folder, limit, solutions)


def run_cells(notebook, folder, limit, solutions):
    client = NotebookClient(notebook, kernel_name="nchw", timeout=limit, startup_timeout=600,
                            allow_errors=True, record_timing=False, resources={"metadata": {"path": str(folder)}})
    start, first = time.monotonic(), None
    group = None
    try:
        with client.setup_kernel():
            group = group_of(client.km)
            for number, cell in enumerate(notebook.cells, 1):
                if cell.cell_type != "code":
                    continue
                run_cell(client, cell, number, limit)
                cell.outputs = tidy(cell.outputs)
                if cell.outputs and first is None:
                    first = time.monotonic() - start
                if complaint := judge(cell):
                    raise Failure(f"{title(number, cell)} {complaint}")
            for exercise, cell in solutions:
                run_solution(client, exercise, cell, limit)
    except RuntimeError as error:
        raise Failure(f"the kernel did not start ({error}): run `cargo xtask doctor` for the reason") from None
    finally:
        kill_group(group)
    return first or 0.0, time.monotonic() - start


def run_cell(client, cell, number, limit):
    try:
        client.execute_cell(cell, number - 1)
    except CellTimeoutError:
        raise Failure(f"{title(number, cell)} still ran after {limit} s: does it ever end?") from None
    except DeadKernelError:
        raise Failure(f"{title(number, cell)} killed the kernel") from None


def run_solution(client, exercise, cell, limit):
    # The client can run only a cell of its notebook.
    client.nb.cells.append(cell)
    try:
        run_cell(client, cell, len(client.nb.cells), limit)
    finally:
        client.nb.cells.pop()
    if complaint := judge_solution(exercise, cell):
        raise Failure(f"the solution of exercise {exercise} {complaint}")


def judge_solution(exercise, cell):
    """Describes what is wrong with a solution that has run; None if nothing is."""
    if complaint := judge(cell):
        return complaint
    shown = "\n".join(text_of(o) for o in cell.outputs)
    return None if f"✓ Exercise {exercise} is right." in shown else f"is not reported as right:\n{shown}"


def tidy(outputs):
    """Joins consecutive outputs of the same stream, which the kernel may send in any number of pieces."""
    result = []
    for output in outputs:
        if result and output.output_type == "stream" == result[-1].output_type and output.name == result[-1].name:
            result[-1].text += output.text
        else:
            result.append(output)
    return result


def text_of(output):
    if output.output_type == "stream":
        return output.text
    if output.output_type == "error":
        return strip_ansi("\n".join(output.traceback) or f"{output.ename}: {output.evalue}")
    return output.data.get("text/plain", "")


class Images(HTMLParser):
    """The alternative texts of all `<img>`; None for an image without one."""

    def __init__(self, text):
        super().__init__()
        self.alts = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        if tag == "img":
            self.alts.append(dict(attributes).get("alt") or None)


def alts(output):
    """The alternative texts of an output's images, in an output of the kernel or in a published one."""
    published = output.get("metadata", {}).get("image/png", {}).get("alt")
    return [published] if published else Images(output.get("data", {}).get("text/html", "")).alts


def judge(cell):
    """Describes what is wrong with a cell that has run; None if nothing is."""
    tags = cell.metadata.get("tags", [])
    errors = [text_of(o) for o in cell.outputs if o.output_type == "error"]
    stderr = "".join(o.text for o in cell.outputs if o.output_type == "stream" and o.name == "stderr")
    if "exercise" in tags:
        message = f"exercise {YOUR_TURN.search(cell.source)[1]} is yours: "
        return None if message in stderr else f"must fail with `{message}…`, but wrote:\n{stderr or ''.join(errors)}"
    if "fails" in tags:
        return None if errors or stderr else "must fail (tag `fails`), but did not"
    if errors:
        return f"failed:\n{errors[0]}"
    # evcxr reports success after a panic and after an error through `?`; only stderr shows them.
    if stderr and "stderr" not in tags:
        return f"wrote to stderr (a panic, an error through `?`, or a tag `stderr` is missing):\n{stderr}"
    # The crate displays this message instead of a quiz: an error would stop a class.
    if missing := next((text for o in cell.outputs if "there is no quiz `" in (text := text_of(o))), None):
        return f"names a question that does not exist:\n{missing}"
    shown = [o for o in cell.outputs if "image/png" in o.get("data", {}) or alts(o)]
    if "figure" in tags and not shown:
        return "must show a figure (tag `figure`), but shows none"
    if shown and "figure" not in tags:
        return "shows a figure: tag it `figure`"
    if any(None in alts(o) for o in shown):
        return "shows a figure without an alternative text"
    return None


def publish(notebook):
    """Keeps one copy of every figure: the PNG, with the alternative text and the width as metadata.

    The kernel sends a figure as PNG and again in HTML, which would double the file's size. Where the reader guesses
    first, only the HTML is kept, folded.
    """
    for cell in notebook.cells:
        if "live" in cell.metadata.get("tags", []):
            for output in cell.outputs:
                output.data["text/html"] = STILL.search(output.data["text/html"])[0]
        if "answer" in cell.metadata.get("tags", []) and cell.outputs:
            cell.outputs = [folded(cell.outputs)]
    for output in (o for cell in notebook.cells for o in cell.get("outputs", [])):
        if output.output_type == "error":
            # evcxr's colours are for white pages: on a dark one, the marked words could not be read.
            output.traceback = [strip_ansi(line) for line in output.traceback]
        data = output.get("data", {})
        if "image/png" in data and alts(output):
            output.metadata["image/png"] = {"alt": alts(output)[0], "width": int(WIDTH.search(data["text/html"])[1])}
            del data["text/html"]


def folded(outputs):
    """One output that shows all these outputs when the reader opens it."""
    parts = []
    for output in outputs:
        content = output.get("data", {}).get("text/html")
        # A table or a figure has HTML of its own; everything else is text.
        parts.append(content or f"<pre>{html.escape(text_of(output).rstrip())}</pre>")
    content = "\n".join(parts)
    return nbformat.v4.new_output("display_data", data={
        "text/html": f"<details><summary>{SHOW}</summary>\n\n{content}\n</details>",
        # For viewers without HTML.
        "text/plain": f"({SHOW}: run this cell)",
    })


def require_no_path(notebook, root):
    for number, cell in enumerate(notebook.cells, 1):
        if str(root) in nbformat.writes(nbformat.v4.new_notebook(cells=[cell])):
            raise Failure(f"{title(number, cell)} shows a path of this machine, {root}")


def require_light(notebook):
    """Raises `Failure` if the notebook's file is too large, which means that a figure is larger than it needs to be."""
    sizes = {n: len(nbformat.writes(nbformat.v4.new_notebook(cells=[cell]))) for n, cell in enumerate(notebook.cells, 1)}
    if sum(sizes.values()) > MAX_SIZE:
        number = max(sizes, key=sizes.get)
        raise Failure(f"the notebook has {sum(sizes.values()) / 1e6:.1f} MB, more than {MAX_SIZE / 1e6:.1f} MB; "
                      f"the largest cell, {sizes[number] / 1e6:.1f} MB, is {title(number, notebook.cells[number - 1])}")


def comparable(cell):
    """The parts of a cell that must be the same in the published notebook and in a new run."""
    tags = cell.metadata.get("tags", [])
    parts = [cell.cell_type, cell.source, tags]
    if cell.cell_type != "code":
        return parts
    streams = [output for output in cell.outputs if output.output_type == "stream"]
    for output in cell.outputs:
        # Next to a figure that varies, text is optional: without CIFAR-10, the stand-in prints a note.
        if "varies" in tags and output in streams and len(streams) < len(cell.outputs):
            continue
        parts.append([output.output_type, output.get("name"), sorted(output.get("data", {}))])
        # The compiler's messages depend on its version, and the bytes of an image on the machine.
        error = output.output_type == "error" or {"fails", "answer"} <= set(tags)
        if "varies" not in tags and not error:
            content = BYTES.sub("", FORM_ID.sub("", output.get("data", {}).get("text/html", "")))
            parts[-1] += [text_of(output), alts(output), content]
    return parts


def require_fresh(published, fresh):
    if len(published.cells) != len(fresh.cells):
        raise Failure(f"stale: the published notebook has {len(published.cells)} cells, the source {len(fresh.cells)}")
    for number, (old, new) in enumerate(zip(published.cells, fresh.cells), 1):
        for what, before, now in itertools.zip_longest(["type", "source", "tags"], comparable(old), comparable(new)):
            if before != now:
                raise Failure(f"stale: the {what or 'output'} of {title(number, new)} differs from the published one")


def write(notebook, root, path):
    text = nbformat.writes(notebook, version=nbformat.NO_CONVERT, indent=1)
    generated.write(root, path, text.rstrip("\n") + "\n")


def smaller(notebook, python):
    """The notebook with its figures in fewer bytes; `python` is the Python that has oxipng."""
    done = subprocess.run([python, "-m", "smaller"], cwd=Path(__file__).parent, input=nbformat.writes(notebook),
                          stdout=subprocess.PIPE, encoding="utf-8", check=True)
    return nbformat.reads(done.stdout, as_version=4)


def perform(root, name, check, python=None):
    """Builds and runs one notebook, then writes it or compares it; returns the notebook and its times.

    The Python that has oxipng makes the notebook smaller before it is written.
    """
    folder = root / "notebooks"
    notebook = build((folder / "src" / f"{name}.md").read_text(encoding="utf-8"), name)
    require_first_cell(notebook)
    require_hidden_answers(notebook)
    answers = folder / "solutions" / f"{name}.md"
    solutions = solved(notebook, answers.read_text(encoding="utf-8") if answers.exists() else "", name)
    published = folder / f"{name}.ipynb"
    if check and not published.exists():
        raise Failure(f"notebooks/{name}.ipynb is missing")
    if not check:
        generated.require_unedited(root, published)
    times = run(notebook, folder, solutions=solutions)
    publish(notebook)
    require_no_path(notebook, root)
    nbformat.validate(notebook)
    if check:
        old = nbformat.read(published, as_version=4)
        require_light(old)
        require_fresh(old, notebook)
    else:
        notebook = smaller(notebook, python) if python else notebook
        require_light(notebook)
        write(notebook, root, published)
    return notebook, times


def attempt(name, python):
    """Performs one notebook; returns whether it succeeded, and a line about it."""
    try:
        notebook, (first, total) = perform(ROOT, name, not python, python)
    except (Failure, generated.Edited) as failure:
        advice = f"\n        update it: cargo xtask notebooks {name}" if str(failure).startswith("stale") else ""
        return False, f"  FAIL  {name:<20}{strip_ansi(str(failure))}{advice}"
    code = sum(c.cell_type == "code" for c in notebook.cells)
    return True, f"  ok    {name:<20}{code:3} code cells, first output after {first:4.1f} s, all after {total:5.1f} s"


def orphans(folder):
    sources = {path.stem for path in (folder / "src").glob("*.md")}
    found = sorted(folder.glob("*.ipynb")) + sorted(folder.glob("solutions/*.md"))
    return [path.relative_to(folder).as_posix() for path in found if path.stem not in sources]


def chosen(folder, names):
    known = sorted(path.stem for path in (folder / "src").glob("*.md"))
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SystemExit(f"there is no notebook {', '.join(unknown)}; there are: {', '.join(known)}")
    return names or known


def main():
    parser = argparse.ArgumentParser(prog="cargo xtask notebooks")
    parser.add_argument("--publish", metavar="PYTHON", help="write the notebooks; the Python has oxipng")
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    folder, failed = ROOT / "notebooks", 0
    # Most of the time, a notebook waits for one compiler: two at once take little more than half the time. The
    # outputs that are published are those of a machine with nothing else to do.
    with ProcessPoolExecutor(1 if arguments.publish else 2) as pool:
        for succeeded, line in pool.map(attempt, chosen(folder, arguments.names), itertools.repeat(arguments.publish)):
            failed += not succeeded
            print(line, flush=True)
    if not arguments.names:
        for name in orphans(folder):
            failed += 1
            print(f"  FAIL  notebooks/{name} has no source in notebooks/src", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
