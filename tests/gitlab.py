"""GitLab's side of a pipeline, as far as the written ones need it: scripts, artifacts, `needs`."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.workflows import TIMEOUT_S, machine

Pipeline = Mapping[str, Any]


@dataclass
class GitlabRunner:
    """Runs jobs of a repository, each on a machine of its own: a fresh folder."""

    repository: Path
    scratch: Path
    path: str
    count: int = 0

    @property
    def pipeline(self) -> Pipeline:
        return load(self.repository / ".gitlab-ci.yml")

    def run_branch(self, source: str, **variables: str) -> set[str]:
        """Run the pipeline of the main branch, and the child pipeline that it triggers.

        Its jobs run in any order that `needs` allows. Return the images that they built.
        """
        given = {"CI_PIPELINE_SOURCE": source, **variables}
        planned = self.run_job(self.pipeline, "orch plan", given)
        child = load(planned / ".orch/ci/pipeline.yml")
        waiting = [name for name in child if name.startswith("build ")]
        random.Random(0).shuffle(waiting)
        done: dict[str, Path] = {}
        while waiting:
            name = next(name for name in waiting if needed(child, name) <= done.keys())
            waiting.remove(name)
            done[name] = self.run_job(child, name, given, planned)
        self.run_job(child, "publish", given, *done.values())
        return {name for place in done.values() for name in built(place)}

    def run_job(
        self, pipeline: Pipeline, name: str, variables: Mapping[str, str], *artifacts: Path
    ) -> Path:
        """Run a job with the artifacts of others; it must end well. Return its folder."""
        self.count += 1
        place = self.scratch / f"job-{self.count}"
        home = self.scratch / f"home-{self.count}"
        home.mkdir()
        subprocess.run(["git", "clone", "-q", self.repository.as_uri(), place], check=True)
        for other in artifacts:
            shutil.copytree(other / ".orch/ci", place / ".orch/ci", dirs_exist_ok=True)
            shutil.copy(other / "orch.lock", place)
        common, job = pipeline[".orch"], pipeline[name]
        known = {"CI_PROJECT_DIR": str(place), "CI_JOB_ID": str(self.count), **variables}
        told = {**common["variables"], **job.get("variables", {})}
        cache = told.pop("ORCH_CACHE").replace("$CI_PROJECT_DIR", str(place))
        done = subprocess.run(
            [
                "bash",
                "-eo",
                "pipefail",
                "-c",
                "\n".join([*common["before_script"], *job["script"]]),
            ],
            cwd=place,
            env={**machine(self.path, home), **told, "ORCH_CACHE": cache, **known},
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
        )
        assert done.returncode == 0, f"{name}:\n{done.stdout}{done.stderr}"
        return place


def load(file: Path) -> Pipeline:
    document: Pipeline = YAML(typ="safe").load(file.read_text("utf-8"))
    return document


def needed(pipeline: Pipeline, name: str) -> set[str]:
    """Return the jobs of the same pipeline that one waits for."""
    return {need["job"] for need in pipeline[name]["needs"] if "pipeline" not in need}


def built(place: Path) -> set[str]:
    """Return the images that the last build in a folder made, as its reports say."""
    reports = [json.loads(file.read_text()) for file in (place / ".orch/ci").glob("build*.json")]
    return {
        row["name"] for report in reports for row in report["images"] if row["status"] == "built"
    }
