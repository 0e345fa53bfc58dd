"""`orch diff` of the reference tree, before and after a bump of its root, against both locks."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import required
from tests.real.parts import REPOSITORY
from tests.real.reference import copy_reference, read_chain, run_orch
from tests.real.registry import registry as run_registry

OLD = {"structlog": "25.5.0", "uvicorn": "0.50.0"}
SUBJECT = "webhook"

Package = tuple[str, str, str]
"""Kind, name and version."""


@dataclass(frozen=True)
class Bumped:
    """A repository with the tags `before` and `after`; an image of each is in a registry."""

    root: Path
    repository: str

    def locked(self, tag: str) -> dict[str, set[Package]]:
        """Return what the lock at a tag adds to each image, read as TOML."""
        text = git(self.root, "show", f"{tag}:orch.lock")
        return {
            image: {
                (kind, name, version)
                for kind, key in (("Debian", "debian"), ("Python", "python"))
                for name, version in platforms["linux/amd64"].get(key, {}).items()
            }
            for image, platforms in tomllib.loads(text)["image"].items()
        }

    def digest(self, tag: str) -> str:
        """Return the digest that the push under a tag read back."""
        (image,) = json.loads((self.root / f"push-{tag}.json").read_text())["images"]
        return str(image["digest"])


@pytest.fixture(scope="module")
def bumped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bumped]:
    """Commit the tree with older packages and one less in its root, then as it is."""
    with required(run_registry()) as address:
        root = copy_reference(tmp_path_factory.mktemp("bumped") / "tree")
        settings = root / "orch.toml"
        settings.write_text(f'registry = "{address}/tree"\n{settings.read_text()}')
        (root / ".gitignore").write_text(".orch/\npush-*.json\n")
        git(root, "init", "-q")
        recipe, pins = root / "base/python-base/image.toml", root / "constraints.txt"
        recipe.write_text(recipe.read_text().replace(', "curl"', ""))
        for name, version in OLD.items():
            pins.write_text(re.sub(rf"(?m)^{name}==.*", f"{name}=={version}", pins.read_text()))
        run_orch(root, "lock")
        publish(root, "before")
        shutil.copy(REPOSITORY / "base/python-base/image.toml", recipe)
        for name in ("constraints.txt", "orch.lock"):
            shutil.copy(REPOSITORY / name, root / name)
        publish(root, "after")
        yield Bumped(root, f"{address}/tree/{SUBJECT}")


def publish(root: Path, tag: str) -> None:
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", tag)
    git(root, "tag", tag)
    run_orch(root, "build", SUBJECT)
    report = str(root / f"push-{tag}.json")
    run_orch(root, "push", SUBJECT, "--tag", tag, "--no-attest", "--report", report)


def git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", root, *words], capture_output=True, text=True, check=True)
    return done.stdout


def compare(bumped: Bumped, old: str, new: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run_orch(bumped.root, "diff", old, new, "--format", "json"))
    return found


def moves(image: dict[str, Any]) -> tuple[set[Package], set[Package]]:
    """Return the packages of the old side that are gone, and those that came with the new one."""
    gone, came = (
        {(one["kind"], one["subject"], one[side]) for one in image["packages"] if one[side]}
        for side in ("old", "new")
    )
    return gone - came, came - gone


def test_revisions_list_exactly_the_packages_that_moved(bumped: Bumped) -> None:
    before, after = bumped.locked("before"), bumped.locked("after")
    expected = {
        name: (before[name] - after[name], after[name] - before[name])
        for name in before.keys() | after.keys()
        if before[name] != after[name]
    }
    base = expected["python-base"]
    assert {("Python", name, version) for name, version in OLD.items()} <= base[0]
    assert "curl" in {name for _, name, _ in base[1]}
    images = compare(bumped, "before", "after")["images"]
    found = {image["image"]: moves(image) for image in images if image["packages"]}
    assert found == expected
    told = {image["image"] for image in images if image["inputs"]}
    assert told <= {"python-base"}, "the recipe of the root alone differs"


@pytest.mark.parametrize("named", ["by tag and digest", "by reference and as built"])
def test_images_hold_exactly_the_packages_that_moved_in_their_chain(
    bumped: Bumped, named: str
) -> None:
    sides = {
        "by tag and digest": (f"{SUBJECT}:before", f"{SUBJECT}@{bumped.digest('after')}"),
        "by reference and as built": (f"{bumped.repository}:before", SUBJECT),
    }[named]
    chain = [folder.name for folder, _ in read_chain(SUBJECT)]
    before, after = (
        {package for name in chain for package in bumped.locked(tag)[name]}
        for tag in ("before", "after")
    )
    (image,) = compare(bumped, *sides)["images"]
    assert moves(image) == (before - after, after - before)
    assert image["sizes"]["new_bytes"] > image["sizes"]["old_bytes"], "curl came"


def test_markdown_has_a_row_for_each_package_that_moved(bumped: Bumped) -> None:
    before, after = bumped.locked("before"), bumped.locked("after")
    names = {
        f"{name} ({kind})" for image in before for kind, name, _ in before[image] ^ after[image]
    }
    page = run_orch(bumped.root, "diff", "before", "after", "--format", "markdown")
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| ")]
    found = {row[0].removeprefix("| ") for row in rows if row[0] != "| package"}
    assert found == names
