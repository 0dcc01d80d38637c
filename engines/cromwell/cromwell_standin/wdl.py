"""The submitted WDL: miniwdl parses it, judges the inputs, evaluates command and runtime section.

A workflow has to be one call of one task: nothing else is run here, and that is said.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import WDL

from cromwell_standin.errors import WorkflowError

_FAULTS = (
    WDL.Error.SyntaxError,
    WDL.Error.ImportError,
    WDL.Error.ValidationError,
    WDL.Error.MultipleValidationErrors,
    WDL.Error.InputError,
    WDL.Error.EvalError,
    WDL.Error.RuntimeError,
    # What miniwdl lets through of a function that only its own runner has.
    NotImplementedError,
)
_TITLE = "Workflow input processing failed"


@dataclass(frozen=True)
class Program:
    """A workflow that can run."""

    language: str
    workflow: WDL.Tree.Workflow
    call: WDL.Tree.Call
    task: WDL.Tree.Task

    @property
    def call_name(self) -> str:
        """As the metadata names the call."""
        return f"{self.workflow.name}.{self.call.name}"


@dataclass(frozen=True)
class Evaluated:
    """A call with its inputs."""

    workflow_inputs: dict[str, Any]
    inputs: dict[str, Any]
    environment: WDL.Env.Bindings[WDL.Value.Base]
    command: str
    runtime: dict[str, WDL.Value.Base]


def parse(source: str) -> Program:
    """Read a document.

    :raises WorkflowError: it is no valid WDL, or more than a single call.
    """
    try:
        document = WDL.parse_document(source)
        if document.imports:
            raise WorkflowError(_TITLE, ["this stand-in knows no imports"])
        document.typecheck()
    except _FAULTS as error:
        raise WorkflowError(_TITLE, _messages(error)) from error
    workflow = document.workflow
    if workflow is None:
        raise WorkflowError(_TITLE, ["Namespace contains no workflow"])
    if len(workflow.body) != 1 or not isinstance(workflow.body[0], WDL.Tree.Call):
        raise WorkflowError(_TITLE, ["this stand-in runs workflows that are one call of one task"])
    call = workflow.body[0]
    if not isinstance(call.callee, WDL.Tree.Task):
        raise WorkflowError(_TITLE, ["this stand-in knows no sub-workflows"])
    return Program(document.wdl_version or "draft-2", workflow, call, call.callee)


def evaluate(program: Program, inputs: Mapping[str, Any]) -> Evaluated:
    """Give the workflow its inputs.

    :raises WorkflowError: they are not what the workflow takes, or an expression fails.
    """
    workflow, task = program.workflow, program.task
    library = WDL.StdLib.Base(program.language)
    try:
        given = WDL.values_from_json(
            dict(inputs), workflow.available_inputs, workflow.required_inputs, workflow.name
        )
        outer = _declared(workflow.inputs, given, library)
        passed = given.enter_namespace(program.call.name)
        for name, expression in program.call.inputs.items():
            passed = passed.bind(name, expression.eval(outer, library))
        inner = _declared([*(task.inputs or []), *task.postinputs], passed, library)
        command = "".join(
            part if isinstance(part, str) else part.eval(inner, library).value
            for part in task.command.parts
        )
        runtime = {key: expression.eval(inner, library) for key, expression in task.runtime.items()}
    except _FAULTS as error:
        raise WorkflowError(_TITLE, _messages(error)) from error
    return Evaluated(
        workflow_inputs={f"{workflow.name}.{b.name}": b.value.json for b in outer},
        inputs={b.name: b.value.json for b in inner},
        environment=inner,
        command=normalised(command),
        runtime=runtime,
    )


def outputs(program: Program, environment: WDL.Env.Bindings[WDL.Value.Base]) -> dict[str, Any]:
    """The task's outputs: expressions that read no file.

    :raises WorkflowError: an expression fails.
    """
    try:
        after = _declared(program.task.outputs, environment, WDL.StdLib.Base(program.language))
    except _FAULTS as error:
        raise WorkflowError("Failed to evaluate job outputs", _messages(error)) from error
    return {decl.name: after.resolve(decl.name).json for decl in program.task.outputs}


def fingerprint(program: Program, evaluated: Evaluated, backend: str) -> str:
    """What call caching compares: equal ones are the same call."""
    parts = [str(part) for part in program.task.command.parts]
    results = [str(decl) for decl in program.task.outputs]
    return json.dumps([backend, parts, evaluated.inputs, results], sort_keys=True)


def normalised(command: str) -> str:
    """A command as Cromwell writes it into its script: without the indent that all lines share."""
    lines = re.split(r"\r?\n", command.lstrip("\r\n").rstrip("\r\n \t"))
    filled = [line for line in lines if line.strip()]
    indent = min((len(line) - len(line.lstrip(" \t")) for line in filled), default=0)
    return "\n".join(line[indent:] for line in lines)


def _declared(
    declarations: Iterable[WDL.Tree.Decl] | None,
    given: WDL.Env.Bindings[WDL.Value.Base],
    library: WDL.StdLib.Base,
) -> WDL.Env.Bindings[WDL.Value.Base]:
    """The given values, and those that the declarations compute, in their order."""
    known = WDL.Env.Bindings[WDL.Value.Base]()
    for binding in given:
        if "." not in binding.name:
            known = known.bind(binding.name, binding.value)
    for decl in declarations or []:
        if known.has_binding(decl.name):
            value = known.resolve(decl.name)
        else:
            value = decl.expr.eval(known, library) if decl.expr else WDL.Value.Null()
        known = known.bind(decl.name, value.coerce(decl.type))
    return known


def _messages(error: Exception) -> list[str]:
    """A document may have many faults."""
    inner = getattr(error, "exceptions", None)
    return [str(one) for one in inner] if inner else [f"{type(error).__name__}: {error}"]
