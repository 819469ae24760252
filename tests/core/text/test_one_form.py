"""One form for what reads alike, and nothing lost that is heard."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.texts import ALL

from asr_scaling.core.text.one_form import one_form


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("I don’t think it`s Anna´s", "I don't think it's Anna's"),
        ("«oui» “yes” „ja“ ‘no’", '"oui" "yes" "ja" \'no\''),
        ("a\u00a0b\u2009c\u3000d\u2028e\r\nf\tg  ", "a b c d e f g"),
        ("\ufeffco\u00adop\u200berate\u200f", "cooperate"),
        ("well\u2011known 1990–95 −5", "well-known 1990-95 -5"),
        ("ＡＢＣ１２３　ｶﾞｲﾄﾞ ﬁne", "ABC123 ガイド fine"),
        ("e\u0301te\u0301 て\u3099す", "été です"),
        ("مــحمد ﻣﺤﻤﺪ", "محمد محمد"),
        ("ന\u0d4d\u200d ত\u09cd\u200d", "ൻ ৎ"),
    ],
)
def test_what_reads_alike_is_written_alike(text: str, form: str) -> None:
    assert one_form(text) == form


def test_a_joiner_stays_where_it_is_read_and_goes_where_not() -> None:
    assert one_form("می\u200c\u200cخواهم") == "می\u200cخواهم"
    assert one_form("क\u094d\u200dष") == "क\u094d\u200dष"
    assert one_form("a\u200cb\u200d خواهم\u200c") == "ab خواهم"


@pytest.mark.parametrize("text", ALL.values(), ids=list(ALL))
def test_a_text_in_one_form_stays_as_it_is(text: str) -> None:
    assert one_form(text) == unicodedata.normalize("NFKC", text)


@given(st.text())
def test_once_is_enough(text: str) -> None:
    form = one_form(text)
    assert one_form(form) == form
    assert one_form(unicodedata.normalize("NFD", text)) == form
