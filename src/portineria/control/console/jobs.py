# SPDX-License-Identifier: Apache-2.0
"""The thread of a job on the page of its request."""

from typing import Any

from django import forms

from portineria.control.access import jobs
from portineria.control.access.job import FILE_NAME, TEXT_CHARACTERS
from portineria.control.access.models import AccessRequest
from portineria.control.identity.models import Person


class JobForm(forms.Form):
    text = forms.CharField(
        required=False, max_length=TEXT_CHARACTERS, strip=True, widget=forms.Textarea(attrs={"rows": 3})
    )
    to = forms.ChoiceField(required=False)
    file = forms.FileField(required=False, max_length=FILE_NAME * 4)

    def __init__(self, *args: Any, parties: list[Person], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["to"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  # as declared above
        field.choices = [("", "—"), *((row.public_id, row.name) for row in parties)]

    def written(self) -> dict[str, Any]:
        given = self.cleaned_data
        file = jobs.File(given["file"].name, given["file"].read()) if given["file"] else None
        return {"text": given["text"], "to": given["to"], "file": file}


def context(
    actor: Person, row: AccessRequest, form: JobForm | None = None, *, unwritten: bool = False
) -> dict[str, Any]:
    """Of a request that was read by who asks. ``unwritten``: nobody wrote anything yet."""
    form = form or JobForm(parties=jobs.parties(actor, row))
    return {"job": [] if unwritten else list(jobs.entries_of(row)), "job_form": form}
