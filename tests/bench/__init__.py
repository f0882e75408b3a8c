"""Measures Sluice against the floor, beside a practical proxy, and says how the cost grows.

Every contender is driven in turn in one run, by the same load, towards the same mock upstream. CPU is the user and
system time of a contender's processes over a whole run, divided by its requests or stream chunks: the figure that a
busy machine disturbs least. Only ratios travel between machines.
"""
