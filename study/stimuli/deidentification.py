"""De-identification check: what a DICOM header says about text in the pixels.

Metadata never reach a stimulus, which is a raw buffer. Text burned into the pixels does, and only a
person can see it: the coordinator looks at the images and attests that they show no name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from study.domain.errors import BuildError

CHECKED = "checked"
ATTESTED = "attested"

ELEMENTS = ("BurnedInAnnotation", "SOPClassUID", "Modality", "BodyPartExamined")
"""The elements of a DICOM header that are read for the check, and no others."""

_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_HEAD = frozenset(("HEAD", "BRAIN", "SKULL", "FACE", "HEADNECK", "SINUS", "ORBIT", "JAW"))


@dataclass(frozen=True)
class Declared:
    """The relevant facts of a DICOM header.

    Parameters
    ----------
    burned_in : str
        "YES", "NO" or empty: Burned In Annotation (0028,0301).
    often_annotated : bool
        Whether it is a secondary capture or an ultrasound image, which often contain text.
    head : bool
        Whether it is a CT or MR image of the head.
    """

    burned_in: str = ""
    often_annotated: bool = False
    head: bool = False


def declared(header: Mapping[str, str]) -> Declared:
    """The facts that the check needs, from the elements `ELEMENTS` of a DICOM header."""
    burned, kind, modality, part = (header[name].strip().upper() for name in ELEMENTS)
    often = kind.startswith(_SECONDARY_CAPTURE) or modality == "US"
    head = modality in ("CT", "MR") and part.replace(" ", "") in _HEAD
    return Declared(burned if burned in ("YES", "NO") else "", often, head)


def check(case: str, method: str, facts: Declared, *, attested: bool) -> tuple[str, ...]:
    """Raise BuildError where a file may show a name; otherwise return notes for the coordinator.

    Raises
    ------
    BuildError
        Text is burned in, or likely and not denied by the header, and nobody attested that the
        pixels show no name.
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
