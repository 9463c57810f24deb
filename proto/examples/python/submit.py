"""Submits a batch that `tenon wallet sign` wrote, follows its job, and fetches the proof.

    python3 -m venv venv && venv/bin/pip install -r requirements.txt
    venv/bin/python submit.py batch.json
"""

import hashlib
import json
import pathlib
import sys
import time

import grpc

import tenon_client

jobs_pb2, prover_pb2, prover_pb2_grpc, types_pb2 = tenon_client.compile_stubs()


def octets(text):
    """Bytes of a hex string with 0x."""
    return bytes.fromhex(text.removeprefix("0x"))


def recipient(value):
    key = types_pb2.PublicKey(x=octets(value["key"]["x"]), y=octets(value["key"]["y"]))
    return types_pb2.Recipient(key=key, owner=octets(value["owner"]))


def transaction(value):
    signature = value["signature"]
    numbers = ["kind", "from", "to", "token", "nonce", "amount", "fee", "valid_until"]
    return types_pb2.Transaction(
        **{name: int(value[name]) for name in numbers},
        signature=types_pb2.Signature(
            r8x=octets(signature["r8x"]),
            r8y=octets(signature["r8y"]),
            s=int(signature["s"], 0).to_bytes(32, "big"),
        ),
        opens=recipient(value["opens"]) if "opens" in value else None,
    )


def submit(stub, text):
    """Submits a batch; the same one gives the same job, however often it is sent."""
    batch = json.loads(text)
    request = prover_pb2.SubmitBatchRequest(
        idempotency_key=hashlib.sha256(text.encode()).hexdigest(),
        domain=octets(batch["domain"]),
        timestamp=batch.get("timestamp"),
        fee_accounts=batch["fee_accounts"],
        transactions=[transaction(value) for value in batch["transactions"]],
        max_error_bytes=262144,
    )
    while True:
        try:
            return stub.SubmitBatch(request, timeout=60)
        except grpc.RpcError as error:
            if error.code() not in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE):
                raise
            print(f"no room yet: {error.details()}", file=sys.stderr)
            time.sleep(1)


def follow(stub, job_id):
    """Prints a job's events to the last one; goes on after a broken connection where it was."""
    last, event = 0, None
    while True:
        try:
            for event in stub.WatchJob(prover_pb2.WatchJobRequest(job_id=job_id, after_sequence=last)):
                last = event.sequence
                print(f"{event.progress.percent:3} %  {jobs_pb2.JobState.Name(event.state)}  {event.message}")
            return event
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.UNAVAILABLE:
                raise
            time.sleep(1)


def main():
    parser = tenon_client.arguments(__doc__.splitlines()[0])
    parser.add_argument("batch", type=pathlib.Path)
    options = parser.parse_args()
    with tenon_client.channel(options) as channel:
        stub = prover_pb2_grpc.ProverStub(channel)
        try:
            reply = submit(stub, options.batch.read_text())
            print(f"job {reply.job.id}, batch {reply.job.batch_number}, state 0x{reply.job.state_out.hex()}")
            event = follow(stub, reply.job.id)
            if event.HasField("error"):
                raise SystemExit(f"{event.error.reason}: {event.error.message}")
            proof = stub.GetProof(prover_pb2.GetProofRequest(job_id=reply.job.id))
        except grpc.RpcError as error:
            raise SystemExit(f"{error.code().name}: {error.details()}")
        print(f"proof of {len(proof.proof.proof)} bytes for {len(proof.proof.batches)} batches")


main()
