"""Faults in how Dockerfiles install packages: what they leave behind, and what they leave out."""

from __future__ import annotations

import re
from collections.abc import Iterator

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from orchestrator.checks.commands import Command, Word, commands_of
from orchestrator.checks.dockerfiles import DockerfileView, Fault, dockerfile_views
from orchestrator.checks.specifiers import can_both_hold
from orchestrator.checks.subject import Subject
from orchestrator.dockerfile.instructions import Instruction
from orchestrator.resolve.python.requirements import RequirementLine

_INSTALLERS = (("apt-get", "install"), ("apt", "install"), ("aptitude", "install"))
_REMOVERS = {"purge", "remove", "autoremove", "del"}
_CONSTRAINED = (
    "-c",
    "--constraint",
    "--constraint=",
    "--no-deps",
    "--no-index",
    "--require-hashes",
)
_UNCACHED = frozenset({"--no-cache-dir", "--no-index"})
_TOOLS = frozenset({"pip", "setuptools", "wheel", "uv", "build"})
_APT_LISTS = re.compile(r"/var/lib/apt(?:/lists)?(?:/\*)?/?")


def find_compilers(subject: Subject, compilers: re.Pattern[str]) -> Iterator[Fault]:
    """Yield the compilers that a RUN of the final stage installs and does not remove again."""
    hint = "compile in a stage of its own, and copy what it made"
    for view, _, commands in _runs(subject):
        removed = {word.text for one in commands for word in _removed(one)}
        for command in commands:
            for word in _installed(command):
                name = word.text.partition("=")[0]
                if compilers.fullmatch(name) and name not in removed:
                    yield view.fault(f"{name} is for compiling", hint, word.region)


def find_caches(subject: Subject) -> Iterator[Fault]:
    """Yield what installs packages in the final stage and leaves lists or caches in its layer."""
    for view, run, commands in _runs(subject):
        if update := _leaves_lists(run, commands):
            hint = "end the same RUN with: rm -rf /var/lib/apt/lists/*, or mount a cache there"
            message = "the package lists of apt stay in the layer"
            yield view.fault(message, hint, update.words[0].region)
        installing = [one for one in commands if one.pip_arguments is not None]
        for command in installing if _keeps_pip_cache(view, run) else ():
            if command.texts[0] != "uv" and not _UNCACHED.intersection(command.texts):
                hint = "add --no-cache-dir, or RUN --mount=type=cache,target=/root/.cache/pip"
                yield view.fault("pip's cache stays in the layer", hint, command.words[0].region)


def find_unconstrained(subject: Subject) -> Iterator[Fault]:
    """Yield the installations of the final stage that pay no heed to the constraints."""
    name = subject.settings.constraints
    for view, _, commands in _runs(subject) if subject.constraints else ():
        if _sets(view, "PIP_CONSTRAINT"):
            continue
        for command in commands:
            wanted = [word.text for word in command.pip_arguments or ()]
            plain = [text for text in wanted if not text.startswith("-")]
            is_for_tools = {canonicalize_name(re.split(r"[=<>~\[]", t)[0]) for t in plain} <= _TOOLS
            if wanted and not is_for_tools and not any(t.startswith(_CONSTRAINED) for t in wanted):
                message = f"what is installed here pays no heed to {name}"
                hint = f"copy it into the stage and add: -c {name}"
                yield view.fault(message, hint, command.words[0].region)


def find_unconstrainable(subject: Subject) -> Iterator[Fault]:
    """Yield the packages that a RUN installs in versions that the constraints rule out."""
    said = {line.name: line for line in subject.constraints if not line.requirement.marker}
    hint = "take the version out of the line, and move it in the constraints"
    for view, _, commands in _runs(subject) if said else ():
        for word in (word for one in commands for word in one.pip_arguments or ()):
            if constraint := _contradicted(word, said):
                message = f"{word.text} and the constraint {constraint} ({constraint.where})"
                yield view.fault(f"{message} cannot both hold", hint, word.region)


def _contradicted(word: Word, said: dict[str, RequirementLine]) -> RequirementLine | None:
    try:
        wanted = Requirement(word.text)
    except InvalidRequirement:
        return None
    constraint = said.get(str(canonicalize_name(wanted.name)))
    if constraint is None or can_both_hold(wanted.specifier, constraint.requirement.specifier):
        return None
    return constraint


def _runs(subject: Subject) -> Iterator[tuple[DockerfileView, Instruction, tuple[Command, ...]]]:
    for view in dockerfile_views(subject):
        for run in view.instructions("RUN"):
            yield view, run, commands_of(view, run)


def _installed(command: Command) -> tuple[Word, ...]:
    for names in (*_INSTALLERS, ("apk", "add"), ("dnf", "install"), ("yum", "install")):
        if (words := command.after(*names)) is not None:
            return words
    return ()


def _removed(command: Command) -> tuple[Word, ...]:
    for program in ("apt-get", "apt", "apk", "dnf", "yum"):
        if (words := command.after(program, *_REMOVERS)) is not None:
            return words
    return ()


def _leaves_lists(run: Instruction, commands: tuple[Command, ...]) -> Command | None:
    """Return what fetches apt's lists, where nothing in the same RUN takes them away."""
    if any(flag.startswith("--mount=") and "/var/lib/apt" in flag for flag in run.flags):
        return None
    cleaned = any(
        one.texts[0] == "rm" and any(_APT_LISTS.fullmatch(text) for text in one.texts)
        for one in commands
    )
    fetching = (one for one in commands if any(one.after(n, "update") is not None for n in _APT))
    return None if cleaned else next(fetching, None)


_APT = ("apt-get", "apt", "aptitude")


def _keeps_pip_cache(view: DockerfileView, run: Instruction) -> bool:
    is_mounted = any(flag.startswith("--mount=") and "cache" in flag for flag in run.flags)
    is_removed = ".cache" in run.rest and "rm " in run.rest
    return not is_mounted and not is_removed and not _sets(view, "PIP_NO_CACHE_DIR")


def _sets(view: DockerfileView, name: str) -> bool:
    """Tell whether a variable is set in the final stage, or by a sibling that it stands on."""
    views = [view]
    for image in view.subject.below(view.image):
        if dockerfile := view.subject.dockerfile(image):
            views.append(DockerfileView(view.subject, image, dockerfile))
        elif name in image.recipe.config.env:
            return True
    instructions = (one for each in views for one in each.instructions("ENV", "ARG"))
    return any(re.search(rf"(?:^|\s){name}[= ]", one.rest) for one in instructions)
