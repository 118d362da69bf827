"""The reference patches offered for a box on the source: pictures to click."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QIcon
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QToolButton, QVBoxLayout, QWidget

from napari_stainxfer.plugin.pair_work import PARTNERS, THUMBNAIL_PX, Offer
from napari_stainxfer.plugin.pictures import pixmap

_CHOOSE = "Click the best partner, or the reference slide itself:"
_HARDLY_ALIKE = 0.1


class PartnerRow(QWidget):
    """Shows an offer.

    Signals
    -------
    accepted
        Place of the chosen one in the offer.
    dropped
        The user wants none of it.
    """

    accepted = Signal(int)
    dropped = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.cancel_button = QPushButton("Discard")
        self.cancel_button.setToolTip("Take the box on the source away again")
        self.cancel_button.clicked.connect(self.dropped)
        self.buttons = [self._button(place) for place in range(PARTNERS)]
        pictures = QHBoxLayout()
        pictures.setSpacing(2)
        for button in self.buttons:
            pictures.addWidget(button)
        pictures.addStretch(1)
        words = QHBoxLayout()
        words.addWidget(self.text, stretch=1)
        words.addWidget(self.cancel_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(words)
        layout.addLayout(pictures)
        self.show_offer(None)

    def show_offer(self, offer: Offer | None) -> None:
        """Show its partners, or nothing."""
        self.setVisible(offer is not None)
        partners = offer.partners if offer else ()
        alike = bool(partners) and partners[0].score >= _HARDLY_ALIKE
        self.text.setText(_CHOOSE if alike else f"Nothing on the reference is much like it. {_CHOOSE}")
        for place, button in enumerate(self.buttons):
            button.setVisible(place < len(partners))
            if place < len(partners):
                button.setIcon(QIcon(pixmap(partners[place].thumbnail)))
                button.setText(f"{partners[place].score:.2f}")

    def _button(self, place: int) -> QToolButton:
        button = QToolButton()
        button.setIconSize(QSize(THUMBNAIL_PX, THUMBNAIL_PX))
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        button.setToolTip("Pair the box with this patch of the reference")
        button.clicked.connect(self._accepter(place))
        return button

    def _accepter(self, place: int) -> Callable[[], None]:
        return lambda: self.accepted.emit(place)
