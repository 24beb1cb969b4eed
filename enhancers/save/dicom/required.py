"""What the class of a derived DICOM object requires and its source may lack (PS3.3, A and C)."""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    EnhancedMRColorImageStorage,
    EnhancedMRImageStorage,
    EnhancedPETImageStorage,
    LegacyConvertedEnhancedCTImageStorage,
    LegacyConvertedEnhancedMRImageStorage,
    LegacyConvertedEnhancedPETImageStorage,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
)

_LEGACY = (
    LegacyConvertedEnhancedCTImageStorage, LegacyConvertedEnhancedMRImageStorage,
    LegacyConvertedEnhancedPETImageStorage,
)  # fmt: skip
_ENHANCED = (
    EnhancedCTImageStorage, EnhancedMRImageStorage, EnhancedPETImageStorage,
    EnhancedMRColorImageStorage,
)  # fmt: skip
ENHANCED = frozenset((*_LEGACY, *_ENHANCED))
"""Classes whose image type has four words."""

_MAY_BE_EMPTY = {
    CTImageStorage: ("PatientPosition", "AcquisitionNumber", "KVP"),
    MRImageStorage: (
        "PatientPosition", "ScanOptions", "MRAcquisitionType", "EchoTime", "EchoTrainLength"
    ),
    PositronEmissionTomographyImageStorage: ("PatientPosition",),
    **dict.fromkeys((*_LEGACY, *_ENHANCED), ("PatientPosition",)),
    **dict.fromkeys(_ENHANCED, ("PatientPosition", "AcquisitionContextSequence")),
}  # fmt: skip
"""Elements of type 2 and 2C, which are stated without a value where it is not known."""


def state_unknown(dataset: Dataset) -> None:
    """State without a value what the class of an object requires and its source lacks."""
    kind = dataset.SOPClassUID
    names = [*_MAY_BE_EMPTY.get(kind, ())]
    if "FrameOfReferenceUID" in dataset:
        names.append("PositionReferenceIndicator")
    if "ImageLaterality" not in dataset:
        names.append("Laterality")
    if kind not in ENHANCED and "ImagePositionPatient" not in dataset:
        names.append("PatientOrientation")
    for name in names:
        if name not in dataset:
            setattr(dataset, name, [] if name.endswith("Sequence") else None)
    if kind in _ENHANCED:
        # What made it is no product for diagnosis (C.8.13.2.1.1).
        dataset.ContentQualification = "RESEARCH"
