"""The commands of the configuration file: each is the command of a WDL task of the draft-2 dialect.

Its inputs are the runtime attributes that the file declares and the variables that Cromwell adds.
Values go in as they are: whatever has to be quoted, the template has to quote.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import WDL

from cromwell_standin.errors import ConfigError, WorkflowError

_MEMORY = re.compile(r"\s*([0-9.]+)\s*([KMGT]?)(i?)B?\s*", re.IGNORECASE)


class Template:
    """One command.

    :param declarations: lines of WDL, such as ``Int cpu = 1``.
    :raises ConfigError: it is no WDL.
    """

    def __init__(self, name: str, command: str, declarations: str, variables: list[str]) -> None:
        lines = "\n".join(f"String {variable}" for variable in variables)
        source = f"task {name} {{\n{declarations}\n{lines}\ncommand {{\n{command}\n}}\n}}\n"
        try:
            document = WDL.parse_document(source)
            document.typecheck()
        except (
            WDL.Error.SyntaxError,
            WDL.Error.ValidationError,
            WDL.Error.MultipleValidationErrors,
        ) as error:
            raise ConfigError(f"{name} is no valid WDL: {error}") from error
        (self._task,) = document.tasks
        # In that dialect a declaration is an input wherever it stands.
        self._declared = [*(self._task.inputs or []), *self._task.postinputs]
        self._variables = set(variables)

    @property
    def attributes(self) -> list[WDL.Tree.Decl]:
        """The runtime attributes that the file declares."""
        return [decl for decl in self._declared if decl.name not in self._variables]

    def render(self, values: Mapping[str, WDL.Value.Base]) -> str:
        """The command with those values.

        :raises WorkflowError: an expression fails.
        """
        environment: WDL.Env.Bindings[WDL.Value.Base] = WDL.Env.Bindings()
        library = WDL.StdLib.Base("draft-2")
        for decl in self._declared:
            value = values.get(decl.name)
            if value is None:
                value = decl.expr.eval(environment, library) if decl.expr else WDL.Value.Null()
            environment = environment.bind(decl.name, value)
        try:
            return "".join(
                part if isinstance(part, str) else part.eval(environment, library).value
                for part in self._task.command.parts
            )
        except WDL.Error.EvalError as error:
            raise WorkflowError(f"{self._task.name}: {error}") from error


def attribute_values(
    template: Template, given: Mapping[str, WDL.Value.Base], task: str
) -> dict[str, WDL.Value.Base]:
    """A task's runtime section as the values of the declared attributes.

    :param given: the runtime section, evaluated, over the file's default-runtime-attributes.
    :raises WorkflowError: an attribute is missing or of the wrong type.
    """
    values: dict[str, WDL.Value.Base] = {}
    faults = []
    for decl in template.attributes:
        value = (
            _memory(decl.name, given) if decl.name.startswith("memory_") else given.get(decl.name)
        )
        if value is None or isinstance(value, WDL.Value.Null):
            if not decl.type.optional and decl.expr is None:
                faults.append(
                    f"Task {task} has an invalid runtime attribute {decl.name} = !! NOT FOUND !!"
                )
            continue
        try:
            values[decl.name] = value.coerce(decl.type)
        except (WDL.Error.InputError, ValueError):
            faults.append(f"Task {task} has an invalid runtime attribute {decl.name} = {value}")
    if faults:
        raise WorkflowError("Runtime validation failed", faults)
    return values


def _memory(name: str, given: Mapping[str, WDL.Value.Base]) -> WDL.Value.Base | None:
    """``memory_mb`` and the like: never an attribute of a task, but its ``memory`` in that unit."""
    value = given.get("memory")
    if value is None or isinstance(value, WDL.Value.Null):
        return None
    amount = _bytes(str(value.value)) / _bytes(f"1 {name.removeprefix('memory_')}")
    return WDL.Value.Int(int(amount)) if amount == int(amount) else WDL.Value.Float(amount)


def _bytes(text: str) -> float:
    match = _MEMORY.fullmatch(text)
    if match is None:
        raise WorkflowError("Runtime validation failed", [f"'{text}' is no amount of memory"])
    number, prefix, binary = match.groups()
    return float(number) * float((1024 if binary else 1000) ** " KMGT".index(prefix.upper() or " "))


def text(value: Any) -> WDL.Value.String:
    """A variable of a template."""
    return WDL.Value.String(str(value))
