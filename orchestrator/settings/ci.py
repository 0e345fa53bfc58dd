"""`[ci]` of the settings: what `orch ci` cannot know of runners, roles and branches."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from orchestrator.model import CiSettings
from orchestrator.tables import Table

MOST_JOBS = 256
"""How many jobs a matrix has at most (GitHub, "Running variations of jobs in a workflow")."""

_ROLE = re.compile(r"(arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+)?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BRANCH = re.compile(r"[\w./-]+")
_CRON = re.compile(r"[\d*/,A-Za-z-]+( [\d*/,A-Za-z-]+){4}")
_WORD = re.compile(r"[\w.:/@-]*")
_PIN = re.compile(r"[0-9a-f]{40}( v[\w.]+)?|v[\w.]+")


def take_ci(table: Table) -> CiSettings:
    """Take the table's keys.

    Raises:
        WorkspaceError: They are not valid.
    """
    default = CiSettings()
    ci = CiSettings(
        install=table.take_strs("install"),
        branch=table.take_str("branch", default.branch),
        schedule=table.take_str("schedule", default.schedule),
        jobs=table.take_int("jobs", default.jobs),
        runner=table.take_str("runner", default.runner),
        container=table.take_str("container"),
        python=table.take_str("python", default.python),
        login=table.take_strs("login"),
        push_role=table.take_str("push-role"),
        pull_role=table.take_str("pull-role"),
        actions=table.take_env("actions"),
        gitlab_file=table.take_str("gitlab-file", default.gitlab_file),
    )
    _check_words(table, ci)
    _check_names(table, ci)
    table.close()
    return ci


def _check_words(table: Table, ci: CiSettings) -> None:
    """Refuse what would mean something else in YAML, or to a shell."""
    if not 1 <= ci.jobs <= MOST_JOBS:
        hint = "a job builds several images where there are more"
        table.fail("jobs", f"jobs must be 1 to {MOST_JOBS}, not {ci.jobs}", hint=hint)
    if not _BRANCH.fullmatch(ci.branch):
        hint = "letters, digits and ./_- make one"
        table.fail("branch", f"branch is no name of a branch: {ci.branch!r}", hint=hint)
    if not _CRON.fullmatch(ci.schedule):
        hint = 'five fields, minute to day of the week, in UTC: "23 2 * * *"'
        table.fail("schedule", f"schedule is no cron expression: {ci.schedule!r}", hint=hint)
    for key, value in (("runner", ci.runner), ("container", ci.container), ("python", ci.python)):
        if not _WORD.fullmatch(value):
            hint = "letters, digits and .:/@- make one"
            table.fail(key, f"{key} must be one word, not {value!r}", hint=hint)
    if any("\n" in line for line in ci.install):
        hint = 'install = ["python -m venv .venv", ".venv/bin/pip install ..."]'
        table.fail("install", "install is a list of commands, a line each", hint=hint)


def _check_names(table: Table, ci: CiSettings) -> None:
    if ci.login and (len(ci.login) != 2 or not all(map(_NAME.fullmatch, ci.login))):
        hint = 'the names of two secrets, user and password: ["REGISTRY_USER", "REGISTRY_PASSWORD"]'
        table.fail("login", "login names a secret for the user and one for the password", hint=hint)
    for key, role in (("push-role", ci.push_role), ("pull-role", ci.pull_role)):
        if not _ROLE.fullmatch(role):
            hint = 'such as "arn:aws:iam::123456789012:role/push"'
            table.fail(key, f"{key} must be the ARN of a role, not {role!r}", hint=hint)
    for action, pin in ci.actions.items():
        if not _PIN.fullmatch(pin):
            hint = f'{action} = "COMMIT v1.2.3", with 40 digits; or "v1", which may move unseen'
            table.fail("actions", f"actions.{action} is no commit: {pin!r}", hint=hint)
    path = PurePosixPath(ci.gitlab_file)
    if path.is_absolute() or ".." in path.parts or path.suffix not in {".yml", ".yaml"}:
        hint = 'such as ".gitlab/orch.yml", which .gitlab-ci.yml includes'
        table.fail("gitlab-file", "gitlab-file must be a YAML file of the workspace", hint=hint)
