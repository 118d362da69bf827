"""Weight files: read without pickle, downloaded once."""

from __future__ import annotations

import pickle
import tempfile
from functools import cache
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


def cached_path(url: str) -> Path:
    """Where `download_weights` keeps a file; one that was put there by hand is taken as well."""
    return Path(pooch.os_cache("napari-stainxfer")) / url.rsplit("/", 1)[-1]


def download_weights(url: str, sha256_prefix: str) -> Path:
    """Path of a file in the user's cache, downloaded on first use.

    It gets its final name only when it is whole and its hash is right.

    Raises
    ------
    OSError
        If it cannot be downloaded or written, or its sha256 does not begin with `sha256_prefix`.
    MissingWeightsError
        If the file in the cache is another one.
    """
    path = cached_path(url)
    if path.is_file():
        _check_cached(path, sha256_prefix)
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
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


@cache  # once a process: a large file takes a second
def _check_cached(path: Path, sha256_prefix: str) -> None:
    digest = pooch.file_hash(str(path))
    if not digest.startswith(sha256_prefix):
        raise MissingWeightsError(
            f"{path} is damaged or another file (its sha256 begins {digest[:8]} in place of "
            f"{sha256_prefix[:8]}); delete it and try again, which downloads it anew."
        )
