"""A tiered base-image monorepo build orchestrator."""

__version__ = "0.1.0"
