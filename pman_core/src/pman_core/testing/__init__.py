"""The kit for authors of plugins: the conformance class, and a backend to learn from."""
