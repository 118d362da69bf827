"""Choose source patches, and find each one's partner."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from scipy.cluster.vq import ClusterError, kmeans2
from scipy.optimize import linear_sum_assignment

from napari_stainxfer.features import make_extractor
from napari_stainxfer.pairing.aligning import SameTissue
from napari_stainxfer.pairing.descriptors import describe, standardise
from napari_stainxfer.pairing.pairs import Pair, PairedSlide, Pairs
from napari_stainxfer.patches import Patch, PatchSettings, plan_patches
from napari_stainxfer.slides.sides import SlidesLike, as_slides

FloatArray = NDArray[np.float32]

_TYPICAL = 0.5
"""Weight of being typical of a cluster beside being like the partner."""


class PairingSettings(BaseModel):
    """How many pairs, out of how many patches."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    count: int = Field(default=20, ge=1, description="Pairs to suggest.")
    candidates: int = Field(
        default=200, ge=1, description="Patches of each side that are looked at, spread over its slides."
    )


def suggest_pairs(
    references: SlidesLike,
    sources: SlidesLike,
    patches: PatchSettings | None = None,
    settings: PairingSettings | None = None,
    *,
    on_progress: Callable[[float], None] | None = None,
) -> Pairs:
    """Pair source patches with the reference patches that show the most alike tissue.

    The source patches are diverse, one of each of `settings.count` clusters, and assigned one to one;
    see `match_diverse`. Where the very same tissue lies in or beside a partner, as on two scans of one
    section, the partner is moved onto it; see `SameTissue`. The same slides give the same pairs.

    Parameters
    ----------
    references, sources
        One slide or several on each side, of known um/px: a ``Slide``, a path, or a list of these.
    patches
        Size and um/px of patches; see `plan_patches` for small slides.
    settings
        Numbers of pairs and of candidates.
    on_progress
        Called with the share that is done, 0 to 1.

    Returns
    -------
    Pairs
        Best first; fewer than asked for if a side has fewer patches.

    Raises
    ------
    SlideError
        If one is not a brightfield slide.
    MissingResolutionError
        If a slide has no um/px.
    NoTissueError
        If a side has no tissue for a patch.
    """
    references = as_slides(references, option="--reference-mpp")
    sources = as_slides(sources, option="--source-mpp")
    settings = settings or PairingSettings()
    plan = plan_patches(references, sources, patches)
    kept_references = _spread(plan.references, settings.candidates)
    kept_sources = _spread(plan.sources, settings.candidates)
    total = len(kept_references) + len(kept_sources)

    def report(begin: int, count: int) -> Callable[[float], None]:
        return lambda share: on_progress((begin + share * count) / total) if on_progress else None

    extractor = make_extractor()
    reference_like, source_like = standardise(
        describe(
            references, kept_references, extractor=extractor, on_progress=report(0, len(kept_references))
        ),
        describe(
            sources,
            kept_sources,
            extractor=extractor,
            on_progress=report(len(kept_references), len(kept_sources)),
        ),
    )
    similarity = source_like @ reference_like.T
    pairs, same_tissue = [], SameTissue(references, sources)
    for row, column in match_diverse(source_like, similarity, settings.count):
        source, near = kept_sources[row], kept_references[column]
        partner, score = same_tissue.find(source, near) or (near, float(similarity[row, column].clip(0, 1)))
        pairs.append(Pair(source, partner, score))
    pairs.sort(key=lambda pair: -pair.score)
    return Pairs(
        tuple(pairs),
        tuple(PairedSlide.of(slide) for slide in references),
        tuple(PairedSlide.of(slide) for slide in sources),
        plan.patch_px,
        plan.mpp,
        plan.notice,
    )


def nearest(source: FloatArray, references: FloatArray, k: int = 5) -> tuple[NDArray[np.intp], FloatArray]:
    """Find the reference patches most alike to one source patch.

    Parameters
    ----------
    source, references
        Standardised descriptors (D,) and (N, D).
    k
        How many.

    Returns
    -------
    tuple
        Their indices and their scores in [0, 1], best first.
    """
    similarity = references @ source
    order = np.argsort(-similarity, kind="stable")[:k]
    return order, similarity[order].clip(0, 1)


def match_diverse(sources: FloatArray, similarity: FloatArray, count: int) -> list[tuple[int, int]]:
    """Choose source patches that are unlike each other, and assign each a reference patch of its own.

    The sources are put into `count` clusters. Clusters and references are assigned one to one so that
    the total is largest, where a cluster is worth to a reference what the best of its members is: like
    the reference, and typical of its cluster.

    Parameters
    ----------
    sources
        Standardised descriptors (N, D).
    similarity
        Of sources and references, (N, M).
    count
        Pairs wanted.

    Returns
    -------
    list
        Of (source, reference) indices; fewer than `count` where N or M is smaller. Deterministic.
    """
    seeds = _farthest_points(sources, min(count, *similarity.shape))
    centres = sources[seeds]
    try:
        centres, labels = kmeans2(sources, centres, iter=20, minit="matrix", missing="raise")
    except ClusterError:
        # Patches so alike that a cluster lost its last member: they stay where they started.
        labels = np.argmax(sources @ centres.T, axis=1)
        labels[seeds] = np.arange(len(seeds))
    worth = similarity + _TYPICAL * np.einsum("nd,nd->n", sources, centres[labels])[:, None]
    members = [np.flatnonzero(labels == label) for label in range(len(centres))]
    best = np.stack([worth[cluster].max(axis=0) for cluster in members])
    rows, columns = linear_sum_assignment(best, maximize=True)
    return [
        (int(members[row][worth[members[row], column].argmax()]), int(column))
        for row, column in zip(rows, columns, strict=True)
    ]


def _farthest_points(descriptors: FloatArray, count: int) -> list[int]:
    """Start at the most typical one, then always take the one least like all taken so far."""
    taken = [int(np.argmax(descriptors @ descriptors.mean(axis=0)))]
    likeness = descriptors @ descriptors[taken[0]]
    while len(taken) < count:
        taken.append(int(np.argmin(likeness)))
        likeness = np.maximum(likeness, descriptors @ descriptors[taken[-1]])
        likeness[taken] = np.inf
    return taken


def _spread(patches: Sequence[Patch], most: int) -> list[Patch]:
    """Evenly spaced ones, where there are more than can be looked at."""
    if len(patches) <= most:
        return list(patches)
    return [patches[index] for index in np.linspace(0, len(patches) - 1, most).round().astype(int)]
