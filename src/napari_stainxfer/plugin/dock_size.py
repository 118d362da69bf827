"""How large a dock asks to be."""

from qtpy.QtCore import QSize

DOCK_SIZE = QSize(380, 520)
"""Beside it, a laptop's screen of 1366 px keeps room for layer list and canvas."""
