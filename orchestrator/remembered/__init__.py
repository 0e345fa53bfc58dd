"""What earlier runs found out, used for as long as what it follows from has not moved."""
