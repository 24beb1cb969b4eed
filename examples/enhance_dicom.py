"""Enhance a DICOM image by two methods and say how much they changed it.

    python -m examples.enhance_dicom [SCAN.dcm] [--out FOLDER]

Without a file a CT slice that comes with pydicom is used. The results are 16-bit PNGs for the eye,
derived DICOM objects for a viewer, without the patient, TIFFs in source units (here HU) for the
computer, and the record of what made each of them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from pydicom.data import get_testdata_file

from enhancers.compare import Request, compare
from enhancers.load import load
from enhancers.save import save_png16, to_tiff_source
from enhancers.save.dicom import derived_dicom
from enhancers.save.dicom.targets import Identity, derived_facts
from enhancers.save.result_files import ResultFacts

REQUESTS = [Request("nlm"), Request("tv", {"weight": 0.05})]


def main() -> None:
    """Read the image, run the methods, and write their results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scan", nargs="?", type=Path, default=get_testdata_file("CT_small.dcm"))
    parser.add_argument("--out", type=Path, default=Path("enhanced"))
    options = parser.parse_args()
    source = Path(options.scan).read_bytes()
    image = load(source)
    identity = Identity(keep_patient=False)  # of the new study that has all results
    low, high = image.window.ends
    print(f"{image.modality.label}, {image.shape}, {low:g} to {high:g} {image.units}")
    options.out.mkdir(parents=True, exist_ok=True)
    for event in compare(image, REQUESTS, seed=0):
        if event.error:
            print(f"{event.method}: {event.error}")
        if event.outcome is None:
            continue
        pixels, units = event.outcome.result.pixels, event.outcome.record.result_units
        save_png16(options.out / f"{event.method}.png", pixels)
        result = ResultFacts(image, units)
        facts = derived_facts(result, event.outcome.record, pixels.shape[:2], identity)
        derived = derived_dicom(source, result.values(pixels), facts)
        (options.out / f"{event.method}.dcm").write_bytes(derived)
        (options.out / f"{event.method}.tif").write_bytes(to_tiff_source(image, pixels, units))
        (options.out / f"{event.method}.json").write_text(event.outcome.record.to_json())
        change = np.abs(pixels - image.pixels).mean()
        print(f"{event.method}: changed by {change:.1%} of the window on average, now in {units}")
    print(f"Results are in {options.out}.")


if __name__ == "__main__":
    main()
