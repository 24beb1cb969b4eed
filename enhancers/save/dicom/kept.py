"""The elements of a DICOM header that a derived object keeps, and how each is checked.

A name or a date may stand in any text of a header. Of numbers, unique identifiers, known words and
known codes of anatomy only these elements are kept; texts, dates and times never, unless the
patient is kept on request.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.tag import Tag

TECHNICAL = (
    "SOPClassUID", "SOPInstanceUID", "Modality", "ImageType", "InstanceNumber", "SeriesNumber",
    "AcquisitionNumber", "Laterality", "ImageLaterality", "PatientPosition", "ViewPosition",
    "PresentationIntentType", "PixelIntensityRelationship", "PixelIntensityRelationshipSign",
    "BurnedInAnnotation", "LossyImageCompression", "LossyImageCompressionRatio",
    "LossyImageCompressionMethod",
    "FrameOfReferenceUID", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing",
    "PixelSpacingCalibrationType", "ImagerPixelSpacing", "NominalScannedPixelSpacing",
    "EstimatedRadiographicMagnificationFactor", "DistanceSourceToDetector",
    "DistanceSourceToPatient", "SliceThickness", "SpacingBetweenSlices", "SliceLocation",
    "PixelAspectRatio", "PatientOrientation",
    "NumberOfFrames", "FrameIncrementPointer", "FrameTime", "FrameTimeVector",
    "GridFrameOffsetVector", "DoseUnits", "DoseType", "DoseSummationType", "DoseGridScaling",
    "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "BitsStored", "HighBit",
    "PixelRepresentation", "PixelPaddingValue", "PixelPaddingRangeLimit", "PresentationLUTShape",
    "RescaleIntercept", "RescaleSlope", "RescaleType", "ModalityLUTSequence", "VOILUTSequence",
    "WindowCenter", "WindowWidth", "VOILUTFunction",
    "KVP", "XRayTubeCurrent", "Exposure", "ExposureTime", "DataCollectionDiameter",
    "ReconstructionDiameter", "GantryDetectorTilt", "TableHeight", "RotationDirection",
    "SingleCollimationWidth", "TotalCollimationWidth", "SpiralPitchFactor",
    "ScanningSequence", "SequenceVariant", "MRAcquisitionType", "RepetitionTime", "EchoTime",
    "InversionTime", "FlipAngle", "EchoNumbers", "NumberOfAverages", "ImagingFrequency",
    "EchoTrainLength", "MagneticFieldStrength", "PixelBandwidth", "AcquisitionMatrix",
    "InPlanePhaseEncodingDirection", "NumberOfPhaseEncodingSteps", "PercentSampling",
    "PercentPhaseFieldOfView", "DiffusionBValue", "TemporalPositionIdentifier",
    "NumberOfTemporalPositions", "TriggerTime", "ComplexImageComponent", "AcquisitionContrast",
    "Units", "CountsSource", "SeriesType", "DecayCorrection", "NumberOfSlices",
    "NumberOfTimeSlices",
    "ImageIndex", "FrameReferenceTime", "ActualFrameDuration", "DecayFactor", "SUVType",
    "DoseCalibrationFactor", "ScatterFractionFactor", "RadiopharmaceuticalInformationSequence",
    "RadionuclideTotalDose", "RadionuclideHalfLife", "RadionuclidePositronFraction",
    "SequenceOfUltrasoundRegions", "RegionSpatialFormat", "RegionDataType", "RegionFlags",
    "RegionLocationMinX0", "RegionLocationMinY0", "RegionLocationMaxX1", "RegionLocationMaxY1",
    "PhysicalUnitsXDirection", "PhysicalUnitsYDirection", "PhysicalDeltaX", "PhysicalDeltaY",
    "ReferencePixelX0", "ReferencePixelY0", "ReferencePixelPhysicalValueX",
    "ReferencePixelPhysicalValueY", "TransducerFrequency",
    "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
    "PixelMeasuresSequence", "PlanePositionSequence", "PlaneOrientationSequence",
    "FrameVOILUTSequence", "PixelValueTransformationSequence", "FrameContentSequence",
    "FrameAcquisitionNumber", "FrameAcquisitionDuration", "InStackPositionNumber", "StackID",
    "TemporalPositionIndex", "DimensionIndexValues", "CTImageFrameTypeSequence",
    "MRImageFrameTypeSequence", "PETFrameTypeSequence", "XAXRFFrameCharacteristicsSequence",
    "FrameType", "PixelPresentation", "VolumetricProperties", "VolumeBasedCalculationTechnique",
    "MREchoSequence", "EffectiveEchoTime", "MRDiffusionSequence", "DiffusionDirectionality",
    "DiffusionGradientDirectionSequence", "DiffusionGradientOrientation",
    "DimensionOrganizationSequence", "DimensionIndexSequence", "DimensionOrganizationUID",
    "DimensionIndexPointer", "FunctionalGroupPointer", "DimensionOrganizationType",
    "FrameAnatomySequence", "FrameLaterality", "AnatomicRegionSequence",
    "AnatomicRegionModifierSequence",
)  # fmt: skip
"""Elements that are kept, at every level of nesting."""

SCALED_TABLES = ("ModalityLUTSequence", "VOILUTSequence")
"""Lookup tables, which are read to see what the values are, and never written."""

PATIENT = (
    "SpecificCharacterSet",
    "PatientName", "PatientID", "IssuerOfPatientID", "OtherPatientIDs", "OtherPatientIDsSequence",
    "PatientBirthDate", "PatientBirthTime", "PatientSex", "PatientAge", "PatientSize",
    "PatientWeight", "EthnicGroup", "PatientComments", "PatientSpeciesDescription",
    "PatientIdentityRemoved", "DeidentificationMethod", "DeidentificationMethodCodeSequence",
    "StudyInstanceUID", "StudyDate", "StudyTime", "StudyID", "StudyDescription",
    "AccessionNumber", "ReferringPhysicianName", "BodyPartExamined",
)  # fmt: skip
"""The Patient and Study modules (C.7.1.1, C.7.2.1, C.7.2.2), kept on request."""

_NUMBERS = frozenset(("DS", "IS", "US", "SS", "UL", "SL", "FL", "FD", "UV", "SV", "AT"))
_UID = re.compile(r"[0-9.]{1,64}")
_STACK = re.compile(r"[0-9]{1,16}")
_WORDS = frozenset(
    ("ORIGINAL", "DERIVED", "PRIMARY", "SECONDARY", "AXIAL", "LOCALIZER", "REFORMATTED",
     "VOLUME", "NONE", "MIXED", "M", "P", "R", "I", "MAGNITUDE", "PHASE", "REAL", "IMAGINARY",
     "NORM", "DIS2D", "DIS3D", "FM", "FFE", "SE", "IR", "GR", "EP", "RM", "T1", "T2", "PD",
     "T1_WEIGHTED", "T2_WEIGHTED", "DIFFUSION", "ADC", "TRACEW", "FA", "WATER", "FAT",
     "IN_PHASE", "OPP_PHASE", "SUB", "ND", "MPR", "MIP", "OTHER", "STATIC", "DYNAMIC", "GATED",
     "WHOLE", "BODY", "IMAGE", "REPROJECTION", "EMISSION", "TRANSMISSION", "START", "ADMIN",
     "CT", "MR", "PT", "NM", "US", "IVUS", "CR", "DX", "DR", "MG", "RF", "RG", "XA", "IO", "PX",
     "OP", "ES", "GM", "SM", "OT", "SC", "OPT", "OCT", "OPM", "DMS", "BI", "TG", "XC",
     "RTIMAGE", "RTDOSE", "SEG", "DOC", "L", "R", "B", "U", "A", "H", "F", "AL", "AR", "PL",
     "PR", "AF", "AH", "PF", "PH", "LA", "LP", "RA", "RP", "LF", "LH", "RF", "RH", "HFS", "HFP",
     "HFDR", "HFDL", "FFS", "FFP", "FFDR", "FFDL", "AP", "LL", "RL", "RLD", "LLD", "RLO", "LLO",
     "CC", "MLO", "ML", "LM", "LMO", "XCCL", "XCCM", "SK", "MTC", "SS", "TRSS", "SP", "MP",
     "OSP", "2D", "3D", "ROW", "COL", "COLUMN", "CW", "YES", "NO", "00", "01", "IDENTITY",
     "INVERSE", "MONOCHROME1", "MONOCHROME2", "RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT",
     "YBR_RCT", "LIN", "LOG", "DISP", "LINEAR", "LINEAR_EXACT", "SIGMOID", "HU", "BQML", "CNTS",
     "PROPCNTS", "GML", "CM2ML", "SUV", "BSA", "LBM", "BW", "IBW", "PCNT", "CPS", "GEOMETRY",
     "FIDUCIAL", "GY", "RELATIVE", "PHYSICAL", "EFFECTIVE", "PLAN", "FRACTION", "BEAM", "COLOR",
     "MONOCHROME", "TRUE_COLOR", "DISTORTED", "SAMPLED", "MAX_IP", "MIN_IP", "VOLUME_RENDER",
     "PROTON_DENSITY", "TOF", "ISOTROPIC", "DIRECTIONAL", "BMATRIX", "ISO_10918_1",
     "ISO_14495_1", "ISO_15444_1", "ISO_13818_2", "TILED_FULL", "TILED_SPARSE", "PALETTE COLOR",
     "FOR PRESENTATION", "FOR PROCESSING", "SINGLE PLANE", "BIPLANE A",
     # Contrast of derived pixels (PS3.3, C.8.16.1.4).
     "ADDITION", "DIVISION", "MASKED", "MAXIMUM", "MEAN", "MINIMUM", "MTT", "MULTIPLICATION",
     "RCBF", "RCBV", "RESAMPLED", "STD_DEVIATION", "SUBTRACTION", "T_TEST", "TTP", "Z_SCORE")
)  # fmt: skip
"""Words of coded elements that are kept; any other may be a name."""
_TYPES = ("ImageType", "FrameType")
"""Elements whose further words vendors define (C.7.6.1.1.2): kept where they name nobody."""
_CODED = re.compile(r"[A-Z0-9_ ]{2,16}")
_NAMING = (
    "PatientName", "PatientID", "IssuerOfPatientID", "OtherPatientIDs", "PatientBirthDate",
    "StudyDate", "StudyID", "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip

_ANATOMY = ("AnatomicRegionSequence", "AnatomicRegionModifierSequence")
_OLD_SCHEMES = {"SNM3": "SRT", "99SDM": "SRT"}

_KEPT = frozenset(int(Tag(name)) for name in TECHNICAL)


def technical(dataset: Dataset, names: frozenset[str] | None = None) -> Dataset:
    """A copy of the elements `TECHNICAL` whose values are numbers, identifiers or known words.

    Parameters
    ----------
    dataset : pydicom.Dataset
    names : frozenset of str, optional
        What identifies the patient, in capitals; by default that of the data set.
    """
    names = _names(dataset) if names is None else names
    found = Dataset()
    for tag in tuple(dataset.keys()):
        if int(tag) not in _KEPT:
            continue
        # An element that is not what its type says counts as absent.
        with contextlib.suppress(Exception):
            element = dataset[tag]
            value = _checked(element.VR, element.keyword, element.value, names)
            if value is not None:
                found.add_new(tag, element.VR, value)
    return found


def identity(dataset: Dataset) -> Dataset:
    """A copy of the elements `PATIENT`."""
    found = Dataset()
    for name in PATIENT:
        with contextlib.suppress(Exception):
            if name in dataset:
                found[name] = dataset[name]
    return found


def _names(dataset: Dataset) -> frozenset[str]:
    """The parts of names and numbers of the patient, of two characters at least."""
    found: set[str] = set()
    for name in _NAMING:
        with contextlib.suppress(Exception):
            found.update(re.findall(r"[^\W_]{2,}", str(dataset[name].value).upper()))
    return frozenset(found)


def _checked(kind: str, name: str, value: Any, names: frozenset[str]) -> Any:
    """The value where it is safe to keep, or None."""
    if kind == "SQ":
        return _items(name, value, names)
    several = not isinstance(value, str | bytes) and hasattr(value, "__iter__")
    values = list(value) if several else [value]
    if kind == "CS":
        kept = list(_known_words(values, names if name in _TYPES else None))
        return kept or None
    if kind in _NUMBERS:
        # Text that is no number fails here.
        [float(one) for one in values]
        return value if values else None
    if kind == "UI":
        return value if all(_UID.fullmatch(str(one)) for one in values) else None
    if name == "StackID":
        return value if _STACK.fullmatch(str(value)) else None
    if name == "RescaleType":
        return value if str(value).strip().upper() in _WORDS else None
    return None


def _items(name: str, value: Any, names: frozenset[str]) -> list[Dataset] | None:
    if name in SCALED_TABLES:
        return list(value)
    found = [technical(item, names) for item in value]
    if name == "FrameAnatomySequence":
        found = [item for item in found if "AnatomicRegionSequence" in item]
    if name in _ANATOMY:
        found = [kept for kept, item in zip(found, value, strict=True) if _set_code(kept, item)]
    return found or None


def _set_code(kept: Dataset, item: Dataset) -> bool:
    """State the code of a place in the body in the words of SNOMED CT; False if it is not known."""
    scheme = str(item.get("CodingSchemeDesignator", "")).strip()
    known = _known_code(str(item.get("CodeValue", "")).strip(), _OLD_SCHEMES.get(scheme, scheme))
    if known is None:
        return False
    kept.CodeValue, kept.CodingSchemeDesignator = known.value, known.scheme_designator
    kept.CodeMeaning = known.meaning[:64]
    return True


@lru_cache(256)
def _known_code(value: str, scheme: str) -> Code | None:
    """A code of SNOMED CT, or of SNOMED RT before it, that DICOM uses (PS3.16); None for others."""
    from pydicom.sr.codedict import codes

    asked = Code(value, scheme, "")
    found = (one for one in codes.SCT.concepts.values() if one == asked)
    # Of several meanings the plain one: "Heart", and not "Heart structure (body structure)".
    return min(found, key=lambda one: len(one.meaning), default=None)


def _known_words(values: list[Any], names: frozenset[str] | None) -> Iterator[str]:
    """The known words; with ``names`` also others, in which none of these is."""
    for one in values:
        word = str(one).strip(" \0").upper()
        free = names is not None and _CODED.fullmatch(word) is not None
        if word in _WORDS or (free and not any(part in word for part in names or ())):
            yield word
