"""MINC 2, HDF5 of ITK and VTK, read by SimpleITK in a process that can open nothing else."""

import base64
import locale
import random
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from enhancers.decoding import DecodePool, FileContent, OpenedFile
from enhancers.decoding.slice_store import SliceStore
from enhancers.errors import ImageReadError, ImageTooLarge
from enhancers.load import Caps, load, probe
from enhancers.load.volumes import converted


@pytest.fixture(autouse=True)
def _locale() -> Iterator[None]:
    """The encoding of text, which SimpleITK changes in its process when it writes or reads VTK."""
    before = locale.setlocale(locale.LC_ALL)
    yield
    locale.setlocale(locale.LC_ALL, before)


VOLUME = np.random.default_rng(0).integers(0, 900, (20, 24, 28)).astype(np.int16)
ENDS = {"MINC": "mnc", "ITK HDF5": "h5", "VTK": "vtk"}

# A file of ITK whose values, (3, 16, 18) of int16, are those of "secret.bin" in the folder of the
# process, deflated and in base 85.
ELSEWHERE = (
    "c-rgqaB<`1lHy|G;9!7(|4?v10>U?diU;{!i1qhy31VWXU=l)B2m@S942%p6Y@!T6iVJ9PSZYymW`5pgsD3tKkOYTk"
    "h_`2MVtT3+BUBio9w-b|zm5&6fu8{#bWMD62J8d{T^F8gWbDHz!oa}92n0~2Fq&C}fl(635nzB|h&TrWE6}mbOdLRu"
    "FasS0Q7Zt|BOm+fBr!ha0U5_=Fc)T*2LshWvtN+~)CmGWXQi@0giWB*PzQ*B9Kh+4nVXsi3ONNPlpuA<EJ{r-0g4yb"
    "GoeI*Z)!=ROJYglH>fbkh6l_LwjA6Ex^bR;*aO=I7TC<NK!(vg42%Nc-~|B(NFZ}T0$Bi>oS+m#Vam~O*o}{2Q~?^#"
    "gvEGt8W^{N3ifd8Ot=|L{sSeEt<{h~jT?uw6G=qGEkgtY&A`!}C)N;1#pL+304;!>&00nLojtrkv3r*lB4!GA#LlFG"
    ")iiKK2bv>VA8vX9as>9UW)lLXNA}=?#N^Dp^nXx`PFQ%Cf}IA;T#UdJ&%}&y3oMHYp}7r19F!7)4rPMMLfpu%!2m8G"
    "fCe)xg$4-+TI|5w2JsKPFoYFKISh0KmQPmy@o;qvKn_z_adVUvRc&!<a#3oDUQ%Wrgb$1SN;cHUhZY-Q`4y=-pkiPq"
    "v~Xe2SFpcNgW`381Zo_y8+P)6+{PvdQqSgJl$oBHSILa&xRA<%R3WJ2_v=+0q=DNupt;S!DzcYh<Nz6v*EtZu=I-q8"
    "!-y0fj7aLhrKpRWsX|U>Qc+@2r9v5`zP3^@)H5{FGX%*)D-;G;$_)1K4+=rbrZ90+Jrg|(BzH{UXBY*eU=)mkQ7{Td"
    "!6+C7qhJ(_f>AIEMgg4wZ1@Z|9Kwtu`@tT+ZfeORXwY~8Y<vPVwt&nBxeWkLHwR7"
)


def written(folder: Path, end: str, turned: bool = False) -> Path:
    image = SimpleITK.GetImageFromArray(VOLUME)
    image.SetSpacing((0.7, 0.9, 2.5))
    image.SetOrigin((-12.5, 33.25, 7.75))
    if turned:
        image.SetDirection((0, 0, 1, 1, 0, 0, 0, 1, 0))
    path = folder / f"volume.{end}"
    SimpleITK.WriteImage(image, str(path))
    return path


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("kind", ENDS)
def test_values_and_positions_are_those_of_the_reader(
    kind: str, turned: bool, tmp_path: Path
) -> None:
    path = written(tmp_path, ENDS[kind], turned)
    other = SimpleITK.ReadImage(str(path))
    image = load(path)
    assert image.format == kind
    assert image.geometry is not None
    assert sorted(image.spacing) == pytest.approx([0.7, 0.9])
    for row, column in ((0, 0), (5, 17)):
        point = image.geometry.point(row, column)
        place = other.TransformPhysicalPointToIndex(point)
        assert other.TransformIndexToPhysicalPoint(place) == pytest.approx(point, abs=1e-6)
        assert other[place] == image.source[row, column]
    assert probe(path).slice_count == image.slice_count == 20


def test_the_workers_of_the_page_read_them(tmp_path: Path) -> None:
    pool = DecodePool(1, 2_500_000_000, 20)
    try:
        for end in ENDS.values():
            path = written(tmp_path, end)
            content = FileContent.local(path, Caps())
            opened = OpenedFile(content, Caps(), pool=pool, store=SliceStore(2**24))
            assert np.array_equal(opened.image(3).source, load(path, slice_index=3).source)
    finally:
        pool.close()


def test_no_other_file_is_ever_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader itself follows the name, which shows that something keeps it from that."""
    secret = (np.arange(3 * 16 * 18) % 901).astype("<i2").reshape(3, 16, 18)
    (tmp_path / "secret.bin").write_bytes(secret.tobytes())
    path = tmp_path / "volume.h5"
    path.write_bytes(zlib.decompress(base64.b85decode("".join(ELSEWHERE))))
    monkeypatch.chdir(tmp_path)
    assert np.array_equal(SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path))), secret)
    with pytest.raises(ImageReadError, match="refers to other files"):
        load(path)


def test_a_volume_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(converted, "FREE_BYTES", 1000)
    monkeypatch.setattr(converted, "MOST_EXPANSION", 2)
    with pytest.raises(ImageTooLarge, match="unpacks to more than"):
        load(written(tmp_path, "mnc"))


@pytest.mark.parametrize("kind", ENDS)
def test_damage_never_escapes_as_another_error(kind: str, tmp_path: Path) -> None:
    whole = written(tmp_path, ENDS[kind]).read_bytes()
    chance = random.Random(kind)
    for case in range(6):
        data = bytearray(whole)
        if case % 2:
            del data[chance.randrange(len(data)) :]
        else:
            for _ in range(6):
                data[chance.randrange(20, 3000)] ^= 1 << chance.randrange(8)
        try:
            load(bytes(data))
        except ImageReadError:
            continue
