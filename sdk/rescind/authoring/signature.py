"""What a decorated function takes and gives, and what all definitions have in common."""

from __future__ import annotations

import functools
import inspect
import re
import typing
from collections.abc import Callable, Iterable, Mapping
from types import FrameType, SimpleNamespace
from typing import Any, ClassVar, Final, Generic, NoReturn, Self, TypeVar

from rescind.authoring.conversion import decode, encode, json_schema
from rescind.errors import InvalidInput
from rescind.model.payload import DEFAULT_PAYLOAD_LIMIT, NULL_PAYLOAD, Payload
from rescind.model.texts import checked_text

InputT = TypeVar("InputT")
OutputT = TypeVar("OutputT")

_EMPTY: Final = inspect.Parameter.empty
_BY_POSITION: Final = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Signature:
    """The form of a decorated function: ``(ctx)`` or ``(ctx, input)``, and the types in it.

    The form is checked at once; the types are resolved when first asked for, since they may not exist before.

    Attributes:
        function: the function, as it was given.
        what: what it is, for messages: ``task 'quote'``.
        where: file and line of its definition.
        is_async: whether calling it gives a coroutine.
        takes_input: whether it has a second parameter.
        input_default: the default of that parameter, or ``inspect.Parameter.empty``.
    """

    __slots__ = (
        "_input",
        "_input_type",
        "_local_names",
        "_output",
        "_output_type",
        "function",
        "input_default",
        "is_async",
        "takes_input",
        "what",
        "where",
    )

    def __init__(
        self, function: Callable[..., Any], what: str, local_names: Mapping[str, object] | None = None
    ) -> None:
        """Read the form of a function.

        Args:
            function: the function.
            what: what it is, for messages.
            local_names: local variables of the place of its definition, in which its annotations may be found.

        Raises:
            InvalidInput: it is none of ``(ctx)`` and ``(ctx, input)``, or a generator.
        """
        self.function = function
        self.what = what
        self.where = where_defined(function)
        self._local_names = local_names or {}
        self.is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(_called_method(function))
        self._check_sort_of_function()
        form = self._read_form()
        taken = [parameter for parameter in form.parameters.values() if parameter.kind in _BY_POSITION][:2]
        self._check_parameters(form, taken)
        self.takes_input = len(taken) == 2
        self.input_default: object = taken[1].default if self.takes_input else _EMPTY
        self._input = taken[1] if self.takes_input else None
        self._output = form.return_annotation
        self._input_type: object = _EMPTY
        self._output_type: object = _EMPTY

    @property
    def input_type(self) -> Any:
        """The type of the input: Any if it is not annotated, the type of None if none is taken.

        Raises:
            InvalidInput: the annotation cannot be resolved.
        """
        if self._input_type is _EMPTY:
            if self._input is None:
                self._input_type = type(None)
            else:
                self._input_type = self._resolve(self._input.annotation, f"parameter {self._input.name!r}")
        return self._input_type

    @property
    def output_type(self) -> Any:
        """The type of the result: Any if it is not annotated.

        Raises:
            InvalidInput: the annotation cannot be resolved.
        """
        if self._output_type is _EMPTY:
            self._output_type = self._resolve(self._output, "the result")
        return self._output_type

    def forget_types(self) -> None:
        """Take and give JSON values, whatever the annotations say."""
        self._input_type = Any if self.takes_input else type(None)
        self._output_type = Any

    def error(self, text: str) -> InvalidInput:
        """An error that names the function and where it is."""
        return InvalidInput(f"{self.what} ({self.where}): {text}")

    def __str__(self) -> str:
        """The form as it was written, without the context."""
        taken = "" if self._input is None else str(self._input.replace(default=_EMPTY)).replace("'", "")
        gives = "" if self._output is _EMPTY else f" -> {inspect.formatannotation(self._output)}".replace("'", "")
        return f"({taken}){gives}"

    def _check_sort_of_function(self) -> None:
        plain = innermost(self.function)
        if inspect.isgeneratorfunction(plain) or inspect.isasyncgenfunction(plain):
            raise self.error("a generator has no single result. Return a value; stream with the context meanwhile.")

    def _read_form(self) -> inspect.Signature:
        try:
            return inspect.signature(self.function)
        except (TypeError, ValueError) as error:
            raise self.error(f"its parameters cannot be read ({error}). Write {self._right_form()}.") from error

    def _check_parameters(self, form: inspect.Signature, taken: list[inspect.Parameter]) -> None:
        if not taken:
            raise self.error(f"it has no parameter for the context. Write {self._right_form()}.")
        if taken[0].name in ("self", "cls"):
            raise self.error(
                f"it belongs to a class, which nobody would give it. Write {self._right_form()} outside of classes, "
                "or decorate a bound method."
            )
        surplus = [
            parameter.name
            for parameter in form.parameters.values()
            if parameter not in taken
            and parameter.default is _EMPTY
            and parameter.kind not in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        ]
        if surplus:
            raise self.error(
                f"it requires more than the context and one input: {', '.join(surplus)}. "
                f"Put them into one input, as a dataclass: {self._right_form()}."
            )

    def _right_form(self) -> str:
        name = getattr(self.function, "__name__", "name")
        return f"`async def {name}(ctx)` or `async def {name}(ctx, input)`"

    def _resolve(self, annotation: object, place: str) -> object:
        if annotation is _EMPTY:
            return Any
        plain = innermost(self.function)
        names = {**_closure_of(plain), **self._local_names}
        # Only this annotation is looked at: the context's is often imported for type checkers only.
        holder = SimpleNamespace(__annotations__={"it": annotation})
        try:
            return typing.get_type_hints(holder, getattr(plain, "__globals__", {}), names, include_extras=True)["it"]
        except Exception as error:  # evaluating an annotation runs the author's code
            text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
            raise self.error(
                f"the annotation {text!r} of {place} cannot be resolved: {error}. Import or define its types at the "
                "top of the module, and not only under TYPE_CHECKING."
            ) from error


def innermost(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function under partials, bound methods, wrappers and objects that can be called."""
    while True:
        inner = getattr(function, "__wrapped__", None) or getattr(function, "__func__", None)
        if isinstance(function, functools.partial):
            inner = function.func
        inner = inner or _called_method(function)
        if inner is None:
            return function
        function = inner


def _called_method(function: object) -> Callable[..., Any] | None:
    """The method that runs when an object, which is no function, is called."""
    method = type(function).__call__ if callable(function) else None
    return method if inspect.isfunction(method) else None


def where_defined(function: object) -> str:
    """File and line of a function's definition."""
    code = getattr(innermost(function), "__code__", None) if callable(function) else None
    return f"{code.co_filename}:{code.co_firstlineno}" if code else repr(function)


def local_names_of(function: object, frame: FrameType) -> Mapping[str, object]:
    """Those local variables of the defining frame that a local function's annotations speak of.

    A copy of few: a kept frame would keep all that is in it alive.
    """
    plain = innermost(function) if callable(function) else function
    if "<locals>" not in getattr(plain, "__qualname__", ""):
        return {}
    annotations = getattr(plain, "__annotations__", {}).values()
    spoken_of = {name for annotation in annotations for name in re.findall(r"[^\W\d]\w*", str(annotation))}
    here = frame.f_locals
    return {name: here[name] for name in spoken_of if name in here}


def _closure_of(function: Callable[..., Any]) -> dict[str, object]:
    names = {}
    cells = getattr(function, "__closure__", None) or ()
    for name, cell in zip(function.__code__.co_freevars if cells else (), cells, strict=False):
        try:
            names[name] = cell.cell_contents
        except ValueError:  # defined later, or never
            continue
    return names


class Definition(Generic[InputT, OutputT]):
    """What agents and tasks have in common: a kind, a function, and the types of what it takes and gives.

    Attributes:
        kind: the name under which it is registered and asked for.
        run: the undecorated function; a unit test calls it with a mock context.
        signature: the function's form.
        version, description, tags: for people and catalogues.
    """

    __slots__ = (
        "__dict__",  # __name__, __doc__ and __module__ of the function: as slots they would hide the class's own
        "__weakref__",
        "_input_name",
        "_output_name",
        "description",
        "kind",
        "run",
        "signature",
        "tags",
        "version",
    )

    sort: ClassVar[str]
    how_to_use: ClassVar[str]
    __name__: str
    __wrapped__: Callable[..., Any]

    def __init__(
        self,
        kind: str,
        function: Callable[..., Any],
        *,
        version: str = "1.0.0",
        description: str | None = None,
        tags: Iterable[str] = (),
        local_names: Mapping[str, object] | None = None,
    ) -> None:
        what = f"{self.sort} {kind!r}"
        check_kind(self.sort, kind)
        check_function(self.sort, kind, function)
        self.kind = kind
        self.run: Callable[..., Any] = function
        self.signature = Signature(function, what, local_names)
        self.version = self._checked_text("version", version)
        self.description = description
        if isinstance(tags, str):
            raise self.signature.error(f"tags is the string {tags!r}. Give a list of strings.")
        self.tags = tuple(self._checked_text("a tag", tag) for tag in tags)
        self._input_name = f"input of {what}"
        self._output_name = f"output of {what}"
        functools.update_wrapper(self, function, updated=())

    @classmethod
    def simple(cls, kind: str, function: Callable[..., Any]) -> Self:
        """A definition of a bare function: JSON values in, JSON values out, whatever its annotations say."""
        definition = cls(kind, function)
        definition.signature.forget_types()
        return definition

    @property
    def name(self) -> str:
        """The kind: what is shown to people."""
        return self.kind

    @property
    def takes_input(self) -> bool:
        """Whether the function has a second parameter."""
        return self.signature.takes_input

    @property
    def input_type(self) -> Any:
        """The annotated type of the input; Any if there is none. Raises InvalidInput if it cannot be resolved."""
        return self.signature.input_type

    @property
    def output_type(self) -> Any:
        """The annotated type of the result; Any if there is none. Raises InvalidInput if it cannot be resolved."""
        return self.signature.output_type

    def input_schema(self) -> dict[str, Any] | None:
        """The JSON Schema of the input; None if its type is Any, or has none."""
        return json_schema(self.input_type)

    def output_schema(self) -> dict[str, Any] | None:
        """The JSON Schema of the result; None if its type is Any, or has none."""
        return json_schema(self.output_type)

    def encode_input(self, value: InputT, *, limit: int = DEFAULT_PAYLOAD_LIMIT) -> Payload:
        """Write an input, and see that it can be read as its declared type; `limit` in bytes.

        Raises:
            InvalidInput: not JSON, or not of the declared type.
            PayloadTooLarge: larger than the limit.
        """
        payload = encode(value, what=self._input_name, as_type=self.input_type, limit=limit)
        if self.input_type is not Any:
            # Here it is the caller's mistake, at the line that made it; where it is read, it would be somebody's task.
            self.decode_input(payload)
        return payload

    def decode_input(self, payload: Payload) -> InputT:
        """Read an input; null gives the parameter's default, if it has one. Raises InvalidInput."""
        default = self.signature.input_default
        if default is not _EMPTY and payload == NULL_PAYLOAD:
            return typing.cast("InputT", default)
        return typing.cast("InputT", decode(payload, self.input_type, what=self._input_name))

    def encode_output(self, value: OutputT, *, limit: int = DEFAULT_PAYLOAD_LIMIT) -> Payload:
        """Write a result, and see that it can be read as its declared type; `limit` in bytes.

        Raises:
            InvalidInput: not JSON, or not of the declared type.
            PayloadTooLarge: larger than the limit.
        """
        payload = encode(value, what=self._output_name, as_type=self.output_type, limit=limit)
        if self.output_type is not Any:
            self.decode_output(payload)
        return payload

    def decode_output(self, payload: Payload) -> OutputT:
        """Read a result. Raises InvalidInput."""
        return typing.cast("OutputT", decode(payload, self.output_type, what=self._output_name))

    def __call__(self, *arguments: object, **options: object) -> NoReturn:
        """Refused: a definition runs through the engine, or in a unit test through ``run``.

        Raises:
            InvalidInput: always.
        """
        name = getattr(self, "__name__", self.kind)
        raise InvalidInput(f"{self.sort} {self.kind!r} is not called itself. {self.how_to_use.format(name=name)}")

    def __repr__(self) -> str:
        return f"<{self.sort} {self.kind!r} {self.signature}, {self.signature.where}>"

    def _checked_text(self, name: str, text: object) -> str:
        if not isinstance(text, str) or not text:
            raise self.signature.error(f"{name} is {text!r}. Give a non-empty string.")
        return text


def check_kind(sort: str, kind: object) -> None:
    """Refuse what cannot be a kind, such as the function of a decorator without parentheses.

    Raises:
        InvalidInput: not a string, a blank one, or one that cannot be kept.
    """
    if not isinstance(kind, str):
        what = f"the function {where_defined(kind)}" if callable(kind) else repr(kind)
        raise InvalidInput(f"@{sort} got {what} as its kind. Give it a name: @{sort}('some-kind').")
    if not kind.strip():
        raise InvalidInput(f"@{sort} got the kind {kind!r}. Give it a name: @{sort}('some-kind').")
    checked_text(kind, f"the kind of @{sort}")


def check_function(sort: str, kind: str, function: object) -> None:
    """Refuse what is not a function.

    Raises:
        InvalidInput: a definition, a class, or nothing that can be called.
    """
    if isinstance(function, Definition):
        raise InvalidInput(f"@{sort}({kind!r}) stands on {function!r}. Give each definition a function of its own.")
    if isinstance(function, type) or not callable(function):
        raise InvalidInput(f"@{sort}({kind!r}) stands on {function!r}, which is no function. Decorate a function.")
