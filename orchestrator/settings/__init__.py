"""The settings of a workspace, read strictly; a module for each table that says much."""

from orchestrator.settings.reading import (
    SETTINGS_FILE,
    find_settings,
    read_settings,
    take_settings,
)

__all__ = ["SETTINGS_FILE", "find_settings", "read_settings", "take_settings"]
