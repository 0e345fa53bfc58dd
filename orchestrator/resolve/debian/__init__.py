"""Debian packages: what the archives offer, and what a set of wanted packages needs."""

from orchestrator.resolve.debian.archive import DebianArchive, open_archive
from orchestrator.resolve.debian.moving import move_debs
from orchestrator.resolve.debian.packages import Universe
from orchestrator.resolve.debian.resolver import resolve_debs

__all__ = ["DebianArchive", "Universe", "move_debs", "open_archive", "resolve_debs"]
