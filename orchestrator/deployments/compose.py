"""Images in Compose files.

Source: Compose specification, 05-services.md: image, build, expose, ports, healthcheck.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from orchestrator.deployments.kubernetes import port_number
from orchestrator.deployments.source import Source
from orchestrator.deployments.tree import Node, Shape
from orchestrator.deployments.values import Form, ImageUse, Part, Port, Probe

_OWN_ADDRESS = re.compile(
    r"https?://(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\])(?::(?P<port>\d{1,5}))?(?P<path>/[^\s'\"|;?#]*)?"
)


def is_compose(root: Node) -> bool:
    """Tell whether a document has services as Compose files have them."""
    return not root.word("kind") and root.get("services").shape is Shape.MAPPING


def find_compose_uses(root: Node, source: Source) -> Iterator[ImageUse]:
    """Yield the images of services; those that share one through an alias name it once."""
    seen = set[int]()
    for key, service in root.get("services").pairs:
        image = source.written(Part.REFERENCE, service, "image")
        if image is None or image.span.start in seen:
            continue
        seen.add(image.span.start)
        yield ImageUse(
            source.path,
            Form.COMPOSE,
            f"service/{key.text}",
            service.word("container_name") or key.text,
            image.text,
            (image,),
            tuple(_ports(service, source)),
            tuple(_probes(service, source)),
            built=service.pair("build") is not None,
        )


def _ports(service: Node, source: Source) -> Iterator[Port]:
    """Yield the ports within the container: the last of `HOST:CONTAINER`, without a protocol."""
    for node in service.get("ports").elements:
        place = node.get("target") if node.shape is Shape.MAPPING else node
        if number := port_number(place.text.rpartition(":")[2].partition("/")[0]):
            yield Port(number, "", source.span(place))


def _probes(service: Node, source: Source) -> Iterator[Probe]:
    test = service.get("healthcheck").get("test")
    for node in test.elements or [test]:
        if asked := _OWN_ADDRESS.search(node.text):
            default = 443 if asked[0].startswith("https") else 80
            port = port_number(asked["port"]) if asked["port"] else default
            yield Probe("healthcheck", port, asked["path"] or "/", source.span(node))
            return
