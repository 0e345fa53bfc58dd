"""The written pipelines, run step by step in a real repository against a real registry."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.bases import publish
from tests.conftest import required
from tests.gitlab import GitlabRunner, built
from tests.helpers import write_tree
from tests.real import registry as registries
from tests.workflows import Host, Run

ONE, TWO = {"etc/base": "one\n"}, {"etc/base": "two\n"}
ON_THE_BASE = {"core", "web", "api", "shop"}
ALL = {*ON_THE_BASE, "plain", "job"}
USER = '[config]\nuser = "1000"\nentrypoint = ["/app/file"]\n'
FILES = '[[files]]\nfrom = "src"\nto = "/app"\nmode = "755"\n'
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"


@dataclass
class Repository:
    """A git repository of six images, and a host of CI that runs its workflows."""

    root: Path
    registry: str
    prefix: str
    scratch: Path
    secrets: dict[str, str] = field(default_factory=dict)

    @property
    def base(self) -> str:
        return f"{self.registry}/{self.prefix}/upstream:1"

    def begin(self, ci: str = "") -> Repository:
        recipes = {
            "base/core": self.base,
            "base/plain": "debian:bookworm",
            "base/web": "core",
            "services/api": "web",
            "services/shop": "web",
            "services/job": "plain",
        }
        write_tree(
            self.root,
            {
                ".gitignore": ".orch/\n",
                "orch.toml": f'registry = "{self.registry}/{self.prefix}"\n'
                f'[debian]\nessential = []\n[ci]\ninstall = ["orch --version"]\n{ci}',
                **{f"{p}/image.toml": f'from = "{f}"\n{USER}{FILES}' for p, f in recipes.items()},
                **{f"{path}/src/file": f"{path}\n" for path in recipes},
            },
        )
        self.git("init", "-q", "-b", "main")
        self.orch("lock")
        self.orch("ci", "github")
        self.orch("ci", "gitlab")
        self.commit("begin")
        return self

    def published(self) -> dict[str, str]:
        """Publish everything, and return what is published."""
        self.orch("build", "--push")
        return self.digests("latest")

    def orch(self, *arguments: str) -> None:
        environment = {**os.environ, "ORCH_CACHE": str(self.scratch / "own-cache"), "PATH": PATH}
        subprocess.run(
            ["orch", *arguments], cwd=self.root, env=environment, check=True, capture_output=True
        )

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.root, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, message: str) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)

    def run(self, workflow: str, event: str, **github: str) -> Run:
        runs = self.scratch / "runs"
        runs.mkdir(exist_ok=True)
        return Host(self.root, runs, PATH, self.secrets).run(
            f"orch-{workflow}.yml", event, repository="team/images", **github
        )

    def change(self, image: str, text: str = "changed\n") -> None:
        write_tree(self.root, {f"{image}/src/file": text})
        self.commit(f"change {image}")

    def digests(self, tag: str) -> dict[str, str]:
        """Return what a tag of each image names in the registry."""
        found = {}
        for name in sorted(ALL):
            url = f"docker://{self.registry}/{self.prefix}/{name}:{tag}"
            done = subprocess.run(
                ["skopeo", "inspect", "--tls-verify=false", "--format", "{{.Digest}}", url],
                capture_output=True,
                text=True,
                check=False,
            )
            found[name] = done.stdout.strip()
        return found

    def content_tags(self, image: str) -> int:
        url = f"docker://{self.registry}/{self.prefix}/{image}"
        done = subprocess.run(
            ["skopeo", "list-tags", "--tls-verify=false", url], check=True, capture_output=True
        )
        return done.stdout.count(b'"fp-')


@pytest.fixture
def repository(tmp_path: Path, registry: str) -> Repository:
    made = Repository(tmp_path / "repo", registry, f"ci-{uuid.uuid4().hex}", tmp_path)
    publish(registry, f"{made.prefix}/upstream", "1", ONE)
    return made


def well(run: Run) -> Run:
    assert {ran.result for ran in run.of("")} == {"success"}, run.log
    return run


def test_a_change_is_built_once_from_pull_request_to_publication(repository: Repository) -> None:
    repository.begin("jobs = 2\n")
    first = well(repository.run("main", "push"))
    assert first.built() == ALL
    before = repository.digests("latest")
    assert all(before.values())

    repository.git("checkout", "-q", "-b", "topic")
    repository.change("services/api")
    pull = well(repository.run("pull-request", "pull_request", base_ref="main"))
    assert pull.built("images") == {"api"}, "one service changed, so one image is built"
    (ran,) = pull.of("images")
    assert "| api | 2 | linux/amd64 | build |" in ran.summary
    assert repository.digests("latest") == before, "a pull request publishes nothing"

    repository.git("checkout", "-q", "main")
    repository.git("merge", "-q", "topic")
    merged = well(repository.run("main", "push"))
    assert merged.built() == {"api"}
    assert merged.built("publish") == set(), "all that is published was verified"
    after = repository.digests("latest")
    assert {name for name in ALL if after[name] != before[name]} == {"api"}


def test_a_base_that_moved_rebuilds_at_night_what_stands_on_it_and_nothing_else(
    repository: Repository,
) -> None:
    before = repository.begin("jobs = 2\n").published()
    publish(repository.registry, f"{repository.prefix}/upstream", "1", TWO)
    night = well(repository.run("nightly", "schedule"))
    assert night.built() == ON_THE_BASE
    assert {ran.name for ran in night.of("build-0")} == {"build-0 0-0"}, "tiers of what is stale"
    assert night.built("rebuild") == ALL, "what is committed is built from nothing"
    assert repository.digests("latest") == before, "what people use stays"
    tonight = repository.digests("nightly")
    assert {name for name in ALL if tonight[name] != before[name]} == ON_THE_BASE

    repository.orch("lock", "--upgrade-bases")
    repository.commit("upgrade bases")
    committed = well(repository.run("main", "push"))
    assert committed.built() == set(), "the night has built it"
    assert repository.digests("latest") == tonight


def test_what_fails_stops_what_stands_on_it_and_no_tag_moves(repository: Repository) -> None:
    before = repository.begin("jobs = 2\n").published()
    recipe = repository.root / "base/web/image.toml"
    recipe.write_text(recipe.read_text() + '[gates]\nmax-size = "1B"\n')
    repository.change("base/web")
    repository.change("services/job")
    failed = repository.run("main", "push")
    assert failed.result("build-0") == failed.result("build-1") == "failure"
    assert "does not have, as the workspace has it now: web" in failed.log
    assert failed.built("publish") == set()
    assert repository.digests("latest") == before
    assert repository.content_tags("web") == 1, "what was not verified is not published"
    assert (repository.content_tags("api"), repository.content_tags("job")) == (1, 2)


def test_gitlab_builds_what_is_stale_in_a_child_pipeline(repository: Repository) -> None:
    before = repository.begin("jobs = 2\n").published()
    runner = GitlabRunner(repository.root, repository.scratch, PATH)
    repository.git("checkout", "-q", "-b", "topic")
    base = repository.git("rev-parse", "HEAD")
    repository.change("services/api")
    request = {"CI_MERGE_REQUEST_DIFF_BASE_SHA": base, "CI_PIPELINE_SOURCE": "merge_request_event"}
    assert built(runner.run_job(runner.pipeline, "orch merge request", request)) == {"api"}
    repository.git("checkout", "-q", "main")
    assert repository.digests("latest") == before

    publish(repository.registry, f"{repository.prefix}/upstream", "1", TWO)
    assert runner.run_branch("schedule", ORCH_TAG="nightly") == ON_THE_BASE
    assert repository.digests("latest") == before
    tonight = repository.digests("nightly")
    assert {name for name in ALL if tonight[name] != before[name]} == ON_THE_BASE


def test_the_steps_are_sound_shell(
    repository: Repository, require_tool: Callable[[str], Path]
) -> None:
    shellcheck = require_tool("shellcheck")
    repository.begin('jobs = 2\nlogin = ["USER", "PASSWORD"]\n')
    for file in (repository.root / ".github/workflows").iterdir():
        for job in YAML(typ="safe").load(file.read_text())["jobs"].values():
            for script in (step["run"] for step in job["steps"] if "run" in step):
                done = subprocess.run(
                    [shellcheck, "-s", "bash", "-"],
                    input=script,
                    capture_output=True,
                    text=True,
                    check=False,
                )
                assert not done.stdout


def test_a_registry_with_passwords_is_logged_in_to_from_secrets(tmp_path: Path) -> None:
    with required(registries.registry(passwords=True)) as address:
        secrets = {"REGISTRY_USER": registries.USER, "REGISTRY_PASSWORD": registries.PASSWORD}
        made = Repository(tmp_path / "repo", address, "team", tmp_path, secrets)
        write_tree(
            made.root,
            {
                ".gitignore": ".orch/\n",
                "orch.toml": f'registry = "{address}/team"\n[debian]\nessential = []\n[ci]\n'
                'install = ["orch --version"]\nlogin = ["REGISTRY_USER", "REGISTRY_PASSWORD"]\n',
                "base/core/image.toml": f'from = "debian:bookworm"\n{USER}{FILES}',
                "base/core/src/file": "core\n",
            },
        )
        made.git("init", "-q", "-b", "main")
        made.orch("lock")
        made.orch("ci", "github")
        made.commit("begin")
        run = well(made.run("main", "push"))
        assert run.built() == {"core"}
        assert registries.PASSWORD not in run.log
        made.secrets = {}
        made.git("checkout", "-q", "-b", "topic")
        made.git("commit", "-q", "--allow-empty", "-m", "nothing")
        fork = well(made.run("pull-request", "pull_request", base_ref="main"))
        assert "there are no credentials" in fork.log
