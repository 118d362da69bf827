"""Weight files: read without pickle, downloaded once."""

from __future__ import annotations

import pickle
import tempfile
from pathlib import Path

import pooch
import requests
import torch
from torch import Tensor

from napari_stainxfer.errors import MissingWeightsError

_TIMEOUT_S = 30


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a PyTorch weights file, and nothing but tensors: no code can run.

    Raises
    ------
    MissingWeightsError
        If the file does not exist or is not such a file.
    """
    if not path.is_file():
        raise MissingWeightsError(f"There is no weights file {path}; check the path.")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise MissingWeightsError(
            f"{path} is not a PyTorch weights file, or is damaged; download it again."
        ) from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise MissingWeightsError(f"{path} holds no plain table of weights; give an original weights file.")
    return state


def download_weights(url: str, sha256_prefix: str) -> Path:
    """Path of a file in the user's cache, downloaded on first use.

    It gets its final name only when it is whole and its hash is right.

    Raises
    ------
    OSError
        If it cannot be downloaded or written, or its sha256 does not begin with `sha256_prefix`.
    """
    cache = Path(pooch.os_cache("napari-stainxfer"))
    path = cache / url.rsplit("/", 1)[-1]
    if path.is_file():
        return path
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        part = Path(folder) / path.name
        try:
            pooch.HTTPDownloader(timeout=_TIMEOUT_S)(url, str(part), None)
        except requests.RequestException as error:
            answer = error.response
            told = f"answers {answer.status_code}" if answer is not None else "cannot be reached"
            raise OSError(f"the server {told}") from error
        digest = pooch.file_hash(str(part))
        if not digest.startswith(sha256_prefix):
            raise OSError(f"sha256 begins {digest[:8]} in place of {sha256_prefix}")
        part.replace(path)
    return path
