"""What all services of the voice platform share: health, logs, settings, start and stop."""
