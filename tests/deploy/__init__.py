"""Checks of deploy/ without a cluster and without a container engine: `PYTHONPATH=tests python -m deploy [MODULE…]`.

A module has `CHECKS`, pairs of a name and a function that returns, raises `Skip` with a reason, or fails.
"""
