"""Calls a method of the service by name, with JSON in and out. The types come from the service's reflection.

    python3 call.py Prover/GetStatus '{}'
"""

import pathlib
import sys

import grpc
from google.protobuf import json_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))
import tenon_client


def main():
    parser = tenon_client.arguments(__doc__.splitlines()[0])
    parser.add_argument("method", help="such as Prover/GetStatus; package tenon.prover.v1 unless named")
    parser.add_argument("request", nargs="?", default="{}", help="in JSON, bytes in base64")
    options = parser.parse_args()
    service_name, _, method_name = options.method.rpartition("/")
    if "." not in service_name:
        service_name = f"tenon.prover.v1.{service_name}"
    with tenon_client.channel(options) as channel:
        try:
            pool = DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
            method = pool.FindServiceByName(service_name).FindMethodByName(method_name)
            request = json_format.Parse(options.request, GetMessageClass(method.input_type)())
            kind = channel.unary_stream if method.server_streaming else channel.unary_unary
            call = kind(
                f"/{service_name}/{method_name}",
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=GetMessageClass(method.output_type).FromString,
            )
            replies = call(request)
            for reply in replies if method.server_streaming else [replies]:
                print(json_format.MessageToJson(reply, preserving_proto_field_name=True))
        except (KeyError, json_format.ParseError) as error:
            raise SystemExit(f"{options.method}: {error}")
        except grpc.RpcError as error:
            raise SystemExit(f"{error.code().name}: {error.details()}")


main()
