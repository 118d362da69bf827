"""One safe file of weights and what they are: safetensors with a card, and a checksum over both."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import safetensors
import torch
from safetensors.torch import save
from torch import Tensor

from napari_stainxfer.errors import ModelFileError
from napari_stainxfer.files import replacing


class FileKind(NamedTuple):
    """What a file holds.

    Attributes
    ----------
    name
        For people.
    version
        Of the way in which it is written; another is not read.
    command
        That makes such a file.
    """

    name: str
    version: int
    command: str

    @property
    def key(self) -> str:
        """Of the card in the file's metadata, below the SHA-256 of card and weights.

        It is the only key, because safetensors writes several in any order and the same content must give
        the same bytes.
        """
        return f"napari-stainxfer {self.name} {self.version}"


def to_bytes(kind: FileKind, card: str, tensors: Mapping[str, Tensor]) -> bytes:
    """The file's content; ``card`` is JSON."""
    weights = {name: tensor.contiguous().cpu() for name, tensor in tensors.items()}
    content: bytes = save(weights, metadata={kind.key: f"{_digest(card, weights)}\n{card}"})
    return content


def write(path: str | Path, content: bytes) -> None:
    """Write a file, whole or not at all; makes its folder.

    Raises
    ------
    ModelFileError
        When it cannot be written.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise ModelFileError(f"Cannot write {target}: {error.strerror}; choose another place.") from None


def read(path: str | Path, kind: FileKind) -> tuple[str, dict[str, Tensor]]:
    """Card and weights.

    Raises
    ------
    ModelFileError
        When the file is missing, damaged, of another kind or version, or holds weights that are no numbers.
    """
    if Path(path).is_dir():
        raise ModelFileError(f"{path} is a folder; give the {kind.name} file in it.")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except FileNotFoundError:
        raise ModelFileError(
            f"There is no {kind.name} file {path}; train one with `{kind.command}`."
        ) from None
    except (OSError, safetensors.SafetensorError) as error:
        raise ModelFileError(f"{path} cannot be read as a {kind.name} ({error}); train it again.") from None
    if kind.key not in about:
        raise ModelFileError(
            f"{path} is not a {kind.name} that this version of napari-stainxfer reads "
            f"(it holds {', '.join(about) or 'nothing of ours'}, not {kind.key!r}); train it again."
        )
    digest, _, card = about[kind.key].partition("\n")
    if digest != _digest(card, tensors):
        raise ModelFileError(
            f"{path} is damaged (its content does not fit its checksum); copy it again, or train it again."
        )
    if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values()):
        raise ModelFileError(
            f"{path} holds weights that are not finite numbers, so its training failed; train it again."
        )
    return card, tensors


def _digest(card: str, tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of the card and of every tensor's name, type, shape and bytes."""
    digest = hashlib.sha256(card.encode())
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
