"""Tools that others wrote accept what stands in the layout."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.real.reference import LAYOUT, UnavailableImageError, build_image, skip_unavailable


@pytest.fixture(scope="module")
def reference(image: str) -> str:
    """Return what names the image in the layout, up to date."""
    try:
        build_image(image)
    except UnavailableImageError as unavailable:
        skip_unavailable(unavailable)
    return f"{LAYOUT}:{image}"


@pytest.fixture
def scratch() -> Iterator[Path]:
    """Return a folder that goes away at once: unpacked images are big."""
    with tempfile.TemporaryDirectory(prefix="orch-unpacked-", dir="/var/tmp") as name:
        yield Path(name)


def output_of(*command: str | Path) -> bytes:
    done = subprocess.run(command, check=False, capture_output=True)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout


def test_skopeo_inspects_the_image(reference: str, require_tool: Callable[[str], Path]) -> None:
    shown = json.loads(output_of(require_tool("skopeo"), "inspect", f"oci:{reference}"))
    assert shown["Os"] == "linux"
    assert len(shown["Layers"]) == len(set(shown["Layers"])) > 0


def test_umoci_unpacks_what_skopeo_copies(
    reference: str, require_tool: Callable[[str], Path], scratch: Path
) -> None:
    # umoci takes no image of several platforms; skopeo copies this machine's alone.
    one = f"{scratch}/one:image"
    output_of(require_tool("skopeo"), "copy", f"oci:{reference}", f"oci:{one}")
    as_user = ["--rootless"] if os.geteuid() else []
    output_of(require_tool("umoci"), "unpack", *as_user, "--image", one, scratch / "bundle")
    assert (scratch / "bundle/rootfs/opt/venv/bin/python").is_symlink()
