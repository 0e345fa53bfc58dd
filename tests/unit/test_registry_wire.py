"""Faults of the network and of registries: tried again where that helps, else said clearly."""

from __future__ import annotations

import hashlib
import random
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.errors import InterruptedByUserError, WorkspaceError
from orchestrator.publish.certificates import trusting
from orchestrator.publish.exchange import Answer, retry_after_s
from orchestrator.publish.http_registry import HttpRegistry
from orchestrator.publish.reference import Repository
from orchestrator.publish.registry import (
    BlobInfo,
    RefusedError,
    RegistryError,
    RegistryUnreachableError,
    VerificationError,
)
from orchestrator.publish.upload import Upload
from orchestrator.publish.wire import ATTEMPTS, Wire
from tests.registries import TinyRegistry, answering, resetting
from tests.registry_contract import CONTENT, blob_of, manifest_of

BIG = random.Random(0).randbytes(300_000)
CHUNK = 100_000


@pytest.fixture
def tiny() -> Iterator[TinyRegistry]:
    with TinyRegistry().running() as tiny:
        yield tiny


@pytest.fixture
def wire() -> Iterator[Wire]:
    wire = Wire(actions="pull,push", timeout_s=5, retry_s=0.0, find=lambda _: None)
    yield wire
    wire.close()


@pytest.fixture
def place(tiny: TinyRegistry) -> Repository:
    return Repository(tiny.address, "team/api")


@pytest.fixture
def big(tmp_path: Path) -> Path:
    file = tmp_path / "big"
    file.write_bytes(BIG)
    return file


def upload(wire: Wire, place: Repository, file: Path) -> None:
    blob = BlobInfo("sha256:" + hashlib.sha256(BIG).hexdigest(), len(BIG))
    Upload(wire, place, blob, file, lambda _: None, CHUNK).send()


def methods(tiny: TinyRegistry) -> list[str]:
    return [line.partition(" ")[0] for line in tiny.asked]


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_passing_status_is_asked_again(
    tiny: TinyRegistry, wire: Wire, place: Repository, status: int
) -> None:
    tiny.faults = [answering(status), answering(status, Retry_After="0")]
    assert HttpRegistry(wire).find_manifest(place, "latest") is None
    assert len(tiny.asked) == 3
    assert wire.retries[place] == 2


def test_a_connection_that_breaks_is_made_again(
    tiny: TinyRegistry, wire: Wire, place: Repository
) -> None:
    tiny.faults = [resetting()]
    assert HttpRegistry(wire).find_manifest(place, "latest") is None


def test_what_does_not_pass_ends_with_what_and_where(
    tiny: TinyRegistry, wire: Wire, place: Repository
) -> None:
    tiny.faults = [answering(503)] * ATTEMPTS
    with pytest.raises(RegistryUnreachableError, match=r"HEAD .*/team/api/manifests/latest: .*503"):
        HttpRegistry(wire).find_manifest(place, "latest")
    assert len(tiny.asked) == ATTEMPTS


def test_a_registry_that_asks_for_an_hour_is_not_waited_for(
    tiny: TinyRegistry, wire: Wire, place: Repository
) -> None:
    tiny.faults = [answering(429, Retry_After="3600")]
    with pytest.raises(RegistryUnreachableError, match="429"):
        HttpRegistry(wire).find_manifest(place, "latest")
    assert len(tiny.asked) == 1


def test_retry_after_is_a_number_or_a_date() -> None:
    def seconds(text: str) -> float | None:
        return retry_after_s(Answer(503, {"retry-after": text}, b"", ""))

    assert seconds("7") == 7
    assert seconds("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert seconds("Wed, 21 Oct 2115 07:28:00 GMT") > 1e9  # type: ignore[operator]
    assert seconds("soon") is None


def test_a_refusal_is_not_asked_again(tiny: TinyRegistry, wire: Wire, place: Repository) -> None:
    tiny.faults = [answering(403)]
    with pytest.raises(RefusedError, match="403"):
        HttpRegistry(wire).find_manifest(place, "latest")
    assert len(tiny.asked) == 1


UNSEEN = answering(400, b'{"errors": [{"code": "MANIFEST_BLOB_UNKNOWN", "message": "none"}]}')


def test_a_manifest_whose_parts_are_not_seen_yet_is_sent_again(
    tiny: TinyRegistry, wire: Wire, place: Repository, big: Path
) -> None:
    upload(wire, place, big)
    manifest = manifest_of(blob_of(BIG))
    tiny.asked.clear()
    tiny.faults = [UNSEEN, UNSEEN]
    HttpRegistry(wire).write_manifest(place, manifest.digest, manifest)
    assert methods(tiny) == ["PUT"] * 3
    assert (place.name, manifest.digest) in tiny.manifests


def test_a_manifest_whose_parts_are_never_seen_is_refused_at_last(
    tiny: TinyRegistry, wire: Wire, place: Repository
) -> None:
    manifest = manifest_of(blob_of(BIG))
    tiny.faults = [UNSEEN] * 9
    with pytest.raises(RefusedError, match="MANIFEST_BLOB_UNKNOWN"):
        HttpRegistry(wire).write_manifest(place, manifest.digest, manifest)
    assert methods(tiny) == ["PUT"] * 3


def test_a_push_that_was_stopped_asks_nothing_more(
    tiny: TinyRegistry, wire: Wire, place: Repository
) -> None:
    wire.stop()
    with pytest.raises(InterruptedByUserError):
        HttpRegistry(wire).find_manifest(place, "latest")
    assert not tiny.asked


def test_a_blob_goes_in_one_piece(
    tiny: TinyRegistry, wire: Wire, place: Repository, big: Path
) -> None:
    upload(wire, place, big)
    assert methods(tiny) == ["POST", "PUT"]
    assert tiny.received_bytes == len(BIG)


def test_an_upload_that_breaks_off_goes_on_where_it_was(
    tiny: TinyRegistry, wire: Wire, place: Repository, big: Path
) -> None:
    tiny.faults = [None, resetting(after_bytes=120_000)]
    upload(wire, place, big)
    assert methods(tiny) == ["POST", "PUT", "HEAD", "GET", "PATCH", "PATCH", "PUT"]
    assert tiny.received_bytes == len(BIG) - 120_000
    assert list(tiny.blobs.values()) == [BIG]


def test_a_chunk_that_breaks_off_goes_on_where_it_was(
    tiny: TinyRegistry, wire: Wire, place: Repository, big: Path
) -> None:
    tiny.faults = [None, resetting(1), None, None, None, resetting(50_000)]
    upload(wire, place, big)
    assert list(tiny.blobs.values()) == [BIG]


def test_an_upload_that_the_registry_forgot_begins_anew(
    tiny: TinyRegistry, wire: Wire, place: Repository, big: Path
) -> None:
    def forget(handler: object) -> bool:
        tiny.uploads.clear()
        return False

    tiny.faults = [None, resetting(120_000), None, forget]
    upload(wire, place, big)
    assert list(tiny.blobs.values()) == [BIG]


def test_a_blob_that_arrived_though_the_answer_did_not_is_not_sent_again(
    tiny: TinyRegistry, wire: Wire, place: Repository, big: Path
) -> None:
    digest = "sha256:" + hashlib.sha256(BIG).hexdigest()

    def arrives(handler: object) -> bool:
        tiny.blobs[place.name, digest] = BIG
        return resetting()(handler)  # type: ignore[arg-type]

    tiny.faults = [None, arrives]
    upload(wire, place, big)
    assert methods(tiny) == ["POST", "PUT", "HEAD"]


def test_a_proxy_that_takes_small_bodies_only_gets_chunks(
    tiny: TinyRegistry, wire: Wire, place: Repository, big: Path
) -> None:
    tiny.most_bytes = CHUNK
    upload(wire, place, big)
    assert list(tiny.blobs.values()) == [BIG]


def test_an_upload_is_given_up_after_some_attempts(
    tiny: TinyRegistry, wire: Wire, place: Repository, big: Path
) -> None:
    def always(handler: object) -> bool:
        tiny.faults.append(always)
        is_body = handler.command in {"PUT", "PATCH"}  # type: ignore[attr-defined]
        return is_body and answering(500)(handler)  # type: ignore[arg-type]

    tiny.faults = [always]
    with pytest.raises(RegistryUnreachableError, match="500"):
        upload(wire, place, big)
    assert methods(tiny).count("PUT") + methods(tiny).count("PATCH") == ATTEMPTS


def test_a_file_is_read_in_pieces(
    tiny: TinyRegistry, wire: Wire, place: Repository, big: Path
) -> None:
    pieces: list[int] = []
    blob = BlobInfo("sha256:" + hashlib.sha256(BIG).hexdigest(), len(BIG))
    Upload(wire, place, blob, big, pieces.append).send()
    assert sum(pieces) == len(BIG)
    assert max(pieces) < len(BIG)


def test_a_download_that_breaks_off_is_resumed(
    tiny: TinyRegistry, wire: Wire, place: Repository, tmp_path: Path
) -> None:
    blob = blob_of(BIG)
    tiny.blobs[place.name, blob.digest] = BIG

    def half(handler: object) -> bool:
        handler.send_response(200)  # type: ignore[attr-defined]
        handler.send_header("Content-Length", str(len(BIG)))  # type: ignore[attr-defined]
        handler.end_headers()  # type: ignore[attr-defined]
        handler.wfile.write(BIG[:1000])  # type: ignore[attr-defined]
        handler.close_connection = True  # type: ignore[attr-defined]
        return True

    tiny.faults = [half]
    HttpRegistry(wire).fetch_blob(place, blob, tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == BIG
    assert len(tiny.asked) == 2


def test_altered_bytes_are_not_kept(
    tiny: TinyRegistry, wire: Wire, place: Repository, tmp_path: Path
) -> None:
    blob = blob_of(CONTENT)
    tiny.blobs[place.name, blob.digest] = CONTENT[:-1] + b"!"
    with pytest.raises(VerificationError):
        HttpRegistry(wire).fetch_blob(place, blob, tmp_path / "out")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("pointer", ["v1", ""])
def test_a_wrong_digest_in_an_answer_is_an_error(
    tiny: TinyRegistry, wire: Wire, place: Repository, pointer: str
) -> None:
    blob = blob_of(CONTENT)
    tiny.blobs[place.name, blob.digest] = CONTENT
    manifest = manifest_of(blob)
    wrong = answering(201, Docker_Content_Digest=blob.digest)
    tiny.faults = [wrong]
    with pytest.raises(VerificationError, match=manifest.digest):
        HttpRegistry(wire).write_manifest(place, pointer or manifest.digest, manifest)


def test_a_certificate_of_the_hosts_own_folder_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "registry.example.com"
    folder.mkdir()
    (folder / "ca.crt").write_text("no certificate")
    assert isinstance(trusting("other.example.com", (tmp_path,)), ssl.SSLContext)
    with pytest.raises(WorkspaceError, match=r"ca\.crt"):
        trusting("registry.example.com", (tmp_path,))


@pytest.mark.parametrize("body", [b"<html>Log in</html>", b"[]", b'{"tags": 5}', b"\xff"])
def test_a_list_of_tags_that_is_none_is_said_to_be_none(
    tiny: TinyRegistry, wire: Wire, place: Repository, body: bytes
) -> None:
    tiny.faults = [answering(200, body)]
    with pytest.raises(RegistryError, match=r"team/api/tags/list .* no list of tags"):
        HttpRegistry(wire).tags(place)


def test_a_repository_whose_tags_are_null_has_none(
    tiny: TinyRegistry, wire: Wire, place: Repository
) -> None:
    tiny.faults = [answering(200, b'{"name": "team/api", "tags": null}')]
    assert HttpRegistry(wire).tags(place) == ()
