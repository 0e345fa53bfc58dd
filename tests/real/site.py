"""Workspaces of Dockerfiles on a real engine, and `orch` as a user runs it there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.helpers import write_tree
from tests.real.docker_engine import DockerEngine

ORCH = Path(sys.executable).with_name("orch")
ROOT_DOCKERFILE = (
    'FROM scratch\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "--install", "-s", "/bin"]\n'
)
SERVE = 'CMD ["httpd", "-f", "-p", "8080", "-h", "/www"]\n'
TREE = {
    "orch.toml": 'registry = "registry.example.com/team"\n[debian]\nessential = []\n',
    "base/root/Dockerfile": ROOT_DOCKERFILE,
    "base/web/Dockerfile": (
        "ARG TAG=1.2\nFROM registry.example.com/team/root:${TAG} AS base\nCOPY conf /etc/web.conf\n"
    ),
    "base/web/conf": "conf 1\n",
    "services/api/Dockerfile": f"FROM web\nCOPY www /www\n{SERVE}",
    "services/api/www/health": "ok\n",
    "services/job/Dockerfile": "FROM web AS web\nCOPY --from=root /bin/busybox /tool\nUSER 1000\n",
}
"""A root image of busybox alone, a base on it, and two services; nothing is pulled."""


@dataclass
class Ran:
    """What came of a run of `orch`."""

    code: int
    said: str
    images: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def statuses(self) -> dict[str, str]:
        return {name: image["status"] for name, image in self.images.items()}

    def with_status(self, status: str) -> set[str]:
        return {name for name, found in self.statuses.items() if found == status}


class Site:
    """A workspace on an engine; `inside` goes before what is run there."""

    def __init__(
        self, root: Path, engine: DockerEngine, busybox: Path, inside: Sequence[str] = ()
    ) -> None:
        self.root = root / "ws"
        self.report = root / "report.json"
        self.environment = {
            **os.environ,
            **engine.environment(),
            "ORCH_CACHE": str(root / "cache"),
        }
        self.inside = tuple(inside)
        self._busybox = busybox

    def write(self, files: Mapping[str, str]) -> None:
        """Write files; a folder with the root image's Dockerfile gets busybox."""
        write_tree(self.root, files)
        for path, text in files.items():
            if text == ROOT_DOCKERFILE:
                shutil.copyfile(self._busybox, (self.root / path).with_name("busybox"))
                (self.root / path).with_name("busybox").chmod(0o755)

    def command(self, *words: str) -> list[str | Path]:
        return [*self.inside, ORCH, "-C", self.root, *words]

    def orch(self, *words: str) -> Ran:
        done = subprocess.run(
            self.command(*words),
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return Ran(done.returncode, done.stderr + done.stdout)

    def build(self, *words: str) -> Ran:
        """Run `orch build` with a report."""
        self.report.unlink(missing_ok=True)
        ran = self.orch("build", "--report", str(self.report), *words)
        return self.reported(ran)

    def reported(self, ran: Ran) -> Ran:
        if self.report.is_file():
            images = json.loads(self.report.read_text())["images"]
            ran.images = {image["name"]: image for image in images}
        return ran

    def log(self, name: str) -> str:
        return (self.root / f".orch/logs/{name}.log").read_text()
