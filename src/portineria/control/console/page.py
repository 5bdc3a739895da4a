# SPDX-License-Identifier: Apache-2.0
"""What every view begins with: who asks, and what to do with an error that the asker can mend."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast

from django.contrib.auth.decorators import login_required
from django.core.paginator import Page, Paginator
from django.db import DatabaseError
from django.db.models import F, Func, IntegerField, QuerySet, Subquery
from django.forms import Form
from django.http import HttpRequest, HttpResponseBase

from portineria.control.console.unseen import name_unseen
from portineria.control.identity.models import Person
from portineria.control.problem import of_database, problem_of
from portineria.control.remote_sessions.second_yes import SecondYes
from portineria.core.errors import Conflict, Invalid, Unavailable

P = ParamSpec("P")
LONG = 50  # rows of one line each, that are looked along
View = Callable[Concatenate[HttpRequest, Person, P], HttpResponseBase]


def page(view: View[P]) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
    """A page for somebody signed in, who is handed over as the view's second argument."""

    @wraps(view)
    def signed_in(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        return view(request, cast(Person, request.user), *args, **kwargs)

    return cast(Callable[Concatenate[HttpRequest, P], HttpResponseBase], login_required(signed_in))


def attempt(form: Form, act: Callable[[], Any]) -> bool:
    """Do it, or say in the form what stood in the way: what was typed is kept. What is not found or denied goes on to
    the error page.
    """
    try:
        act()
    except DatabaseError as error:
        if (known := of_database(error)) is None:
            raise
        form.add_error(None, problem_of(known).detail)
        return False
    except SecondYes:
        raise  # asked on a page of its own: ``asking_twice``
    except (Conflict, Invalid, Unavailable) as error:
        named = error.code.removeprefix("field.")
        field = named if named in form.fields else None
        form.add_error(field, problem_of(error).detail)
        if isinstance(error, Invalid):
            name_unseen(form, field)
        return False
    return True


def leaf(request: HttpRequest, rows: Any, per_page: int = 25, *, named: str = "page") -> Page[Any]:
    """The asked-for part of a long list; a number out of range shows the nearest one.

    ``named``: the parameter of the address, where a page has several lists.
    """
    if named not in request.GET and isinstance(rows, QuerySet) and _plain(rows):
        return _first_leaf(rows, per_page)
    page = Paginator(rows, per_page).get_page(request.GET.get(named))
    if isinstance(page.object_list, QuerySet):
        # The keys alone are counted off, in an index where there is one; what belongs to a row is joined to these few.
        page.object_list = rows.filter(pk__in=page.object_list.values("pk"))
    return page


def _plain(rows: QuerySet[Any]) -> bool:
    """One row of the database is one of the list: then these may be counted along with the first of them."""
    query = rows.query
    return not (query.distinct or query.group_by or query.combinator or query.values_select)


def _first_leaf(rows: QuerySet[Any], per_page: int) -> Page[Any]:
    """As ``leaf`` has it, in one query: how many there are comes with each row."""
    counted = Func(F("pk"), function="COUNT", output_field=IntegerField())
    found = rows.filter(pk__in=rows.values("pk")[:per_page]).annotate(
        in_all=Subquery(rows.order_by().values(in_all=counted))
    )
    paginator = Paginator(rows, per_page)
    paginator.__dict__["count"] = next((row.in_all for row in found), 0)
    return Page(found, 1, paginator)
