"""Starts Docker engines that share nothing with this machine but its network and kernel.

Alone: `python -m tests.real.docker_engine 26 COMMAND...` runs COMMAND with `DOCKER_HOST` and a
docker client set; without COMMAND the engine runs until interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import docker

from tests.real.parts import HERE, find_root, parts_folder, start, stop, wait_for

VERSIONS = ("26", "20")
NONE: Mapping[str, bool] = MappingProxyType({})

_ANSWER_WITHIN_S = 60
_BRIDGES = 256


@dataclass(frozen=True, slots=True)
class DockerEngine:
    """A running engine; `folder` holds its socket and log, `process` is outside its namespaces."""

    version: str
    folder: Path
    bridge: str
    process: subprocess.Popen[bytes]

    @property
    def host(self) -> str:
        """Return what `DOCKER_HOST` is to be."""
        return f"unix://{self.folder}/docker.sock"

    def client(self) -> docker.DockerClient:
        """Return a client of the engine; the caller closes it."""
        return docker.DockerClient(base_url=self.host, timeout=600)

    def environment(self) -> Mapping[str, str]:
        """Return what a command needs to use the engine: its address, a client and its plugins."""
        path = f"{self.folder}/bin{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return {
            "DOCKER_HOST": self.host,
            "DOCKER_CONFIG": str(self.folder / "config"),
            "PATH": path,
        }


@contextmanager
def docker_engine(
    version: str, features: Mapping[str, bool] = NONE, inside: Sequence[str] = ()
) -> Iterator[DockerEngine]:
    """Run an engine, `"20"` or `"26"`, and leave nothing of it behind.

    `features` are those of the daemon's configuration, such as `containerd-snapshotter`. `inside`
    goes before its command: what enters another network, for example.

    Raises:
        MissingPartError: The engine is not installed, or this is not root.
        RuntimeError: It does not start.
    """
    root = find_root(version)
    with _folder("/var/tmp") as data, _folder("/tmp") as folder, _bridge(inside) as number:
        _link_client(folder)
        (folder / "daemon.json").write_text(json.dumps({"features": dict(features)}))
        command = [*inside, *_command(root, data, folder, number)]
        process = start(command, folder / "dockerd.log")
        engine = DockerEngine(version, folder, _bridge_name(number), process)
        try:
            what = f"docker engine {version}"
            wait_for(lambda: _is_ready(engine), process, folder / "dockerd.log", what)
            yield engine
        finally:
            stop(process)
            _remove_cgroups(_bridge_name(number))


def _command(root: Path, data: Path, folder: Path, number: int) -> list[str | Path]:
    namespaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--"]
    # docker-init reaps the shims that containerd leaves to process 1. Without iptables nothing
    # of the host's firewall is touched: published ports work by docker-proxy, containers reach
    # the outside with host networking only.
    return [
        *namespaces,
        HERE / "in-root",
        root,
        data,
        "docker-init",
        "--",
        "dockerd",
        f"--host=unix://{folder}/docker.sock",
        f"--config-file={folder}/daemon.json",
        f"--bridge={_bridge_name(number)}",
        f"--default-address-pool=base=172.31.{number}.0/24,size=28",
        f"--cgroup-parent=/{_bridge_name(number)}",
        "--iptables=false",
        "--ip-forward=false",
        "--group=root",
        "--shutdown-timeout=5",
    ]


def _is_ready(engine: DockerEngine) -> bool:
    # Asked without the docker library, which leaves a socket open when none listens.
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(f"{engine.folder}/docker.sock")
            connection.settimeout(_ANSWER_WITHIN_S)
            connection.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b" 200 OK" in connection.recv(4096)
        except OSError:
            return False


def _link_client(folder: Path) -> None:
    """Put a docker client and its plugins, the newest there are, where `environment` points."""
    (folder / "bin").mkdir()
    (folder / "config").mkdir()
    for version in VERSIONS:
        usr = parts_folder() / f"docker-{version}" / "usr"
        if (usr / "bin/docker").exists():
            (folder / "bin/docker").symlink_to(usr / "bin/docker")
            (folder / "config/cli-plugins").symlink_to(usr / "libexec/docker/cli-plugins")
            return


def _bridge_name(number: int) -> str:
    return f"orchbr{number}"


@contextmanager
def _bridge(inside: Sequence[str]) -> Iterator[int]:
    """Make a bridge; creating one is atomic, so its number also reserves the address ranges.

    It is reserved on this machine's network, though another one may be where it is used.
    """
    for number in range(_BRIDGES):
        name = _bridge_name(number)
        added = _ip("link", "add", name, "type", "bridge")
        if added.returncode == 0:
            break
        if "File exists" not in added.stderr:
            raise RuntimeError(f"making a bridge: {added.stderr.strip()}")
    else:
        raise RuntimeError("making a bridge: all are taken")
    try:
        if inside:
            _ip("link", "add", name, "type", "bridge", inside=inside).check_returncode()
        address = f"172.30.{number}.1/24"
        _ip("address", "add", address, "dev", name, inside=inside).check_returncode()
        _ip("link", "set", name, "up", inside=inside).check_returncode()
        yield number
    finally:
        _ip("link", "delete", name)


def _ip(*arguments: str, inside: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    command = [*inside, "ip", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@contextmanager
def _folder(parent: str) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="orch-docker-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _remove_cgroups(name: str) -> None:
    hierarchies = Path("/sys/fs/cgroup")
    for top in [hierarchies / name, *hierarchies.glob(f"*/{name}")]:
        for folder, _, _ in os.walk(top, topdown=False):
            with suppress(FileNotFoundError):
                Path(folder).rmdir()


def main() -> int:
    """Run an engine for a command, or until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m tests.real.docker_engine")
    parser.add_argument("version", choices=VERSIONS)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with docker_engine(arguments.version) as engine:
        if arguments.command:
            environment = {**os.environ, **engine.environment()}
            return subprocess.run(arguments.command, env=environment, check=False).returncode
        for name, value in engine.environment().items():
            print(f"export {name}={value}", flush=True)
        with suppress(KeyboardInterrupt):
            engine.process.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
