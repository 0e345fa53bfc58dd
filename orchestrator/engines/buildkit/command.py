"""The command that builds an image: settings and parents in, words of `docker buildx build` out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.engines.buildkit.staging import Staged
from orchestrator.model import ImageSettings, Platform, Secret
from orchestrator.siblings import familiar_name

NOT_PASSED_ON = ("SOURCE_DATE_EPOCH", "BUILDX_BUILDER", "BUILDX_GIT_INFO", "BUILDX_GIT_LABELS")
"""What of the environment would reach an image, or choose another builder."""


@dataclass(frozen=True, slots=True)
class BuildCommand:
    """One build. `contexts` are what a Dockerfile's references stand for, by reference.

    `root` is the workspace's, from which a secret's file is taken.
    """

    settings: ImageSettings
    platform: Platform
    staged: Staged
    builder: str
    contexts: Mapping[str, str]
    root: Path
    output: str = ""

    def words(self, buildx: Sequence[str], metadata: Path) -> list[str]:
        """Return the command's words; `buildx` are those that run it, `metadata` a file it writes.

        Secrets are named, never given: buildx reads them from the environment or a file.
        """
        table, options = self.settings, self.settings.options
        words = [
            *buildx,
            "build",
            "--progress=rawjson",
            f"--builder={self.builder}",
            f"--metadata-file={metadata}",
            f"--file={self.staged.dockerfile}",
            f"--platform={self.platform}",
        ]
        words += [f"--target={table.target}"] if table.target else []
        words += [f"--build-arg={name}={value}" for name, value in table.build_args.items()]
        contexts = {**self.contexts, **self.staged.named}
        words += [f"--build-context={name}={place}" for name, place in contexts.items()]
        words += [f"--network={options.network}"] if options.network else []
        words += [f"--secret={_secret(secret, self.root)}" for secret in options.secrets]
        words += [f"--ssh={item}" for item in options.ssh]
        words += [f"--cache-from={item}" for item in options.cache_from]
        words += [f"--cache-to={item}" for item in options.cache_to]
        words += [f"--output={self.output}"] if self.output else []
        return [*words, str(self.staged.context)]

    def target(self) -> dict[str, Any]:
        """Return the build as a target of a bake file, where `is_plain` and without output.

        Source: the Bake file reference of buildx; `${` and `%{` would be variables of its own.
        Unlike `--build-context`, a bake file wants references as BuildKit compares them.
        """
        table = self.settings
        contexts = {familiar_name(name): at for name, at in self.contexts.items()}
        contexts |= {name: str(at) for name, at in self.staged.named.items()}
        said = {
            "context": _literal(str(self.staged.context)),
            "dockerfile": _literal(str(self.staged.dockerfile)),
            "target": table.target,
            "args": {name: _literal(value) for name, value in table.build_args.items()},
            "contexts": {name: _literal(at) for name, at in contexts.items()},
            "platforms": [str(self.platform)],
        }
        return {key: value for key, value in said.items() if value}


def is_plain(settings: ImageSettings) -> bool:
    """Tell whether nothing is asked for beyond what `BuildCommand.target` says."""
    options = settings.options
    beyond = (options.secrets, options.ssh, options.network)
    return not any((*beyond, options.cache_from, options.cache_to))


def _literal(text: str) -> str:
    return text.replace("${", "$${").replace("%{", "%%{")


def _secret(secret: Secret, root: Path) -> str:
    if secret.env:
        return f"id={secret.id},env={secret.env}"
    source = csv_field(f"src={secret_file(secret, root)}")
    return f"id={secret.id},{source}"


def csv_field(text: str) -> str:
    """Return an option's part as buildx reads it, also where a path holds a comma or a quote."""
    quoted = text.replace('"', '""')
    return f'"{quoted}"' if set(text) & set(',"') else text


def secret_file(secret: Secret, root: Path) -> Path:
    """Return the file that holds a secret."""
    return root / Path(secret.file).expanduser()


def environment_of(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a build: what is not part of its inputs does not reach the image.

    Without attestations an image that did not change keeps its digest. Asking git would take
    four processes a build, and what it says would be attested alone.
    """
    kept = {name: value for name, value in environment.items() if name not in NOT_PASSED_ON}
    return {**kept, "BUILDX_NO_DEFAULT_ATTESTATIONS": "1", "BUILDX_GIT_INFO": "0"}
