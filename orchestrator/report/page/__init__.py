"""Evidence of a build as one HTML page that needs nothing else."""
