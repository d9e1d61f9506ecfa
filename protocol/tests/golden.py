#!/usr/bin/env python3
"""Checks the golden vectors with the stock protobuf runtime of Python, and none of our code.

Each file in golden/ holds a message in protobuf's text format behind '#', written by hand, and below it the bytes of
its frame in hexadecimal: the length prefix on a line of its own, then the message. The bytes come from here; the crate's
tests compare what Rust reads and writes with them.

    pip install protobuf grpcio-tools
    python3 golden.py            compare; exits with 1 if a vector differs
    python3 golden.py --write    write the bytes, after a vector was added

A vector that was committed is never changed: it is what deployed clients send.
"""

import pathlib
import sys
import tempfile

from google.protobuf import text_format
from grpc_tools import protoc

HERE = pathlib.Path(__file__).resolve().parent
PROTO = HERE.parent / "proto"


def load_messages():
    out = tempfile.mkdtemp(prefix="scrip-proto-")
    files = [str(path) for path in sorted(PROTO.glob("scrip/v1/*.proto"))]
    if protoc.main(["protoc", f"-I{PROTO}", f"--python_out={out}", *files]) != 0:
        sys.exit("protoc refused the .proto files")
    sys.path.insert(0, out)
    from scrip.v1 import frame_pb2

    return {"scrip.v1.Request": frame_pb2.Request, "scrip.v1.Response": frame_pb2.Response}


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def hex_lines(message):
    body = message.SerializeToString(deterministic=True)
    rows = [body[start : start + 32].hex(" ") for start in range(0, len(body), 32)]
    return [varint(len(body)).hex(" "), *rows]


def main():
    messages = load_messages()
    write = sys.argv[1:] == ["--write"]
    differ = []
    paths = sorted((HERE / "golden").glob("*.hex"))
    for path in paths:
        lines = path.read_text().splitlines()
        text = [line[2:] for line in lines if line.startswith("#")]
        kind = text[0].split(":")[0]
        message = text_format.Parse("\n".join(text[1:]), messages[kind]())
        expect = hex_lines(message)
        if write:
            path.write_text("\n".join([line for line in lines if line.startswith("#")] + expect) + "\n")
            continue
        found = [line for line in lines if not line.startswith("#")]
        read_back = messages[kind].FromString(bytes.fromhex("".join(found[1:])))
        if found != expect or read_back != message:
            differ.append(path.name)
    print(f"{len(paths)} vectors, {len(differ)} differ" + "".join(f"\n  {name}" for name in differ))
    sys.exit(1 if differ else 0)


main()
