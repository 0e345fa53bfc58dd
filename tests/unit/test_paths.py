"""Where things are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.paths import Paths


def test_orch_cache_moves_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ORCH_CACHE", "here")
    monkeypatch.chdir(tmp_path)
    assert Paths.of(Path("/ws")).downloads == tmp_path / "here" / "downloads"


@pytest.mark.parametrize("xdg", ["", "/xdg"])
def test_the_cache_is_the_user_s_otherwise(monkeypatch: pytest.MonkeyPatch, xdg: str) -> None:
    monkeypatch.delenv("ORCH_CACHE")
    monkeypatch.setenv("HOME", "/home/ann")
    monkeypatch.setenv("XDG_CACHE_HOME", xdg)
    assert Paths.of(Path("/ws")).cache == Path(xdg or "/home/ann/.cache") / "orch"


def test_state_lies_in_the_workspace() -> None:
    paths = Paths(Path("/ws"), Path("/cache"))
    for path in (paths.layout, paths.database, paths.logs):
        assert path.is_relative_to("/ws/.orch")
    assert paths.lock == Path("/ws/orch.lock")
