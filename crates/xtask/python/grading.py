"""Tests an assignment with nbgrader and the course's kernel: generated, submitted and graded.

The assignment consists of exercises of the course. Ada solves them; Bob's first answer is wrong and his second one
crashes; Eve submits the notebook unchanged. The test compares their points with the expected ones.
"""

import os
import sys
from pathlib import Path

import nbformat

from common import ROOT, run_command, temporary_progress

CONFIG = """\
from nbgrader.preprocessors import Execute

c = get_config()
# nbgrader expects the error's name in the kernel's reply, but evcxr's reply to a cell that does not
# compile has none. The error is already among the cell's outputs, so nothing has to be added.
Execute.on_cell_executed = lambda self, **about: None
c.CourseDirectory.course_id = "cnn"
# Rust's comments, and the line that replaces a solution.
c.ClearSolutions.begin_solution_delimeter = "BEGIN SOLUTION"
c.ClearSolutions.end_solution_delimeter = "END SOLUTION"
c.ClearSolutions.code_stub = {"rust": "// your code"}
c.ClearHiddenTests.begin_test_delimeter = "BEGIN HIDDEN TESTS"
c.ClearHiddenTests.end_test_delimeter = "END HIDDEN TESTS"
c.Execute.timeout = 300
c.ExecutePreprocessor.timeout = 300
"""

FIRST = ':dep nchw = { path = "%s" }\nuse nchw::prelude::*;'
INPUTS = """let inputs: i64 = {
    // BEGIN SOLUTION
    24 * 8 * 12
    // END SOLUTION
};"""
# A panic writes to stderr, which nbgrader counts as a failed test.
INPUTS_TEST = 'assert!(exercise("05-3").check(inputs).is_right());'
ADDED = """fn added(maps: &Tensor) -> Result<Tensor> {
    // BEGIN SOLUTION
    Ok(maps.f_sum_dim_intlist([1].as_slice(), false, Kind::Float)?)
    // END SOLUTION
}"""
ADDED_TEST = """assert!(exercise("07-3").check_function(added)?.is_right());
// BEGIN HIDDEN TESTS
assert_eq!(added(&Tensor::ones([2, 5, 3, 4], (Kind::Float, Device::Cpu)))?.size(), [2, 3, 4]);
// END HIDDEN TESTS"""
# What each student writes in the two cells; None: nothing.
STUDENTS = {
    "ada": (INPUTS.replace("24 * 8 * 12", "2304"), ADDED),
    "bob": (INPUTS.replace("24 * 8 * 12", "24 * 40 * 56"), ADDED.replace("[1]", "[9]")),
    "eve": (None, None),
}
POINTS = {"ada": 5.0, "bob": 0.0, "eve": 0.0}


def assignment(crate):
    def cell(source, **grading):
        new = nbformat.v4.new_code_cell(source)
        if grading:
            new.metadata["nbgrader"] = {"schema_version": 3, "task": False, **grading}
        return new

    solution = {"grade": False, "solution": True, "locked": False}
    test = {"grade": True, "solution": False, "locked": True}
    return nbformat.v4.new_notebook(
        metadata={"kernelspec": {"display_name": "Rust (nchw)", "language": "rust", "name": "nchw"},
                  "language_info": {"name": "rust"}},
        cells=[cell(FIRST % crate),
               cell(INPUTS, grade_id="inputs", **solution), cell(INPUTS_TEST, grade_id="inputs-test", points=2, **test),
               cell(ADDED, grade_id="added", **solution), cell(ADDED_TEST, grade_id="added-test", points=3, **test)])


def nbgrader(course, *arguments):
    status, output = run_command([sys.executable, "-m", "nbgrader", *arguments], cwd=course)
    if status:
        sys.exit(f"nbgrader {' '.join(arguments)} failed:\n{output}")


def main():
    os.environ["JUPYTER_PATH"] = str(ROOT / ".venv/share/jupyter")
    # nbgrader looks for the program alembic in PATH.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with temporary_progress() as folder:
        course = folder / "course"
        course.mkdir()
        grade(course)


def grade(course):
    (course / "nbgrader_config.py").write_text(CONFIG, encoding="utf-8")
    (course / "source/pooling").mkdir(parents=True)
    nbformat.write(assignment(ROOT / "crates/nchw"), course / "source/pooling/pooling.ipynb")
    nbgrader(course, "generate_assignment", "pooling")
    released = nbformat.read(course / "release/pooling/pooling.ipynb", as_version=4)
    text = "\n".join(cell.source for cell in released.cells)
    if "2304" in text or "24 * 8" in text or "HIDDEN" in text or "// your code" not in text:
        sys.exit(f"the students' version still contains a solution:\n{text}")
    for student, (inputs, added) in STUDENTS.items():
        notebook = nbformat.read(course / "release/pooling/pooling.ipynb", as_version=4)
        for cell in notebook.cells:
            written = {"inputs": inputs, "added": added}.get(cell.metadata.get("nbgrader", {}).get("grade_id"))
            if written:
                cell.source = written
        folder = course / "submitted" / student / "pooling"
        folder.mkdir(parents=True)
        nbformat.write(notebook, folder / "pooling.ipynb")
    nbgrader(course, "autograde", "pooling", "--create")
    from nbgrader.api import Gradebook
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        scores = {student: book.find_submission("pooling", student).score for student in STUDENTS}
    for student, score in scores.items():
        print(f"  {student}: {score:g} of 5 points")
    if scores != POINTS:
        sys.exit(f"expected {POINTS}")
    nbgrader(course, "generate_feedback", "pooling")
    print("  generated, released, autograded, feedback written")


if __name__ == "__main__":
    main()
