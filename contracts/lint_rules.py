"""Judge the rules of a contract: each must be one that the stream, or the judge of tables, can honour.

Called for properties that the ODCS schema finds nothing in. A fault says what would not be enforced, and what would.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from contracts.checks import expression_fault, pattern_fault
from contracts.formats import FORMATS, REFUSED_FORMATS
from contracts.patterns import pattern_untranslatable
from contracts.rules import ENGINE, NUMERIC, OPERATORS, OPTIONS, is_row_rule, operator_of

Path = tuple[str | int, ...]

VALUE_TYPES: dict[str, tuple[type, ...]] = {"string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,)}
ARGUMENTS = {
    "nullValues": (),
    "missingValues": ("missingValues",),
    "invalidValues": ("validValues", "pattern"),
    "duplicateValues": (),
    "rowCount": (),
}
UNITS = ("rows", "percent")
LOCAL_TO_ECMA = re.compile(r"\(\?[A-Za-z]*-?[A-Za-z]+[):]|\(\?P?<|\\[AzZQEaCpPx]|\[\[|\[\^?\]|&&|--|~~|\\b\{|\\u\{|\(\?#|\\[<>]")
"""What Rust's regular expressions have and ECMA-262, which ODCS and JSON Schema speak, has not, or means otherwise."""

ANSWERS = {
    "minProperties": "cannot be judged: what is absent and what is null are one here, and what is unknown is dropped",
    "maxProperties": "cannot be judged: what is absent and what is null are one here, and what is unknown is dropped",
}
"""Options that are not enforced, and why."""


@dataclass(frozen=True)
class Found:
    """A fault: where in the data, which rule, what came and what was expected."""

    path: Path
    rule: str
    message: str


def option_faults(item: Mapping[str, Any], at: Path) -> Iterator[Found]:
    """Find the `logicalTypeOptions` of a property that would not be enforced."""
    kind = item["logicalType"]
    known = OPTIONS.get(kind, {})
    for option, value in item.get("logicalTypeOptions", {}).items():
        message = _time_option_fault(kind, option, value) if kind in ("timestamp", "date") else None
        if message is None:
            message = _option_fault(item, option, value) if option in known else _unknown_option(item, option, value)
        if message:
            yield Found((*at, "logicalTypeOptions", option), option, message)


def quality_faults(item: Mapping[str, Any], at: Path, *, inside_array: bool) -> Iterator[Found]:
    """Find the `quality` rules of a property that nothing would judge."""
    for index, quality in enumerate(item.get("quality", ())):
        where = (*at, "quality", index)
        kind = quality.get("type", "library")
        if kind == "custom":
            yield Found(where, "custom", f"is of the schema, not of a property, and of engine {ENGINE} here")
        elif kind == "sql":
            yield from _sql_faults(quality, where)
            if inside_array:
                yield Found(where, "sql", "cannot be asked of what stands in an array: expected a rule of the schema")
        elif kind == "library" and str(quality.get("metric")) not in ARGUMENTS:
            yield Found(where, "metric", f"came {quality.get('metric')!r}, expected one of {', '.join(ARGUMENTS)}")
        elif kind == "library":
            yield from _library_faults(quality, item, where, inside_array=inside_array)


def schema_quality_faults(schema: Mapping[str, Any], at: Path) -> Iterator[Found]:
    """Find the `quality` rules of the schema object that nothing would judge."""
    columns = {str(item.get("name")): item.get("logicalType") for item in schema.get("properties") or ()}
    for index, quality in enumerate(schema.get("quality", ())):
        where = (*at, "quality", index)
        kind = quality.get("type", "library")
        if kind == "custom":
            yield from _custom_faults(quality, columns, where)
        elif kind == "sql":
            yield from _sql_faults(quality, where)
        elif kind == "library" and str(quality.get("metric")) not in ARGUMENTS:
            yield Found(where, "metric", f"came {quality.get('metric')!r}, expected one of {', '.join(ARGUMENTS)}")
        elif kind == "library":
            yield from _schema_library_faults(quality, columns, where)


def _option_fault(item: Mapping[str, Any], option: str, value: Any) -> str:
    kind = item["logicalType"]
    if option == "pattern":
        return pattern_message(value)
    if option == "format" and value not in FORMATS[kind]:
        reason = REFUSED_FORMATS.get(value, "is not known")
        return f"{value!r} {reason}; enforced are {', '.join(FORMATS[kind])}"
    if kind == "integer" and option in NUMERIC and not -(2**53) < value < 2**53:
        return f"came {value!r}, expected a bound within 2^53: beyond, the landed table's suite would judge by another number"
    if option == "multipleOf" and kind == "integer" and float(value) != int(value):
        return f"came {value!r}, expected a whole number for an integer"
    if option == "uniqueItems" and value and (item.get("items") or {}).get("logicalType") in ("object", "array"):
        return "is enforced on single values, not on objects or arrays"
    return ""


def _unknown_option(item: Mapping[str, Any], option: str, value: Any) -> str:
    kind = item["logicalType"]
    if kind == "object" and option == "required":
        names = {child.get("name") for child in item.get("properties", ())}
        strange = [name for name in value if name not in names]
        return f"{strange[0]!r} is no property of it" if strange else ""
    known = ", ".join(OPTIONS.get(kind, {})) or "none"
    return f"{ANSWERS.get(option, f'is not enforced on {kind}')}; known are {known}"


def _time_option_fault(kind: str, option: str, value: Any) -> str | None:
    """Return what is wrong with a timestamp's or date's option; None where it is for others to say."""
    if option == "format":
        wanted = "yyyy-MM-dd" if kind == "date" else "yyyy-MM-dd'T'HH:mm:ssXXX"
        return "" if value == wanted else f"came {value!r}, expected {wanted!r}: {kind}s are read by RFC 3339 alone"
    if option == "timezone":
        return "" if value is True else "came False, expected True: a time without a zone is a guess, so it is a dead letter"
    if option == "defaultTimezone":
        return "is never used: every timestamp must carry its zone"
    parsed = time_bound(kind, value)
    if parsed is None:
        return (
            f"came {value!r}, expected {'a date, 2026-01-31' if kind == 'date' else 'a time with a zone, 2026-01-31T12:00:00Z'}"
        )
    return ""


def time_bound(kind: str, text: str) -> date | datetime | None:
    """Return a bound of a timestamp (with a zone) or date; None when it is none."""
    try:
        if kind == "date":
            return date.fromisoformat(text) if len(text) == len("2026-01-31") else None
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def pattern_message(pattern: Any) -> str:
    """Return why a pattern cannot be kept as every target means it, or nothing."""
    if fault := pattern_fault(pattern):
        return f"is no regular expression that runs in linear time: {fault}"
    local = LOCAL_TO_ECMA.search(pattern)
    if local:
        return f"{local[0]!r} means something else, or nothing, in ECMA-262, which ODCS's patterns are"
    if untold := pattern_untranslatable(pattern):
        return f"cannot be judged on the landed table: {untold}"
    return ""


def _library_faults(quality: Mapping[str, Any], item: Mapping[str, Any], at: Path, *, inside_array: bool) -> Iterator[Found]:
    metric, kind = str(quality["metric"]), item["logicalType"]
    yield from _threshold_faults(quality, at)
    if metric == "rowCount":
        yield Found(at, metric, "is of the schema, not of a property")
        return
    if inside_array and (metric == "duplicateValues" or not _row_rule(quality)):
        yield Found(at, metric, "admits some values inside an array, which is not judged: expected mustBe 0, or uniqueItems")
    if kind in ("object", "array") and metric != "nullValues":
        yield Found(at, metric, f"is not judged on an {kind}")
        return
    if not _row_rule(quality) and _masked_away(item, metric):
        yield Found(at, metric, "is judged on the landed table, where a restricted value is masked away")
    yield from _argument_faults(quality, metric, kind, at)


def _argument_faults(quality: Mapping[str, Any], metric: str, kind: str, at: Path) -> Iterator[Found]:
    arguments = quality.get("arguments") or {}
    where = (*at, "arguments")
    if strange := sorted(set(arguments) - set(ARGUMENTS[metric])):
        known = ", ".join(ARGUMENTS[metric]) or "none"
        yield Found(where, metric, f"{strange[0]!r} is not enforced: known arguments are {known}")
    if metric == "invalidValues" and not set(arguments) & {"validValues", "pattern"}:
        yield Found(at, metric, "does not say what is valid: expected arguments validValues or pattern")
    if "pattern" in arguments and (message := pattern_message(arguments["pattern"]) if kind == "string" else f"fits no {kind}"):
        yield Found(where, "pattern", message)
    for name in ("validValues", "missingValues"):
        if name in arguments and (message := values_fault(arguments[name], kind, nulls=name == "missingValues")):
            yield Found(where, name, message)


def values_fault(values: Any, kind: str, *, nulls: bool) -> str:
    """Return why a list of values cannot be compared with a property's, or nothing."""
    if kind not in VALUE_TYPES:
        return f"is not enforced on {kind}"
    if not isinstance(values, list) or not values:
        return "expected a list of values"
    known = VALUE_TYPES[kind]
    strange = [
        v for v in values if not ((nulls and v is None) or (isinstance(v, known) and isinstance(v, bool) == (kind == "boolean")))
    ]
    return f"{strange[0]!r} is no {kind}" if strange else ""


def _schema_library_faults(quality: Mapping[str, Any], columns: Mapping[Any, Any], at: Path) -> Iterator[Found]:
    metric, arguments = quality["metric"], quality.get("arguments") or {}
    yield from _threshold_faults(quality, at)
    if metric not in ("rowCount", "duplicateValues"):
        yield Found(at, metric, "is of a property, not of the schema")
    elif metric == "rowCount" and (arguments or quality.get("unit", "rows") != "rows"):
        yield Found(at, metric, "counts rows, without arguments")
    elif metric == "duplicateValues":
        named = arguments.get("properties")
        singles = [name for name, kind in columns.items() if kind not in ("object", "array")]
        if not isinstance(named, list) or not named or not set(named) <= set(singles) or set(arguments) != {"properties"}:
            yield Found(
                (*at, "arguments"), "properties", f"came {named!r}, expected a list of properties that hold single values"
            )


def _threshold_faults(quality: Mapping[str, Any], at: Path) -> Iterator[Found]:
    if quality.get("unit", "rows") not in UNITS:
        yield Found((*at, "unit"), "unit", f"came {quality['unit']!r}, expected rows or percent")
    yield from _operator_faults(quality, at, numbers=True)


def _operator_faults(quality: Mapping[str, Any], at: Path, *, numbers: bool) -> Iterator[Found]:
    if sum(name in quality for name in OPERATORS) != 1:
        yield Found(at, "quality", f"expected one of {', '.join(OPERATORS)}")
        return
    operator, bounds = operator_of(quality)
    if ("Between" in operator) != isinstance(quality[operator], list):
        yield Found((*at, operator), operator, f"came {quality[operator]!r}, expected a single value")
    elif numbers and any(isinstance(bound, bool) or not isinstance(bound, int | float) for bound in bounds):
        yield Found((*at, operator), operator, f"came {quality[operator]!r}, expected a number")
    elif "Between" in operator and not bounds[0] < bounds[1]:
        yield Found((*at, operator), operator, f"came {quality[operator]!r}, expected the smaller number first")


def _sql_faults(quality: Mapping[str, Any], at: Path) -> Iterator[Found]:
    query = str(quality["query"]).strip().rstrip(";")
    strange = [name for name in re.findall(r"\$\{([^}]*)\}", query) if name not in ("table", "column", "object", "property")]
    if not re.match(r"(?i)(select|with)\b", query) or ";" in query:
        yield Found((*at, "query"), "sql", "expected one SELECT that gives one value")
    elif strange:
        yield Found((*at, "query"), "sql", f"${{{strange[0]}}} stands for nothing: known are ${{table}} and ${{column}}")
    yield from _operator_faults(quality, at, numbers=False)


def _custom_faults(quality: Mapping[str, Any], columns: Mapping[Any, Any], at: Path) -> Iterator[Found]:
    if quality["engine"] != ENGINE:
        yield Found(at, "engine", f"came {quality['engine']!r}, which does not run here: expected {ENGINE}")
        return
    made = quality["implementation"]
    if not isinstance(made, dict) or set(made) != {"expression"} or not isinstance(made["expression"], str):
        yield Found(
            (*at, "implementation"), "implementation", "expected a mapping of expression to an SQL expression over one row"
        )
    elif message := expression_fault(made["expression"], columns):
        yield Found((*at, "implementation"), "expression", message)


def _row_rule(quality: Mapping[str, Any]) -> bool:
    """Say whether a rule is a row rule; one without a sound operator has been told already."""
    return sum(name in quality for name in OPERATORS) != 1 or is_row_rule(quality)


def _masked_away(item: Mapping[str, Any], metric: str) -> bool:
    """Say whether the landed value can no longer answer: a hash or token still tells equal from different."""
    custom = {given["property"]: given["value"] for given in item.get("customProperties", ())}
    mask = custom.get("mask", "mask" if item.get("classification") == "restricted" else None)
    if metric == "nullValues" and item["logicalType"] == "string":
        return mask == "drop"
    return mask in ("mask", "drop", "seal") or (mask in ("hash", "tokenize") and metric != "duplicateValues")
