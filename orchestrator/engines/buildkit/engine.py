"""The BuildKit engine: makes images that Dockerfiles define, in a Docker engine."""

from __future__ import annotations

import json
import os
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from orchestrator.dockerfile import parse_dockerfile
from orchestrator.engines.buildkit.capabilities import DOCKER, Capabilities
from orchestrator.engines.buildkit.command import BuildCommand, environment_of
from orchestrator.engines.buildkit.failures import find_failure, lost_engine
from orchestrator.engines.buildkit.process import Processes
from orchestrator.engines.buildkit.progress import Progress
from orchestrator.engines.buildkit.staging import staged
from orchestrator.engines.docker.engine import DockerEngine, EngineImage
from orchestrator.engines.docker.exchange import Exchange
from orchestrator.engines.docker.presence import private_tag
from orchestrator.errors import BuildError, MissingToolError, disk_error
from orchestrator.files import SourceFile
from orchestrator.model import DockerfileBuild, Workspace
from orchestrator.oci.layer import Layer
from orchestrator.paths import Paths
from orchestrator.plan import Step
from orchestrator.ports import Made
from orchestrator.siblings import SiblingNames

_LAST_LINES = 20


class BuildKit:
    """An engine for Dockerfiles. Threads may share one.

    Each sibling that a Dockerfile names is given to the build as the very image that was made of
    it, and what was built is checked to stand on it.
    """

    def __init__(
        self,
        workspace: Workspace,
        paths: Paths,
        files: Mapping[str, tuple[SourceFile, ...]],
        docker: DockerEngine,
        exchange: Exchange,
    ) -> None:
        self._workspace = workspace
        self._paths = paths
        self._files = files
        self._docker = docker
        self._exchange = exchange
        self._siblings = SiblingNames(workspace)
        self._can = Capabilities.of(docker.version())
        self._processes = Processes()
        self._begun: set[str] = set()
        self._lock = threading.Lock()

    def stop(self) -> None:
        """End all builds; their steps are cancelled."""
        self._processes.stop()

    def build(self, step: Step, parents: Mapping[str, str]) -> Made:
        """Build an image; it stays in the Docker engine, under its private tag.

        Raises:
            BuildError: The Dockerfile does not build.
            MissingToolError: The engine is out of reach.
            OrchError: A file of the context changed, or a parent is not to be had.
        """
        image = step.image
        build = image.build
        assert build is not None, "recipes have another engine"  # noqa: S101 - for the type checker
        used = self._used(step, build, parents)
        contexts = self._contexts(step, used, parents)
        root = self._workspace.root
        folder = self._paths.state / "contexts" / image.name
        with (
            staged(
                folder, root / image.path, self._files[image.name], root / image.file, build.sha256
            ) as place,
            tempfile.TemporaryDirectory(prefix="orch-") as scratch,
        ):
            command = BuildCommand(
                build.settings,
                step.platform,
                place,
                self._docker.address.context,
                Path(scratch) / "metadata.json",
                contexts,
            )
            self._run(step, command)
            digest = _digest_of(command.metadata)
        made = self._docker.find_image(digest)
        if made is None:
            raise BuildError(f"Docker lost {digest} as soon as it was built", hint="build again")
        below = self._check_parent(step, build, used, made, parents)
        self._docker.tag(made.digest, private_tag(image.name, made.digest))
        layers = tuple(Layer(diff_id, diff_id, 0, 0, "") for diff_id in made.diff_ids)
        return Made(
            made.digest, made.size_bytes, made.size_bytes, layers, frozenset(made.diff_ids[:below])
        )

    def _used(
        self, step: Step, build: DockerfileBuild, parents: Mapping[str, str]
    ) -> dict[str, str]:
        """Return the siblings a Dockerfile names, by the text it names them with."""
        found = {
            item.name: self._siblings.find(item.name, by=step.image.name)
            for item in build.uses.references
        }
        return {text: name for text, name in found.items() if name in parents and name}

    def _contexts(
        self, step: Step, used: Mapping[str, str], parents: Mapping[str, str]
    ) -> dict[str, str]:
        """Return what each reference stands for; where that cannot be said, tag it by that name.

        A named context would take the place of a stage of that name too, so it cannot be given
        where there is one.
        """
        stages = self._stages_of(step) if self._can.named_contexts else set()
        contexts = {}
        for text, name in used.items():
            tag = self._exchange.to_engine(name, parents[name])
            if self._can.named_contexts and familiar_name(text) not in stages:
                contexts[text] = f"docker-image://{tag}"
            else:
                self._docker.tag(tag, with_tag(text))
        return contexts

    def _stages_of(self, step: Step) -> set[str]:
        file = self._workspace.root / step.image.file
        parsed = parse_dockerfile(file.read_text("utf-8"), str(file))
        return {stage.name for stage in parsed.stages if stage.name}

    def _run(self, step: Step, command: BuildCommand) -> None:
        progress = Progress()
        with self._log(step.image.name) as log:

            def take(line: str) -> None:
                before = len(progress.said)
                for text in progress.feed(line):
                    log.write(f"{text}\n")
                log.writelines(f"{text}\n" for text in progress.said[before:])
                log.flush()

            code = self._processes.run(command.words(DOCKER), environment_of(os.environ), take)
        if code == 0:
            return
        if lost_engine(progress.said) and not self._docker.answers():
            raise MissingToolError(
                f"the Docker engine at {self._docker.address.url} stopped during the build",
                hint="start it and build again; what is complete is kept",
            )
        log_file = self._log_file(step.image.name).relative_to(self._workspace.root)
        raise find_failure(
            str(step.image.file),
            progress.said,
            progress.last_lines(_LAST_LINES),
            f"all of its output is in {log_file}",
        )

    def _log(self, name: str) -> IO[str]:
        """Open an image's log; what an earlier run wrote there goes."""
        with self._lock:
            mode = "a" if name in self._begun else "w"
            self._begun.add(name)
        file = self._log_file(name)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            return file.open(mode, encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise disk_error(error, file) from error

    def _log_file(self, name: str) -> Path:
        return self._paths.logs / f"{name}.log"

    def _check_parent(
        self,
        step: Step,
        build: DockerfileBuild,
        used: Mapping[str, str],
        made: EngineImage,
        parents: Mapping[str, str],
    ) -> int:
        """Make sure that an image stands on the very one it was to; return how many layers that is.

        Raises:
            BuildError: It stands on another.
        """
        first = build.uses.references[0].name if build.uses.references else ""
        name = used.get(first)
        if name is None:
            return 0
        below = self._exchange.diff_ids(name, parents[name])
        if made.diff_ids[: len(below)] != below:
            raise BuildError(
                f"the image that was built does not stand on {name} as it was just made",
                file=str(step.image.file),
                line=build.uses.references[0].line,
                hint="does something else tag images in this engine? build again",
            )
        return len(below)


def familiar_name(reference: str) -> str:
    """Return a reference as BuildKit compares it with the names of stages."""
    name = reference.removesuffix(":latest")
    for prefix in ("docker.io/library/", "docker.io/"):
        name = name.removeprefix(prefix)
    return name


def with_tag(reference: str) -> str:
    """Return a reference with the tag that is implied where it has none."""
    return reference if ":" in reference.rpartition("/")[2] else f"{reference}:latest"


def _digest_of(metadata: Path) -> str:
    """Return what an image is known by where it was built.

    Raises:
        BuildError: buildx did not say.
    """
    try:
        return str(json.loads(metadata.read_bytes())["containerimage.digest"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BuildError(f"buildx did not say what it built: {error}", hint="update it") from error
