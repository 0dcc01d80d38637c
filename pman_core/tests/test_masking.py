"""Values of a job's environment are found in whatever form an engine quotes them."""

import json
import re
import shlex
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from pman_core.contract.errors import InvalidJobError
from pman_core.kit.masking import masked, no_values

Quote = Callable[[str], str]


def go_json(text: str) -> str:
    """As Go writes JSON, which may stand in a page."""
    quoted = json.dumps(text, ensure_ascii=False)
    return quoted.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")


QUOTES: dict[str, Quote] = {
    "plain": str,
    "python": repr,
    "python-bytes": lambda text: repr(text.encode()),
    "json": json.dumps,
    "json-unicode": lambda text: json.dumps(text, ensure_ascii=False),
    "json-of-go": go_json,
    "json-in-json": lambda text: json.dumps(json.dumps(text)),
    "json-in-json-in-json": lambda text: json.dumps(json.dumps(json.dumps(text))),
    "python-in-json": lambda text: json.dumps(repr(text)),
    "shell": shlex.quote,
    "address": lambda text: quote(text, safe=""),
    "form": quote_plus,
    "json-in-address": lambda text: quote(json.dumps(text)),
    "kubernetes": lambda text: text.replace("$", "$$"),
    "swarm": lambda text: text.replace("{{", '{{"{{"}}'),
}

#: How an engine names a variable with its value.
PAIRS: dict[str, Callable[[str, str, Quote], str]] = {
    "pair": lambda name, value, quoted: quoted(f"{name}={value}"),
    "list": lambda name, value, quoted: "[" + quoted(f"A=x\n{name}={value}") + "]",
    "map": lambda name, value, quoted: quoted(json.dumps({name: value})),
    "kubernetes": lambda name, value, quoted: quoted(json.dumps({"name": name, "value": value})),
    "go": lambda name, value, quoted: quoted(f"{{Name:{name} Value:{value} ValueFrom:nil}}"),
}

VALUES = (
    "s3cr3t-t0ken",
    'it\'s a "token"\n',
    "C:\\new\\table\t%25 100%",
    "$(HOME) $$ {{.Node.ID}} {{{x}}}",
    "<a href='x'>&amp;</a>",
    "żółć 😀 e\u0301",
    "\x01\x07\x1b[1;31m\x7f",
    "''''\"\"\"\"\\\\\\\\",
    "a+b c+d e%2Bf",
)

SHORT = ("1", "hunter2", "p$w", 'a"b', "a\\b", "é", "\nx", "x\n", '"q"', "+1")


@pytest.mark.parametrize("quoted", QUOTES.values(), ids=QUOTES)
@pytest.mark.parametrize("value", VALUES)
def test_a_value_is_found_however_it_is_quoted(value: str, quoted: Quote) -> None:
    told = masked(f"before {quoted(value)} after", {"TOKEN": value})
    rest = re.sub(r"""[\\"']|%(22|27|5C)|\bb(?=["'])""", "", told)  # quotes may stay
    assert rest == "before *** after"


@pytest.mark.parametrize("quoted", QUOTES.values(), ids=QUOTES)
@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
@pytest.mark.parametrize("value", SHORT)
def test_a_value_of_any_length_is_found_after_its_name(
    value: str, pair: Callable[[str, str, Quote], str], quoted: Quote
) -> None:
    text = f"before {pair('MY_PIN', value, quoted)} after"
    told = masked(text, {"MY_PIN": value})
    assert told.count("***") == 1, told
    assert told.startswith("before ")
    assert told.endswith(" after")


def test_a_short_value_stays_where_its_name_does_not_stand_before_it() -> None:
    env = {"A": "1000", "B": "jobs", "C": "", "D": "1", "E": '"', "AT": "at"}
    text = "no more than 1000 jobs at 1 time; DATA=1, exit code 1, E2=1, that=at"
    assert masked(text, env) == text


def test_of_two_values_the_longer_one_is_taken_out_first() -> None:
    assert masked("a1b2c3d4e5", {"A": "a1b2c3d4", "B": "a1b2c3d4e5"}) == "***"


def test_all_that_follows_a_very_long_value_goes_with_it() -> None:
    value = "x y" * 50_000
    assert masked(f"quoted: {json.dumps(value)}, and more", {"A": value}) == 'quoted: "***'


@pytest.mark.timeout(60)
@pytest.mark.parametrize("char", ["\\", "$", "'", '"', "%", "{", " ", "\n", "%25", '\\"', "é"])
def test_no_text_makes_it_slow(char: str) -> None:
    value, text = char * 300 + "x", char * 20_000
    for told in (text, json.dumps(text), f"A={text}", f"A={json.dumps(text)}"):
        assert "***" not in masked(told + "y x", {"A": value})


def test_errors_of_calls_that_give_an_engine_the_values_quote_none() -> None:
    with pytest.raises(InvalidJobError) as caught, no_values({"PIN": "1"}):
        raise InvalidJobError("no: PIN=1", {"env": "PIN=1"})
    assert (str(caught.value), caught.value.faults) == ("no: PIN=***", {"env": "PIN=***"})
