"""Every reason is explained, and what is said of payloads is what the stream does."""

from __future__ import annotations

from contracts.reasons import REASONS
from contracts.records import Reason
from streams.sealed import PAYLOADLESS


def test_every_reason_is_explained():
    assert set(REASONS) == set(Reason)
    assert all(told.meaning.endswith(".") and told.remedy for told in REASONS.values())


def test_reasons_whose_dead_letters_keep_nothing_are_told_so():
    said = {reason.value for reason, told in REASONS.items() if not told.payload}
    assert said == PAYLOADLESS | {Reason.FOREIGN.value}
