"""What every generator promises, and what is special about each."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, fx, nn

from napari_stainxfer.models import (
    GENERATORS,
    HRNetGenerator,
    JohnsonGenerator,
    batch_norms,
    fold_batch_norm,
    make_generator,
    restate_batch_norm,
    settle_batch_norm,
)

Make = Callable[[], nn.Module]


def shaken(network: nn.Module, seed: int = 0) -> nn.Module:
    """The network in inference mode, nothing in it left at its starting value."""
    random = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        parameter.data += 0.2 * torch.randn(parameter.shape, generator=random, dtype=parameter.dtype)
    for norm in batch_norms(network):
        norm.running_mean = torch.randn(norm.num_features, generator=random, dtype=norm.weight.dtype)
        norm.running_var = 0.5 + torch.rand(norm.num_features, generator=random, dtype=norm.weight.dtype)
    return network.eval()


def pictures(*shape: int, seed: int = 1, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@torch.no_grad()
def disagreement(network: nn.Module, images: Tensor) -> float:
    """Largest difference of training mode and inference mode; running statistics stay as they are."""
    trained = copy.deepcopy(network).train()(images)
    return float((trained - copy.deepcopy(network).eval()(images)).abs().max())


@pytest.fixture(
    params=[
        pytest.param(lambda: HRNetGenerator(width=4), id="hrnet"),
        pytest.param(lambda: HRNetGenerator(width=4, stages=1), id="hrnet-1-stage"),
        pytest.param(lambda: HRNetGenerator(width=4, stages=3), id="hrnet-3-stages"),
        pytest.param(lambda: JohnsonGenerator(width=4), id="johnson"),
        pytest.param(lambda: JohnsonGenerator(width=4, blocks=2), id="johnson-2-blocks"),
    ]
)
def make(request: pytest.FixtureRequest) -> Make:
    factory: Make = request.param
    return factory


class TestEveryGenerator:
    @pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 7), (9, 2), (13, 11)])
    def test_keeps_any_size_on_its_grid_and_reaches_every_weight(
        self, make: Make, height: int, width: int
    ) -> None:
        network = shaken(make()).train()
        image = pictures(2, 3, height * network.align_px, width * network.align_px).requires_grad_()
        output = network(image)
        output.square().sum().backward()
        assert output.shape == image.shape
        assert image.grad is not None
        assert all(
            parameter.grad is not None and parameter.grad.isfinite().all()
            for parameter in network.parameters()
        )

    def test_every_weight_has_an_effect(self, make: Make) -> None:
        network = shaken(make().double()).train()
        network(pictures(2, 3, 24, 24, dtype=torch.double)).square().sum().backward()
        assert [name for name, value in network.named_parameters() if not value.grad.abs().any()] == []

    def test_state_goes_round(self, make: Make) -> None:
        network, other = shaken(make()), make()
        other.load_state_dict(copy.deepcopy(network.state_dict()))
        image = pictures(1, 3, 24, 20)
        with torch.no_grad():
            assert torch.equal(other.eval()(image), network(image))

    @pytest.mark.parametrize("training", [False, True])
    def test_memory_layout_changes_nothing(self, make: Make, training: bool) -> None:
        network = shaken(make().double()).train(training)  # its sigmoid magnifies single precision's rounding
        packed = copy.deepcopy(network).to(memory_format=torch.channels_last)
        image = pictures(2, 3, 32, 28, dtype=torch.double)
        with torch.no_grad():
            difference = network(image) - packed(image.contiguous(memory_format=torch.channels_last))
        assert difference.abs().max() < 1e-9

    def test_looks_no_further_than_it_says(self, make: Make) -> None:
        """With positive weights no gradient is lost, so its support is the whole receptive field."""
        network = make().double().eval()
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                module.weight.data = torch.rand_like(module.weight) + 0.5
                module.weight.data /= module.weight[0].numel()
        reach, align = network.reach_px, network.align_px
        centre = (reach + 2 * align) // align * align
        furthest = 0
        for offset in range(align):
            image = pictures(1, 3, 2 * centre, 2 * centre, dtype=torch.double).requires_grad_()
            network(image)[0, :, centre + offset, centre + offset].sum().backward()
            touched = image.grad[0].abs().sum(0).nonzero() - (centre + offset)
            furthest = max(furthest, int(touched.abs().max()))
        assert furthest < centre - align, "the picture is too small to tell"
        assert reach / 2 < furthest <= reach

    def test_moves_with_the_picture_in_steps_of_its_grid(self, make: Make) -> None:
        network = shaken(make().double())
        far, align = network.reach_px + 4, network.align_px
        image = pictures(1, 3, 2 * far + 24, 2 * far + 24, dtype=torch.double)
        inner = slice(far + align, far + align + 12)
        with torch.no_grad():
            whole = network(image)[..., inner, inner]
            cut = network(image[..., align:, align:])[..., far : far + 12, far : far + 12]
        assert (whole - cut).abs().max() < 1e-12

    def test_folding_batch_norm_changes_nothing(self, make: Make) -> None:
        network = shaken(make().double())
        folded = fold_batch_norm(copy.deepcopy(network))
        image = pictures(2, 3, 24, 32, dtype=torch.double)
        with torch.no_grad():
            assert (folded(image) - network(image)).abs().max() < 1e-10
        assert not list(batch_norms(folded))

    def test_settled_statistics_make_both_modes_agree(self, make: Make) -> None:
        network = shaken(make().double())
        patches = pictures(5, 3, 32, 32, dtype=torch.double)
        assert disagreement(network, patches) > 0.05
        settle_batch_norm(network, patches)
        assert not network.training, "the mode it was found in"
        assert disagreement(network, patches) < 1e-9

    def test_settled_part_by_part_is_near(self, make: Make) -> None:
        network = shaken(make().double())
        exact, parted = copy.deepcopy(network), copy.deepcopy(network)
        patches = pictures(6, 3, 32, 32, dtype=torch.double)
        settle_batch_norm(exact, patches)
        settle_batch_norm(parted, patches, batch_size=4)
        with torch.no_grad():
            near, before = ((other(patches) - exact(patches)).abs().mean() for other in (parted, network))
        assert 0 < near < before / 3

    @pytest.mark.parametrize("batch_size", [1, 2, 5])
    def test_restated_statistics_make_both_modes_agree_on_the_same_function(
        self, make: Make, batch_size: int
    ) -> None:
        network = shaken(make().double()).train()
        before = copy.deepcopy(network).eval()
        patches, others = (pictures(5, 3, 32, 32, seed=seed, dtype=torch.double) for seed in (1, 2))
        restate_batch_norm(network, patches, batch_size=batch_size)
        assert network.training, "the mode it was found in"
        assert disagreement(network, patches) < 1e-9
        with torch.no_grad():
            assert (network.eval()(others) - before(others)).abs().max() < 1e-9

    def test_a_failure_while_settling_leaves_the_network_usable(self, make: Make) -> None:
        network = make().train()
        with pytest.raises(RuntimeError):
            settle_batch_norm(network, pictures(1, 4, 16, 16))
        assert network.training
        assert not any(norm._forward_pre_hooks for norm in batch_norms(network))

    def test_every_convolution_but_the_last_is_normalised(self, make: Make) -> None:
        """The paper, section 3.3; Johnson's second convolution of a residual block has no ReLU."""
        network = make()
        *others, last = _followers(network)
        assert last == ("output",)
        residual_blocks = len(network.body) - 8 if isinstance(network, JohnsonGenerator) else 0
        assert others.count(("BatchNorm2d",)) == residual_blocks
        assert others.count(("BatchNorm2d", "ReLU")) == len(others) - residual_blocks > 0


def _followers(network: nn.Module) -> list[tuple[str, ...]]:
    """By convolution, in the order in which they run: what follows it, as far as it goes one by one."""
    graph, modules = fx.symbolic_trace(network).graph, dict(network.named_modules())
    found = []
    for node in graph.nodes:
        if node.op == "call_module" and isinstance(modules[node.target], nn.Conv2d):
            chain: list[str] = []
            while len(node.users) == 1:
                node = next(iter(node.users))
                if node.op != "call_module" or type(modules[node.target]).__name__ not in (
                    "BatchNorm2d",
                    "ReLU",
                ):
                    break
                chain.append(type(modules[node.target]).__name__)
            found.append(tuple(chain) or ("output",))
    return found


@pytest.mark.parametrize("name", sorted(GENERATORS))
def test_made_by_name_and_width(name: str) -> None:
    narrow, default = make_generator(name, width=4), make_generator(name)
    assert type(narrow) is type(default) is GENERATORS[name]
    assert next(narrow.parameters()).shape[0] == 4 < next(default.parameters()).shape[0]


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(KeyError, match=r"'unet'.*hrnet.*johnson"):
        make_generator("unet")


class TestHRNet:
    @pytest.mark.parametrize("training", [False, True])
    def test_starts_at_exactly_the_identity(self, training: bool) -> None:
        image = pictures(2, 3, 36, 44)
        assert torch.equal(HRNetGenerator().train(training)(image), image)

    def test_can_leave_the_identity(self) -> None:
        network = HRNetGenerator(width=4)
        network(pictures(2, 3, 16, 16)).sum().backward()
        assert network.residual.weight.grad.abs().max() > 0

    def test_adds_its_input_to_its_output(self) -> None:
        """Equation 8: without its input the network gives the residual alone."""
        network, image = shaken(HRNetGenerator(width=4).double()), pictures(1, 3, 16, 16, dtype=torch.double)
        seen: list[Tensor] = []
        network.residual.register_forward_hook(lambda module, args, output: seen.append(output))
        with torch.no_grad():
            output = network(image)
        assert torch.equal(output, image + seen[0])

    def test_three_resolutions_run_side_by_side_and_feed_each_other(self) -> None:
        network = shaken(HRNetGenerator(width=4, stages=3))
        streams = [
            pictures(1, 4 * 2**level, 32 >> level, 32 >> level, seed=level).requires_grad_()
            for level in range(3)
        ]
        for stage in network.three_streams:
            after = stage(streams)
            last = stage is network.three_streams[-1]
            assert [tuple(stream.shape) for stream in after] == [
                tuple(stream.shape) for stream in (streams[:1] if last else streams)
            ]
            for stream in after:
                gradients = torch.autograd.grad(stream.sum(), streams, retain_graph=True)
                assert all(gradient.abs().sum() > 0 for gradient in gradients)


class TestJohnson:
    def test_stays_in_range(self) -> None:
        output = shaken(JohnsonGenerator(width=4))(10 * pictures(1, 3, 16, 16))
        assert 0 <= output.min() < output.max() <= 1

    def test_halves_twice_and_comes_back(self) -> None:
        network, sizes = JohnsonGenerator(width=4), []
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                module.register_forward_hook(lambda module, args, output: sizes.append(output.shape[-1]))
        network(pictures(2, 3, 32, 32))
        assert sizes == [32, 16] + [8] * 11 + [16, 32, 32]
