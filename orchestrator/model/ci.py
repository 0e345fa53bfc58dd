"""The settings of pipelines of CI."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class CiSettings:
    """`[ci]` of the settings.

    `install` are the commands that bring `orch` to a runner. `jobs` is how many jobs build at
    once, each on a machine of its own. `login` names the secrets that hold user and password of
    the registry; the roles are Amazon's, for pushing and for reading. `actions` are pins that go
    before the ones known here: `COMMIT VERSION`.
    """

    install: tuple[str, ...] = ()
    branch: str = "main"
    schedule: str = "23 2 * * *"
    jobs: int = 1
    runner: str = "ubuntu-24.04"
    container: str = ""
    python: str = "3.11"
    login: tuple[str, ...] = ()
    push_role: str = ""
    pull_role: str = ""
    actions: Mapping[str, str] = field(default_factory=dict)
    gitlab_file: str = ".gitlab-ci.yml"
