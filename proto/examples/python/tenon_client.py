"""What both examples need: the stubs, compiled from the .proto files, and a channel."""

import argparse
import os
import pathlib
import sys
import tempfile

import grpc
from grpc_tools import protoc

PROTO = pathlib.Path(__file__).resolve().parents[2]


def compile_stubs():
    """Compiles the .proto files into a temporary directory and imports them."""
    out = tempfile.mkdtemp(prefix="tenon-stubs-")
    files = sorted(str(path) for path in (PROTO / "tenon/prover/v1").glob("*.proto"))
    if protoc.main(["protoc", f"-I{PROTO}", f"--python_out={out}", f"--grpc_python_out={out}", *files]) != 0:
        raise SystemExit("the .proto files don't compile")
    sys.path.insert(0, out)
    from tenon.prover.v1 import jobs_pb2, prover_pb2, prover_pb2_grpc, types_pb2

    return jobs_pb2, prover_pb2, prover_pb2_grpc, types_pb2


def arguments(description):
    """The arguments that every example takes."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--server", default=os.environ.get("TENON_SERVER", "127.0.0.1:7440"), metavar="HOST:PORT")
    parser.add_argument("--ca", metavar="FILE", help="certificate of who signs the service's own; unencrypted without")
    parser.add_argument("--token", default=os.environ.get("TENON_TOKEN"), help="the token to show")
    return parser


class Token(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor, grpc.StreamStreamClientInterceptor):
    """Adds the token to each call."""

    def __init__(self, token):
        self.token = token

    def _call(self, proceed, details, request):
        metadata = [*(details.metadata or []), ("authorization", f"Bearer {self.token}")]
        return proceed(details._replace(metadata=metadata), request)

    intercept_unary_unary = intercept_unary_stream = intercept_stream_stream = _call


def channel(options):
    """A channel to the service."""
    settings = [("grpc.max_metadata_size", 1 << 20)]
    if options.ca:
        credentials = grpc.ssl_channel_credentials(pathlib.Path(options.ca).read_bytes())
        opened = grpc.secure_channel(options.server, credentials, settings)
    else:
        opened = grpc.insecure_channel(options.server, settings)
    return grpc.intercept_channel(opened, Token(options.token)) if options.token else opened
