"""Credentials are found where docker and podman keep them, and are never shown."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import MissingToolError, OrchError, WorkspaceError
from orchestrator.publish.credentials import Credentials, CredentialStore
from orchestrator.publish.reference import Repository
from tests.verbs import forget_credentials

API = Repository("registry.example.com", "team/api")
SECRET = "planted-secret"


def find_credentials(repository: Repository) -> Credentials | None:
    return CredentialStore().find(repository)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without anything, and a PATH of its own."""
    forget_credentials(monkeypatch, tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    return tmp_path


def write(file: Path, config: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(config if isinstance(config, str) else json.dumps(config))


def docker(home: Path, **config: Any) -> None:
    write(home / ".docker/config.json", config)


def auth(user: str, secret: str = SECRET) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{secret}".encode()).decode()}


def helper(home: Path, name: str, script: str) -> None:
    file = home / f"bin/docker-credential-{name}"
    write(file, f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def answer(user: str, secret: str = SECRET) -> str:
    return json.dumps({"ServerURL": "x", "Username": user, "Secret": secret})


def test_without_any_file_there_are_none(home: Path) -> None:
    assert find_credentials(API) is None


def test_dockers_file_has_them_by_host(home: Path) -> None:
    docker(home, auths={"registry.example.com": auth("ann"), "other.example.com": auth("bob")})
    assert find_credentials(API) == Credentials("ann", SECRET)


def test_old_files_write_hosts_as_addresses(home: Path) -> None:
    docker(home, auths={"https://registry.example.com/v1/": auth("ann")})
    assert find_credentials(API) == Credentials("ann", SECRET)


def test_docker_hub_has_a_key_of_its_own(home: Path) -> None:
    docker(home, auths={"https://index.docker.io/v1/": auth("ann")})
    assert find_credentials(Repository("docker.io", "library/debian")) == Credentials("ann", SECRET)
    assert find_credentials(API) is None


def test_a_password_may_hold_colons(home: Path) -> None:
    docker(home, auths={"registry.example.com": auth("ann", "a:b:c")})
    assert find_credentials(API) == Credentials("ann", "a:b:c")


def test_an_identity_token_wins_over_the_password(home: Path) -> None:
    docker(home, auths={"registry.example.com": {**auth("ann", ""), "identitytoken": "token"}})
    assert find_credentials(API) == Credentials("ann", "token", is_identity_token=True)


def test_docker_config_moves_the_file(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker(home, auths={"registry.example.com": auth("wrong")})
    write(tmp_path / "moved/config.json", {"auths": {"registry.example.com": auth("ann")}})
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "moved"))
    assert find_credentials(API) == Credentials("ann", SECRET)


@pytest.mark.parametrize("variable", ["XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", ""])
def test_what_podman_keeps_is_found(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    folder = tmp_path / "elsewhere" if variable else home / ".config"
    if variable:
        monkeypatch.setenv(variable, str(folder))
    write(folder / "containers/auth.json", {"auths": {"registry.example.com": auth("ann")}})
    assert find_credentials(API) == Credentials("ann", SECRET)


def test_the_longest_path_wins(home: Path) -> None:
    hosts = {
        "registry.example.com": auth("host"),
        "registry.example.com/team": auth("team"),
        "registry.example.com/team/api": auth("api"),
        "registry.example.com/te": auth("part"),
    }
    write(home / ".config/containers/auth.json", {"auths": hosts})
    assert find_credentials(API) == Credentials("api", SECRET)
    other = Repository(API.host, "team/web")
    assert find_credentials(other) == Credentials("team", SECRET)
    assert find_credentials(Repository(API.host, "x")) == Credentials("host", SECRET)


def test_a_registrys_own_helper_comes_first(home: Path) -> None:
    helper(home, "own", f"read host; [ $host = registry.example.com ] && echo '{answer('ann')}'")
    docker(
        home,
        auths={"registry.example.com": auth("file")},
        credHelpers={"registry.example.com": "own"},
    )
    assert find_credentials(API) == Credentials("ann", SECRET)


def test_the_store_is_asked_where_the_file_has_nothing(home: Path) -> None:
    helper(home, "all", f"echo '{answer('<token>')}'")
    docker(home, auths={"registry.example.com": {}}, credsStore="all")
    assert find_credentials(API) == Credentials("<token>", SECRET, is_identity_token=True)


def test_a_store_that_has_none_has_none(home: Path) -> None:
    helper(home, "all", "echo credentials not found in native keychain; exit 1")
    docker(home, credsStore="all")
    assert find_credentials(API) is None


def test_a_helper_that_is_not_installed_is_named(home: Path) -> None:
    docker(home, credsStore="desktop")
    with pytest.raises(MissingToolError, match="docker-credential-desktop") as raised:
        find_credentials(API)
    assert raised.value.file.endswith(".docker/config.json")


@pytest.mark.parametrize("ending", ["exit 1", "exit 0"])
def test_what_a_helper_says_is_never_shown(home: Path, ending: str) -> None:
    helper(home, "all", f"echo {SECRET}; echo {SECRET} >&2; {ending}")
    docker(home, credsStore="all")
    with pytest.raises(OrchError) as raised:
        find_credentials(API)
    assert SECRET not in f"{raised.value} {raised.value.hint} {raised.value.__cause__}"


@pytest.mark.parametrize(
    "text", [f'{{"auths": "{SECRET}"', '{"auths": {"registry.example.com": {"auth": "%"}}}']
)
def test_a_broken_file_is_named_and_not_quoted(home: Path, text: str) -> None:
    write(home / ".docker/config.json", text)
    with pytest.raises(WorkspaceError, match=r"config\.json") as raised:
        find_credentials(API)
    assert SECRET not in str(raised.value)


def test_neither_repr_nor_str_shows_the_secret() -> None:
    credentials = Credentials("ann", SECRET)
    assert SECRET not in f"{credentials!r} {credentials}"


def test_a_helper_is_asked_once_for_all_repositories_of_a_host(home: Path) -> None:
    helper(home, "all", f"echo x >> {home}/asked; echo '{answer('ann')}'")
    docker(home, credsStore="all")
    store = CredentialStore()
    found = [store.find(Repository(API.host, f"team/{number}")) for number in range(5)]
    assert set(found) == {Credentials("ann", SECRET)}
    assert (home / "asked").read_text() == "x\n"


@pytest.mark.parametrize("odd", [5, "x", ["x"], {API.host: 5}, {API.host: ["x"]}], ids=str)
def test_tables_of_another_form_hold_nothing(home: Path, odd: object) -> None:
    docker(home, auths=odd, credHelpers=odd if not isinstance(odd, dict) else {})
    assert find_credentials(API) is None


@pytest.mark.parametrize("said", ["[]", "5", '{"Username": "ann"}', "\\377\\376"], ids=repr)
def test_a_helper_that_says_something_else_is_an_error(home: Path, said: str) -> None:
    docker(home, credHelpers={API.host: "odd"})
    helper(home, "odd", f"printf '{said}'")
    with pytest.raises(OrchError, match="something else than credentials"):
        find_credentials(API)
