"""What an image says of the outside of its container: ports, and how its health is asked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from orchestrator.checks.dockerfiles import final_stages
from orchestrator.checks.subject import Subject
from orchestrator.dockerfile.stages import Dockerfile
from orchestrator.model import Image

_URL = re.compile(r"https?://[^\s'\"|;,\]]+")


@dataclass(frozen=True, slots=True)
class Exposure:
    """The ports that an image exposes, and the port and path that its healthcheck asks.

    `health_port` is 0, and `health_path` empty, where no healthcheck speaks HTTP to itself.
    """

    ports: frozenset[int] = frozenset()
    health_port: int = 0
    health_path: str = ""

    @property
    def known_ports(self) -> frozenset[int]:
        """Return the ports that something is known to listen on."""
        return self.ports | ({self.health_port} if self.health_port else frozenset())


def exposure_of(subject: Subject, image: Image) -> Exposure:
    """Return what an image exposes, with what it takes over from siblings that it stands on."""
    exposure = Exposure()
    for each in reversed([image, *subject.below(image)]):
        dockerfile = subject.dockerfile(each)
        own = _of_dockerfile(each, dockerfile) if dockerfile else _of_recipe(each)
        exposure = _over(own, exposure)
    return exposure


def _over(own: Exposure, below: Exposure) -> Exposure:
    ports = below.ports | own.ports
    return replace(own if own.health_port or own.health_path else below, ports=ports)


def _of_recipe(image: Image) -> Exposure:
    ports = frozenset(_ports(image.recipe.config.expose))
    check = image.recipe.healthcheck
    words = (check.http, *check.command) if check else ()
    return _with_health(ports, " ".join(words))


def _of_dockerfile(image: Image, dockerfile: Dockerfile) -> Exposure:
    exposed: list[str] = []
    health = ""
    target = image.build.settings.target if image.build else ""
    for stage in final_stages(dockerfile, target):
        for instruction in stage.instructions:
            if instruction.name == "EXPOSE":
                exposed += instruction.words(dockerfile.escape)
            elif instruction.name == "HEALTHCHECK":
                health = instruction.rest
    return _with_health(frozenset(_ports(exposed)), health)


def _with_health(ports: frozenset[int], text: str) -> Exposure:
    for found in _URL.findall(text):
        try:
            url = urlsplit(found)
            port = url.port or (443 if url.scheme == "https" else 80)
        except ValueError:
            continue
        if url.hostname in {"localhost", "127.0.0.1", "0.0.0.0", "::1"}:  # noqa: S104 - looked for
            return Exposure(ports, port, url.path or "/")
    return Exposure(ports)


def _ports(words: Iterable[str]) -> Iterator[int]:
    """Yield ports of `8000`, `8000/tcp` and ranges of a reasonable length."""
    for word in words:
        first, _, last = word.strip("\"'").partition("/")[0].partition("-")
        if first.isdecimal() and (last or first).isdecimal():
            yield from range(int(first), min(int(last or first), int(first) + 100) + 1)
