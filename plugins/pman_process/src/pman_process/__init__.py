"""The pman backend ``process``: jobs as plain processes of the machine that pman runs on.

Each job has a folder in a store of :mod:`pman_kit`, which is the engine of this backend, and a
supervisor of :mod:`pman_kit`, which outlives pman. What is of its own is how a supervisor is
started (:mod:`~pman_process.spawn`).
"""
