"""Dockerfiles as rules look at them: the stages that an image is, and the lines of instructions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.checks.finding import Finding, Region
from orchestrator.checks.rule import FunctionRule
from orchestrator.checks.subject import Subject
from orchestrator.dockerfile.instructions import Instruction
from orchestrator.dockerfile.stages import Dockerfile, Stage
from orchestrator.model import Image


def final_stages(dockerfile: Dockerfile, target: str = "") -> tuple[Stage, ...]:
    """Return the stage that becomes the image and those of the file it stands on, first ones first.

    The target "" is the last stage. A stage whose base holds variables is taken for the first.
    """
    stages = dockerfile.stages
    named = [stage for stage in stages if target.lower() in (stage.name, str(stage.index))]
    found = [named[-1] if named else stages[-1]]
    while below := _stage_named(found[-1].base, stages[: found[-1].index]):
        found.append(below)
    return tuple(reversed(found))


def _stage_named(name: str, stages: tuple[Stage, ...]) -> Stage | None:
    return next((stage for stage in reversed(stages) if stage.name == name.lower() != ""), None)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong and where, for a rule that is about recipes and Dockerfiles alike."""

    message: str
    hint: str
    file: str
    region: Region
    image: str

    def of(self, rule: FunctionRule) -> Finding:
        """Return it as a finding of a rule."""
        return rule.finding(
            self.message, self.hint, file=self.file, region=self.region, image=self.image
        )


@dataclass(frozen=True, slots=True)
class DockerfileView:
    """An image's Dockerfile with its lines, to point at what is found in it."""

    subject: Subject
    image: Image
    dockerfile: Dockerfile

    @property
    def file(self) -> str:
        """Return the Dockerfile's path from the root."""
        return str(self.image.file)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Return the stages of the file that become the image."""
        target = self.image.build.settings.target if self.image.build else ""
        return final_stages(self.dockerfile, target)

    def instructions(self, *names: str) -> Iterator[Instruction]:
        """Yield the image's own instructions of some names, first ones first."""
        for stage in self.stages:
            yield from (one for one in stage.instructions if one.name in names)

    def lines(self, instruction: Instruction) -> list[tuple[int, str]]:
        """Return the numbered lines of an instruction, here-documents too, comments left out."""
        begins = sorted(
            {one.line for one in self.dockerfile.arguments}
            | {stage.line for stage in self.dockerfile.stages}
            | {one.line for stage in self.dockerfile.stages for one in stage.instructions}
        )
        lines = self.subject.sources.lines(self.file)
        later = [line for line in begins if line > instruction.line]
        end = later[0] - 1 if later else len(lines)
        numbered = enumerate(lines[instruction.line - 1 : end], instruction.line)
        return [(n, line) for n, line in numbered if not line.lstrip().startswith("#")]

    def region(self, instruction: Instruction, word: str = "") -> Region:
        """Return where a word stands in an instruction; its first line where it is not found."""
        for number, line in self.lines(instruction):
            if word and (at := line.find(word)) >= 0:
                return Region(number, at + 1, at + 1 + len(word))
        return Region(instruction.line)

    def fault(self, message: str, hint: str, region: Region) -> Fault:
        """Return a fault of the image, in its Dockerfile."""
        return Fault(message, hint, self.file, region, self.image.name)


def dockerfile_views(subject: Subject) -> Iterator[DockerfileView]:
    """Yield the selected images that Dockerfiles define."""
    for image in subject.images():
        if dockerfile := subject.dockerfile(image):
            yield DockerfileView(subject, image, dockerfile)
