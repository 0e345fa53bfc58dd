"""Pipelines of CI: images spread over jobs, and the files that say so. Values in, text out."""
