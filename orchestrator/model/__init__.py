"""The values that travel between rooms: platforms, recipes, images, locked packages.

Immutable, parsed at the boundary, free of I/O.
"""

from __future__ import annotations

from orchestrator.model.ci import CiSettings
from orchestrator.model.dockerfile import (
    BuildKitOptions,
    BuildKitSettings,
    ContextSource,
    DockerfileBuild,
    ImageSettings,
    Reference,
    Secret,
    Uses,
)
from orchestrator.model.image import Image
from orchestrator.model.kind import Definition, ImageKind, is_image_name
from orchestrator.model.locked import LockedDeb, LockedWheel, WheelBuild
from orchestrator.model.platform import Platform
from orchestrator.model.recipe import (
    SEVERITIES,
    FileCopy,
    FileFetch,
    Gates,
    Healthcheck,
    ImageConfig,
    Recipe,
)
from orchestrator.model.settings import (
    AttestSettings,
    CheckException,
    CheckSettings,
    DebianSettings,
    EcrSettings,
    GcSettings,
    HistorySettings,
    PythonSettings,
    ReportSettings,
    ScanException,
    Settings,
    SharedPlace,
    StoragePrice,
    WheelhouseSettings,
    WheelSettings,
)
from orchestrator.model.workspace import Workspace

__all__ = [
    "SEVERITIES",
    "AttestSettings",
    "BuildKitOptions",
    "BuildKitSettings",
    "CheckException",
    "CheckSettings",
    "CiSettings",
    "ContextSource",
    "DebianSettings",
    "Definition",
    "DockerfileBuild",
    "EcrSettings",
    "FileCopy",
    "FileFetch",
    "Gates",
    "GcSettings",
    "Healthcheck",
    "HistorySettings",
    "Image",
    "ImageConfig",
    "ImageKind",
    "ImageSettings",
    "LockedDeb",
    "LockedWheel",
    "Platform",
    "PythonSettings",
    "Recipe",
    "Reference",
    "ReportSettings",
    "ScanException",
    "Secret",
    "Settings",
    "SharedPlace",
    "StoragePrice",
    "Uses",
    "WheelBuild",
    "WheelSettings",
    "WheelhouseSettings",
    "Workspace",
    "is_image_name",
]
