"""Batch norm between training and inference: settled, restated, folded away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from napari_stainxfer.models.blocks import ConvUnit


def batch_norms(module: nn.Module) -> Iterator[nn.BatchNorm2d]:
    """Every batch norm of a network, in order."""
    return (child for child in module.modules() if isinstance(child, nn.BatchNorm2d))


class _Statistics:
    """Mean and (biased) variance of each channel of features (N, C, H, W) seen part by part."""

    def __init__(self) -> None:
        self.count = 0

    def add(self, features: Tensor) -> None:
        """Chan's rule for two parts, which never subtracts large squares."""
        variance, mean = torch.var_mean(features, dim=(0, 2, 3), correction=0)
        count = features.numel() // features.shape[1]
        self.count += count
        if self.count == count:
            self.mean, self.variance = mean, variance
            return
        share, gap = count / self.count, mean - self.mean
        self.mean = self.mean + share * gap
        self.variance = torch.lerp(self.variance, variance, share) + share * (1 - share) * gap.square()


@torch.no_grad()
def settle_batch_norm(module: nn.Module, images: Tensor, *, batch_size: int | None = None) -> None:
    """Replace running statistics by the exact ones of ``images``, taken as a single batch.

    Running averages lag behind the weights and mix the statistics of many small batches. After this
    call, training mode on the whole of ``images`` and inference mode compute the same function.

    Parameters
    ----------
    module
        The network; its mode is left as found.
    images
        Float tensor (N, 3, H, W) in [0, 1]: all training patches.
    batch_size
        Images at a time, for less memory; the statistics are then near the exact ones only, because a
        part passes through the network before the next is seen.
    """

    def update(norm: nn.BatchNorm2d, statistics: _Statistics) -> None:
        assert norm.running_mean is not None
        assert norm.running_var is not None
        norm.running_mean.copy_(statistics.mean)
        norm.running_var.copy_(statistics.variance)

    with _watched(module, update):
        for part in torch.split(images, batch_size or len(images)):
            module(part)


@torch.no_grad()
def restate_batch_norm(module: nn.Module, images: Tensor, *, batch_size: int = 4) -> None:
    """Make the running statistics those of ``images`` without changing what inference mode computes.

    A network that was trained on with its statistics frozen computes what was trained in inference mode
    alone. Here scale and shift of every batch norm take up the difference between the frozen and the true
    statistics, so that afterwards training mode on the whole of ``images`` computes the same function too.

    Parameters
    ----------
    module, images
        As in :func:`settle_batch_norm`.
    batch_size
        Images at a time; the result does not depend on it.
    """
    with _watched(module) as found:
        for part in torch.split(images, batch_size):
            module(part)
    for norm, statistics in found.items():
        assert norm.running_mean is not None
        assert norm.running_var is not None
        slope = norm.weight * (norm.running_var + norm.eps).rsqrt()
        norm.bias.add_(slope * (statistics.mean - norm.running_mean))
        norm.weight.copy_(slope * (statistics.variance + norm.eps).sqrt())
        norm.running_mean.copy_(statistics.mean)
        norm.running_var.copy_(statistics.variance)


@contextmanager
def _watched(
    module: nn.Module, update: Callable[[nn.BatchNorm2d, _Statistics], None] | None = None
) -> Iterator[dict[nn.BatchNorm2d, _Statistics]]:
    """Inference mode with every batch norm's input measured just before it is normalised."""
    found = {norm: _Statistics() for norm in batch_norms(module)}

    def measure(norm: nn.Module, inputs: tuple[Tensor]) -> None:
        assert isinstance(norm, nn.BatchNorm2d)
        found[norm].add(inputs[0])
        if update is not None:
            update(norm, found[norm])

    hooks = [norm.register_forward_pre_hook(measure) for norm in found]
    was_training = module.training
    try:
        module.eval()
        yield found
    finally:
        module.train(was_training)
        for hook in hooks:
            hook.remove()


def fold_batch_norm(module: nn.Module) -> nn.Module:
    """Fold every batch norm into the convolution before it, in place, for inference only."""
    module.eval()
    for child in module.modules():
        if isinstance(child, ConvUnit) and isinstance(child[1], nn.BatchNorm2d):
            conv, norm = child[0], child[1]
            assert isinstance(conv, nn.Conv2d)
            child[0] = fuse_conv_bn_eval(conv, norm)
            child[1] = nn.Identity()
    return module
