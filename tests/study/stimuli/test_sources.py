"""Manifests and folders of images: problems are reported with their line or name."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from study.domain.errors import BuildError
from study.domain.recipes import ImageSource, parse_method
from study.domain.terms import MethodKind
from study.stimuli import sources
from study.stimuli.manifest import SHOWN

HEADER = "case,patient,method,file"
GOOD = ("p1,A,nlm,1.png", "p1,A,tv,2.png", "p2,B,nlm,3.png", "p2,B,tv,4.png")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(1, 9):
        (folder / f"{number}.png").write_bytes(b"x")
    (tmp_path / "outside.png").write_bytes(b"x")
    return folder


def manifest(folder: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path = folder / "manifest.csv"
    path.write_text("\n".join(lines) + "\n", encoding=encoding)
    return path


def make(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"x")
    return folder


def test_a_manifest_gives_cases_patients_methods_and_files(images: Path) -> None:
    found = sources.from_manifest(manifest(images, HEADER, *GOOD), modality="MR")
    assert [case.name for case in found.cases] == ["p1", "p2"]
    assert [case.patient for case in found.cases] == ["A", "B"]
    assert [method.name for method in found.methods] == ["nlm", "tv"]
    assert found.cases[1].files == (images / "3.png", images / "4.png")
    assert found.modality == "MR"
    assert all(method.source is ImageSource.FILE for method in found.methods)


def test_a_manifest_may_order_columns_and_say_more(images: Path) -> None:
    lines = (
        "File , Case,METHOD,patient,training,slice,note", "", "1.png,p1,nlm,A,yes,3,x",
        '"2.png", p1 ,tv, A,1,3', ",,,", "3.png,p2,nlm,A,no,,", "4.png,p2,tv,A,",
    )  # fmt: skip
    found = sources.from_manifest(manifest(images, *lines, encoding="utf-8-sig"))
    assert [(c.name, c.training, c.slice_index) for c in found.cases] == [
        ("p1", True, 3),
        ("p2", False, None),
    ]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ((), "is empty; its first line must be case,patient,method,file"),
        ((HEADER,), "lists no image"),
        (("case,method,file", *GOOD), "line 1: the column patient is missing"),
        ((HEADER + ",case", *GOOD), "line 1: names a column twice, 'case'"),
        ((HEADER, *GOOD, "p3,,nlm,5.png"), "line 6: patient is empty"),
        ((HEADER, "p1,A,nlm", *GOOD[1:]), "line 2: file is empty"),
        ((HEADER, *GOOD, "p3,C,nlm,5.png,extra"), "line 6: 5 cells, but the header has 4"),
        ((HEADER, *GOOD, "", "p3,C,nlm,none.png"), "line 7: there is no file none.png"),
        ((HEADER, *GOOD, "p3,C,nlm,../outside.png"), "line 6: ../outside.png lies outside"),
        ((HEADER, *GOOD, "p3,C,nlm,/etc/hostname"), "line 6: /etc/hostname lies outside"),
        ((HEADER, *GOOD, "p3,C,nlm,."), "line 6: . lies outside"),
        ((HEADER, *GOOD, "p3,C,nlm,5\0.png"), "line 6"),
        ((HEADER, *GOOD, "p1,A,nlm,5.png"), "line 6: case 'p1' has an image of 'nlm' in line 2"),
        ((HEADER, *GOOD, "p3,C,nlm,1.png"), "line 6: the file 1.png is in line 2 already"),
        ((HEADER, *GOOD[:3], "p2,C,tv,4.png"), "line 5: patient of case 'p2' is 'C', but 'B' in"),
        ((HEADER, *GOOD, "p3,C,nlm,5.png"), r"case 'p3' \(line 6\) has no image of tv"),
        ((HEADER, *GOOD[::2]), "There is 1 method"),
        ((HEADER + ",training", GOOD[0] + ",maybe", *GOOD[1:]), "line 2: training is 'maybe'"),
        ((HEADER + ",slice", GOOD[0] + ",-1", *GOOD[1:]), "line 2: slice is '-1'"),
        ((HEADER, 'p1,A,nlm,"1.png', *GOOD[1:]), "line 2: a quotation mark is opened here"),
        ((HEADER, *GOOD, "p3,C,NLM,5.png", "p3,C,Tv,6.png"), "case 'p1' .* has no image of NLM"),
    ],
)
def test_a_wrong_manifest_is_refused_with_the_line(
    images: Path, lines: tuple[str, ...], says: str
) -> None:
    with pytest.raises(BuildError, match=says):
        sources.from_manifest(manifest(images, *lines))


def test_a_link_out_of_the_folder_is_an_escape(images: Path) -> None:
    (images / "link.png").symlink_to(images.parent / "outside.png")
    with pytest.raises(BuildError, match=r"line 2: link\.png lies outside"):
        sources.from_manifest(manifest(images, HEADER, "p1,A,nlm,link.png", *GOOD[1:]))


def test_a_manifest_may_lie_elsewhere(images: Path) -> None:
    path = manifest(images.parent, HEADER, *GOOD)
    assert len(sources.from_manifest(path, root=images).cases) == 2
    with pytest.raises(BuildError, match=r"no file 1\.png"):
        sources.from_manifest(path)


@pytest.mark.parametrize(
    ("change", "encoding"),
    [
        (lambda text: text.replace(",", ";"), "utf-8"),
        (lambda text: text.replace(",", "\t"), "utf-8-sig"),
        (lambda text: "sep=;\n" + text.replace(",", ";"), "cp1252"),
        (lambda text: text.replace("\n", ",,\n"), "utf-8"),
        (lambda text: text, "utf-16"),
        (lambda text: text.replace("1.png", "sub\\1.png"), "utf-8"),
        (lambda text: text.replace("1.png", ".\\sub\\1.png"), "utf-8"),
    ],
)
def test_a_manifest_as_a_spreadsheet_writes_it(
    images: Path, change: Callable[[str], str], encoding: str
) -> None:
    make(images / "sub", "1.png")
    text = change("\n".join((HEADER, *GOOD)) + "\n")
    path = images / "manifest.csv"
    path.write_bytes(text.encode(encoding))
    found = sources.from_manifest(path)
    assert [case.name for case in found.cases] == ["p1", "p2"]
    assert found.cases[0].files[0].name == "1.png"


def test_all_problems_come_at_once_up_to_a_number(images: Path) -> None:
    lines = [f"p{n},A,nlm,none{n}.png" for n in range(20)]
    with pytest.raises(BuildError) as caught:
        sources.from_manifest(manifest(images, HEADER, *lines))
    problems = str(caught.value).splitlines()
    assert len(problems) == SHOWN + 1
    assert problems[-1] == "... and 12 more problems."


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b"\x89PNG\xff\xfe\0")
    with pytest.raises(BuildError, match="is a picture, not a table of text"):
        sources.from_manifest(tmp_path / "x.csv")
    with pytest.raises(BuildError, match="cannot be read: No such file"):
        sources.from_manifest(tmp_path / "none.csv")


def test_folders_are_methods_and_names_are_cases(tmp_path: Path) -> None:
    make(tmp_path / "nlm", "p1_01.png", "p1_02.nii.gz", ".DS_Store")
    make(tmp_path / "tv", "p1_01.tif", "p1_02.png")
    found = sources.from_folders(tmp_path, separator="_")
    assert [(c.name, c.patient) for c in found.cases] == [("p1_01", "p1"), ("p1_02", "p1")]
    assert found.cases[1].files == (tmp_path / "nlm/p1_02.nii.gz", tmp_path / "tv/p1_02.png")
    assert [c.patient for c in sources.from_folders(tmp_path).cases] == ["p1_01", "p1_02"]


def test_a_table_of_patients_is_used_where_there_is_one(tmp_path: Path) -> None:
    make(tmp_path / "nlm", "1.png", "2.png")
    make(tmp_path / "tv", "1.png", "2.png")
    table = tmp_path / "patients.csv"
    table.write_text("case,patient,training\n1,A,\n2,A,yes\n")
    found = sources.from_folders(tmp_path)
    assert [(c.patient, c.training) for c in found.cases] == [("A", False), ("A", True)]
    for text, says in (
        ("case,patient\n1,A\n", "has no case '2'"),
        ("case,patient\n1,A\n2,B\n3,B\n", "names case '3' in line 4"),
        ("case,patient\n1,A\n1,A\n2,A\n", "line 3: case '1' is in line 2 already"),
        ("case\n1\n2\n", "the column patient is missing"),
    ):
        table.write_text(text)
        with pytest.raises(BuildError, match=says):
            sources.from_folders(tmp_path)


def test_wrong_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="holds no folder"):
        sources.from_folders(tmp_path)
    make(tmp_path / "nlm", "1.png", "2.png", "3.png")
    with pytest.raises(BuildError, match="There is 1 method"):
        sources.from_folders(tmp_path)
    make(tmp_path / "tv")
    with pytest.raises(BuildError, match="tv holds no image"):
        sources.from_folders(tmp_path)
    make(tmp_path / "tv", "1.png")
    with pytest.raises(BuildError, match=r"folder tv lacks 2 of 3 cases \(2, 3\)"):
        sources.from_folders(tmp_path)
    make(tmp_path / "tv", "1.tif")
    with pytest.raises(BuildError, match=r"1\.png and 1\.tif .* are both of case '1'"):
        sources.from_folders(tmp_path)
    (tmp_path / "tv" / "1.tif").unlink()
    make(tmp_path / "tv" / "deep", "2.png")
    with pytest.raises(BuildError, match=r"lacks 1 of 4 cases \(deep\)"):
        sources.from_folders(tmp_path)
    with pytest.raises(BuildError, match="cannot be read"):
        sources.from_folders(tmp_path / "none")


def test_methods_that_differ_in_spelling_only_are_refused(tmp_path: Path) -> None:
    for method in ("non-local means", "Non_Local Means"):
        make(tmp_path / method, "1.png")
    with pytest.raises(BuildError, match="differ in case, spaces or hyphens only"):
        sources.from_folders(tmp_path)


def test_images_and_methods_of_the_compare_half(tmp_path: Path) -> None:
    make(tmp_path / "in", "a.png", "b.dcm")
    make(tmp_path / "clean", "a.png", "b.png", "c.png")
    found = sources.from_images(
        [tmp_path / "in"],
        ["input", "nlm", "tv:weight=0.1, iterations=50"],
        truth=tmp_path / "clean",
        anchors=["blur:3"],
    )
    assert [(m.name, m.kind, m.source, m.recipe) for m in found.methods] == [
        ("input", MethodKind.TEST, ImageSource.INPUT, ""),
        ("nlm", MethodKind.TEST, ImageSource.ENHANCE, "nlm"),
        ("tv:weight=0.1, iterations=50", MethodKind.TEST, ImageSource.ENHANCE, "tv"),
        ("blur:3", MethodKind.ANCHOR, ImageSource.DEGRADE, "blur"),
        ("truth", MethodKind.REFERENCE, ImageSource.FILE, ""),
    ]
    assert found.methods[2].values == (("weight", "0.1"), ("iterations", "50"))
    assert found.cases[0].files[0] == tmp_path / "in" / "a.png"
    assert found.cases[0].files[-1] == tmp_path / "clean" / "a.png"
    assert found.reference is found.methods[-1]


@pytest.mark.parametrize(
    ("methods", "anchors", "says"),
    [
        (["nlm"], [], "There is 1 method"),
        (["nlm", "nlm"], [], "Two methods are called 'nlm'"),
        (["nlm", "tv:weight"], [], "'weight' in 'tv:weight' is not name=value"),
        (["nlm", ":weight=1"], [], "names no method"),
        (["nlm"], ["blur"], "'blur' is not a degradation with its level"),
    ],
)
def test_wrong_methods_are_refused(
    tmp_path: Path, methods: list[str], anchors: list[str], says: str
) -> None:
    make(tmp_path / "in", "a.png")
    with pytest.raises(BuildError, match=says):
        sources.from_images([tmp_path / "in"], methods, anchors=anchors)


def test_wrong_inputs_are_refused(tmp_path: Path) -> None:
    make(tmp_path / "in", "a.png")
    make(tmp_path / "other", "a.tif")
    make(tmp_path / "empty")
    for inputs, says in (
        ([tmp_path / "none.png"], "no file or folder"),
        ([tmp_path / "in", tmp_path / "other"], "both of case 'a'"),
        ([tmp_path / "empty"], "holds no image"),
    ):
        with pytest.raises(BuildError, match=says):
            sources.from_images(inputs, ["nlm", "input"])
    truth = make(tmp_path / "clean", "b.png")
    with pytest.raises(BuildError, match="no clean image of a"):
        sources.from_images([tmp_path / "in"], ["nlm"], truth=truth)


def test_roles_and_training_are_given_by_name(images: Path) -> None:
    found = sources.from_manifest(manifest(images, HEADER, *GOOD))
    chosen = sources.with_roles(found, reference="tv", groups={"nlm": "filter"})
    assert chosen.reference is not None
    assert chosen.reference.name == "tv"
    assert chosen.methods[0].group == "filter"
    moved = sources.with_roles(chosen, reference="nlm", anchors=["tv"])
    assert [m.kind for m in moved.methods] == [MethodKind.REFERENCE, MethodKind.ANCHOR]
    with pytest.raises(BuildError, match="No method 'x'; there are nlm, tv"):
        sources.with_roles(found, anchors=["x"])
    with pytest.raises(BuildError, match="cannot be the reference and an anchor"):
        sources.with_roles(found, reference="tv", anchors=["tv"])
    assert [c.training for c in sources.with_training(found, ["p2"]).cases] == [False, True]
    with pytest.raises(BuildError, match="No case 'p9'"):
        sources.with_training(found, ["p9"])


def decomposed(name: str) -> str:
    """A name as macOS writes it."""
    return unicodedata.normalize("NFD", name)


def test_a_manifest_finds_files_that_macos_named(tmp_path: Path) -> None:
    make(tmp_path / decomposed("größe"), decomposed("é1.png"), "2.png")
    lines = (
        HEADER,
        "für,é,nlm,größe/é1.png",
        f"{decomposed('für')},{decomposed('é')},tv,größe/2.png",
    )
    found = sources.from_manifest(manifest(tmp_path, *lines))
    assert [(case.name, case.patient) for case in found.cases] == [("für", "é")]
    assert [file.exists() for file in found.cases[0].files] == [True, True]


def test_folders_of_macos_and_others_match(tmp_path: Path) -> None:
    make(tmp_path / "i" / decomposed("Méthode"), decomposed("cœur_é.png"), "b_1.png")
    make(tmp_path / "i" / "nlm", "cœur_é.png", "b_1.png")
    (tmp_path / "i" / "patients.csv").write_text("case,patient\ncœur_é,P1\nb_1,P2\n", "utf-8")
    found = sources.from_folders(tmp_path / "i")
    assert [case.name for case in found.cases] == ["b_1", "cœur_é"]
    roles = sources.with_roles(found, reference=decomposed("Méthode"))
    assert roles.reference is not None
    assert roles.reference.name == "Méthode"
    trained = sources.with_training(found, [decomposed("cœur_é")])
    assert [case.training for case in trained.cases] == [False, True]
    make(tmp_path / "i" / "Méthode", "cœur_é.png", "b_1.png")
    with pytest.raises(BuildError, match="Two methods are called 'Méthode'"):
        sources.from_folders(tmp_path / "i")


@pytest.mark.parametrize(
    ("mask", "shown"), [("a/b/m.png", "m.png"), (".", ""), ("..", ".."), ("/x/0.1", "0.1")]
)
def test_the_name_of_a_method_has_the_last_part_of_its_masks_path(mask: str, shown: str) -> None:
    method = parse_method(f" null_space:task=inpaint, sigma=0.1,mask={mask}")
    assert method.name == f"null_space:task=inpaint,sigma=0.1,mask={shown}"
    assert (method.mask, method.values) == (mask, (("task", "inpaint"), ("sigma", "0.1")))


def test_a_manifest_may_say_the_truth_of_a_case(images: Path) -> None:
    header = HEADER + ",truth"
    lines = [f"{line},{'Yes' if line.startswith('p1') else '0'}" for line in GOOD]
    found = sources.from_manifest(manifest(images, header, *lines))
    truth = {case.name: case.truth for case in found.cases}
    assert set(truth.values()) == {"yes", "no"}
    assert {
        case.truth for case in sources.from_manifest(manifest(images, HEADER, *GOOD)).cases
    } == {""}
    lines[0] = f"{GOOD[0]},perhaps"
    with pytest.raises(BuildError, match="truth is 'perhaps'; give yes or no"):
        sources.from_manifest(manifest(images, header, *lines))
    lines[0] = f"{GOOD[0]},no"
    with pytest.raises(BuildError, match="truth of case"):
        sources.from_manifest(manifest(images, header, *lines))
