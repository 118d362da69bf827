"""A form made from a settings model: one widget for each field, with its bounds, choices and description."""

from __future__ import annotations

from typing import Any, Literal, Union, get_args, get_origin

from magicgui.widgets import ComboBox, create_widget
from pydantic.fields import FieldInfo
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFormLayout, QLabel, QWidget

from napari_stainxfer.training import TrainingSettings

_UNSET = -1
"""Shown as "automatic" in the field of a number that may be left out."""


class SettingsForm(QWidget):
    """Fields of `TrainingSettings`.

    Parameters
    ----------
    names
        Which fields, in which order.
    """

    changed = Signal()

    def __init__(self, names: list[str]) -> None:
        super().__init__()
        layout = QFormLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.fields: dict[str, Any] = {}
        for name in names:
            info = TrainingSettings.model_fields[name]
            field = _widget(info)
            field.native.setToolTip(info.description or "")
            field.changed.connect(lambda _: self.changed.emit())
            label = QLabel(name.replace("_", " "))
            label.setToolTip(info.description or "")
            label.setBuddy(field.native)
            layout.addRow(label, field.native)
            self.fields[name] = field

    def values(self) -> dict[str, Any]:
        """What the fields say, as keywords of `TrainingSettings`."""
        return {
            name: None if field.value == _UNSET and _is_optional(name) else field.value
            for name, field in self.fields.items()
        }

    def show_settings(self, settings: TrainingSettings) -> None:
        """Fill the fields."""
        for name, field in self.fields.items():
            value = getattr(settings, name)
            field.value = _UNSET if value is None else value


def _is_optional(name: str) -> bool:
    return type(None) in get_args(TrainingSettings.model_fields[name].annotation)


def _widget(info: FieldInfo) -> Any:
    kind: Any = info.annotation
    if get_origin(kind) in (Union, type(int | None)):
        kind = next(part for part in get_args(kind) if part is not type(None))
    if get_origin(kind) is Literal:
        return ComboBox(choices=list(get_args(kind)), value=info.default)
    if kind is bool:
        return create_widget(value=info.default, annotation=bool, options={"text": ""})
    optional = info.default is None
    bounds = {
        "min": _UNSET if optional else _bound(info, "ge", "gt", 0),
        "max": _bound(info, "le", "lt", 10**6),
    }
    if kind is float:
        bounds |= {"step": 0.0001 if info.default < 0.01 else 0.01}
    field = create_widget(value=_UNSET if optional else info.default, annotation=kind, options=bounds)
    if kind is float:
        field.native.setDecimals(6)  # learning rates; magicgui shows no more than the step has
    if optional:
        field.native.setSpecialValueText("automatic")
    return field


def _bound(info: FieldInfo, *names_and_default: Any) -> Any:
    *names, default = names_and_default
    for rule in info.metadata:
        for name in names:
            if getattr(rule, name, None) is not None:
                return getattr(rule, name)
    return default
