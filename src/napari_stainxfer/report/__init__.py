"""Pictures and the page that show what a transfer did."""

from napari_stainxfer.report.difference import draw_difference
from napari_stainxfer.report.page import write_report
from napari_stainxfer.report.pictures import loss_curve, side_by_side

__all__ = ["draw_difference", "loss_curve", "side_by_side", "write_report"]
