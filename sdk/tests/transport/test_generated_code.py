"""The checked-in package is what the .proto files say, and those say all that people need to know."""

from __future__ import annotations

import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Final

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from rescind_proto.flovyn.v1 import agent_pb2, flovyn_pb2
from rescind_proto.rescind.v1 import client_pb2, operations_pb2, values_pb2, webhooks_pb2, worker_pb2, workflows_pb2

PROTO: Final = Path(__file__).parents[3] / "proto"
MODULES: Final = (
    agent_pb2,
    flovyn_pb2,
    client_pb2,
    operations_pb2,
    values_pb2,
    webhooks_pb2,
    worker_pb2,
    workflows_pb2,
)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, FileDescriptorProto]:
    """The .proto files as a compiler reads them, with their comments."""
    target = tmp_path_factory.mktemp("compiled") / "all.bin"
    sources = sorted(str(path) for path in PROTO.rglob("*.proto"))
    included = files("grpc_tools") / "_proto"
    options = [f"-I{PROTO}", f"-I{included}", "--include_source_info", f"--descriptor_set_out={target}"]
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *options, *sources], check=True)
    return {file.name: file for file in FileDescriptorSet.FromString(target.read_bytes()).file}


def without_extras(file: FileDescriptorProto) -> FileDescriptorProto:
    """A file without what generated code leaves out."""
    bare = FileDescriptorProto()
    bare.CopyFrom(file)
    bare.ClearField("source_code_info")
    for message in bare.message_type:
        for each in (message, *message.nested_type):
            for field in each.field:
                field.ClearField("json_name")
    return bare


def test_the_checked_in_code_is_generated_from_these_files(compiled: dict[str, FileDescriptorProto]) -> None:
    """Compared as descriptors: the text around them differs between versions of the compiler."""
    checked_in = {module.DESCRIPTOR.name: module.DESCRIPTOR.serialized_pb for module in MODULES}
    fresh = {name: without_extras(file) for name, file in compiled.items()}
    assert {name: FileDescriptorProto.FromString(data) for name, data in checked_in.items()} == fresh


def test_every_message_field_and_call_has_a_comment(compiled: dict[str, FileDescriptorProto]) -> None:
    for file in compiled.values():
        commented = {tuple(each.path) for each in file.source_code_info.location if each.leading_comments}
        wanted: dict[tuple[int, ...], str] = {(4, at): message.name for at, message in enumerate(file.message_type)}
        wanted |= {
            (4, at, 2, index): f"{message.name}.{field.name}"
            for at, message in enumerate(file.message_type)
            for index, field in enumerate(message.field)
            if not field.HasField("oneof_index") or field.proto3_optional
        }
        wanted |= {
            (6, at, 2, index): f"{service.name}.{method.name}"
            for at, service in enumerate(file.service)
            for index, method in enumerate(service.method)
        }
        assert [name for path, name in wanted.items() if path not in commented] == []


def test_zero_of_every_enum_stands_for_nothing(compiled: dict[str, FileDescriptorProto]) -> None:
    for file in compiled.values():
        for enum in file.enum_type:
            assert enum.value[0].name.endswith("_UNSPECIFIED"), enum.name
            assert enum.value[0].number == 0
