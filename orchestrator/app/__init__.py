"""The one place where things are wired together; one module a verb."""
