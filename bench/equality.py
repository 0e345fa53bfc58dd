"""Do two sides' images hold the same? Asked of the images themselves, each run by the engine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from lab import BenchError, Lab
from sides import ORCH, Side, Workspace
from trees import VENV

SETUP = {"pip", "setuptools"}
"""What the Dockerfiles' venv has to install with."""

_SCRIPT = r"""
import hashlib, importlib.metadata as m, json, pathlib as p, re
SETUP = {"pip", "setuptools", "pkg_resources", "_distutils_hack"}
def debs():
    files = [p.Path("/var/lib/dpkg/status"), *sorted(p.Path("/var/lib/dpkg/status.d").glob("*"))]
    found = {}
    for file in files:
        if not file.is_file() or file.suffix == ".md5sums": continue
        for stanza in file.read_text(errors="replace").split("\n\n"):
            fields = dict(re.findall(r"^(Package|Version): (.*)$", stanza, re.M))
            if "Package" in fields: found[fields["Package"]] = fields.get("Version", "")
    return found
name = lambda d: re.sub(r"[-_.]+", "-", d.metadata["Name"]).lower()
files = [f for f in sorted(p.Path("/app").rglob("*")) if f.is_file() and f.suffix != ".pyc"]
print(json.dumps({
    "dists": {name(d): d.version for d in m.distributions()},
    "debs": debs(),
    "files": {str(f): hashlib.sha256(f.read_bytes()).hexdigest() for f in files},
    "modules": sum(1 for f in p.Path("/opt/venv").rglob("*.pyc") if not SETUP & set(f.parts)),
}))
"""


@dataclass(frozen=True, slots=True)
class Held:
    """What an image holds: Python distributions, Debian packages, files of the application.

    `modules` is how many Python modules of the venv are there as bytecode.
    """

    dists: Mapping[str, str]
    debs: Mapping[str, str]
    files: Mapping[str, str]
    modules: int


def check_equal(lab: Lab, one: Workspace, other: Workspace) -> str:
    """Compare all images of two sides and return what was found, in a sentence.

    Dists and files must be the same; of Debian packages the recipes' must all be in the
    Dockerfiles' images, at the same versions: these have more, as they have apt.

    Raises:
        BenchError: The sides do not hold the same.
    """
    more, total = 0, 0
    held = {workspace.side: read_images(lab, workspace) for workspace in (one, other)}
    for name in one.tree.images:
        a, b = held[one.side][name], held[other.side][name]
        b_dists = {key: value for key, value in b.dists.items() if key not in SETUP - set(a.dists)}
        differing = {
            "distributions": _difference(a.dists, b_dists),
            "files": _difference(a.files, b.files),
            "Debian packages": {x for x in a.debs.items() if b.debs.get(x[0]) != x[1]},
        }
        for what, found in differing.items():
            if found:
                raise BenchError(f"{name}: {what} of the sides differ: {sorted(found)[:10]}")
        if not a.files or not a.dists or not a.debs:
            raise BenchError(f"{name}: nothing was found to compare")
        if bool(a.modules) != bool(b.modules):
            raise BenchError(f"{name}: {a.modules} compiled modules here, {b.modules} there")
        total += len(a.dists) + len(a.debs) + len(a.files)
        more = max(more, len(b.debs) - len(a.debs))
    count = len(one.tree.images)
    return (
        f"{count} images of {one.side.value} and {other.side.value}: {total} distributions, Debian"
        f" packages and files are the same; the Dockerfiles' images have up to {more} Debian"
        " packages more, and pip"
    )


def _difference(one: Mapping[str, str], other: Mapping[str, str]) -> set[tuple[str, str]]:
    return set(one.items()) ^ set(other.items())


def read_images(lab: Lab, workspace: Workspace) -> dict[str, Held]:
    """Run every image of a workspace and read what it holds; orch's are loaded for that."""
    prefix = workspace.side.prefix
    if workspace.side is Side.ORCH:
        # Loaded under names of their own: the other sides' images are to keep theirs.
        names = list(workspace.tree.images)
        saved = {name: _image_id(lab, name, workspace) for name in names}
        lab.run([ORCH, "build", "--load", "--progress", "none", *names], workspace.root)
        for name in names:
            lab.run(["docker", "tag", f"{name}:latest", f"checked-{name}:latest"], workspace.root)
        for name, image in saved.items():
            if image:
                lab.run(["docker", "tag", image, f"{name}:latest"], workspace.root)
        prefix = "checked-"
    found = {}
    for name in workspace.tree.images:
        run = ["docker", "run", "--rm", "--network", "none", "--entrypoint", f"{VENV}/bin/python"]
        out = lab.run([*run, f"{prefix}{name}:latest", "-c", _SCRIPT], workspace.root)
        found[name] = Held(**json.loads(out))
    return found


def _image_id(lab: Lab, name: str, workspace: Workspace) -> str:
    form = ["docker", "images", "--quiet", "--no-trunc", f"{name}:latest"]
    return lab.run(form, workspace.root).strip()
