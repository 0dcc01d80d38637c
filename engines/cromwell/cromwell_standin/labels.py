"""Labels and their limits."""

from __future__ import annotations

from collections.abc import Mapping

_MOST = 255
_EXPECTED = f"A Label key has between 1 and {_MOST} characters, a Label value at most {_MOST}."


def faults(labels: Mapping[str, object]) -> list[str]:
    """What is wrong with them."""
    found = []
    for key, value in labels.items():
        if not isinstance(value, str):
            found.append(f"Invalid label {key}: {value} : Labels must be strings. {_EXPECTED}")
            continue
        if not 1 <= len(key) <= _MOST:
            found.append(f"Invalid label key: `{key}` is {len(key)} characters. {_EXPECTED}")
        if len(value) > _MOST:
            found.append(f"Invalid label value: `{value}` is {len(value)} characters. {_EXPECTED}")
    return found
