"""JupyterLab is reachable only from this machine with the token; downloads are checked and never executed."""

import contextlib
import json
import os
import re
import signal
import subprocess
import tempfile
import tomllib
import unittest
import urllib.error
import urllib.request
from pathlib import Path

import psutil

from common import ROOT, free_port, read_log, wait_until
from kernel import command_line, family

# Seconds until the server must answer.
LIMIT = 120
# Settings that a user may have for a server behind a proxy.
OPEN = {
    "ServerApp": {"ip": "0.0.0.0", "base_url": "/behind", "allow_remote_access": True, "allow_origin": "*", "disable_check_xsrf": True,
                  "token": "", "password": ""},
    "IdentityProvider": {"token": ""},
    "PasswordIdentityProvider": {"hashed_password": ""},
}


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect, for example to the page that asks for the token, is returned as the answer."""

    def redirect_request(self, *_):
        return None


def ask(url, data=None, **headers):
    """Returns the status and the headers of the answer; with `data`, the request is a POST."""
    request = urllib.request.Request(url, data, headers={name.replace("_", "-"): value for name, value in headers.items()})
    try:
        with urllib.request.build_opener(NoRedirect).open(request, timeout=20) as answer:
            return answer.status, answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.headers


class LabTest(unittest.TestCase):
    """`cargo xtask lab`, started by a user whose own settings allow everything."""

    @classmethod
    def setUpClass(cls):
        own = tempfile.TemporaryDirectory(prefix="nchw-")
        cls.addClassCleanup(own.cleanup)
        (Path(own.name) / "jupyter_server_config.json").write_text(json.dumps(OPEN), encoding="utf-8")
        cls.port = free_port()
        cls.progress = Path(own.name) / "progress.json"
        names = {"JUPYTER_CONFIG_DIR": own.name, "JUPYTER_RUNTIME_DIR": own.name, "NCHW_PROGRESS": str(cls.progress)}
        environment = {k: v for k, v in os.environ.items() if not k.startswith("JUPYTER")} | names
        cls.log = Path(own.name) / "log"
        command = ["cargo", "xtask", "lab", "--no-browser", "--port", str(cls.port)]
        if os.geteuid() == 0:
            command.append("--allow-root")
        with cls.log.open("w") as log:
            cls.server = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True)
        cls.addClassCleanup(cls.stop)
        cls.address = f"http://127.0.0.1:{cls.port}"
        wait_until(cls.answers, LIMIT, lambda: f"JupyterLab did not start:\n{read_log(cls.log)}")
        settings = ROOT / ".nchw/jupyter/jupyter_server_config.json"
        cls.mode = settings.stat().st_mode & 0o777, settings.parent.stat().st_mode & 0o777
        cls.token = json.loads(settings.read_text(encoding="utf-8"))["IdentityProvider"]["token"]

    @classmethod
    def answers(cls):
        if cls.server.poll() is not None:
            raise AssertionError(f"JupyterLab ended:\n{read_log(cls.log)}")
        with contextlib.suppress(OSError):
            return ask(f"{cls.address}/api")

    @classmethod
    def stop(cls):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(cls.server.pid, signal.SIGKILL)
        cls.server.wait()

    def test_it_listens_only_on_this_machine(self):
        listening = set()
        for process in family(self.server.pid):
            # The server starts short-lived processes.
            with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError):
                listening |= {socket.laddr.ip for socket in process.net_connections("inet")
                              if socket.status == psutil.CONN_LISTEN}
        self.assertEqual(listening, {"127.0.0.1"})

    def test_the_printed_address_gives_access(self):
        printed = re.findall(r"http://127\S+", read_log(self.log))
        self.assertEqual(printed, [f"{self.address}/lab/tree/00-start.ipynb?token={self.token}"])
        self.assertEqual(ask(printed[0])[0], 200)

    def test_there_is_no_access_without_the_token(self):
        for path in ["/api/contents", "/api/kernels", "/api/terminals", "/files/00-start.ipynb", "/lab"]:
            for headers in [{}, {"Authorization": "token "}, {"Authorization": "token wrong"}]:
                status, answer = ask(self.address + path, **headers)
                self.assertTrue(status == 403 or status == 302 and "/login?" in answer["Location"], (path, status))
        self.assertEqual(ask(f"{self.address}/api/contents", Authorization=f"token {self.token}")[0], 200)
        self.assertGreaterEqual(len(self.token), 48)

    def test_answers_in_forms_are_noted_for_the_user_alone(self):
        address, known = f"{self.address}/nchw/answers", {"Authorization": f"token {self.token}"}
        answer = b'{"id": "a2", "right": true}'
        self.assertEqual(ask(address, answer)[0], 403)
        self.assertIn(ask(address, answer, Origin="http://evil.example")[0], (403, 404))
        for wrong in [b"", b"[]", b"7", b"{", b'{"id": "../a2", "right": true}', b'{"id": "a2", "right": "yes"}', b'{"id": "a2"}']:
            self.assertEqual(ask(address, wrong, **known)[0], 400, wrong)
        noted = Path(f"{self.progress}.forms")
        self.assertFalse(noted.exists())
        self.assertEqual(ask(address, answer, **known)[0], 200)
        self.assertEqual(ask(address, answer.replace(b"true", b"false"), **known)[0], 200)
        # `attempts_in_forms_are_added` in progress.rs reads such lines.
        self.assertEqual(noted.read_text(encoding="utf-8"), '{"id": "a2", "right": true}\n{"id": "a2", "right": false}\n')

    def test_another_website_has_no_access(self):
        known = {"Authorization": f"token {self.token}"}
        # A name of another site may resolve to this machine.
        self.assertEqual(ask(f"{self.address}/api/contents", Host="evil.example", **known)[0], 403)
        status, headers = ask(f"{self.address}/api/contents", Origin="http://evil.example")
        self.assertIn(status, (403, 404))
        self.assertIsNone(headers["Access-Control-Allow-Origin"])

    def test_only_the_user_can_read_the_token(self):
        self.assertEqual(self.mode, (0o600, 0o700))
        for process in family(self.server.pid):
            self.assertNotIn(self.token, command_line(process), "every user can see the command line")

    def test_root_is_warned(self):
        log = read_log(self.log)
        self.assertEqual("You are root" in log, os.geteuid() == 0, log)
        self.assertEqual("--allow-root" in " ".join(map(command_line, family(self.server.pid))), os.geteuid() == 0)


class SourceTest(unittest.TestCase):
    def sources(self, *suffixes):
        folders = [*(ROOT / "crates").glob("*/src"), ROOT / "crates/xtask/python"]
        for path in (path for folder in folders for path in folder.rglob("*")):
            if path.suffix in suffixes and path != Path(__file__).resolve():
                yield path.relative_to(ROOT), path.read_text(encoding="utf-8")

    def test_nothing_is_downloaded_without_tls(self):
        # A server on this machine, the name of an XML namespace, and the examples in tests.
        allowed = re.compile(r"http://(127\.0\.0\.1|localhost|www\.w3\.org|www\.sitemaps\.org/schemas|\{|NAME:PASSWORD@|proxy|[\w.]*example|…)")
        for path, text in self.sources(".rs", ".py", ".js"):
            for line in text.splitlines():
                self.assertEqual(line.count("http://"), len(allowed.findall(line)), f"{path}: {line}")

    def test_every_package_from_pip_npm_and_cargo_has_a_hash(self):
        for path, text in self.sources(".rs"):
            for install in re.findall(r'"pip",\s*"install"(.{60})', text, re.DOTALL):
                self.assertIn('"--require-hashes"', install, path)
        for lock in (ROOT / "requirements").glob("*.lock"):
            for line in re.findall(r"^[\w.-]+(?:\[.*\])?==.*", lock.read_text(encoding="utf-8"), re.MULTILINE):
                self.assertTrue(line.rstrip().endswith("\\"), f"{lock.name}: {line} has no hash")
        packages = json.loads((ROOT / "requirements/package-lock.json").read_text(encoding="utf-8"))["packages"]
        for name, package in packages.items():
            self.assertTrue(not name or package["integrity"].startswith("sha512-"), name)
        for package in tomllib.loads((ROOT / "Cargo.lock").read_text(encoding="utf-8"))["package"]:
            self.assertTrue("checksum" in package or "source" not in package, package)

    def test_data_is_never_executed(self):
        # Python's pickles and TorchScript can contain programs; the course's weights are safetensors.
        program = re.compile(r"\bpickle\b|\btorch\.load\b|\bCModule\b|\bload_multi\b|\beval\(|\bexec\(")
        for path, text in self.sources(".rs", ".py"):
            found = [line for line in text.splitlines() if program.search(line) and ".exec(" not in line]
            self.assertEqual(found, [], path)

    def test_published_outputs_contain_no_secret_and_no_home_folder(self):
        secret = re.compile(r"[?&]token=|/(?:home|root|Users)/\w|\bghp_\w{20}|\bhf_\w{20}|\bAKIA\w{12}|PRIVATE KEY")
        for notebook in sorted((ROOT / "notebooks").glob("*.ipynb")):
            for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
                for output in cell.get("outputs", []):
                    # The base64 text of an image could match by accident.
                    data = {k: v for k, v in output.get("data", {}).items() if not k.startswith("image/")}
                    text = re.sub(r"base64,[\w+/=]+", "", json.dumps({**output, "data": data}))
                    self.assertIsNone(secret.search(text), f"{notebook.name}: {cell['id']}")
