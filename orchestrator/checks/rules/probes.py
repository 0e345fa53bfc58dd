"""Rules about ports and probes of deployment files, beside what the image says of itself."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.checks.exposure import Exposure, exposure_of
from orchestrator.checks.finding import Finding, Severity
from orchestrator.checks.rule import FunctionRule, rule
from orchestrator.checks.rules.deployed import named_images, region_of
from orchestrator.checks.subject import Subject
from orchestrator.deployments import ImageUse
from orchestrator.deployments.values import Span


def _deployed(subject: Subject) -> Iterator[tuple[ImageUse, str, Exposure]]:
    for named in named_images(subject):
        if named.sibling and (named.use.ports or named.use.probes):
            image = subject.graph.images[named.sibling]
            yield named.use, named.sibling, exposure_of(subject, image)


def _found(by: FunctionRule, use: ImageUse, image: str, message: str, span: Span) -> Finding:
    hint = f"compare it with the port and the healthcheck of {image}"
    return by.finding(message, hint, file=use.file, region=region_of(span), image=image)


@rule("port-not-exposed", Severity.WARNING)
def port_not_exposed(subject: Subject) -> Iterator[Finding]:
    """A deployment file names a port that the image does not expose.

    The service was moved to another port, and the manifest still sends traffic to the old one:
    everything starts, and nothing answers. Where an image exposes no port at all, nothing is said.

    ## What to do

    Name the port that the image exposes, or add this one to `expose` of its recipe.

    ## Example

    ```yaml
    ports:
      - containerPort: 8080     # the image exposes 9621
    ```
    """
    for use, image, exposure in _deployed(subject):
        for port in use.ports if exposure.ports else ():
            if port.number not in exposure.known_ports:
                exposed = ", ".join(map(str, sorted(exposure.ports)))
                message = f"port {port.number} is not exposed by {image}, which exposes {exposed}"
                yield _found(port_not_exposed, use, image, message, port.span)


@rule("probe-mismatch", Severity.WARNING)
def probe_mismatch(subject: Subject) -> Iterator[Finding]:
    """A probe asks another port or path than the image answers on.

    A liveness probe that asks where nobody listens kills a healthy container again and again. The
    image says what it answers on: by the ports it exposes, and by its healthcheck. A path below
    that of the healthcheck, such as `/health/ready` below `/health`, is as good.

    ## What to do

    Ask what the image's healthcheck asks. If the service has an address of its own for probes, put
    it below the same path, or suppress the finding with the reason.

    ## Example

    ```yaml
    livenessProbe:
      httpGet:
        path: /healthz     # the image's healthcheck asks /health
        port: 8000
    ```
    """
    for use, image, exposure in _deployed(subject):
        for probe in use.probes:
            ports = exposure.known_ports
            if probe.port and ports and probe.port not in ports:
                known = ", ".join(map(str, sorted(ports)))
                message = f"the {probe.kind} probe asks port {probe.port}; {image} answers on"
                yield _found(probe_mismatch, use, image, f"{message} {known}", probe.span)
            elif not _is_answered(probe.path, exposure.health_path):
                message = f"the {probe.kind} probe asks {probe.path}; the healthcheck of {image}"
                message += f" asks {exposure.health_path}"
                yield _found(probe_mismatch, use, image, message, probe.span)


def _is_answered(path: str, health: str) -> bool:
    """Tell whether one of two paths is the other, or below it; what is not known is fine."""
    if not path or not health:
        return True
    one, other = (text.partition("?")[0].rstrip("/") for text in (path, health))
    return f"{one}/".startswith(f"{other}/") or (one != "" and f"{other}/".startswith(f"{one}/"))
