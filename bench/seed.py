"""The real tree, locked and fetched from where this machine fetches, before any clock runs."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from lab import REPOSITORY, BenchError, Lab
from purewheel import pure_wheel
from sides import ORCH
from trees import PLATFORM, ROOT_IMAGE, Own, Tree, real_tree, write_files, write_recipes

from orchestrator.lockfile import Lock, parse_lock
from orchestrator.paths import Paths

EXTRA_PACKAGES = ("tree", "zip", "unzip", "bc", "pv", "xxd", "bzip2", "time", "dos2unix")
"""What a root base may gain: small Debian packages."""

_ROOT = """\
FROM scratch
ADD root.tar /
RUN rm -rf /etc/apt/sources.list.d \\
 && echo 'deb [trusted=yes] {url}/debian ./' >/etc/apt/sources.list
"""


def seed_real_tree(lab: Lab) -> str:
    """Return the real tree's lock. All that it names, changed or not, is in the mirror then."""
    lab.say("locking and fetching the real tree")
    downloads = lab.cache / "downloads"
    _link_downloads(Paths.of(REPOSITORY).downloads, downloads)
    tree, root = real_tree(), lab.work / "seed"
    shutil.rmtree(root, ignore_errors=True)
    for name, own in [*tree.own.items()]:
        raise_own(lab, tree, name, own)
    write_files(root, tree)
    plain = list(tree.root.packages)
    tree.root.packages = [*plain, *EXTRA_PACKAGES]
    write_recipes(root, tree)
    for command in ([ORCH, "lock"], [ORCH, "build", "--progress", "none"]):
        _with_own_indexes(lab, command, root)
    lab.mirror.add(parse_lock((root / "orch.lock").read_text()), downloads)
    lab.mirror.index_debs()
    tree.root.packages = plain
    write_recipes(root, tree)
    _with_own_indexes(lab, [ORCH, "lock"], root)
    text = (root / "orch.lock").read_text()
    shutil.rmtree(root)
    lab.forget()
    _load_root_image(lab, parse_lock(text))
    return text


def raise_own(lab: Lab, tree: Tree, name: str, own: Own) -> None:
    """Let a tree have a package of the bench's own, at a version, which the index has then."""
    tree.own[name] = own
    lab.mirror.add_wheel(*pure_wheel(name, own.version))


def _with_own_indexes(lab: Lab, command: Sequence[str], root: Path) -> None:
    """Run orch with the indexes of this machine's user, and the wheels of the bench."""
    environment = {**lab.environment}
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        environment.pop(name)
        if name in os.environ:
            environment[name] = os.environ[name]
    places = [environment.get("PIP_FIND_LINKS", ""), str(lab.mirror.folder / "wheels")]
    environment["PIP_FIND_LINKS"] = " ".join(places).strip()
    done = subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BenchError(f"{' '.join(command)}: {done.stderr[-3000:]}")


def _load_root_image(lab: Lab, lock: Lock) -> None:
    """Make what the Dockerfiles stand on, when the mirrors have what the lock has."""
    lab.say("making the root image of the Dockerfiles")
    debs = {deb.sha256 for deb in lock.image("python-base", PLATFORM).debs}
    digest = hashlib.sha256("".join(sorted(debs)).encode()).hexdigest()[:12]
    file, context = lab.kept / f"root-{digest}.tar", lab.work / "root-image"
    if not file.exists():
        partial = lab.kept / "root.part.tar"
        subprocess.run([REPOSITORY / "bench/root-image", partial], check=True)
        partial.replace(file)
    context.mkdir()
    os.link(file, context / "root.tar")
    (context / "Dockerfile").write_text(_ROOT.format(url=lab.url))
    lab.run(["docker", "build", "--quiet", "--tag", ROOT_IMAGE, "."], context)
    shutil.rmtree(context)


def _link_downloads(source: Path, target: Path) -> None:
    """Take over files that orch downloaded before; they are never written in place."""
    for file in source.glob("??/*") if source.is_dir() else ():
        other = target / file.parent.name / file.name
        if file.suffix == ".part" or other.exists():
            continue
        other.parent.mkdir(parents=True, exist_ok=True)
        with suppress(OSError):
            os.link(file, other)
