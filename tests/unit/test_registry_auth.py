"""Registries that want credentials get them, as seldom as can be, and nobody else does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from orchestrator.publish.auth import Authoriser, Challenge, parse_challenge
from orchestrator.publish.credentials import Credentials
from orchestrator.publish.exchange import Answer
from orchestrator.publish.http_registry import HttpRegistry
from orchestrator.publish.reference import Repository
from orchestrator.publish.registry import CredentialsError, RegistryError
from orchestrator.publish.wire import Wire
from tests.registries import PASSWORD, TOKEN, USER, TinyRegistry, answering
from tests.registry_contract import blob_of

DIGEST = blob_of(b"x").digest

Connect = Callable[[Credentials | None], Wire]


@pytest.fixture
def tiny() -> Iterator[TinyRegistry]:
    with TinyRegistry(auth="bearer").running() as tiny:
        yield tiny


@pytest.fixture
def wire_for() -> Iterator[Connect]:
    """Return a function that connects with some credentials."""
    wires: list[Wire] = []

    def connect(known: Credentials | None) -> Wire:
        wires.append(Wire(actions="pull,push", retry_s=0.0, find=lambda _: known))
        return wires[-1]

    yield connect
    for wire in wires:
        wire.close()


def place(tiny: TinyRegistry, name: str = "team/api") -> Repository:
    return Repository(tiny.address, name)


ANN = Credentials(USER, PASSWORD)


@pytest.mark.parametrize(
    ("header", "challenge"),
    [
        (
            'Bearer realm="https://h/token",service="s",scope="repository:a:pull,push"',
            Challenge("bearer", "https://h/token", "s", "repository:a:pull,push"),
        ),
        ("Basic realm=x", Challenge("basic", "x")),
        ('Basic realm="b", Bearer realm="https://h/t"', Challenge("bearer", "https://h/t")),
        ('bearer Realm="https://h/t" , service="s"', Challenge("bearer", "https://h/t", "s")),
        (
            'Bearer realm="https://h/t",error="invalid_token"',
            Challenge("bearer", "https://h/t", error="invalid_token"),
        ),
        ("Negotiate", None),
        ("", None),
    ],
)
def test_challenges_are_read(header: str, challenge: Challenge | None) -> None:
    assert parse_challenge(header) == challenge


@pytest.mark.parametrize("auth", ["basic", "bearer"])
def test_a_registry_that_asks_is_answered(tiny: TinyRegistry, wire_for: Connect, auth: str) -> None:
    tiny.auth = auth
    assert HttpRegistry(wire_for(ANN)).find_manifest(place(tiny), "latest") is None


def test_a_token_is_asked_for_once_and_for_what_it_is_needed(
    tiny: TinyRegistry, wire_for: Connect
) -> None:
    registry = HttpRegistry(wire_for(ANN))
    for tag in "abc":
        registry.find_manifest(place(tiny), tag)
    (query,) = tiny.granted
    assert query["scope"] == ["repository:team/api:pull,push"]
    assert query["service"] == ["tiny"]
    assert query["account"] == [USER]
    assert len(tiny.asked) == 5, "three requests, one refused, one for the token"


def test_many_threads_ask_for_one_token(tiny: TinyRegistry, wire_for: Connect) -> None:
    registry = HttpRegistry(wire_for(ANN))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda tag: registry.find_manifest(place(tiny), tag), "abcdefgh"))
    assert len(tiny.granted) == 1


def test_a_mount_asks_for_both_repositories(tiny: TinyRegistry, wire_for: Connect) -> None:
    HttpRegistry(wire_for(ANN)).mount_blob(place(tiny), DIGEST, place(tiny, "team/base"))
    (query,) = tiny.granted
    assert query["scope"] == ["repository:team/api:pull,push", "repository:team/base:pull"]


def test_a_token_that_ran_out_is_renewed(tiny: TinyRegistry, wire_for: Connect) -> None:
    tiny.token_uses = 2
    registry = HttpRegistry(wire_for(ANN))
    for tag in "abcdef":
        assert registry.find_manifest(place(tiny), tag) is None
    assert len(tiny.granted) == 3


def test_a_token_that_runs_out_on_its_way_is_renewed_and_one_that_is_refused_is_not(
    tiny: TinyRegistry, wire_for: Connect
) -> None:
    challenge = f'Bearer realm="http://{tiny.address}/token",service="tiny"'
    ran_out = answering(401, WWW_Authenticate=f'{challenge},error="invalid_token"')
    tiny.faults = [ran_out, ran_out]
    assert HttpRegistry(wire_for(ANN)).find_manifest(place(tiny), "latest") is None
    assert len(tiny.granted) == 2
    tiny.faults = [ran_out, answering(401, WWW_Authenticate=challenge)]
    with pytest.raises(CredentialsError, match="want of rights"):
        HttpRegistry(wire_for(ANN)).find_manifest(place(tiny), "latest")
    assert len(tiny.granted) == 3


def test_an_identity_token_is_exchanged(tiny: TinyRegistry, wire_for: Connect) -> None:
    known = Credentials("<token>", PASSWORD, is_identity_token=True)
    HttpRegistry(wire_for(known)).find_manifest(place(tiny), "latest")
    (form,) = tiny.granted
    assert form["grant_type"] == ["refresh_token"]
    assert PASSWORD not in " ".join(tiny.asked), "it is in the body, not in the address"


def test_a_busy_token_server_is_asked_again(
    tiny: TinyRegistry, wire_for: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = [503, 429]
    wire = wire_for(ANN)
    real = wire._connections.ask

    def ask(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        answer = real(method, url, headers, body)
        return replace(answer, status=busy.pop()) if busy else answer

    monkeypatch.setattr(wire._connections, "ask", ask)
    assert HttpRegistry(wire).find_manifest(place(tiny), "latest") is None
    assert len(tiny.granted) == 3


@pytest.mark.parametrize("auth", ["basic", "bearer"])
@pytest.mark.parametrize("known", [Credentials(USER, "wrong"), None])
def test_wrong_or_missing_credentials_are_an_error_that_says_how_to_log_in(
    tiny: TinyRegistry, wire_for: Connect, auth: str, known: Credentials | None
) -> None:
    tiny.auth = auth
    with pytest.raises(CredentialsError) as raised:
        HttpRegistry(wire_for(known)).find_manifest(place(tiny), "latest")
    assert "docker login" in raised.value.hint
    assert "wrong" not in str(raised.value)


def test_a_registry_that_refuses_every_token_is_an_error(
    tiny: TinyRegistry, wire_for: Connect
) -> None:
    tiny.token_uses = 0
    with pytest.raises(CredentialsError, match="want of rights"):
        HttpRegistry(wire_for(ANN)).find_manifest(place(tiny), "latest")


def test_a_realm_in_the_clear_gets_no_password() -> None:
    asked: list[str] = []

    def request(method: str, url: str, headers: object, body: object) -> tuple[int, bytes]:
        asked.append(url)
        return 200, b'{"token": "x"}'

    authoriser = Authoriser(lambda _: ANN, request)
    challenge = 'Bearer realm="http://tokens.example.com/"'
    with pytest.raises(CredentialsError, match="in the clear"):
        authoriser.renew(Repository("registry.example.com", "a"), ("x",), challenge, "")
    assert not asked


@pytest.mark.parametrize("how", ["redirect", "upload"])
def test_storage_on_another_host_gets_no_authorisation(
    tiny: TinyRegistry, wire_for: Connect, tmp_path: Path, how: str
) -> None:
    seen: list[str | None] = []

    def note(handler: BaseHTTPRequestHandler) -> bool:
        seen.append(handler.headers.get("Authorization"))
        return False

    tiny.auth = "basic"
    registry = HttpRegistry(wire_for(ANN))
    registry.find_manifest(place(tiny), "latest")  # now it is known what the registry wants
    with TinyRegistry().running() as storage:
        storage.faults = [note]
        if how == "redirect":
            elsewhere = f"http://{storage.address}/v2/x/blobs/{DIGEST}"
            tiny.faults = [answering(307, Location=elsewhere)]
            assert not registry.has_blob(place(tiny), DIGEST)
        else:
            storage.uploads["key"] = bytearray()
            elsewhere = f"http://{storage.address}/v2/x/blobs/uploads/key"
            tiny.faults = [answering(202, Location=elsewhere)]
            (tmp_path / "blob").write_bytes(b"x")
            registry.write_blob(place(tiny), blob_of(b"x"), tmp_path / "blob")
    assert seen == [None]


def test_nothing_is_sent_in_the_clear_to_another_machine(
    tiny: TinyRegistry, wire_for: Connect, tmp_path: Path
) -> None:
    registry = HttpRegistry(wire_for(ANN))
    registry.find_manifest(place(tiny), "latest")
    (tmp_path / "blob").write_bytes(b"x")
    elsewhere = "http://storage.example.com/v2/x/blobs/uploads/key"
    tiny.faults = [answering(status, Location=elsewhere) for status in (307, 202)]
    with pytest.raises(RegistryError, match="in the clear"):
        registry.has_blob(place(tiny), DIGEST)
    with pytest.raises(RegistryError, match="in the clear"):
        registry.write_blob(place(tiny), blob_of(b"x"), tmp_path / "blob")


def test_a_registry_that_names_itself_by_another_scheme_is_spoken_to_as_before(
    tiny: TinyRegistry, wire_for: Connect, tmp_path: Path
) -> None:
    registry = HttpRegistry(wire_for(ANN))
    (tmp_path / "blob").write_bytes(b"x")
    tiny.uploads["key"] = bytearray()
    itself = f"https://{tiny.address}/v2/team/api/blobs/uploads/key"
    registry.find_manifest(place(tiny), "latest")
    tiny.faults = [answering(202, Location=itself)]
    registry.write_blob(place(tiny), blob_of(b"x"), tmp_path / "blob")
    assert registry.has_blob(place(tiny), DIGEST)


def test_secrets_are_masked_wherever_a_registry_echoes_them(
    tiny: TinyRegistry, wire_for: Connect
) -> None:
    wire = wire_for(ANN)
    HttpRegistry(wire).find_manifest(place(tiny), "latest")
    text = wire._auth.masked(f"a {PASSWORD} b {TOKEN}-1 c")
    assert text == "a *** b *** c"
