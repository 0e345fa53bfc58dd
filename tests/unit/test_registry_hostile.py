"""Whatever a registry or a token server answers, it ends in a value or in an error for people."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from orchestrator.errors import OrchError
from orchestrator.oci.image import INDEX_MEDIA_TYPE, MANIFEST_MEDIA_TYPE
from orchestrator.publish.credentials import Credentials
from orchestrator.publish.crew import Crew
from orchestrator.publish.documents import read_document
from orchestrator.publish.http_registry import HttpRegistry
from orchestrator.publish.promote import promote
from orchestrator.publish.pull import fetch_image, find_image
from orchestrator.publish.reference import Reference, Repository
from orchestrator.publish.referrers import find_referrers
from orchestrator.publish.registry import (
    CredentialsError,
    Manifest,
    RegistryError,
    VerificationError,
)
from orchestrator.publish.wire import Wire
from tests.images import AMD64
from tests.registries import Fault, Handler, TinyRegistry, answering
from tests.registry_contract import CONTENT, blob_of

BLOB = blob_of(CONTENT)
OUTSIDE = "sha256:../../../../outside"


def rows(key: str, *items: object) -> bytes:
    return json.dumps({"mediaType": MANIFEST_MEDIA_TYPE, key: items}).encode()


def image(config: object, *layers: object) -> bytes:
    return json.dumps({"config": config, "layers": layers}).encode()


GOOD = {"digest": BLOB.digest, "size": BLOB.size_bytes}
BODIES = {
    "nothing": b"",
    "a page": b"<html>Log in</html>",
    "no text": b"\xff\xfe\x00\xd8",
    "a list": b"[]",
    "a number": b"5",
    "an object": b"{}",
    "nested": b"[" * 100_000,
    "nested objects": b'{"a":' * 100_000,
    "many digits": b'{"size": ' + b"9" * 5000 + b"}",
    "tags that are a text": b'{"tags": "latest"}',
    "tags that are numbers": b'{"tags": [1, {}]}',
    "rows that are numbers": rows("manifests", 5),
    "a row of nothing": rows("manifests", {}),
    "a digest that is a list": rows("manifests", {"digest": [], "size": 1}),
    "an endless size": b'{"manifests": [{"digest": "x", "size": 1e999}]}',
    "a platform that is a text": rows("manifests", {**GOOD, "platform": "linux/amd64"}),
    "odd annotations": rows("manifests", {**GOOD, "annotations": {"io.orch.document": []}}),
    "annotations that are a list": rows("manifests", {**GOOD, "annotations": [1]}),
    "layers that are a text": b'{"config": {}, "layers": "ab"}',
    "a config that is a text": image("ab"),
    "a size that is a text": image({**GOOD, "size": "much"}),
    "a size below nothing": image({**GOOD, "size": -1}),
    "a size of nothing": image({**GOOD, "size": 0}, GOOD),
    "a size that is true": image({**GOOD, "size": True}),
    "a digest that leads out": image({"digest": OUTSIDE, "size": 1}, GOOD),
    "a layer that leads out": image(GOOD, {"digest": OUTSIDE, "size": 1}),
    "a type that is no type": json.dumps({"mediaType": "\u00fc\n"}).encode(),
    "errors that are a text": b'{"errors": "no"}',
    "errors that are numbers": b'{"errors": [1]}',
    "a token that is a list": b'{"token": ["x"]}',
    "a token of two lines": b'{"token": "x\\ny"}',
    "a token beyond ASCII": '{"token": "\u00fc"}'.encode(),
    "a token without end": b'{"token": "x", "expires_in": ' + b"9" * 400 + b"}",
}
HEADERS: Mapping[str, Mapping[str, str]] = {
    "none": {},
    "an index": {"Content_Type": INDEX_MEDIA_TYPE},
    "a place that is none": {"Location": "http://[", "Link": '<http://[>; rel="next"'},
    "another scheme": {"Location": "gopher://x/", "Link": '<gopher://x/>; rel="next"'},
    "odd numbers": {"Retry_After": "\u00b2", "Range": "0-\u00b2", "OCI_Chunk_Min_Length": "\u00b2"},
    "large numbers": {"Range": f"0-{'9' * 17}", "OCI_Chunk_Min_Length": "9" * 5000},
    "a day that is none": {"Retry_After": "Mon, 99 Foo 99999 25:61:61 +9999"},
    "a digest that is none": {"Docker_Content_Digest": "\u00fc"},
    "a challenge": {"WWW_Authenticate": 'Bearer realm="http://127.0.0.1:9/["'},
}
STATUSES = (200, 201, 202, 204, 206, 401, 404, 416, 503)

Operation = Callable[[HttpRegistry, Repository, Path], object]


def pull(registry: HttpRegistry, place: Repository, folder: Path) -> None:
    crew = Crew(1, lambda: None)
    try:
        found = find_image(registry, Reference(place, "v1"), AMD64)
        fetch_image(registry, crew, found, lambda digest: folder / "in" / digest.partition(":")[2])
    finally:
        crew.close()


def retag(registry: HttpRegistry, place: Repository, _: Path) -> None:
    crew = Crew(1, lambda: None)
    try:
        (done,) = promote(registry, crew, {"api": place}, "v1", "v2")
    finally:
        crew.close()
    if done.error:
        raise done.error


OPERATIONS: Mapping[str, Operation] = {
    "find": lambda registry, place, _: registry.find_manifest(place, "v1"),
    "read": lambda registry, place, _: registry.read_manifest(place, "v1"),
    "write": lambda registry, place, _: registry.write_manifest(
        place, "v1", Manifest(MANIFEST_MEDIA_TYPE, b"{}")
    ),
    "tags": lambda registry, place, _: registry.tags(place),
    "referrers": lambda registry, place, _: find_referrers(registry, place, BLOB.digest),
    "mount": lambda registry, place, _: registry.mount_blob(place, BLOB.digest, place),
    "send": lambda registry, place, folder: registry.write_blob(place, BLOB, folder / "blob"),
    "fetch": lambda registry, place, folder: registry.fetch_blob(place, BLOB, folder / "out"),
    "pull": pull,
    "promote": retag,
    "document": lambda registry, place, _: read_document(registry, place, "v1", "x/y"),
}


@pytest.fixture(scope="module")
def tiny() -> Iterator[TinyRegistry]:
    with TinyRegistry().running() as tiny:
        yield tiny


@pytest.fixture
def registry() -> Iterator[HttpRegistry]:
    wire = Wire(actions="pull,push", timeout_s=5, retry_s=0.0, find=lambda _: None, attempts=2)
    yield HttpRegistry(wire)
    wire.close()


@pytest.mark.parametrize("operation", OPERATIONS)
def test_any_answer_ends_in_a_value_or_an_error(
    tiny: TinyRegistry, registry: HttpRegistry, tmp_path: Path, operation: str
) -> None:
    (tmp_path / "blob").write_bytes(CONTENT)
    place, before = Repository(tiny.address, "team/api"), sorted(tmp_path.parent.iterdir())
    errors: list[OrchError] = []
    kinds = itertools.chain(
        itertools.product(BODIES.values(), ({}, HEADERS["an index"]), (200, 201)),
        itertools.product((b"{}",), HEADERS.values(), STATUSES),
    )
    for body, headers, status in kinds:
        tiny.faults = [answering(status, body, **headers)] * 40
        try:
            OPERATIONS[operation](registry, place, tmp_path)
        except OrchError as error:
            errors.append(error)
    tiny.faults = []
    assert errors
    assert not [error for error in errors if not (error.message and error.hint)]
    assert sorted(tmp_path.parent.iterdir()) == before


@pytest.mark.parametrize("body", BODIES)
def test_what_is_no_token_is_said_to_be_none(monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    with TinyRegistry(auth="bearer").running() as tiny:
        monkeypatch.setattr(tiny, "grant", lambda _: BODIES[body])
        wire = Wire(retry_s=0.0, find=lambda _: Credentials("ann", "planted-password"))
        with pytest.raises(CredentialsError, match="no token") as raised:
            HttpRegistry(wire).find_manifest(Repository(tiny.address, "team/api"), "v1")
        wire.close()
    assert raised.value.hint


def endless(handler: Handler) -> bool:
    """Answer with a body that goes on until nobody reads it any more."""
    handler.send_response(200)
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.close_connection = True
    while True:
        handler.wfile.write(b" " * (1 << 20))


@pytest.mark.parametrize("operation", ["read", "tags", "referrers", "fetch", "pull", "document"])
def test_an_answer_without_end_is_read_no_further_than_it_may_be(
    tiny: TinyRegistry, registry: HttpRegistry, tmp_path: Path, operation: str
) -> None:
    tiny.faults = [endless]
    with pytest.raises(RegistryError, match="more than") as raised:
        OPERATIONS[operation](registry, Repository(tiny.address, "team/api"), tmp_path)
    assert raised.value.hint
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_blob_without_a_size_is_not_fetched(
    tiny: TinyRegistry, registry: HttpRegistry, tmp_path: Path
) -> None:
    tiny.faults = [answering(200, BODIES["a size of nothing"]), endless]
    with pytest.raises(RegistryError, match="a blob has no size"):
        pull(registry, Repository(tiny.address, "team/api"), tmp_path)
    assert tiny.faults == [endless]
    tiny.faults = []


def test_a_token_without_end_is_read_no_further_than_it_may_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with TinyRegistry(auth="bearer").running() as tiny:
        monkeypatch.setattr(tiny, "grant", lambda _: b" " * (9 << 20))
        wire = Wire(retry_s=0.0, find=lambda _: Credentials("ann", "planted-password"))
        with pytest.raises(RegistryError, match="answers more than"):
            HttpRegistry(wire).find_manifest(Repository(tiny.address, "team/api"), "v1")
        wire.close()


def pages() -> Iterator[Fault]:
    """Yield answers each of which leads to another page."""
    for number in itertools.count():
        link = f'</v2/team/api/tags/list?page={number}>; rel="next"'
        yield answering(200, b'{"tags": ["a"]}', Link=link)


@pytest.mark.parametrize("is_circle", [True, False])
def test_a_list_without_end_is_given_up(
    tiny: TinyRegistry,
    registry: HttpRegistry,
    monkeypatch: pytest.MonkeyPatch,
    is_circle: bool,  # noqa: FBT001 - a row of a table
) -> None:
    monkeypatch.setattr("orchestrator.publish.http_registry._MOST_PAGES", 7)
    answers = list(itertools.islice(pages(), 9))
    tiny.faults = [answers[0]] * 9 if is_circle else [*answers]
    with pytest.raises(RegistryError, match="has no end") as raised:
        registry.tags(Repository(tiny.address, "team/api"))
    assert raised.value.hint
    assert len(tiny.faults) == (7 if is_circle else 2)
    tiny.faults = []


def test_a_digest_that_is_none_is_not_believed(tiny: TinyRegistry, registry: HttpRegistry) -> None:
    tiny.faults = [
        answering(200, Docker_Content_Digest="latest"),
        answering(200, b"{}", Docker_Content_Digest="latest"),
    ]
    with pytest.raises(VerificationError, match="calls it latest"):
        registry.find_manifest(Repository(tiny.address, "team/api"), "v1")
