"""Choose source patches, and find each one's partner."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from scipy.cluster.vq import kmeans2
from scipy.optimize import linear_sum_assignment

from napari_stainxfer.features import make_extractor
from napari_stainxfer.pairing.descriptors import describe, standardise
from napari_stainxfer.pairing.pairs import Pair, PairedSlide, Pairs
from napari_stainxfer.patches import Patch, PatchSettings, plan_patches
from napari_stainxfer.slides import Slide

FloatArray = NDArray[np.float32]


class PairingSettings(BaseModel):
    """How many pairs, out of how many patches."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    count: int = Field(default=20, ge=1, description="Pairs to suggest.")
    candidates: int = Field(
        default=200, ge=1, description="Patches of each side that are looked at, spread over its slides."
    )


def suggest_pairs(
    references: Slide | Sequence[Slide],
    sources: Slide | Sequence[Slide],
    patches: PatchSettings | None = None,
    settings: PairingSettings | None = None,
    *,
    on_progress: Callable[[float], None] | None = None,
) -> Pairs:
    """Pair source patches with the reference patches that show the most alike tissue.

    The source patches are diverse: one of each of `settings.count` clusters of descriptors, the one
    that is both typical of its cluster and has a good partner. The partners are the one-to-one
    assignment of the largest total similarity. The same slides give the same pairs.

    Parameters
    ----------
    references, sources
        One slide or several on each side, of known um/px.
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
    MissingResolutionError
        If a slide has no um/px.
    NoTissueError
        If a side has no tissue for a patch.
    """
    references = [references] if isinstance(references, Slide) else list(references)
    sources = [sources] if isinstance(sources, Slide) else list(sources)
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
    count = min(settings.count, len(kept_sources), len(kept_references))
    chosen = choose_diverse(source_like, count, fitness=similarity.max(axis=1))
    rows, columns = linear_sum_assignment(similarity[chosen], maximize=True)
    pairs = [
        Pair(
            kept_sources[chosen[row]],
            kept_references[column],
            float(similarity[chosen[row], column].clip(0, 1)),
        )
        for row, column in zip(rows, columns, strict=True)
    ]
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


def choose_diverse(descriptors: FloatArray, count: int, *, fitness: FloatArray) -> list[int]:
    """Choose patches that are unlike each other and each typical of many.

    Parameters
    ----------
    descriptors
        Standardised, (N, D).
    count
        At most N.
    fitness
        (N,), from 0 to 1; of a cluster's members the typical and fit one is chosen.

    Returns
    -------
    list of int
        In increasing order. Deterministic.
    """
    centres = descriptors[_farthest_points(descriptors, count)]
    centres, labels = kmeans2(descriptors, centres, iter=20, minit="matrix", missing="warn")
    typical = np.einsum("nd,nd->n", descriptors, centres[labels])
    value = typical / max(float(np.abs(typical).max()), 1e-6) + fitness
    chosen = {int(members[np.argmax(value[members])]) for members in _clusters(labels)}
    while len(chosen) < count:
        # A cluster lost all its members on the way: take what is least like what there is.
        likeness = (descriptors @ descriptors[sorted(chosen)].T).max(axis=1)
        likeness[sorted(chosen)] = np.inf
        chosen.add(int(np.argmin(likeness)))
    return sorted(chosen)


def _clusters(labels: NDArray[np.integer]) -> list[NDArray[np.intp]]:
    return [np.flatnonzero(labels == label) for label in np.unique(labels)]


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
