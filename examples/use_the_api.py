"""Use a running Reading Room from another program, over HTTP.

    python app.py &
    python -m examples.use_the_api [IMAGE] [--address http://127.0.0.1:7860] [--out FOLDER]

Only gradio_client is needed where this runs. Without an image a CT slice that comes with pydicom is
used: it is degraded, enhanced, and compared with what it was.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

from gradio_client import Client, handle_file


def main() -> None:
    """Call the four endpoints, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("image", nargs="?")
    parser.add_argument("--address", default="http://127.0.0.1:7860")
    parser.add_argument("--out", type=Path, default=Path("answers"))
    options = parser.parse_args()
    image = options.image
    if image is None:
        from pydicom.data import get_testdata_file

        image = get_testdata_file("CT_small.dcm")

    client = Client(options.address, verbose=False)
    methods = client.predict(api_name="/methods")["methods"]
    print("Methods:", ", ".join(method["key"] for method in methods))

    noisy, _ = client.predict(handle_file(image), "gaussian", 0.05, api_name="/degrade")
    # A job can be watched and cancelled; predict would wait for the end.
    job = client.submit(
        handle_file(noisy), "nlm", {"noise": "gaussian"}, modality="CT", api_name="/enhance"
    )
    enhanced, record = job.result()

    for name, file in (("noisy", noisy), ("enhanced", enhanced)):
        answer = client.predict(handle_file(file), handle_file(image), api_name="/metrics")
        print(f"PSNR of the {name} image: {answer['metrics']['psnr']['value']:.2f} dB")

    options.out.mkdir(parents=True, exist_ok=True)
    for file in (noisy, enhanced, record):
        shutil.copy(file, options.out)
    facts = json.loads(Path(record).read_text(encoding="utf-8"))
    print(f"{facts['method']} with {facts['params']} took {facts['seconds']} s: see {options.out}.")


if __name__ == "__main__":
    main()
