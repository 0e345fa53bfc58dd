"""Images in Kubernetes objects: whatever has a pod's containers and volumes, and custom kinds.

Source: Kubernetes API reference 1.31, core/v1 Container, ImageVolumeSource and Probe.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from orchestrator.deployments.helm import find_values_uses
from orchestrator.deployments.source import Source
from orchestrator.deployments.tree import Node, Shape, walk
from orchestrator.deployments.values import Form, ImageUse, Part, Port, Probe

_CONTAINERS = frozenset({"initContainers", "containers", "ephemeralContainers"})
_PROBES = {"livenessProbe": "liveness", "readinessProbe": "readiness", "startupProbe": "startup"}
_LARGEST_PORT = 65535


def is_object(root: Node) -> bool:
    """Tell whether a document is an object of Kubernetes, or a list of them."""
    return bool(root.word("kind") and root.word("apiVersion"))


def find_object_uses(root: Node, source: Source) -> Iterator[ImageUse]:
    """Yield the images of an object's containers and volumes, or of each object's in a list."""
    listed = root.get("items").elements if root.word("kind").endswith("List") else []
    for item in listed or [root]:
        resource = f"{item.word('kind')}/{item.get('metadata').word('name')}".rstrip("/")
        for node in walk(item):  # what a mapping merges in is walked by itself
            for key, value in node.pairs:
                for container in value.elements if key.text in _CONTAINERS else ():
                    yield from _container(container, resource, source)
                for volume in value.elements if key.text == "volumes" else ():
                    yield from _volume(volume, resource, source)
        if _is_custom(item):
            yield from _custom(item.get("spec"), resource, source)


def _container(container: Node, resource: str, source: Source) -> Iterator[ImageUse]:
    image = source.written(Part.REFERENCE, container, "image")
    if image is None:
        return
    ports = tuple(_ports(container, source))
    yield ImageUse(
        source.path,
        Form.KUBERNETES,
        resource,
        container.word("name"),
        image.text,
        (image,),
        ports,
        tuple(_probes(container, ports, source)),
    )


def _volume(volume: Node, resource: str, source: Source) -> Iterator[ImageUse]:
    image = source.written(Part.REFERENCE, volume.get("image"), "reference")
    if image:
        name = volume.word("name")
        yield ImageUse(source.path, Form.KUBERNETES, resource, name, image.text, (image,))


def _is_custom(item: Node) -> bool:
    group = item.word("apiVersion").rpartition("/")[0]
    return "." in group and not group.endswith(".k8s.io")


def _custom(spec: Node, resource: str, source: Source) -> Iterator[ImageUse]:
    """Yield what a custom kind names beside containers, in the forms that values of charts have.

    A name without a path may be that of a machine's disk.
    """
    for use in find_values_uses(spec, source):
        if "/" in use.reference:
            yield replace(use, resource=resource)


def _ports(container: Node, source: Source) -> Iterator[Port]:
    for port in container.get("ports").elements:
        node = port.get("containerPort")
        if number := port_number(node.text):
            yield Port(number, port.word("name"), source.span(node))


def _probes(container: Node, ports: tuple[Port, ...], source: Source) -> Iterator[Probe]:
    named = {port.name: port.number for port in ports if port.name}
    for key, kind in _PROBES.items():
        probe = container.get(key)
        for handler in ("httpGet", "tcpSocket"):
            asked = probe.get(handler)
            if asked.shape is not Shape.MAPPING or asked.word("host"):
                continue
            port = asked.get("port")
            number = port_number(port.text) or named.get(port.text, 0)
            path = (asked.word("path") or "/") if handler == "httpGet" else ""
            place = asked.pair("path") or asked.pair("port") or (asked, asked)
            yield Probe(kind, number, path, source.span(place[1]))


def port_number(text: str) -> int:
    """Return a port's number; 0 where a text is none."""
    is_number = text.isascii() and text.isdigit() and len(text) <= 5
    return int(text) if is_number and int(text) <= _LARGEST_PORT else 0
