"""One colour for each pair, the same on both slides, in the table and at every count of pairs."""

from __future__ import annotations

import colorsys

_GOLDEN = 0.618034
# From orange over green to blue: pinks and purples are the slide's own.
_FIRST_HUE, _LAST_HUE = 0.07, 0.66


def pair_colour(number: int) -> str:
    """``#rrggbb`` of the pair with this number, counted from 1; neighbours differ clearly."""
    hue = _FIRST_HUE + (number * _GOLDEN % 1) * (_LAST_HUE - _FIRST_HUE)
    red, green, blue = (round(255 * part) for part in colorsys.hsv_to_rgb(hue, 1.0, 0.75))
    return f"#{red:02x}{green:02x}{blue:02x}"
