"""What a Dockerfile's stages stand on, copy from, and take from the context."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.dockerfile.instructions import Instruction, inner
from orchestrator.dockerfile.references import is_reference
from orchestrator.dockerfile.scope import Scope, platform_args
from orchestrator.dockerfile.stages import Dockerfile, Stage
from orchestrator.dockerfile.variables import Expansion, expand
from orchestrator.errors import WorkspaceError
from orchestrator.model import ContextSource, Platform, Reference, Uses

_REMOTE = re.compile(r"(?:https?|git|ssh)://|[\w-]+@[^/:]+:")
_NOTHING = "scratch"


def find_uses(
    dockerfile: Dockerfile, target: str, build_args: Mapping[str, str], platform: Platform
) -> Uses:
    """Return what a target's stages are made from; the target "" is the last stage.

    Raises:
        WorkspaceError: The target does not exist, a variable in a FROM has no value, or a
            reference is none.
    """
    reading = _Reading(dockerfile, build_args, platform_args(platform))
    return reading.uses(reading.target(target))


@dataclass(slots=True)
class _StageUses:
    base: Stage | Reference | None
    others: list[Stage | Reference] = field(default_factory=list)
    sources: list[ContextSource] = field(default_factory=list)
    whole_context: str = ""
    onbuild: bool = False


class _Reading:
    """Reads the stages in order with the build's arguments."""

    def __init__(
        self, dockerfile: Dockerfile, build_args: Mapping[str, str], predefined: Mapping[str, str]
    ) -> None:
        self._dockerfile = dockerfile
        self._escape = dockerfile.escape
        outermost = Scope(build_args, dockerfile.escape, args=dict(predefined))
        for argument in dockerfile.arguments:
            outermost.declare(argument)
        self._global = outermost.args
        scopes: list[Scope] = []
        self._read: list[_StageUses] = []
        for stage in dockerfile.stages:
            base = self._base(stage)
            scope = Scope(build_args, dockerfile.escape, self._global)
            if isinstance(base, Stage):
                scope = scopes[base.index].copy()
            uses = _StageUses(base)
            for instruction in stage.instructions:
                self._take(instruction, scope, uses)
            scopes.append(scope)
            self._read.append(uses)

    def target(self, name: str) -> Stage:
        stages = self._dockerfile.stages
        found = self._stage(name, stages) if name else stages[-1]
        if found is None:
            known = ", ".join(stage.name for stage in stages if stage.name)
            hint = f"its stages are: {known}" if known else "name one: FROM IMAGE AS STAGE"
            message = f"has no stage {name!r}"
            raise WorkspaceError(message, file=self._dockerfile.file, hint=hint)
        return found

    def uses(self, target: Stage) -> Uses:
        """Join what the target and all the stages it needs use, the target's own base first."""
        references: dict[Reference, Reference] = {}
        sources: dict[ContextSource, ContextSource] = {}
        needed: dict[int, _StageUses] = {}
        pending: list[Stage | Reference | None] = [target]
        while pending:
            used = pending.pop(0)
            if isinstance(used, Reference):
                references.setdefault(used, used)
            elif used is not None and used.index not in needed:
                uses = needed[used.index] = self._read[used.index]
                pending[:0] = [uses.base, *uses.others]
        for index in sorted(needed):
            sources |= {source: source for source in needed[index].sources}
        return Uses(
            tuple(references),
            tuple(sources),
            next((uses.whole_context for uses in needed.values() if uses.whole_context), ""),
            onbuild=any(uses.onbuild for uses in needed.values()),
            base=self._base_of(target),
        )

    def _base_of(self, stage: Stage) -> Reference | None:
        base: Stage | Reference | None = stage
        while isinstance(base, Stage):
            base = self._read[base.index].base
        return base

    def _base(self, stage: Stage) -> Stage | Reference | None:
        expansion = self._expand(stage.base, self._global, stage.line)
        if expansion.missing:
            raise self._refused(
                f"FROM {stage.base}: {expansion.missing[0]} has no value",
                stage.line,
                f"give it a default: ARG {expansion.missing[0]}=..., or set it in build-args",
            )
        earlier = self._dockerfile.stages[: stage.index]
        named = [other for other in earlier if other.name and other.name == expansion.text.lower()]
        return named[-1] if named else self._reference(expansion.text, stage.line)

    def _take(self, instruction: Instruction, scope: Scope, uses: _StageUses) -> None:
        match instruction.name:
            case "ARG":
                scope.declare(instruction)
            case "ENV":
                scope.set_environment(instruction)
            case "COPY" | "ADD":
                self._take_copy(instruction, scope, uses)
            case "RUN":
                self._take_mounts(instruction, scope, uses)
            case "ONBUILD":
                uses.onbuild = True
                uses.whole_context = uses.whole_context or f"ONBUILD in line {instruction.line}"
                nested = inner(instruction, self._escape)
                if nested.name in {"COPY", "ADD", "RUN"}:
                    later = _StageUses(None)  # its sources are of the context it will run in
                    self._take(nested, scope.copy(), later)
                    uses.others += later.others

    def _take_copy(self, instruction: Instruction, scope: Scope, uses: _StageUses) -> None:
        origin = instruction.flag("from")
        if origin:
            self._take_from(origin, instruction.line, uses)
            return
        for word in instruction.words(self._escape)[:-1]:
            if instruction.name == "COPY" or not _REMOTE.match(word):
                self._take_source(word, instruction, scope, uses)

    def _take_source(
        self, word: str, instruction: Instruction, scope: Scope, uses: _StageUses
    ) -> None:
        expansion = scope.expand(word)
        if expansion is None or expansion.unset or expansion.missing:
            uses.whole_context = f"{word!r} in line {instruction.line} is not known beforehand"
        elif instruction.name != "ADD" or not _REMOTE.match(expansion.text):
            uses.sources.append(ContextSource(expansion.text, instruction.line))

    def _take_mounts(self, instruction: Instruction, scope: Scope, uses: _StageUses) -> None:
        for flag in instruction.flags:
            if not flag.startswith("--mount="):
                continue
            options = _mount_options(flag.removeprefix("--mount="))
            if "from" in options:
                self._take_from(options["from"], instruction.line, uses)
            elif options.get("type", "bind") == "bind":
                source = options.get("source", options.get("src", "."))
                self._take_source(source, instruction, scope, uses)

    def _take_from(self, origin: str, line: int, uses: _StageUses) -> None:
        if "$" in origin:
            hint = "name a stage for it: FROM IMAGE AS STAGE"
            raise self._refused(f"from={origin} cannot hold a variable", line, hint)
        stages = self._dockerfile.stages
        used = self._stage(origin, stages) or self._reference(origin, line)
        if used is not None:
            uses.others.append(used)

    def _stage(self, name: str, stages: tuple[Stage, ...]) -> Stage | None:
        """Find a stage by name or number; of two with one name the later counts."""
        if re.fullmatch("[0-9]{1,6}", name) and int(name) < len(stages):
            return stages[int(name)]
        named = [stage for stage in stages if stage.name and stage.name == name.lower()]
        return named[-1] if named else None

    def _reference(self, text: str, line: int) -> Reference | None:
        if text == _NOTHING:
            return None
        if not is_reference(text):
            shown = f"{text!r} is no image or stage" if text else "FROM names nothing"
            raise self._refused(shown, line, "write a reference such as debian:bookworm-slim")
        return Reference(text, line)

    def _expand(self, word: str, values: Mapping[str, str], line: int) -> Expansion:
        try:
            return expand(word, values, self._escape)
        except (ValueError, RecursionError) as error:
            hint = "close its quotes and braces"
            raise self._refused(f"FROM cannot be read: {error}", line, hint) from error

    def _refused(self, message: str, line: int, hint: str) -> WorkspaceError:
        return WorkspaceError(message, file=self._dockerfile.file, line=line, hint=hint)


def _mount_options(text: str) -> dict[str, str]:
    try:
        fields = next(csv.reader([text.strip("\"'")]), [])
    except csv.Error:
        return {}
    pairs = (field.partition("=") for field in fields)
    return {key.strip().lower(): value.strip() for key, _, value in pairs}
