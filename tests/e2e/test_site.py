"""The site of the documentation: built strictly, asking nobody for anything, and complete."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pages import ROOT
from tests.reference_pages import FOLDER, PAGES, page

_LOADED = re.compile(
    r"""<(?:script|img|iframe|link\s+rel="(?:stylesheet|preconnect|icon|preload)")(?=\s)[^>]*?"""
    r"""(?:src|href)=["']?((?:https?:)?//[^"'\s>]+)"""
)
_FROM_CSS = re.compile(r"""(?:url\(|@import\s+)["']?((?:https?:)?//[^"')]+)""")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    mkdocs = str(Path(sys.executable).with_name("mkdocs"))
    command = [mkdocs, "build", "--strict", "-q", "-d", str(folder)]
    env = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_a_page_of_the_site_loads_nothing_from_elsewhere(site: Path) -> None:
    found = {
        address
        for suffix, pattern in ((".html", _LOADED), (".css", _FROM_CSS))
        for file in site.rglob(f"*{suffix}")
        for address in pattern.findall(file.read_text("utf-8"))
    }
    assert found == set()


def test_what_is_loaded_from_elsewhere_would_be_noticed() -> None:
    assert _LOADED.findall('<script defer src="https://cdn.example.com/x.js">')
    assert _LOADED.findall("<link rel=\"stylesheet\" href='//fonts.example.com/x.css'>")
    assert _FROM_CSS.findall("@import url(https://fonts.example.com/x.css)")


def test_every_page_is_in_the_site(site: Path) -> None:
    docs = ROOT / "docs"
    written = {file.relative_to(docs) for file in docs.rglob("*.md")}
    made = {
        path.with_name("index.html") if path.name == "README.md" else path.with_suffix(".html")
        for path in written
    }
    assert {path for path in made if not (site / path).is_file()} == set()


def test_every_page_but_decisions_and_rules_can_be_found_by_the_reader(site: Path) -> None:
    docs, front = ROOT / "docs", (site / "index.html").read_text("utf-8")
    aside = (docs / "adr", docs / "reference/rules")
    for file in docs.rglob("*.md"):
        if file.parent not in aside:
            address = file.relative_to(docs).with_suffix(".html").as_posix()
            assert f'href="{address}"' in front, address


@pytest.mark.parametrize("name", PAGES)
def test_pages_made_from_the_code_say_what_the_code_does(name: str) -> None:
    assert (FOLDER / name).read_text("utf-8") == page(name), "run: make reference"


def test_no_page_is_left_that_the_code_does_not_make() -> None:
    assert {file.name for file in FOLDER.glob("*")} == set(PAGES)
