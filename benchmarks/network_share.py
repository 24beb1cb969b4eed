"""How much of a learned method's result is its network's, by method and modality.

The result is compared with what needs no network: the input, the modality's classical pipeline, and
the best gain and offset of the input. Where these distances are under a gray level the network is
not seen; where a second seed gives the same image nothing was drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from enhancers import compare
from enhancers.degrade import degrade
from enhancers.evaluation.cases import PHANTOMS, read_cases
from enhancers.evaluation.measures import fit
from enhancers.evaluation.problem import TestImage
from enhancers.image import Pixels, from_array
from enhancers.method import ParameterValue
from enhancers.registry import get

GRAY_LEVELS = 255.0
NOISE = {"mr": ("rician", 0.04), "ct": ("low_dose", 0.1), "us": ("speckle", 0.2),
         "xr": ("gaussian", 0.05)}  # fmt: skip
"""By group, the degradation that its modality has and a usual level of it."""
LIGHT = ("low_light", 0.3)
DARK_GROUPS = ("mr", "ct", "xr", "fundus", "micro")


@dataclass(frozen=True)
class Setting:
    """A learned method with parameters that differ from its presets, and what it is tried on."""

    method: str
    groups: tuple[str, ...] = tuple(NOISE)
    given: tuple[tuple[str, ParameterValue], ...] = ()

    @property
    def label(self) -> str:
        """For the table, such as "DDNM, output = one call"."""
        return ", ".join([get(self.method).label, *(f"{k} = {v}" for k, v in self.given)])


RESTORED_GROUPS = ("mr", "ct", "us")

SETTINGS = (
    Setting("denoiser"),
    Setting("pix2pix", RESTORED_GROUPS),
    Setting("restormer", RESTORED_GROUPS),
    Setting("diffusion_unet", RESTORED_GROUPS),
    Setting("null_space"),
    Setting("null_space", given=(("output", "one call"),)),
    *(
        Setting("pseudo_label", given=(("preset", preset), ("contrast", False)))
        for preset in ("from the image", "two-call denoiser", "published")
    ),
    Setting("unimie", DARK_GROUPS),
)


@dataclass(frozen=True)
class Share:
    """Distances of one result as root mean squares, in gray levels of 255.

    Parameters
    ----------
    label, group, image : str
        Of the setting, and the image's key.
    calls : int
        Of the network.
    to_input, to_classical, to_affine, to_seed : float
        To the input, the pipeline without its contrast step, the affine map of the input that is
        nearest to the result, and the result of the next seed.
    """

    label: str
    group: str
    image: str
    calls: int
    to_input: float
    to_classical: float
    to_affine: float
    to_seed: float


DISTANCES = (("to_input", "to the input"), ("to_classical", "to the classical pipeline"),
             ("to_affine", "to the best affine map of the input"),
             ("to_seed", "between two seeds"))  # fmt: skip


def network_shares(
    data: Path | None, images: int, device: str, settings: Sequence[Setting] = SETTINGS,
    tick: Callable[[str], None] = lambda _: None,
) -> Iterator[Share]:  # fmt: skip
    """Measure ``settings`` on ``images`` held-out images of each group; phantoms without ``data``.

    Raises
    ------
    ReadingRoomError
        The folder cannot be read.
    """
    for setting in settings:
        for case in read_cases(data or PHANTOMS, setting.groups, limit=images):
            yield share(setting, case, device)
            tick(setting.label)


def share(setting: Setting, case: TestImage, device: str) -> Share:
    """Run a setting on a degraded image and measure how far the result is from others."""
    kind, level = LIGHT if setting.method == "unimie" else NOISE[case.group]
    image = from_array(degrade(case.truth, kind, level, seed=case.seed), case.modality)
    given = dict(setting.given)
    first, second = (
        compare.enhance(image, setting.method, params=given, seed=seed, device=device)
        for seed in (0, 1)
    )
    classical = compare.enhance(image, "classical", params={"contrast": False}).pixels

    def distance(other: Pixels) -> float:
        return GRAY_LEVELS * float(np.sqrt(np.square(first.pixels - other).mean()))

    return Share(
        setting.label, case.group, case.key, first.calls, distance(image.pixels),
        distance(classical), distance(fit(image.pixels, first.pixels).pixels),
        distance(second.pixels),
    )  # fmt: skip


def as_markdown(shares: Sequence[Share], written: str = "") -> str:
    """A row for each setting and group: means over the images, with the least and the largest.

    ``written`` says by which command and when.
    """
    usual = ", ".join(f"{group} {kind} {level:g}" for group, (kind, level) in NOISE.items())
    lines = [
        "# What the networks changed", "",
        f"{written}Distances of results as root mean squares in gray levels of 255, on held-out "
        f"images with {usual}; for UniMIE {LIGHT[0]} {LIGHT[1]:g} in all groups. The classical "
        "pipeline is that of the modality without its contrast step.", "",
    ]  # fmt: skip
    heads = ["method", "group", "images", "calls", *(head for _, head in DISTANCES)]
    lines += [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for label, group in dict.fromkeys((one.label, one.group) for one in shares):
        own = [one for one in shares if (one.label, one.group) == (label, group)]
        calls = " or ".join(str(number) for number in sorted({one.calls for one in own}))
        cells = [label, group, str(len(own)), calls]
        for name, _ in DISTANCES:
            values = [float(asdict(one)[name]) for one in own]
            span = f" ({min(values):.2f} to {max(values):.2f})" if len(values) > 1 else ""
            cells.append(f"{np.mean(values):.2f}{span}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
