"""Names in texts without word boundaries, in compounds, and words that only look like names."""

from __future__ import annotations

import unicodedata

import pytest

from study.domain.disguised_names import (
    case_names_in,
    doubtful_case_names_in,
    doubtful_names_in,
    names_in,
)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("SRAD", "SRADfiltered images"), ("SRAD", "the SradFiltered"), ("SRAD", "xsradx"),
        ("SRAD", "用SRAD法处理的图像"), ("srad", "ＳＲＡＤ画像を比較"), ("TV", "使用TV滤波的图像"),
        ("低線量", "心臓低線量CT研究"), ("超解像", "低線量画像と超解像画像を比較してください。"),
        ("去噪网络", "这个去噪网络很好"), ("去噪 网络", "这个去噪网络很好"),
        ("ノン・ローカル", "ノンローカル平均"),
        ("ガウス", unicodedata.normalize("NFD", "ガウス法")),
        ("ｶﾞｳｽ", "ガウス法"), ("딥러닝", "딥러닝은 좋다"), ("N4法", "以N4 法校正"),
        ("กรอง", "ภาพกรองแล้ว"), ("Wiener", "wienerfiltered"), ("mean", "meanfilter"),
    ],
)  # fmt: skip
def test_a_method_is_found_without_word_boundaries(name: str, text: str) -> None:
    assert names_in(text, (name, "Restormer")) == (name,)


@pytest.mark.parametrize(
    ("name", "text"),
    [("カウス", "ガウス法"), ("超解像", "解像度を超える"), ("A", "A study"), ("SRAD", "his radio")],
)
def test_other_words_are_not_names(name: str, text: str) -> None:
    assert names_in(text, (name,)) == ()
    assert doubtful_names_in(text, (name,)) == ()


@pytest.mark.parametrize(
    ("name", "text", "word"),
    [
        ("TV", "TVfiltered or not", "tvfiltered"), ("TV", "an HDTV", "hdtv"),
        ("GAN", "organs", "organs"), ("DIP", "xdipx", "xdipx"), ("甲", "甲状腺の画像", "甲"),
        ("n4", "n4corrected", "n4corrected"),
    ],
)  # fmt: skip
def test_a_short_name_inside_a_word_is_doubtful(name: str, text: str, word: str) -> None:
    assert names_in(text, (name,)) == ()
    assert [(one.name, one.word) for one in doubtful_names_in(text, (name,))] == [(name, word)]


def test_a_short_name_that_is_there_for_sure_is_not_doubtful() -> None:
    assert doubtful_names_in("TV and TVfiltered", ("TV",)) == ()
    assert doubtful_names_in("activity", ("tv",)) == ()


@pytest.mark.parametrize(
    ("name", "text"),
    [("症例c0", "症例c0を読む"), ("田中太郎", "患者は田中太郎です"), ("Meier", "Case Meier"),
     ("Müller", unicodedata.normalize("NFD", "as Müller"))],
)  # fmt: skip
def test_cases_and_patients_are_found(name: str, text: str) -> None:
    assert case_names_in(text, (name,)) == (name,)


def test_a_patient_inside_a_word_is_doubtful() -> None:
    names = ("Meier", "image", "Bo", "12345")
    found = doubtful_case_names_in("Der Meierbefund, imageset, Bochum, no 9123456", names)
    assert [(one.name, one.word) for one in found] == [
        ("Meier", "meierbefund"), ("12345", "9123456"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("SRAD", "SRАD images"), ("SRAD", "ЅRАD"), ("SRAD", "after ΑSRΑD"), ("TV", "ТV or not"),
        ("Restormer", "Rеstоrmеr"), ("Вейвлет", "вейвлет"), ("SRАD", "SRAD"),
        ("SRAD", "\u202eDARS\u202c images"), ("DIP", "a \u202ePID\u202c image"),
    ],
)  # fmt: skip
def test_a_name_in_letters_that_look_alike_is_found(name: str, text: str) -> None:
    """Letters of Cyrillic and Greek among Latin ones, and text that is shown turned."""
    assert names_in(text, (name, "Wiener")) == (name,)


def test_patients_in_letters_that_look_alike_are_found() -> None:
    assert case_names_in("Case Меiеr", ("Meier",)) == ("Meier",)


@pytest.mark.parametrize(
    ("name", "text", "word"),
    [
        ("SRAD", "the DARS images", "dars"), ("SRAD", "xdarsx", "xdarsx"), ("GAN", "NAG", "nag"),
        ("Restormer", "Rem-rotser", "remrotser"), ("SRAD", "D A R S", "dars"),
    ],
)  # fmt: skip
def test_a_name_from_its_end_is_doubtful(name: str, text: str, word: str) -> None:
    assert names_in(text, (name,)) == ()
    assert [(one.name, one.word) for one in doubtful_names_in(text, (name,))] == [(name, word)]


def test_other_words_from_their_end_are_no_names() -> None:
    assert doubtful_names_in("managed images, level and noon", ("GAN", "level", "TV")) == ()
    found = doubtful_case_names_in("reieM; Befundreiem", ("Meier",))
    assert [(one.name, one.word) for one in found] == [("Meier", "reiem")]
