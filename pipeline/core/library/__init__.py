"""The pure parts of the library that `import pipeline` offers."""
