"""RGB arrays as Qt pictures."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QImage, QPainter, QPixmap

from napari_stainxfer.slides import RGB


def pixmap(rgb: RGB, side: int | None = None) -> QPixmap:
    """A picture of an array uint8 (H, W, 3), scaled into a square of this side in px if one is given."""
    height, width = rgb.shape[:2]
    # QImage does not copy; the pixmap made of it does.
    image = QImage(rgb.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
    picture = QPixmap.fromImage(image)
    if side is None:
        return picture
    return picture.scaled(
        side, side, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
    )


def swatch(colour: str, side: int = 12) -> QPixmap:
    """A square of one colour."""
    picture = QPixmap(side, side)
    painter = QPainter(picture)
    painter.fillRect(picture.rect(), QColor(colour))
    painter.end()
    return picture
