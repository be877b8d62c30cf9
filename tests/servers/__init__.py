"""Real servers for tests: each on a free port, with its own data, ended with the tests."""
