"""Tell transmitted light from everything else by looking at an overview."""

from __future__ import annotations

import numpy as np

from napari_stainxfer.slides.source import RGB

_DARK = 64
_GLASS = 180


def why_not_brightfield(overview: RGB, said: str = "") -> str:
    """Return why an overview cannot be brightfield, or an empty string.

    In transmitted light tissue absorbs but hardly ever blackens: even dense nuclei keep some red or
    blue, and glass is bright. In fluorescence most of the field is black. So: most pixels are dark in
    all three channels (below 64), and fewer than 1 % are glass (above 180 in all three). A brightfield
    slide with black, unscanned surroundings has its glass and passes.

    Parameters
    ----------
    overview
        uint8 (H, W, 3).
    said
        What the file says against brightfield, if anything. It is believed unless at least 5 % of the
        picture is glass: scanners also fill in such fields out of habit, and no fluorescence is white.
    """
    dark = float(np.mean(overview.max(axis=2) < _DARK))
    glass = float(np.mean(overview.min(axis=2) > _GLASS))
    if said and glass < 0.05:
        return said
    if dark > 0.5 and glass < 0.01:
        return f"{dark:.0%} of it is dark and there is no glass, as in fluorescence"
    return ""
