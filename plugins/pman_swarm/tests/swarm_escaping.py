"""A tiny model of Go's text/template: what the engine makes of texts, as far as it matters."""

import re

#: Texts that a template engine would spoil.
BRACES = (
    "{{.Node.ID}}",
    "{{ .Task.Name }}",
    "{{{.Node.ID}}}",
    "{{{{",
    "{{{{{",
    "}}{{",
    "{",
    "}}",
    "{ {",
    '{{"{{"}}',
    "{{- 1 -}}",
    " {{/* no comment */}} ",
    "{{`raw`}}",
    "{{end}}",
    "{{",
    "a{{\nb}}\n",
    "{{printf `%s` .Service.Labels}}",
    'say "{{',
    "☃{{☃}}",
)


class TemplateError(Exception):
    """The engine would refuse the text, or expand it."""


def expanded(text: str) -> str:
    """What comes of a template that holds no other action than a quoted text."""
    made, rest = "", text
    while True:
        plain, found, rest = rest.partition("{{")
        made += plain
        if not found:
            return made
        quoted = re.match(r'"([^"\\\n]*)"\}\}', rest)
        if not quoted:
            raise TemplateError(rest)
        made, rest = made + quoted[1], rest[quoted.end() :]
