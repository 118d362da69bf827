"""Slides to try the plugin on."""

from __future__ import annotations

from napari_stainxfer.errors import SlideError
from napari_stainxfer.plugin.slide_layers import LayerData, layer_data

APERIO_URL = "https://openslide.cs.cmu.edu/download/openslide-testdata/Aperio/CMU-1-Small-Region.svs"
APERIO_SHA256 = "ed92d5a9f2e86df67640d6f92ce3e231419ce127131697fbbce42ad5e002c8a7"


def phantom_pair() -> list[LayerData]:
    """Two pieces of synthetic kidney, stained by two labs: the reference first, then the source."""
    from napari_stainxfer.phantom import phantom_slide

    return [layer_data(phantom_slide("lab1", seed=0)), layer_data(phantom_slide("lab2", seed=1))]


def phantom_labs() -> list[LayerData]:
    """The same piece of synthetic kidney in the stain of every lab."""
    from napari_stainxfer.phantom import LABS, phantom_slide

    return [layer_data(phantom_slide(lab)) for lab in LABS]


def aperio_small_region() -> list[LayerData]:
    """A region of an Aperio scan (OpenSlide's test data, CC0), downloaded once and checked.

    Raises
    ------
    SlideError
        If it cannot be downloaded or is not the file it should be.
    """
    import pooch

    from napari_stainxfer.slides import open_slide

    try:
        path = pooch.retrieve(
            APERIO_URL,
            known_hash=f"sha256:{APERIO_SHA256}",
            fname=APERIO_URL.rsplit("/", 1)[-1],
            path=pooch.os_cache("napari-stainxfer"),
        )
    except (OSError, ValueError) as error:
        raise SlideError(
            f"The sample slide could not be downloaded ({error}); check the connection to the internet."
        ) from error
    return [layer_data(open_slide(path))]
