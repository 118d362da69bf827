"""Curves of the losses, drawn while they come."""

from __future__ import annotations

import math

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

# Okabe and Ito's colours, which colour-blind people tell apart; all read on dark and light grounds.
_COLOURS = ["#e69f00", "#56b4e9", "#009e73", "#cc79a7", "#0072b2", "#d55e00"]
_MARGIN = 6


class LossCurves(QWidget):
    """One curve a loss, each scaled to its own largest value, over the steps of a training."""

    def __init__(self) -> None:
        super().__init__()
        self.curves: dict[str, list[tuple[int, float]]] = {}
        self._total = 1
        self.setMinimumHeight(120)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip("Losses over the steps, each as a share of its largest value")

    def sizeHint(self) -> QSize:  # noqa: N802  # Qt's name
        """Wide and low."""
        return QSize(320, 130)

    def clear(self) -> None:
        """Begin anew."""
        self.curves = {}
        self.update()

    def add(self, step: int, total: int, losses: dict[str, float]) -> None:
        """Add a step's losses."""
        self._total = max(1, total)
        for name, value in losses.items():
            if math.isfinite(value):
                self.curves.setdefault(name, []).append((step, value))
        self.update()

    def paintEvent(self, event: object) -> None:  # noqa: ARG002, N802  # Qt's name
        """Draw the curves, no more points of each than there are pixels, and their names."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        text = self.palette().windowText().color()
        line = painter.fontMetrics().height()
        names_height = line * -(-len(self.curves) // 3)
        area = QRectF(
            _MARGIN, _MARGIN, self.width() - 2 * _MARGIN, self.height() - names_height - 2 * _MARGIN
        )
        painter.setPen(QPen(text, 0.5))
        painter.drawLine(area.bottomLeft(), area.bottomRight())
        for index, (name, points) in enumerate(self.curves.items()):
            colour = QColor(_COLOURS[index % len(_COLOURS)])
            painter.setPen(QPen(colour, 1.5))
            painter.drawPolyline(self._polygon(points, area))
            painter.setPen(text)
            row, column = divmod(index, 3)
            x = _MARGIN + column * area.width() / 3
            y = self.height() - names_height + row * line
            painter.fillRect(QRectF(x, y + line / 3, 10, 3), colour)
            painter.drawText(
                QRectF(x + 14, y, area.width() / 3 - 14, line),
                Qt.AlignmentFlag.AlignVCenter,
                f"{name} {points[-1][1]:.2g}",
            )
        painter.end()

    def _polygon(self, points: list[tuple[int, float]], area: QRectF) -> QPolygonF:
        top = max(abs(value) for _, value in points) or 1.0
        every = max(1, len(points) // max(1, int(area.width())))
        shown = points[::every] if points[-1] in points[::every] else [*points[::every], points[-1]]
        return QPolygonF(
            [
                QPointF(
                    area.left() + area.width() * step / self._total,
                    area.bottom() - area.height() * max(0.0, value) / top,
                )
                for step, value in shown
            ]
        )
