"""The spare kernel of the Jupyter server's extension (`assets/nchw_spare.py`): who receives it, and what remains."""

import contextlib
import os
import socket
import sys
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace as Of
from unittest import mock

import psutil
from jupyter_client.manager import KernelManager

from bench.spare import SPARE, arguments, nchw_spare, wait_until_ready
from common import (FIRST_CELL, LOADER_VARIABLE, NOTEBOOKS, ROOT, JupyterLab, marked_environment, marked_processes,
                    wait_until)
from kernel import Kernel, family, group_of

# Seconds until a kernel must answer, and until its processes must end.
LIMIT, END_LIMIT = 120, 10
PORTS = ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port")


def connection():
    """A connection with ports that are free."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in PORTS]
        for probe in sockets:
            probe.bind(("127.0.0.1", 0))
        ports = {name: probe.getsockname()[1] for name, probe in zip(PORTS, sockets)}
    return {"transport": "tcp", "ip": "127.0.0.1", **ports}


class SpareTest(unittest.TestCase):
    def setUp(self):
        nchw_spare.turn_on()
        self.addCleanup(nchw_spare.turn_off)

    def warm(self, folder=NOTEBOOKS, **environment):
        """Starts a spare kernel and returns it."""
        self.assertTrue(SPARE.warm(*arguments(folder, **environment)))
        self.addCleanup(SPARE.kernel.end)
        return SPARE.kernel

    def start(self, folder=NOTEBOOKS, **environment):
        """Starts a kernel as Jupyter does; returns it."""
        kernel = SPARE.start(connection(), *arguments(folder, **environment))
        self.addCleanup(kernel.end)
        return kernel

    def assert_ended(self, processes):
        _, alive = psutil.wait_procs(processes, END_LIMIT)
        self.assertEqual(alive, [])

    def test_cells_work_in_a_kernel_that_was_a_spare_also_after_a_restart(self):
        spare = self.warm()
        wait_until_ready(spare)
        processes = family(spare.process.pid)
        with Kernel(manager=KernelManager(kernel_name="nchw"), timeout=LIMIT) as kernel:
            self.assertEqual(kernel.manager.provisioner.pid, spare.process.pid, "Jupyter received it")
            self.assertIsNone(SPARE.kernel)
            # The others take 4 s or more.
            self.assertLess(kernel.wait_until_ready(), 4)
            self.assertEqual(kernel.run(FIRST_CELL).text, "")
            output = kernel.run('Matrix::from([[1, 2], [3, 4]]).figure("Four numbers")?')
            self.assertEqual([sorted(data) for data in output.results], [["image/png", "text/html", "text/plain"]])
            reads = 'let mut line = String::new(); std::io::stdin().read_line(&mut line)?; line.trim()'
            self.assertEqual(kernel.run(reads, answer="Ada").text, '"Ada"')
            stopped = kernel.run('println!("begun"); loop {}', interrupt_after=0.1, from_output=True)
            self.assertIn("Subprocess terminated", "".join([stopped.stdout, *stopped.errors]))
            self.assertEqual(kernel.run("1 + 1").text, "2")
            # The next one starts when this one is idle; a restart receives it, with the same ports and the same key.
            wait_until(lambda: SPARE.kernel, LIMIT, "the next spare kernel did not start")
            second = SPARE.kernel.process.pid
            kernel.manager.restart_kernel(now=True)
            kernel.group = group_of(kernel.manager)
            self.assert_ended(processes)
            self.assertEqual(kernel.manager.provisioner.pid, second)
            # The client is still connected, as JupyterLab's other tabs are.
            self.assertEqual(kernel.run("1 + 1").text, "2")
            processes = family(second)
            kernel.manager.shutdown_kernel()
            self.assert_ended(processes)

    def test_only_the_same_folder_and_the_same_environment_receive_it(self):
        for folder, environment in [(ROOT, {}), (NOTEBOOKS, {"NCHW_DATA": "/another"}), (NOTEBOOKS, {"OMP_WAIT_POLICY": ""})]:
            spare = self.warm()
            processes = family(spare.process.pid)
            kernel = self.start(folder, **environment)
            self.assertIsNot(kernel, spare)
            self.assert_ended(processes)
            kernel.end()
        spare = self.warm()
        self.assertIs(self.start(JPY_SESSION_NAME="another.ipynb"), spare, "a notebook's name is no difference")

    def test_a_stale_spare_is_not_used(self):
        # A clone of which only one file of the crate exists. The working folders of its kernels are in the cache.
        with tempfile.TemporaryDirectory(prefix="nchw-", ignore_cleanup_errors=True) as folder:
            root = Path(folder) / "합성곱 course (1)"
            home, source = root / ".nchw/kernel", root / "crates/nchw/src/lib.rs"
            libtorch = root / "libtorch/libtorch.so"
            for path in (home, source.parent, libtorch.parent):
                path.mkdir(parents=True)
            for part in (ROOT / ".nchw/kernel").iterdir():
                if part.name not in ("built", "build", "slots", "spare.lock"):
                    (home / part.name).symlink_to(part)
            libraries = os.pathsep.join([arguments()[2][LOADER_VARIABLE], str(libtorch.parent)])
            environment = {"NCHW_KERNEL": str(home), LOADER_VARIABLE: libraries, "NCHW_CACHE": folder}
            changes = [lambda: None, lambda: source.write_text("// edited", encoding="utf-8"),
                       lambda: (home / "built").write_text("7", encoding="utf-8"), lambda: libtorch.write_bytes(b"new")]
            for number, change in enumerate(changes):
                spare = self.warm(**environment)
                # Until it is evcxr, it may not have looked at the files.
                wait_until(lambda pid=spare.process.pid: "evcxr" in psutil.Process(pid).name(), LIMIT, "no evcxr")
                processes = family(spare.process.pid)
                change()
                kernel = self.start(**environment)
                self.assertEqual(kernel is spare, number == 0)
                if kernel is not spare:
                    self.assert_ended(processes)
                kernel.end()
                self.assert_ended(processes)

    def test_there_is_one_for_all_servers_and_none_without_memory(self):
        spare, other = self.warm(), nchw_spare.Spare()
        other.on = True
        self.assertTrue(SPARE.warm(*arguments()))
        self.assertIs(SPARE.kernel, spare, "it is the same one")
        self.assertFalse(other.warm(*arguments()), "another server has it")
        processes = family(spare.process.pid)
        SPARE.drop()
        self.assert_ended(processes)
        with mock.patch.object(nchw_spare, "available_memory", return_value=nchw_spare.NEEDED - 1):
            self.assertFalse(other.warm(*arguments()))
        self.assertTrue(other.warm(*arguments()))
        other.drop()

    def test_a_spare_that_died_is_replaced(self):
        for replace in (self.start, self.warm):
            spare = self.warm()
            processes = family(spare.process.pid)
            spare.process.kill()
            spare.process.wait(END_LIMIT)
            kernel = replace()
            self.assertIsNot(kernel, spare)
            self.assertTrue(kernel.alive())
            self.assert_ended(processes)

    def test_without_a_program_that_knows_spares_the_kernel_starts_as_ever(self):
        manager = KernelManager(kernel_name="nchw")
        with mock.patch.object(SPARE, "start", return_value=None), Kernel(manager=manager, timeout=LIMIT) as kernel:
            self.assertEqual(kernel.run("1 + 1").text, "2")

    def test_it_is_used_only_by_a_server_that_wants_it(self):
        nchw_spare.turn_off()
        for value in ("0", ""):
            with mock.patch.dict(os.environ, NCHW_SPARE=value):
                nchw_spare._load_jupyter_server_extension(Of())
            self.assertFalse(SPARE.on)
            self.assertEqual(nchw_spare.KernelProvisionerFactory.instance().default_provisioner_name, "local-provisioner")

    def test_the_limit_of_a_container_counts(self):
        with tempfile.TemporaryDirectory() as folder:
            root, own = Path(folder), Path(folder) / "own"
            own.write_text("0::/hub/user\n", encoding="utf-8")
            group = root / "hub/user"
            group.mkdir(parents=True)
            self.assertEqual(nchw_spare.container_memory(root, own), [])
            files = {"memory.max": "max", "memory.current": "700", "memory.stat": "anon 500\ninactive_file 200\n"}
            for name, text in files.items():
                (group / name).write_text(text, encoding="utf-8")
                (group.parent / name).write_text(text.replace("max", "2000"), encoding="utf-8")
            self.assertEqual(nchw_spare.container_memory(root, own), [1500])

    def test_nothing_remains_of_a_server_that_was_killed(self):
        folder = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="nchw-", ignore_cleanup_errors=True)))
        environment = self.enterContext(marked_environment(NCHW_SPARE="1"))
        server = JupyterLab(sys.executable, NOTEBOOKS, folder, folder / "log", environment)
        self.addCleanup(server.process.wait)
        self.addCleanup(server.process.kill)

        def kernels():
            children = psutil.Process(server.process.pid).children()
            return {process.pid for process in children if process.name() in ("nchw-kernel", "evcxr_jupyter")}

        spare = wait_until(kernels, LIMIT, "the server started no spare kernel")
        notebook = {"path": "00-start.ipynb", "name": "", "type": "notebook", "kernel": {"name": "nchw"}}
        session = server.request("/api/sessions", "POST", notebook, timeout=LIMIT)
        self.assertEqual(kernels(), spare, "the first notebook receives it")
        wait_until(lambda: len(kernels()) == 2, LIMIT, "the server started no other spare kernel")
        second = kernels() - spare
        # The server answers when the new kernel does.
        server.request(f"/api/kernels/{session['kernel']['id']}/restart", "POST", {}, timeout=LIMIT)
        self.assertEqual(kernels(), second, "the restarted notebook receives it")
        server.process.kill()
        wait_until(lambda: not marked_processes(environment), END_LIMIT,
                   lambda: f"these run: {[psutil.Process(number) for number in marked_processes(environment)]}")
