"""Buttons, and rows of widgets, as all docks make them."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QHBoxLayout, QPushButton


def make_button(text: str, tip: str, slot: Any = None) -> QPushButton:
    """A button with its tooltip, and what it does when it is clicked."""
    made = QPushButton(text)
    made.setToolTip(tip)
    if slot is not None:
        made.clicked.connect(slot)
    return made


def make_row(*widgets: Any) -> QHBoxLayout:
    """Widgets beside each other."""
    layout = QHBoxLayout()
    for widget in widgets:
        layout.addWidget(widget)
    return layout
