"""An extension of the Jupyter server: it counts the answers that learners give in quiz forms.

A form is checked on the page, where no kernel is involved. Its script reports each attempt to this server, and
`quiz::progress()` in a notebook reads the reports (`crates/nchw/src/quiz/progress.rs`). They are lines of JSON in a file
next to the learner's progress, which only the course itself rewrites.
"""

import json
import os
import re
from pathlib import Path

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from tornado import web

# Far more than a course has; a runaway script must not fill the disk.
LARGEST_FILE = 1_000_000


def answers_file():
    """The file of the reports, next to the file that `progress::file()` names."""
    named = os.environ.get("NCHW_PROGRESS")
    if named:
        return Path(named + ".forms")
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state"
    return Path(state) / "nchw" / "progress.json.forms"


class AnswerHandler(APIHandler):
    """`POST /nchw/answers` with `{"id": "a2", "right": true}`."""

    auth_resource = "contents"

    @web.authenticated
    @authorized
    def post(self):
        body = self.get_json_body()
        quiz, right = (body.get("id"), body.get("right")) if isinstance(body, dict) else (None, None)
        if not (isinstance(quiz, str) and re.fullmatch(r"[a-z0-9-]{1,40}", quiz) and isinstance(right, bool)):
            raise web.HTTPError(400, 'expected {"id": "a2", "right": true}')
        file = answers_file()
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with open(file, "a", encoding="utf-8") as lines:
                if lines.tell() > LARGEST_FILE:
                    raise web.HTTPError(507, f"{file} is full")
                # One short write to a file opened for appending: two servers do not mix their lines.
                lines.write(json.dumps({"id": quiz, "right": right}) + "\n")
        except OSError as error:
            raise web.HTTPError(500, f"{file} cannot be written: {error.strerror}") from error
        self.finish({})


def _jupyter_server_extension_points():
    return [{"module": "nchw_answers"}]


def _load_jupyter_server_extension(server):
    path = url_path_join(server.web_app.settings["base_url"], "nchw/answers")
    server.web_app.add_handlers(".*$", [(path, AnswerHandler)])
