"""Where the real parts lie, as `tests/real/install` put them; starting and stopping daemons."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import TypeVar

HERE = Path(__file__).parent
REPOSITORY = HERE.parent.parent

_READY_WITHIN_S = 60
_STOP_WITHIN_S = 30

_Ready = TypeVar("_Ready")


class MissingPartError(Exception):
    """A real part is not installed, or cannot run here."""

    def __init__(self, part: str, why: str = "not installed") -> None:
        super().__init__(f"{part}: {why} (tests/real/install installs it)")


def parts_folder() -> Path:
    """Return the folder of the unpacked parts, `ORCH_REAL_PARTS` or below the user's cache."""
    given = os.environ.get("ORCH_REAL_PARTS")
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(given) if given else Path(cache).expanduser() / "orch-real-parts"


def find_root(version: str) -> Path:
    """Return the root file system that holds a Docker engine, `"20"` or `"26"`.

    Raises:
        MissingPartError: It is not unpacked, or this is not root.
    """
    part = f"docker engine {version}"
    if os.geteuid() != 0:
        raise MissingPartError(part, "starting one needs root")
    root = parts_folder() / f"docker-{version}"
    if not (root / "usr/sbin/dockerd").is_file():
        raise MissingPartError(part)
    return root


def find_tool(name: str) -> Path:
    """Return a program's path, from `PATH` or from the unpacked parts.

    Raises:
        MissingPartError: It is in neither.
    """
    found = shutil.which(name) or shutil.which(name, path=parts_folder() / "docker-20/usr/bin")
    if found is None:
        raise MissingPartError(name)
    return Path(found)


def start(command: Sequence[str | Path], log: Path) -> subprocess.Popen[bytes]:
    """Start a daemon in a process group of its own that dies with this thread."""
    with log.open("wb") as out:
        return subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def wait_for(
    ready: Callable[[], _Ready | None], process: subprocess.Popen[bytes], log: Path, what: str
) -> _Ready:
    """Return what `ready` gives of a daemon, once it is anything but false.

    Raises:
        RuntimeError: It ends, or takes too long; the message has the end of its log.
    """
    deadline = time.monotonic() + _READY_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        if found := ready():
            return found
        time.sleep(0.05)
    raise RuntimeError(f"{what} did not start:\n{log.read_text(errors='replace')[-4000:]}")


def wait_for_words(pattern: str, process: subprocess.Popen[bytes], log: Path, what: str) -> str:
    """Return what the first group of a pattern stands for in a daemon's log, once it is there.

    Raises:
        RuntimeError: As for `wait_for`.
    """

    def find() -> re.Match[str] | None:
        return re.search(pattern, log.read_text(errors="replace"))

    return wait_for(find, process, log, what)[1]


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask a daemon's process group to end, then make it."""
    if process.poll() is not None:
        return
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(_STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def keep_until_interrupted(part: AbstractContextManager[str], shown: str = "{}") -> None:
    """Start a part, print where it is, and stop it when this process is told to end."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with part as address, suppress(KeyboardInterrupt):
        print(shown.format(address), flush=True)
        while True:
            time.sleep(3600)
