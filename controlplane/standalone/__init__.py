"""The whole system on one machine: which processes, on which ports, watched by one parent."""
