"""What decides the outcome of the second table, kept beside its results."""

from __future__ import annotations

from napari_stainxfer.benchmarks.kept import KeptRun
from napari_stainxfer.segmentation import SegmenterSettings


class Table2Run(KeptRun):
    """One run: which labs, which segmenter, how methods are fitted.

    Attributes
    ----------
    data
        Folder of labs, or ``phantom`` with its size.
    mpp
        um/px of the labs' images, where it was given.
    preset, epochs
        Of the methods that are trained on pairs.
    weights
        What the segmenter's backbone starts from, or ``random``.
    given
        A finished segmenter for every seed, in place of training one; its file's name.
    images, given_hash
        Hashes of what stands in the folder of labs and in the segmenter's file, which both can be replaced
        under the same name; empty for the phantom, which is made from code, and where nothing is given.
    """

    data: str
    mpp: float | None = None
    preset: str = "quick"
    epochs: int | None = None
    segmenter: SegmenterSettings
    weights: str = "random"
    given: str | None = None
    images: str = ""
    given_hash: str = ""
