"""The shell around the brokers that accounts publish to. No Django."""
