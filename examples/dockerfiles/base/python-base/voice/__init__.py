"""What every service of the platform shares."""
