"""Files that say how images are deployed, read as far as images go. Text in, values out."""

from orchestrator.deployments.reading import read_deployment
from orchestrator.deployments.values import DeploymentFile, ImageUse

__all__ = ["DeploymentFile", "ImageUse", "read_deployment"]
