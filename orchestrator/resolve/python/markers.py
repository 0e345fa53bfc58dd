"""What environment markers see in an image (PEP 508)."""

from __future__ import annotations

from orchestrator.model import Platform


def marker_environment(python: str, platform: Platform) -> dict[str, str]:
    """Return the variables of markers for an image's minor Python version and platform."""
    return {
        "implementation_name": "cpython",
        "implementation_version": f"{python}.0",
        "os_name": "posix",
        "platform_machine": platform.machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": f"{python}.0",
        "python_version": python,
        "sys_platform": "linux",
    }
