"""S3 storage for tests: a server in this process (moto), and buckets, accessed by a client other than the workers'
client.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

REGION = "eu-central-1"
ACCESS_KEY, SECRET_KEY = "access", "secret"


@dataclasses.dataclass(frozen=True)
class Bucket:
    """A bucket, accessed by boto3."""

    client: Any
    name: str

    @property
    def address(self) -> str:
        return f"s3://{self.name}"

    def put(self, key: str, content: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=content)

    def get(self, key: str) -> bytes:
        content: bytes = self.client.get_object(Bucket=self.name, Key=key)["Body"].read()
        return content

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=self.name, Key=key)

    def allow(self, account: str, *actions: str) -> None:
        """Allow another account these actions, and no others."""
        resources = [f"arn:aws:s3:::{self.name}", f"arn:aws:s3:::{self.name}/*"]
        statement = {"Effect": "Allow", "Principal": {"AWS": [account]}, "Action": actions, "Resource": resources}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.client.put_bucket_policy(Bucket=self.name, Policy=policy)

    @property
    def keys(self) -> list[str]:
        return sorted(content["Key"] for content in self.client.list_objects_v2(Bucket=self.name).get("Contents", []))

    @property
    def unfinished_uploads(self) -> list[str]:
        uploads = self.client.list_multipart_uploads(Bucket=self.name).get("Uploads", [])
        return [upload["Key"] for upload in uploads]

    def abort_uploads(self) -> None:
        """Delete all parts of unfinished uploads."""
        for upload in self.client.list_multipart_uploads(Bucket=self.name).get("Uploads", []):
            self.client.abort_multipart_upload(Bucket=self.name, Key=upload["Key"], UploadId=upload["UploadId"])


@dataclasses.dataclass(frozen=True)
class S3Server:
    """A running S3 server."""

    address: str
    access_key: str = ACCESS_KEY
    secret_key: str = SECRET_KEY
    ca_file: str | None = None  # certificates to trust instead of the usual ones

    @functools.cached_property
    def _client(self) -> Any:
        """One client for all buckets, since making a client takes 30 ms of CPU."""
        return boto3.client(
            "s3",
            endpoint_url=self.address,
            region_name=REGION,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            verify=self.ca_file,
        )

    def bucket(self, name: str) -> Bucket:
        """Make a bucket."""
        self._client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        return Bucket(self._client, name)

    @property
    def environment(self) -> dict[str, str]:
        """The variables of a worker that uses the server."""
        return {
            "AWS_ENDPOINT_URL": self.address,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
        }

    def use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Give this process the server's address and credentials."""
        for name, value in self.environment.items():
            monkeypatch.setenv(name, value)


@contextmanager
def running_moto() -> Iterator[S3Server]:
    """Run a server of moto on a free port."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield S3Server(f"http://{host}:{port}")
    finally:
        server.stop()


class EmptyPages(BaseHTTPRequestHandler):
    """Answers each request for a list with an empty page that has a successor."""

    def do_GET(self) -> None:  # the name of http.server
        content = b"""<ListBucketResult><Name>photos</Name><IsTruncated>true</IsTruncated>
            <NextContinuationToken>more</NextContinuationToken></ListBucketResult>"""
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
