"""The glomerulus segmenter: the network's shape, that it learns, its file, its tiles, its refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from napari_stainxfer.errors import MissingWeightsError, ModelFileError, SlideError, TrainingError
from napari_stainxfer.evaluation import dice
from napari_stainxfer.segmentation import (
    Example,
    Segmenter,
    SegmenterDone,
    SegmenterEvent,
    SegmenterSettings,
    SegmenterStep,
    load_segmenter,
    train_segmenter,
    train_segmenter_stream,
)
from napari_stainxfer.segmentation.crops import Crops, recolour
from napari_stainxfer.segmentation.network import HALO_PX, ResNet50FCN
from napari_stainxfer.segmentation.resnet50 import ResNet50
from napari_stainxfer.segmentation.training import segmentation_loss
from napari_stainxfer.segmentation.weights import WEIGHTS_SHA256_PREFIX, WEIGHTS_URL

TOY = SegmenterSettings(width=16, crop_px=64, steps=60, batch_size=4, learning_rate=4e-3)


def discs(seed: int, side: int = 192) -> Example:
    """Violet discs and bars of the same colour on pink; only the discs count."""
    random = np.random.default_rng(seed)
    image = np.full((side, side, 3), (225, 170, 200), float)
    rows, columns = np.mgrid[:side, :side]
    mask = np.zeros((side, side), bool)
    for k in range(9):
        y, x = (int(48 * (part + 0.5) + 16 * (k // 3)) + random.integers(-6, 7) for part in divmod(k, 3))
        if k % 2:
            image[max(y - 3, 0) : y + 3, max(x - 24, 0) : x + 24] = (140, 100, 170)
        else:
            mask |= (rows - y) ** 2 + (columns - x) ** 2 < random.integers(14, 20) ** 2
    image[mask] = (140, 100, 170)
    noisy = image + random.normal(0, 6, image.shape)
    return Example(np.clip(noisy, 0, 255).astype(np.uint8), mask)


@pytest.fixture(scope="module")
def trained() -> tuple[Segmenter, list[SegmenterEvent]]:
    events: list[SegmenterEvent] = []
    segmenter = train_segmenter([discs(k) for k in range(6)], TOY, device="cpu", on_event=events.append)
    return segmenter, events


def test_it_learns_what_counts_and_what_does_not(trained: tuple[Segmenter, list[SegmenterEvent]]) -> None:
    unseen = [discs(seed) for seed in (100, 101)]
    for example in unseen:
        assert dice(trained[0].segment(example.image), example.mask) > 0.85


def test_it_tells_how_far_it_is(trained: tuple[Segmenter, list[SegmenterEvent]]) -> None:
    segmenter, events = trained
    *steps, done = events
    assert [event.step for event in steps if isinstance(event, SegmenterStep)] == list(range(1, 61))
    assert steps[0].seconds_left > 0
    assert steps[-1].seconds_left == 0
    assert isinstance(done, SegmenterDone)
    assert segmenter.card.images == 6
    assert segmenter.card.weights == "random"
    assert segmenter.card.losses[-1] < 0.5 * segmenter.card.losses[0]


def test_a_seed_gives_the_same_segmenter_and_another_seed_another() -> None:
    def weights(seed: int) -> Tensor:
        few = TOY.model_copy(update={"steps": 2, "seed": seed})
        torch.manual_seed(1234 + seed)  # what the caller drew before makes no difference
        return train_segmenter([discs(0)], few, device="cpu").network.backbone.conv1.weight

    first = weights(3)
    state = torch.random.get_rng_state()
    torch.testing.assert_close(weights(3), first, rtol=0, atol=0)
    torch.manual_seed(1237)
    assert torch.equal(torch.random.get_rng_state(), state)  # and nothing is left behind
    assert not torch.equal(weights(4), first)


def test_a_training_that_is_closed_takes_no_further_step() -> None:
    stream = train_segmenter_stream([discs(0)], TOY, device="cpu")
    assert next(stream).step == 1
    stream.close()
    with pytest.raises(StopIteration):
        next(stream)


def test_an_exception_from_the_listener_stops_it() -> None:
    seen = []

    def stop(event: SegmenterEvent) -> None:
        seen.append(event)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_segmenter([discs(0)], TOY, device="cpu", on_event=stop)
    assert len(seen) == 1


def test_saved_and_loaded_it_is_the_same(
    trained: tuple[Segmenter, list[SegmenterEvent]], tmp_path: Path
) -> None:
    segmenter, image = trained[0], discs(7).image
    segmenter.save(tmp_path / "new" / "s.safetensors")
    again = load_segmenter(tmp_path / "new" / "s.safetensors")
    assert again.card == segmenter.card
    np.testing.assert_array_equal(again.probability(image), segmenter.probability(image))


def test_tiles_equal_the_whole(trained: tuple[Segmenter, list[SegmenterEvent]]) -> None:
    image = np.concatenate([discs(k, 192).image for k in range(3)], axis=1)[:181, :555]
    whole = trained[0].probability(image, tile_px=1024)
    for tile_px in (96, 256):
        np.testing.assert_allclose(trained[0].probability(image, tile_px=tile_px), whole, atol=1e-4)
    assert whole.std() > 0.1


def test_nothing_beyond_the_halo_is_seen(trained: tuple[Segmenter, list[SegmenterEvent]]) -> None:
    side = 2 * HALO_PX + 64
    image = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    changed = image.clone()
    changed[..., : side - HALO_PX - 32] = 0  # what is kept of a tile begins on a multiple of 32
    with torch.inference_mode():
        one, other = (trained[0].network(x)[..., side - 32 :] for x in (image, changed))
    torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


def test_the_backbone_is_the_published_network() -> None:
    """25,557,032 parameters with the classifier of 1000 classes, under torchvision's names."""
    backbone = ResNet50()
    classifier = nn.Linear(2048, 1000)
    counted = [sum(p.numel() for p in part.parameters()) for part in (backbone, classifier)]
    assert counted == [23_508_032, 2_049_000]
    state = backbone.state_dict()
    assert len(state) == 318  # 320 with the classifier's two
    shapes = {
        "conv1.weight": (64, 3, 7, 7),
        "bn1.num_batches_tracked": (),
        "layer1.0.conv1.weight": (64, 64, 1, 1),
        "layer1.0.downsample.0.weight": (256, 64, 1, 1),
        "layer2.0.conv2.weight": (128, 128, 3, 3),
        "layer3.5.bn2.running_var": (256,),
        "layer4.0.downsample.1.bias": (2048,),
        "layer4.2.conv3.weight": (2048, 512, 1, 1),
    }
    assert {name: tuple(state[name].shape) for name in shapes} == shapes
    assert "layer1.1.downsample.0.weight" not in state
    assert backbone.layer2[0].conv2.stride == (2, 2)
    assert backbone.layer2[0].conv1.stride == (1, 1)


def test_the_published_weights_load_and_the_classifier_is_dropped(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(5)
    published = {
        name: torch.randn(value.shape, generator=generator) * 0.01 if value.is_floating_point() else value
        for name, value in ResNet50(16).state_dict().items()
    }
    path = tmp_path / "resnet50-local.pth"
    torch.save(published | {"fc.weight": torch.zeros(1000, 512), "fc.bias": torch.zeros(1000)}, path)
    few = TOY.model_copy(update={"steps": 1, "learning_rate": 1e-12, "weight_decay": 0.0})
    segmenter = train_segmenter([discs(0)], few, weights=path, device="cpu")
    torch.testing.assert_close(segmenter.network.backbone.conv1.weight, published["conv1.weight"])
    assert segmenter.card.weights == "resnet50-local.pth"
    torch.save({"conv1.weight": published["conv1.weight"]}, path)
    with pytest.raises(MissingWeightsError, match="does not hold the weights of ResNet50"):
        train_segmenter([discs(0)], few, weights=path, device="cpu")
    with pytest.raises(MissingWeightsError, match="check the path"):
        train_segmenter([discs(0)], few, weights=tmp_path / "none.pth", device="cpu")


def test_the_hash_is_the_one_in_the_files_name() -> None:
    assert WEIGHTS_URL.endswith(f"-{WEIGHTS_SHA256_PREFIX}.pth")


def test_weights_that_cannot_be_had_are_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(url: str, prefix: str) -> Path:
        raise OSError("no network")

    monkeypatch.setattr("napari_stainxfer.segmentation.weights.download_weights", refuse)
    with pytest.raises(MissingWeightsError, match="train without them"):
        train_segmenter([discs(0)], TOY, weights="imagenet", device="cpu")


def test_the_loss_of_a_perfect_and_of_an_opposite_answer() -> None:
    truth = torch.zeros(1, 1, 8, 8)
    truth[..., :4] = 1
    sure = 20 * (2 * truth - 1)
    assert segmentation_loss(sure, truth).item() < 1e-6
    assert segmentation_loss(-sure, truth).item() == pytest.approx(21, abs=1e-3)


def test_colours_change_as_told() -> None:
    image = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(2)) * 0.4 + 0.3
    grey = torch.tensor([0.299, 0.587, 0.114])
    torch.testing.assert_close(recolour(image, 0, 1, 1, 0), image, rtol=0, atol=1e-5)
    torch.testing.assert_close(recolour(image, 0.1, 1, 1, 0), image + 0.1, rtol=0, atol=1e-5)
    paled = recolour(image, 0, 1, 0, 0)
    luma = torch.einsum("c,chw->hw", grey, image).expand(3, -1, -1)
    torch.testing.assert_close(paled, luma, rtol=0, atol=2e-3)
    flatter = recolour(image, 0, 0.5, 1, 0)
    torch.testing.assert_close(flatter.std(), 0.5 * image.std(), rtol=1e-3, atol=0)
    turned = recolour(image * 0 + torch.tensor([0.6, 0.45, 0.5]).view(3, 1, 1), 0, 1, 1, 1 / 3)
    assert int(turned[:, 0, 0].argmax()) != 0
    torch.testing.assert_close(
        grey @ turned[:, 0, 0], grey @ torch.tensor([0.6, 0.45, 0.5]), rtol=0, atol=2e-3
    )


def test_crops_keep_mask_and_image_together() -> None:
    example = discs(3)
    plain = TOY.model_copy(update={"brightness": 0.0, "contrast": 0.0, "saturation": 0.0, "hue": 0.0})
    marked = Example(np.repeat(example.mask[..., None] * np.uint8(255), 3, axis=2), example.mask)
    crops = Crops([marked], plain)
    for _ in range(5):
        images, masks = crops.batch()
        torch.testing.assert_close(images[:, :1], masks, rtol=0, atol=1e-3)
        assert masks.shape == (4, 1, 64, 64)
    everywhere = Crops([marked], plain.model_copy(update={"centred": 1.0}))
    assert everywhere.batch()[1].flatten(1).any(dim=1).all()


def test_what_cannot_be_learnt_from_is_refused() -> None:
    example = discs(0)
    with pytest.raises(TrainingError, match="needs masks to learn from"):
        train_segmenter([Example(example.image, np.zeros_like(example.mask))], TOY)
    with pytest.raises(TrainingError, match="needs masks to learn from"):
        train_segmenter([], TOY)
    with pytest.raises(TrainingError, match="they must agree"):
        train_segmenter([Example(example.image, example.mask[:-1])], TOY)
    with pytest.raises(TrainingError, match="smaller than a crop of 256 px; give images of at least 512 um"):
        train_segmenter([example], TOY.model_copy(update={"crop_px": 256}))


def test_a_training_that_diverges_says_what_can_be_done() -> None:
    wild = TOY.model_copy(update={"steps": 20, "learning_rate": 1e30})
    with pytest.raises(TrainingError, match=r"diverged at step .* from Python a learning_rate below"):
        train_segmenter([discs(0)], wild, device="cpu")


def test_files_that_are_no_segmenter_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    with pytest.raises(ModelFileError, match="train one with `stainxfer segmenter`"):
        load_segmenter(path)
    path.write_bytes(b"nothing")
    with pytest.raises(ModelFileError, match="train it again"):
        load_segmenter(path)
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(ModelFileError, match="is not a segmenter"):
        load_segmenter(path)


def test_images_that_are_no_rgb_are_refused(trained: tuple[Segmenter, list[SegmenterEvent]]) -> None:
    with pytest.raises(SlideError, match="uint8 RGB image"):
        trained[0].segment(np.zeros((64, 64), np.uint8))


def test_the_network_scores_every_pixel() -> None:
    assert ResNet50FCN(8)(torch.zeros(2, 3, 64, 96)).shape == (2, 1, 64, 96)
