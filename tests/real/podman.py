"""Starts Podman behind a socket that speaks Docker's API, without BuildKit and without a network.

Alone: `python -m tests.real.podman` prints its address and runs until interrupted.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.real.parts import MissingPartError, find_tool, start, stop

_READY_WITHIN_S = 30
_CONFIG = '[containers]\ncgroups = "disabled"\nnetns = "none"\n'
_STORAGE = """\
[storage]
driver = "vfs"
graphroot = "{folder}/images"
runroot = "/run/storage"
"""
_IN_NAMESPACES = """\
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /dev/shm
mount -t cgroup2 cgroup2 /sys/fs/cgroup
exec "$@"
"""
"""Covers what Podman shares between all its storages; its runtime takes no hybrid cgroups."""


@contextmanager
def podman() -> Iterator[str]:
    """Run Podman with a storage of its own, empty at first; its value is for `DOCKER_HOST`.

    Containers, mounts and files go with it: it has namespaces and a folder of its own.

    Raises:
        MissingPartError: It is not installed, or this is not root.
        RuntimeError: It does not start.
    """
    program = find_tool("podman")
    if os.geteuid() != 0:
        raise MissingPartError("podman", "starting it needs root")
    with tempfile.TemporaryDirectory(prefix="orch-podman-") as name:
        folder = Path(name)
        (folder / "containers.conf").write_text(_CONFIG)
        (folder / "storage.conf").write_text(_STORAGE.format(folder=folder))
        process = start(_command(program, folder), folder / "log")
        try:
            _wait_until_ready(process, folder)
            yield f"unix://{folder}/podman.sock"
        finally:
            stop(process)


def _command(program: Path, folder: Path) -> list[str | Path]:
    settings = [
        f"CONTAINERS_CONF={folder}/containers.conf",
        f"CONTAINERS_STORAGE_CONF={folder}/storage.conf",
    ]
    namespaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"]
    service = ["system", "service", "--time=0", f"unix://{folder}/podman.sock"]
    return ["env", *settings, *namespaces, "sh", "-ec", _IN_NAMESPACES, "sh", program, *service]


def _wait_until_ready(process: subprocess.Popen[bytes], folder: Path) -> None:
    # The socket is there as soon as it is listened on; what connects then waits to be served.
    deadline = time.monotonic() + _READY_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        if (folder / "podman.sock").exists():
            return
        time.sleep(0.05)
    log = (folder / "log").read_text(errors="replace")
    raise RuntimeError(f"podman did not start:\n{log[-4000:]}")


def main() -> None:
    """Run Podman until interrupted."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with podman() as host, suppress(KeyboardInterrupt):
        print(f"export DOCKER_HOST={host}", flush=True)
        while True:
            time.sleep(3600)


if __name__ == "__main__":
    main()
