"""The OCI image format: layers, images, layouts, archives, and nothing else."""
