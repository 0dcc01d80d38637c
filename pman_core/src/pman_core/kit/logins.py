"""Takes users and passwords out of the addresses that pman shows.

Errors, states of jobs and lines of the log pass here, wherever their words come from: libraries
quote the addresses that they were given.
"""

from __future__ import annotations

import re

_MASK = "***"

#: An image may have "@" after its host, so only what stands before the first "/" is a login.
_IN_TEXT = re.compile(r"(?<=//)[^/\s]+@")

#: A password that is not escaped may hold anything.
_IN_VALUE = re.compile(r"(?<=//)(?:[^/]+|.+)@|^[^/]+:(?!//).*@", re.DOTALL)

#: Shorter parts of a login are words, too.
_SHORTEST = 4


def without_logins(text: str) -> str:
    """A text to show: the addresses in it without the users and the passwords that they hold."""
    return _IN_TEXT.sub(f"{_MASK}@", text)


def without_login(value: str) -> str:
    """A value to show, of a setting: an address without the user and the password in it."""
    return _IN_VALUE.sub(f"{_MASK}@", value)


def told_of(value: str, text: str) -> str:
    """What a message says of a value, without the user and the password of the value."""
    login = _IN_VALUE.search(value)
    if not login:
        return text
    text = text.replace(value, without_login(value)).replace(login[0][:-1], _MASK)
    user, separator, password = login[0].partition(":")
    for part in filter(None, re.split("[:/?#@]", password if separator else user)):
        text = text.replace(repr(part), repr(_MASK))
        if len(part) >= _SHORTEST:
            text = text.replace(part, _MASK)
    return text
