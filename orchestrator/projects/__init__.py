"""Python projects of a repository without recipes: read, and the recipes that they speak for."""
