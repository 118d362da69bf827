"""The second table as files: Markdown, JSON and a picture panel."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

from napari_stainxfer.benchmarks.circumstances import command, surroundings
from napari_stainxfer.benchmarks.kept import noted
from napari_stainxfer.benchmarks.lab_pictures import draw_panel
from napari_stainxfer.benchmarks.lab_scores import (
    FIT_SECONDS,
    MEAN,
    RAW,
    SIZE_MB,
    WORST,
    Failure,
    Score,
    distance_left,
    summarise,
)
from napari_stainxfer.benchmarks.lab_settings import Table2Run
from napari_stainxfer.benchmarks.markdown import as_markdown
from napari_stainxfer.files import replacing

_NAME = "table2"
_HEADS = {FIT_SECONDS: "fit, s", SIZE_MB: "model, MB"}


def write_table2(
    folder: Path, scores: Sequence[Score], run: Table2Run, failed: Sequence[Failure] = ()
) -> dict[str, Any]:
    """Write ``table2.md``, ``table2.json`` and ``table2.png``.

    Returns
    -------
    dict
        The paths, and by method the mean Dice, the worst lab's, and the share of the distance to the first
        lab's own Dice that is left, where there are such.
    """
    table, home = summarise(scores), scores[0].lab
    for failure in failed:
        table.setdefault(failure.method, {})  # one that failed everywhere is a row all the same
    paths = {ending: folder / f"{_NAME}.{ending}" for ending in ("md", "json", "png")}
    facts = _facts(scores, run, [name for name in table if name != RAW])
    whole = [name for name, row in table.items() if name != RAW and MEAN in row]
    left = {name: distance_left(table, home, name) for name in whole}
    content = {
        "facts": facts,
        "dice": table,
        "distance_left": left,
        "scores": [s.model_dump() for s in scores],
        "failed": [failure.model_dump() for failure in failed],
    }
    with replacing(paths["json"]) as temporary:
        temporary.write_text(json.dumps(content, indent=1, allow_nan=False), encoding="utf-8")
    with replacing(paths["md"]) as temporary:
        temporary.write_text(_markdown(table, facts, failed), encoding="utf-8")
    _panel(paths["png"], folder, scores)
    return {
        **{ending: str(path) for ending, path in paths.items()},
        f"{home}, {RAW}": round(fmean(table[RAW][home]), 3),
        **{
            f"{name}, {column}": round(fmean(row[column]), 3)
            for name, row in table.items()
            for column in (MEAN, WORST)
            if column in row
        },
        **{f"{name}, distance left": round(value, 3) for name, value in left.items() if value is not None},
    }


def _facts(scores: Sequence[Score], run: Table2Run, methods: Sequence[str]) -> dict[str, Any]:
    seeds = sorted({score.seed for score in scores})
    around = surroundings()
    if codes := noted(score.code for score in scores):  # those of the scores, which may be older than today
        around["versions"] |= {"napari-stainxfer": codes}
    if dates := noted(score.date for score in scores):
        around["date"] = dates
    options = {
        "mpp": run.mpp,
        "preset": run.preset,
        "epochs": run.epochs,
        "segmenter": run.given,
        "weights": None if run.given or run.weights == "random" else run.weights,
        "steps": None if run.given else run.segmenter.steps,
    }
    return {
        "command": command("table2", run.data, methods, seeds, options),
        "data": Path(run.data).name,
        "segmenter": run.given or f"{run.segmenter.steps} steps from {run.weights} weights",
        "segmenter um/px": run.segmenter.mpp,
        "preset": run.preset if run.epochs is None else f"{run.preset}, {run.epochs} epochs",
        "seeds": seeds,
        **{
            name: sorted({getattr(score, name) for score in scores})
            for name in ("threads", "device", "processor")
        },
        **around,
    }


def _markdown(
    table: dict[str, dict[str, list[float]]], facts: dict[str, Any], failed: Sequence[Failure]
) -> str:
    columns = list(dict.fromkeys(column for row in table.values() for column in row))
    rows = {
        name: [_cell(row.get(column, []), digits=1 if column in _HEADS else 3) for column in columns]
        for name, row in table.items()
    }
    heads = [_HEADS.get(name, name) for name in columns]
    sentences = [f"{one.lab}, {one.method}, seed {one.seed}: {one.why}" for one in failed]
    return as_markdown("Dice, higher is better", heads, rows, facts, not_possible=sentences)


def _cell(values: Sequence[float], digits: int) -> str:
    """Mean, and the standard deviation over the seeds where there are several."""
    if not values:
        return "–"
    mean = f"{fmean(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ± {pstdev(values):.{digits}f}"


def _panel(path: Path, folder: Path, scores: Sequence[Score]) -> None:
    """Draw what the first seed gave."""
    rows: dict[str, dict[str, Path]] = {}
    titles = {}
    for score in scores:
        if score.seed == scores[0].seed:
            picture = folder / f"seed{score.seed}" / f"{score.lab}-{score.method}.png"
            rows.setdefault(score.lab, {})[score.method] = picture
            titles[score.lab, score.method] = f"{score.lab} {score.method}: {score.dice:.2f}"
    draw_panel(path, rows, titles)
