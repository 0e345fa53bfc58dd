"""Gates on built images: what layers hold, what containers show, and what to think of it."""
