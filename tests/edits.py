"""A small workspace that edits are made to, and what each image is then made of.

What an image is made of is found out here by other means than the code's own: a walk over the
disk and what the edits themselves know. It is what the code's fingerprints are held against.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from orchestrator.lockfile import ImageLock
from orchestrator.model import LockedWheel
from tests.edited_dockerfiles import FIXED, Said, Uses
from tests.helpers import ROOT, write_lock, write_tree
from tests.tiny import Tiny
from tests.wheels import locked, make_wheel

SITE_FOLDER = "services/site/src"
FOLDERS = (
    *("base/python-base/src", "services/api/src", "services/worker/src", "shared"),
    *("base/tools/src", SITE_FOLDER),
)
RECIPES = ("python-base", "light", "python-web", "api", "worker")
DOCKERFILES = ("tools", "site", "site-debug")
NAMES = ("a.txt", "b.sh", "keep.log", "x.log", "sub/a.txt", "sub/deep/c.sh", "__pycache__/n.txt")
_AT_FIRST = ("a.txt", "b.sh", "x.log", "sub/a.txt")
LINKS = {
    "link": ("a.txt", "sub/a.txt", "missing"),
    "sub/link": ("a.txt", "../a.txt", "deep/../a.txt"),
}
EXCLUDES: Mapping[tuple[str, ...], Callable[[str], bool]] = {
    (): lambda _: False,
    ("nothing.here",): lambda _: False,
    ("*.log",): lambda path: path.endswith(".log"),
    ("*.log", "!keep.log"): lambda path: path.endswith(".log") and path != "keep.log",
    ("sub/",): lambda path: path.startswith("sub/"),
    ("/a.txt", "**/deep"): lambda path: path == "a.txt" or path.startswith("sub/deep/"),
}
"""Patterns, and what they mean for the paths above."""

VERSIONS = ("1.0", "2.0")
_UMASK = 0o077


@dataclass(frozen=True)
class Facts:
    """What a recipe says, its requirement file and its pins of own packages, by version."""

    folder: str
    parent: str
    copies: Mapping[str, str] = field(default_factory=dict)
    exclude: tuple[str, ...] = ()
    mode: str = ""
    env: str = ""
    label: str = ""
    max_size: int = 1
    extra: str = ""

    def recipe(self) -> str:
        """Return the recipe's text."""
        lines = [f'from = "{self.parent}"']
        for source, target in self.copies.items():
            lines += ["[[files]]", f'from = "{source}"', f'to = "{target}"']
            lines += [f"exclude = {list(self.exclude)}"] if self.exclude else []
            lines += [f'mode = "{self.mode}"'] if self.mode else []
        lines += [
            "[config]",
            f'env = {{ WORD = "{self.env}" }}',
            f'labels = {{ l = "{self.label}" }}',
        ]
        lines += ["[gates]", f'max-size = "{self.max_size} GB"']
        return "\n".join(lines) + "\n"


_IMAGES = {
    "python-base": Facts("base/python-base", ROOT, {"src": "/base"}),
    "light": Facts("base/light", ROOT),
    "python-web": Facts("base/python-web", "python-base"),
    "api": Facts("services/api", "python-web", {"src": "/app", "//shared": "/shared"}),
    "worker": Facts("services/worker", "python-base", {"src": "/w", "//shared": "/w/shared"}),
}
PARENTS = {
    "python-web": ("python-base", "light"),
    "worker": ("python-base", "python-web", "light"),
}


@dataclass(frozen=True)
class Sources:
    """Packages, settings and a cache that any number of workspaces share."""

    settings: str
    adds: Mapping[str, ImageLock]
    extras: Mapping[tuple[str, str], LockedWheel]
    folder: Path

    @classmethod
    def make(cls, folder: Path) -> Sources:
        """Write packages and wheels; every image has a wheel of its own in two versions."""
        tiny = Tiny.make(folder / "tiny", folder / "sources", folder / "cache")
        extras = {}
        for name in _IMAGES:
            word = f"x{name.replace('-', '')}"
            for version in VERSIONS:
                files = {f"{word}.py": f"V = {version}\n".encode()}
                wheel = make_wheel(folder / "sources/wheels", word, version, files)
                extras[name, version] = locked(wheel)
        settings = (tiny.root / "orch.toml").read_text()
        return cls(settings, tiny.adds, extras, folder)


@dataclass(frozen=True)
class Commit:
    """What git remembers: what was said then, what images were made of, and what came before."""

    images: Mapping[str, Facts]
    said: Said
    made_of: Mapping[str, str]
    parent: str


class Edited:
    """A workspace that is edited on the disk, bit by bit."""

    def __init__(self, root: Path, sources: Sources) -> None:
        self.root = root
        self.sources = sources
        self.images: dict[str, Facts] = dict(_IMAGES)
        self.said = Said()
        self.commits: dict[str, Commit] = {}
        self.head = ""
        write_tree(root, {".gitignore": ".orch\n", "services/site/notes.txt": "a"})
        for folder in FOLDERS:
            write_tree(root / folder, dict.fromkeys((FIXED, *_AT_FIRST), "a"))
        for name in self.images:
            self._write_recipe(name)
        self.say()
        self._write_lock()

    def files(self, folder: str) -> list[str]:
        """Return the paths of a folder's regular files, if any, else of the one it keeps."""
        paths = [path for path in self._walk(folder) if path != FIXED]
        return [path for path in paths if not (self.root / folder / path).is_symlink()] or [FIXED]

    def write(self, path: str, data: bytes, *, keep_times: bool, anew: bool) -> None:
        """Write a file, in place or `anew` in another's place; its mtime may stay as it was."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        before = file.lstat() if os.path.lexists(file) else None
        if file.is_symlink() or (anew and before):
            file.unlink()
        file.write_bytes(data)
        if before and keep_times:
            os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))

    def link(self, path: str, target: str) -> None:
        """Make a symbolic link, or lead it elsewhere."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        file.symlink_to(target)

    def move(self, path: str, to: str) -> None:
        """Give a file another name, maybe in another folder."""
        target = self.root / to
        target.parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).rename(target)

    def change(self, name: str, **facts: object) -> None:
        """Change what an image's recipe says."""
        self.images[name] = replace(self.images[name], **facts)  # type: ignore[arg-type]
        self._write_recipe(name)
        if {"parent", "extra"} & set(facts):
            self._write_lock()

    def say(self, **said: object) -> None:
        """Change what Dockerfiles, ignore files and the tables of these images say."""
        for path in self.said.ignores:
            (self.root / path).unlink()
        self.said = replace(self.said, **said)  # type: ignore[arg-type]
        settings = f"{self.sources.settings}{self.said.settings()}"
        write_tree(self.root, {"orch.toml": settings, **self.said.files()})

    def constrain(self, line: str) -> None:
        """Write the constraints."""
        (self.root / "constraints.txt").write_text(line)

    def commit(self) -> None:
        """Commit everything."""
        if not self.commits:
            self._git("init", "-q")
        self._git("add", "--all")
        self._git("commit", "-q", "--allow-empty", "-m", "edited")
        parent, self.head = self.head, self._git("rev-parse", "HEAD")
        made_of = self.made_of(as_git_has_it=True)
        self.commits[self.head] = Commit(dict(self.images), self.said, made_of, parent)

    def check_out(self, commit: str) -> None:
        """Have the files of a commit; they get new times."""
        self._git("checkout", "-q", commit)
        self.head = commit
        self.images, self.said = dict(self.commits[commit].images), self.commits[commit].said

    def differing_since(self, commit: str) -> set[str]:
        """Return the images made of something else than where HEAD and a commit parted."""
        ours = list(self._line(self.head))
        base = next(one for one in self._line(commit) if one in ours)
        then, now = self.commits[base].made_of, self.made_of()
        return {name for name in now if now[name] != then[name]}

    def made_of(self, *, as_git_has_it: bool = False) -> dict[str, str]:
        """Return a digest of all that each image is made of, parents included.

        An empty folder reaches an image that a Dockerfile makes; git has none.
        """
        found: dict[str, str] = {}
        for name in RECIPES:
            facts = self.images[name]
            rows: list[object] = [facts.env, facts.label, facts.extra, facts.parent]
            rows.append(found.get(facts.parent))
            for source, target in facts.copies.items():
                folder = source.lstrip("/") if source.startswith("//") else f"{facts.folder}/src"
                for path in self._walk(folder):
                    if not (EXCLUDES[facts.exclude](path) or path.startswith("__pycache__/")):
                        content = self._content(self.root / folder / path, facts.mode)
                        rows.append((target, path, content))
            found[name] = _digest(rows)
        for name in DOCKERFILES:
            uses = self.said.uses(name)
            rows = [(self.root / uses.dockerfile).read_text(), self.said.tables.get(name)]
            rows += [(parent, found.get(parent)) for parent in uses.parents]
            rows += self._selected(uses, as_git_has_it=as_git_has_it)
            found[name] = _digest(rows)
        return found

    def _selected(self, uses: Uses, *, as_git_has_it: bool) -> Iterator[tuple[str, object]]:
        top = self.root / uses.context
        files = self._walk(uses.context)
        folders = {str(above) for path in files for above in PurePosixPath(path).parents} - {"."}
        if not as_git_has_it:
            folders = {path.relative_to(top).as_posix() for path in top.rglob("*/")} - {"."}
        link = top / "src/link"
        leads_to = os.readlink(link) if link.is_symlink() else ""  # noqa: PTH115 - as it stands
        for path in uses.selected(self.said, files, folders, leads_to):
            yield path, "folder" if path.endswith("/") else self._content(top / path, "")

    def _line(self, commit: str) -> Iterator[str]:
        while commit:
            yield commit
            commit = self.commits[commit].parent

    def copy(self, root: Path) -> None:
        """Copy contents and executable bits, as a checkout under a strict umask would."""
        for folder, folders, names in os.walk(self.root):
            folders[:] = [name for name in folders if name not in {".orch", ".git"}]
            target = root / Path(folder).relative_to(self.root)
            target.mkdir(parents=True)
            for name in names:
                _copy(Path(folder, name), target / name)

    def _walk(self, folder: str) -> list[str]:
        top = self.root / folder
        return sorted(
            Path(below, name).relative_to(top).as_posix()
            for below, _, names in os.walk(top)
            for name in names
        )

    def _content(self, file: Path, mode: str) -> tuple[str, object]:
        if file.is_symlink():
            return "link", os.readlink(file)  # noqa: PTH115 - as the file system has it
        return mode or str(os.access(file, os.X_OK)), file.read_bytes()

    def _write_recipe(self, name: str) -> None:
        facts = self.images[name]
        wants = self.sources.extras[name, facts.extra].name if facts.extra else "# nothing"
        files = {"image.toml": facts.recipe(), "requirements.txt": f"{wants}\n"}
        write_tree(self.root / facts.folder, files)

    def _write_lock(self) -> None:
        adds = {}
        for name, facts in self.images.items():
            own = self.sources.adds.get(name, ImageLock())
            more = (self.sources.extras[name, facts.extra],) if facts.extra else ()
            adds[name] = ImageLock(own.debs, (*own.wheels, *more))
        write_lock(self.root, adds)

    def _git(self, *arguments: str) -> str:
        command = ["git", "-C", str(self.root), "-c", "gc.auto=0", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _digest(rows: list[object]) -> str:
    return hashlib.sha256(repr(rows).encode()).hexdigest()


def _copy(source: Path, target: Path) -> None:
    if source.is_symlink():
        target.symlink_to(source.readlink())
        return
    shutil.copyfile(source, target)
    executable = source.stat().st_mode & 0o100
    target.chmod((0o777 if executable else 0o666) & ~_UMASK)


@contextmanager
def strict_umask() -> Iterator[None]:
    """Have the umask of somebody who lets nobody read."""
    before = os.umask(_UMASK)
    try:
        yield
    finally:
        os.umask(before)
