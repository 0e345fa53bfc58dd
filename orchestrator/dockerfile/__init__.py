"""Dockerfiles, read as far as it takes to know what they are made from. Text in, values out."""

from orchestrator.dockerfile.reading import find_uses
from orchestrator.dockerfile.stages import parse_dockerfile

__all__ = ["find_uses", "parse_dockerfile"]
