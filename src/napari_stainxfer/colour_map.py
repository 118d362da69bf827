"""A map from one set of colours to another, that gives the whole distribution and not only its moments.

Iterative distribution transfer (Pitie, Kokaram and Dahyot, Computer Vision and Image Understanding 107,
2007): the colours are turned at random, the three channels are matched one by one by their quantiles, the
colours are turned back, and so on. Rare colours at the rim of the source's cloud, such as red cells, come to
lie at the rim of the reference's, where a map of means and covariances would drag them along with the
commonest stain. Both sets must show alike tissue in alike shares.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from scipy.spatial.transform import Rotation
from skimage.color import lab2rgb, rgb2lab

Colours = NDArray[np.floating]

_TURNS = 20
_QUANTILES = np.linspace(0, 1, 512)
_MOST_COLOURS = 131_072
_NODES = 65
_CUBE_LAB = 10
_MOST = 15.0


class ColourMap:
    """Fitted on colours of both sides in Lab, where red cells lie apart; the same colours give the same map.

    The map is kept as a table of 65 x 65 x 65 sRGB colours, and what lies between is interpolated: a fraction
    of the time for whole patches, and without the steps of the distributions' own sampling.

    Parameters
    ----------
    source, reference
        sRGB in [0, 1], (..., 3). Colours are evenly sampled where there are many.
    """

    def __init__(self, source: Colours, reference: Colours) -> None:
        nodes = np.stack(np.meshgrid(*[np.linspace(0, 1, _NODES)] * 3, indexing="ij"), axis=-1)
        table = rgb2lab(nodes).reshape(-1, 3)
        for turn in _turns(rgb2lab(_sample(source)), rgb2lab(_sample(reference))):
            table = _match(table, turn)
        self._table: Colours = lab2rgb(table.reshape(nodes.shape)).clip(0, 1)

    def __call__(self, image: Colours) -> Colours:
        """Map sRGB in [0, 1], (..., 3), to the same shape and range."""
        places = np.reshape(image, (-1, 3)).T * (_NODES - 1)
        channels = [map_coordinates(self._table[..., channel], places, order=1) for channel in range(3)]
        mapped: Colours = np.stack(channels, axis=-1).reshape(image.shape)
        return mapped


def match_colours(source: Colours, reference: Colours) -> tuple[Colours, Colours]:
    """Some colours of ``source``, evenly sampled, and what a map in sRGB makes of them: (N, 3) each.

    The first turn is none, and matches red, green and blue, whose tones are what scanners differ in. What
    :class:`ColourMap` makes of them in Lab is further from the truth there.
    """
    given = matched = _sample(source)
    for turn in _turns(given, _sample(reference)):
        matched = _match(matched, turn)
    return given, matched.clip(0, 1)


def rarity(colours: Colours, power: float) -> Colours:
    """Weights of colours, (..., 3) in [0, 1] to (...), 1 in the mean: the rarer a colour, the more.

    Parameters
    ----------
    colours
        sRGB; how common one is, is counted in cubes of 10 in Lab.
    power
        A colour weighs by minus this power of its share, at most 15 times the mean.
    """
    # One number a cube: rows would be sorted with the interpreter locked, and hold a window up meanwhile.
    cubes = np.floor(rgb2lab(colours).reshape(-1, 3) / _CUBE_LAB).astype(np.int64) @ (1, 1 << 20, 1 << 40)
    _, which, counts = np.unique(cubes, return_inverse=True, return_counts=True)
    weights = (counts / counts.sum())[which.reshape(-1)] ** -power
    weights = np.minimum(weights, _MOST * weights.mean())
    weights = weights / weights.mean()
    of_each: Colours = weights.reshape(np.shape(colours)[:-1])
    return of_each


class _Turn(NamedTuple):
    """Axes, and the quantiles found along them and wanted."""

    axes: Colours
    found: Colours
    wanted: Colours


def _turns(colours: Colours, goal: Colours) -> Iterator[_Turn]:
    """The steps that bring ``colours`` to ``goal``, (N, 3) and (M, 3) in one colour space."""
    rotations = Rotation.random(_TURNS - 1, random_state=0).as_matrix()
    for axes in (np.eye(3), *rotations):
        found, wanted = (np.quantile(side @ axes, _QUANTILES, axis=0).T for side in (colours, goal))
        turn = _Turn(axes, found, wanted)
        colours = _match(colours, turn)
        yield turn


def _match(colours: Colours, turn: _Turn) -> Colours:
    turned = (colours @ turn.axes).T
    matched = [np.interp(*channel) for channel in zip(turned, turn.found, turn.wanted, strict=True)]
    back: Colours = np.stack(matched, axis=1) @ turn.axes.T
    return back


def _sample(image: Colours) -> Colours:
    colours = np.reshape(image, (-1, 3))
    return colours[:: max(1, len(colours) // _MOST_COLOURS)]
