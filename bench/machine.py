"""What figures were taken with: machine, load, versions."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from lab import REPOSITORY, Lab


def describe(lab: Lab) -> Mapping[str, str]:
    """Return the machine and the versions, as they are shown under the tables."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "orch": commit.stdout.strip(),
        "Python": platform.python_version(),
        "processors": f"{os.cpu_count()}, {_first('/proc/cpuinfo', 'model name')}",
        "memory": _first("/proc/meminfo", "MemTotal"),
        "kernel": platform.release(),
        "load when it began": f"{os.getloadavg()[0]:.1f}",
        "Docker engine": _said(lab, ["docker", "version", "--format", "{{.Server.Version}}"]),
        "buildx": _said(lab, ["docker", "buildx", "version"]),
        "Compose": _said(lab, ["docker", "compose", "version", "--short"]),
        "make": _said(lab, ["make", "--version"]),
        "git": _said(lab, ["git", "--version"]),
        "runs": str(lab.runs),
        "command": " ".join(["bench/run.py", *sys.argv[1:]]),
    }


def _said(lab: Lab, command: list[str]) -> str:
    return lab.run(command, lab.work).partition("\n")[0].strip()


def _first(file: str, key: str) -> str:
    for line in Path(file).read_text().splitlines():
        if line.startswith(key):
            return line.partition(":")[2].strip()
    return ""
