"""Everything this package raises on purpose.

Each message is one plain sentence that says what is wrong and what to do next: the command line
prints it as it stands and the plugin shows it in the widget.
"""

from __future__ import annotations


class StainTransferError(Exception):
    """Base of every error raised on purpose; catch it to catch them all."""


class SlideError(StainTransferError):
    """A file cannot be used as a brightfield slide (missing, damaged, fluorescence, 16-bit, ...)."""


class OutputError(StainTransferError):
    """Results cannot be written where they were to go."""


class MissingResolutionError(StainTransferError):
    """A slide does not say how many micrometres a pixel is, and the caller did not either."""


class NoTissueError(StainTransferError):
    """A slide, or the region asked for, holds too little tissue to work with."""


class MissingDependencyError(StainTransferError):
    """An optional package is needed; the message names the extra that installs it."""


class MissingWeightsError(StainTransferError):
    """Pre-trained weights could neither be found nor downloaded."""


class PairsError(StainTransferError):
    """A pairs file is damaged or does not belong to these slides."""


class ModelFileError(StainTransferError):
    """A file is not a model of this package, or was written by an incompatible version."""


class TrainingError(StainTransferError):
    """Training cannot start or cannot go on (diverged, out of memory, wrong checkpoint)."""


class NotEnoughMemoryError(StainTransferError):
    """A device has too little memory for the smallest piece of the work."""


class DivergedError(TrainingError):
    """A training was stopped because its losses diverged.

    Attributes
    ----------
    model
        The :class:`Model` of the last good weights, where there are any to speak of; else None.
    """

    model: object = None
