"""The key file: private, whole, of the right study; and names found however they are written."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.domain.disguised_names import names_in, normalised
from study.domain.errors import KeyFileError
from study.domain.protocol import Protocol
from study.domain.terms import MethodKind
from study.storage import key_file
from study.storage.key import Key, KeyCase, KeyMethod


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "study"
    made.mkdir()
    return made


def filled(key: Key) -> Key:
    return replace(
        key,
        study_id="S1",
        methods={
            "m-1": KeyMethod("tv:weight=0.1", MethodKind.TEST, "filter", ("tv", "Total variation")),
            "m-2": KeyMethod("input", MethodKind.REFERENCE, "not processed"),
        },
        cases={"i-1": KeyCase("müller_07", "Zyxwvut", ("/data/in/müller_07.nii.gz",))},
        stimuli={"s-1": "ab" * 32},
    )


def test_a_new_key_is_private_and_random(tmp_path: Path, folder: Path) -> None:
    one = key_file.create(tmp_path / "a.json", folder)
    other = key_file.create(tmp_path / "b.json", folder)
    assert len(one.seed) == 32
    assert one.seed != other.seed
    assert stat.S_IMODE((tmp_path / "a.json").stat().st_mode) == 0o600
    assert one.seed.hex() not in one.seed_sha256
    assert repr(one).find(one.seed.hex()) == -1


def test_a_key_is_read_back_as_it_was_saved(tmp_path: Path, folder: Path) -> None:
    key = filled(key_file.create(tmp_path / "key.json", folder))
    key_file.save(key)
    found = key_file.load(key.path, folder, study_id="S1", seed_sha256=key.seed_sha256)
    assert found == key
    assert found.digest == key.digest
    assert stat.S_IMODE(key.path.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["key.json"]


def test_names_that_are_no_text_are_kept(tmp_path: Path, folder: Path) -> None:
    odd = b"p\xff.png".decode("utf-8", "surrogateescape")
    key = key_file.create(tmp_path / "key.json", folder)
    key = replace(filled(key), cases={"i-1": KeyCase(odd, "Ä", (f"/in/{odd}",))})
    key_file.save(key)
    assert key_file.load(key.path, folder) == key


def test_the_digest_of_the_names_needs_the_seed(tmp_path: Path, folder: Path) -> None:
    key = filled(key_file.create(tmp_path / "key.json", folder))
    assert replace(key, seed=bytes(32)).digest != key.digest
    renamed = {**key.methods, "m-1": replace(key.methods["m-1"], name="nlm")}
    assert replace(key, methods=renamed).digest != key.digest


def test_a_key_inside_the_study_folder_is_refused(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(KeyFileError, match="lies in the study folder"):
        key_file.create(folder / "key.json", folder)
    (folder / "deep").mkdir()
    with pytest.raises(KeyFileError, match="lies in the study folder"):
        key_file.create(folder / "x" / ".." / "deep" / "key.json", folder)
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(KeyFileError, match="lies in the study folder"):
        key_file.create(tmp_path / "link" / "key.json", folder)
    key = key_file.create(tmp_path / "key.json", folder)
    moved = key.path.rename(folder / "key.json")
    with pytest.raises(KeyFileError, match="choose a path outside"):
        key_file.load(moved, folder)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o777])
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, folder: Path, mode: int) -> None:
    key = key_file.create(tmp_path / "key.json", folder)
    key.path.chmod(mode)
    with pytest.raises(KeyFileError, match=f"mode {mode:04o}.*chmod 600"):
        key_file.load(key.path, folder)


def test_a_foreign_key_is_refused(tmp_path: Path, folder: Path) -> None:
    key = filled(key_file.create(tmp_path / "key.json", folder))
    key_file.save(key)
    with pytest.raises(KeyFileError, match="belongs to another study"):
        key_file.load(key.path, folder, study_id="S2")
    with pytest.raises(KeyFileError, match=r"seed in .*not the one"):
        key_file.load(key.path, folder, study_id="S1", seed_sha256="0" * 64)
    with pytest.raises(KeyFileError, match="belongs to another study"):
        key.bind("S2")


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.9, 0.995])
def test_a_truncated_key_is_refused(tmp_path: Path, folder: Path, share: float) -> None:
    key = filled(key_file.create(tmp_path / "key.json", folder))
    key_file.save(key)
    text = key.path.read_bytes()
    key.path.write_bytes(text[: int(len(text) * share)])
    with pytest.raises(KeyFileError, match="is damaged: it is truncated"):
        key_file.load(key.path, folder)


def test_a_key_changed_by_hand_is_refused(tmp_path: Path, folder: Path) -> None:
    key = filled(key_file.create(tmp_path / "key.json", folder))
    key_file.save(key)
    good = key.path.read_text(encoding="utf-8")
    changes: dict[str, Callable[[dict[str, Any]], Any]] = {
        "not what was written": lambda raw: raw["methods"]["m-1"].update(name="input"),
        "its seed has 4 bytes": lambda raw: raw.update(seed="00000000"),
        "'cases' is missing": lambda raw: raw.pop("cases"),
        "wrong kind": lambda raw: raw.update(methods=["m-1"]),
        "is not the key file": lambda raw: raw.update(format="else"),
        "has version 9": lambda raw: raw.update(version=9),
    }
    for says, change in changes.items():
        raw = json.loads(good)
        change(raw)
        key.path.write_text(json.dumps(raw), encoding="utf-8")
        with pytest.raises(KeyFileError, match=says):
            key_file.load(key.path, folder)


def test_what_is_no_key_file_is_refused(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(KeyFileError, match="no key file"):
        key_file.load(tmp_path / "none.json", folder)
    (tmp_path / "place").mkdir(mode=0o700)
    with pytest.raises(KeyFileError, match="not a file"):
        key_file.load(tmp_path / "place", folder)
    binary = tmp_path / "image.png"
    binary.write_bytes(b"\x89PNG\xff\xfe")
    binary.chmod(0o600)
    with pytest.raises(KeyFileError, match="not text"):
        key_file.load(binary, folder)
    with pytest.raises(KeyFileError, match="never overwritten"):
        key_file.create(binary, folder)
    with pytest.raises(KeyFileError, match="no folder"):
        key_file.create(tmp_path / "missing" / "key.json", folder)


def test_a_failed_save_keeps_the_old_key(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = filled(key_file.create(tmp_path / "key.json", folder))
    key_file.save(key)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(KeyFileError, match="No space left"):
        key_file.save(replace(key, cases={}))
    assert key_file.load(key.path, folder) == key
    assert not list(tmp_path.glob(".*"))


def test_secret_strings_are_all_names_and_files_and_the_seed(tmp_path: Path, folder: Path) -> None:
    key = filled(key_file.create(tmp_path / "key.json", folder))
    assert set(key.secret_strings()) == {
        "tv:weight=0.1", "tv", "Total variation", "input", "müller_07", "Zyxwvut",
        "/data/in/müller_07.nii.gz", "müller_07.nii.gz", key.seed.hex(),
    }  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "Better than NLM?", "an n.l.m. image", "n-l-m", "nlm2 wins", "the NLMs", "nlmDenoised",
        "ｎｌｍ", "n\u200blm", "non local MEANS", "NonLocalMeans", "non_local-means",
        "NON-LOCAL  means", "nonlocalmeansfilter", "Nón-lócal meāns",
    ],
)  # fmt: skip
def test_a_method_is_found_in_disguise(text: str) -> None:
    assert names_in(text, ("nlm", "Non-local means"))


@pytest.mark.parametrize(
    "text",
    ["", "alms and NLP", "means of local non-experts", "unlmited", "N. L. Meyer"],
)
def test_other_words_are_not_taken_for_a_method(text: str) -> None:
    assert not names_in(text, ("nlm", "Non-local means", "A", ""))


def test_short_names_are_words_of_their_own() -> None:
    assert names_in("TV was used", ("tv",)) == ("tv",)
    assert not names_in("activity on tvmax", ("tv",))


@given(
    st.text("abcdefgh", min_size=2, max_size=12),
    st.lists(st.sampled_from(["", "-", "_", " ", ".", "\u00ad"]), min_size=11, max_size=11),
    st.booleans(),
)
def test_any_name_is_found_with_marks_between_its_letters(
    name: str, marks: list[str], upper: bool
) -> None:
    spelled = "".join(letter + mark for letter, mark in zip(name, [*marks, ""], strict=False))
    text = f"Rate (1 to 5): {spelled.upper() if upper else spelled}, please."
    assert names_in(text, (name,)) == (name,)
    assert normalised(spelled) == name


def test_the_texts_of_every_study_name_nothing(tmp_path: Path, folder: Path) -> None:
    key = key_file.create(tmp_path / "key.json", folder)
    cases = {"i-1": KeyCase("image", "1", ("left.png",)), "i-2": KeyCase("12", "quality")}
    key = replace(filled(key), cases=cases)
    assert key.named_in(Protocol().to_json()) == ()


def test_patients_and_files_are_found_in_texts(tmp_path: Path, folder: Path) -> None:
    key = filled(key_file.create(tmp_path / "key.json", folder))
    assert key.named_in("as in Muller 07") == ("müller_07",)
    assert key.named_in("ZYXWVUT is one") == ("Zyxwvut",)
    assert key.named_in("total-variation of zyxwvutter") == ("Total variation",)


def test_a_method_is_looked_up_by_name(tmp_path: Path, folder: Path) -> None:
    key = filled(key_file.create(tmp_path / "key.json", folder))
    assert key.method_id("input") == "m-2"
    with pytest.raises(KeyFileError, match="it has input, tv:weight"):
        key.method_id("nlm")


def test_the_truth_of_a_case_is_kept_and_sealed(tmp_path: Path, folder: Path) -> None:
    key = filled(key_file.create(tmp_path / "key.json", folder))
    known = replace(key.cases["i-1"], truth="yes")
    told = replace(key, cases={"i-1": known})
    assert told.digest != key.digest
    assert replace(key, cases={"i-1": replace(known, truth="no")}).digest != told.digest
    key_file.save(told)
    assert key_file.load(key.path, folder).cases["i-1"].truth == "yes"
    # Files of earlier versions have no truth, and their digest stays.
    key_file.save(key)
    assert "truth" not in key.path.read_text("utf-8")
    assert key_file.load(key.path, folder) == key
