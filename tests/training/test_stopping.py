"""Cancelled, resumed, diverged, out of memory."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from napari_stainxfer.errors import TrainingError
from napari_stainxfer.features import FeatureExtractor
from napari_stainxfer.models import batch_norms
from napari_stainxfer.training import (
    DoneEvent,
    EpochEvent,
    NoticeEvent,
    StepEvent,
    Trainer,
    TrainingPatches,
    TrainingSettings,
    load_checkpoint,
    save_checkpoint,
)

Make = Callable[..., Trainer]


@pytest.fixture
def make(pairs: TrainingPatches, tiny_extractor: FeatureExtractor) -> Make:
    def factory(patches: TrainingPatches = pairs, **changes: object) -> Trainer:
        tiny = {"epochs": 3, "batch_size": 2, "generator_width": 4, "discriminator_width": 4} | changes
        return Trainer(patches, TrainingSettings(**tiny), device="cpu", extractor=tiny_extractor)

    return factory


def everything(trainer: Trainer) -> dict[str, Tensor]:
    return {
        f"{part}.{name}": value.clone()
        for part in ("generator", "discriminator")
        for name, value in getattr(trainer, part).state_dict().items()
    }


def assert_same(one: Trainer, other: Trainer) -> None:
    ours, theirs = everything(one), everything(other)
    assert [name for name in ours.keys() | theirs.keys() if not torch.equal(ours[name], theirs[name])] == []
    assert one.history == other.history
    assert one.step == other.step


def run_until(trainer: Trainer, step: int) -> None:
    run = trainer.run()
    for event in run:
        if isinstance(event, StepEvent) and event.step == step:
            run.close()
            return


class TestResume:
    @pytest.mark.parametrize(
        ("method", "stop"), [*[("nst-ad-hrnet", stop) for stop in (1, 3, 4, 5, 8, 9)], ("nst-ad", 4)]
    )
    def test_is_as_if_never_stopped(self, make: Make, tmp_path: Path, method: str, stop: int) -> None:
        """Batch norm is settled after four of the nine steps."""
        whole, first, second = (make(method=method) for _ in range(3))
        list(whole.run())
        run_until(first, stop)
        save_checkpoint(first, tmp_path / "checkpoint")
        load_checkpoint(second, tmp_path / "checkpoint")
        assert second.step == stop
        list(second.run())
        assert_same(whole, second)

    @pytest.mark.parametrize(
        "changes", [{"settle_after": 1.0}, {"settle_after": 0.0}, {"augment": True}, {"method": "nst-hrnet"}]
    )
    def test_whatever_the_settings(self, make: Make, tmp_path: Path, changes: dict[str, object]) -> None:
        whole, first, second = (make(**changes) for _ in range(3))
        list(whole.run())
        run_until(first, 4)
        save_checkpoint(first, tmp_path / "checkpoint")
        load_checkpoint(second, tmp_path / "checkpoint")
        list(second.run())
        assert_same(whole, second)

    def test_in_the_same_trainer_after_every_step(self, make: Make) -> None:
        whole, halting = make(), make()
        list(whole.run())
        for step in range(1, 10):
            run_until(halting, step)
        assert isinstance(list(halting.run())[-1], DoneEvent)
        assert_same(whole, halting)

    def test_any_event_is_a_place_to_stop(
        self, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Notices too: the one about memory comes within an epoch."""
        whole = make()
        small_memory(whole, 1)
        kinds = [type(event) for event in whole.run()]
        assert kinds.count(NoticeEvent) == 1
        for stop in range(len(kinds) - 1):
            first, second = make(), make()
            small_memory(first, 1)
            run = first.run()
            for _ in range(stop + 1):
                next(run)
            run.close()
            save_checkpoint(first, tmp_path / "checkpoint")
            load_checkpoint(second, tmp_path / "checkpoint")
            small_memory(second, 1)
            list(second.run())
            assert_same(whole, second)

    def test_a_finished_one_stays_finished(self, make: Make, tmp_path: Path) -> None:
        first, second = make(), make()
        list(first.run())
        save_checkpoint(first, tmp_path / "checkpoint")
        load_checkpoint(second, tmp_path / "checkpoint")
        assert [type(event) for event in second.run()] == [DoneEvent]
        for name, value in everything(first).items():
            assert torch.allclose(everything(second)[name], value, rtol=1e-4, atol=1e-5)

    def test_a_checkpoint_replaces_the_last_or_leaves_it(self, make: Make, tmp_path: Path) -> None:
        trainer, path = make(), tmp_path / "checkpoint"
        save_checkpoint(trainer, path)
        run_until(trainer, 2)
        save_checkpoint(trainer, path)
        assert [file.name for file in tmp_path.iterdir()] == ["checkpoint"]
        later = make()
        load_checkpoint(later, path)
        assert later.step == 2

    def test_cannot_be_written(self, make: Make, tmp_path: Path) -> None:
        with pytest.raises(TrainingError, match=r"Cannot write the checkpoint .*; choose another place\."):
            save_checkpoint(make(), tmp_path / "missing" / "checkpoint")


class TestWrongCheckpoint:
    def saved(self, make: Make, tmp_path: Path) -> Path:
        trainer = make()
        run_until(trainer, 1)
        save_checkpoint(trainer, tmp_path / "checkpoint")
        return tmp_path / "checkpoint"

    def test_other_settings(self, make: Make, tmp_path: Path) -> None:
        path = self.saved(make, tmp_path)
        for change in ({"seed": 1}, {"epochs": 4}, {"style_weight": 2.0}, {"method": "nst-ad"}):
            with pytest.raises(
                TrainingError, match="other settings; use the same, or train without --resume"
            ):
                load_checkpoint(make(**change), path)

    def test_other_patches(self, make: Make, pairs: TrainingPatches, tmp_path: Path) -> None:
        path = self.saved(make, tmp_path)
        others = pairs.reference.copy()
        others[-1, -1, -1, -1] ^= 1
        with pytest.raises(TrainingError, match="other patches; give the same pairs"):
            load_checkpoint(make(TrainingPatches(pairs.source, others)), path)

    def test_not_there_not_a_file_not_ours(self, make: Make, tmp_path: Path) -> None:
        whole = self.saved(make, tmp_path).read_bytes()
        contents = {
            "empty": b"",
            "text": b"once upon a time" * 100,
            "half": whole[: len(whole) // 2],
            "header": whole[:100],
        }
        for name, content in contents.items():
            (tmp_path / name).write_bytes(content)
        save_file({"weight": torch.zeros(3)}, tmp_path / "foreign")
        (tmp_path / "folder").mkdir()
        for name in (*contents, "foreign", "folder", "nothing"):
            with pytest.raises(TrainingError, match=r"train without --resume\.$") as error:
                load_checkpoint(make(), tmp_path / name)
            assert "\n" not in str(error.value)

    @pytest.mark.parametrize("field", ["settings", "step", "history", "patches", "micro_batches"])
    @pytest.mark.parametrize("value", [None, "{broken"])
    def test_a_damaged_description(self, make: Make, tmp_path: Path, field: str, value: str | None) -> None:
        path = self.saved(make, tmp_path)
        content = path.read_bytes()
        size = int.from_bytes(content[:8], "little")
        about = json.loads(content[8 : 8 + size])["__metadata__"]
        about = {name: old for name, old in about.items() if name != field}
        if value is not None:
            about[field] = value
        save_file(load_file(path), path, metadata=about)
        with pytest.raises(TrainingError, match=r"train without --resume\.$"):
            load_checkpoint(make(), path)

    def test_a_missing_part(self, make: Make, tmp_path: Path) -> None:
        path = self.saved(make, tmp_path)
        size = int.from_bytes(path.read_bytes()[:8], "little")
        about = json.loads(path.read_bytes()[8 : 8 + size])["__metadata__"]
        tensors = load_file(path)
        tensors.pop("generator/network.residual.weight")
        save_file(tensors, path, metadata=about)
        with pytest.raises(TrainingError, match="damaged or of another version; train without --resume"):
            load_checkpoint(make(), path)


class TestDivergence:
    @pytest.mark.parametrize("rate", [1e6, 1e30])
    @pytest.mark.parametrize("batch_size", [2, 5])
    @pytest.mark.parametrize("method", ["nst-ad-hrnet", "nst-hrnet"])
    def test_stops_keeps_good_weights_and_says_what_to_change(
        self, make: Make, method: str, rate: float, batch_size: int
    ) -> None:
        trainer = make(
            method=method, generator_lr=rate, batch_size=batch_size, anneal=False, epochs=8, settle_after=0
        )
        before = everything(trainer)
        with pytest.raises(TrainingError, match=r"diverged at step \d+; .* generator learning rate below 1e"):
            list(trainer.run())
        after = everything(trainer)
        for name, value in before.items():
            if name.startswith("generator.network.") and "running" not in name:
                assert torch.equal(after[name], value), name
        source = trainer.batches.source
        assert torch.equal(trainer.generator.eval()(source), trainer.start(source)), "adds nothing yet"

    def test_a_late_one_falls_back_on_the_last_good_epoch(
        self, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        trainer, starts = make(), []
        for event in (run := trainer.run()):
            if isinstance(event, EpochEvent):
                starts.append(everything(trainer))
            if isinstance(event, StepEvent) and event.step == 4:
                trainer.generator.network.residual.weight.data.fill_(float("nan"))
                break
        with pytest.raises(TrainingError, match="diverged at step 5"):
            list(run)
        ours = everything(trainer)
        assert all(
            torch.equal(ours[name], value) for name, value in starts[0].items() if name.startswith("gen")
        )
        assert len(trainer.history) == 2

    def test_in_the_last_step_is_seen_too(self, make: Make) -> None:
        """The loss of the last step is that of the weights before it."""
        trainer = make()
        run = trainer.run()
        for event in run:
            if isinstance(event, StepEvent) and event.step == event.total_steps:
                trainer.generator.network.residual.weight.data.fill_(float("inf"))
                break
        with pytest.raises(TrainingError, match="diverged at step 9"):
            list(run)
        assert all(value.isfinite().all() for value in trainer.generator.state_dict().values())

    def test_a_discriminator_gone_astray_stops_the_training_too(self, make: Make) -> None:
        trainer = make()
        run_until(trainer, 2)
        next(trainer.discriminator.parameters()).data.fill_(float("nan"))
        with pytest.raises(TrainingError, match="diverged at step 3"):
            list(trainer.run())
        assert all(value.isfinite().all() for value in trainer.generator.state_dict().values())

    def test_a_pair_that_is_alike_from_the_start_is_no_divergence(
        self, make: Make, pairs: TrainingPatches
    ) -> None:
        for method in ("nst-hrnet", "nst-ad-hrnet"):
            trainer = make(TrainingPatches(pairs.source, pairs.source), method=method)
            assert isinstance(list(trainer.run())[-1], DoneEvent)
            assert np.isfinite(trainer.history[-1]["generator"])


def small_memory(trainer: Trainer, most: int, error: RuntimeError | None = None) -> None:
    """A device on which the generator can take ``most`` patches at a time."""
    forward = trainer.generator.forward

    def limited(image: Tensor) -> Tensor:
        if len(image) > most:
            raise error or torch.OutOfMemoryError("no room")
        return forward(image)

    trainer.generator.forward = limited  # type: ignore[method-assign]


class TestOutOfMemory:
    @pytest.mark.parametrize(
        ("batch_size", "most", "parts"), [(2, 1, 2), (4, 2, 2), (4, 1, 4), (3, 1, 3), (5, 1, 5)]
    )
    def test_falls_to_smaller_parts_and_says_so(
        self, make: Make, batch_size: int, most: int, parts: int
    ) -> None:
        trainer = make(batch_size=batch_size, epochs=1)
        small_memory(trainer, most)
        events = list(trainer.run())
        (notice,) = [event for event in events if isinstance(event, NoticeEvent)]
        assert notice.message == f"The device ran out of memory: every step now takes {parts} parts."
        assert trainer.micro_batches == parts
        assert isinstance(events[-1], DoneEvent)
        assert isinstance(events[0], NoticeEvent)

    @pytest.mark.parametrize("message", ["MPS backend out of memory", "CUDA error: out of memory"])
    def test_devices_without_an_error_class_of_their_own(self, make: Make, message: str) -> None:
        trainer = make(epochs=1)
        small_memory(trainer, 1, RuntimeError(message))
        assert isinstance(next(trainer.run()), NoticeEvent)

    def test_another_error_is_not_hidden(self, make: Make) -> None:
        trainer = make(epochs=1)
        small_memory(trainer, 1, RuntimeError("no such kernel"))
        with pytest.raises(RuntimeError, match="no such kernel"):
            next(trainer.run())

    @pytest.mark.parametrize("augment", [False, True])
    @pytest.mark.parametrize("most", [1, 2])
    def test_accumulated_gradients_are_those_of_the_whole_batch(
        self, make: Make, most: int, augment: bool
    ) -> None:
        """Once batch norm is frozen; before, its statistics are those of the part."""
        whole, parted = (make(batch_size=4, settle_after=0, augment=augment) for _ in range(2))
        for trainer in (whole, parted):
            torch.manual_seed(0)
            nn.init.normal_(trainer.generator.network.residual.weight, 0, 0.1)
            for norm in batch_norms(trainer.generator):
                norm.eval()
        small_memory(parted, most)
        losses = [trainer._train_step(0, 0) for trainer in (whole, parted)]
        assert parted.micro_batches == 4 // most
        assert losses[1] == pytest.approx(losses[0], rel=1e-4)
        for part in ("generator", "discriminator"):
            ours, theirs = (
                torch.cat([value.grad.flatten() for value in getattr(trainer, part).parameters()])
                for trainer in (whole, parted)
            )
            assert (ours - theirs).norm() < 1e-3 * ours.norm()

    def test_not_even_one_patch(self, make: Make) -> None:
        trainer = make(batch_size=4)
        small_memory(trainer, 0)
        with pytest.raises(
            TrainingError, match=r"Not even one square of 32 px fits into the memory of cpu; "
        ):
            list(trainer.run())
        assert trainer.step == 0
        assert trainer.history == []

    def test_in_the_discriminator_leaves_it_as_it_was(self, make: Make) -> None:
        trainer = make()
        whole, forward, calls = make(), trainer.discriminator.forward, []

        def once(image: Tensor) -> Tensor:
            calls.append(len(image))
            if len(calls) == 2:
                raise torch.OutOfMemoryError("no room")
            return forward(image)

        trainer.discriminator.forward = once
        for one in (trainer, whole):
            for norm in batch_norms(one.generator):
                norm.momentum = 0.0
        whole.micro_batches = 2
        trainer._train_step(0, 0)
        whole._train_step(0, 0)
        assert trainer.micro_batches == 2
        ours, theirs = everything(trainer), everything(whole)
        assert [
            name for name in ours if "num_batches" not in name and not torch.equal(ours[name], theirs[name])
        ] == []


class TestBatchNormAtTheEnd:
    """Both modes agree on the training patches: to a thousandth of a grey level in the mean, 0.02 at most."""

    @pytest.mark.parametrize("settle_after", [0.0, 0.5, 0.9, 0.99, 1.0])
    @pytest.mark.parametrize("method", ["nst-ad-hrnet", "nst-ad"])
    def test_training_and_inference_mode_agree(self, make: Make, method: str, settle_after: float) -> None:
        trainer = make(method=method, settle_after=settle_after, epochs=6)
        list(trainer.run())
        mean, largest = grey_levels_apart(trainer)
        assert mean < 1e-3
        assert largest < 0.02

    def test_they_do_not_before_the_end(self, make: Make) -> None:
        trainer = make(epochs=6, start="input")
        run_until(trainer, 17)
        mean, _ = grey_levels_apart(trainer)
        assert mean > 1

    def test_with_too_little_memory_for_all_patches_at_once(self, make: Make) -> None:
        for settle_after in (0.5, 1.0):
            trainer = make(settle_after=settle_after)
            small_memory(trainer, 2)
            assert not [event for event in trainer.run() if isinstance(event, NoticeEvent)]
            del trainer.generator.forward
            mean, largest = grey_levels_apart(trainer)
            assert mean < 1e-3
            assert largest < 0.02


@torch.no_grad()
def grey_levels_apart(trainer: Trainer) -> tuple[float, float]:
    """Mean and largest difference of the two modes on all source patches as one batch."""
    trained, inferred = (
        copy.deepcopy(trainer.generator).train(mode)(trainer.batches.source).clamp(0, 1)
        for mode in (True, False)
    )
    apart = (trained - inferred).abs() * 255
    return float(apart.mean()), float(apart.max())
