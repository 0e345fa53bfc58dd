"""Starts Podman behind a socket that speaks Docker's API, without BuildKit and without a network.

Alone: `python -m tests.real.podman` prints its address and runs until interrupted.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.real.parts import (
    MissingPartError,
    find_tool,
    keep_until_interrupted,
    start,
    stop,
    wait_for,
)

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
            # The socket is there as soon as it is listened on; what connects waits to be served.
            wait_for((folder / "podman.sock").exists, process, folder / "log", "podman")
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


def main() -> None:
    """Run Podman until interrupted."""
    keep_until_interrupted(podman(), "export DOCKER_HOST={}")


if __name__ == "__main__":
    main()
