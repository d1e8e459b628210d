"""The kernel "Rust (nchw)" and a Jupyter that comes, asks and leaves as it likes."""

import contextlib
import re
import subprocess
import sys
import time
import unittest
from pathlib import Path

import psutil
import zmq
from jupyter_client.manager import KernelManager

import kernel_probe
import kernels

ROOT = Path(__file__).resolve().parents[3]
# Seconds until the kernel must answer, and until what it started must be gone.
LIMIT, GONE_LIMIT = 120, 10


@contextlib.contextmanager
def a_kernel():
    manager = KernelManager(kernel_name="nchw")
    manager.start_kernel(cwd=ROOT / "notebooks")
    group = kernels.group_of(manager)
    try:
        yield manager
    finally:
        if manager.has_kernel:
            manager.shutdown_kernel(now=True)
        kernels.kill_group(group)


def ask_and_leave(manager):
    """As JupyterLab does it: asks on two connections until there is one answer, and hangs up on all the others."""
    channels, answers, end = [manager.connect_shell(), manager.connect_control()], zmq.Poller(), time.monotonic() + LIMIT
    for channel in channels:
        answers.register(channel, zmq.POLLIN)
    while time.monotonic() < end:
        for channel in channels:
            manager.session.send(channel, "kernel_info_request")
        if answers.poll(50):
            break
    for channel in channels:
        channel.close(0)


def printed(manager, code):
    client, out = manager.client(), []
    client.start_channels()
    try:
        client.wait_for_ready(timeout=LIMIT)
        client.execute_interactive(code, timeout=LIMIT, output_hook=lambda m: out.append(m["content"].get("text", "")))
    finally:
        client.stop_channels()
    return "".join(out).strip()


class KernelTest(unittest.TestCase):
    def test_it_outlives_who_asks_and_leaves_before_the_answer(self):
        for _ in range(3):
            with a_kernel() as manager:
                ask_and_leave(manager)
                self.assertEqual(printed(manager, 'println!("{}", 1 + 1);'), "2")
                self.assertTrue(manager.is_alive())

    def test_nothing_is_left_of_it_when_it_was_shut_down_or_killed(self):
        for now in (False, True):
            with a_kernel() as manager:
                printed(manager, "1 + 1")
                family = psutil.Process(manager.provisioner.pid).children(recursive=True)
                self.assertTrue(any("--relay" in kernels.command_of(process) for process in family), "the relay is among them")
                manager.shutdown_kernel(now=now)
                _, alive = psutil.wait_procs(family, GONE_LIMIT)
                # What runs the cells may still be in one when evcxr is killed.
                self.assertEqual([p for p in alive if "--relay" in kernels.command_of(p) or not now], [])

    def test_tab_completes_and_shift_tab_explains_all_that_the_prelude_gives(self):
        prelude = (ROOT / "crates/nchw/src/prelude.rs").read_text(encoding="utf-8")
        ours = re.search(r"pub use crate::\{(.*?)\n\};", prelude, re.DOTALL)[1]
        names = set(re.findall(r"\b(\w+)\b(?!::)", ours)) - {"self"}
        self.assertLessEqual({"Image", "LectureNet", "quiz_form", "see", "train"}, names)
        with a_kernel() as manager:
            printed(manager, kernel_probe.FIRST)
            client = manager.client()
            client.start_channels()
            try:
                client.wait_for_ready(timeout=LIMIT)
                completed = client.complete("Image::op", reply=True, timeout=LIMIT)["content"]["matches"]
                self.assertTrue(any(match.startswith("open") for match in completed), completed)
                for name in sorted(names):
                    shown = client.inspect(name, len(name), reply=True, timeout=LIMIT)["content"]
                    # What it is, and the example of its docs.
                    self.assertRegex(shown["data"].get("text/plain", ""), "(?s)nchw.*(use nchw|let |assert)", name)
            finally:
                client.stop_channels()

    def test_the_probe_does_not_wait_for_a_kernel_that_died(self):
        # Nor where nobody reads what it says any more: set-up was killed.
        waits = ("import kernel_probe, threading, time; from types import SimpleNamespace as Of\n"
                 "dead = Of(provisioner=Of(process=Of(poll=lambda: 9)))\n"
                 "threading.Thread(target=kernel_probe.watch, args=(dead, None, threading.Event())).start()\n"
                 f"time.sleep({LIMIT})")
        for read in (True, False):
            probe = subprocess.Popen([sys.executable, "-c", waits], cwd=Path(__file__).parent, text=True,
                                     stderr=subprocess.PIPE)
            if not read:
                probe.stderr.close()
            self.assertEqual(probe.wait(GONE_LIMIT), 1)
            if read:
                self.assertEqual(probe.stderr.read().strip(), "the kernel died")
                probe.stderr.close()


if __name__ == "__main__":
    unittest.main()
