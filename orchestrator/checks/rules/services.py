"""Rules about how services of recipes run: as whom, watched by what, on which port."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from orchestrator.checks.dockerfile_config import find_missing_healthchecks, find_root_users
from orchestrator.checks.finding import Finding, Severity
from orchestrator.checks.rule import rule
from orchestrator.checks.rules.bases import from_region
from orchestrator.checks.subject import Subject
from orchestrator.graph import DEBIAN_PREFIX
from orchestrator.model import Definition, Healthcheck, Image, ImageKind

_LOCAL = frozenset({"127.0.0.1", "localhost", "::1", "0.0.0.0"})  # noqa: S104 - names, not bound


@rule("runs-as-root", Severity.ERROR)
def runs_as_root(subject: Subject) -> Iterator[Finding]:
    """A service runs as root.

    Whoever breaks out of the program owns the container, and what is mounted into it; many
    clusters refuse to start such an image at all. A recipe without `user`, on bases without one,
    runs as root; so does a Dockerfile whose final stage has no USER.

    ## What to do

    Set `user` under `[config]`, to a number, which needs no entry in `/etc/passwd`. What the
    program writes goes to `/tmp` or a volume.

    ## Example

    ```toml
    [config]
    user = "0"          # runs-as-root; write "1000"
    ```
    """
    for image in _services(subject):
        chain = list(reversed(subject.graph.chain(image.name)))
        user = next((one.recipe.config.user for one in chain if one.recipe.config.user), "")
        if not user and not chain[-1].parent.startswith(DEBIAN_PREFIX):
            continue  # what a Dockerfile or an external image says is not known here
        if not user or user.partition(":")[0] in {"0", "root"}:
            file = str(image.file)
            place = subject.sources.region_of_key(file, ("config", "user"))
            yield runs_as_root.finding(
                f'user is "{user}"' if user else "no user is set, neither here nor in a base",
                'set under [config]: user = "1000"',
                file=file,
                region=place or from_region(subject, image),
                image=image.name,
            )
    for fault in find_root_users(subject):
        yield fault.of(runs_as_root)


@rule("no-healthcheck", Severity.WARNING)
def no_healthcheck(subject: Subject) -> Iterator[Finding]:
    """A service has no health check.

    Nothing notices when it hangs: Docker shows it as up, Compose starts what depends on it too
    early, and the gate of `orch verify` has nothing to ask.

    ## What to do

    Add `[healthcheck]`, or HEALTHCHECK, with the address that answers, or a command. A program
    without a port, which ends when it fails, is excepted with that reason.

    ## Example

    ```toml
    [healthcheck]
    http = "http://127.0.0.1:8000/health"
    ```
    """
    for image in _services(subject):
        if not _healthcheck(subject, image) and not _is_on_dockerfile(subject, image):
            yield no_healthcheck.finding(
                "it has no [healthcheck], nor has a base of it",
                'add: [healthcheck] http = "http://127.0.0.1:PORT/health"',
                file=str(image.file),
                region=from_region(subject, image),
                image=image.name,
            )
    for fault in find_missing_healthchecks(subject):
        yield fault.of(no_healthcheck)


@rule("health-port", Severity.ERROR)
def health_port(subject: Subject) -> Iterator[Finding]:
    """A health check asks a port that the image does not expose.

    The port was moved in `expose` and in the command, and not in `[healthcheck]`: the program
    works, and is restarted every minute for being unhealthy.

    ## What to do

    Ask the port that the program listens on, and expose that.

    ## Example

    ```toml
    [config]
    expose = ["8203"]

    [healthcheck]
    http = "http://127.0.0.1:8230/health"       # health-port
    ```
    """
    for image in subject.images():
        check, exposed = image.recipe.healthcheck, _exposed(subject, image)
        port = _local_port(check.http) if check else None
        if port and exposed and port not in exposed:
            file = str(image.file)
            yield health_port.finding(
                f"the health check asks port {port}, and exposed is {', '.join(map(str, exposed))}",
                "ask the port that the program listens on",
                file=file,
                region=subject.sources.region_of_key(file, ("healthcheck", "http"), str(port)),
                image=image.name,
            )


@rule("gate-without-effect", Severity.WARNING)
def gate_without_effect(subject: Subject) -> Iterator[Finding]:
    """A gate cannot do what it is for.

    `start-within` is measured by the health check: without one nobody knows when the program is
    up. A `max-size` or `max-growth` of nothing fails every build, and is taken out in a hurry.

    ## What to do

    Add a `[healthcheck]`, or give the gate a value that a sound image holds.

    ## Example

    ```toml
    [gates]
    start-within = "30s"        # gate-without-effect: there is no [healthcheck]
    ```
    """
    for image in subject.images():
        gates = image.recipe.gates
        wrong = {}
        if gates.start_within_s and not _healthcheck(subject, image):
            wrong["start-within"] = "start-within is measured by a health check, and there is none"
        if gates.max_size_bytes == 0:
            wrong["max-size"] = "max-size is 0: no image is that small"
        for key, message in wrong.items():
            file = str(image.file)
            yield gate_without_effect.finding(
                message,
                "add a [healthcheck], or correct the gate",
                file=file,
                region=subject.sources.region_of_key(file, ("gates", key), key),
                image=image.name,
            )


def _services(subject: Subject) -> Iterator[Image]:
    for image in subject.images():
        if image.kind is ImageKind.SERVICE and image.definition is Definition.RECIPE:
            yield image


def _healthcheck(subject: Subject, image: Image) -> Healthcheck | None:
    """Return the check that holds for an image: its own, or that of the nearest base."""
    chain = reversed(subject.graph.chain(image.name))
    return next((one.recipe.healthcheck for one in chain if one.recipe.healthcheck), None)


def _is_on_dockerfile(subject: Subject, image: Image) -> bool:
    return any(one.build is not None for one in subject.below(image))


def _exposed(subject: Subject, image: Image) -> tuple[int, ...]:
    ports = (
        port.partition("/")[0]
        for one in subject.graph.chain(image.name)
        for port in one.recipe.config.expose
    )
    return tuple(sorted({int(port) for port in ports}))


def _local_port(url: str) -> int | None:
    """Return the port that an address of the container itself names; None for others."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.hostname not in _LOCAL:
        return None
    return port or {"http": 80, "https": 443}.get(parts.scheme)
