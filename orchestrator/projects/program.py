"""What a project's program is: its files, what starts it, and how it is asked if it is well."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from orchestrator.projects.project import Project

PORT = 8000

_NO_PROGRAM = frozenset(
    {
        "alembic",
        "build",
        "conftest",
        "dist",
        "docs",
        "examples",
        "fabfile",
        "migrations",
        "notebooks",
    }
    | {"noxfile", "scripts", "setup", "tasks", "test", "tests"}
)
"""Folders and modules beside a program that are for its developers."""

_APPLICATION = re.compile(
    r"^(?P<name>\w+)\s*(?::[^=\n]+)?=\s*(?:\w+\.)?(?P<maker>FastAPI|Starlette|Litestar|Quart|Flask"
    r"|get_asgi_application|get_wsgi_application)\(",
    re.MULTILINE,
)
_WSGI = frozenset({"Flask", "get_wsgi_application"})
_LIKELY = ("main", "app", "server", "api", "asgi", "wsgi", "__init__")
"""Modules that an application is looked for in, the likeliest first."""

_ALL = "0.0.0.0"  # noqa: S104 - what a container listens on
_SERVERS = {
    False: {
        "uvicorn": ["-m", "uvicorn", "{target}", "--host", _ALL, "--port", "{port}"],
        "hypercorn": ["-m", "hypercorn", "{target}", "--bind", f"{_ALL}:{{port}}"],
    },
    True: {
        "gunicorn": ["-m", "gunicorn", "{target}", "--bind", f"{_ALL}:{{port}}"],
        "waitress": ["-m", "waitress", f"--listen={_ALL}:{{port}}", "{target}"],
    },
}
"""What serves an application, for WSGI or not: the first that the project asks for."""

_TARGET = re.compile(r"[\w.]+:[\w.]+")
_HEALTH = re.compile(r"[\"'](/(?:health|healthz|health/live|livez|ping))[\"']")


@dataclass(frozen=True, slots=True)
class Part:
    """A folder or a module of a program, from the root, and its place in the image."""

    source: PurePosixPath
    target: str


@dataclass(frozen=True, slots=True)
class Program:
    """What starts a program, the arguments of Python, and where that was read.

    A server listens on `PORT`; `health` is a path that it answers, where one was found.
    """

    arguments: tuple[str, ...]
    because: str
    is_served: bool = False
    health: str = ""
    stop_signal: str = ""


def find_parts(folder: PurePosixPath, paths: Sequence[PurePosixPath]) -> tuple[Part, ...]:
    """Return the packages and modules of a project's program, by the names of its files alone."""
    own = [path.relative_to(folder) for path in paths]
    has_src = any(path.parts[0] == "src" and len(path.parts) > 1 for path in own)
    if has_src and PurePosixPath("src/__init__.py") not in own:
        return (Part(folder / "src", "/app"),)
    folders = {path.parts[0] for path in own if len(path.parts) > 1 and _is_program(path.parts[0])}
    modules = {path.name for path in own if len(path.parts) == 1 and _is_program(path.stem)}
    return tuple(Part(folder / name, f"/app/{name}") for name in sorted(folders | modules))


def _is_program(name: str) -> bool:
    is_test = name.startswith(("test_", "tests_")) or name.endswith("_test")
    return name.isidentifier() and name not in _NO_PROGRAM and not is_test


def find_program(
    root: Path,
    project: Project,
    parts: Sequence[Part],
    paths: Sequence[PurePosixPath],
    asked: Collection[str],
) -> Program | None:
    """Return what starts a project: an application, a script, or a module that is made to be run.

    None where nothing is found, or an application that nothing serves which is `asked` for.
    """
    modules = dict(_modules(parts, paths))
    served = _served(root, modules, asked)
    if served is not None:
        return served
    if script := _script(project):
        name, target = script
        module, _, function = target.partition(":")
        first = function.partition(".")[0]
        code = f"import sys; from {module} import {first}; sys.exit({function}())"
        return Program(("-c", code), f"{project.file} has a script {name}")
    for module, file in modules.items():
        package, _, last = module.rpartition(".")
        if last == "__main__":
            return Program(("-m", package), f"{file} makes it run")
    if "main" in modules:
        return Program(("-m", "main"), f"{modules['main']} is named so")
    return None


def _modules(
    parts: Sequence[Part], paths: Sequence[PurePosixPath]
) -> Iterator[tuple[str, PurePosixPath]]:
    """Yield the modules of a program as they are imported in /app, with their files."""
    for part in parts:
        for file in (path for path in paths if path.is_relative_to(part.source)):
            target = PurePosixPath(part.target, file.relative_to(part.source))
            names = target.relative_to("/app").with_suffix("").parts
            if all(_is_program(name) for name in names if name != "__init__"):
                yield ".".join(names), file


def _served(
    root: Path, modules: dict[str, PurePosixPath], asked: Collection[str]
) -> Program | None:
    texts = {module: _text(root / file) for module, file in modules.items()}
    ranked = sorted(
        (module for module in modules if module.rpartition(".")[2] in _LIKELY),
        key=lambda module: (_LIKELY.index(module.rpartition(".")[2]), module.count("."), module),
    )
    for module in ranked:
        found = _APPLICATION.search(texts[module])
        servers = _SERVERS[found["maker"] in _WSGI] if found else {}
        server = next((words for name, words in servers.items() if name in asked), None)
        if found and server:
            target = f"{module.removesuffix('.__init__')}:{found['name']}"
            words = tuple(word.format(target=target, port=PORT) for word in server)
            line = texts[module].count("\n", 0, found.start()) + 1
            because = f"{modules[module]}:{line} makes {found['name']}"
            signal = "SIGINT" if "waitress" in words else ""  # it knows no other
            health = _health(texts.values())
            return Program(words, because, is_served=True, health=health, stop_signal=signal)
    return None


def _health(texts: Collection[str]) -> str:
    found = {match[1] for text in texts for match in _HEALTH.finditer(text)}
    return min(found, key=lambda path: (path.count("/"), len(path)), default="")


def _script(project: Project) -> tuple[str, str] | None:
    """Return the script that is named after the project, or the only one."""
    targets = project.scripts.items()
    scripts = {name: target for name, target in targets if _TARGET.fullmatch(target)}
    if project.name in scripts:
        return project.name, scripts[project.name]
    return next(iter(scripts.items())) if len(scripts) == 1 else None


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8", errors="replace")
    except OSError:
        return ""
