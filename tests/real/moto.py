"""Starts moto's server, which stands in for AWS, on a free port of 127.0.0.1.

Alone: `python -m tests.real.moto` prints its address and runs until interrupted.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.real.parts import start, stop

_READY_WITHIN_S = 60
_RUNNING = re.compile(r"Running on (http://127\.0\.0\.1:\d+)")


@contextmanager
def moto(inside: Sequence[str] = ()) -> Iterator[str]:
    """Run a server without any content; its value is its address, `http://127.0.0.1:PORT`.

    `inside` is what goes before the command: `ip netns exec NAME` puts it into a namespace.

    Raises:
        RuntimeError: It does not start.
    """
    command = [*inside, sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with tempfile.TemporaryDirectory(prefix="orch-moto-") as name:
        log = Path(name) / "log"
        process = start(command, log)
        try:
            yield _address(process, log)
        finally:
            stop(process)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + _READY_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        found = _RUNNING.search(log.read_text(errors="replace"))
        if found:
            return found[1]
        time.sleep(0.05)
    raise RuntimeError(f"moto did not start:\n{log.read_text(errors='replace')[-4000:]}")


def main() -> None:
    """Run a server until interrupted."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with moto() as address, suppress(KeyboardInterrupt):
        print(address, flush=True)
        while True:
            time.sleep(3600)


if __name__ == "__main__":
    main()
