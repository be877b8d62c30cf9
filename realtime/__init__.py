"""Live topics for browsers: NATS in, WebSocket out."""
