"""What decides the outcome of the second table, kept beside its results."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from napari_stainxfer.errors import StainTransferError
from napari_stainxfer.files import replacing
from napari_stainxfer.segmentation import SegmenterSettings

_NAME = "run.json"


class Table2Run(BaseModel):
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
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: str
    mpp: float | None = None
    preset: str = "quick"
    epochs: int | None = None
    segmenter: SegmenterSettings
    weights: str = "random"
    given: str | None = None

    def keep(self, folder: Path) -> None:
        """Write it into the folder of the results, or check that what stands there is the same.

        Raises
        ------
        StainTransferError
            When the folder holds the results of another run.
        """
        path = folder / _NAME
        if path.exists():
            if path.read_text(encoding="utf-8") != self.model_dump_json(indent=1):
                raise StainTransferError(
                    f"{folder} holds the results of a run with other data or settings; give another folder, "
                    "or delete it to start anew."
                )
            return
        with replacing(path) as temporary:
            temporary.write_text(self.model_dump_json(indent=1), encoding="utf-8")
