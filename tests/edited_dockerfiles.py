"""What edited Dockerfiles, ignore files and tables say, and what that reaches of a context.

Each rule of an ignore file and each instruction stands beside what it means for the paths that
edits make: written by hand, for the code's own reading is what is held against it.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

FIXED = "fixed.txt"
"""A file that every folder keeps: git knows no empty folder, and a COPY needs its source."""

SITE, TOOLS = "services/site/Dockerfile", "docker/tools.Dockerfile"
_EXTERNAL = tuple(f"debian:12@sha256:{letter * 64}" for letter in "ab")
_Paths = Callable[[str], bool]


def _below(folder: str) -> _Paths:
    return lambda path: path == folder or path.startswith(f"{folder}/")


def _is_top(path: str, start: str = "", end: str = "") -> bool:
    return "/" not in path and path.startswith(start) and path.endswith(end)


IGNORES: Mapping[tuple[str, ...], _Paths] = {
    (): lambda _: False,
    ("# a comment", "nothing-here"): lambda _: False,
    ("**/*.log",): lambda path: path.endswith(".log"),
    ("**/*.log", "!src/keep.log"): lambda path: path.endswith(".log") and path != "src/keep.log",
    ("/src/sub/",): _below("src/sub"),
    ("*", "!src"): lambda path: not _below("src")(path),
    ("src", f"!src/{FIXED}", "!src/**/a.txt"): lambda path: (
        _below("src")(path) and path not in {f"src/{FIXED}", "src/a.txt", "src/sub/a.txt"}
    ),
    ("**/deep", "*.txt", ".*"): lambda path: (
        "deep" in path.split("/") or _is_top(path, end=".txt") or _is_top(path, ".")
    ),
    ("Dockerfile*", "src/[ab].*"): lambda path: (
        _is_top(path, "Dockerfile") or path in {"src/a.txt", "src/b.sh"}
    ),
}
"""Rules of a `.dockerignore`, and which paths they take out."""

IGNORE_FILES = (
    "services/site/.dockerignore",
    f"{SITE}.dockerignore",
    "base/tools/.dockerignore",
    f"{TOOLS}.dockerignore",
)
_WHATS: Mapping[str, _Paths] = {
    ".": lambda _: True,
    "src": _below("src"),
    f"src/{FIXED}": _below(f"src/{FIXED}"),
}
_LINK = "COPY src/lin* /link/"
_DEBUGS: Mapping[str, _Paths] = {
    "COPY . /all/": lambda _: True,
    "ADD src/*.txt src/s?b /some/": lambda path: (
        _below("src/sub")(path) or (path.count("/") == 1 and path.endswith(".txt"))
    ),
    _LINK: lambda path: path == "src/link",
    f"RUN --mount=type=bind,source=src/{FIXED},target=/f cat /f": _below(f"src/{FIXED}"),
    "ARG ANY\nCOPY $ANY /any/": lambda _: True,
    "RUN true": lambda _: False,
}
SAID: Mapping[str, tuple[str, ...]] = {
    "base": ("python-web", "light", "tools", *_EXTERNAL),
    "other": ("light", *_EXTERNAL),
    "tool": ("tools", "debug", "python-base"),
    "what": tuple(_WHATS),
    "debug": tuple(_DEBUGS),
    "tools": ("light", *_EXTERNAL),
}
"""What may stand where in the Dockerfiles."""

TARGETS = ("", "run", "debug")
ARGUMENTS: tuple[tuple[tuple[str, str], ...], ...] = (
    (),
    (("BASE", "light"),),
    (("BASE", "tools"), ("WHAT", ".")),
    (("WHAT", f"src/{FIXED}"),),
    (("UNUSED", "1"),),
)


@dataclass(frozen=True)
class Said:
    """What is written down of three images; `site` and `site-debug` share a Dockerfile."""

    base: str = "python-web"
    other: str = "light"
    tool: str = "tools"
    what: str = "src"
    debug: str = "COPY . /all/"
    tools: str = "light"
    tables: Mapping[str, tuple[str, tuple[tuple[str, str], ...]]] = field(
        default_factory=lambda: {"site": ("", ()), "site-debug": ("debug", ())}
    )
    ignores: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def files(self) -> dict[str, str]:
        """Return the Dockerfiles and ignore files, by path."""
        site = [
            f"ARG BASE={self.base}",
            f"FROM {self.other} AS debug",
            self.debug,
            "FROM ${BASE} AS run",
            f"ARG WHAT={self.what}",
            "COPY ${WHAT} /run/",
            f"COPY --from={self.tool} /bin /bin",
        ]
        texts = {SITE: site, TOOLS: [f"FROM {self.tools}", "COPY src /tools"], **self.ignores}
        return {path: "".join(f"{line}\n" for line in lines) for path, lines in texts.items()}

    def settings(self) -> str:
        """Return the tables of the images."""
        lines = ["[image.tools]", f'dockerfile = "../../{TOOLS}"']
        for name, (target, arguments) in self.tables.items():
            pairs = ", ".join(f"{key} = {json.dumps(value)}" for key, value in arguments)
            lines += [f"[image.{name}]", 'path = "services/site"', f'target = "{target}"']
            lines += [f"build-args = {{ {pairs} }}"]
        return "\n".join(lines) + "\n"

    def uses(self, name: str) -> Uses:
        """Return what an image is made from."""
        if name == "tools":
            return Uses(TOOLS, "base/tools", (self.tools,), (_below("src"),), leads=False)
        target, arguments = self.tables[name]
        given = dict(arguments)
        parents, reaches = [], []
        if target != "debug":
            parents += [given.get("BASE", self.base), self.tool]
            reaches += [_WHATS[given.get("WHAT", self.what)]]
        debug = target == "debug" or self.tool == "debug"
        if debug:
            parents += [self.other]
            reaches += [_DEBUGS[self.debug]]
        leads = debug and self.debug == _LINK
        return Uses(SITE, "services/site", tuple(parents), tuple(reaches), leads)


@dataclass(frozen=True)
class Uses:
    """What an image is made from; `leads` tells that a COPY may go through `src/link`."""

    dockerfile: str
    context: str
    parents: tuple[str, ...]
    reaches: tuple[_Paths, ...]
    leads: bool

    def selected(
        self, said: Said, files: Iterable[str], folders: Iterable[str], link: str
    ) -> Iterator[str]:
        """Yield the selected of a context's paths; of folders those with nothing kept in them.

        `link` is where `src/link` leads to, if it is a link.
        """
        ignore_file = self._ignore_file(said)
        ignores = IGNORES[said.ignores.get(ignore_file, ())]
        led = set()
        if self.leads and link and not ignores("src/link"):
            led.add(posixpath.normpath(f"src/{link}"))

        def selects(path: str) -> bool:
            return not ignores(path) and (path in led or any(one(path) for one in self.reaches))

        kept = {path for path in files if f"{self.context}/{path}" != ignore_file and selects(path)}
        yield from sorted(kept)
        holding = {str(above) for path in kept for above in PurePosixPath(path).parents}
        for folder in sorted(folders, reverse=True):  # what lies deeper comes first
            if folder not in holding and selects(folder):
                holding |= {str(above) for above in PurePosixPath(folder).parents}
                yield f"{folder}/"

    def _ignore_file(self, said: Said) -> str:
        own, common = f"{self.dockerfile}.dockerignore", f"{self.context}/.dockerignore"
        return own if own in said.ignores else common
