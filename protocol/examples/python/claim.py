#!/usr/bin/env python3
"""claim.py HOST:PORT CALLER TOKEN_FILE USER TEMPLATE [REQUEST_ID]: claims a coupon with the stock protobuf runtime."""
import json, pathlib, socket, subprocess, sys, tempfile, uuid
from google.protobuf.message import DecodeError

try:
    from scrip.v1 import code_pb2, frame_pb2
except ImportError:  # Not generated yet: protoc generates them into a temporary folder.
    source, out = pathlib.Path(__file__).resolve().parents[2] / "proto", tempfile.TemporaryDirectory()
    files = [str(path) for path in source.glob("scrip/v1/*.proto")]
    subprocess.run(["protoc", f"-I{source}", f"--python_out={out.name}", *files], check=True)
    sys.path.insert(0, out.name)
    from scrip.v1 import code_pb2, frame_pb2


def write(stream, message):
    body = message.SerializeToString()
    length, prefix = len(body), b""
    while length > 127:
        length, prefix = length >> 7, prefix + bytes([length & 127 | 128])
    stream.write(prefix + bytes([length]) + body)
    stream.flush()


def read(stream):
    length, shift = 0, 0
    while byte := stream.read(1):
        length, shift = length | (byte[0] & 127) << shift, shift + 7
        if byte[0] < 128:
            return frame_pb2.Response.FromString(stream.read(length))
    return None


def call(stream, request):
    try:
        write(stream, request)
        while (response := read(stream)) is not None:
            if response.id == request.id or (response.id == 0 and response.code != code_pb2.CODE_OK):
                return response  # The answer, or the notice that closes the connection. Other notices need no answer.
        lost = "connection closed"
    except (OSError, DecodeError) as error:
        lost = str(error)
    return frame_pb2.Response(code=code_pb2.CODE_OUTCOME_UNKNOWN, detail=lost)


def main(address, caller, token_file, user, template, resend=None):
    host, port = address.rsplit(":", 1)
    request_id = uuid.UUID(resend) if resend else uuid.uuid4()  # A real service stores it before it sends it.
    hello = frame_pb2.Request(id=1, hello=dict(protocol_version=1, caller=caller,
                                               token=pathlib.Path(token_file).read_text().strip()))
    claim = frame_pb2.Request(id=2, deadline_ms=2000, claim=dict(
        user_id=int(user), template_id=int(template), request_id=request_id.bytes, attempt=2 if resend else 1))
    with socket.create_connection((host.strip("[]"), int(port)), timeout=5) as connection:
        stream = connection.makefile("rwb")
        answer = call(stream, hello)
        if answer.code == code_pb2.CODE_OK:
            answer = call(stream, claim)
    name = code_pb2.Code.Name(answer.code) if answer.code in code_pb2.Code.values() else f"CODE_{answer.code}"
    coupon = answer.coupon
    print(json.dumps({"code": name, "request_id": request_id.hex, "coupon_id": coupon.coupon_id.hex(), "seq": coupon.seq,
                      "replayed": coupon.replayed, "detail": answer.detail, "retry_after_ms": answer.retry_after_ms}))
    sys.exit(0 if answer.code == code_pb2.CODE_OK else name)


if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) in (6, 7) else sys.exit(__doc__)
