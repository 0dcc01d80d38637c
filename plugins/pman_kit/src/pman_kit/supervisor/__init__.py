"""The supervisor of one job: a process of its own, which outlives pman.

These modules import the standard library, :mod:`pman_kit.layout` and each other, so that a
supervisor starts fast, needs little memory, and no other package can break it.
"""
