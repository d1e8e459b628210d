"""Stores the PNG images of a notebook in fewer bytes, without loss: the notebook on stdin, the smaller one on stdout.

Runs in `.venv-publish`, which has oxipng. Only authors need it, so it isn't a part of `.venv`. The course's own encoder
is fast, because a learner waits for it; this one takes its time.
"""

import base64
import json
import re
import sys

import oxipng

URL = re.compile(r'(?<="data:image/png;base64,)[^"]*(?=")')


def smaller(image):
    """The same image in fewer bytes, both as base64. oxipng doesn't know animations: they stay as they are."""
    png = base64.b64decode(image)
    if b"acTL" not in png:
        png = oxipng.optimize_from_memory(png, level=4)
    return base64.b64encode(png).decode("ascii")


def main():
    notebook = json.load(sys.stdin)
    for output in (output for cell in notebook["cells"] for output in cell.get("outputs", [])):
        data = output.get("data", {})
        if "image/png" in data:
            data["image/png"] = smaller(data["image/png"])
        if "text/html" in data:
            data["text/html"] = URL.sub(lambda found: smaller(found[0]), "".join(data["text/html"]))
    json.dump(notebook, sys.stdout)


if __name__ == "__main__":
    main()
