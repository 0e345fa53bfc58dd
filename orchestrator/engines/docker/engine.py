"""The Docker engine, through its API: the one module that knows the docker package."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.engines.docker.address import Address, find_address
from orchestrator.engines.docker.history import layers_of
from orchestrator.errors import MissingToolError, OrchError
from orchestrator.oci.layer import Layer

if TYPE_CHECKING:
    import docker

_TIMEOUT_S = 600


@dataclass(frozen=True, slots=True)
class EngineVersion:
    """What an engine says it is; `api` is the version of its API, such as (1, 45).

    `platform` is what it runs: `linux/amd64`.
    """

    version: str
    api: tuple[int, int]
    is_podman: bool = False
    platform: str = ""


@dataclass(frozen=True, slots=True)
class EngineImage:
    """An image in an engine: its layers' diffIDs from the bottom up, and what it weighs there."""

    digest: str
    diff_ids: tuple[str, ...]
    size_bytes: int
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EngineSpace:
    """What an engine keeps on its disk: images, each layer once, and BuildKit's cache."""

    images_bytes: int
    cache_bytes: int


class DockerEngine:
    """A Docker engine, found as Docker's own client finds it. Threads may share one."""

    def __init__(self) -> None:
        self.address = find_address()
        self._client = _connect(self.address)

    def version(self) -> EngineVersion:
        """Ask what the engine is.

        Raises:
            MissingToolError: It does not answer any more.
        """
        with self.asking("saying its version"):
            answer: dict[str, Any] = self._client.version()
        parts = [part.get("Name", "") for part in answer.get("Components") or ()]
        major, _, minor = answer["ApiVersion"].partition(".")
        is_podman = any("podman" in name.lower() for name in parts)
        platform = f"{answer.get('Os', '')}/{answer.get('Arch', '')}"
        return EngineVersion(answer["Version"], (int(major), int(minor)), is_podman, platform)

    def answers(self) -> bool:
        """Tell whether the engine is still there."""
        from docker.errors import DockerException  # noqa: PLC0415 - slow to import
        from requests import RequestException  # noqa: PLC0415 - likewise

        try:
            return bool(self._client.ping())
        except (DockerException, RequestException, OSError):
            return False

    def space(self) -> EngineSpace:
        """Ask what takes room on the engine's disk; it may look through all of it.

        Raises:
            OrchError: The engine does not say.
        """
        with self.asking("saying what takes room"):
            answer: dict[str, Any] = self._client.df()
        # What the cache shares with images is counted there.
        cache = (row for row in answer.get("BuildCache") or () if not row.get("Shared"))
        return EngineSpace(
            int(answer.get("LayersSize") or 0), sum(int(row.get("Size") or 0) for row in cache)
        )

    def find_image(self, reference: str) -> EngineImage | None:
        """Return an image, by tag or by digest; None where the engine has none.

        Raises:
            OrchError: The engine does not say.
        """
        from docker.errors import ImageNotFound  # noqa: PLC0415 - slow to import

        with self.asking(f"looking for {reference}"):
            try:
                answer: dict[str, Any] = self._client.api.inspect_image(reference)  # type: ignore[no-untyped-call]
            except ImageNotFound:
                return None
        return EngineImage(
            answer["Id"],
            tuple(answer["RootFS"].get("Layers") or ()),
            int(answer["Size"]),
            tuple(answer.get("RepoTags") or ()),
        )

    def layers(self, image: EngineImage) -> tuple[Layer, ...]:
        """Return an image's layers, from the bottom up, with what they weigh where that is told.

        Raises:
            MissingToolError: The engine does not answer any more.
        """
        from docker.errors import APIError  # noqa: PLC0415 - slow to import

        with self.asking(f"looking into {image.digest}"):
            try:
                history: list[dict[str, Any]] = self._client.api.history(image.digest)  # type: ignore[no-untyped-call]
            except APIError:  # no image is worth less for that
                history = []
        return layers_of(image.diff_ids, history)

    def tags(self, registry: str) -> list[str]:
        """Return the tags there are behind a registry's name.

        Raises:
            OrchError: The engine does not say.
        """
        with self.asking("listing its images"):
            rows = self._client.api.images(filters={"reference": f"{registry}/*"})
        return [tag for row in rows for tag in row.get("RepoTags") or ()]

    def tag(self, image: str, tag: str) -> None:
        """Tag an image, given by tag or by digest; what had the tag before loses it.

        Raises:
            OrchError: The engine lacks the image.
        """
        repository, _, name = tag.rpartition(":")
        with self.asking(f"tagging {tag}"):
            self._client.api.tag(image, repository, name)

    def untag(self, tag: str) -> bool:
        """Take a tag off; the image goes with its last one, unless a container stands on it.

        Returns whether the tag is off. A tag that is not there, or that is in use, is no error.

        Raises:
            OrchError: The engine does not answer.
        """
        from docker.errors import APIError, ImageNotFound  # noqa: PLC0415 - slow to import

        with self.asking(f"taking off {tag}"):
            try:
                self._client.api.remove_image(tag)
            except ImageNotFound:
                return False
            except APIError as error:
                if error.status_code != 409:  # in use by a container
                    raise
                return False
        return True

    def load(self, archive: Iterator[bytes]) -> list[str]:
        """Load a docker-archive; return the tags that the engine says it loaded.

        Raises:
            OrchError: The engine refused it.
        """
        with self.asking("loading images"):
            # The stubs know files alone; requests streams any iterator of bytes.
            images = self._client.images.load(archive)  # type: ignore[arg-type]
        return [tag for image in images for tag in image.tags]

    def save(self, image: str) -> Iterator[bytes]:
        """Yield an image as a docker-archive, piece by piece.

        Raises:
            OrchError: The engine lacks the image.
        """
        with self.asking(f"saving {image}"):
            yield from self._client.api.get_image(image)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    @contextmanager
    def asking(self, doing: str) -> Iterator[docker.APIClient]:
        """Give the library's client of the API, and its errors as ours.

        Raises:
            MissingToolError: The engine does not answer.
            OrchError: It refuses; `doing` says what.
        """
        from docker.errors import DockerException  # noqa: PLC0415 - slow to import
        from requests import RequestException  # noqa: PLC0415 - likewise

        try:
            yield self._client.api
        except RequestException as error:
            if "APIError" in type(error).__name__:
                raise _refused(doing, error) from error
            raise _not_answering(self.address, error) from error
        except DockerException as error:
            raise _refused(doing, error) from error


def _connect(address: Address) -> docker.DockerClient:
    import docker as library  # noqa: PLC0415 - slow to import
    from docker.context import ContextAPI  # noqa: PLC0415 - likewise
    from docker.errors import DockerException  # noqa: PLC0415 - likewise

    try:
        if address.socket:  # the library leaves a socket open where nobody listens
            with socket.socket(socket.AF_UNIX) as listening:
                listening.connect(address.socket)
        if address.context != "default":
            context = ContextAPI.get_context(address.context)
            client = library.DockerClient(
                base_url=address.url, tls=context.TLSConfig, timeout=_TIMEOUT_S, use_ssh_client=True
            )
        else:
            client = library.from_env(timeout=_TIMEOUT_S, use_ssh_client=True)
        # Asking the environment for proxies takes longer than most questions to a socket.
        client.api.trust_env = not address.socket
        client.ping()
    except (DockerException, OSError) as error:
        raise _not_answering(address, error) from error
    return client


def _refused(doing: str, error: Exception) -> OrchError:
    return OrchError(
        f"Docker, {doing}: {error}",
        hint="the engine's own log says more: journalctl -u docker, or Docker Desktop's",
    )


def _not_answering(address: Address, error: Exception) -> MissingToolError:
    return MissingToolError(
        f"no Docker engine answers at {address.url}: {error}",
        hint="start Docker, or set DOCKER_HOST or a docker context; recipes need none",
    )
