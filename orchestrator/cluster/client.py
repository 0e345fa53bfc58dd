"""A Dask cluster as the client sees it: who is there, and that it can do the work."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from orchestrator import __version__
from orchestrator.cluster.attendance import ANY_WORKER, Attendance
from orchestrator.errors import MissingToolError
from orchestrator.model import Settings
from orchestrator.plan import Step

_CONNECT_WITHIN_S = 10
_WORKERLESS_S = 60.0
"""How long workers may be away, as those do that somebody starts again."""
_WORKERLESS_KEY = "distributed.scheduler.no-workers-timeout"
_PACKAGE = "orchestrator"
DOCKER = "docker"
"""The resource that a worker offers as often as it builds Dockerfiles at once."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Workers that a client is connected to; `resources` are what one or more of them offer."""

    client: Any
    address: str
    workers: Collection[str]
    resources: Collection[str]

    @property
    def dashboard(self) -> str:
        """Return where the scheduler shows what is done."""
        return str(self.client.dashboard_link or "")

    def lacks(self, step: Step, settings: Settings) -> str:
        """Return which of the resources that an image needs no worker offers; nothing if all."""
        wanted = resources_of(step, settings)
        return ", ".join(f"{name}=1" for name in wanted if name not in self.resources)

    def attendance(self) -> Attendance:
        """Return what tells when nobody is left for a job.

        What Dask is configured to wait for workers is waited here too.
        """
        import dask.config  # noqa: PLC0415 - slow to import
        from dask.utils import parse_timedelta  # noqa: PLC0415 - likewise

        patience_s = parse_timedelta(dask.config.get(_WORKERLESS_KEY) or _WORKERLESS_S)
        return Attendance(self._offered, patience_s)

    def cancel(self, futures: Sequence[Any]) -> None:
        """Take tasks back; those of a lost scheduler are gone already."""
        with _unless_lost():
            self.client.cancel(futures)

    def run(self, act: Callable[..., object], *given: object) -> None:
        """Let every worker that can be reached do something now."""
        with _unless_lost():
            self.client.run(act, *given, on_error="ignore")

    def _offered(self) -> Collection[str]:
        with _unless_lost():
            return offered_by(self.client.scheduler_info(n_workers=-1)["workers"])
        return ()


@contextmanager
def _unless_lost() -> Iterator[None]:
    """Put up with a lost scheduler: who waits for a result hears of that."""
    from distributed.client import ClosedClientError  # noqa: PLC0415 - slow to import

    with suppress(OSError, ClosedClientError):
        yield


def offered_by(workers: Mapping[str, Mapping[str, Any]]) -> frozenset[str]:
    """Return what workers, as the scheduler tells of them, offer."""
    offered = {name for worker in workers.values() for name in worker["resources"]}
    return frozenset(offered | ({ANY_WORKER} if workers else set()))


def resources_of(step: Step, settings: Settings) -> Mapping[str, float]:
    """Return the resources of Dask's that a job takes.

    Recipes take none. A Dockerfile takes one `docker`, and in a workspace of several platforms
    one of its architecture too, as it runs programs of that.
    """
    if step.image.build is None:
        return {}
    several = len(settings.platforms) > 1
    return {DOCKER: 1.0, **({step.platform.architecture: 1.0} if several else {})}


@contextmanager
def connected(address: str) -> Iterator[Cluster]:
    """Connect to a scheduler while the block runs.

    Raises:
        MissingToolError: It does not answer, has no workers, or they have another orch.
    """
    try:
        from distributed import Client  # noqa: PLC0415 - slow to import, and not always there
        from distributed.versions import VersionMismatchWarning  # noqa: PLC0415 - likewise
    except ImportError as error:
        raise MissingToolError(
            f"--cluster needs dask.distributed: {error}",
            hint='pip install "orchestrator[dask]"',
        ) from error
    _be_quiet()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", VersionMismatchWarning)  # told below, if it matters
        try:
            client: Any = Client(  # type: ignore[no-untyped-call]
                address, timeout=_CONNECT_WITHIN_S, set_as_default=False
            )
        except (OSError, ValueError, TimeoutError) as error:
            raise MissingToolError(
                f"no scheduler of Dask answers at {address}: {error}",
                hint="give its address as dask scheduler prints it, such as tcp://HOST:8786",
            ) from error
    try:
        yield _examined(client, address)
    finally:
        client.close(timeout=_CONNECT_WITHIN_S)


def _be_quiet() -> None:
    """Keep the library from logging errors, with tracebacks, that are told as ours."""
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] == "distributed":
            logging.getLogger(name).setLevel(logging.CRITICAL)


def _examined(client: Any, address: str) -> Cluster:
    workers = client.scheduler_info(n_workers=-1)["workers"]
    if not workers:
        raise MissingToolError(
            f"the cluster at {address} has no workers", hint=f"start one: dask worker {address}"
        )
    _check_versions(client)
    return Cluster(client, address, tuple(workers), offered_by(workers))


def _check_versions(client: Any) -> None:
    """Make sure that all workers have the orch of this process.

    Raises:
        MissingToolError: One does not.
    """
    found = client.get_versions(packages=[_PACKAGE])
    there = {address: said["packages"].get(_PACKAGE) for address, said in found["workers"].items()}
    others = [
        f"{address} has {version or 'none'}"
        for address, version in there.items()
        if version != __version__
    ]
    if others:
        raise MissingToolError(
            f"workers have another orch than this, {__version__}: {', '.join(others)}",
            hint=f'on each of them: pip install "orchestrator[dask]=={__version__}"',
        )
