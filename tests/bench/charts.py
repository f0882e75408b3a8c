"""Draws the charts of growth."""


def draw_all():
    raise NotImplementedError
