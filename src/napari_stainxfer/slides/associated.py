"""Label, macro and thumbnail images of a slide."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from napari_stainxfer.slides.source import RGB


class AssociatedImages(Mapping[str, RGB]):
    """Label, macro and thumbnail images by name; each is read when it is looked up."""

    def __init__(self, readers: Mapping[str, Callable[[], RGB]]) -> None:
        self._readers = readers

    def __getitem__(self, name: str) -> RGB:
        return self._readers[name]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._readers)

    def __len__(self) -> int:
        return len(self._readers)
