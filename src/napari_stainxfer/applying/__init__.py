"""A fitted model over a whole slide."""

from napari_stainxfer.applying.export import ExportProgress, normalize_slide
from napari_stainxfer.applying.preview import Preview
from napari_stainxfer.applying.tile_cache import TileCache

__all__ = ["ExportProgress", "Preview", "TileCache", "normalize_slide"]
