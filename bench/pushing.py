"""Pushing after a base bump: bytes and seconds, and what the images take in a registry."""

from __future__ import annotations

import json
import os
import selectors
import socket
import socketserver
import sys
import threading
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from cases import built, move_every_pin, settle
from lab import REPOSITORY, BenchError, Lab
from processes import Measured
from sides import ORCH, Side, Workspace, run_all

sys.path.insert(0, str(REPOSITORY))  # for the starters of tests/real
from tests.real.registry import registry

MB = 1e6
DOCKER_PUSH = "docker push"
_PIECE = 1 << 18
_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.index.v1+json",
)


def push_after_base_bump(lab: Lab, case: str, sides: Sequence[Side]) -> None:
    """Push all images after a pin moved that every image holds; sizes of what was pushed."""
    sides = [side for side in sides if side in {Side.ORCH, Side.BAKE}]
    workspaces = built(lab, case, sides)
    with registry() as upstream, Counter(upstream).running() as counter:
        for workspace in workspaces:
            if workspace.side is Side.ORCH:
                lab.run([ORCH, "build", "--progress", "none"], workspace.root)
            _checked(_push(lab, workspace, counter.address))
            _put_sizes(lab, case, workspace, upstream)
        spent = dict.fromkeys((workspace.side for workspace in workspaces), 0.0)
        for run in range(lab.runs):
            for workspace in workspaces:
                side = workspace.side
                if not run or spent[side] * (1 + 1 / run) <= lab.share_s:
                    spent[side] += _bump_and_push(lab, case, workspace, counter, run)


def _bump_and_push(lab: Lab, case: str, workspace: Workspace, counter: Counter, run: int) -> float:
    """Move a pin that every image holds, build, and push; return the seconds of all that."""
    move_every_pin(lab, workspace, lab.next_number())
    settle(lab, case, workspace, run)
    built_in = lab.build(workspace).seconds
    before = counter.sent_bytes
    done = _checked(_push(lab, workspace, counter.address))
    name = _name(workspace)
    lab.put(case, "seconds", name, run, done.seconds, "s")
    lab.put(case, "uploaded", name, run, (counter.sent_bytes - before) / MB, "MB")
    return built_in + done.seconds


def _name(workspace: Workspace) -> str:
    return "orch" if workspace.side is Side.ORCH else DOCKER_PUSH


def _push(lab: Lab, workspace: Workspace, address: str) -> Measured:
    """Push all images of a side: orch's at once, Docker's four at a time."""
    names = list(workspace.tree.images)
    prefix = f"{address}/{workspace.side.folder}"
    command = [ORCH, "push", "--registry", prefix, "--progress", "none"]
    if workspace.side is not Side.ORCH:
        for name in names:
            image = f"{workspace.side.prefix}{name}:latest"
            lab.run(["docker", "tag", image, f"{prefix}/{name}:latest"], workspace.root)
        each = f"xargs -P 4 -I NAME docker push --quiet {prefix}/NAME:latest"
        command = ["sh", "-c", f"printf '%s\\n' {' '.join(names)} | {each}"]
    return run_all([command], workspace.root, lab.environment, timeout_s=lab.limit_s)


def _checked(done: Measured) -> Measured:
    if done.code:
        raise BenchError(f"pushing ended with {done.code}:\n{done.stderr[-3000:]}")
    return done


def _put_sizes(lab: Lab, case: str, workspace: Workspace, address: str) -> None:
    """Note what the images take: one by one, and the services together, each blob once."""
    blobs = {
        name: _blobs(f"http://{address}/v2/{workspace.side.folder}/{name}")
        for name in workspace.tree.images
    }
    services = [blobs[image.name] for image in workspace.tree.services]
    fleet: dict[str, int] = {}
    for held in services:
        fleet.update(held)
    side = _name(workspace)
    lab.put(case, "twelve services", side, 0, sum(fleet.values()) / MB, "MB")
    ones = {image.parent: image.name for image in reversed(workspace.tree.services)}
    for name in (workspace.tree.root.name, *sorted(ones), *(ones[base] for base in sorted(ones))):
        lab.put(case, f"size of {name}", side, 0, sum(blobs[name].values()) / MB, "MB")


def _blobs(repository: str) -> dict[str, int]:
    """Return the sizes of an image's layers and config in a registry, by digest."""
    manifest = _read(f"{repository}/manifests/latest")
    if "manifests" in manifest:
        manifest = _read(f"{repository}/manifests/{manifest['manifests'][0]['digest']}")
    return {blob["digest"]: blob["size"] for blob in [manifest["config"], *manifest["layers"]]}


def _read(url: str) -> Any:
    request = urllib.request.Request(url, headers={"Accept": ", ".join(_TYPES)})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as response:
        return json.load(response)


class Counter:
    """Passes connections on to a registry and counts what is sent to it."""

    def __init__(self, upstream: str) -> None:
        host, _, port = upstream.partition(":")
        self.upstream = host, int(port)
        self.address = ""
        self.sent_bytes = 0
        self._lock = threading.Lock()

    def count(self, size_bytes: int) -> None:
        with self._lock:
            self.sent_bytes += size_bytes

    @contextmanager
    def running(self) -> Iterator[Counter]:
        counter = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with suppress(OSError), socket.create_connection(counter.upstream) as other:
                    for size in _pass_on(self.request, other):
                        counter.count(size)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            block_on_close = False

        with Server(("127.0.0.1", 0), Handler) as server:
            self.address = f"127.0.0.1:{server.server_address[1]}"
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
            try:
                yield self
            finally:
                server.shutdown()


def _pass_on(client: socket.socket, server: socket.socket) -> Iterable[int]:
    """Pass bytes both ways until one side ends; give how many went to the server."""
    with selectors.DefaultSelector() as ready:
        ready.register(client, selectors.EVENT_READ)
        ready.register(server, selectors.EVENT_READ)
        while True:
            for key, _ in ready.select():
                data = os.read(key.fd, _PIECE)
                if not data:
                    return
                if key.fileobj is client:
                    server.sendall(data)
                    yield len(data)
                else:
                    client.sendall(data)
