"""What authors of plugins use: helpers that more than one plugin needs.

Each module has one subject. None of them knows an engine, and none talks to one, except
``engine_http``, which bounds what an HTTP client of an engine may take.
"""
