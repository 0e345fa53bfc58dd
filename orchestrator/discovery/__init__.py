"""A repository without settings: what its Dockerfiles and recipes say, and what must be guessed."""
