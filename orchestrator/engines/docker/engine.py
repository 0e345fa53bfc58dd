"""The Docker engine, through its API: the one module that knows the docker package."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from orchestrator.errors import MissingToolError, OrchError

if TYPE_CHECKING:
    import docker


class DockerEngine:
    """A Docker engine, found as Docker's own client finds it (`DOCKER_HOST`)."""

    def __init__(self) -> None:
        self._client = _connect()

    def load(self, archive: Iterator[bytes]) -> list[str]:
        """Load a docker-archive; return the tags that the engine says it loaded.

        Raises:
            OrchError: The engine refused it.
        """
        from docker.errors import DockerException  # noqa: PLC0415 - slow to import

        try:
            # The stubs know files alone; requests streams any iterator of bytes.
            images = self._client.images.load(archive)  # type: ignore[arg-type]
        except DockerException as error:
            raise OrchError(f"Docker did not load the images: {error}") from error
        return [tag for image in images for tag in image.tags]

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


def _connect() -> docker.DockerClient:
    import docker as library  # noqa: PLC0415 - slow to import
    from docker.errors import DockerException  # noqa: PLC0415

    try:
        client = library.from_env(timeout=600)
        client.ping()
    except DockerException as error:
        raise MissingToolError(
            f"no Docker engine answers: {error}",
            hint="start Docker, or set DOCKER_HOST; building itself needs none",
        ) from error
    return client
