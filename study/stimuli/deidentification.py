"""The de-identification gate: what a DICOM file says about text in its pixels.

Metadata never reach a stimulus, which is a bare buffer. What is burned into the pixels does, and
only a person can see it: the coordinator looks, and attests it.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

from study.domain.errors import BuildError

CHECKED = "checked"
ATTESTED = "attested"

_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_HEAD = frozenset(("HEAD", "BRAIN", "SKULL", "FACE", "HEADNECK", "SINUS", "ORBIT", "JAW"))


@dataclass(frozen=True)
class Declared:
    """What a DICOM header says.

    Parameters
    ----------
    burned_in : str
        "YES", "NO" or empty: Burned In Annotation (0028,0301).
    often_annotated : bool
        Secondary captures and ultrasound images, which usually carry text.
    head : bool
        CT or MR of the head.
    """

    burned_in: str = ""
    often_annotated: bool = False
    head: bool = False


def declared(path: Path) -> Declared:
    """Read the facts of a DICOM file that the gate needs, and no others."""
    import pydicom

    wanted = ["BurnedInAnnotation", "SOPClassUID", "Modality", "BodyPartExamined"]
    # An odd value is no reason to complain: it is not among those that are looked for.
    with warnings.catch_warnings(action="ignore"):
        header = pydicom.dcmread(path, force=True, specific_tags=wanted, stop_before_pixels=True)
        values = [str(header.get(name, "") or "").strip().upper() for name in wanted]
    burned, kind, modality, part = values
    often = kind.startswith(_SECONDARY_CAPTURE) or modality == "US"
    head = modality in ("CT", "MR") and part.replace(" ", "") in _HEAD
    return Declared(burned if burned in ("YES", "NO") else "", often, head)


def check(case: str, method: str, facts: Declared, *, attested: bool) -> tuple[str, ...]:
    """Refuse a file that may show a name; notes for the coordinator otherwise.

    Raises
    ------
    BuildError
        Text is burned in, or usual for the kind of file and not denied, and nobody attested that
        the pixels were looked at.
    """
    if not attested:
        act = (
            "Look at the image; if it names nobody, build with --attest-deidentified, which is "
            "recorded, else remove the text."
        )
        if facts.burned_in == "YES":
            raise BuildError(
                f"Case {case}: the file for {method} says that text is burned into its pixels "
                f"(Burned In Annotation, YES). {act}"
            )
        if facts.often_annotated and facts.burned_in != "NO":
            raise BuildError(
                f"Case {case}: the file for {method} is an ultrasound image or a secondary capture "
                f"and does not say whether text is burned into its pixels. {act}"
            )
    if facts.head:
        return ("Slices of a head: a face may be recognised in them.",)
    return ()
