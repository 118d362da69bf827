"""What the docks of one viewer share: its slides and their roles, the pairs, the models, the running job."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, ClassVar

from psygnal import Signal

from napari_stainxfer.errors import MissingResolutionError, StainTransferError
from napari_stainxfer.pairing import Pairs
from napari_stainxfer.plugin.entries import Role, SlideEntry, slide_of
from napari_stainxfer.plugin.layout import lay_side_by_side
from napari_stainxfer.plugin.pairs_document import PairsDocument, rebased

if TYPE_CHECKING:
    from napari_stainxfer.methods import Model


class Session:
    """One for each viewer, made by `Session.of`; it knows no toolkit. Use it from the GUI thread only.

    Signals
    -------
    slides_changed
        A slide came or went, or changed its role, um/px, name or place on the canvas.
    pairs_changed
        `pairs` may be other ones.
    models_changed
        A model was added, or another one chosen.
    job_changed
        A job started or ended.
    layer_removed
        Any layer was taken out of the viewer; with the layer.
    closing
        The viewer is being closed: stop every thread and touch no widget any more. Sent once.

    Attributes
    ----------
    document
        The pairs with their history; change them through `set_pairs`, `undo` and `redo`.
    """

    slides_changed = Signal()
    pairs_changed = Signal()
    models_changed = Signal()
    job_changed = Signal()
    layer_removed = Signal(object)
    closing = Signal()

    _sessions: ClassVar[weakref.WeakKeyDictionary[Any, Session]] = weakref.WeakKeyDictionary()

    def __init__(self, viewer: Any) -> None:
        self._viewer = weakref.ref(viewer)
        self._entries: list[SlideEntry] = []
        self._models: dict[str, Model] = {}
        self._current_model: str | None = None
        self._job: str | None = None
        self._closed = False
        self.document = PairsDocument()
        for layer in viewer.layers:
            self._take(layer)
        viewer.layers.events.inserted.connect(self._on_inserted)
        viewer.layers.events.removed.connect(self._on_removed)
        lay_side_by_side(self._entries)

    @classmethod
    def of(cls, viewer: Any) -> Session:
        """The session of a viewer, made on the first call. It goes when the viewer goes."""
        viewer = getattr(viewer, "__wrapped__", viewer)  # napari hands docks a proxy that hides our names
        if viewer not in cls._sessions:
            cls._sessions[viewer] = cls(viewer)
        return cls._sessions[viewer]

    @property
    def viewer(self) -> Any:
        """The viewer itself, not napari's proxy of it.

        Raises
        ------
        StainTransferError
            If it is gone.
        """
        viewer = self._viewer()
        if viewer is None:
            raise StainTransferError("The window of this session is closed.")
        return viewer

    # Slides

    @property
    def slides(self) -> tuple[SlideEntry, ...]:
        """Every slide of the viewer, in the order in which they came."""
        return tuple(self._entries)

    @property
    def references(self) -> tuple[SlideEntry, ...]:
        """Slides of the lab whose stain is wanted."""
        return tuple(entry for entry in self._entries if entry.role == "reference")

    @property
    def sources(self) -> tuple[SlideEntry, ...]:
        """Slides that are to get it."""
        return tuple(entry for entry in self._entries if entry.role == "source")

    def entry_of(self, layer: Any) -> SlideEntry | None:
        """The slide that this layer shows, if it shows one."""
        return next((entry for entry in self._entries if entry.layer is layer), None)

    def set_role(self, entry: SlideEntry, role: Role) -> None:
        """Make a slide a reference, a source, or neither."""
        if entry.role != role:
            entry.role = role
            self._slides_are_new()

    def swap_roles(self) -> None:
        """Make every reference a source and the other way round."""
        other: dict[Role, Role] = {"reference": "source", "source": "reference", "unused": "unused"}
        for entry in self._entries:
            entry.role = other[entry.role]
        self._slides_are_new()

    def set_mpp(self, entry: SlideEntry, mpp: float) -> None:
        """Say how many micrometres a pixel is, for a slide whose file does not.

        Raises
        ------
        SlideError
            If the file says, or the number is not positive.
        """
        if entry.mpp != mpp:
            entry.set_mpp(mpp)
            lay_side_by_side(self._entries)
            self.viewer.reset_view()
            self._slides_are_new()

    def why_not_ready(self) -> str:
        """A sentence that says what is missing before pairs can be made, or an empty one."""
        if not self._entries:
            return "Drop a slide of your reference lab and a slide of another lab on the window."
        for role, entries in (("reference", self.references), ("source", self.sources)):
            if not entries:
                return f"No slide is the {role}: drop one on the window, or give one this role in Slides."
        for entry in (*self.references, *self.sources):
            if entry.mpp is None:
                return f"Type the um/px of {entry.name} in Slides: its file does not say."
        return ""

    # Pairs

    @property
    def pairs(self) -> Pairs | None:
        """The pairs on the slides as they are now, or None where there is none.

        `Patch.slide` counts `references` and `sources` as they stand.
        """
        if self.document.current is None:
            return None
        try:
            return rebased(
                self.document.current,
                [entry.slide for entry in self.references],
                [entry.slide for entry in self.sources],
            )
        except MissingResolutionError:
            return None

    def set_pairs(self, pairs: Pairs | None) -> None:
        """Put other pairs in place, as one step that can be undone."""
        self.document.change(pairs)
        self.pairs_changed.emit()

    def amend_pairs(self, pairs: Pairs) -> None:
        """Put other pairs in place as a part of the last step."""
        self.document.current = pairs
        self.pairs_changed.emit()

    def undo(self) -> None:
        """Take back the last change of the pairs."""
        self.document.undo()
        self.pairs_changed.emit()

    def redo(self) -> None:
        """Make the change again that was taken back last."""
        self.document.redo()
        self.pairs_changed.emit()

    # Models

    @property
    def models(self) -> dict[str, Model]:
        """Fitted models by name; a copy."""
        return dict(self._models)

    @property
    def current_model(self) -> Model | None:
        """The chosen model."""
        return None if self._current_model is None else self._models[self._current_model]

    @property
    def current_model_name(self) -> str | None:
        """Name of the chosen model."""
        return self._current_model

    def add_model(self, name: str, model: Model) -> str:
        """Add a model and choose it.

        Returns
        -------
        The name it got: with a number where the name was taken by another model.
        """
        free, number = name, 2
        while free in self._models and self._models[free] is not model:
            free, number = f"{name} ({number})", number + 1
        self._models[free] = model
        self._current_model = free
        self.models_changed.emit()
        return free

    def choose_model(self, name: str) -> None:
        """Choose one of the models."""
        if name not in self._models:
            raise StainTransferError(f"There is no model {name}; load it or train one.")
        if name != self._current_model:
            self._current_model = name
            self.models_changed.emit()

    # The one long job

    @property
    def job(self) -> str | None:
        """What runs, in a word that fits "... is running" ("Training"), or None."""
        return self._job

    def start_job(self, name: str) -> None:
        """Note that a long job runs.

        Raises
        ------
        StainTransferError
            If one does already.
        """
        if self._job is not None:
            raise StainTransferError(f"{self._job} is running; stop it or wait until it is done.")
        self._job = name
        self.job_changed.emit()

    def end_job(self) -> None:
        """Note that it is over, however it ended."""
        self._job = None
        self.job_changed.emit()

    # The viewer

    @property
    def closed(self) -> bool:
        """Whether the viewer was closed."""
        return self._closed

    def close(self) -> None:
        """Tell everybody that the viewer is being closed."""
        if not self._closed:
            self._closed = True
            self.closing.emit()

    def _on_inserted(self, event: Any) -> None:
        if self._take(event.value):
            lay_side_by_side(self._entries)
            if len(self._entries) > 1:
                self.viewer.reset_view()
            self._slides_are_new()

    def _on_removed(self, event: Any) -> None:
        entry = self.entry_of(event.value)
        if entry is not None:
            self._entries.remove(entry)
            event.value.events.name.disconnect(self._on_renamed)
            self._slides_are_new()
        self.layer_removed.emit(event.value)

    def _on_renamed(self) -> None:
        self.slides_changed.emit()

    def _take(self, layer: Any) -> bool:
        slide = slide_of(layer)
        if slide is None:
            return False
        # The first slide is the reference, and what comes after it gets its stain; an export has it already.
        role: Role = (
            "unused" if "model_sha256" in slide.provenance else "source" if self.references else "reference"
        )
        self._entries.append(SlideEntry(layer, slide, role))
        layer.events.name.connect(self._on_renamed)
        return True

    def _slides_are_new(self) -> None:
        self.slides_changed.emit()
        if self.document.current is not None:
            self.pairs_changed.emit()
