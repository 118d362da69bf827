"""One safe file: what goes in comes out, and what is not ours is refused in a sentence."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from napari_stainxfer.errors import ModelFileError
from napari_stainxfer.methods import METHODS, Model, load

Make = Callable[..., Model]
Tissue = Callable[..., np.ndarray]
KEY = "napari-stainxfer model 4"


def described(path: Path) -> dict[str, str]:
    content = path.read_bytes()
    metadata: dict[str, str] = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])[
        "__metadata__"
    ]
    return metadata


def card_text(path: Path) -> str:
    return described(path)[KEY].partition("\n")[2]


def signed(tensors: dict[str, torch.Tensor], card: str) -> dict[str, str]:
    """The metadata of a file whose checksum fits."""
    digest = hashlib.sha256(card.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode() + tensor.numpy().tobytes())
    return {KEY: f"{digest.hexdigest()}\n{card}"}


@pytest.fixture
def saved(make_model: Make, tmp_path: Path) -> Path:
    make_model().save(tmp_path / "m.safetensors")
    return tmp_path / "m.safetensors"


class TestRoundTrip:
    @pytest.mark.parametrize("width", [4, 6, None])
    @pytest.mark.parametrize("name", ["hrnet", "johnson"])
    def test_same_bytes_same_hash_same_card_same_picture(
        self, make_model: Make, tissue: Tissue, tmp_path: Path, name: str, width: int | None
    ) -> None:
        model, path = make_model(name, width=width), tmp_path / "m.safetensors"
        model.save(path)
        again = load(path)
        assert again.to_bytes() == model.to_bytes() == path.read_bytes()
        assert again.hash() == model.hash()
        assert again.card.model_dump(exclude={"method_state"}) == model.card.model_dump(
            exclude={"method_state"}
        )
        assert (again.method.halo_px, again.method.align_px) == (model.method.halo_px, model.method.align_px)
        picture = tissue(83, 61)
        expected = model.transform(picture)
        assert (expected != picture).mean() > 0.9
        np.testing.assert_array_equal(again.transform(picture), expected)

    def test_another_model_has_another_hash(self, make_model: Make) -> None:
        hashes = {make_model(seed=0).hash(), make_model(seed=1).hash(), make_model(mpp=0.5).hash()}
        assert len(hashes) == 3
        assert make_model(seed=0).hash() in hashes

    def test_a_model_is_not_changed_by_use_or_saving(
        self, make_model: Make, tissue: Tissue, tmp_path: Path
    ) -> None:
        model = make_model()
        before = model.to_bytes()
        model.transform(tissue(40, 40))
        model.to("cpu").save(tmp_path / "m")
        assert model.to_bytes() == before

    def test_numbers_that_are_none_survive(self, make_model: Make, tmp_path: Path) -> None:
        """A metric can come out as not a number; the model is still worth having."""
        model = make_model(metrics={"a": float("nan"), "b": float("inf")}, history=({"g": float("inf")},))
        model.save(tmp_path / "m")
        again = load(tmp_path / "m")
        assert np.isnan(again.card.metrics["a"])
        assert again.card.metrics["b"] == again.card.history[0]["g"] == np.inf

    def test_plain_safetensors_with_the_card_as_json(self, saved: Path) -> None:
        (key,) = described(saved)
        card = json.loads(card_text(saved))
        assert key == KEY
        assert card["method"] in METHODS
        assert card["sources"][0] == {
            "name": "b.svs",
            "fingerprint": "02",
            "mpp": 0.25,
            "tissue_colour": None,
        }
        assert load_file(saved).keys() == load(saved).method.state()[0].keys()

    def test_replaces_an_older_file_whole_and_makes_its_folder(
        self, make_model: Make, tmp_path: Path
    ) -> None:
        path = tmp_path / "new" / "folder" / "m.safetensors"
        make_model(seed=0).save(path)
        make_model(seed=1).save(path)
        assert load(path).hash() == make_model(seed=1).hash()
        assert [file.name for file in path.parent.iterdir()] == ["m.safetensors"]

    def test_a_failed_save_leaves_the_older_file(
        self, make_model: Make, saved: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = saved.read_bytes()

        def full(self: Path, content: bytes) -> int:
            with self.open("wb") as file:
                file.write(content[:100])
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(Path, "write_bytes", full)
        with pytest.raises(ModelFileError, match=r"Cannot write .*: No space left on device; choose another"):
            make_model(seed=1).save(saved)
        assert saved.read_bytes() == before
        assert list(saved.parent.iterdir()) == [saved]

    def test_a_folder_in_the_way(self, make_model: Make, tmp_path: Path) -> None:
        (tmp_path / "m").mkdir()
        with pytest.raises(ModelFileError, match="choose another place"):
            make_model().save(tmp_path / "m")
        assert list(tmp_path.iterdir()) == [tmp_path / "m"]

    def test_says_what_it_is(self, make_model: Make) -> None:
        assert repr(make_model()) == "<Model nst-ad-hrnet at 1 um/px: b.svs -> a.svs>"
        assert repr(make_model(references=(), sources=())).endswith("? -> ?>")


class TestWrongFile:
    def refused(self, path: Path, pattern: str) -> None:
        with pytest.raises(ModelFileError, match=pattern) as error:
            load(path)
        message = str(error.value)
        assert str(path) in message
        assert "\n" not in message
        assert message.endswith(".")

    def test_missing(self, tmp_path: Path) -> None:
        self.refused(tmp_path / "none", "There is no model file .*; train one with `stainxfer train`")

    def test_a_folder(self, tmp_path: Path) -> None:
        self.refused(tmp_path, "is a folder; give the model file in it")

    @pytest.mark.parametrize("share", [0.0, 0.001, 0.01, 0.5, 0.999])
    def test_cut_short(self, saved: Path, share: float) -> None:
        content = saved.read_bytes()
        saved.write_bytes(content[: int(share * len(content))])
        self.refused(saved, "cannot be read as a model")

    def test_something_after_its_end(self, saved: Path) -> None:
        saved.write_bytes(saved.read_bytes() + b"more")
        self.refused(saved, "cannot be read as a model")

    def test_text(self, tmp_path: Path) -> None:
        (tmp_path / "m").write_text("a model, honestly\n" * 50)
        self.refused(tmp_path / "m", "cannot be read as a model")

    def test_other_safetensors(self, tmp_path: Path) -> None:
        save_file({"weight": torch.zeros(2)}, tmp_path / "m")
        self.refused(tmp_path / "m", "it holds nothing of ours")
        save_file({"weight": torch.zeros(2)}, tmp_path / "m", metadata={"format": "pt"})
        self.refused(tmp_path / "m", "it holds format, not 'napari-stainxfer model 4'")

    def test_another_version(self, saved: Path) -> None:
        tensors, card = load_file(saved), described(saved)[KEY]
        save_file(tensors, saved, metadata={"napari-stainxfer model 2": card})
        self.refused(saved, "not a model that this version of napari-stainxfer reads .*model 2")

    @pytest.mark.parametrize(
        "change",
        [
            {"method": "unheard-of"},
            {"mpp": -1},
            {"mpp": "fine"},
            {"invented": 1},
            {"method_state": {}},
            {"method_state": {"generator": "unet", "width": 4}},
            {"method_state": {"generator": "hrnet", "width": 8}},
            {"method_state": {"generator": "johnson", "width": 4}},
            {"method_state": {"generator": "hrnet", "width": "four"}},
            {"method_state": {"generator": "hrnet", "width": -4}},
            {"method_state": {"generator": "hrnet", "width": [4]}},
            {"method_state": {"generator": ["hrnet"], "width": 4}},
        ],
        ids=str,
    )
    def test_a_card_that_does_not_fit(self, saved: Path, change: dict[str, object]) -> None:
        tensors, card = load_file(saved), json.loads(card_text(saved))
        save_file(tensors, saved, metadata=signed(tensors, json.dumps(card | change)))
        self.refused(saved, "is damaged or of another version; train it again")

    def test_a_card_that_is_no_json(self, saved: Path) -> None:
        tensors = load_file(saved)
        save_file(tensors, saved, metadata=signed(tensors, "{"))
        self.refused(saved, "is damaged or of another version; train it again")

    def test_weights_missing_or_too_many(self, saved: Path) -> None:
        tensors, card = load_file(saved), card_text(saved)
        fewer = dict(tensors)
        fewer.popitem()
        for wrong in (fewer, tensors | {"extra": torch.zeros(1)}, {}):
            save_file(wrong, saved, metadata=signed(wrong, card))
            self.refused(saved, "is damaged or of another version; train it again")

    @pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.99])
    def test_any_flipped_byte(self, saved: Path, share: float) -> None:
        """Such a model would load, and change every slide in a way that nobody trained."""
        content = bytearray(saved.read_bytes())
        content[8 + int(share * (len(content) - 8))] ^= 1
        saved.write_bytes(content)
        with pytest.raises(ModelFileError, match=r"damaged|cannot be read|not a model"):
            load(saved)

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_weights_that_are_no_numbers(self, saved: Path, value: float) -> None:
        """With them every pixel would come out black."""
        tensors, card = load_file(saved), card_text(saved)
        next(tensor for tensor in tensors.values() if tensor.is_floating_point()).view(-1)[0] = value
        save_file(tensors, saved, metadata=signed(tensors, card))
        self.refused(saved, "not finite numbers, so its training failed; train it again")

    def test_a_pickle_is_never_run(self, make_model: Make, tmp_path: Path) -> None:
        class Bomb:
            def __reduce__(self) -> tuple[object, tuple[str]]:
                return os.mkdir, (str(tmp_path / "exploded"),)

        (tmp_path / "m").write_bytes(pickle.dumps(Bomb()))
        self.refused(tmp_path / "m", "cannot be read as a model")
        torch.save({"weight": torch.zeros(1), "bomb": Bomb()}, tmp_path / "m.pt")
        self.refused(tmp_path / "m.pt", "cannot be read as a model")
        assert not (tmp_path / "exploded").exists()
        assert b"pickle" not in make_model().to_bytes()
