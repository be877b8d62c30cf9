"""NATS and JetStream: subjects, schema, streams and the connections everybody shares."""
