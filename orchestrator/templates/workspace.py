"""The files of a workspace to begin with: two tiers of bases, and a service that answers."""

from __future__ import annotations

from orchestrator.model import Platform
from orchestrator.settings import SETTINGS_FILE
from orchestrator.templates.images import (
    SERVICE_NEEDS,
    base_files,
    debian_base_files,
    service_files,
)

_SUITE, _PYTHON, _VENV = "bookworm", "3.11", "/opt/venv"

_SETTINGS = f"""\
# The settings of this monorepo; what is not here has its default.
bases = ["base/*"]
services = ["services/*"]
constraints = "constraints.txt"  # one version of a package in every image
platforms = ["{{platform}}"]
# registry = "registry.example.com/team"  # where orch push publishes

[python]
version = "{_PYTHON}"  # that of the Debian suite below

[debian]
suite = "{_SUITE}"
"""

_CONSTRAINTS = """\
# One version of a package in every image, such as fastapi==0.1 or fastapi<1. What is not here is
# locked at its newest version, and stays there until orch lock --upgrade.
"""

_IGNORED = ".orch/\n.venv/\n__pycache__/\n.pytest_cache/\n"

IGNORE_FILE = ".gitignore"


def starter_files(platform: Platform) -> dict[str, str]:
    """Return the files of a small workspace that builds at once, for one platform."""
    images = {
        "base/python-base": debian_base_files(_SUITE, _PYTHON),
        "base/python-web": base_files("python-base", "Services that answer HTTP", SERVICE_NEEDS),
        "services/hello": service_files("hello", "python-web", "Greets whoever asks", (), _VENV),
    }
    return {
        SETTINGS_FILE: _SETTINGS.format(platform=platform.key),
        "constraints.txt": _CONSTRAINTS,
        IGNORE_FILE: _IGNORED,
        **{
            f"{folder}/{path}": text
            for folder, files in images.items()
            for path, text in files.items()
        },
    }
