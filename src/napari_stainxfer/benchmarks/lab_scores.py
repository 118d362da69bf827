"""From single scores to the numbers of the second table."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from pydantic import BaseModel, ConfigDict

RAW = "raw"
MEAN, WORST, FIT_SECONDS, SIZE_MB = "mean", "worst lab", "fit", "size"


class Score(BaseModel):
    """How well one lab was segmented through one method.

    Attributes
    ----------
    dice
        Over the pixels of all judged images of the lab together.
    fit_seconds, model_bytes
        Of the stain transfer, on pairs that were there; 0 for raw.
    seconds
        Of reading, transferring and segmenting the judged images.
    threads, device, processor
        That it was computed with.
    code, date
        Version of this package, with its commit in a checkout, and the day; empty in scores of versions that
        did not note it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    lab: str
    method: str
    seed: int
    dice: float
    fit_seconds: float = 0.0
    seconds: float
    model_bytes: int = 0
    threads: int
    device: str
    processor: str
    code: str = ""
    date: str = ""


class Failure(BaseModel):
    """Why a method could not be fitted to one lab."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lab: str
    method: str
    seed: int
    why: str


def summarise(scores: Sequence[Score]) -> dict[str, dict[str, list[float]]]:
    """By method and column, a value for every seed.

    The columns are the labs in the order they come, mean and worst of all but the first lab, and, averaged
    over the labs, the seconds of the fit and the size of the model in MB. The first lab has raw only. A
    method that has no value for some lab has none of these, so that no two means are over different labs.
    """
    home = scores[0].lab
    all_away = {(score.lab, score.seed) for score in scores if score.method == RAW and score.lab != home}
    table: dict[str, dict[str, list[float]]] = {}
    for method in dict.fromkeys(score.method for score in scores):
        row: dict[str, list[float]] = {}
        of_method = [score for score in scores if score.method == method]
        for score in of_method:
            row.setdefault(score.lab, []).append(score.dice)
        table[method] = row
        away = [score for score in of_method if score.lab != home]
        if {(score.lab, score.seed) for score in away} != all_away:
            continue
        for seed in dict.fromkeys(score.seed for score in away):
            values = [score.dice for score in away if score.seed == seed]
            row.setdefault(MEAN, []).append(fmean(values))
            row.setdefault(WORST, []).append(min(values))
        if method != RAW and away:
            row[FIT_SECONDS] = [fmean(score.fit_seconds for score in away)]
            row[SIZE_MB] = [fmean(score.model_bytes for score in away) / 1e6]
    return table


def distance_left(table: dict[str, dict[str, list[float]]], home: str, method: str) -> float | None:
    """How much of raw's mean distance to the first lab's own Dice is left: 0.5 is halved, 0 is closed.

    None where raw is as good as the first lab's own Dice or better: there is nothing to close.
    """
    own = fmean(table[RAW][home])
    before = own - fmean(table[RAW][MEAN])
    return (own - fmean(table[method][MEAN])) / before if before > 0 else None
