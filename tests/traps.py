"""What tests of traps share: what an edit changes, git, and another host and user."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest

from orchestrator.fingerprint import Fingerprint
from tests.dockerfiles import prints_of


def changed(root: Path, before: Mapping[str, Fingerprint]) -> set[str]:
    """Return the images whose fingerprint is another than before."""
    now = prints_of(root)
    return {name for name in now if now[name].digest != before[name].digest}


def git(root: Path, *arguments: str) -> None:
    command = ["git", "-C", str(root), "-c", "protocol.file.allow=always", *arguments]
    subprocess.run(command, check=True, capture_output=True)


def be_somewhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tell the code another host's name and another user."""
    names = SimpleNamespace(sysname="Linux", nodename="x", release="1", version="1", machine="x")
    monkeypatch.setattr(os, "uname", lambda: names)
    monkeypatch.setattr(socket, "gethostname", lambda: "elsewhere")
    for function in ("getuid", "geteuid", "getgid", "getegid"):
        monkeypatch.setattr(os, function, lambda: 4711)
    for name in ("USER", "LOGNAME", "HOSTNAME", "HOME"):
        monkeypatch.setenv(name, "elsewhere")
