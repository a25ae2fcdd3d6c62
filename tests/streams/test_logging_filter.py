"""The logging filter: no way of logging brings personal data into what a handler writes."""

from __future__ import annotations

import io
import logging
import subprocess
import sys

import pytest

from infra.settings import PROJECT_FOLDER
from streams.connectors.logging_filter import MaskingFilter

SECRET = "jane@example.org"  # noqa: S105  an address, to be found nowhere


@pytest.fixture
def logged() -> tuple[logging.Logger, io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s %(query)s", defaults={"query": ""}))
    handler.addFilter(MaskingFilter(bytes(range(32))))
    logger = logging.Logger("service")  # noqa: LOG001  one of its own, unknown to the others
    logger.addHandler(handler)
    return logger, stream


def failing() -> None:
    raise ValueError(f"no such customer: {SECRET}")


@pytest.mark.parametrize(
    "log",
    [
        lambda logger: logger.info("query of %s", SECRET),
        lambda logger: logger.info("query of %(who)s", {"who": SECRET}),
        lambda logger: logger.info(f"query of {SECRET}"),  # noqa: G004
        lambda logger: logger.info("query", extra={"query": SECRET}),
        lambda logger: logger.info("query", extra={"query": {"who": [SECRET]}}),
        lambda logger: logger.info(ValueError(SECRET)),
        lambda logger: logger.info("too few %s %s", SECRET),  # noqa: PLE1206
        lambda logger: logger.info("%d", SECRET),
    ],
)
def test_what_is_logged_is_masked(logged, log):
    logger, stream = logged
    log(logger)
    assert "<email:" in stream.getvalue()
    assert SECRET not in stream.getvalue()


def test_an_exception_and_the_stack_are_masked_and_still_read_well(logged):
    logger, stream = logged
    try:
        failing()
    except ValueError:
        logger.exception("failed for %s", SECRET, stack_info=True)
    told = stream.getvalue()
    assert SECRET not in told
    assert "ValueError: no such customer: <email:" in told
    assert "Traceback (most recent call last)" in told
    assert "Stack (most recent call last)" in told


def test_what_holds_nothing_personal_is_kept_as_it_is(logged):
    logger, stream = logged
    logger.warning("%s of %d took %.1f ms", "1 query", 3, 2.5, extra={"query": ["a"]})
    assert stream.getvalue() == "WARNING 1 query of 3 took 2.5 ms ['a']\n"


def test_importing_the_filter_imports_nothing_heavy():
    code = "import sys, streams.connectors.logging_filter; print('polars' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PROJECT_FOLDER, check=True)
    assert done.stdout == "False\n"
