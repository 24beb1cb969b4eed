"""Derived DICOM objects: the header of the source, cleaned, with the pixels of a result.

Nothing of the source is kept but what `enhancers.save.dicom.kept` lists, and the identity of the
patient only where it is asked for.
"""

from __future__ import annotations

from enhancers.save.dicom.facts import DerivedFacts, new_uid
from enhancers.save.dicom.writer import DerivedHead, derived_dicom, derived_head

__all__ = ["DerivedFacts", "DerivedHead", "derived_dicom", "derived_head", "new_uid"]
