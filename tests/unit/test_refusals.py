"""Every refusal says what to do, and the commands, options and keys that it names are there."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import orchestrator
from orchestrator.cli import orch as cli

SOURCE = Path(orchestrator.__file__).parent
KEYS_PAGE = SOURCE.parent / "docs/reference/from-code/keys.md"

STOPPED = "InterruptedByUserError"
"""What raises this did what the user asked for, and needs no hint."""

WITHOUT_HINT = {
    ("cli/__init__.py", "OrchError"): "the user interrupted it",
    ("app/explaining.py", "NoComparisonError"): "caught below it, and told as a warning",
    ("engines/assembler/bytecode.py", "AssemblyError"): "cannot be: its pipes were asked for",
    ("publish/download.py", "RegistryUnreachableError"): "stands in until an attempt failed",
    ("publish/wire.py", "RegistryUnreachableError"): "stands in until an attempt failed",
}
"""What is made without a hint, by module and class, each with its reason."""

OTHERS_OPTIONS = {"--hash", "--mount", "--no-cache-dir", "--requirement"}
"""Options in hints that are another program's, which the hint need not name: pip, RUN."""

OTHERS = re.compile(r"\b(?:aws|curl|docker|git|pip|uv)\b[^;,()]*")
"""Commands of other programs, with their options."""

_COMMAND = re.compile(r"\borch((?: -v)?(?: [a-z]+){1,2})([^;,()|`\n]*)")
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
_UNDER = re.compile(r"\b([a-z]+(?:-[a-z]+)*)(?: = \S+)? under \[\[?([a-zA-Z.]+)\]")
_NO_KEYS = {"write", "day"}
"""Words that stand before "under [TABLE]" and are none of its keys."""

_WITHIN = re.compile(r"\[([a-z]+)\] ([a-z]+(?:-[a-z]+)+|[a-z]+(?= =))")


@functools.cache
def trees() -> dict[str, ast.Module]:
    """Return the parsed modules by their paths below the package."""
    return {
        file.relative_to(SOURCE).as_posix(): ast.parse(file.read_text("utf-8"))
        for file in sorted(SOURCE.rglob("*.py"))
    }


def name_of(node: ast.expr) -> str:
    """Return the name that an expression is, or the last part of a dotted one."""
    return getattr(node, "id", "") or getattr(node, "attr", "")


@functools.cache
def classes() -> dict[tuple[str, str], set[str]]:
    """Return the bases of each class, by its module and its name."""
    return {
        (module, node.name): {name_of(base) for base in node.bases}
        for module, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }


@functools.cache
def error_classes() -> frozenset[tuple[str, str]]:
    """Return all classes that derive from OrchError, each with its module."""
    found = {("errors.py", "OrchError")}
    while True:
        names = {name for _, name in found}
        more = {one for one, bases in classes().items() if names & bases} - found
        if not more:
            return frozenset(found)
        found |= more


@functools.cache
def refusals() -> tuple[tuple[str, ast.Call], ...]:
    """Return the module and the call of whatever makes such an error."""
    found = []
    for module, tree in trees().items():
        own = {name for place, name in classes() if place == module}
        strangers = {name for name in own if (module, name) not in error_classes()}
        known = {name for _, name in error_classes()} - strangers
        found += [
            (module, node)
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and name_of(node.func) in known
        ]
    return tuple(found)


def hint_of(call: ast.Call) -> ast.expr | None:
    """Return the hint of a call; None where there is none, or an empty one."""
    for keyword in call.keywords:
        if keyword.arg == "hint" and ast.unparse(keyword.value) != "''":
            return keyword.value
    return None


def said(node: ast.AST) -> Iterator[str]:
    """Yield the texts of an expression; what is put into them is an X."""
    if isinstance(node, ast.JoinedStr):
        yield "".join(str(p.value) if isinstance(p, ast.Constant) else "X" for p in node.values)
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    for child in ast.iter_child_nodes(node):
        yield from said(child)


@functools.cache
def hints() -> tuple[tuple[str, str], ...]:
    """Return the module and the text of each hint: as a keyword, or under a name that one has."""
    found, names = [], set()
    nodes = [(module, node) for module, tree in trees().items() for node in ast.walk(tree)]
    for module, node in nodes:
        if isinstance(node, ast.keyword) and (node.arg or "").endswith("hint"):
            found += [(module, text) for text in said(node.value)]
            names |= {name_of(one) for one in ast.walk(node.value) if isinstance(one, ast.Name)}
    names = {name for name in names if name.isupper()} | {"hint", "HINTS", "_HINTS"}
    for module, node in nodes:
        if isinstance(node, ast.Assign) and {name_of(one) for one in node.targets} & names:
            found += [(module, text) for text in said(node.value)]
    return tuple(found)


def command_of(words: list[str]) -> click.Command | None:
    """Return the deepest command that words name; None where the first is no verb."""
    found: click.Command | None = None
    group: click.Command = cli
    for word in words:
        if not isinstance(group, click.Group):
            break
        nearer = group.get_command(click.Context(group), word)
        if nearer is None:
            break
        found = group = nearer
    return found


def options_of(command: click.Command) -> set[str]:
    """Return all options of a command, those that say no among them."""
    return {option for parameter in command.params for option in parameter.opts} | {
        option for parameter in command.params for option in parameter.secondary_opts
    }


@functools.cache
def all_options() -> frozenset[str]:
    """Return the options of all commands."""
    found = options_of(cli)
    waiting: list[click.Group] = [cli]
    while waiting:
        group = waiting.pop()
        for name in group.list_commands(click.Context(group)):
            command = group.get_command(click.Context(group), name)
            assert command is not None
            found |= options_of(command)
            if isinstance(command, click.Group):
                waiting.append(command)
    return frozenset(found)


@functools.cache
def keys() -> dict[str, set[str]]:
    """Return the keys of the tables of settings and recipes, as the reference has them."""
    found: dict[str, set[str]] = {"": set()}
    table = ""
    for line in KEYS_PAGE.read_text("utf-8").splitlines():
        if line.startswith("#"):
            table = line.lstrip("# ") if line.startswith("###") else ""
        elif row := re.match(r"\| `([^`]+)` \|", line):
            found.setdefault(table, set()).add(row[1])
    return found


def test_every_refusal_has_a_hint_or_a_reason_for_having_none() -> None:
    made = list(refusals())
    assert len(made) > 300
    lacking = {
        (module, name_of(call.func))
        for module, call in made
        if hint_of(call) is None and name_of(call.func) != STOPPED
    }
    assert lacking == set(WITHOUT_HINT)


def test_a_refusal_names_its_subject_first_and_ends_without_a_full_stop() -> None:
    wrong = []
    for module, call in refusals():
        for text in said(call):
            wrong += [(module, text)] * (text.endswith(".") and not text.endswith("..."))
        if call.args and isinstance(call.args[0], ast.Constant):
            first = str(call.args[0].value)
            if re.match(r"(An?|The|This|That|It|There|No|Can|Is|Has|Please|Error)\b", first):
                wrong.append((module, first))
    assert wrong == []


@pytest.mark.parametrize(
    "nothing", ["check your", "check the ", "contact ", "please", "make sure", "invalid config"]
)
def test_no_hint_leaves_people_where_they_were(nothing: str) -> None:
    assert [(module, text) for module, text in hints() if nothing in text.lower()] == []


def test_hints_ask_nothing_but_whether_another_name_was_meant() -> None:
    asking = [text for _, text in hints() if text.endswith("?") and "did you mean" not in text]
    assert asking == []


def test_commands_and_options_in_texts_exist() -> None:
    unknown = []
    for module, tree in trees().items():
        for text in said(tree):
            for found in _COMMAND.finditer(text):
                words = found[1].split()
                command = command_of([word for word in words if word != "-v"])
                options = set(_OPTION.findall(found[2]))
                if not options <= (options_of(command) | {"--help"} if command else set()):
                    unknown.append((module, found[0]))
    assert unknown == []


def test_options_that_hints_name_are_those_of_some_command() -> None:
    named = {
        (option, module)
        for module, text in hints()
        for option in _OPTION.findall(OTHERS.sub("", text))
    }
    assert len(named) > 10
    known = all_options() | OTHERS_OPTIONS | {"--help"}
    assert {(option, module) for option, module in named if option not in known} == set()


def test_keys_that_hints_name_are_read() -> None:
    unknown, seen = [], 0
    for module, text in hints():
        pairs = [(table, key) for key, table in _UNDER.findall(text)]
        for table, key in [*pairs, *_WITHIN.findall(text)]:
            place = table.replace("NAME", "name")
            if place in keys():
                seen += 1
                if key not in keys()[place] | _NO_KEYS:
                    unknown.append((module, table, key))
    assert unknown == []
    assert seen > 10
