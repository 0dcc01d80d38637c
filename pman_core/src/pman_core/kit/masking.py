"""Keeps the values of a job's environment, which may be tokens, out of errors, states and logs.

Plugins must not quote them; where one does all the same, since its engine quotes what it was
asked, this is the second line of defence. The core knows a job's environment while it submits the
job. What an engine says of the job later goes through ``masked`` where the plugin reads it.
"""

from __future__ import annotations

import contextlib
import re
import traceback
from collections.abc import Iterator, Mapping

from pman_core.contract.errors import ClientError

#: Shorter values are words like "yes" and "1000", which messages hold for other reasons. They are
#: values only where their name stands before them.
_SHORTEST = 8

_MASK = "***"

#: A value that is longer is looked for by its beginning; what follows goes with it.
_LONGEST = 1000

#: Letters and digits are written the same way by all who quote; anything else may be escaped.
_PARTS = re.compile(r"[A-Za-z0-9]+|(.)\1*", re.DOTALL)

#: How C, Go, JSON and Python write some characters, after a backslash.
_LETTERS = dict(zip("\0\a\b\t\n\v\f\r", "0abtnvfr", strict=True))

#: Other ways to write some: shells, addresses, Go's templates (Swarm).
_OTHER_WAYS = {
    "'": (r"'\\++''", "'\"'\"'"),
    " ": (r"\+",),
    "{": (r'\{\{\\*+"\{\{\\*+"\}\}',),
}

#: A backslash, as it is or in an address.
_SLASH = r"(?:\\|%5[Cc])"

#: Between a name and its value there are quotes, perhaps escaped, and spaces ...
_QUOTED = "\\\"'+ "
_QUOTES = rf"""(?:{_SLASH}|["'+ ]|u0022|%2[027B])*+"""
#: ... and a sign, or what stands between the two parts of a pair of Kubernetes.
_SIGN = r"(?:[=:]|%3[AD])"
_BETWEEN = rf"{_QUOTES}(?:{_SIGN}|(?:,|%2C)?{_QUOTES}value{_QUOTES}{_SIGN}){_QUOTES}"

#: Right before a name there is no other part of a word, but perhaps the end of an escape.
_BEFORE = (
    r"(?:(?<![A-Za-z0-9_])|(?<=\\[nrt])|(?<=%5C[nrt])|(?<=%[0-9A-F][0-9A-F])|(?<=\\u[0-9a-f]{4}))"
)


def masked(text: str, env: Mapping[str, str]) -> str:
    """``text`` without the values of an environment, however they are quoted.

    That is: as they are; as JSON, Python, Go or a shell writes them between quotes, also several
    times over; and as in an address. A value of fewer than eight characters is taken out only where
    its name stands before it: a message may hold the same word for another reason.
    """
    for name, value in sorted(env.items(), key=lambda pair: len(pair[1]), reverse=True):
        if not all(part in text for part in re.findall("[A-Za-z0-9]+", value[:_LONGEST])):
            continue
        # Quotes of the value's own are those before it, too.
        rest = value.lstrip(_QUOTED)
        if rest:
            pair = f"({_BEFORE}{_pattern(name)}(?i:{_BETWEEN})){_pattern(rest, after=_QUOTED)}"
            text = re.sub(pair, rf"\g<1>{_MASK}", text)
        if len(value) >= _SHORTEST:
            text = re.sub(_pattern(value), _MASK, text)
    return text


def mask(error: Exception, env: Mapping[str, str]) -> None:
    """Take the values of an environment out of the message of ``error``."""
    error.args = tuple(masked(arg, env) if isinstance(arg, str) else arg for arg in error.args)
    if isinstance(error, ClientError):
        error.faults = {field: masked(text, env) for field, text in error.faults.items()}


@contextlib.contextmanager
def no_values(env: Mapping[str, str]) -> Iterator[None]:
    """For calls that give an engine the values of an environment: no error quotes them."""
    try:
        yield
    except Exception as error:
        mask(error, env)
        raise


def masked_trace(error: Exception, env: Mapping[str, str]) -> str:
    """``error`` with its traceback and causes, for the log."""
    return masked("".join(traceback.format_exception(error)), env).rstrip()


def _pattern(value: str, after: str = "") -> str:
    """A regular expression of the ways to write a value; no text makes it slow.

    :param after: what stands before the value.
    """
    parts = [found[0] for found in _PARTS.finditer(value[:_LONGEST])]
    written = "".join(map(_written, parts, [after, *parts]))
    return written if len(value) <= _LONGEST else f"{written}(?s:.*)"


def _written(part: str, before: str) -> str:
    """Likewise, of letters and digits, or of another character as often as it stands there."""
    char, times = part[0], len(part)
    if char.isascii() and char.isalnum():
        return part
    # At the beginning, not within a row of what it takes all of: each would be a beginning.
    first = "" if before else r"(?<!\\)(?<!%5[Cc])" + (rf"(?<!\{char})" if char in "${" else "")
    if char == "\\":  # quoting what is quoted escapes it once more
        return f"{first}{_SLASH}{{{times},}}+"
    # What was before may have taken the backslashes already.
    escape = _SLASH + ("*+" if before.startswith("\\") else "++")
    encoded = "".join(f"%{byte:02x}" for byte in char.encode(errors="surrogatepass"))
    ways = [
        *_OTHER_WAYS.get(char, ()),
        f"{_SLASH}*+{re.escape(char)}",
        f"{escape}(?i:{'|'.join(_codes(char, escape))})",
        f"{_SLASH}*+(?i:{encoded})",
    ]
    way = f"(?>{'|'.join(ways)})"
    if char == "$":  # Kubernetes wants each one twice
        return rf"{first}{way}{{{times}}}\$*+"
    if char == "{":  # one of the other ways is of two
        return rf"{first}{way}(?:\{{|{encoded}|{encoded.upper()})*+"
    if char == "%":  # else "%25" would never be "%" and "25"
        return f"{first}(?:{encoded}|%){{{times}}}"
    return f"{first}{way}{{{times}}}"


def _codes(char: str, escape: str) -> Iterator[str]:
    """What C, Go, JSON and Python write after the backslash, in lower case."""
    units = re.findall("....", char.encode("utf-16-be", "surrogatepass").hex())
    yield escape.join(f"u{unit}" for unit in units)
    yield f"u{ord(char):08x}"
    yield escape.join(f"x{byte:02x}" for byte in char.encode(errors="surrogatepass"))
    if ord(char) < 0x100:
        yield f"x{ord(char):02x}"
    if char in _LETTERS:
        yield _LETTERS[char]
