"""Rules of markets that do not exist."""
