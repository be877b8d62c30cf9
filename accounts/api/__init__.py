"""Accounts over HTTP: one file for each kind of record, and what they share in `base`."""
