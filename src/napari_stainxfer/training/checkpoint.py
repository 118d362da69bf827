"""A training on disk: one safetensors file with everything that a resumed training needs."""

from __future__ import annotations

import json
from pathlib import Path

import safetensors
import torch
from safetensors.torch import save
from torch import Tensor

from napari_stainxfer.errors import TrainingError
from napari_stainxfer.files import replacing
from napari_stainxfer.training.settings import TrainingSettings
from napari_stainxfer.training.trainer import Trainer

_KIND = "napari-stainxfer checkpoint"


def save_checkpoint(trainer: Trainer, path: Path) -> None:
    """Write where a training stands, whole or not at all; call it between two steps.

    Raises
    ------
    TrainingError
        When the file cannot be written.
    """
    tensors: dict[str, Tensor] = {}
    for part in ("generator", "discriminator"):
        for name, value in getattr(trainer, part).state_dict().items():
            tensors[f"{part}/{name}"] = value
        optimiser: torch.optim.Adam = getattr(trainer, f"{part}_optimiser")
        for index, state in optimiser.state_dict()["state"].items():
            for name, value in state.items():
                tensors[f"{part}_adam/{index}/{name}"] = value
    about = {
        "kind": _KIND,
        "settings": trainer.settings.model_dump_json(),
        "step": str(trainer.step),
        "history": json.dumps(trainer.history),
        "first_loss": json.dumps(trainer.first_loss),
        "micro_batches": str(trainer.micro_batches),
        "patches": trainer.patches_fingerprint,
    }
    contiguous = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    try:
        with replacing(path) as temporary:
            temporary.write_bytes(save(contiguous, metadata=about))
    except OSError as error:
        raise TrainingError(
            f"Cannot write the checkpoint {path}: {error.strerror}; choose another place."
        ) from None


def checkpoint_settings(path: Path) -> TrainingSettings:
    """The settings of the training that a checkpoint belongs to.

    Raises
    ------
    TrainingError
        When the file is no checkpoint of this version.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
        return TrainingSettings.model_validate_json(about["settings"])
    except (OSError, KeyError, ValueError, safetensors.SafetensorError):
        raise TrainingError(f"{path} is damaged or of another version; start the training anew.") from None


def load_checkpoint(trainer: Trainer, path: Path) -> None:
    """Bring a fresh trainer to where :func:`save_checkpoint` left another.

    Raises
    ------
    TrainingError
        When the file is no checkpoint, or belongs to other settings or other patches.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except (OSError, safetensors.SafetensorError) as error:
        raise TrainingError(f"Cannot resume from {path}: {error}; train without --resume.") from None
    if about.get("kind") != _KIND:
        raise TrainingError(f"{path} is not a training checkpoint; train without --resume.")
    try:
        if TrainingSettings.model_validate_json(about["settings"]) != trainer.settings:
            raise TrainingError(
                f"{path} was trained with other settings; use the same, or train without --resume."
            )
        if about["patches"] != trainer.patches_fingerprint:
            raise TrainingError(
                f"{path} was trained on other patches; give the same pairs, or train without --resume."
            )
        _restore(trainer, about, tensors)
    except (KeyError, ValueError, RuntimeError):  # pydantic's and json's errors are ValueErrors
        raise TrainingError(f"{path} is damaged or of another version; train without --resume.") from None


def _restore(trainer: Trainer, about: dict[str, str], tensors: dict[str, Tensor]) -> None:
    for part in ("generator", "discriminator"):
        getattr(trainer, part).load_state_dict(_below(tensors, part))
        optimiser: torch.optim.Adam = getattr(trainer, f"{part}_optimiser")
        states: dict[int, dict[str, Tensor]] = {}
        for name, value in _below(tensors, f"{part}_adam").items():
            index, field = name.split("/")
            states.setdefault(int(index), {})[field] = value
        optimiser.load_state_dict(optimiser.state_dict() | {"state": states})
    trainer.step, trainer.micro_batches = int(about["step"]), int(about["micro_batches"])
    trainer.history, trainer.first_loss = json.loads(about["history"]), json.loads(about["first_loss"])
    trainer.keep_weights()


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    start = len(prefix) + 1
    return {name[start:]: value for name, value in tensors.items() if name.startswith(prefix + "/")}
