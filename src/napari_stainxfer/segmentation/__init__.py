"""A segmenter of glomeruli: what a stain transfer is for, and what it is judged by."""

from napari_stainxfer.segmentation.crops import Example
from napari_stainxfer.segmentation.events import SegmenterDone, SegmenterEvent, SegmenterStep
from napari_stainxfer.segmentation.segmenter import Segmenter, SegmenterCard, load_segmenter
from napari_stainxfer.segmentation.settings import SegmenterSettings
from napari_stainxfer.segmentation.training import train_segmenter, train_segmenter_stream

__all__ = [
    "Example",
    "Segmenter",
    "SegmenterCard",
    "SegmenterDone",
    "SegmenterEvent",
    "SegmenterSettings",
    "SegmenterStep",
    "load_segmenter",
    "train_segmenter",
    "train_segmenter_stream",
]
