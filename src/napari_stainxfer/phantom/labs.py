"""Eight laboratories: how each stains, cuts and scans the same tissue.

They are frozen: whoever changes a lab changes every table. A glomerulus segmenter of lab 1 finds nothing in
labs 2 and 5, next to nothing in lab 8, more or less of labs 3, 4 and 7, and most of lab 6, see
``docs/eight-labs.md``.
"""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Vector = tuple[float, float, float]
Matrix = tuple[Vector, Vector, Vector]
_IDENTITY: Matrix = ((1, 0, 0), (0, 1, 0), (0, 0, 1))


def _unit(v: Vector) -> Vector:
    norm = math.sqrt(sum(a * a for a in v))
    if norm == 0 or min(v) < 0:
        raise ValueError("a stain vector needs three optical densities of 0 or more, not all 0")
    if abs(norm - 1) < 1e-9:
        return v  # so that a lab survives being saved and loaded
    return (v[0] / norm, v[1] / norm, v[2] / norm)


def _white_stays_white(m: Matrix) -> Matrix:
    if any(abs(sum(row) - 1) > 1e-6 for row in m):
        raise ValueError("each row of the colour response must sum to 1, so that glass stays white")
    return m


StainVector = Annotated[Vector, AfterValidator(_unit)]


class Lab(BaseModel):
    """One laboratory's stains and scanner.

    Concentrations follow ``thickness * scale * c ** gamma``; light follows Beer and Lambert,
    ``T = 10 ** -(C V)``; then focus, colour response, sharpening and noise of the scanner.

    Attributes
    ----------
    haematoxylin, eosin, haemoglobin : tuple of float
        Optical density of one unit of stain in red, green and blue; normalised to length 1.
    scale, gamma : tuple of float
        Strength and contrast of the three stains, in the same order.
    thickness : float
        Section thickness relative to lab 1: multiplies every optical density.
    white : tuple of float
        Stored value of bare glass, 0 to 255.
    response : 3 x 3 floats
        Scanner colour matrix on transmitted light; rows sum to 1.
    tone : tuple of float
        Exponent of each channel after the matrix; 1 is linear.
    focus_um : float
        Standard deviation of the point spread in um.
    sharpen : float
        Strength of the scanner's unsharp mask (radius 0.5 um); 0 is off.
    noise : float
        Standard deviation of the sensor noise at mid grey, in grey levels.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    name: str
    haematoxylin: StainVector = (0.62, 0.71, 0.33)
    eosin: StainVector = (0.16, 0.93, 0.33)
    haemoglobin: StainVector = (0.10, 0.74, 0.66)
    scale: Vector = (1.0, 1.0, 1.0)
    gamma: Vector = (1.0, 1.0, 1.0)
    thickness: float = Field(default=1.0, gt=0, le=4)
    white: Vector = (243, 242, 244)
    response: Annotated[Matrix, AfterValidator(_white_stays_white)] = _IDENTITY
    tone: Vector = (1.0, 1.0, 1.0)
    focus_um: float = Field(default=0.25, ge=0, le=5)
    sharpen: float = Field(default=0.0, ge=0, le=3)
    noise: float = Field(default=1.2, ge=0, le=30)

    @property
    def stain_matrix(self) -> NDArray[np.float32]:
        """Rows haematoxylin, eosin, haemoglobin; columns red, green, blue (unit optical-density vectors)."""
        return np.array([self.haematoxylin, self.eosin, self.haemoglobin], np.float32)

    def ideal(self) -> Lab:
        """Return this lab's stains on a perfect scanner: no blur, noise or colour response, glass at 255."""
        return Lab(
            name=f"{self.name}-ideal",
            haematoxylin=self.haematoxylin,
            eosin=self.eosin,
            haemoglobin=self.haemoglobin,
            scale=self.scale,
            gamma=self.gamma,
            thickness=self.thickness,
            white=(255, 255, 255),
            focus_um=0,
            noise=0,
        )


LABS: dict[str, Lab] = {
    lab.name: lab
    for lab in (
        # the reference: well balanced, sharp, linear scanner
        Lab(name="lab1", sharpen=0.5),
        # haematoxylin faded to a warm grey, eosin strong and orange-red, thick sections, out of focus
        Lab(
            name="lab2",
            haematoxylin=(0.50, 0.70, 0.51),
            eosin=(0.05, 0.79, 0.61),
            haemoglobin=(0.04, 0.64, 0.77),
            scale=(0.36, 1.15, 0.95),
            gamma=(1.0, 0.9, 1.0),
            thickness=1.3,
            white=(240, 232, 222),
            response=((0.94, 0.06, 0.0), (0.04, 0.92, 0.04), (0.0, 0.08, 0.92)),
            focus_um=0.7,
            noise=3.0,
        ),
        # pale eosin that leans to violet, soft focus
        Lab(
            name="lab3",
            haematoxylin=(0.70, 0.65, 0.28),
            eosin=(0.32, 0.90, 0.20),
            haemoglobin=(0.08, 0.80, 0.50),
            scale=(0.8, 0.4, 0.8),
            white=(236, 238, 246),
            focus_um=0.9,
            noise=2.0,
        ),
        # mild: pinker, haematoxylin a little weak, not quite sharp
        Lab(
            name="lab4",
            haematoxylin=(0.58, 0.71, 0.40),
            eosin=(0.10, 0.87, 0.48),
            scale=(0.72, 1.0, 1.0),
            white=(245, 244, 241),
            focus_um=0.5,
        ),
        # faded slides under a yellowish lamp
        Lab(
            name="lab5",
            haematoxylin=(0.58, 0.68, 0.45),
            eosin=(0.10, 0.86, 0.50),
            scale=(0.55, 0.65, 0.75),
            white=(246, 240, 224),
            focus_um=0.5,
            noise=2.2,
        ),
        # the mildest: a little bluer, haematoxylin a little strong
        Lab(
            name="lab6",
            haematoxylin=(0.70, 0.65, 0.29),
            eosin=(0.21, 0.92, 0.31),
            scale=(1.25, 0.85, 1.0),
            thickness=1.04,
            white=(238, 240, 246),
            focus_um=0.6,
            noise=1.6,
        ),
        # thick, dark sections, crossed colour channels, soft focus
        Lab(
            name="lab7",
            haematoxylin=(0.56, 0.76, 0.33),
            eosin=(0.17, 0.94, 0.29),
            haemoglobin=(0.16, 0.78, 0.60),
            scale=(1.05, 1.05, 1.0),
            thickness=1.9,
            white=(234, 229, 236),
            response=((0.92, 0.08, 0.0), (0.06, 0.88, 0.06), (0.0, 0.08, 0.92)),
            focus_um=1.3,
            noise=2.5,
        ),
        # over-stained with haematoxylin, blue and grainy
        Lab(
            name="lab8",
            haematoxylin=(0.76, 0.60, 0.25),
            eosin=(0.34, 0.86, 0.30),
            haemoglobin=(0.18, 0.80, 0.56),
            scale=(1.5, 0.6, 0.9),
            gamma=(0.8, 1.0, 1.0),
            white=(230, 235, 244),
            tone=(1.08, 1.0, 0.9),
            focus_um=0.6,
            sharpen=0.8,
            noise=3.5,
        ),
    )
}
