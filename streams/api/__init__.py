"""The HTTP calls of streams."""
