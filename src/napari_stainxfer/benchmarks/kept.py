"""What a table's folder keeps from one run to the next: what decides the outcome, and single results."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict

from napari_stainxfer.errors import StainTransferError
from napari_stainxfer.files import replacing

Kept = TypeVar("Kept", bound=BaseModel)

_NAME = "run.json"


class KeptRun(BaseModel):
    """What decides the outcome of a table, written beside its results."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def keep(self, folder: Path) -> None:
        """Write it into the folder of the results, or check that what stands there is the same.

        What stands in a folder without results is that of a run that failed at once, and is replaced.

        Raises
        ------
        StainTransferError
            When the folder holds the results of another run.
        """
        path = folder / _NAME
        if path.exists() and _holds_results(folder):
            if self._read(path) != self:
                raise StainTransferError(
                    f"{folder} holds the results of a run with other data or settings; give another folder, "
                    "or delete it to start anew."
                )
            return
        write(path, self)

    def _read(self, path: Path) -> KeptRun | None:
        """Not compared as text, which lacks the fields that older versions did not have."""
        try:
            return self.model_validate_json(path.read_text(encoding="utf-8"))
        except ValueError:  # damaged, or with fields of a later version
            return None


def _holds_results(folder: Path) -> bool:
    return any(any(folder.glob(f"seed*/*.{suffix}")) for suffix in ("json", "safetensors"))


def write(path: Path, kept: BaseModel) -> None:
    """Write as JSON, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(kept.model_dump_json(indent=1), encoding="utf-8")


def read(path: Path, kind: type[Kept]) -> Kept | None:
    """Read a result, if it is there.

    Raises
    ------
    StainTransferError
        When its file is damaged.
    """
    if not path.exists():
        return None
    try:
        return kind.model_validate_json(path.read_text(encoding="utf-8"))
    except ValueError:  # pydantic's and those of text that is none
        raise StainTransferError(
            f"{path} is damaged or of another version; delete it, and this part is measured again."
        ) from None


def noted(facts: Iterable[str]) -> str:
    """All that differ, in order; empty where no result has noted any, as those of older versions have not."""
    found = set(facts)
    return "; ".join(fact or "not noted" for fact in sorted(found)) if any(found) else ""
