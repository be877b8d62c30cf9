"""Exchanges that are not there: a made-up one, and one that replays recorded traffic."""
