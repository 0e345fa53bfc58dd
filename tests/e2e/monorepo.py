"""A small monorepo with its own package sources, and `orch` as a user types it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conftest import give_up
from tests.debs import file, folder, make_elf
from tests.e2e.archives import DebianArchive, FileServer, PythonIndex, SigningKey
from tests.real.parts import MissingPartError

ORCH = Path(sys.executable).with_name("orch")
IMAGES = ("root", "web", "api", "job")
TIMEOUT_S = 120

_MACHINES = {"amd64": 62, "arm64": 183}
_PASSWD = "root:*:0:0:root:/root:/bin/bash\nnobody:*:65534:65534:nobody:/nonexistent:/bin/false\n"
_GROUP = "root:*:0:\nnogroup:*:65534:\n"

_FILES = {
    "constraints.txt": "alpha<2\n",
    "base/root/image.toml": 'from = "debian:bookworm"\n\n[system]\npackages = ["tool"]\n',
    "base/root/requirements.txt": "alpha\n",
    "base/web/image.toml": 'from = "root"\nsummary = "what answers"\n',
    "base/web/requirements.txt": "# what answers\nbeta\n",
    "services/api/image.toml": (
        'from = "web"\n\n[[files]]\nfrom = "app"\nto = "/app"\n\n'
        '[config]\nuser = "1000"\nentrypoint = ["/opt/venv/bin/python", "/app/main.py"]\n'
    ),
    "services/api/requirements.txt": "gamma\n",
    "services/api/app/main.py": "print('api')\n",
    "services/job/image.toml": 'from = "root"\n\n[[files]]\nfrom = "run.sh"\nto = "/run.sh"\n',
    "services/job/run.sh": "#!/bin/sh\necho job\n",
}


@dataclass(frozen=True)
class Done:
    """What a run of `orch` came to."""

    code: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Home:
    """A folder with a workspace, and its cache beside it."""

    home: Path

    @property
    def root(self) -> Path:
        return self.home / "work"

    @property
    def cache(self) -> Path:
        return self.home / "cache"


@dataclass(frozen=True)
class Monorepo(Home):
    """A workspace and its cache, and its package sources beside these."""

    server: FileServer
    key: SigningKey
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def layout(self) -> Path:
        return self.root / ".orch/layout"

    @property
    def debian(self) -> DebianArchive:
        return DebianArchive(self.home / "debian", self.key)

    @property
    def python(self) -> PythonIndex:
        return PythonIndex(self.home / "python")

    def copy(self, home: Path) -> Monorepo:
        """Return a copy elsewhere: the files, the lock and the sources, no cache and no builds."""
        shutil.copytree(self.home, home, ignore=shutil.ignore_patterns("cache", ".orch"))
        made = Monorepo(home, self.server, self.key, self.env)
        made.write_settings()
        return made

    def path(self, name: str) -> Path:
        return self.root / name

    def write(self, name: str, text: str) -> Path:
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def write_settings(self, more: str = "") -> None:
        version = ".".join(map(str, sys.version_info[:2]))
        sources = self.server.url(self.home)
        self.write(
            "orch.toml",
            f'platforms = ["linux/amd64", "linux/arm64"]\n{more}\n'
            f'[python]\nversion = "{version}"\nindex-url = "{sources}/python/simple"\n'
            f'[debian]\nmirror = "{sources}/debian"\nsnapshot = "{sources}/nowhere/debian"\n'
            f'keyring = "{self.key.keyring}"\nessential = ["base-files", "base-passwd"]\n',
        )

    def environment(self, **more: str) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "ORCH_CACHE": str(self.cache),
            "DOCKER_HOST": f"unix://{self.home}/no-engine.sock",
            "NO_PROXY": "127.0.0.1",
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_EXTRA_INDEX_URL": " ",  # not empty: it stands for what this machine has set
            "PIP_FIND_LINKS": " ",
            **{name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ},
            **self.env,
            **more,
        }

    def orch(self, *arguments: str | Path, code: int = 0, **env: str) -> Done:
        """Run `orch` in the workspace; it must end with `code`, and never with a traceback."""
        done = subprocess.run(
            [ORCH, *map(str, arguments)],
            cwd=self.root,
            env=self.environment(**env),
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
        )
        said = f"orch {' '.join(map(str, arguments))} ended with {done.returncode}:\n{done.stderr}"
        assert "Traceback" not in done.stderr, said
        assert done.returncode == code, said
        return Done(done.returncode, done.stdout, done.stderr)

    def run_with_mounts(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run a shell's script that mounts what no other process sees; 99 says that it cannot."""
        done = subprocess.run(
            ["unshare", "-m", "sh", "-c", script],
            cwd=self.root,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
        )
        if "unshare failed" in done.stderr or done.returncode == 99:
            give_up(MissingPartError("a mount namespace", done.stderr.strip()))
        return done

    def start(self, *arguments: str, **env: str) -> subprocess.Popen[str]:
        """Start `orch` in a session of its own."""
        return subprocess.Popen(
            [ORCH, *arguments],
            cwd=self.root,
            env=self.environment(**env),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def build(self, *arguments: str, code: int = 0, **env: str) -> dict[str, Any]:
        """Run `orch build` and return the images of its report, by name."""
        report = self.home / "report.json"
        report.unlink(missing_ok=True)
        self.orch("build", "--report", report, *arguments, code=code, **env)
        return {image["name"]: image for image in json.loads(report.read_text())["images"]}

    def digests(self, *arguments: str, **env: str) -> dict[str, str]:
        """Build everything and return the digests, by image."""
        return {
            name: image["digest"] for name, image in self.build(*arguments, code=0, **env).items()
        }

    def check_intact(self) -> None:
        """Fail unless what is kept under a digest has it, and what is named is whole."""
        kept = [*self.layout.glob("blobs/sha256/[0-9a-f]*"), *self.cache.glob("blobs/[0-9a-f]*")]
        kept += [path for path in self.cache.glob("downloads/*/*") if not path.suffix]
        for path in kept:
            assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name, f"{path} is damaged"
        index = self.layout / "index.json"
        for entry in json.loads(index.read_text())["manifests"] if index.exists() else []:
            self._check_whole(entry)

    def _check_whole(self, descriptor: dict[str, Any]) -> None:
        blob = self.layout / "blobs" / descriptor["digest"].replace(":", "/")
        assert blob.stat().st_size == descriptor["size"]
        if descriptor["mediaType"].endswith(("manifest.v1+json", "index.v1+json")):
            content = json.loads(blob.read_text())
            inner = content.get("manifests") or [content["config"], *content["layers"]]
            for item in inner:
                self._check_whole(item)


def make_monorepo(home: Path, server: FileServer, key: SigningKey) -> Monorepo:
    """Write and lock a monorepo: `web` and `job` stand on `root`, `api` stands on `web`."""
    repo = Monorepo(home, server, key)
    for name, text in _FILES.items():
        repo.write(name, text)
    repo.write_settings()
    for architecture, machine in _MACHINES.items():
        _add_debs(repo.debian, architecture, machine)
    repo.debian.publish()
    repo.python.add_wheel("alpha", "1.0", scripts={"alpha": "alpha:main"})
    repo.python.add_wheel("alpha", "2.0")
    repo.python.add_wheel("beta", requires=["alpha"])
    repo.python.add_wheel("gamma")
    repo.orch("lock")
    return repo


def _add_debs(debian: DebianArchive, architecture: str, machine: int) -> None:
    base = [folder("./usr/"), folder("./usr/share/"), folder("./usr/share/base-passwd/")]
    passwd = [
        file("./usr/share/base-passwd/passwd.master", _PASSWD.encode()),
        file("./usr/share/base-passwd/group.master", _GROUP.encode()),
    ]
    debian.add("base-files", [folder("./tmp/", 0o1777)], architecture=architecture)
    debian.add("base-passwd", [*base, *passwd], architecture=architecture)
    library = make_elf("libdemo.so.1", machine=machine)
    debian.add("libdemo1", [file("./usr/lib/libdemo.so.1", library)], architecture=architecture)
    program = make_elf(needed=["libdemo.so.1"], machine=machine)
    debian.add(
        "tool",
        [file("./usr/bin/tool", program, 0o755)],
        architecture=architecture,
        depends="libdemo1",
    )
