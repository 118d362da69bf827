"""Um/px, magnification, ICC profile and provenance, as each vendor writes them into a TIFF file."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from xml.etree import ElementTree

import tifffile

from napari_stainxfer.slides.ome import read_ome
from napari_stainxfer.slides.source import TAG_MPP_MAX, Facts

PROVENANCE_KEY = "napari-stainxfer"

_UM_PER_UNIT = {tifffile.RESUNIT.INCH: 25400.0, tifffile.RESUNIT.CENTIMETER: 10000.0}


def tiff_facts(tiff: tifffile.TiffFile, series: tifffile.TiffPageSeries, page: tifffile.TiffPage) -> Facts:
    """Collect what the file says about its main image.

    Um/px comes from the vendor's own metadata, or else from the resolution tags unless they hold a
    print or screen default.
    """
    icc = page.iccprofile
    kind = series.kind
    vendor, read = _VENDORS.get(kind, ("tiff", _plain))
    try:
        known = read(tiff, series, page)
    except (ElementTree.ParseError, ValueError, KeyError, IndexError, TypeError):
        known = {}  # Metadata that cannot be parsed is missing metadata: the caller can still give um/px.
    mpp = _plausible(known.get("mpp")) or _tag_mpp(page)
    return Facts(
        vendor=str(known.get("vendor", vendor)),
        mpp=mpp,
        magnification=_plausible(known.get("magnification")),
        icc_profile=bytes(icc) if icc else None,
        fluorescence=str(known.get("fluorescence", "")),
        provenance=known.get("provenance", {}),  # type: ignore[arg-type]
    )


def _plausible(value: object) -> float | None:
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if 0 < number < 10000 else None


def _tag_mpp(page: tifffile.TiffPage) -> float | None:
    """Um/px from XResolution, a fraction of pixels per unit."""
    tag = page.tags.get("XResolution")
    unit = page.tags.get("ResolutionUnit")
    um = _UM_PER_UNIT.get(unit.value if unit else tifffile.RESUNIT.INCH)
    if tag is None or um is None or not tag.value[0]:
        return None
    mpp = float(um * tag.value[1] / tag.value[0])
    return mpp if 0 < mpp <= TAG_MPP_MAX else None


_Known = dict[str, object]
_Reader = Callable[[tifffile.TiffFile, tifffile.TiffPageSeries, tifffile.TiffPage], _Known]


def _aperio(_tiff: tifffile.TiffFile, _series: tifffile.TiffPageSeries, page: tifffile.TiffPage) -> _Known:
    fields: dict[str, str] = {}
    for item in page.description.split("|"):
        key, _, value = item.partition("=")
        fields[key.strip()] = value.strip()
    return {"mpp": fields.get("MPP"), "magnification": fields.get("AppMag")}


def _hamamatsu(_tiff: tifffile.TiffFile, _series: tifffile.TiffPageSeries, page: tifffile.TiffPage) -> _Known:
    tags = page.ndpi_tags or {}
    channel = str(tags.get("Fluorescence") or "").strip()
    wavelength = tags.get("Wavelength")
    reason = f"its file names the channel {channel}" if channel else ""
    if not reason and isinstance(wavelength, float) and wavelength > 0:
        reason = f"its file names an emission wavelength of {wavelength:g} nm"
    return {"magnification": tags.get("Magnification"), "fluorescence": reason}


def _philips(tiff: tifffile.TiffFile, _series: tifffile.TiffPageSeries, _page: tifffile.TiffPage) -> _Known:
    root = ElementTree.fromstring(tiff.philips_metadata)
    spacing = root.find(".//Attribute[@Name='DICOM_PIXEL_SPACING']")
    text = (spacing.text or "") if spacing is not None else ""
    return {"mpp": float(text.replace('"', " ").split()[-1]) * 1000 if text.strip() else None}


def _leica(tiff: tifffile.TiffFile, _series: tifffile.TiffPageSeries, page: tifffile.TiffPage) -> _Known:
    root = ElementTree.fromstring(tiff.scn_metadata)
    for image in root.iterfind(".//{*}image"):
        pixels, view = image.find("{*}pixels"), image.find("{*}view")
        if pixels is None or view is None or int(pixels.attrib["sizeX"]) != page.imagewidth:
            continue
        objective = image.find(".//{*}objective")
        source = image.find(".//{*}illuminationSource")
        light = (source.text or "") if source is not None else ""
        return {
            "mpp": float(view.attrib["sizeX"]) / 1000 / page.imagewidth,
            "magnification": objective.text if objective is not None else None,
            "fluorescence": "its file names fluorescence light" if "fluor" in light.lower() else "",
        }
    return {}


def _ventana(tiff: tifffile.TiffFile, _series: tifffile.TiffPageSeries, _page: tifffile.TiffPage) -> _Known:
    for page in tiff.pages:
        tag = page.tags.get("XMP")
        if tag is None:
            continue
        xml = tag.value.decode() if isinstance(tag.value, bytes) else str(tag.value)
        found = {key: re.search(rf'\b{key}\s*=\s*"([0-9.]+)"', xml) for key in ("ScanRes", "Magnification")}
        if found["ScanRes"]:
            magnification = found["Magnification"]
            return {
                "mpp": found["ScanRes"].group(1),
                "magnification": magnification.group(1) if magnification else None,
            }
    return {}


def _akoya(_tiff: tifffile.TiffFile, _series: tifffile.TiffPageSeries, page: tifffile.TiffPage) -> _Known:
    root = ElementTree.fromstring(page.description)
    objective = root.find(".//Objective")
    digits = re.search(r"[0-9.]+", objective.text or "") if objective is not None else None
    return {"magnification": digits.group(0) if digits else None}


def _ome(tiff: tifffile.TiffFile, series: tifffile.TiffPageSeries, _page: tifffile.TiffPage) -> _Known:
    number = next(n for n, other in enumerate(tiff.series) if other is series)
    return read_ome(tiff.ome_metadata or "", number)


def _plain(tiff: tifffile.TiffFile, _series: tifffile.TiffPageSeries, page: tifffile.TiffPage) -> _Known:
    if tiff.is_imagej:
        unit = str((tiff.imagej_metadata or {}).get("unit", "")).lower()
        tag = page.tags.get("XResolution")
        if unit in {"micron", "um", "µm", "\\u00b5m"} and tag is not None and tag.value[0]:
            return {"mpp": tag.value[1] / tag.value[0], "vendor": "imagej"}
        return {"vendor": "imagej"}
    if not page.description.startswith("{"):
        return {}
    try:
        ours = json.loads(page.description).get(PROVENANCE_KEY)
    except json.JSONDecodeError:
        return {}
    if not isinstance(ours, dict):
        return {}
    return {
        "vendor": PROVENANCE_KEY,
        "mpp": ours.get("mpp"),
        "magnification": ours.get("magnification"),
        "provenance": ours.get("provenance", {}),
    }


_VENDORS: dict[str, tuple[str, _Reader]] = {
    "svs": ("aperio", _aperio),
    "ndpi": ("hamamatsu", _hamamatsu),
    "philips": ("philips", _philips),
    "scn": ("leica", _leica),
    "bif": ("ventana", _ventana),
    "qpi": ("akoya", _akoya),
    "ome": ("ome", _ome),
}
