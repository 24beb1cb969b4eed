"""Export of results: the formats, and a zip of a complete run.

Of the input file only pixels, geometry and window are copied; of DICOM what `enhancers.save.dicom`
lists.
"""

from __future__ import annotations

from enhancers.save.bundle import BundleItem, write_bundle
from enhancers.save.kspace import to_npz
from enhancers.save.png import WHITE, read_png16, save_png16, to_png16
from enhancers.save.source_units import FADE, in_source_units
from enhancers.save.tiff import BundleMap, to_tiff_map, to_tiff_source
from enhancers.stated_facts import NOT_FOR_DIAGNOSIS

__all__ = [
    "FADE",
    "NOT_FOR_DIAGNOSIS",
    "WHITE",
    "BundleItem",
    "BundleMap",
    "in_source_units",
    "read_png16",
    "save_png16",
    "to_npz",
    "to_png16",
    "to_tiff_map",
    "to_tiff_source",
    "write_bundle",
]
