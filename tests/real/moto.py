"""Starts moto's server, which stands in for AWS, on a free port of 127.0.0.1.

Alone: `python -m tests.real.moto` prints its address and runs until interrupted.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.real.parts import keep_until_interrupted, start, stop, wait_for_words

_RUNNING = r"Running on (http://127\.0\.0\.1:\d+)"


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
            yield wait_for_words(_RUNNING, process, log, "moto")
        finally:
            stop(process)


def main() -> None:
    """Run a server until interrupted."""
    keep_until_interrupted(moto())


if __name__ == "__main__":
    main()
