"""How colours of the style look to people, with and without a deficiency of colour vision.

Deficiencies are simulated at full severity with the matrices of Machado, Oliveira and Fernandes, "A
Physiologically-based Model for Simulation of Color Vision Deficiency" (IEEE TVCG 15(6), 2009), on linear
RGB. Differences are CIEDE2000 (Sharma, Wu and Dalal, 2005); contrast is that of WCAG 2.
"""

import re
from collections.abc import Sequence
from math import atan2, cos, degrees, exp, hypot, radians, sin, sqrt
from typing import Final

Vector = tuple[float, float, float]
Matrix = tuple[Vector, Vector, Vector]

VISIONS: Final[dict[str, Matrix]] = {
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}

_TO_XYZ: Final[Matrix] = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
_WHITE: Final[Vector] = (0.95047, 1.0, 1.08883)


def palettes(style: str) -> dict[str, dict[str, str]]:
    """The variables of the style, light and dark; what is not said for dark is as in light."""
    light, dark = (
        dict(re.findall(r"--([\w-]+):\s*([^;]+);", block))
        for block in re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    )
    return {"light": light, "dark": {**light, **dark}}


def linear(colour: str) -> Vector:
    """A colour such as ``#1c3c6b`` as linear RGB."""
    red, green, blue = (_linear(int(colour[at : at + 2], 16) / 255) for at in (1, 3, 5))
    return red, green, blue


def blended(colour: Vector, over: Vector, alpha: float) -> Vector:
    """A colour that lets another shine through, as browsers do it: in sRGB."""
    red, green, blue = (
        _linear(alpha * _encoded(top) + (1 - alpha) * _encoded(below))
        for top, below in zip(colour, over, strict=True)
    )
    return red, green, blue


def seen(colour: Vector, vision: str) -> Vector:
    """A colour as somebody sees it."""
    red, green, blue = (min(1, max(0, each)) for each in _times(VISIONS[vision], colour))
    return red, green, blue


def contrast(first: Vector, second: Vector) -> float:
    """The contrast of two colours (WCAG 2), from 1 to 21."""
    dark, light = sorted(_times(_TO_XYZ, each)[1] for each in (first, second))
    return (light + 0.05) / (dark + 0.05)


def difference(first: Vector, second: Vector) -> float:
    """How different two colours look; about 2 is just noticeable side by side."""
    return ciede2000(_lab(first), _lab(second))


def ciede2000(first: Vector, second: Vector) -> float:
    """The difference of two colours in CIELAB."""
    light_1, a_1, b_1 = first
    light_2, a_2, b_2 = second
    stretch = 1.5 - 0.5 * _seventh((hypot(a_1, b_1) + hypot(a_2, b_2)) / 2)
    chroma_1, chroma_2 = hypot(a_1 * stretch, b_1), hypot(a_2 * stretch, b_2)
    hue_1, hue_2 = (degrees(atan2(b, a * stretch)) % 360 for a, b in ((a_1, b_1), (a_2, b_2)))
    turn = (hue_2 - hue_1 + 180) % 360 - 180
    hue = hue_1 + turn / 2
    light, chroma = (light_1 + light_2) / 2, (chroma_1 + chroma_2) / 2
    skew = (
        1
        - 0.17 * cos(radians(hue - 30))
        + 0.24 * cos(radians(2 * hue))
        + 0.32 * cos(radians(3 * hue + 6))
        - 0.20 * cos(radians(4 * hue - 63))
    )
    lighter = (light_2 - light_1) / (1 + 0.015 * (light - 50) ** 2 / sqrt(20 + (light - 50) ** 2))
    purer = (chroma_2 - chroma_1) / (1 + 0.045 * chroma)
    turned = 2 * sqrt(chroma_1 * chroma_2) * sin(radians(turn / 2)) / (1 + 0.015 * chroma * skew)
    rotation = -2 * _seventh(chroma) * sin(radians(60 * exp(-((((hue % 360) - 275) / 25) ** 2))))
    return sqrt(lighter**2 + purer**2 + turned**2 + rotation * purer * turned)


def _seventh(chroma: float) -> float:
    return sqrt(chroma**7 / (chroma**7 + 25**7))


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def _encoded(part: float) -> float:
    return part * 12.92 if part <= 0.0031308 else 1.055 * part ** (1 / 2.4) - 0.055


def _times(matrix: Matrix, vector: Vector) -> Sequence[float]:
    return [sum(factor * part for factor, part in zip(row, vector, strict=True)) for row in matrix]


def _lab(colour: Vector) -> Vector:
    x, y, z = (
        each ** (1 / 3) if each > 0.008856 else 7.787 * each + 16 / 116
        for each in (part / white for part, white in zip(_times(_TO_XYZ, colour), _WHITE, strict=True))
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)
