"""Builds the notebooks from `notebooks/src`, runs them through the real kernel, checks them.

A notebook is edited as jupytext Markdown, `notebooks/src/NAME.md`, and is
published with its outputs as `notebooks/NAME.ipynb`.

Tags of a code cell (```rust tags=["figure"]):
  figure   a picture is due
  fails    is meant to fail: compile error, panic, or an error through `?`
  stderr   may write to stderr
  varies   its text differs from run to run (times, what the machine has)
  exercise is the learner's to write: it holds `your_turn("ID")`, and `fails` with its message

The solutions of NAME's exercises are in `notebooks/solutions/NAME.md`, one cell
each. They run after the notebook's last cell, in the same kernel, and every
check in them must say that it is right. They are not published.

A text cell may carry a language (<!-- #region lang="ko" --> … <!-- #endregion -->);
text without one, and all code, belongs to every language.
"""

import argparse
import logging
import re
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError

import kept
import kernels

FIRST_CELL = ':dep nchw = { path = "../crates/nchw" }\nuse nchw::prelude::*;'
logging.getLogger("jupytext").setLevel(logging.WARNING)

KERNEL = {"kernelspec": {"display_name": "Rust (nchw)", "language": "rust", "name": "nchw"},
          "language_info": {"file_extension": ".rs", "mimetype": "text/rust", "name": "Rust", "version": ""}}
TAGS = {"figure", "fails", "stderr", "varies", "exercise"}
# Seconds for one cell: the longest trains a network on whatever machine this is.
LIMIT = 400
# Bytes of a published notebook.
LARGEST = 3_500_000
WIDTH = re.compile(r'<img [^>]*width="(\d+)"')
# What makes the parts of a quiz form unique on a page.
FORM = re.compile(r"nchw-form-[0-9a-f]+")
YOURS = re.compile(r'your_turn\("([^"]*)"\)')
CHECKED = re.compile(r'\bexercise\("([^"]*)"\)')


class Wrong(Exception):
    """What is wrong with a notebook, in words for its author."""


def build(text, name, language="en"):
    """The notebook without outputs."""
    source = jupytext.reads(text, fmt="md")
    cells = []
    for cell in source.cells:
        if cell.metadata.get("lang", language) != language:
            continue
        tags = cell.metadata.get("tags", [])
        unknown = set(tags) - TAGS
        if unknown:
            raise Wrong(f"cell {len(cells) + 1} has tags nobody knows: {', '.join(sorted(unknown))}")
        if "fails" in tags:
            # Jupyter's own word for it: whoever runs all cells, or looks for broken ones, goes on.
            tags = [*tags, "raises-exception"]
        new = nbformat.v4.new_code_cell if cell.cell_type == "code" else nbformat.v4.new_markdown_cell
        cell = new(cell.source, metadata={"tags": tags} if tags else {})
        # The same id for the same place, so that a rebuilt notebook differs only where it changed.
        cell.id = f"{name}-{len(cells) + 1:03}"
        cells.append(cell)
    return nbformat.v4.new_notebook(cells=cells, metadata=KERNEL)


def title(number, cell):
    """How messages name a cell."""
    line = next((line for line in cell.source.splitlines() if line.strip()), "")
    return f"cell {number} (`{line}`)"


def require_first_cell(notebook):
    code = [c for c in notebook.cells if c.cell_type == "code"]
    if not code or code[0].source != FIRST_CELL:
        raise Wrong(f"the first code cell must be, as in every notebook:\n{FIRST_CELL}")


def exercises(notebook):
    """The ids of the exercises that the learner has to solve, in order."""
    found = []
    for number, cell in enumerate(notebook.cells, 1):
        ids = YOURS.findall(cell.source) if cell.cell_type == "code" else []
        tags = cell.metadata.get("tags", [])
        if not ids and "exercise" not in tags:
            continue
        if not {"exercise", "fails"} <= set(tags):
            raise Wrong(f"{title(number, cell)} is the learner's to write: tag it `exercise` and `fails`")
        if len(set(ids)) != 1 or CHECKED.findall(cell.source) != ids[:1]:
            raise Wrong(f"{title(number, cell)} is an exercise: it must have one id, in "
                        '`your_turn("ID")` and again in `exercise("ID")`')
        if ids[0] in found:
            raise Wrong(f"{title(number, cell)} is exercise {ids[0]} for the second time")
        found.append(ids[0])
    return found


def solved(notebook, text, name):
    """The solution of every exercise, in the notebook's order: (id, cell)."""
    ids, solutions = exercises(notebook), {}
    for number, cell in enumerate(build(text, name).cells if text else [], 1):
        if cell.cell_type != "code":
            continue
        where = f"notebooks/solutions/{name}.md, {title(number, cell)}"
        found = CHECKED.findall(cell.source)
        if len(found) != 1 or YOURS.search(cell.source):
            raise Wrong(f'{where} must solve one exercise, and check it once with `exercise("ID")`')
        if found[0] not in ids:
            raise Wrong(f"{where} solves exercise {found[0]}, which the notebook does not have")
        if found[0] in solutions:
            raise Wrong(f"{where} solves exercise {found[0]} for the second time")
        solutions[found[0]] = cell
    missing = [exercise for exercise in ids if exercise not in solutions]
    if missing:
        raise Wrong(f"no solution in notebooks/solutions/{name}.md for exercise {', '.join(missing)}")
    return [(exercise, solutions[exercise]) for exercise in ids]


def run(notebook, folder, limit=LIMIT, solutions=()):
    """Runs all code cells and keeps their outputs. Seconds to the first output, and in all.

    Stops at the first cell that is wrong. The solutions run after all else, so
    that no cell of the notebook can live on what one of them leaves behind.
    """
    with kernels.own_progress():
        return run_cells(notebook, folder, limit, solutions)


def run_cells(notebook, folder, limit, solutions):
    client = NotebookClient(notebook, kernel_name="nchw", timeout=limit, startup_timeout=600,
                            allow_errors=True, record_timing=False, resources={"metadata": {"path": str(folder)}})
    start, first = time.monotonic(), None
    group = None
    try:
        with client.setup_kernel():
            group = kernels.group_of(client.km)
            for number, cell in enumerate(notebook.cells, 1):
                if cell.cell_type != "code":
                    continue
                run_cell(client, cell, number, limit)
                cell.outputs = tidy(cell.outputs)
                if cell.outputs and first is None:
                    first = time.monotonic() - start
                complaint = judge(cell)
                if complaint:
                    raise Wrong(f"{title(number, cell)} {complaint}")
            for exercise, cell in solutions:
                run_solution(client, exercise, cell, limit)
    except RuntimeError as error:
        raise Wrong(f"the kernel did not start ({error}): `cargo xtask doctor` says why") from None
    finally:
        kernels.kill_group(group)
    return first or 0.0, time.monotonic() - start


def run_cell(client, cell, number, limit):
    try:
        client.execute_cell(cell, number - 1)
    except CellTimeoutError:
        raise Wrong(f"{title(number, cell)} still ran after {limit} s: does it ever end?") from None
    except DeadKernelError:
        raise Wrong(f"{title(number, cell)} killed the kernel") from None


def run_solution(client, exercise, cell, limit):
    # The client counts on the cell being one of its notebook's.
    client.nb.cells.append(cell)
    try:
        run_cell(client, cell, len(client.nb.cells), limit)
    finally:
        client.nb.cells.pop()
    complaint = judge_solution(exercise, cell)
    if complaint:
        raise Wrong(f"the solution of exercise {exercise} {complaint}")


def judge_solution(exercise, cell):
    """What is wrong with a solution that has run, or None."""
    complaint = judge(cell)
    if complaint:
        return complaint
    shown = "\n".join(text_of(o) for o in cell.outputs)
    return None if f"✓ Exercise {exercise} is right." in shown else f"is not said to be right:\n{shown}"


def tidy(outputs):
    """Joins what the kernel sent in pieces, and drops what differs for no reason."""
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
        return plain("\n".join(output.traceback) or f"{output.ename}: {output.evalue}")
    return output.data.get("text/plain", "")


def plain(text):
    """Without the terminal's colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


class Pictures(HTMLParser):
    """The alternative texts of all `<img>`; None where one is missing."""

    def __init__(self, html):
        super().__init__()
        self.alts = []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        if tag == "img":
            self.alts.append(dict(attributes).get("alt") or None)


def alts(output):
    """The alternative texts of an output's pictures, as the kernel sends it or as it is published."""
    published = output.get("metadata", {}).get("image/png", {}).get("alt")
    return [published] if published else Pictures(output.get("data", {}).get("text/html", "")).alts


def judge(cell):
    """What is wrong with a cell that has run, or None."""
    tags = cell.metadata.get("tags", [])
    errors = [text_of(o) for o in cell.outputs if o.output_type == "error"]
    stderr = "".join(o.text for o in cell.outputs if o.output_type == "stream" and o.name == "stderr")
    if "exercise" in tags:
        exercise = YOURS.search(cell.source).group(1)
        says = f"exercise {exercise} is yours: "
        return None if says in stderr else f"was meant to say `{says}…`, and said:\n{stderr or ''.join(errors)}"
    if "fails" in tags:
        return None if errors or stderr else "was meant to fail, and did not"
    if errors:
        return f"failed:\n{errors[0]}"
    # evcxr answers "ok" to a panic and to an error through `?`; only stderr tells.
    if stderr and "stderr" not in tags:
        return f"wrote to stderr (a panic, an error through `?`, or a tag `stderr` is missing):\n{stderr}"
    shown = [o for o in cell.outputs if "image/png" in o.get("data", {}) or alts(o)]
    if "figure" in tags and not shown:
        return "shows no picture, and one is due"
    if shown and "figure" not in tags:
        return "shows a picture: tag it `figure`"
    if any(None in alts(o) for o in shown):
        return "shows a picture without an alternative text"
    return None


def publish(notebook):
    """Keeps one copy of every picture: the PNG, which every viewer shows, with the rest as its metadata.

    The kernel sends a picture as HTML, too, for its alternative text and size; that is half of the file.
    """
    for output in (o for cell in notebook.cells for o in cell.get("outputs", [])):
        data = output.get("data", {})
        if "image/png" in data and alts(output):
            output.metadata["image/png"] = {"alt": alts(output)[0], "width": int(WIDTH.search(data["text/html"])[1])}
            del data["text/html"]


def require_no_path(notebook, root):
    for number, cell in enumerate(notebook.cells, 1):
        if str(root) in nbformat.writes(nbformat.v4.new_notebook(cells=[cell])):
            raise Wrong(f"{title(number, cell)} shows a path of this machine, {root}")


def require_light(notebook):
    """Every clone carries it, and a browser opens it: what is heavy is a picture larger than it needs to be."""
    sizes = {n: len(nbformat.writes(nbformat.v4.new_notebook(cells=[cell]))) for n, cell in enumerate(notebook.cells, 1)}
    if sum(sizes.values()) > LARGEST:
        number = max(sizes, key=sizes.get)
        raise Wrong(f"{sum(sizes.values()) / 1e6:.1f} MB are more than the {LARGEST / 1e6:.1f} MB a notebook may have; "
                    f"the heaviest, {sizes[number] / 1e6:.1f} MB, is {title(number, notebook.cells[number - 1])}")


def essence(cell):
    """What must be the same in a published notebook and a fresh run."""
    tags = cell.metadata.get("tags", [])
    known = [cell.cell_type, cell.source, tags]
    if cell.cell_type != "code":
        return known
    streams = [output for output in cell.outputs if output.output_type == "stream"]
    for output in cell.outputs:
        # Beside a figure that varies, a line may stand or not: the stand-in for a missing data set says so.
        if "varies" in tags and output in streams and len(streams) < len(cell.outputs):
            continue
        known.append([output.output_type, output.get("name"), sorted(output.get("data", {}))])
        # A compiler's words change with its version, a picture's bytes with the machine.
        if "varies" not in tags and output.output_type != "error":
            html = FORM.sub("", output.get("data", {}).get("text/html", ""))
            known[-1] += [text_of(output), alts(output), html]
    return known


def require_fresh(published, fresh):
    if len(published.cells) != len(fresh.cells):
        raise Wrong(f"stale: {len(published.cells)} cells are published, the source has {len(fresh.cells)}")
    for number, (old, new) in enumerate(zip(published.cells, fresh.cells), 1):
        before, now = essence(old), essence(new)
        if before != now:
            place = next((i for i, (a, b) in enumerate(zip(before, now)) if a != b), None)
            what = ["kind", "text", "tags"][place] if place is not None and place < 3 else "output"
            raise Wrong(f"stale: {title(number, new)} is published with another {what}")


def write(notebook, root, path):
    text = nbformat.writes(notebook, version=nbformat.NO_CONVERT, indent=1)
    kept.write(root, path, text.rstrip("\n") + "\n")


def perform(root, name, check):
    """Builds and runs one notebook, and writes or compares it: its times."""
    folder = root / "notebooks"
    notebook = build((folder / "src" / f"{name}.md").read_text(encoding="utf-8"), name)
    require_first_cell(notebook)
    answers = folder / "solutions" / f"{name}.md"
    solutions = solved(notebook, answers.read_text(encoding="utf-8") if answers.exists() else "", name)
    published = folder / f"{name}.ipynb"
    if check and not published.exists():
        raise Wrong(f"notebooks/{name}.ipynb is missing")
    if not check:
        kept.require_unedited(root, published)
    times = run(notebook, folder, solutions=solutions)
    publish(notebook)
    require_no_path(notebook, root)
    require_light(notebook)
    nbformat.validate(notebook)
    if check:
        require_fresh(nbformat.read(published, as_version=4), notebook)
    else:
        write(notebook, root, published)
    return notebook, times


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
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    folder = arguments.root / "notebooks"
    failed = 0
    for name in chosen(folder, arguments.names):
        try:
            notebook, (first, total) = perform(arguments.root, name, arguments.check)
            code = sum(c.cell_type == "code" for c in notebook.cells)
            print(f"  ok    {name:<20}{code:3} code cells, first output after {first:4.1f} s, all after {total:5.1f} s",
                  flush=True)
        except (Wrong, kept.Edited) as wrong:
            failed += 1
            again = "" if not str(wrong).startswith("stale") else f"\n        renew it: cargo xtask notebooks {name}"
            print(f"  FAIL  {name:<20}{plain(str(wrong))}{again}", flush=True)
    if not arguments.names:
        for name in orphans(folder):
            failed += 1
            print(f"  FAIL  notebooks/{name} has no source in notebooks/src", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
