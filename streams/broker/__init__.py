"""The shell around NATS: connections, JetStream's API, the publisher. No Django."""
