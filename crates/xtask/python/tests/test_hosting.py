"""What other machines run: the images, the containers of Codespaces and VS Code, and the scripts of Binder."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import jsonschema

from common import ROOT, run_command

DOCKERFILES = ("Dockerfile", ".devcontainer/Dockerfile")

# Those properties of devcontainer.json (https://containers.dev/implementors/json_reference) that the course uses. A
# property that is not here is probably misspelt: Codespaces ignores it without a message.
TEXT, TEXTS = {"type": "string"}, {"type": "array", "items": {"type": "string"}}


def closed(required=(), **properties):
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


DEVCONTAINER = closed(
    ("name", "build", "hostRequirements", "updateContentCommand", "forwardPorts", "customizations"),
    name=TEXT, build=closed(("dockerfile",), dockerfile=TEXT), remoteUser=TEXT, updateContentCommand=TEXT,
    hostRequirements=closed(("memory", "storage"), cpus={"type": "integer"}, memory={"pattern": "^[0-9]+gb$"},
                            storage={"pattern": "^[0-9]+gb$"}),
    forwardPorts={"type": "array", "items": {"type": "integer"}},
    portsAttributes={"patternProperties": {"^[0-9]+$": closed(label=TEXT, onAutoForward={"enum": ["silent", "notify"]})},
                     "additionalProperties": False},
    customizations=closed(("vscode",), codespaces=closed(openFiles=TEXTS),
                          vscode=closed(("extensions", "settings"), extensions=TEXTS, settings={"type": "object"})))


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def read_json(name):
    """A JSON file with comments, as VS Code reads it; each comment has a line of its own."""
    return json.loads(re.sub(r"^\s*//.*$", "", read(name), flags=re.MULTILINE))


class ImageTest(unittest.TestCase):
    def test_images_are_pinned(self):
        for name in DOCKERFILES:
            images = re.findall(r"^FROM\s+(.*)$", read(name), re.MULTILINE)
            self.assertTrue(images, name)
            for image in images:
                # The tag is for people, and says what a newer one would be.
                self.assertRegex(image, r"^[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}$", f"{name}: a tag and a digest")

    def test_containers_do_not_run_as_root(self):
        for name in DOCKERFILES:
            users = re.findall(r"^USER\s+(.*)$", read(name), re.MULTILINE)
            self.assertNotIn(users[-1], ("root", "0"), name)


class DevcontainerTest(unittest.TestCase):
    def setUp(self):
        self.settings = read_json(".devcontainer/devcontainer.json")

    def test_it_has_only_known_properties(self):
        jsonschema.validate(self.settings, DEVCONTAINER)
        with self.assertRaises(jsonschema.ValidationError):
            jsonschema.validate(self.settings | {"updateContentComand": ""}, DEVCONTAINER)

    def test_what_it_names_exists(self):
        self.assertTrue((ROOT / ".devcontainer" / self.settings["build"]["dockerfile"]).is_file())
        self.assertIn(f"--uid 1000 {self.settings['remoteUser']}", read(".devcontainer/Dockerfile").replace("\\\n", ""))
        for name in self.settings["customizations"]["codespaces"]["openFiles"]:
            # Set-up copies the published notebooks to this folder.
            self.assertTrue((ROOT / "notebooks" / Path(name).name).is_file(), name)
            self.assertEqual(Path(name).parent.name, "my-notebooks")

    def test_the_forwarded_port_is_the_one_that_jupyterlab_uses_first(self):
        first = int(re.search(r"\((\d+)\.\.\d+\)\.find_map\(free\)", read("crates/xtask/src/commands/lab.rs"))[1])
        self.assertEqual(self.settings["forwardPorts"], [first])
        self.assertEqual(list(self.settings["portsAttributes"]), [str(first)])

    def test_vs_code_has_the_same_settings_everywhere(self):
        ours = self.settings["customizations"]["vscode"]
        workspace = read_json("nchw.code-workspace")
        self.assertEqual(workspace["folders"], [{"path": "."}])
        self.assertEqual(json.dumps(ours["settings"]).replace("containerWorkspaceFolder", "workspaceFolder"),
                         json.dumps(workspace["settings"]))
        self.assertEqual(ours["extensions"], read_json(".vscode/extensions.json")["recommendations"])

    def test_the_settings_name_what_set_up_makes(self):
        settings = read_json("nchw.code-workspace")["settings"]
        # rust-analyzer makes this one.
        self.assertEqual(settings.pop("rust-analyzer.cargo.targetDir"), "${workspaceFolder}/.nchw/rust-analyzer")
        paths = re.findall(r"\$\{workspaceFolder\}/([^\"]+)", json.dumps(settings))
        self.assertEqual(paths, [".venv/bin/python", ".nchw/libtorch.toml", ".nchw/libtorch"])
        for path in paths:
            self.assertTrue((ROOT / path).exists(), path)

    def test_a_user_s_own_settings_are_theirs(self):
        own = ".vscode/settings.json"
        self.assertEqual(run_command(["git", "ls-files", own], cwd=ROOT), (0, ""))
        self.assertEqual(run_command(["git", "check-ignore", own], cwd=ROOT), (0, f"{own}\n"))


class ScratchTest(unittest.TestCase):
    """The commands of the images and of Binder in a scratch folder, with a stand-in for cargo."""

    def setUp(self):
        self.root = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="nchw-"))).resolve()
        self.course, self.home = self.root / "course", self.root / "home"
        self.called = self.root / "called"
        programs = self.root / "programs"
        for folder in (self.course, self.home, programs):
            folder.mkdir()
        self.environment = {"PATH": f"{programs}:{os.defpath}", "HOME": str(self.home), "TMPDIR": str(self.root),
                            "NCHW_CACHE": str(self.home / ".cache/nchw")}
        self.kept = [".nchw/target/debug-not/x", ".nchw/target/x86_64-unknown-linux-gnu/debug/nchw", ".nchw/libtch/libtch.so",
                     ".venv/bin/python", "my-notebooks/00-start.ipynb"]
        self.removed = [".nchw/target/debug/x", *(f".nchw/target/x86_64-unknown-linux-gnu/debug/{part}/x"
                                                  for part in ("deps", "build", ".fingerprint", "incremental"))]
        self.cached = [self.home / ".cache/nchw/evcxr-1/bin/evcxr_jupyter", self.home / ".cache/nchw/compiled-1/x"]
        files = [self.course / name for name in self.kept + self.removed] + self.cached
        # Makes what set-up makes, and notes how it was called.
        lines = ["#!/bin/sh", f'echo "$PWD $* target=$CARGO_TARGET_DIR no-cache=$PIP_NO_CACHE_DIR" >> "{self.called}"',
                 *(f'mkdir -p "{file.parent}" && echo made > "{file}"' for file in files),
                 'mkdir -p "${CARGO_TARGET_DIR:-target}" && echo built > "${CARGO_TARGET_DIR:-target}/x"']
        cargo = programs / "cargo"
        cargo.write_text("\n".join(lines) + "\n", encoding="utf-8")
        cargo.chmod(0o755)

    def run_here(self, command, **variables):
        status, output = run_command(command, cwd=self.course, env=self.environment | variables)
        self.assertEqual(status, 0, output)
        return output

    def copy(self, name):
        target = self.course / name
        target.parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, target)
        return target

    def assert_only_the_build_is_removed(self):
        for name in self.kept:
            self.assertTrue((self.course / name).is_file(), f"{name} is kept")
        for name in self.removed:
            self.assertFalse((self.course / name).exists(), f"{name} is removed")
        self.assertTrue(self.cached[0].is_file(), "evcxr is kept")
        self.assertFalse(self.cached[1].exists(), "what clones share is removed")
        self.assertFalse((self.course / "target").exists())

    def test_binder_sets_up_and_keeps_the_image_small(self):
        self.run_here([self.copy("binder/postBuild")])
        folder, arguments, target, cache = self.called.read_text(encoding="utf-8").replace("xtask setup --cpu", "SETUP").split()
        self.assertEqual((folder, arguments, cache), (str(self.course), "SETUP", "no-cache=1"))
        build = Path(target.removeprefix("target="))
        self.assertEqual(build.parent, self.root, "cargo builds in a temporary folder")
        self.assertFalse(build.exists(), "which is removed")
        self.assert_only_the_build_is_removed()

    def test_binder_does_not_publish_a_failed_set_up(self):
        script = self.copy("binder/postBuild")
        (self.root / "programs/cargo").write_text("#!/bin/sh\nexit 7\n", encoding="utf-8")
        self.assertEqual(run_command([script], cwd=self.course, env=self.environment), (7, ""))
        self.assertEqual([path.name for path in self.root.iterdir() if path.name.startswith("tmp")], [])

    def test_a_visitor_of_binder_has_the_kernel_and_the_command(self):
        start, names = self.copy("binder/start"), ("JUPYTER_PATH", "JUPYTER_CONFIG_PATH", "PATH")
        show = [start, "sh", "-c", " && ".join(f'echo "${name}"' for name in names)]
        own = f"{self.course}/.venv/share/jupyter", f"{self.course}/.venv/etc/jupyter", f"{self.course}/.venv/bin"
        self.assertEqual(self.run_here(show).splitlines(), [*own[:2], f"{own[2]}:{self.environment['PATH']}"])
        before = {"JUPYTER_PATH": "/a", "JUPYTER_CONFIG_PATH": "/b"}
        self.assertEqual(self.run_here(show, **before).splitlines()[:2], [f"{own[0]}:/a", f"{own[1]}:/b"])
        self.assertEqual(subprocess.run([start, "sh", "-c", "exit 3"], env=self.environment, check=False).returncode, 3)

    def test_the_class_s_image_keeps_the_program_only(self):
        instructions = re.sub(r"\\\n", "", read("Dockerfile"))
        [command] = re.findall(r"^RUN (cargo xtask setup.*)$", instructions, re.MULTILINE)
        (self.home / ".cache/pip").mkdir(parents=True)
        self.run_here(["sh", "-c", command])
        self.assertIn("xtask setup --cpu", self.called.read_text(encoding="utf-8"))
        self.assertFalse((self.home / ".cache/pip").exists())
        self.assert_only_the_build_is_removed()

    def test_a_prebuild_of_codespaces_sets_up(self):
        self.run_here(["sh", "-c", read_json(".devcontainer/devcontainer.json")["updateContentCommand"]])
        self.assertTrue(self.called.read_text(encoding="utf-8").startswith(f"{self.course} xtask setup --cpu "))
