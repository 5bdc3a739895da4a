# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from django import forms
from django.test import SimpleTestCase

from portineria.control.console.long_select import LongSelect

CHOICES = [("", "—"), ("a", "A & B"), ('b"x', "<script>alert(1)</script>"), ("c", "C")]


class Given(forms.Form):
    own = forms.ChoiceField(choices=CHOICES, required=False, initial="c", widget=LongSelect(attrs={"class": "x"}))
    plain = forms.ChoiceField(choices=CHOICES, required=False, initial="c", widget=forms.Select(attrs={"class": "x"}))


def test_it_is_the_choice_that_django_draws() -> None:
    """Names that suppliers gave themselves are text in it; what was chosen stays chosen."""
    for sent in (None, {"own": 'b"x', "plain": 'b"x'}, {"own": "none", "plain": "none"}):
        form = Given(sent)
        SimpleTestCase().assertHTMLEqual(str(form["own"]).replace("own", "plain"), str(form["plain"]))
        assert "<script>" not in str(form["own"])
