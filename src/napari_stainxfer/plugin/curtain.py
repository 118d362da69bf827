"""A curtain: before on the left of a line, after on the right, and the line can be dragged.

napari has no public way to clip a layer in two dimensions. This clips the layer's vispy node, which is
reached through names that napari does not promise: where they are gone, `Curtain.open` says so and the
before/after toggle remains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

_GRAB_PX = 8
_MARGIN = 0.01
"""Share of the view that the line keeps from its edges, so that it can always be grabbed."""


class Curtain:
    """For one layer of a viewer at a time.

    Parameters
    ----------
    viewer
        The viewer.
    on_moved
        Called with the line's place, as a share of the view from the left, whenever it moves.
    """

    def __init__(self, viewer: Any, on_moved: Callable[[float], None]) -> None:
        self._viewer = viewer
        self._on_moved = on_moved
        self._layer: Any = None
        self._node: Any = None
        self._clipper: Any = None
        self._line: Any = None
        self.x = 0.0

    @property
    def is_open(self) -> bool:
        """Whether a layer is clipped now."""
        return self._layer is not None

    def open(self, layer: Any) -> bool:
        """Clip this layer at the middle of the view.

        Returns
        -------
        Whether this napari can do it.
        """
        self.close()
        node = _node_of(self._viewer, layer)
        if node is None or not hasattr(node, "attach"):
            return False
        from vispy.scene.visuals import Line
        from vispy.visuals.filters.clipping_planes import PlanesClipper

        self._clipper = PlanesClipper(coord_system="scene")
        node.attach(self._clipper)
        self._layer, self._node = layer, node
        self._line = Line(color="white", width=2, method="gl", parent=node.parent)
        self._line.order = 1000
        self._viewer.mouse_drag_callbacks.append(self._on_drag)
        layer.events.set_data.connect(self._keep_in_view)
        self.move_to(0.5)
        return True

    def close(self) -> None:
        """Show the whole layer again."""
        if self._layer is None:
            return
        self._layer.events.set_data.disconnect(self._keep_in_view)
        self._viewer.mouse_drag_callbacks.remove(self._on_drag)
        self._node.detach(self._clipper)
        self._node.update()
        self._line.parent = None
        self._layer = self._node = self._clipper = self._line = None

    def move_to(self, share: float) -> None:
        """Put the line at a share of the view, 0 left to 1 right."""
        left, right = self._view()
        self._place(left + share * (right - left))

    def _place(self, x: float) -> None:
        left, right = self._view()
        margin = _MARGIN * (right - left)
        self.x = min(max(x, left + margin), right - margin)
        self._clipper.clipping_planes = np.array([[[self.x, 0, 0], [1, 0, 0]]], float)
        top, bottom = (float(corner[-2]) for corner in self._layer.extent.world)
        self._line.set_data(pos=np.array([[self.x, top], [self.x, bottom]], np.float32))
        self._node.update()
        self._on_moved((self.x - left) / (right - left))

    def _keep_in_view(self) -> None:
        self._place(self.x)

    def _view(self) -> tuple[float, float]:
        """What is in view of the layer, left and right, in world coordinates."""
        layer = self._layer
        factor = layer.downsample_factors[layer.data_level][-1] if layer.multiscale else 1
        left, right = (
            float(column) * factor * layer.scale[-1] + layer.translate[-1]
            for column in layer.corner_pixels[:, -1]
        )
        return (left, right) if right > left else (left, left + 1.0)

    def _on_drag(self, viewer: Any, event: Any) -> Iterator[None]:
        camera = _camera(viewer)
        if event.button != 1 or abs(event.position[-1] - self.x) > _GRAB_PX / camera.zoom:
            return
        panned, camera.mouse_pan = camera.mouse_pan, False
        try:
            yield
            while event.type == "mouse_move" and self.is_open:
                self._place(float(event.position[-1]))
                yield
        finally:
            camera.mouse_pan = panned


def _camera(viewer: Any) -> Any:
    """The camera, where this version of napari has it."""
    scene = getattr(viewer, "scene", None)
    return viewer.camera if scene is None else scene.camera


def _node_of(viewer: Any, layer: Any) -> Any:
    """What draws a layer, or None where this version of napari keeps it elsewhere."""
    try:
        return viewer.window._qt_viewer.canvas.layer_to_visual[layer].node
    except (AttributeError, KeyError):
        return None
