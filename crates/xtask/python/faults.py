"""Tests set-up under faults, in a temporary clone: `cargo xtask faults`.

    faults.py --libtorch FOLDER

After each fault, set-up must say what to do, and the same command, run again, must give a working kernel. Set-up must
not remove anything that it did not make. FOLDER is a libtorch to build with, so that its 545 MB are not downloaded
again. The clone's name contains spaces and Korean letters; the clone contains only what is committed.
"""

import argparse
import contextlib
import fcntl
import http.server
import itertools
import os
import shutil
import signal
import ssl
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from common import ROOT, Failure, run_command

STEPS = ["packages", "python", "libtorch", "rust-source", "wrapper", "evcxr", "kernel", "notebooks", "program"]
# Seconds for one set-up, and between a step's first line and its interruption.
LIMIT, DELAY = 1800, 0.5


class Clone:
    """A clone of the repository, in which the faults are caused one after another."""

    def __init__(self, folder, libtorch):
        self.root = folder / "합성곱 course (1)"
        subprocess.run(["git", "clone", "--quiet", ROOT, self.root], check=True)
        # Without backtraces, the output that set-up passes on begins with the message.
        self.environment = os.environ | {"LIBTORCH": str(libtorch), "RUST_BACKTRACE": "0"}

    def start(self):
        return subprocess.Popen(["cargo", "xtask", "setup"], cwd=self.root, env=self.environment,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace",
                                start_new_session=True)

    def run(self, *command, says=(), fails=False, unset=(), prefix=(), **variables):
        """Runs `cargo xtask setup`, or another command. It must succeed or fail as expected, and its output contain `says`.

        `prefix` is put before the command; `variables` are added to its environment, and those in `unset` removed.
        """
        environment = {name: value for name, value in (self.environment | variables).items() if name not in unset}
        status, output = run_command([*prefix, "cargo", "xtask", *(command or ["setup"])], LIMIT, cwd=self.root,
                                     env=environment, start_new_session=True)
        if (status != 0) != fails:
            raise Failure(f"ended with {status}:\n{output}")
        missing = [words for words in says if words not in output]
        if missing:
            raise Failure(f"did not say {missing}:\n{output}")

    def interrupt(self, begun, how):
        """Starts set-up and interrupts it in the first step that is not in `begun`; returns the step that was running.

        Adds the steps that began to `begun`. Returns None if set-up ended without another step.
        """
        process, output = self.start(), []
        for line in process.stdout:
            output.append(line)
            step = step_of(line)
            if step and step not in begun:
                begun.add(step)
                time.sleep(DELAY)
                how(process)
                # More steps may have begun before the interruption.
                steps = [step, *filter(None, map(step_of, process.stdout))]
                begun.update(steps)
                process.wait(timeout=LIMIT)
                self.wait_for_orphans()
                return steps[-1]
        if process.wait() != 0:
            raise Failure(f"ended with {process.returncode} after interruptions in {sorted(begun)}:\n{''.join(output)}")
        return None

    def wait_for_orphans(self):
        """Waits for the processes that a killed set-up left running: they hold its lock."""
        with open(self.root / ".nchw/lock", "wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)

    def slots(self):
        """The kernels' working folders of this clone. They are in the cache, because its path contains a space."""
        cache = os.environ.get("NCHW_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nchw"
        return [folder for folder in Path(cache).glob("slots-*") if owner(folder) == str(self.root / ".nchw/kernel")]

    def packages(self):
        return next(self.root.glob(".venv/lib/python*/site-packages"))


def step_of(line):
    """The step whose beginning set-up announces in this line, or None."""
    name = line.strip().split(":")[0]
    return name if name in STEPS else None


def owner(folder):
    """The clone to which a folder of working folders belongs; None if its file is missing."""
    file = folder / "of"
    return file.read_text(encoding="utf-8", errors="surrogateescape") if file.exists() else None


def ctrl_c(process):
    """Interrupts every process of the group, as a terminal does."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)


def kill(process):
    """Kills only set-up itself (cargo has become it by `exec`); the programs that it started continue."""
    process.kill()


def program(path, script):
    """A program that runs a script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@contextlib.contextmanager
def preloaded(code):
    """The value of LD_PRELOAD that replaces functions of the C library by those in this code."""
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder) / "functions.c", Path(folder) / "functions.so"
        source.write_text(f"#include <errno.h>\n{code}\n", encoding="utf-8")
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
        yield str(library)


@contextlib.contextmanager
def package_index():
    """An index without packages, whose certificate nobody knows; yields its address and the certificate's file."""
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = Path(folder) / "certificate.pem", Path(folder) / "key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=nchw", "-days", "2",
                        "-addext", "subjectAltName=IP:127.0.0.1", "-out", certificate, "-keyout", key],
                       check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Empty)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"https://127.0.0.1:{server.server_port}/simple", certificate
        finally:
            server.shutdown()
            server.server_close()


class Empty(http.server.BaseHTTPRequestHandler):
    """Has no page."""

    def do_GET(self):
        self.send_error(404)

    def log_message(self, *_):
        pass


def unshare(option):
    """A prefix that runs a command without the network (-n) or with its own mounts (-m); None if that is not allowed."""
    prefix = ["unshare", *([] if os.geteuid() == 0 else ["-r"]), option]
    return prefix if subprocess.run([*prefix, "true"], capture_output=True).returncode == 0 else None


# The faults, in the order in which set-up meets them. Each starts from the state that the one before left.


def foreign_environment(clone):
    (clone.root / ".venv").mkdir()
    mine = clone.root / ".venv/mine.py"
    mine.write_text("", encoding="utf-8")
    clone.run(fails=True, says=["set-up did not make it", "mv "])
    if not mine.exists():
        raise Failure("the user's own .venv was removed")
    mine.unlink()
    mine.parent.rmdir()


def no_network(clone):
    prefix = unshare("-n")
    if prefix is None:
        return "skipped: unshare is not allowed here"
    clone.run(fails=True, prefix=prefix, says=["could not install Python packages", "the network is not available"],
              PIP_NO_CACHE_DIR="1")
    return None


def real_python(minor):
    """The name and the path of a Python 3 that can make environments, or None; not a script that looks for one."""
    name = f"python3.{minor}"
    code = "import sys, venv, ensurepip; print(sys.executable)"
    with contextlib.suppress(OSError):
        found = subprocess.run([name, "-c", code], capture_output=True, encoding="utf-8", check=False)
        if found.returncode == 0:
            return name, Path(found.stdout.strip())
    return None


def a_python_without_wheels(clone):
    """PyTorch has no package for `python3`: another Python is taken if there is one."""
    found = next(filter(None, map(real_python, range(14, 9, -1))), None)
    with tempfile.TemporaryDirectory() as folder:
        tools = Path(folder)
        program(tools / "python3", "echo 3.15.0")
        # Nothing else is found on this PATH, also no other Python.
        for name in ["cargo", "rustc", "rustup", "c++", "cc", "sh"]:
            if path := shutil.which(name):
                (tools / name).symlink_to(path)
        clone.run(fails=True, PATH=folder, unset=["LIBTORCH"], says=[
            "PyTorch 2.11.0 has no package for Python 3.15.0", "uv python install 3.14", "nothing has been changed yet"])
        if not found:
            return "without another Python, because none is installed"
        name, path = found
        (tools / name).symlink_to(path)
        clone.run("doctor", fails=True, PATH=folder, unset=["LIBTORCH"], says=["ok    Python", f"({tools / name})"])
        return f"also with {name}"


def a_rust_of_a_distribution(clone):
    """Rust that is not from rustup, and without its source."""
    def asked(*options):
        return Path(subprocess.check_output(["rustc", *options], encoding="utf-8").strip())

    real, host = asked("--print", "sysroot"), asked("--print", "host-tuple")
    with tempfile.TemporaryDirectory() as folder:
        usr = Path(folder) / "usr"
        program(usr / "bin/rustc", f"exec '{real}/bin/rustc' --sysroot '{usr}' \"$@\"")
        (usr / "bin/cargo").symlink_to(real / "bin/cargo")
        (usr / "lib/rustlib").mkdir(parents=True)
        (usr / "lib/rustlib" / host).symlink_to(real / "lib/rustlib" / host)
        clone.run(fails=True, PATH=f"{usr}/bin:{os.environ['PATH']}", unset=["RUSTUP_TOOLCHAIN"], says=[
            "Rust's own source is missing", "sudo apt install rust-src", "nothing has been changed yet"])


def an_unknown_certificate(clone):
    """An index of packages in a company's network; then one that has not all of them."""
    if shutil.which("openssl") is None:
        return "skipped: openssl is not installed"
    known = ["SSL_CERT_FILE", "SSL_CERT_DIR", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_FIND_LINKS"]
    with package_index() as (address, certificate):
        own = {"PIP_INDEX_URL": address, "PIP_CONFIG_FILE": os.devnull, "PIP_NO_CACHE_DIR": "1", "NO_PROXY": "127.0.0.1"}
        clone.run(fails=True, unset=known, says=["could not install Python packages", "certificate was not accepted",
                                                 "SSL_CERT_FILE=", "run the same command again"], **own)
        known.remove("SSL_CERT_FILE")
        clone.run(fails=True, unset=known, SSL_CERT_FILE=str(certificate),
                  says=["could not install Python packages", "the package index has no package", "pip config list"], **own)
    return None


def full_disk(clone):
    prefix = unshare("-m")
    if prefix is None or os.geteuid() != 0:
        return "skipped: only root may mount a small disk"
    with tempfile.TemporaryDirectory() as small:
        shell = ["sh", "-c", f"mount -t tmpfs -o size=4m none {small} && exec \"$@\"", "sh"]
        clone.run(fails=True, prefix=[*prefix, *shell], says=["a disk is full", "df -h"], TMPDIR=small,
                  PIP_NO_CACHE_DIR="1")
    return None


def another_libtorch(clone):
    with tempfile.TemporaryDirectory() as folder:
        header = Path(folder) / "include/torch/headeronly/version.h"
        header.parent.mkdir(parents=True)
        numbers = zip(["MAJOR", "MINOR", "PATCH"], [2, 10, 0])
        header.write_text("".join(f"#define TORCH_VERSION_{name} {number}\n" for name, number in numbers), encoding="utf-8")
        clone.run(fails=True, LIBTORCH=folder, says=["libtorch 2.11.0 is needed", "has 2.10.0", "unset LIBTORCH"])


def interrupted_at_every_step(clone):
    # Set-up starts from the beginning, but the downloads are in the cache.
    for step in STEPS:
        (clone.root / ".nchw/steps" / step).unlink(missing_ok=True)
    begun, interrupted = set(), {}
    for how, name in itertools.cycle([(ctrl_c, "Ctrl-C"), (kill, "killed")]):
        step = clone.interrupt(begun, how)
        if step is None:
            break
        interrupted[step] = name
    if begun != set(STEPS):
        raise Failure(f"these steps never began: {sorted(set(STEPS) - begun)}")
    clone.run("doctor", says=["kernel"])
    # A step that takes less than DELAY had ended, and the next one was interrupted.
    return "in " + ", ".join(f"{step} ({name})" for step, name in interrupted.items())


def two_at_once(clone):
    # The first one is this program: a real set-up may end before the second one begins.
    with open(clone.root / ".nchw/lock", "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        clone.run(fails=True, says=["another set-up of this clone is running", "wait"])
    clone.run(says=["Ready"])


def a_disk_without_locks(clone):
    # Cargo works without locks if the system says with this error that it has none.
    with preloaded("int flock(int file, int how) { errno = ENOTSUP; return -1; }") as library:
        clone.run(fails=True, LD_PRELOAD=library, says=["has no file locks", "this machine's own disk"])


def a_disk_without_hard_links(clone):
    """Compiled files are copied; kernels and the program work."""
    code = """
        int link(const char *a, const char *b) { errno = EPERM; return -1; }
        int linkat(int a, const char *b, int c, const char *d, int e) { errno = EPERM; return -1; }"""
    for folder in ["target", "kernel/build"]:
        shutil.rmtree(clone.root / ".nchw" / folder)
    for folder in clone.slots():
        shutil.rmtree(folder)
    with preloaded(code) as library:
        clone.run(says=["notebooks:", "program:", "Ready"], LD_PRELOAD=library)
        clone.run("doctor", says=["ok    kernel"], LD_PRELOAD=library)
    folders = [clone.root / ".nchw" / folder for folder in ("kernel/build", "target")]
    libraries = [file for folder in folders for file in folder.glob("*/debug/deps/*.rlib")]
    if not libraries:
        raise Failure("no compiled package was found")
    linked = [file.name for file in libraries if file.stat().st_size >= 65536 and file.stat().st_nlink > 1]
    if linked:
        raise Failure(f"these are hard links: {linked}")


def half_an_environment(clone):
    subprocess.run(["rm", "-r", clone.packages() / "jupyterlab"], check=True)
    clone.run(says=["python:", "Ready"])
    clone.run("doctor")


def a_broken_build(clone):
    """Truncates files, as a full disk or a power failure does."""
    for folder in [clone.root / ".nchw/kernel", *clone.slots()]:
        for library in (file for file in folder.rglob("libnchw*") if file.suffix in (".so", ".dylib")):
            library.unlink()
            library.write_bytes(b"")
    clone.run("doctor", fails=True, says=["FAIL  kernel", "to fix it: cargo xtask setup"])
    clone.run(says=["Ready"])
    clone.run("doctor")


def no_home(clone):
    clone.run(unset=["HOME"], says=["Ready"])


def a_read_only_folder_of_notebooks(clone):
    prefix, folder = unshare("-m"), clone.root / "my-notebooks"
    if prefix is None or os.geteuid() != 0:
        return "skipped: only root may mount a folder read-only"
    shell = ["sh", "-c", f"mount --bind '{folder}' '{folder}' && mount -o remount,ro,bind '{folder}' && exec \"$@\"", "sh"]
    clone.run("doctor", fails=True, prefix=[*prefix, *shell], says=["notebooks", "cannot be written"])
    return None


def windows(clone):
    """WSL, whose /proc/version says so."""
    prefix = unshare("-m")
    if prefix is None or os.geteuid() != 0:
        return "skipped: only root may replace /proc/version"
    with tempfile.TemporaryDirectory() as folder:
        version = Path(folder) / "version"
        version.write_text("Linux version 5.15.167.4-microsoft-standard-WSL2 (gcc)\n", encoding="utf-8")
        shell = ["sh", "-c", f"mount --bind '{version}' /proc/version && exec \"$@\"", "sh"]
        clone.run("doctor", prefix=[*prefix, *shell], says=["Windows Subsystem for Linux, version 2"])
    return None


def without_the_spare_kernel(clone):
    """Kernels start without the server's extension, and set-up repairs it."""
    extension = clone.root / ".venv/etc/jupyter/nchw_spare.py"
    extension.unlink()
    clone.run("doctor", says=["kernel"])
    clone.run(says=["kernel:", "Ready"])
    if not extension.exists():
        raise Failure("set-up did not install the spare kernel's extension again")


def spare_kernels(clone):
    """A killed server, an edited crate, a stale build, two servers, little memory: the tests of this clone."""
    python = clone.root / ".venv/bin/python"
    status, output = run_command([python, "-m", "unittest", "tests.test_spare"], LIMIT, env=clone.environment,
                                 cwd=clone.root / "crates/xtask/python", start_new_session=True)
    if status != 0:
        raise Failure(f"ended with {status}:\n{output}")


FAULTS = [foreign_environment, a_python_without_wheels, a_rust_of_a_distribution, no_network, an_unknown_certificate, full_disk,
          another_libtorch, interrupted_at_every_step, two_at_once, a_disk_without_locks, a_disk_without_hard_links,
          half_an_environment, without_the_spare_kernel, spare_kernels, a_broken_build, no_home,
          a_read_only_folder_of_notebooks, windows]


def main():
    parser = argparse.ArgumentParser(prog="cargo xtask faults")
    parser.add_argument("--libtorch", type=Path, required=True)
    arguments = parser.parse_args()
    # A shell starts background commands with SIGINT ignored, and their child processes would inherit this.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    failed = 0
    with tempfile.TemporaryDirectory(prefix="nchw-faults-") as folder:
        clone = Clone(Path(folder), arguments.libtorch)
        for fault in FAULTS:
            name, start = fault.__name__.replace("_", " "), time.monotonic()
            try:
                note = fault(clone)
                print(f"  ok    {name:<36}{time.monotonic() - start:5.0f} s  {note or ''}".rstrip(), flush=True)
            except Failure as failure:
                failed += 1
                print(f"  FAIL  {name:<36}{failure}", flush=True)
        for left in clone.slots():
            shutil.rmtree(left)
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
