"""The endpoints as a program calls them, on the running app."""

from __future__ import annotations

import csv
import io
import json
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import httpx
import numpy as np
import pytest
import tifffile
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from enhancers.api.endpoints import Kind
from enhancers.compare import enhance
from enhancers.degrade import KINDS, degrade_image
from enhancers.image import pixels_digest
from enhancers.listing import as_dict
from enhancers.load import load
from enhancers.method import Modality
from enhancers.metrics import METRICS
from enhancers.provenance import from_json
from enhancers.save import in_source_units, read_png16, to_png16
from enhancers.series import LocalSeries, find_series
from tests.support import dicom_series
from tests.support.image_files import dicom, nifti, png, ramp
from tests.support.program import program

NAMES = {"/methods", "/enhance", "/metrics", "/metrics_of_pairs", "/degrade"}


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The server's folder for temporary files."""
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def address(temporary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("served")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(temporary))
        with program(
            study_demo="false", max_file_mb="1", max_megapixels="0.1", device="cpu",
            cache_dir=str(folder / "cache"), models_dir=str(folder / "networks"),
        ) as found:  # fmt: skip
            yield found
    # The program was ended by SIGTERM.
    assert list(temporary.glob("*reading-room*")) == []


@pytest.fixture(scope="module")
def client(address: str, tmp_path_factory: pytest.TempPathFactory) -> Client:
    return Client(address, verbose=False, download_files=tmp_path_factory.mktemp("downloads"))


@pytest.fixture
def ct(tmp_path: Path) -> Path:
    path = tmp_path / "patient_name.dcm"
    path.write_bytes(dicom(ramp(), Modality="CT", RescaleSlope="1", RescaleIntercept="-1024"))
    return path


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    path.write_bytes(png((np.random.default_rng(0).random((64, 48)) * 255).astype(np.uint8)))
    return path


def call(client: Client, name: str, path: Path, *values: Any, **named: Any) -> Any:
    return client.predict(handle_file(path), *values, api_name=name, **named)


def refusal(client: Client, name: str, path: Path, *values: Any, **named: Any) -> str:
    with pytest.raises(AppError) as caught:
        call(client, name, path, *values, **named)
    return str(caught.value)


def test_four_endpoints_are_listed_and_nothing_else(address: str, client: Client) -> None:
    for query in ("", "?all_endpoints=true"):
        info = httpx.get(f"{address}/gradio_api/info{query}", timeout=60).json()
        assert set(info["named_endpoints"]) == NAMES
        assert info["unnamed_endpoints"] == {}
        for endpoint in info["named_endpoints"].values():
            assert endpoint["description"].endswith(".")
            assert all(one["label"].endswith(".") for one in endpoint["parameters"])
    config = httpx.get(address + "/config", timeout=60).json()
    public = [
        one["api_name"] for one in config["dependencies"] if one["api_visibility"] != "private"
    ]
    assert sorted(f"/{name}" for name in public) == sorted(NAMES)
    assert config["footer_links"] == ["api"]
    assert config["mcp_server"] is False


def test_without_a_study_there_is_no_reader_page(address: str) -> None:
    assert httpx.get(address + "/reader/", timeout=60).status_code == 404
    assert httpx.get(address + "/demo/", timeout=60).status_code == 404
    assert "No study is served here" in httpx.get(address + "/config", timeout=60).text


def test_methods_are_those_of_the_command_line(client: Client) -> None:
    assert client.predict(api_name="/methods") == json.loads(json.dumps(as_dict()))


def test_a_result_is_that_of_the_library(client: Client, ct: Path) -> None:
    file, record = call(client, "/enhance", ct, "nlm", {"sigma": 0.05}, 3)
    image = load(ct)
    expected = enhance(image, "nlm", params={"sigma": 0.05}, seed=3).pixels
    np.testing.assert_array_equal(
        read_png16(Path(file).read_bytes()), read_png16(to_png16(expected))
    )
    found = from_json(Path(record).read_text(encoding="utf-8"))
    assert (found.method, found.seed, dict(found.params)["sigma"]) == ("nlm", 3, 0.05)
    assert found.input.file_digest == image.digest
    assert found.result_digest == pixels_digest(expected)
    assert "patient" not in Path(record).read_text(encoding="utf-8") + file + record


def test_tiff_is_in_source_units_unless_the_method_maps_values_anew(
    client: Client, ct: Path
) -> None:
    image = load(ct)
    for method, units in (("nlm", "HU"), ("clahe", "gray level, not HU")):
        file, record = call(client, "/enhance", ct, method, format="tiff", modality="CT")
        pixels = enhance(image, method).pixels
        expected = in_source_units(image, pixels) if units == "HU" else pixels
        with tifffile.TiffFile(file) as tiff:
            np.testing.assert_array_equal(tiff.asarray(), expected)
            assert tiff.pages[0].description.startswith(f"units: {units}")
        assert from_json(Path(record).read_text(encoding="utf-8")).result_units == units


def test_several_seeds_come_as_a_zip_with_their_maps(client: Client, picture: Path) -> None:
    file, record = call(
        client,
        "/enhance",
        picture,
        "null_space",
        {"sigma": 0.05, "steps": 5},
        format="zip",
        seeds=2,
    )
    with zipfile.ZipFile(file) as archive:
        names = set(archive.namelist())
        stored = archive.read("provenance.json").decode()
    assert {"input.png", "null_space.png", "maps/null_space_spread.tif"} <= names
    found = from_json(Path(record).read_text(encoding="utf-8"))
    assert found.seeds == from_json(stored).seeds == 2


def test_modality_chooses_the_preset_and_slice_index_the_slice(
    client: Client, picture: Path, tmp_path: Path
) -> None:
    _, record = call(client, "/enhance", picture, "nlm", modality="mr")
    found = from_json(Path(record).read_text(encoding="utf-8"))
    assert found.input.modality == Modality.MR
    assert dict(found.params)["noise"] == "rician"
    volume = tmp_path / "volume.nii.gz"
    volume.write_bytes(nifti(np.random.default_rng(0).random((24, 20, 5)).astype(np.float32)))
    _, record = call(client, "/enhance", volume, "clahe", slice_index=4)
    assert from_json(Path(record).read_text(encoding="utf-8")).input.slice_index == 4


def zipped(path: Path, counts: dict[int, int]) -> Path:
    """A zip archive of CT series, by their numbers of slices."""
    with zipfile.ZipFile(path, "w") as file:
        for series, count in counts.items():
            for number in range(count):
                data = dicom_series.slice_file(
                    (0, 0, -2.0 * number), number, SeriesInstanceUID=f"1.2.3.{series}",
                    SOPInstanceUID=f"1.2.3.{series}.{number}", SeriesNumber=series,
                )  # fmt: skip
                file.writestr(f"{series}/{number}", data)
    return path


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return zipped(tmp_path / "scans.zip", {1: 17, 2: 18})


def test_a_series_of_an_archive_is_read_slice_by_slice_and_in_planes(
    client: Client, archive: Path, tmp_path: Path
) -> None:
    truth = zipped(tmp_path / "truth.zip", {2: 18})
    series = LocalSeries(find_series(archive).pick("2"))
    chosen = {"series": "2", "slice_index": 3}
    for expected, more in (
        (series.image(3), {}),
        (series.image(3, plane="coronal"), {"plane": "coronal"}),
    ):
        file, record = call(client, "/enhance", archive, "clahe", **chosen, **more)
        done = enhance(expected, "clahe").pixels
        levels = read_png16(Path(file).read_bytes())
        np.testing.assert_array_equal(levels, read_png16(to_png16(done)))
        stored = from_json(Path(record).read_text(encoding="utf-8")).input
        assert stored.pixels_digest == pixels_digest(expected.pixels)
        own = call(client, "/metrics", archive, handle_file(truth), **chosen, **more)
        assert own["metrics"]["psnr"]["value"] == "inf"
    file, _ = call(client, "/degrade", archive, "blur", **chosen)
    blurred = degrade_image(series.image(3), "blur", KINDS["blur"].default, seed=0)
    levels = read_png16(Path(file).read_bytes())
    np.testing.assert_array_equal(levels, read_png16(to_png16(blurred.pixels)))


def test_a_time_of_a_volume_and_the_frames_of_an_object_in_the_order_of_their_places(
    client: Client, tmp_path: Path
) -> None:
    volume = tmp_path / "volume.nii"
    volume.write_bytes(nifti(np.random.default_rng(0).random((24, 20, 5, 3)).astype(np.float32)))
    _, record = call(client, "/enhance", volume, "clahe", slice_index=1, time=2)
    told = from_json(Path(record).read_text(encoding="utf-8")).input
    assert told.pixels_digest == pixels_digest(load(volume, slice_index=1, time=2).pixels)
    frames = tmp_path / "frames.dcm"
    frames.write_bytes(dicom_series.enhanced([{"z": z} for z in (4, 0, 2)]))
    _, record = call(client, "/enhance", frames, "clahe", slice_index=0)
    told = from_json(Path(record).read_text(encoding="utf-8")).input
    first = LocalSeries(find_series(frames).pick(None)).image(0)
    assert told.pixels_digest == pixels_digest(first.pixels)


@pytest.mark.parametrize(
    ("choice", "says"),
    [
        ({}, "choose one by its key: 1 (CT, 24 x 20, 17 slices"),
        ({"series": "7"}, "7"),
        ({"series": "1", "slice_index": 17}, "slice"),
        ({"series": "1", "plane": "upright"}, "upright"),
        ({"series": "1", "time": 4}, "There is no time 4"),
    ],
)
def test_a_series_slice_plane_or_time_that_is_not_there_is_one_sentence(
    client: Client, archive: Path, choice: dict[str, Any], says: str
) -> None:
    told = refusal(client, "/enhance", archive, "clahe", **choice)
    assert says in told
    assert "/" not in told
    assert "--" not in told


def test_a_mask_goes_into_the_record_and_has_the_size_of_the_image(
    client: Client, picture: Path, tmp_path: Path
) -> None:
    mask = tmp_path / "mask.png"
    mask.write_bytes(png(np.eye(64, 48, dtype=np.uint8)))
    _, record = call(client, "/enhance", picture, "clahe", mask=handle_file(mask))
    measured = from_json(Path(record).read_text(encoding="utf-8")).input.measured
    assert measured is not None
    assert measured.pixels == pytest.approx(1 - 1 / 64)
    mask.write_bytes(png(np.eye(50, dtype=np.uint8)))
    with pytest.raises(AppError, match="50 x 50 pixels and the image 48 x 64"):
        call(client, "/enhance", picture, "clahe", mask=handle_file(mask))


@pytest.mark.exhaustive
def test_a_network_enhances_too(client: Client, picture: Path) -> None:
    file, record = call(client, "/enhance", picture, "null_space", {"steps": 5})
    assert read_png16(Path(file).read_bytes()).shape == (64, 48)
    assert json.loads(Path(record).read_text(encoding="utf-8"))["prior"]["sha256"]


def test_a_truth_gives_scores(client: Client, picture: Path) -> None:
    alone = call(client, "/metrics", picture)["metrics"]
    assert set(alone) == {metric.key for metric in METRICS}
    assert alone["psnr"]["value"] is None
    assert "truth" in alone["psnr"]["reason"]
    same = call(client, "/metrics", picture, handle_file(picture))["metrics"]
    assert same["psnr"]["value"] == "inf"
    assert same["ssim"]["value"] == 1


def test_several_pairs_are_one_table(client: Client, picture: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.png"
    text.write_text("no image")
    images, truths = ([handle_file(one) for one in (first, picture)] for first in (picture, text))
    answer = client.predict(images, truths, api_name="/metrics_of_pairs")
    damaged, same = answer["pairs"]
    assert "metrics" not in damaged
    assert (damaged["image"], damaged["reference"]) == (picture.name, text.name)
    assert damaged["error"]
    alone = call(client, "/metrics", picture, handle_file(picture))["metrics"]
    assert same["metrics"] == alone
    assert [row["psnr"] for row in csv.DictReader(io.StringIO(answer["csv"]))] == ["", "inf"]
    with pytest.raises(AppError, match="2 images and 1 truths"):
        client.predict(images, truths[:1], api_name="/metrics_of_pairs")
    [refused] = client.predict(["/etc/passwd"], truths[:1], api_name="/metrics_of_pairs")["pairs"]
    assert refused["error"].startswith("images is not an uploaded file")


def test_degrade_is_that_of_the_library(client: Client, ct: Path) -> None:
    file, record = call(client, "/degrade", ct, "low_dose", 0.2, 5)
    expected = degrade_image(load(ct), "low_dose", 0.2, seed=5)
    levels = read_png16(Path(file).read_bytes())
    np.testing.assert_array_equal(levels, read_png16(to_png16(expected.pixels)))
    found = json.loads(Path(record).read_text(encoding="utf-8"))
    assert (found["kind"], found["level"], found["seed"]) == ("low_dose", 0.2, 5)
    assert found["level_name"] == "dose fraction"
    assert found["result_digest"] == expected.digest


def test_a_simulated_scanner_is_set_and_recorded(client: Client, ct: Path) -> None:
    values = {"views": 90, "beam": "fan"}
    _, record = call(client, "/degrade", ct, "ct_dose", 0.5, 1, None, None, "png", values)
    found = json.loads(Path(record).read_text(encoding="utf-8"))
    assert found["parameters"] == {**values, "photons": 1e5, "electronic": 10.0}
    expected = degrade_image(load(ct), "ct_dose", 0.5, seed=1, settings=values)
    assert found["result_digest"] == expected.digest


def test_every_kind_of_degradation_is_declared_and_has_a_level(
    client: Client, picture: Path
) -> None:
    assert get_args(Kind) == tuple(KINDS)
    for kind in KINDS:
        _, record = call(client, "/degrade", picture, kind)
        assert json.loads(Path(record).read_text())["level"] == KINDS[kind].default


@pytest.mark.parametrize(
    ("name", "values", "says"),
    [
        ("/enhance", ("sharpen",), "sharpen"),
        ("/enhance", ("nlm", {"sigma": "many"}), "sigma=many is not possible"),
        ("/enhance", ("nlm", {"sigma": [1]}), "parameters="),
        ("/enhance", ("nlm", {"strange": 1}), "nlm has no parameter strange"),
        ("/enhance", ("unimie", {"smoothness": 0}), "smoothness: it was removed in version 0.2.0"),
        ("/enhance", ("nlm", None, -1), "seed=-1 is not possible"),
        ("/enhance", ("nlm", None, "soon"), "seed=soon is not possible"),
        ("/enhance", ("nlm", None, 0, "PET"), "modality=PET is unknown"),
        ("/enhance", ("nlm", None, 0, None, 7), "slice"),
        ("/enhance", ("nlm", None, 0, None, None, "jpeg"), "format=jpeg is not possible"),
        ("/enhance", ("nlm", None, 0, None, None, "png", None, 2), "seeds=2 is for methods that"),
        ("/degrade", ("dust",), "No degradation dust"),
        ("/degrade", ("blur", "much"), "level=much is not possible"),
        ("/degrade", ("blur", 99), "=99 is not possible for blur"),
        ("/degrade", ("ct_dose", 1, 0, None, None, "png", {"dose": 1}), "no parameter dose"),
        ("/metrics", ("no file",), "truth is not an uploaded file"),
    ],
)
def test_a_mistake_is_one_sentence(
    client: Client, picture: Path, name: str, values: tuple[Any, ...], says: str
) -> None:
    told = refusal(client, name, picture, *values)
    assert says in told
    assert "Traceback" not in told
    assert "/" not in told.replace("gradio_client", "")


def test_the_limits_are_those_of_the_page(address: str, client: Client, tmp_path: Path) -> None:
    wide = tmp_path / "wide.png"
    wide.write_bytes(png(np.zeros((400, 400), np.uint8)))
    for name in ("/enhance", "/degrade"):
        assert "0.1 megapixels" in refusal(
            client, name, wide, "clahe" if name == "/enhance" else "blur"
        )
    assert "0.1 megapixels" in refusal(client, "/metrics", wide)
    heavy = tmp_path / "heavy.png"
    heavy.write_bytes(bytes(1_000_001))
    assert "the limit is 1 MB" in refusal(client, "/metrics", heavy)
    # An archive of a series may have several times the limit of a file.
    archive = {"files": ("heavy.zip", bytes(8_000_001))}
    assert httpx.post(f"{address}/gradio_api/upload", files=archive, timeout=60).status_code == 413


def test_nothing_of_an_upload_stays_on_the_disk(client: Client, ct: Path, temporary: Path) -> None:
    call(client, "/enhance", ct, "clahe")
    call(client, "/metrics", ct, handle_file(ct))
    left = [path for path in temporary.rglob("*") if path.is_file()]
    assert "clahe.png" in {path.name for path in left}
    assert not [path for path in left if "patient" in str(path)]
    assert ct.read_bytes() not in [path.read_bytes() for path in left]


def raw(address: str, name: str, *data: Any) -> str:
    """The last event of a call in plain HTTP."""
    joined = httpx.post(f"{address}/gradio_api/call{name}", json={"data": list(data)}, timeout=60)
    event = joined.json()["event_id"]
    return httpx.get(f"{address}/gradio_api/call{name}/{event}", timeout=60).text


@pytest.mark.parametrize("meta", [{}, {"meta": {"_type": "gradio.FileData"}}, {"meta": "x"}])
def test_only_uploaded_files_are_read(
    address: str, tmp_path: Path, picture: Path, meta: Any
) -> None:
    told = raw(address, "/enhance", {"path": str(picture), **meta}, "clahe")
    assert "event: error" in told
    assert "event: complete" not in told
    assert str(tmp_path) not in told


def test_a_call_that_is_cancelled_frees_the_device(client: Client, picture: Path) -> None:
    job = client.submit(handle_file(picture), "null_space", {"steps": 250}, api_name="/enhance")
    while not job.status().progress_data:
        time.sleep(0.1)
    assert "network call" in job.status().progress_data[0].desc
    assert job.cancel()
    begun = time.monotonic()
    call(client, "/enhance", picture, "null_space", {"steps": 5})
    assert time.monotonic() - begun < 20
