"""What goes in comes out equal, and what cannot is refused by name."""

from __future__ import annotations

import collections
import datetime
import decimal
import enum
import math
import subprocess
import sys
import typing
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import attrs
import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rescind.authoring.conversion import decode, encode, json_schema
from rescind.errors import InvalidInput, PayloadTooLarge
from rescind.model.payload import NULL_PAYLOAD, Payload

WHAT = "input of task 'quote'"


class Carrier(enum.Enum):
    FAST = "fast"
    CHEAP = "cheap"


class Leg(typing.NamedTuple):
    origin: str
    target: str


class Options(typing.TypedDict, total=False):
    insured: bool


@dataclass
class Request:
    weight: float
    carriers: list[Carrier] = field(default_factory=list)
    legs: tuple[Leg, ...] = ()
    due: datetime.datetime | None = None
    prices: dict[int, decimal.Decimal] = field(default_factory=dict)


class Quote(msgspec.Struct):
    price: decimal.Decimal
    id: uuid.UUID


@attrs.define
class Parcel:
    label: bytes
    tags: set[str]


class Address(pydantic.BaseModel):
    street: str = pydantic.Field(alias="streetName")
    since: datetime.date


class Customer(pydantic.BaseModel):
    address: Address
    limit: decimal.Decimal | None = None

    @pydantic.computed_field  # type: ignore[prop-decorator]
    @property
    def known(self) -> bool:
        return self.limit is not None


class Cat(pydantic.BaseModel):
    sort: typing.Literal["cat"] = "cat"


class Dog(pydantic.BaseModel):
    sort: typing.Literal["dog"] = "dog"


class Word(str):
    __slots__ = ()


@dataclass
class Order:
    customer: Customer


ADDRESS = Address(streetName="Elm", since=datetime.date(2020, 2, 29))
CUSTOMER = Customer(address=ADDRESS, limit=decimal.Decimal("1.50"))

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
datetimes = st.datetimes(timezones=st.none() | st.just(datetime.UTC))
requests = st.builds(
    Request,
    weight=st.floats(allow_nan=False, allow_infinity=False),
    carriers=st.lists(st.sampled_from(Carrier)),
    legs=st.lists(st.builds(Leg, origin=st.text(), target=st.text())).map(tuple),
    due=st.none() | datetimes,
    prices=st.dictionaries(st.integers(), st.decimals(allow_nan=False, allow_infinity=False)),
)


def there_and_back(value: object, as_type: object) -> Any:
    return decode(encode(value, what=WHAT, as_type=as_type), as_type, what=WHAT)


def refusal_of(value: object, as_type: object = None) -> str:
    with pytest.raises(InvalidInput) as caught:
        encode(value, what=WHAT, as_type=as_type)
    return str(caught.value)


def misfit_of(data: bytes, as_type: object = None) -> str:
    with pytest.raises(InvalidInput) as caught:
        decode(Payload(data), as_type, what=WHAT)
    return str(caught.value)


@given(json_values)
def test_json_values_survive(value: object) -> None:
    assert there_and_back(value, None) == value


@given(json_values)
def test_json_values_keep_their_types_and_the_order_of_their_keys(value: object) -> None:
    assert repr(there_and_back(value, None)) == repr(value)


@given(requests)
def test_dataclasses_survive(request: Request) -> None:
    assert there_and_back(request, Request) == request


@given(datetimes)
def test_datetimes_survive(moment: datetime.datetime) -> None:
    assert there_and_back(moment, datetime.datetime) == moment


@given(json_values)
def test_the_same_value_gives_the_same_bytes(value: object) -> None:
    again = there_and_back(value, None)
    assert encode(again, what=WHAT) == encode(value, what=WHAT)


@pytest.mark.parametrize(
    ("value", "as_type"),
    [
        (Quote(decimal.Decimal("1.10"), uuid.UUID(int=7)), Quote),
        (Parcel(b"\x00\xff", {"a", "b"}), Parcel),
        ({"insured": True}, Options),
        (Leg("a", "b"), Leg),
        (Carrier.FAST, Carrier),
        (datetime.timedelta(days=1, microseconds=3), datetime.timedelta),
        (datetime.time(1, 2, 3), datetime.time),
        ({1: "a"}, dict[int, str]),
        ([{Carrier.FAST: 1}], list[dict[Carrier, int]]),
        (2**200, int),
        (Word("a"), Word),
        (None, type(None)),
        (CUSTOMER, Customer),
        ([CUSTOMER], list[Customer]),
        ({"a": CUSTOMER}, dict[str, Customer]),
        (Order(CUSTOMER), Order),
        (Dog(), Cat | Dog),
        ([Dog(), Cat()], list[Cat | Dog]),
        (None, Customer | None),
    ],
    ids=lambda part: type(part).__name__,
)
def test_declared_types_survive(value: object, as_type: object) -> None:
    again = there_and_back(value, as_type)
    assert again == value
    assert type(again) is type(value)


def test_models_may_stand_anywhere_in_plain_values() -> None:
    there = there_and_back({"all": [CUSTOMER]}, None)
    assert there == {"all": [{"address": {"streetName": "Elm", "since": "2020-02-29"}, "limit": "1.50"}]}


def test_a_strict_model_reads_what_it_wrote_inside_a_dataclass() -> None:
    @dataclass
    class Holder:
        model: Any

    class Strict(pydantic.BaseModel, strict=True):
        at: datetime.datetime

    model = Strict(at=datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC))
    as_type = dict[str, Strict]
    assert there_and_back({"a": model}, as_type) == {"a": model}
    assert encode(Holder(model), what=WHAT).data == b'{"model":{"at":"2024-01-01T00:00:00Z"}}'


def test_none_is_the_shared_null_payload() -> None:
    assert encode(None, what=WHAT) is NULL_PAYLOAD


def test_pydantic_is_not_imported_for_values_that_are_not_its_own() -> None:
    code = (
        "import sys; from rescind.authoring.conversion import encode, decode\n"
        "decode(encode({'a': [1, None]}, what='x'), dict[str, list[int | None]], what='x')\n"
        "assert 'pydantic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)})


# --- refused on the way out ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    ("wrap", "path"),
    [
        (lambda number: number, "$"),
        (lambda number: {"a": [None, number]}, "$.a[1]"),
        (lambda number: [2**70, number], "$[1]"),
        (lambda number: reduce(lambda inner, _: [None, inner], range(800), number), "$" + "[1]" * 800),
        (lambda number: Request(number), "$.weight"),
        (lambda number: pydantic.create_model("M", x=float)(x=number), "$.x"),
    ],
    ids=lambda part: type(part).__name__,  # a set's repr differs between processes
)
def test_numbers_that_json_lacks_are_refused(number: float, wrap: Callable[[float], object], path: str) -> None:
    assert f"the number {number!r} - at `{path}`" in refusal_of(wrap(number))


def test_bytes_that_look_like_such_a_number_are_no_reason_to_refuse() -> None:
    assert encode([None, b"\xcb\x7f\xf0"], what=WHAT)


def test_a_refusal_names_what_where_which_type_and_what_to_do() -> None:
    text = refusal_of({"legs": [{"on done": print}]})
    assert text == (
        "input of task 'quote' cannot be written as JSON: a value of type builtin_function_or_method (print) - at "
        "`$.legs[0]['on done']`. Give data only: JSON values, dataclasses, TypedDicts, enums, datetimes, pydantic or "
        "msgspec models."
    )


@pytest.mark.parametrize(
    ("value", "part"),
    [
        (Request(1.0, carriers=[object()]), "type object - at `$.carriers[0]`"),  # type: ignore[list-item]
        ({"a": Parcel(object(), set())}, "type object - at `$.a.label`"),  # type: ignore[arg-type]
        (Quote(1j, uuid.UUID(int=0)), "type complex - at `$.price`"),  # type: ignore[arg-type]
        ({"a": "\ud800"}, "not valid Unicode, '\\ud800' - at `$.a`"),
        ({"\ud800": 1}, "the key '\\ud800', which is not valid Unicode - at `$`"),
        ([collections.deque([1])], "type collections.deque - at `$[0]`"),
        ({"a": {None: 1}}, "the key None of type NoneType - at `$.a`. Use strings as keys."),
    ],
    ids=range(7),
)
def test_the_offending_part_is_found(value: object, part: str) -> None:
    assert part in refusal_of(value)


def test_a_value_that_contains_itself_is_refused() -> None:
    value: list[Any] = [1]
    value.append({"again": value})
    assert "contains itself - at `$[1].again`" in refusal_of(value)


def test_a_value_that_is_nested_without_end_is_refused() -> None:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    assert refusal_of(value) == f"{WHAT} is nested too deeply to be written. Flatten it, or pass a reference."


def test_the_same_part_in_two_places_is_no_cycle() -> None:
    part = ["a"]
    assert "at `$[2]`" in refusal_of([part, part, object()])


def test_a_model_whose_field_has_another_type_is_refused() -> None:
    assert "Expected `float`" in refusal_of(pydantic.create_model("M", x=float).model_construct(x="a lot"))


@pytest.mark.parametrize("as_type", [None, Any, dict, dict[str, Any], list[Any], dict | None, typing.Dict])  # noqa: UP006
def test_keys_that_would_come_back_as_strings_are_refused(as_type: object) -> None:
    text = refusal_of({"a": {"b": {1: "x"}}}, as_type) if as_type is not list[Any] else refusal_of([{1: 1}], as_type)
    assert "the key 1 of type int" in text
    assert "use strings as keys, or declare the type, as dict[int, str]" in text


@pytest.mark.parametrize(
    "value", [collections.Counter([1]), ({"a": ({1: 1},)},), [[collections.defaultdict(int, {1: 1})]]]
)
def test_such_keys_are_found_in_any_plain_container(value: object) -> None:
    assert "the key 1 of type int" in refusal_of(value)


def test_keys_of_a_declared_dataclass_are_its_own_business() -> None:
    assert encode(Request(1.0, prices={1: decimal.Decimal(2)}), what=WHAT)
    assert encode([Request(1.0, prices={1: decimal.Decimal(2)})], what=WHAT)


def test_too_much_is_refused_with_both_sizes_and_a_way_out() -> None:
    with pytest.raises(PayloadTooLarge) as caught:
        encode("x" * 4998, what=WHAT, limit=4999)
    assert "is 5,000 bytes as JSON; the limit is 4,999. Store it elsewhere and pass a reference" in str(caught.value)


def test_exactly_the_limit_is_accepted() -> None:
    assert len(encode("x" * 4998, what=WHAT, limit=5000).data) == 5000


# --- refused on the way in -------------------------------------------------------------------------------------------


def test_a_misfit_names_what_the_type_the_path_the_expected_and_the_found() -> None:
    text = misfit_of(b'{"weight":1.0,"legs":[["a",2]]}', Request)
    assert text == "input of task 'quote' does not fit Request: Expected `str`, got `int` - at `$.legs[0][1]`"


@pytest.mark.parametrize("as_type", [int, dict[str, int], list[Carrier], Options, Quote, Parcel, Customer, Order])
def test_a_value_of_another_type_is_refused(as_type: object) -> None:
    assert f"{WHAT} does not fit " in misfit_of(b'"1"', as_type)


def test_a_models_misfit_names_the_path_and_the_found_type() -> None:
    data = b'{"address":{"streetName":[],"since":"2020-01-01"}}'
    assert misfit_of(data, Customer).endswith("got `list` - at `$.address.streetName`")
    assert misfit_of(b'{"customer":' + data + b"}", Order).endswith("at `$.address.streetName` - at `$.customer`")


@pytest.mark.parametrize("data", [b"", b"{", b"nul", b"[NaN]", b'"\xff"', b"1 2"])
def test_malformed_json_is_refused(data: bytes) -> None:
    assert f"{WHAT} is not well-formed JSON: " in misfit_of(data)


def test_malformed_json_is_refused_for_a_model() -> None:
    assert "Invalid JSON" in misfit_of(b"{", Customer)


def test_nesting_without_end_is_refused() -> None:
    assert "nested too deeply" in misfit_of(b"[" * 100_000)


def test_another_encoding_is_refused() -> None:
    with pytest.raises(InvalidInput, match="is encoded as 'protobuf', and only 'json'"):
        decode(Payload(b"", "protobuf"), None, what=WHAT)


def test_a_type_that_cannot_be_read_is_named() -> None:
    assert "Request | Quote cannot be read from JSON" in misfit_of(b"{}", Request | Quote).replace(f"{__name__}.", "")


def test_a_class_without_declared_fields_cannot_be_read() -> None:
    class Opaque:
        pass

    assert "a Opaque cannot be made from JSON; declare a dataclass" in misfit_of(b"{}", Opaque)


def test_a_type_that_cannot_be_hashed_is_read_nevertheless() -> None:
    as_type = typing.Annotated[int, msgspec.Meta(gt=1, extra={"a": []})]
    assert there_and_back(2, as_type) == 2


@pytest.mark.parametrize(
    ("as_type", "schema"),
    [(int, {"type": "integer"}), (type(None), {"type": "null"}), (Any, None), (print, None), (Order, None)],
)
def test_a_schema_is_given_where_there_is_one(as_type: object, schema: object) -> None:
    assert json_schema(as_type) == schema


def test_a_model_gives_its_own_schema() -> None:
    assert json_schema(Address) == Address.model_json_schema()
