"""The shell around NATS: connections, JetStream's API, the publisher. No Django."""

from streams.broker.loading import keep_aiohttp_out

keep_aiohttp_out()
