"""Query strings: what a route does not know, or gets twice, is an error and never dropped."""

from __future__ import annotations

from collections.abc import Collection

from werkzeug.datastructures import MultiDict

from pman_core.contract.errors import InvalidJobError

Query = MultiDict[str, str]


def query_faults(
    query: Query,
    known: Collection[str],
    *,
    repeatable: Collection[str] = (),
    in_body: Collection[str] = (),
) -> dict[str, str]:
    """What is wrong with the names in a query string, by name.

    :param known: the parameters that the route has.
    :param repeatable: those of them that may come several times.
    :param in_body: fields of a request that only its body may have.
    """
    faults = {}
    for name in query:
        if name in in_body:
            faults[name] = "must be in the JSON body, not in the query string"
        elif name not in known:
            faults[name] = f"is no query parameter of this path; {_choice(known)}"
        elif name not in repeatable and len(query.getlist(name)) > 1:
            faults[name] = "is given twice in the query string"
    return faults


def refuse_query(query: Query) -> None:
    """For routes without parameters.

    :raises InvalidJobError: there are some.
    """
    faults = query_faults(query, ())
    if faults:
        raise InvalidJobError(faults=faults)


def _choice(known: Collection[str]) -> str:
    return f"use {', '.join(sorted(known))}" if known else "it has none"
