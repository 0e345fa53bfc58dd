"""The findings of hadolint, under its own ids."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from orchestrator.checks.finding import Finding, Region, Severity
from orchestrator.checks.hadolint import UNREADABLE, Remark, find_hadolint, run_hadolint
from orchestrator.checks.hadolint_kept import KeptRemarks, judge_of
from orchestrator.checks.rule import rule
from orchestrator.checks.sources import Sources
from orchestrator.checks.subject import Subject
from orchestrator.model import Image
from orchestrator.paths import Paths

_SEVERITIES: Mapping[str, Severity] = MappingProxyType(
    {"error": Severity.ERROR, "warning": Severity.WARNING}
)
OURS: Mapping[str, str] = MappingProxyType(
    {
        "DL3002": "runs-as-root",
        "DL3006": "latest-in-from",
        "DL3007": "latest-in-from",
        "DL3009": "cache-in-image",
        "DL3042": "cache-in-image",
        "DL3057": "no-healthcheck",
    }
)
"""What rules of orch find too, knowing the workspace: siblings, users of bases, cache mounts."""
_BY_CONSTRAINTS = "DL3013"
_UNKNOWN_FROM = "DL3022"
_NOT_PARSED = "DL1000"


@rule("hadolint", Severity.WARNING, passes_on=r"(?:DL|SC)\d{4}")
def hadolint(subject: Subject) -> Iterator[Finding]:
    """A line of a Dockerfile is one that hadolint warns of.

    hadolint knows a hundred habits of Dockerfiles, and through ShellCheck the shell's own. Its
    findings keep their ids and its severities; `info` and `style` are notes. It is a program of its
    own: `pip install "orchestrator[hadolint]"`, or any `hadolint` on the PATH. Without it the other
    rules run, and one line says that it did not. A Dockerfile that it fails on is a finding with
    the id `hadolint`.

    DL3002, DL3006, DL3007, DL3009, DL3042 and DL3057 are left to `runs-as-root`, `latest-in-from`,
    `cache-in-image` and `no-healthcheck`, which know what bases bring and which names are images of
    this workspace; so is DL3013 where the workspace has constraints. DL3022 is left out where
    `from` names an image of the workspace or a context of the settings. Where hadolint cannot parse
    what BuildKit can, which is DL1000, that is a warning.

    ## What to do

    Follow the link of the finding. `# hadolint ignore=DL3008` and `.hadolint.yaml` at the root
    hold, and so do suppressions with a reason: `# orch: ignore[DL3008] REASON`.

    ## Example

    ```dockerfile
    RUN apt-get update && apt-get install -y curl      # DL3008: no version of curl is named
    RUN cd $DIR && make                                # SC2086: $DIR is not in quotes
    ```
    """
    images = {str(one.file): one for one in reversed(list(subject.images())) if one.build}
    if not images:
        return
    for remark in _remarks(subject, sorted(images)):
        image = images.get(remark.file)
        if not _is_answered(subject, image, remark):
            yield _finding(remark, image.name if image else "")


def _is_answered(subject: Subject, image: Image | None, remark: Remark) -> bool:
    """Tell whether the workspace answers a remark, or a rule of ours makes it too."""
    if remark.code == _BY_CONSTRAINTS:
        return bool(subject.constraints)
    if remark.code != _UNKNOWN_FROM or image is None or image.build is None:
        return remark.code in OURS
    contexts = image.build.settings.options.contexts
    unknown = [name for name in subject.graph.external[image.name] if name not in contexts]
    named = {item.name for item in image.build.uses.references if item.line == remark.line}
    return bool(named) and named.isdisjoint(unknown)


def _remarks(subject: Subject, files: Sequence[str]) -> Iterator[Remark]:
    """Yield what hadolint says of files, which it is asked of each text but once.

    Raises:
        NotRunError: It is not there, or fails.
    """
    root, program = subject.workspace.root, find_hadolint()
    kept = KeptRemarks(Paths.of(root).hadolint_remarks, judge_of(program, root))
    texts = {file: subject.sources.text(file) for file in files}
    known = {file: kept.recall(file, text) for file, text in texts.items() if text is not None}
    asked = [file for file in files if known.get(file) is None]
    said: dict[str, list[Remark]] = {file: [] for file in asked}
    for remark in run_hadolint(program, root, asked):
        said.setdefault(remark.file, []).append(remark)
    found = ((text, tuple(said[file])) for file in asked if (text := _read_again(subject, file)))
    kept.remember(dict(found))
    for remarks in (*known.values(), *said.values()):
        yield from remarks or ()


def _read_again(subject: Subject, file: str) -> str | None:
    """Return a text that did not change while hadolint read the file; else None."""
    text = subject.sources.text(file)
    return text if text == Sources(subject.workspace.root).text(file) else None


def _finding(remark: Remark, image: str) -> Finding:
    if remark.code == _NOT_PARSED:  # orch has read the file, or there would be another finding
        said = remark.message.partition("\n")[0]
        message = f"hadolint stops reading here, and checked nothing of the file: {said}"
        remark = replace(remark, level="warning", message=message)
    found = hadolint.finding(
        remark.message,
        file=remark.file,
        region=Region(remark.line),
        image=image,
        severity=_SEVERITIES.get(remark.level, Severity.NOTE),
    )
    if remark.code == UNREADABLE:
        return found
    return replace(found, rule=remark.code, uri=_page(remark.code))


def _page(code: str) -> str:
    if code.startswith("SC"):
        return f"https://www.shellcheck.net/wiki/{code}"
    return f"https://github.com/hadolint/hadolint/wiki/{code}"
