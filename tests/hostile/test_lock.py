"""A lock that a stranger wrote names no file outside the places that are made for it."""

from __future__ import annotations

import pytest

from orchestrator.errors import LockError
from orchestrator.lockfile import parse_lock

SHA256 = "a" * 64
WHEEL = {
    "name": "b",
    "version": "1",
    "file": "b-1-py3-none-any.whl",
    "sha256": SHA256,
    "size": 1,
}
DEB = {
    "name": "b",
    "version": "1",
    "architecture": "amd64",
    "sha256": SHA256,
    "size": 1,
    "path": "pool/b_1_amd64.deb",
}
ELSEWHERE = (
    "../../etc/cron.d/x",
    "/etc/passwd",
    "..",
    ".profile",
    "a/b",
    "a\\b",
    "a\0b",
    "a\nb",
    "",
)


def written(kind: str, row: dict[str, object]) -> str:
    lines = "\n".join(f"{key} = {_toml(value)}" for key, value in row.items())
    python = "python" if kind == "wheel" else "debian"
    return (
        f'version = 1\npython = "3.11"\nsuite = "bookworm"\n[[{kind}]]\n{lines}\n'
        f'[image.x."linux/amd64".{python}]\n{_toml(row["name"])} = {_toml(row["version"])}\n'
    )


def _toml(value: object) -> str:
    if not isinstance(value, str):
        return str(value).lower()
    return '"' + "".join(f"\\u{ord(char):04x}" for char in value) + '"'


@pytest.mark.parametrize("kind", ["wheel", "deb"])
def test_a_lock_as_it_is_written_is_read(kind: str) -> None:
    assert parse_lock(written(kind, WHEEL if kind == "wheel" else DEB)).images


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
@pytest.mark.parametrize("key", ["name", "version", "file", "sha256"])
def test_a_name_that_leads_elsewhere_is_refused(key: str, elsewhere: str) -> None:
    with pytest.raises(LockError, match="is not a whole lock") as refused:
        parse_lock(written("wheel", {**WHEEL, key: elsewhere}))
    assert "orch lock" in refused.value.hint


@pytest.mark.parametrize("path", ["pool/..", "pool/.b.deb", ""])
def test_a_pool_path_that_names_no_file_is_refused(path: str) -> None:
    with pytest.raises(LockError, match="is not a whole lock"):
        parse_lock(written("deb", {**DEB, "path": path}))


@pytest.mark.parametrize("size", [-1, 1.5, "1", [1]])
def test_a_size_that_is_none_is_refused(size: object) -> None:
    with pytest.raises(LockError, match="is not a whole lock"):
        parse_lock(written("wheel", {**WHEEL, "size": size}))


@pytest.mark.parametrize("digest", ["sha256:../../x", "sha256:abc", "md5:" + "a" * 32])
def test_an_external_image_is_pinned_to_a_digest(digest: str) -> None:
    text = 'version = 1\npython = "3.11"\nsuite = "bookworm"\n'
    with pytest.raises(LockError, match="is pinned to"):
        parse_lock(f'{text}[[external]]\nreference = "debian:12"\ndigest = "{digest}"\n')
