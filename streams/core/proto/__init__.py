"""The wire schema. `market_pb2` is made from `market.proto` by `make proto`."""
