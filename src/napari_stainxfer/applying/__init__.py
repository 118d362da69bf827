"""A fitted model over a whole slide."""

from napari_stainxfer.applying.export import ExportProgress, normalize_slide

__all__ = ["ExportProgress", "normalize_slide"]
