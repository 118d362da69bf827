"""One slide in the Slides dock: thumbnail, facts, role, um/px, warnings."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QDoubleValidator
from qtpy.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QWidget,
)

from napari_stainxfer.plugin.dock import Message
from napari_stainxfer.plugin.entries import Role, SlideEntry
from napari_stainxfer.plugin.examining import THUMBNAIL_PX, Examination
from napari_stainxfer.plugin.pictures import pixmap
from napari_stainxfer.slides.source import MPP_MAX, MPP_MIN

_ROLES: tuple[tuple[Role, str, str], ...] = (
    (
        "reference",
        "Reference",
        "The stain of its lab is wanted; click again to leave the slide out",
    ),
    ("source", "Source", "It gets the reference's stain; click again to leave the slide out"),
)
_SCANS = ((0.5, "20x"), (0.25, "40x"))


class SlideRow(QFrame):
    """Shows a slide and tells what the user wants of it; `update_from` brings it up to date.

    Signals
    -------
    role_asked
        With the role.
    mpp_asked
        With um/px.
    """

    role_asked = Signal(str)
    mpp_asked = Signal(float)

    def __init__(self, entry: SlideEntry) -> None:
        super().__init__()
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.thumbnail = QLabel()
        self.thumbnail.setFixedSize(THUMBNAIL_PX, THUMBNAIL_PX)
        self.thumbnail.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.title = QLabel()
        self.title.setTextFormat(Qt.TextFormat.PlainText)
        self.facts = QLabel()
        self.facts.setWordWrap(True)
        self.warning = Message()
        self.buttons = {role: self._role_button(*words) for role, *words in _ROLES}
        roles = QHBoxLayout()
        for role, button in self.buttons.items():
            button.clicked.connect(
                lambda checked, role=role: self.role_asked.emit(role if checked else "unused")
            )
            roles.addWidget(button)
        self.mpp_field, self.mpp_editor = QLineEdit(), QWidget()
        self._lay_out_editor()
        layout = QGridLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.setColumnStretch(1, 1)
        layout.addWidget(self.thumbnail, 0, 0, 4, 1)
        layout.addWidget(self.title, 0, 1)
        layout.addWidget(self.facts, 1, 1)
        layout.addLayout(roles, 2, 1)
        layout.addWidget(self.mpp_editor, 3, 1)
        layout.addWidget(self.warning, 4, 0, 1, 2)
        self.update_from(entry)

    def update_from(self, entry: SlideEntry) -> None:
        """Show the slide as it is now."""
        slide = entry.slide
        self._title = entry.name
        self._elide()
        self.setToolTip(str(slide.path or entry.name))
        known = "" if entry.mpp is None else f"{entry.mpp:.3g} µm/px"
        power = f"{slide.magnification:g}x" if slide.magnification else ""
        size = f"{slide.shape[1]} x {slide.shape[0]} px"
        self.facts.setText(" · ".join(word for word in (known, power, slide.vendor, size) if word))
        self.mpp_editor.setVisible(entry.mpp_in_file is None)
        if entry.mpp is not None and not self.mpp_field.hasFocus():
            self.mpp_field.setText(f"{entry.mpp:g}")
        for role, button in self.buttons.items():
            button.setChecked(role == entry.role)

    def show_examination(self, seen: Examination, more: str = "") -> None:
        """Show what a look at the slide gave, and one more warning."""
        self.thumbnail.setPixmap(pixmap(seen.thumbnail, THUMBNAIL_PX))
        self.warning.warn(" ".join((*seen.warnings, more)).strip())

    def resizeEvent(self, event: object) -> None:  # noqa: N802  # Qt's name
        """Fit the name into the width there is."""
        super().resizeEvent(event)
        self._elide()

    def _elide(self) -> None:
        room = max(self.width() - THUMBNAIL_PX - 24, 60)
        self.title.setText(
            self.title.fontMetrics().elidedText(self._title, Qt.TextElideMode.ElideMiddle, room)
        )

    @staticmethod
    def _role_button(text: str, tip: str) -> QPushButton:
        button = QPushButton()  # napari colours these, and no tool buttons, where they are checked
        button.setText(text)
        button.setToolTip(tip)
        button.setCheckable(True)
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        return button

    def _lay_out_editor(self) -> None:
        self.mpp_field.setPlaceholderText("µm/px")
        self.mpp_field.setMaximumWidth(70)
        self.mpp_field.setToolTip("Micrometres a pixel of the full resolution; the file does not say")
        self.mpp_field.setValidator(QDoubleValidator(MPP_MIN, MPP_MAX, 6))
        self.mpp_field.editingFinished.connect(self._ask_typed)
        row = QHBoxLayout(self.mpp_editor)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.mpp_field)
        for mpp, power in _SCANS:
            button = QPushButton()
            button.setText(f"{power} = {mpp:g}")
            button.setToolTip(f"Take {mpp:g} µm/px, usual for a {power} scan")
            button.clicked.connect(self._asker(mpp))
            row.addWidget(button)
        row.addStretch(1)

    def _asker(self, mpp: float) -> Callable[[], None]:
        def ask() -> None:
            self.mpp_field.setText(f"{mpp:g}")
            self.mpp_asked.emit(mpp)

        return ask

    def _ask_typed(self) -> None:
        # A decimal comma is what half of Europe types.
        text = self.mpp_field.text().replace(",", ".")
        try:
            mpp = float(text)
        except ValueError:
            return
        self.mpp_asked.emit(mpp)
