"""The pages of docs/reference/from-code, made from the code; run as a module, it writes them."""

from __future__ import annotations

import ast
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import click

import orchestrator
from orchestrator.checks.rules import RULES
from orchestrator.cli import orch
from orchestrator.errors import ExitCode
from orchestrator.plan import _CHANGED
from orchestrator.ports import Status
from orchestrator.recipe import read_recipe
from orchestrator.settings import read_settings
from orchestrator.tables import Table
from orchestrator.verify.gates import GATES

FOLDER = Path(__file__).parents[1] / "docs/reference/from-code"
SOURCE = Path(orchestrator.__file__).parent
_MADE = "<!-- Made by `make reference`: change the code instead. -->"
_WIDTH = 96

SETTINGS = (
    "[image.name]\n[wheels.name]\n"
    "[[ecr.exceptions]]\nfinding = 'CVE-1'\nuntil = '2027-01-31'\nreason = 'r'\n"
    "[[checks.exceptions]]\nrule = 'unused-base'\nreason = 'r'\n"
)
RECIPE = (
    'from = "debian:bookworm"\n'
    '[[files]]\nfrom = "app"\nto = "/app"\n'
    f'[[fetch]]\nurl = "https://example.com/x"\nsha256 = "{"0" * 64}"\nto = "/x"\n'
    '[healthcheck]\ncommand = ["true"]\n'
)


def _page(title: str, *parts: str) -> str:
    return "\n\n".join((f"# {title}", _MADE, *parts))


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    cells = ([cell.replace("|", "\\|") for cell in row] for row in rows)
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in cells)])


def _help_page() -> str:
    intro = "What `--help` prints. What each option does is in [the command line](../cli.md)."
    texts = [(f"## {name}", f"```text\n{text}\n```") for name, text in _helps(orch, "orch")]
    return _page("Help of every verb", intro, *(part for pair in texts for part in pair))


def _helps(
    command: click.Command, name: str, parent: click.Context | None = None
) -> Iterator[tuple[str, str]]:
    settings: dict[str, Any] = {"help_option_names": ["-h", "--help"]}
    own = name.rpartition(" ")[2]
    with click.Context(
        command, info_name=own, parent=parent, terminal_width=_WIDTH, **settings
    ) as context:
        yield name, command.get_help(context)
        if isinstance(command, click.Group):
            for inner in command.list_commands(context):
                found = command.get_command(context, inner)
                assert found is not None
                yield from _helps(found, f"{name} {inner}", context)


def _keys_page() -> str:
    intro = "Every key that is read, its kind and its default. What it means is said in"
    return _page(
        "Keys of settings and recipes",
        "## Settings",
        f"{intro} [the settings](../settings.md).",
        *_tables_of(_taken("orch.toml", SETTINGS)),
        "## Recipe",
        f"{intro} [the recipe](../recipe.md).",
        *_tables_of(_taken("image.toml", RECIPE)),
    )


def _taken(name: str, text: str) -> dict[str, dict[str, tuple[str, Any]]]:
    """Return the keys that a reader asks for, by table: the kind that is wanted, the default."""
    asked: dict[str, dict[str, tuple[str, Any]]] = {}
    take = Table._take

    def note(self: Table, key: str, kinds: Any, wanted: str, default: Any) -> Any:
        asked.setdefault(".".join(self._path), {})[key] = (wanted, default)
        return take(self, key, kinds, wanted, default)

    with tempfile.TemporaryDirectory() as folder, patch.object(Table, "_take", note):
        file = Path(folder) / name
        file.write_text(text)
        if name == "image.toml":
            read_recipe(file)
        else:
            read_settings(Path(folder))
    return asked


def _tables_of(asked: dict[str, dict[str, tuple[str, Any]]]) -> Iterator[str]:
    for table, keys in asked.items():
        if table:
            yield f"### {table}"
        rows = [(f"`{key}`", wanted, _shown(default)) for key, (wanted, default) in keys.items()]
        yield _table(("key", "kind", "default"), rows)


def _shown(default: Any) -> str:
    if default is None or default in ("", {}):
        return ""
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    text = repr(default).replace("'", '"')
    return f"`{text}`"


def _codes_page() -> str:
    return _page(
        "Codes, statuses and events",
        "## Exit codes",
        _table(("code", "name"), [(f"`{code.value}`", _words(code.name)) for code in ExitCode]),
        "## What comes of an image",
        ", ".join(f"`{status.value}`" for status in Status),
        "## Why an image is built",
        ", ".join(f"`{code}`" for code in sorted(_reasons())),
        "## Rules of orch check",
        _table(
            ("rule", "severity"),
            [(f"[`{one.id}`](../rules/{one.id}.md)", one.severity.value) for one in RULES],
        ),
        "## Gates of orch verify",
        ", ".join(f"`{gate.id}`" for gate in GATES),
        "## Log events",
        _table(
            ("event", "keys"),
            [
                (f"`{name}`", ", ".join(f"`{key}`" for key in sorted(keys)))
                for name, keys in sorted(_events().items())
            ],
        ),
    )


def _words(name: str) -> str:
    return name.lower().replace("_", " ")


def _reasons() -> set[str]:
    calls = [node for node in _nodes("plan.py") if isinstance(node, ast.Call) and node.args]
    firsts = [call.args[0] for call in calls if ast.unparse(call.func) == "Reason"]
    literal = {str(node.value) for node in firsts if isinstance(node, ast.Constant)}
    chosen = {
        str(part.value)
        for node in firsts
        if isinstance(node, ast.IfExp)
        for part in (node.body, node.orelse)
        if isinstance(part, ast.Constant)
    }
    return literal | chosen | set(_CHANGED.values())


def _events() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for node in _nodes("**/*.py"):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "logs.event":
            keys = {keyword.arg for keyword in node.keywords if keyword.arg}
            for name in _event_names(node.args[0]):
                found.setdefault(name, set()).update(keys)
    return found


def _event_names(name: ast.expr) -> list[str]:
    """Return the names of an event; one is named by what came of an image."""
    if isinstance(name, ast.Constant):
        return [str(name.value)]
    return [f"image.{status.value}" for status in Status]


def _documents_page() -> str:
    intro = (
        "Every JSON document, and the keys at its top that it has always. What they mean, and what "
        "is inside, is in [JSON documents](../json.md). Keys are only ever added."
    )
    rows = [
        (f"`{schema}`", ", ".join(f"`{key}`" for key in keys))
        for schema, keys in sorted(_documents().items())
    ]
    return _page("JSON documents", intro, _table(("schema", "keys"), rows))


def _documents() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for node in _nodes("**/*.py"):
        if not isinstance(node, ast.Dict):
            continue
        keys = [key.value for key in node.keys if isinstance(key, ast.Constant)]
        if "schema" not in keys:
            continue
        schema = node.values[
            [ast.unparse(key) if key else "" for key in node.keys].index("'schema'")
        ]
        for name in _schema_names(schema):
            found[name] = [str(key) for key in keys if key != "schema"]
    return found


def _schema_names(value: ast.expr) -> list[str]:
    if isinstance(value, ast.Constant) and str(value.value).startswith("orch."):
        return [str(value.value)]
    if ast.unparse(value) == "f'orch.wheels-{verb}/1'":
        return ["orch.wheels-push/1", "orch.wheels-pull/1"]
    return []


def _nodes(pattern: str) -> Iterator[ast.AST]:
    for file in sorted(SOURCE.glob(pattern)):
        yield from ast.walk(ast.parse(file.read_text("utf-8")))


PAGES = {
    "help.md": _help_page,
    "keys.md": _keys_page,
    "codes.md": _codes_page,
    "documents.md": _documents_page,
}


def page(name: str) -> str:
    """Return what a page of the folder is to hold."""
    return f"{PAGES[name]().rstrip()}\n"


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for file in FOLDER.glob("*.md"):
        file.unlink()
    for name in PAGES:
        (FOLDER / name).write_text(page(name), "utf-8")


if __name__ == "__main__":
    main()
