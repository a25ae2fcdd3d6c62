"""Places: addresses, and what a store's error comes to for a person."""

from __future__ import annotations

import pytest

from contracts.errors import StoreAway, StoreRefused
from lineage.names import table_name
from lineage.places import Access, address, joined, remote, told

SIGNED = "AWS4-HMAC-SHA256 Credential=AKMADEUP/20260101/us-east-1/s3/aws4_request"


def test_an_address_has_a_bucket_and_a_prefix() -> None:
    assert address("s3://bucket/a/b/") == ("bucket", "a/b")
    assert address("s3://bucket") == ("bucket", "")
    assert (address("s3://bucket").key("x"), address("s3://bucket/a").key("x")) == ("x", "a/x")


@pytest.mark.parametrize(
    "wrong", ["s3://", "s3:///a", "gs://bucket/a", "/folder", "s3://key:secret@bucket/a", "s3://bucket/a?b=c"]
)
def test_what_is_no_address_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="not an address"):
        address(wrong)


def test_local_and_remote_places_are_joined_alike() -> None:
    assert joined("/data/tables/", "silver", "x") == "/data/tables/silver/x"
    assert joined("s3://bucket", "silver", "x") == "s3://bucket/silver/x"
    assert (remote("s3://bucket"), remote("/s3")) == (True, False)


def test_lineage_names_a_table_in_a_bucket_as_the_spec_does() -> None:
    assert table_name("s3://bucket/tables/silver/shop/orders") == ("s3://bucket", "tables/silver/shop/orders")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Server returned non-2xx status code: 403 Forbidden: <Code>SignatureDoesNotMatch</Code>" + SIGNED, StoreRefused),
        (
            "When getting information for key 'x' in bucket 'b': AWS Error ACCESS_DENIED during HeadObject: Access Denied",
            StoreRefused,
        ),
        ("404 Not Found: <Code>NoSuchBucket</Code>", StoreRefused),
        ("error sending request, after 6 retries, max_retries: 1000, retry_timeout: 2s", StoreAway),
        ("Server returned non-2xx status code: 503 Service Unavailable, Server Error", StoreAway),
        ("AWS Error NETWORK_CONNECTION during HeadObject operation: curlCode: 7, Couldn't connect to server", StoreAway),
    ],
)
def test_an_error_tells_what_to_do_and_nothing_that_the_store_said(text: str, kind: type[Exception]) -> None:
    error = told(OSError(text), "s3://bucket/tables/silver/x")
    assert type(error) is kind
    assert "AKMADEUP" not in str(error)
    assert "s3://bucket/tables/silver/x" in str(error)


def test_a_tables_name_says_nothing_of_what_went_wrong() -> None:
    assert told(OSError("Not a Delta table: s3://retries/connections/timed out"), "s3://retries/connections/timed out") is None


def test_a_secret_is_not_shown() -> None:
    shown = repr(Access("http://127.0.0.1:1", "here", "AKMADEUP", "a made up secret", "token"))
    assert "AKMADEUP" not in shown
    assert "secret" not in shown.replace("secret_access_key", "")
