"""Registries over HTTP (OCI distribution specification 1.1)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from orchestrator.atomic import replacing
from orchestrator.oci.image import INDEX_MEDIA_TYPE, MANIFEST_MEDIA_TYPE
from orchestrator.publish.download import download
from orchestrator.publish.exchange import Answer, Request
from orchestrator.publish.reference import Repository, is_digest
from orchestrator.publish.registry import (
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    NO_REGISTRY,
    PAST_PROXIES,
    BlobInfo,
    Manifest,
    NotPublishedError,
    Referrer,
    RefusedError,
    RegistryError,
    VerificationError,
    parse_referrers,
)
from orchestrator.publish.untrusted import read_object
from orchestrator.publish.upload import Upload
from orchestrator.publish.wire import Wire

_STORED = (201, 200, 202)
_STORES = 3
"""How often a manifest is sent at most whose parts the registry says it has not."""
_NO_LISTS = {400, 404, 405, 406, 501}
"""How registries answer that do not know the lists of referrers."""
_MOST_PAGES, _MOST_LIST_BYTES = 10_000, 64 << 20
"""Where a list that goes on is taken for one without end."""
_MEDIA_TYPE = re.compile(r"[\x21-\x7e]+")
_ACCEPT = f"{MANIFEST_MEDIA_TYPE}, {INDEX_MEDIA_TYPE}, {DOCKER_MANIFEST}, {DOCKER_INDEX}"


class HttpRegistry:
    """Every registry that is reached over a wire; `on_bytes` is told what was sent of blobs."""

    def __init__(self, wire: Wire, on_bytes: Callable[[int], None] = lambda _: None) -> None:
        self._wire = wire
        self._on_bytes = on_bytes

    def find_manifest(self, repository: Repository, pointer: str) -> str | None:
        """Ask for the digest alone, and for the manifest where the answer has none that is one."""
        request = Request("HEAD", repository, f"manifests/{pointer}", {"Accept": _ACCEPT})
        answer = self._wire.send(request)
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise self._wire.refused(request, answer)
        digest: str = answer.headers.get("docker-content-digest", "")
        return digest if is_digest(digest) else self.read_manifest(repository, pointer).digest

    def find_manifests(self, repository: Repository, pointers: Sequence[str]) -> dict[str, str]:
        """Ask for one after the other: the protocol knows no more."""
        found = {pointer: self.find_manifest(repository, pointer) for pointer in pointers}
        return {pointer: digest for pointer, digest in found.items() if digest}

    def read_manifest(self, repository: Repository, pointer: str) -> Manifest:
        """Read a manifest and compare its bytes with every digest that is told of it."""
        request = Request("GET", repository, f"manifests/{pointer}", {"Accept": _ACCEPT})
        answer = self._wire.send(request)
        if answer.status == 404:
            raise NotPublishedError(
                f"{repository} has no {pointer}",
                hint="name a tag or digest that it has; orch push publishes images of a workspace",
            )
        if answer.status != 200:
            raise self._wire.refused(request, answer)
        manifest = Manifest(_media_type(answer), answer.body)
        told = (answer.headers.get("docker-content-digest"), pointer if ":" in pointer else None)
        for digest in told:
            _check(f"{repository} answers {pointer} with", manifest.digest, digest)
        return manifest

    def write_manifest(self, repository: Repository, pointer: str, manifest: Manifest) -> None:
        """Store a manifest; the registry must name it by the digest that it has."""
        request = Request(
            "PUT",
            repository,
            f"manifests/{pointer}",
            {"Content-Type": manifest.media_type},
            lambda: iter((manifest.data,)),
            len(manifest.data),
        )
        told = self._store(request).headers.get("docker-content-digest")
        _check(f"{repository} was sent {pointer} with", manifest.digest, told)

    def _store(self, request: Request) -> Answer:
        """Store a manifest, again where the registry does not see yet what it refers to.

        That is there, but some storage shows it late, or not while another push writes it too.
        """
        for attempt in range(1, _STORES):
            try:
                return self._wire.expect(request, *_STORED)
            except RefusedError as refused:
                if "MANIFEST_BLOB_UNKNOWN" not in refused.codes:
                    raise
            self._wire.pause(attempt)
        return self._wire.expect(request, *_STORED)

    def has_blob(self, repository: Repository, digest: str) -> bool:
        """Ask for a blob's head; a repository that may not be read has none for us."""
        answer = self._wire.send(Request("HEAD", repository, f"blobs/{digest}"))
        return answer.status == 200

    def mount_blob(self, repository: Repository, digest: str, source: Repository) -> bool:
        """Mount a blob; where the registry opens an upload instead, that is given up."""
        target = f"blobs/uploads/?mount={digest}&from={source.name}"
        request = Request("POST", repository, target, sources=(source,))
        answer = self._wire.send(request)
        if answer.status == 202 and answer.location:
            self._wire.send(Request("DELETE", repository, answer.location, sources=(source,)))
        return answer.status == 201

    def write_blob(self, repository: Repository, blob: BlobInfo, source: Path) -> None:
        """Send a file, in one piece or in chunks."""
        Upload(self._wire, repository, blob, source, self._on_bytes).send()

    def fetch_blob(self, repository: Repository, blob: BlobInfo, target: Path) -> None:
        """Write a blob to a file when all its bytes came."""
        with replacing(target) as file:
            request = Request("GET", repository, f"blobs/{blob.digest}")
            download(self._wire, request, file, blob.size_bytes)
            file.flush()
            with open(file.fileno(), "rb", closefd=False) as written:
                written.seek(0)
                found = hashlib.file_digest(written, "sha256").hexdigest()
            _check(f"{repository} answers with", f"sha256:{found}", blob.digest)

    def find_referrers(self, repository: Repository, digest: str) -> tuple[Referrer, ...] | None:
        """Read all pages of what refers to a manifest."""
        found: list[Referrer] = []
        for request, answer in self._pages(
            repository, f"referrers/{digest}", {"Accept": INDEX_MEDIA_TYPE}
        ):
            if answer.status not in {200, *_NO_LISTS}:
                raise self._wire.refused(request, answer)
            rows = _referrers(answer)
            if rows is None:
                return None
            found += rows
        return tuple(found)

    def tags(self, repository: Repository) -> tuple[str, ...]:
        """Read all pages of a repository's tags."""
        found: list[str] = []
        for request, answer in self._pages(repository, "tags/list", {}):
            if answer.status == 404:
                break
            if answer.status != 200:
                raise self._wire.refused(request, answer)
            found += _tags(request, answer)
        return tuple(sorted(found))

    def _pages(
        self, repository: Repository, target: str, headers: Mapping[str, str]
    ) -> Iterator[tuple[Request, Answer]]:
        """Ask for a list page by page; give each request with its answer.

        Raises:
            RegistryError: The list has no end.
        """
        asked: set[str] = set()
        size_bytes = 0
        while target:
            request = Request("GET", repository, target, headers)
            if target in asked or len(asked) == _MOST_PAGES or size_bytes > _MOST_LIST_BYTES:
                raise RegistryError(
                    f"{request.where} has no end: {len(asked)} pages were read",
                    hint="its pages lead on without end; " + PAST_PROXIES,
                )
            asked.add(target)
            answer = self._wire.send(request)
            size_bytes += len(answer.body)
            yield request, answer
            target = _next_page(answer)


def _media_type(answer: Answer) -> str:
    """Return what a manifest is by its own word, else by its header's; nothing that is no type."""
    told = answer.headers.get("content-type", "").partition(";")[0]
    try:
        written = str(read_object(answer.body).get("mediaType") or told)
    except ValueError:
        written = told
    return written if _MEDIA_TYPE.fullmatch(written) else ""


def _referrers(answer: Answer) -> tuple[Referrer, ...] | None:
    """Return what an answer lists; None where it is no list, but a page for people, say."""
    if answer.status != 200 or _media_type(answer) != INDEX_MEDIA_TYPE:
        return None
    try:
        return parse_referrers(read_object(answer.body))
    except ValueError:
        return None


def _tags(request: Request, answer: Answer) -> list[str]:
    try:
        tags = read_object(answer.body).get("tags") or []
    except ValueError:
        tags = None
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise RegistryError(
            f"{request.where} is answered with what is no list of tags",
            hint=NO_REGISTRY,
        )
    return tags


def _check(what: str, found: str, told: str | None) -> None:
    if told and told != found:
        raise VerificationError(
            f"{what} {found}, and calls it {told}",
            hint="a proxy or the registry altered it, and nothing was tagged; " + PAST_PROXIES,
        )


def _next_page(answer: Answer) -> str:
    link = answer.headers.get("link", "")
    if 'rel="next"' not in link:
        return ""
    return Answer(
        0, {"location": link.partition("<")[2].partition(">")[0]}, b"", answer.url
    ).location
