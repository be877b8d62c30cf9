"""MT5 accounts: their records, their state, and the messages published from it."""
