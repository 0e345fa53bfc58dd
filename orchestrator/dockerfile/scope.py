"""The variables of a Dockerfile: those before the first FROM, and those of a stage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from orchestrator.dockerfile.instructions import Instruction, split_words
from orchestrator.dockerfile.variables import Expansion, expand
from orchestrator.model import Platform


@dataclass(slots=True)
class Scope:
    """Variables as they stand at a line; ENV goes before ARG.

    `outer` has what an ARG without default takes over; the scope that has none is the global one.
    """

    build_args: Mapping[str, str]
    escape: str
    outer: Mapping[str, str] | None = None
    args: dict[str, str] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)

    @property
    def values(self) -> dict[str, str]:
        """Return the value of each variable that has one."""
        return {**self.args, **self.env}

    def copy(self) -> Scope:
        """Return a scope that begins as this one is."""
        return replace(self, args=dict(self.args), env=dict(self.env))

    def declare(self, argument: Instruction) -> None:
        """Take an ARG: the build's value, else the default, else what the outer scope has."""
        for name, default in self._assignments(argument):
            if name in self.build_args:
                self.args[name] = self.build_args[name]
            elif default is not None:
                self._set(self.args, name, self.expand(default))
            elif self.outer and name in self.outer and name not in self.args:
                self.args[name] = self.outer[name]
            if name in self.env and self.args.get(name, self.env[name]) != self.env[name]:
                del self.args[name], self.env[name]  # builders differ in which of them counts

    def set_environment(self, instruction: Instruction) -> None:
        """Take an ENV."""
        expansions = [(n, self.expand(v or "")) for n, v in self._assignments(instruction)]
        for name, expansion in expansions:
            self.args.pop(name, None)
            self._set(self.env, name, expansion)

    def expand(self, word: str) -> Expansion | None:
        """Put the variables into a word; None where it cannot be read."""
        try:
            return expand(word, self.values, self.escape)
        except (ValueError, RecursionError):
            return None

    def _set(self, among: dict[str, str], name: str, expansion: Expansion | None) -> None:
        # in a stage what has no value here may have one in the image that it stands on
        lacks = expansion and (expansion.missing if self.outer is None else expansion.unset)
        if expansion is None or lacks:
            among.pop(name, None)
        else:
            among[name] = expansion.text

    def _assignments(self, instruction: Instruction) -> Iterator[tuple[str, str | None]]:
        words = split_words(instruction.rest, self.escape)
        if instruction.name == "ENV" and words and "=" not in words[0]:
            yield words[0], " ".join(words[1:])
            return
        for word in words:
            name, equals, value = word.partition("=")
            yield name, value if equals else None


def platform_args(platform: Platform) -> dict[str, str]:
    """Return the arguments that BuildKit sets by itself, in the global scope."""
    parts = {"PLATFORM": platform.key, "OS": platform.os, "ARCH": platform.architecture}
    args = {f"{whose}{key}": value for whose in ("TARGET", "BUILD") for key, value in parts.items()}
    return {**args, "TARGETVARIANT": "", "BUILDVARIANT": ""}
