"""The project: settings, processes, and what belongs to no single app."""
