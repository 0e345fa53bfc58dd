"""`[wheelhouse]`: places that are read, and secrets that have no place there."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import WorkspaceError
from orchestrator.model import SharedPlace
from orchestrator.settings import read_settings
from tests.helpers import write_tree


def read(root: Path, text: str) -> tuple[SharedPlace, ...]:
    write_tree(root, {"orch.toml": f"[wheelhouse]\n{text}\n"})
    return read_settings(root).wheelhouse.shared


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("s3://wheels", SharedPlace("s3://wheels", "wheels")),
        ("s3://wheels/team/a/", SharedPlace("s3://wheels/team/a", "wheels", "team/a")),
        ("/mnt/wheels", SharedPlace("/mnt/wheels")),
        ("../wheels", SharedPlace("../wheels")),
    ],
)
def test_a_place_is_a_bucket_or_a_folder(tmp_path: Path, text: str, place: SharedPlace) -> None:
    assert read(tmp_path, f'shared = ["{text}"]') == (place,)


@pytest.mark.parametrize(
    "text", ["s3://KEY:SECRET@wheels/x", "https://KEY:SECRET@example.com/wheels", "s3://", ""]
)
def test_what_is_no_place_is_refused_and_not_repeated(tmp_path: Path, text: str) -> None:
    with pytest.raises(WorkspaceError, match="without credentials") as raised:
        read(tmp_path, f'shared = ["{text}"]')
    assert "SECRET" not in f"{raised.value} {raised.value.hint}"
    assert raised.value.line == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('endpoint-url = "minio:9000"', "endpoint-url must be an http address"),
        ('endpoint-url = "https://KEY:SECRET@minio"', "endpoint-url must be an http address"),
        ('sse = "rot13"', "sse must be"),
        ('kms-key = "alias/x"', "kms-key goes with sse"),
        ('kms-key = "alias/x"\nsse = "AES256"', "kms-key goes with sse"),
        ("anonymous = 1", "anonymous must be true or false"),
        ('secret-key = "x"', "unknown key 'secret-key'"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(WorkspaceError, match=message) as raised:
        read(tmp_path, text)
    assert "SECRET" not in f"{raised.value} {raised.value.hint}"
    assert raised.value.line == 2
