"""A Dask cluster as the client sees it: who is there, and that it can do the work."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from orchestrator import __version__
from orchestrator.errors import MissingToolError
from orchestrator.model import Settings
from orchestrator.plan import Step

_CONNECT_WITHIN_S = 10
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


def _examined(client: Any, address: str) -> Cluster:
    workers = client.scheduler_info(n_workers=-1)["workers"]
    if not workers:
        raise MissingToolError(
            f"the cluster at {address} has no workers", hint=f"start one: dask worker {address}"
        )
    _check_versions(client)
    offered = {name for worker in workers.values() for name in worker["resources"]}
    return Cluster(client, address, tuple(workers), frozenset(offered))


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
