"""Templates filled with what is known of a workspace. Equal values give equal bytes."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.pipelines.actions import use_action
from orchestrator.pipelines.batches import Batch
from orchestrator.pipelines.facts import Facts

_LEFT = {"github": re.compile(r"\n+(?=\n {4}|\n\n)"), "gitlab": re.compile(r"\n+(?=\n {2}|\n\n)")}
"""Empty lines that are left of parts which a workspace does without; one before a job stays."""

_WORKFLOWS = ("pull-request", "main", "nightly")


def github_files(facts: Facts) -> dict[str, str]:
    """Return the text of each workflow by its path from the root of the repository."""
    use = functools.partial(use_action, pins=facts.ci.actions)
    return {
        f".github/workflows/orch-{name}.yml": _render(f"github/{name}.yml", facts, use=use)
        for name in _WORKFLOWS
    }


def gitlab_files(facts: Facts) -> dict[str, str]:
    """Return the text of GitLab's pipeline by its path from the root of the repository."""
    return {facts.ci.gitlab_file: _render("gitlab/pipeline.yml", facts)}


def gitlab_child(facts: Facts, batches: Sequence[Batch]) -> str:
    """Return a child pipeline that builds batches, as soon as those that they need are built."""
    return _render("gitlab/child.yml", facts, batches=batches)


def _render(template: str, facts: Facts, **values: Any) -> str:
    """Fill a template; its marks are unlike `${{ }}` and `[[ ]]`, which pipelines are full of."""
    import jinja2  # noqa: PLC0415 - only these verbs need it

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("orchestrator.pipelines"),
        autoescape=False,  # noqa: S701 - YAML; what goes into it is checked with the settings
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        variable_start_string="<{",
        variable_end_string="}>",
        block_start_string="<%",
        block_end_string="%>",
        comment_start_string="<#",
        comment_end_string="#>",
        finalize=lambda value: str(value).rstrip("\n"),
    )
    ci = facts.ci
    known: Mapping[str, Any] = {"facts": facts, "ci": ci, "reader": ci.pull_role or ci.push_role}
    text: str = environment.get_template(template).render(**known, **values)
    return _LEFT[template.partition("/")[0]].sub("", text).rstrip("\n") + "\n"
