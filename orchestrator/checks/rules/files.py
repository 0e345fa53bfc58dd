"""Rules about what the check itself needs: files that can be read, suppressions with reasons."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.checks.finding import Finding, Severity
from orchestrator.checks.reading import INVALID_FILE
from orchestrator.checks.rule import rule
from orchestrator.checks.run import UNUSED, WITHOUT_REASON
from orchestrator.checks.subject import Subject


@rule(INVALID_FILE, Severity.ERROR)
def invalid_file(subject: Subject) -> Iterator[Finding]:
    """A file of the workspace cannot be read.

    A recipe, a Dockerfile, a requirements file or `orch.lock` has a mistake: `orch build` would
    stop at it. The check reports it and goes on with the other files; images that stand on what
    could not be read are not checked.

    ## What to do

    Put right what the message says. `orch build` says the same.

    ## Example

    ```toml
    form = "python-base"        # unknown key 'form': did you mean 'from'?
    ```
    """
    yield from subject.problems


@rule(WITHOUT_REASON, Severity.WARNING)
def suppression_without_reason(_: Subject) -> Iterator[Finding]:
    """A comment suppresses findings without saying which, or why.

    A suppression outlives the memory of who wrote it. Without a reason nobody dares to take it
    out; without a rule it hides what nobody has seen yet. Such a comment suppresses nothing.

    ## What to do

    Name the rule in brackets, and write the reason behind them.

    ## Example

    ```text
    setuptools<81  # orch: ignore[requirement-against-constraints] webrtcvad imports pkg_resources
    ```
    """
    yield from ()  # found where findings are put aside


@rule(UNUSED, Severity.WARNING)
def unused_suppression(_: Subject) -> Iterator[Finding]:
    """A suppression suppresses nothing, or its last day is over.

    What it was for was put right or went away. Left where it is, it hides the next finding of
    that kind in the same place, which nobody has judged.

    ## What to do

    Take the comment, or the table of `[[checks.exceptions]]`, out. One whose day is over needs a
    decision: put right what it was for, or give it another day.

    ## Example

    ```toml
    [[checks.exceptions]]
    rule = "unused-base"
    images = ["python-audio"]   # and python-audio is gone
    reason = "services of the other repository stand on it"
    ```
    """
    yield from ()  # found where findings are put aside
