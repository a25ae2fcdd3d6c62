"""Great Expectations: judge frames of rows with a suite, and keep a Data Docs site. The only file that knows it.

It costs seconds to import, so it is imported where it is used. It is kept from sending usage data, from drawing progress
bars, and from writing anywhere but the folder that it is given. What it returns holds the values that broke a rule: only
counts and coordinates leave this file, and the site is made of those, so no value can reach a page.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from contracts.expectations import EXACT_FLOAT_MAX, Expectation
from contracts.verdicts import Verdict

if TYPE_CHECKING:
    import pandas as pd

RESULTS_KEPT = 20
"""Validations of one suite that the site shows: the ledger keeps all."""
SITE = "headwater"


@dataclass(frozen=True)
class Validation:
    """What one validation is called in the site."""

    suite: str
    """The dataset."""
    table_version: int
    scope: str
    at: datetime
    verdicts: tuple[Verdict, ...]
    meta: Mapping[str, Any]


def judged(
    frames: Mapping[str, pl.DataFrame],
    expectations: Sequence[Expectation],
    coordinates: Sequence[str],
    *,
    complete: bool = False,
) -> tuple[Verdict, ...]:
    """Return a verdict for each expectation, in their order, on the frame that it names.

    Every frame but a query's has the columns named in `coordinates`, which name a broken row; with `complete` all broken
    rows are named, not some. An expectation that Great Expectations cannot evaluate gives a verdict that says so.
    """
    found: dict[int, Verdict] = {}
    for name in dict.fromkeys(expectation.frame for expectation in expectations):
        here = [(place, e) for place, e in enumerate(expectations) if e.frame == name]
        frame = frames[name]
        indexed = [column for column in coordinates if column in frame.columns]
        found |= _frame_verdicts(frame, here, indexed, complete=complete)
    return tuple(found[place] for place in range(len(expectations)))


def _frame_verdicts(
    frame: pl.DataFrame, asked: Sequence[tuple[int, Expectation]], indexed: Sequence[str], *, complete: bool
) -> dict[int, Verdict]:
    if not frame.height:
        return {place: Verdict(expectation) for place, expectation in asked}
    gx = _library()
    configured = [_configured(expectation, place) for place, expectation in asked]
    suite = gx.ExpectationSuite(name="suite", expectations=configured)
    shown: dict[str, Any] = {"result_format": "COMPLETE" if complete else "SUMMARY", "include_unexpected_rows": False}
    if indexed:
        shown["unexpected_index_column_names"] = list(indexed)
    batch = _batches().get_batch(batch_parameters={"dataframe": _as_pandas(frame)})
    results = batch.validate(suite, result_format=shown).results
    by_place = {result.expectation_config.meta["headwater"]["place"]: result for result in results}
    return {place: _verdict(expectation, by_place[place], indexed) for place, expectation in asked}


def _configured(expectation: Expectation, place: int) -> dict[str, Any]:
    """Return the expectation as the library builds it, with its place, because results come in an order of their own."""
    told = expectation.as_json()
    return {**told, "meta": {"headwater": {**told["meta"]["headwater"], "place": place}}}


def _verdict(expectation: Expectation, result: Any, indexed: Sequence[str]) -> Verdict:
    told = result.result
    raised = _raised(result.exception_info)
    if raised:
        return Verdict(expectation, failed=raised)
    if "observed_value" in told and "element_count" not in told:
        return Verdict(expectation, rows=int(told["observed_value"]))
    named = told.get("unexpected_index_list") or told.get("partial_unexpected_index_list") or ()
    return Verdict(
        expectation,
        rows=int(told["element_count"]),
        nulls=int(told.get("missing_count") or 0),
        broken=int(told["unexpected_count"]),
        examples=tuple((int(row[indexed[0]]), int(row[indexed[1]])) for row in named) if len(indexed) > 1 else (),
    )


def _raised(info: Any) -> str:
    """Return the kind of error that kept an expectation from being judged. Its text is left out: it can quote a value."""
    told = info if isinstance(info, dict) else {}
    each = [told] if "raised_exception" in told else [part for part in told.values() if isinstance(part, dict)]
    for part in each:
        if part.get("raised_exception"):
            lines = str(part.get("exception_traceback") or "").strip().splitlines()
            kinds = [line.split(":")[0].split(".")[-1] for line in lines if line and not line[0].isspace() and ":" in line]
            return next((kind for kind in reversed(kinds) if kind.isidentifier()), "error")
    return ""


def _as_pandas(frame: pl.DataFrame) -> pd.DataFrame:
    """Return the frame for the library's pandas engine: values exactly as they are, in vectors where that loses nothing.

    Arrow-backed columns keep a whole number beside a null. The engine goes through them value by value, so numbers whose
    nulls can be NaN without loss become plain vectors, and times become pandas' own, which alone it compares with text.
    """
    import pandas as pd  # noqa: PLC0415

    made = frame.to_arrow().to_pandas(types_mapper=pd.ArrowDtype)
    for name, kind in frame.schema.items():
        column = frame[name]
        if kind == pl.Float64 or (kind == pl.Int64 and not column.null_count()):
            made[name] = column.to_numpy()
        elif kind == pl.Int64 and _exact_as_float(column):
            made[name] = column.cast(pl.Float64).to_numpy()
        elif isinstance(kind, pl.Datetime | pl.Date):
            made[name] = pd.Series(column.cast(pl.Datetime("us")).to_numpy()).dt.tz_localize("UTC")
    return made


def _exact_as_float(column: pl.Series) -> bool:
    low, high = column.min(), column.max()
    return low is None or (int(low) > -EXACT_FLOAT_MAX and int(high) < EXACT_FLOAT_MAX)


@cache
def _library() -> Any:
    """Import the library, told before anything else that it is not to report to its makers."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations  # noqa: PLC0415

    return great_expectations


@cache
def _batches() -> Any:
    """Return what makes a batch of a frame, in a context that lives in memory alone."""
    context = _library().get_context(mode="ephemeral")
    _quiet(context)
    source = context.data_sources.add_pandas("frames")
    return source.add_dataframe_asset("frame").add_batch_definition_whole_dataframe("whole")


def _quiet(context: Any) -> None:
    from great_expectations.data_context.types.base import ProgressBarsConfig  # noqa: PLC0415

    context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)


def write_docs(folder: Path, validation: Validation) -> Path:
    """Add a validation to the Data Docs site in the folder; return the site's first page.

    The same validation (suite, table version, scope) replaces its own page. The oldest beyond RESULTS_KEPT are taken away.
    """
    from great_expectations.core.run_identifier import RunIdentifier  # noqa: PLC0415
    from great_expectations.data_context.types.resource_identifiers import (  # noqa: PLC0415
        ExpectationSuiteIdentifier,
        ValidationResultIdentifier,
    )

    context = _docs_context(folder)
    run = RunIdentifier(run_name=f"v{validation.table_version}-{validation.scope}", run_time=validation.at)
    key = ValidationResultIdentifier(ExpectationSuiteIdentifier(validation.suite), run, _batch_name(validation))
    store = context.validation_results_store
    for old in _replaced(store.list_keys(), key):
        store.remove_key(old)
    store.set(key, _results(validation))
    context.build_data_docs(site_names=[SITE])
    return folder / "docs" / "index.html"


def _batch_name(validation: Validation) -> str:
    text = f"{validation.suite}\x1f{validation.table_version}\x1f{validation.scope}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _replaced(keys: Sequence[Any], new: Any) -> list[Any]:
    """Return the stored results that the new one takes the place of: its own earlier one, and the oldest of its suite."""
    own = [key for key in keys if key.expectation_suite_identifier == new.expectation_suite_identifier]
    same = [key for key in own if key.batch_identifier == new.batch_identifier]
    others = sorted((key for key in own if key not in same), key=lambda key: str(key.run_id.run_time))
    return [*same, *others[: max(0, len(others) - RESULTS_KEPT + 1)]]


def _results(validation: Validation) -> Any:
    """Return the verdicts as the library's own result: counts, and coordinates in place of values."""
    from great_expectations.core import ExpectationSuiteValidationResult, ExpectationValidationResult  # noqa: PLC0415
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration  # noqa: PLC0415

    gx = _library()
    made = []
    for verdict in validation.verdicts:
        told = verdict.expectation.as_json()
        # Its own constructor fills in and checks what the page's renderer reads.
        whole = gx.ExpectationSuite(name="one", expectations=[told]).expectations[0].configuration.to_json_dict()
        config = ExpectationConfiguration(type=told["type"], kwargs=whole["kwargs"], meta=told["meta"])
        made.append(ExpectationValidationResult(verdict.holds, config, result=_counts(verdict), meta={}, exception_info=_NONE))
    succeeded = sum(verdict.holds for verdict in validation.verdicts)
    statistics = {
        "evaluated_expectations": len(made),
        "successful_expectations": succeeded,
        "unsuccessful_expectations": len(made) - succeeded,
        "success_percent": 100 * succeeded / len(made) if made else None,
    }
    return ExpectationSuiteValidationResult(
        success=succeeded == len(made),
        results=made,
        suite_name=validation.suite,
        statistics=statistics,
        meta={"great_expectations_version": gx.__version__, "validation_time": validation.at.isoformat(), **validation.meta},
    )


_NONE = {"raised_exception": False, "exception_message": None, "exception_traceback": None}


def _counts(verdict: Verdict) -> dict[str, Any]:
    rule = verdict.expectation.table_rule
    if rule is not None and rule.metric == "rowCount":
        return {"observed_value": verdict.rows}
    present = verdict.rows - verdict.nulls
    return {
        "element_count": verdict.rows,
        "missing_count": verdict.nulls,
        "missing_percent": 100 * verdict.nulls / verdict.rows if verdict.rows else 0.0,
        "unexpected_count": verdict.broken,
        "unexpected_percent": 100 * verdict.broken / present if present else 0.0,
        "unexpected_percent_total": 100 * verdict.broken / verdict.rows if verdict.rows else 0.0,
        "unexpected_percent_nonmissing": 100 * verdict.broken / present if present else 0.0,
        "partial_unexpected_list": [f"partition {partition}, offset {offset}" for partition, offset in verdict.examples],
    }


def _docs_context(folder: Path) -> Any:
    """Return a context whose results and site lie in the folder, and everything else in memory."""
    gx = _library()
    from great_expectations.data_context.types.base import DataContextConfig, InMemoryStoreBackendDefaults  # noqa: PLC0415

    defaults = InMemoryStoreBackendDefaults()
    results, site = folder / "results", folder / "docs"
    for made in (results, site):
        made.mkdir(parents=True, exist_ok=True)
    backend = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(results), "filepath_suffix": ".json"}
    defaults.stores[defaults.validation_results_store_name] = {"class_name": "ValidationResultsStore", "store_backend": backend}
    sites = {
        SITE: {
            "class_name": "SiteBuilder",
            "show_how_to_buttons": False,
            "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(site)},
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        }
    }
    config = DataContextConfig(store_backend_defaults=defaults, data_docs_sites=sites, analytics_enabled=False)
    context = gx.get_context(mode="ephemeral", project_config=config)
    _quiet(context)
    return context
