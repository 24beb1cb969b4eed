"""Building stimuli: raw buffers, one window per case, checks, continuing after interruptions."""

from __future__ import annotations

import hashlib
import json
import re
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from enhancers.compare import enhance
from enhancers.display import raw_buffer
from enhancers.load import load
from enhancers.networks import installed
from enhancers.networks.identify import NetworkImport
from enhancers.settings import get_settings
from study.domain.errors import BuildError, KeyFileError, StoreError
from study.domain.protocol import Protocol
from study.domain.terms import MethodKind
from study.planning.freeze import freeze
from study.stimuli import buffers, sources
from study.stimuli.rendering import Options, build, renderer
from study.storage import key_file
from study.storage.models import AuditEvent, Item, Method, Stimulus
from tests.support import image_files, small_studies
from tests.support.network_files import install
from tests.support.restoration_files import checkpoint
from tests.support.small_studies import Draft

UUID4 = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


@pytest.fixture
def draft(tmp_path: Path) -> Draft:
    return small_studies.draft(tmp_path)


def rows(draft: Draft) -> dict[tuple[str, str], Stimulus]:
    """The stimuli by the names of case and method."""
    key = draft.key
    with draft.store.read() as session:
        found = session.scalars(select(Stimulus)).all()
    return {(key.cases[r.item_id].name, key.methods[r.method_id].name): r for r in found}


def shown(draft: Draft, case: str, method: str) -> Any:
    """The levels on the disk of one stimulus."""
    row = rows(draft)[case, method]
    data = (draft.store.stimuli / row.file).read_bytes()
    return np.frombuffer(data, "<u2").reshape(row.height, row.width, -1).squeeze()


def fingerprint(draft: Draft) -> dict[str, tuple[int, bytes]]:
    return {p.name: (p.stat().st_ino, p.read_bytes()) for p in draft.store.stimuli.iterdir()}


def test_ready_made_images_become_bare_private_files(tmp_path: Path, draft: Draft) -> None:
    report = build(draft.store, draft.key, small_studies.ready_made(tmp_path / "in"))
    assert (report.cases, report.rendered, report.kept) == (3, 9, 0)
    found = list(draft.store.stimuli.iterdir())
    assert len(found) == 9
    for path in found:
        assert re.fullmatch(UUID4 + r"\.raw", path.name)
        assert path.stat().st_size == small_studies.SIDE**2 * 2
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {(p.stat().st_mtime_ns, p.stat().st_atime_ns != 0) for p in found} == {
        (buffers.SAME_TIME * 10**9, True)
    }
    for (case, method), row in rows(draft).items():
        name = case + ".png"
        levels = shown(draft, case, method)
        assert row.pixel_sha256 == hashlib.sha256(levels.tobytes()).hexdigest()
        original = load(tmp_path / "in" / method / name).source
        np.testing.assert_array_equal(levels, np.rint(original.astype(float) * 257))


def test_nothing_in_the_database_names_anything(tmp_path: Path, draft: Draft) -> None:
    build(draft.store, draft.key, small_studies.ready_made(tmp_path / "in"))
    with draft.store.engine.connect() as connection:
        dump = "\n".join(connection.connection.iterdump())
    for secret in draft.key.secret_strings():
        assert secret.lower() not in dump.lower(), secret
    assert "restormer" in draft.key.secret_strings()


def test_labels_are_complete_and_patients_are_shared(tmp_path: Path, draft: Draft) -> None:
    build(draft.store, draft.key, small_studies.ready_made(tmp_path / "in", cases=5))
    key = draft.key
    with draft.store.read() as session:
        items = session.scalars(select(Item)).all()
    assert sorted(item.case_key for item in items) == ["C001", "C002", "C003", "C004", "C005"]
    assert {item.patient_key for item in items} == {"P001", "P002", "P003"}
    by_patient: dict[str, set[str]] = {}
    for item in items:
        by_patient.setdefault(key.cases[item.id].patient, set()).add(item.patient_key)
    assert all(len(labels) == 1 for labels in by_patient.values())


def test_orders_tell_nothing(tmp_path: Path) -> None:
    """Labels and the order of rows vary from study to study, whatever order the files have."""
    sight = small_studies.ready_made(tmp_path / "in")
    seen: set[tuple[str, ...]] = set()
    methods: set[tuple[str, ...]] = set()
    stimulus_orders: set[tuple[str, ...]] = set()
    for number in range(6):
        (tmp_path / str(number)).mkdir()
        draft = small_studies.draft(tmp_path / str(number))
        build(draft.store, draft.key, sight)
        key = draft.key
        with draft.store.engine.connect() as connection:
            ask = connection.exec_driver_sql
            items = ask("SELECT id FROM item ORDER BY case_key").scalars().all()
            ids = ask("SELECT id FROM method ORDER BY rowid").scalars().all()
            first = ask("SELECT item_id FROM stimulus ORDER BY rowid LIMIT 1").scalar_one()
            order = connection.exec_driver_sql(
                "SELECT method_id FROM stimulus WHERE item_id = ? ORDER BY rowid", (first,)
            )
            stimulus_orders.add(tuple(key.methods[name].name for name in order.scalars()))
        seen.add(tuple(key.cases[name].name for name in items))
        methods.add(tuple(key.methods[name].name for name in ids))
    # All six alike happen once in 6^5 times, three times over.
    assert len(seen) > 1
    assert len(methods) > 1
    assert len(stimulus_orders) > 1


def test_text_in_a_png_and_exif_never_survive(tmp_path: Path, draft: Draft) -> None:
    secret = b"method=restormer;patient=Zyxwvut"
    for number, method in enumerate(("a1", "b2")):
        (tmp_path / "in" / method).mkdir(parents=True)
        chunk = image_files.png_chunk(b"tEXt", b"Comment\0" + secret) + image_files.png_chunk(
            b"eXIf", secret
        )
        pixels = small_studies.noisy(small_studies.picture(0), number)
        (tmp_path / "in" / method / "c.png").write_bytes(image_files.png(pixels, extra=chunk))
    build(draft.store, draft.key, sources.from_folders(tmp_path / "in"))
    for path in (tmp_path / "study").rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert b"restormer" not in data
            assert b"Zyxwvut" not in data
    assert len(fingerprint(draft)) == 2


def test_nothing_of_a_dicom_header_survives(tmp_path: Path, draft: Draft) -> None:
    for number, method in enumerate(("a1", "b2")):
        (tmp_path / "in" / method).mkdir(parents=True)
        pixels = small_studies.noisy(small_studies.picture(0), number).astype(np.uint16) * 16
        elements = {"BurnedInAnnotation": "NO", "WindowCenter": 2000, "WindowWidth": 4001}
        data = image_files.dicom(pixels, Modality="MR", PixelSpacing=[0.5, 0.25], **elements)
        (tmp_path / "in" / method / "c").write_bytes(data)
    build(draft.store, draft.key, sources.from_folders(tmp_path / "in"))
    for path in (tmp_path / "study").rglob("*"):
        for secret in image_files.PATIENT:
            assert not path.is_file() or secret.encode() not in path.read_bytes()
    with draft.store.read() as session:
        item = session.scalars(select(Item)).one()
    window = json.loads(item.window_json)
    assert window["window"] == [-0.5, 3999.5]
    assert window["spacing"] == window["aspect"] == [0.5, 0.25]
    assert window["units"] == "a.u."
    assert window["presets"][0] == {"label": "Full range", "levels": [0, 65535]}
    assert item.modality == "MR"


def float_tiff(folder: Path, method: str, pixels: Any) -> None:
    (folder / method).mkdir(parents=True, exist_ok=True)
    (folder / method / "c.tif").write_bytes(image_files.tiff(pixels.astype(np.float32)))


def test_all_methods_of_a_case_have_the_window_of_the_reference(
    tmp_path: Path, draft: Draft
) -> None:
    clean = small_studies.picture(0).astype(np.float32) * 4.0
    for method, pixels in (("clean", clean), ("dark", clean * 0.5), ("wide", clean * 1.5 - 40)):
        float_tiff(tmp_path / "in", method, pixels)
    found = sources.with_roles(sources.from_folders(tmp_path / "in"), reference="clean")
    report = build(draft.store, draft.key, found)
    window = load(tmp_path / "in" / "clean" / "c.tif").window
    width = window.high - window.low
    for method, pixels in (("clean", clean), ("dark", clean * 0.5), ("wide", clean * 1.5 - 40)):
        unit = np.clip((pixels.astype(float) - window.low) / (window.high - window.low), 0, 1)
        # The files have steps of 4, 2 and 6.
        assert np.abs(shown(draft, "c", method) - unit * 65535).max() * width <= 6.1 * 65535
    assert [m.method for m in report.measured] == ["dark", "wide"]
    assert report.measured[0].brightness < -0.05
    with draft.store.read() as session:
        kinds = sorted(row.kind for row in session.scalars(select(Method)))
    assert kinds == ["reference", "test", "test"]


def test_without_a_reference_the_widest_window_serves_all(tmp_path: Path, draft: Draft) -> None:
    clean = small_studies.picture(0).astype(np.float32) * 4.0
    for method, pixels in (("one", clean), ("two", clean * 1.5 - 40)):
        float_tiff(tmp_path / "in", method, pixels)
    build(draft.store, draft.key, sources.from_folders(tmp_path / "in"))
    windows = [load(tmp_path / "in" / m / "c.tif").window for m in ("one", "two")]
    with draft.store.read() as session:
        window = json.loads(session.scalars(select(Item)).one().window_json)["window"]
    assert window == [min(w.low for w in windows), max(w.high for w in windows)]


def compared(tmp_path: Path, *methods: str, **options: Any) -> sources.Sources:
    return sources.from_images([small_studies.write_inputs(tmp_path / "in")], methods, **options)


def test_methods_of_the_compare_half_are_run(tmp_path: Path, draft: Draft) -> None:
    found = compared(tmp_path, "input", "tv:weight=0.1", anchors=["blur:2", "gaussian:0.2"])
    shares: list[float] = []
    report = build(
        draft.store, draft.key, found, options=Options(device="cpu"),
        progress=lambda share, _: shares.append(share),
    )  # fmt: skip
    assert report.rendered == 12
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    image = load(tmp_path / "in" / "pat0_s0.png")
    np.testing.assert_array_equal(
        shown(draft, "pat0_s0", "input"),
        np.frombuffer(raw_buffer(image.pixels), "<u2").reshape(32, 32),
    )
    enhanced = enhance(image, "tv", params={"weight": 0.1}).pixels
    # As coarse as the 8-bit input, so that the number of gray levels does not tell it.
    assert set(np.unique(shown(draft, "pat0_s0", "tv:weight=0.1")) % 257) == {0}
    assert np.abs(shown(draft, "pat0_s0", "tv:weight=0.1") / 65535 - enhanced).max() <= 0.5 / 255
    noise = [
        shown(draft, case, "gaussian:0.2").astype(int) - shown(draft, case, "input")
        for case in ("pat0_s0", "pat0_s1")
    ]
    assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 0.2
    key = draft.key
    method = key.methods[key.method_id("tv:weight=0.1")]
    assert method.aliases == ("tv", "Total variation")
    assert (method.group, key.methods[key.method_id("input")].group) == ("filter", "not processed")
    assert method.parameters == (("weight", "0.1"), ("seed", "0"))
    assert key.methods[key.method_id("blur:2")].kind is MethodKind.ANCHOR


def test_missing_pixels_are_those_of_the_case_in_the_folder_of_masks(
    tmp_path: Path, draft: Draft, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs, folder = small_studies.write_inputs(tmp_path / "in"), tmp_path / "masks"
    folder.mkdir()
    missing = {path.stem: np.zeros((32, 32), np.bool_) for path in sorted(inputs.iterdir())}
    for place, (name, mask) in enumerate(missing.items()):
        mask[place : place + 4, 3:9] = True
        (folder / f"{name}.png").write_bytes(image_files.png((mask * 255).astype(np.uint8)))
    method = "null_space:task=inpaint,steps=5,mask=masks"
    text = method.replace("masks", str(folder))
    found = sources.from_images([inputs], ["input", text])
    build(draft.store, draft.key, found, options=Options(device="cpu"))
    for name, mask in missing.items():
        filled, given = shown(draft, name, method), shown(draft, name, "input")
        assert np.array_equal(filled[~mask], given[~mask])
        assert (filled[mask] != given[mask]).any()
    key = draft.key
    assert ("mask", "masks") in key.methods[key.method_id(method)].parameters
    kept = next(case for case in key.recipe["cases"] if case["name"] == "pat0_s0")["masks"][1]
    assert kept["sha256"] == hashlib.sha256((folder / "pat0_s0.png").read_bytes()).hexdigest()
    assert build(draft.store, draft.key, found, options=Options(device="cpu")).rendered == 0
    changed = image_files.png((np.eye(32) * 255).astype(np.uint8))
    (folder / "pat0_s0.png").write_bytes(changed)
    assert build(draft.store, draft.key, found, options=Options(device="cpu")).rendered == 1


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("nlm:mask=masks", "which is for null_space:task=inpaint"),
        ("null_space:task=inpaint,mask=nowhere", "no file or folder nowhere"),
        ("null_space:task=inpaint,mask=~nobody-here/m.png", "no file or folder ~nobody-here"),
        ("null_space:task=inpaint,mask=masks", "has no mask of pat0_s1"),
        ("null_space:task=inpaint,mask=a,mask=b", "names 2 masks"),
        ("null_space:task=inpaint,mask=masks/pat0_s0.png", "30 x 30 pixels and the image 32 x 32"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused(
    tmp_path: Path, draft: Draft, monkeypatch: pytest.MonkeyPatch, method: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks/pat0_s0.png").write_bytes(image_files.png(np.eye(30, dtype=np.uint8)))
    if method.startswith("nlm"):
        method = f"{method}/pat0_s0.png"
    with pytest.raises(BuildError, match=said):
        build(draft.store, draft.key, compared(tmp_path, "input", method))


def test_a_truth_is_the_reference_and_the_modality_chooses_the_preset(
    tmp_path: Path, draft: Draft
) -> None:
    (tmp_path / "clean").mkdir()
    for case in range(3):
        data = image_files.png(small_studies.picture(case))
        (tmp_path / "clean" / f"pat{case // 2}_s{case}.png").write_bytes(data)
    found = compared(tmp_path, "input", "nlm", truth=tmp_path / "clean", modality="MR")
    report = build(draft.store, draft.key, found)
    assert {m.method for m in report.measured} == {"input", "nlm"}
    image = load(tmp_path / "in" / "pat0_s0.png").with_modality(_modality("MR"))
    enhanced = enhance(image, "nlm").pixels
    assert np.abs(shown(draft, "pat0_s0", "nlm") / 65535 - enhanced).max() <= 0.5 / 255
    with draft.store.read() as session:
        assert {row.modality for row in session.scalars(select(Item))} == {"MR"}


def test_images_of_an_added_network_are_those_of_its_weights(
    tmp_path: Path, draft: Draft, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("READINGROOM_MODELS_DIR", str(tmp_path / "networks"))
    get_settings.cache_clear()
    install(NetworkImport(checkpoint(tmp_path / "mine.pth"), label="My network (local)"))
    found = compared(tmp_path, "input", "mine")
    on_cpu = Options(device="cpu")
    assert build(draft.store, draft.key, found, options=on_cpu).rendered == 6
    key = draft.key
    method = key.methods[key.method_id("mine")]
    assert (method.group, method.aliases[:2]) == ("neural network", ("mine", "My network (local)"))
    assert build(draft.store, draft.key, found, options=on_cpu).kept == 6
    first = shown(draft, "pat0_s0", "mine")
    installed.remove("mine")
    install(NetworkImport(checkpoint(tmp_path / "mine.pth", seed=1), label="My network (local)"))
    again = build(draft.store, draft.key, found, options=on_cpu)
    assert (again.rendered, again.kept) == (3, 3)
    assert not np.array_equal(shown(draft, "pat0_s0", "mine"), first)
    get_settings.cache_clear()


def _modality(name: str) -> Any:
    from enhancers.method import Modality

    return Modality(name)


class Interrupted(Exception):
    """Stands for Ctrl-C."""


def stop_after(number: int) -> Callable[[float, str], None]:
    calls = iter(range(number))

    def progress(_share: float, _what: str) -> None:
        if next(calls, None) is None:
            raise Interrupted

    return progress


@pytest.mark.parametrize("calls", [0, 1, 4, 10])
def test_an_interrupted_build_goes_on_without_rendering_again(
    tmp_path: Path, draft: Draft, calls: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = compared(tmp_path, "input", "tv", "nlm")
    with pytest.raises(Interrupted):
        build(draft.store, draft.key, found, progress=stop_after(calls))
    before = fingerprint(draft)
    report = build(draft.store, draft.key, found)
    assert (report.kept, report.rendered) == (len(before), 9 - len(before))
    after = fingerprint(draft)
    assert {name: after[name] for name in before} == before
    assert len(after) == 9
    monkeypatch.setattr("study.stimuli.rendering.renderer.compare", None)
    third = build(draft.store, draft.key, found)
    assert (third.rendered, third.kept) == (0, 9)
    assert fingerprint(draft) == after
    assert third.measured == report.measured


def test_a_kill_between_file_and_row_leaves_nothing_behind(tmp_path: Path, draft: Draft) -> None:
    found = small_studies.ready_made(tmp_path / "in")
    build(draft.store, draft.key, found)
    (draft.store.stimuli / "0b0ddba1-0000-4000-8000-000000000000.raw").write_bytes(b"orphan")
    (draft.store.stimuli / ".0b0ddba100004000.part").write_bytes(b"half")
    (draft.store.stimuli / "notes.txt").write_text("not ours")
    key_file.save(replace(draft.key, stimuli={**draft.key.stimuli, "gone": "00"}))
    report = build(draft.store, draft.key, found)
    assert report.kept == 9
    assert len(fingerprint(draft)) == 10
    assert set(draft.key.stimuli) == {row.id for row in rows(draft).values()}


@pytest.mark.parametrize("harm", ["changed", "shortened", "removed"])
def test_a_damaged_stimulus_is_rendered_again(tmp_path: Path, draft: Draft, harm: str) -> None:
    found = small_studies.ready_made(tmp_path / "in")
    build(draft.store, draft.key, found)
    good = shown(draft, "pat0_s1", "dncnn").copy()
    path = draft.store.stimuli / rows(draft)["pat0_s1", "dncnn"].file
    if harm == "removed":
        path.unlink()
    else:
        data = path.read_bytes()
        path.write_bytes(data[:-2] if harm == "shortened" else b"\1\1" + data[2:])
    report = build(draft.store, draft.key, found)
    assert (report.rendered, report.kept) == (1, 8)
    np.testing.assert_array_equal(shown(draft, "pat0_s1", "dncnn"), good)


def test_what_changed_is_rendered_again_and_the_rest_is_kept(tmp_path: Path, draft: Draft) -> None:
    found = compared(tmp_path, "input", "tv:weight=0.1")
    build(draft.store, draft.key, found)
    other = compared(tmp_path, "input", "tv:weight=0.2")
    report = build(draft.store, draft.key, other)
    assert (report.rendered, report.kept) == (3, 3)
    assert {method for _, method in rows(draft)} == {"input", "tv:weight=0.2"}
    (tmp_path / "in" / "pat1_s2.png").write_bytes(image_files.png(small_studies.picture(7)))
    report = build(draft.store, draft.key, other)
    assert (report.rendered, report.kept) == (2, 4)
    fewer = replace(other, cases=other.cases[:2])
    build(draft.store, draft.key, fewer)
    assert {case for case, _ in rows(draft)} == {"pat0_s0", "pat0_s1"}
    assert len(fingerprint(draft)) == 4
    again = build(draft.store, draft.key, other)
    assert (again.rendered, again.kept) == (2, 4)
    with draft.store.read() as session:
        labels = [row.case_key for row in session.scalars(select(Item))]
    assert sorted(labels) == ["C001", "C002", "C003"]


def test_what_older_code_made_is_rendered_again(
    tmp_path: Path, draft: Draft, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = compared(tmp_path, "input", "tv:weight=0.1")
    build(draft.store, draft.key, found)
    monkeypatch.setattr(renderer, "method_digest", lambda method: "that of the next version")
    report = build(draft.store, draft.key, found)
    assert (report.rendered, report.kept) == (3, 3)


def test_a_case_that_goes_to_another_patient_gets_their_label(tmp_path: Path, draft: Draft) -> None:
    found = small_studies.ready_made(tmp_path / "in", cases=4)
    build(draft.store, draft.key, found)
    patients = ("B", "A", "A", "C")
    moved = tuple(replace(c, patient=p) for c, p in zip(found.cases, patients, strict=True))
    build(draft.store, draft.key, replace(found, cases=moved))
    key = draft.key
    with draft.store.read() as session:
        label = {key.cases[i.id].name: i.patient_key for i in session.scalars(select(Item))}
    assert label["pat0_s1"] == label["pat1_s2"]
    assert len(set(label.values())) == 3


def test_the_build_is_logged_without_names(tmp_path: Path, draft: Draft) -> None:
    options = Options(attest_deidentified=True, accept_differences=True)
    build(
        draft.store,
        draft.key,
        small_studies.ready_made(tmp_path / "in"),
        options=options,
        actor="anna",
    )
    with draft.store.read() as session:
        event = session.scalars(select(AuditEvent).where(AuditEvent.action == "build")).one()
    assert event.actor == "anna"
    assert event.detail == (
        "3 cases, 3 methods; attested that the pixels name nobody; differences accepted"
    )
    assert {row.deid_check for row in rows(draft).values()} == {"attested"}


def spoil(path: Path, kind: str) -> None:
    pixels = small_studies.picture(int(path.stem.rpartition("s")[2]))
    bad: dict[str, Callable[[], bytes]] = {
        "size": lambda: image_files.png(small_studies.picture(0, 32, 40)),
        "colour": lambda: image_files.png(np.dstack([pixels, pixels[::-1], pixels])),
        "depth": lambda: image_files.png(pixels.astype(np.uint16) * 257),
        "constant": lambda: image_files.png(np.full((32, 32), 9, np.uint8)),
        "nan": lambda: image_files.tiff(np.full((32, 32), np.nan, np.float32)),
        "text": lambda: b"These are notes.\n" * 20,
        "empty": lambda: b"",
        "black": lambda: image_files.png(np.diag([3, 0] * 16).astype(np.uint8)),
        "mark": lambda: image_files.png(_marked(pixels)),
        "burned": lambda: image_files.dicom(pixels, BurnedInAnnotation="YES"),
    }  # fmt: skip
    path.write_bytes(bad[kind]())


def _marked(pixels: Any) -> Any:
    marked = pixels.copy()
    marked[25:29, 2:14:2] = 255
    return marked


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("size", "restormer 40 x 32|40 x 32 pixels; the size would betray"),
        ("colour", "restormer is in colour and"),
        ("depth", "restormer 16; coarser gray levels|restormer has 16 bits"),
        ("constant", r"restormer \(pat0_s0.png\): The image is constant"),
        ("nan", "restormer .* undefined pixels: every value is NaN"),
        ("text", "restormer .* a text file, not an image"),
        ("empty", r"restormer .*empty \(0 bytes\)"),
        ("black", "the image of restormer is (black or white|constant)|black or white"),
        ("mark", "as if text or a mark were burned"),
        ("burned", "restormer says that text is burned into its pixels"),
    ],
)
def test_a_bad_image_is_refused_and_the_rest_is_kept(
    tmp_path: Path, draft: Draft, kind: str, says: str
) -> None:
    found = small_studies.ready_made(tmp_path / "in")
    spoil(tmp_path / "in" / "restormer" / "pat0_s0.png", kind)
    with pytest.raises(BuildError, match=r"^Case pat0_s0") as caught:
        build(draft.store, draft.key, found)
    assert re.search(says, str(caught.value)), caught.value
    assert str(caught.value).count("Case ") == 1
    checks = {case: row.deid_check for (case, _), row in rows(draft).items()}
    assert checks["pat0_s1"] == checks["pat1_s2"] == "checked"
    assert checks.get("pat0_s0", "pending") == "pending"
    small_studies.write_methods(tmp_path / "in", ("restormer", "dncnn", "clean"))
    report = build(draft.store, draft.key, found)
    assert report.kept >= 6
    assert {row.deid_check for row in rows(draft).values()} == {"checked"}


def test_a_mark_or_burned_in_text_can_be_accepted(tmp_path: Path, draft: Draft) -> None:
    found = small_studies.ready_made(tmp_path / "in", cases=1)
    for kind, accepted, check in (
        ("mark", Options(accept_differences=True), "checked"),
        ("burned", Options(attest_deidentified=True), "attested"),
    ):
        spoil(tmp_path / "in" / "restormer" / "pat0_s0.png", kind)
        with pytest.raises(BuildError, match="Case pat0_s0"):
            build(draft.store, draft.key, found)
        build(draft.store, draft.key, found, options=accepted)
        assert {row.deid_check for row in rows(draft).values()} == {check}


def test_all_marks_are_told_at_once_and_accepted_case_by_case(tmp_path: Path, draft: Draft) -> None:
    found = small_studies.ready_made(tmp_path / "in", cases=12)
    for case in range(10):
        spoil(tmp_path / "in" / "restormer" / f"pat{case // 2}_s{case}.png", "mark")
    spoil(tmp_path / "in" / "dncnn" / "pat0_s0.png", "mark")
    with pytest.raises(BuildError) as caught:
        build(draft.store, draft.key, found)
    said = str(caught.value)
    assert said.count("as if text or a mark") == 11
    assert said.endswith(" ".join(f'--accept-case "pat{n // 2}_s{n}"' for n in range(10)))
    nine = frozenset(f"pat{case // 2}_s{case}" for case in range(1, 10))
    with pytest.raises(BuildError) as caught:
        build(draft.store, draft.key, found, options=Options(accept_cases=nine))
    assert str(caught.value).count("Case pat0_s0") == 2
    with pytest.raises(BuildError, match="No case 'other'"):
        build(draft.store, draft.key, found, options=Options(accept_cases=frozenset({"other"})))
    report = build(draft.store, draft.key, found, options=Options(accept_cases=nine | {"pat0_s0"}))
    assert report.kept == 36
    with draft.store.read() as session:
        details = session.scalars(select(AuditEvent.detail).where(AuditEvent.action == "build"))
        assert details.one().endswith("differences accepted in 10 cases")


def test_many_bad_cases_are_told_together(tmp_path: Path, draft: Draft) -> None:
    found = small_studies.ready_made(tmp_path / "in", cases=12)
    for case in range(12):
        spoil(tmp_path / "in" / "dncnn" / f"pat{case // 2}_s{case}.png", "size")
    with pytest.raises(BuildError) as caught:
        build(draft.store, draft.key, found)
    assert str(caught.value).count("the size would betray") == 8
    assert str(caught.value).endswith("Stopped here; what was rendered is kept.")


@pytest.mark.parametrize(
    ("methods", "anchors", "says"),
    [
        (("input", "nml"), (), "nml: No method nml; did you mean nlm"),
        (("input", "tv:wieght=1"), (), "has no parameter wieght; did you mean weight"),
        (("input", "tv:weight=9"), (), "weight=9 is not possible"),
        (("input", "tv"), ("blurr:1",), "No degradation blurr; did you mean blur"),
        (("input", "tv"), ("blur:99",), "is not possible for blur; give 0 to 10"),
        (("input", "tv"), ("blur:x",), "The level 'x' is not a number"),
        (("input", "tv"), ("downsample:2",), "changes the size"),
    ],
)
def test_wrong_methods_are_told_before_anything_is_read(
    tmp_path: Path, draft: Draft, methods: tuple[str, ...], anchors: tuple[str, ...], says: str
) -> None:
    found = compared(tmp_path, *methods, anchors=anchors)
    with pytest.raises(BuildError, match=says):
        build(draft.store, draft.key, found)
    assert not draft.key.methods


def test_groups_and_modality_must_be_known(tmp_path: Path, draft: Draft) -> None:
    found = small_studies.ready_made(tmp_path / "in")
    wrong = sources.with_roles(found, groups={"dncnn": "network"})
    with pytest.raises(BuildError, match=r"not among the answers .* neural network"):
        build(draft.store, draft.key, wrong)
    with pytest.raises(BuildError, match="modality 'XX' is unknown; use CT, MR"):
        build(draft.store, draft.key, replace(found, modality="XX"))
    right = sources.with_roles(found, reference="clean", groups={"dncnn": "neural network"})
    build(draft.store, draft.key, right)
    key = draft.key
    groups = {method.name: method.group for method in key.methods.values()}
    assert groups == {"dncnn": "neural network", "clean": "not processed", "restormer": ""}


def test_ready_made_images_of_a_known_method_get_its_names(tmp_path: Path, draft: Draft) -> None:
    found = small_studies.ready_made(tmp_path / "in", names=("Non-Local_Means", "ddnm"))
    build(draft.store, draft.key, found)
    key = draft.key
    assert "nlm" in key.methods[key.method_id("Non-Local_Means")].aliases
    assert key.named_in("denoised by NLM") == ("nlm",)


def test_images_inside_the_study_folder_are_refused(tmp_path: Path, draft: Draft) -> None:
    found = small_studies.ready_made(tmp_path / "study" / "in")
    with pytest.raises(BuildError, match="lies in the study folder"):
        build(draft.store, draft.key, found)


def test_remarks_about_files_are_told_once(tmp_path: Path, draft: Draft) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    for case in range(3):
        pixels = small_studies.picture(case)
        (tmp_path / "a" / f"c{case}").write_bytes(image_files.jpeg(pixels))
        head = image_files.dicom(pixels, Modality="MR", BodyPartExamined="HEAD", WindowCenter=128,
                           WindowWidth=256, BurnedInAnnotation="NO")  # fmt: skip
        (tmp_path / "b" / f"c{case}").write_bytes(head)
    (tmp_path / "in").mkdir()
    for name in ("a", "b"):
        (tmp_path / name).rename(tmp_path / "in" / name)
    notes = build(draft.store, draft.key, sources.from_folders(tmp_path / "in")).notes
    assert set(notes) == {
        "3 cases: Some images are JPEG and some are not: its blocks may betray a method.",
        "3 cases: Slices of a head: a face may be recognised in them.",
        "3 files (JPEG) cannot say whether text is burned in: look at them.",
    }


def test_patients_that_may_be_one_are_warned_about(tmp_path: Path, draft: Draft) -> None:
    found = small_studies.ready_made(tmp_path / "in", cases=2)
    cases = tuple(
        replace(case, patient=patient)
        for case, patient in zip(found.cases, ("P07", "p07"), strict=True)
    )
    notes = build(draft.store, draft.key, replace(found, cases=cases)).notes
    assert any(note.startswith("'P07' and 'p07' are taken as different patients") for note in notes)


def test_a_study_that_is_no_draft_or_a_foreign_key_is_refused(tmp_path: Path, draft: Draft) -> None:
    found = small_studies.ready_made(tmp_path / "in")
    (tmp_path / "other").mkdir()
    other = small_studies.draft(tmp_path / "other")
    with pytest.raises(KeyFileError, match="another study"):
        build(draft.store, other.key, found)
    with draft.store.write() as session:
        from study.domain.terms import Status

        draft.store.set_status(session, Status.FROZEN, "anna")
    with pytest.raises(BuildError, match="is frozen; only a draft"):
        build(draft.store, draft.key, found)


def test_the_protocol_decides_about_groups(tmp_path: Path) -> None:
    draft = small_studies.draft(tmp_path, Protocol(readers=1, blinding_groups=("yes", "no")))
    build(draft.store, draft.key, compared(tmp_path, "input", "tv"))
    assert {method.group for method in draft.key.methods.values()} == {""}


def test_two_builds_at_once_are_one_build_and_a_sentence(tmp_path: Path, draft: Draft) -> None:
    found = small_studies.ready_made(tmp_path / "images")
    said: list[str] = []

    def during(share: float, what: str) -> None:
        if not said:
            for second in (
                lambda: build(draft.store, draft.key, found),
                lambda: freeze(draft.store, draft.key, actor="anna"),
            ):
                with pytest.raises(StoreError) as refused:
                    second()
                said.append(str(refused.value))

    assert build(draft.store, draft.key, found, progress=during).rendered == 9
    assert len(said) == 2
    assert all("images of this study are being changed: build since 20" in one for one in said)
    assert build(draft.store, draft.key, found).kept == 9


def test_a_method_that_changed_nothing_is_named_also_when_it_was_kept(
    tmp_path: Path, draft: Draft
) -> None:
    found = compared(tmp_path, "input", "nlm:sigma=0", "tv:weight=0.1")
    for _ in range(2):
        notes = build(draft.store, draft.key, found, options=Options(device="cpu")).notes
        assert [note for note in notes if "unchanged" in note] == [
            "nlm:sigma=0 left the image of 3 cases unchanged: it found nothing to do, and readers "
            "see the input."
        ]
