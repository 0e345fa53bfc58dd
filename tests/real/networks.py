"""Networks of this machine alone: one in the middle, and neighbours with an address each."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.real.parts import MissingPartError

MIDDLE = "10.231.0.1"
"""The address of the one in the middle, which all neighbours reach."""
_ALL = "10.231.0.0/16"


@contextmanager
def networks(neighbours: int = 2, *, forwards: bool = False) -> Iterator[list[list[str]]]:
    """Make a network with neighbours; give what enters each, the one in the middle first.

    Neighbours do not reach each other unless the one in the middle `forwards`. That of a number,
    from 1, has the address `side(number)`.

    Raises:
        MissingPartError: It cannot be made here.
    """
    if os.geteuid() != 0 or not shutil.which("nsenter") or not shutil.which("ip"):
        raise MissingPartError("network namespaces", "making one needs root, ip and nsenter")
    mark = uuid.uuid4().hex[:6]
    middle, *sides = [f"orch-{mark}-{number}" for number in range(neighbours + 1)]
    reach = _ALL if forwards else MIDDLE
    with ExitStack() as resources:
        for name in (middle, *sides):
            _run("ip", "netns", "add", name)
            resources.callback(_run, "ip", "netns", "delete", name)
            _run("ip", "-n", name, "link", "set", "lo", "up")
        _run("ip", "-n", middle, "address", "add", f"{MIDDLE}/32", "dev", "lo")
        if forwards:
            _run(*_enter(middle), "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        for number, name in enumerate(sides, 1):
            ends = f"o{mark}{number}r", f"o{mark}{number}s"
            _run("ip", "link", "add", ends[0], "type", "veth", "peer", "name", ends[1])
            addresses = f"10.231.{number}.1", side(number)
            for end, inside, address in zip(ends, (middle, name), addresses, strict=True):
                _run("ip", "link", "set", end, "netns", inside)
                _run("ip", "-n", inside, "address", "add", f"{address}/24", "dev", end)
                _run("ip", "-n", inside, "link", "set", end, "up")
            _run("ip", "-n", name, "route", "add", reach, "via", addresses[0])
        yield [_enter(name) for name in (middle, *sides)]


def side(number: int) -> str:
    """Return the address of a neighbour, from 1."""
    return f"10.231.{number}.2"


def self_signed(folder: Path, openssl: Path) -> Path:
    """Write `tls.key` and `tls.crt` of the one in the middle into a folder; return the folder."""
    files = ["-keyout", f"{folder}/tls.key", "-out", f"{folder}/tls.crt"]
    names = ["-subj", "/CN=tests", "-addext", f"subjectAltName=IP:{MIDDLE}"]
    _run(openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names, *files)
    return folder


def _enter(name: str) -> list[str]:
    return ["nsenter", f"--net=/run/netns/{name}", "--"]


def _run(*command: str | Path) -> None:
    subprocess.run(command, capture_output=True, check=True)
