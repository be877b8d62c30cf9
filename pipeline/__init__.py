"""Market data: from a source's socket to acknowledged JetStream storage."""
