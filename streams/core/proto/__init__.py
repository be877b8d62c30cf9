"""The wire schemas. `market_pb2` and `pipeline_pb2` are made from `*.proto` by `make proto`."""
