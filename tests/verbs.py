"""`orch` run in a test's own process, as its command line, and homes without credentials."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli import main


@dataclass(frozen=True)
class Ran:
    """What a run of `orch` came to."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)


Orch = Callable[..., Ran]


def exit_code(*arguments: str | Path) -> int:
    """Run `orch`, and return how it ended; SIGTERM is then handled as it was before."""
    handler = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(SystemExit) as ended:
            main(list(map(str, arguments)))
    finally:
        signal.signal(signal.SIGTERM, handler)
    return int(ended.value.code or 0)


def run_orch(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> Ran:
    """Run `orch`, which never ends with a traceback."""
    capsys.readouterr()
    code = exit_code(*arguments)
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err
    return Ran(code, printed.out, printed.err)


def orch_in(root: Path, capsys: pytest.CaptureFixture[str]) -> Orch:
    """Return `orch -C ROOT ...` as a function."""
    return lambda *arguments: run_orch(capsys, "-C", root, *arguments)


def forget_credentials(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """Have a home in which nothing says how to log in to a registry."""
    for name in ("DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
