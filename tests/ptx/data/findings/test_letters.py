# ruff: noqa: RUF001 (letters of other languages are what these tests are about)
"""Texts in the encodings that spreadsheets and older systems write, told apart by their letters."""

import pytest

from ptx.data.findings.letters import encodings_of, words_of

TEXTS = {
    "German": ("Wie heißt die Zahl nach 0, bitte?;Sie heißt 1. Grüße, schöner Übermut", "cp1252"),
    "one word": ("heißt", "cp1252"),
    "French": ("Où est l'île ? Près de la côte, déjà élevé à l’école", "cp1252"),
    "Spanish": ("¿Dónde está Perú? En Sudamérica, señor", "cp1252"),
    "Italian": ("Qual è la città più grande? Perché è così", "cp1252"),
    "Portuguese": ("Não, a situação é difícil; põe aqui", "cp1252"),
    "Swedish": ("Vad är huvudstaden på svenska? Åsa, för", "cp1252"),
    "Danish": ("Hvad hedder hovedstaden på ø-en?", "cp1252"),
    "English with signs": ("He said “hello” – it’s fine… costs €5 at 20°C", "cp1252"),
    "Polish": ("Zażółć gęślą jaźń, proszę przetłumaczyć", "cp1250"),
    "Czech": ("Příliš žluťoučký kůň úpěl ďábelské ódy", "cp1250"),
    "Russian": ("Какая столица Франции? Париж.", "cp1251"),
    "Russian from Unix": ("Какая столица Франции? Париж.", "koi8_r"),
    "Greek": ("Ποια είναι η πρωτεύουσα της Γαλλίας;", "cp1253"),
    "Chinese": ("法国的首都是什么？巴黎是法国的首都。你好世界", "gb18030"),
    "traditional Chinese": ("法國的首都是什麼？巴黎是法國的首都。", "big5"),
    "Japanese": ("フランスの首都はどこですか。パリです。こんにちは", "cp932"),
    "Japanese from Unix": ("フランスの首都はどこですか。パリです。こんにちは", "euc_jp"),
    "Korean": ("프랑스의 수도는 어디입니까? 파리입니다.", "cp949"),
}


@pytest.mark.parametrize("language", TEXTS)
@pytest.mark.parametrize("times", [1, 40])
def test_a_text_is_read_in_the_encoding_that_it_was_written_in(language, times):
    text, codec = TEXTS[language]
    sample = (f"{text},x\n" * times).encode(codec)
    (found,) = encodings_of(sample)
    assert sample.decode(found) == f"{text},x\n" * times


@pytest.mark.parametrize(
    ("text", "codec"),
    [
        ("Fransa'nın başkenti neresidir? Şehir güzel", "cp1254"),
        ("Árvíztűrő tükörfúrógép, jó reggelt", "cp1250"),
        ("Það er gott að búa þar", "cp1252"),
    ],
)
def test_letters_that_two_encodings_read_as_well_stay_open(text, codec):
    found = encodings_of(f"{text},x\n".encode(codec) * 20)
    assert len(found) != 1 or found == [codec]
    assert codec in found


@pytest.mark.parametrize("codec", ["mac_roman", "cp850"])
def test_an_encoding_that_is_not_among_those_known_is_not_taken_for_another(codec):
    assert encodings_of("heißt müde, Schläfrig; schöne Grüße\n".encode(codec) * 20) == []


def test_examples_are_the_words_with_other_letters():
    assert words_of('so "heißt" das, müde;und heißt') == "heißt, müde"
