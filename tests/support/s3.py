"""A real S3 server for tests, as moto has it."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

BUCKET = "team-store"


class S3:
    """An S3 server on a port of its own, which can be stopped and started again."""

    def __init__(self, port: int = 0) -> None:
        from moto.server import ThreadedMotoServer

        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)

    def start(self) -> None:
        """Begin to answer; what was there before is there."""
        self._server.start()

    def stop(self) -> None:
        """Answer no more."""
        self._server.stop()

    @property
    def port(self) -> int:
        """Where it answers."""
        return int(self._server.get_host_and_port()[1])


@contextmanager
def s3_server() -> Iterator[S3]:
    """Start an S3 server with an empty bucket, and name it in the environment."""
    import boto3

    server = S3()
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "someone")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.port}")
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        yield server
    server.stop()
