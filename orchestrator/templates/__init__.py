"""What new workspaces, bases and services begin with: texts, and nothing is written here."""
