"""What a file of this program says about its values, so that it is opened as what it was.

NIfTI, NRRD, MHA and TIFF have no field for the modality or the units of values. A line of text has
both; of a line in a file that is read only numbers and known words are taken.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, replace

from enhancers.geometry import is_length
from enhancers.image import MedicalImage, Window
from enhancers.method import RELATIVE_UNITS, Modality

NOT_FOR_DIAGNOSIS = "Not a medical device. Not for diagnosis."

UNITS = frozenset(
    ("HU", *RELATIVE_UNITS, "SUV", "SUV (lean body mass)", "SUV (body surface)",
     "SUV (ideal body weight)", "Bq/ml", "kBq/ml", "counts", "counts/s", "proportional to counts",
     "proportional to counts/s", "standard deviations", "mm²/s", "µm²/s", "10⁻⁶ mm²/s",
     "10⁻³ mm²/s", "s", "ms", "µs", "1/s", "1/min", "Hz", "rad", "deg", "%", "ppm", "Gy", "cGy",
     "relative dose", "mg/ml", "µg/ml", "mmol/l", "ml/min/g", "ml/100 g/min", "ml/100 ml/min",
     "ml/100 g", "mg/min/ml", "µmol/min/ml", "ml/g", "1/cm", "µmol/ml", "ml/min/ml", "ml/ml",
     "mm", "µm", "mm/s", "cm/s", "m/s", "kPa", "Pa", "T", "µT")
)  # fmt: skip
"""Units that are taken from the text of a file; any other text may be a name."""

_MAPPED = "gray level, not "
_NUMBER = r"(-?[0-9.]+(?:e[-+]?[0-9]+)?)"
_FIELDS = re.compile(
    r"units: (?P<units>[^;]{1,40}); modality: (?P<modality>[A-Z]+); "
    rf"window: {_NUMBER} to {_NUMBER}(?:; spacing: {_NUMBER} x {_NUMBER} mm)?"
)


@dataclass(frozen=True)
class StatedFacts:
    """Facts about the values of a result.

    Parameters
    ----------
    units : str
        Those of `MedicalImage`.
    modality : Modality
    window : Window
        ``low > high`` where low values are shown as white.
    spacing : (row, column) or None
        In mm.
    """

    units: str
    modality: Modality
    window: Window
    spacing: tuple[float, float] | None = None

    @classmethod
    def of_result(cls, image: MedicalImage, units: str = "", scale: int = 1) -> StatedFacts:
        """Those of a result of ``image`` in ``units``, enlarged ``scale`` times."""
        kept = units in ("", image.units)
        spacing = None
        if image.spacing is not None:
            spacing = image.spacing[0] / scale, image.spacing[1] / scale
        window = image.window if kept else Window(0.0, 1.0)
        return cls(image.units if kept else units, image.modality, window, spacing)

    @property
    def text(self) -> str:
        """The facts in a line, as `read_facts` reads them."""
        spacing = ""
        if self.spacing is not None:
            spacing = f"; spacing: {self.spacing[0]:.9g} x {self.spacing[1]:.9g} mm"
        return self._values(9) + spacing

    @property
    def short_text(self) -> str:
        """The facts about values in at most 79 bytes; the window to six digits, or fewer."""
        for digits in range(6, 0, -1):
            text = self._values(digits)
            if len(text.encode()) < 80:
                return text
        return replace(self, units=RELATIVE_UNITS[0]).short_text

    def _values(self, digits: int) -> str:
        low, high = (f"{end:.{digits}g}" for end in (self.window.low, self.window.high))
        return f"units: {self.units}; modality: {self.modality}; window: {low} to {high}"


def known_text(text: str) -> str:
    """What `read_facts` takes of a text of a file, written anew; empty for nothing."""
    facts = read_facts(text)
    return "" if facts is None else facts.text


def read_facts(text: str) -> StatedFacts | None:
    """The facts in a text of a file; None where it is not one of this program.

    Units that are not known become "gray level": a text of a file is never shown.

    Examples
    --------
    >>> read_facts("units: HU; modality: CT; window: -160 to 240").window
    Window(low=-160.0, high=240.0)
    """
    with suppress(UnicodeError):
        # Headers are read byte by byte.
        text = text.encode("latin-1").decode()
    found = _FIELDS.search(text)
    if found is None or found["modality"] not in set(Modality):
        return None
    try:
        low, high, *sides = (float(one) for one in found.groups()[2:] if one is not None)
        window = Window(low, high)
    except ValueError:
        return None
    spacing = (sides[0], sides[1]) if sides and is_length(*sides) else None
    units = found["units"]
    if units.removeprefix(_MAPPED) not in UNITS:
        units = RELATIVE_UNITS[0]
    return StatedFacts(units, Modality(found["modality"]), window, spacing)
