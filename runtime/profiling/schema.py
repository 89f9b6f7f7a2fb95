# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The messages of pprof's `profile.proto`, built from a table instead of generated code.

Source: https://github.com/google/pprof/blob/main/proto/profile.proto (Apache-2.0). The classes are in a
descriptor pool of their own, so another copy of the schema in the process does not clash with it. Pure; any thread.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

_PACKAGE = "perftools.profiles"

# Message: fields as "name type", numbered from 1 in their order. "*" marks a repeated one.
_MESSAGES = {
    "Profile": (
        "sample_type ValueType*",
        "sample Sample*",
        "mapping Mapping*",
        "location Location*",
        "function Function*",
        "string_table string*",
        "drop_frames int64",
        "keep_frames int64",
        "time_nanos int64",
        "duration_nanos int64",
        "period_type ValueType",
        "period int64",
        "comment int64*",
        "default_sample_type int64",
    ),
    "ValueType": ("type int64", "unit int64"),
    "Sample": ("location_id uint64*", "value int64*", "label Label*"),
    "Label": ("key int64", "str int64", "num int64", "num_unit int64"),
    "Mapping": (
        "id uint64",
        "memory_start uint64",
        "memory_limit uint64",
        "file_offset uint64",
        "filename int64",
        "build_id int64",
        "has_functions bool",
        "has_filenames bool",
        "has_line_numbers bool",
        "has_inline_frames bool",
    ),
    "Location": ("id uint64", "mapping_id uint64", "address uint64", "line Line*", "is_folded bool"),
    "Line": ("function_id uint64", "line int64"),
    "Function": ("id uint64", "name int64", "system_name int64", "filename int64", "start_line int64"),
}


@cache
def profile_class() -> Any:
    """Return the class of `perftools.profiles.Profile`. It is built on first use and kept."""
    file = FileDescriptorProto(name="profile.proto", package=_PACKAGE, syntax="proto3")
    for message, fields in _MESSAGES.items():
        descriptor = file.message_type.add(name=message)
        for number, text in enumerate(fields, start=1):
            name, kind = text.removesuffix("*").split(" ")
            field = descriptor.field.add(name=name, number=number)
            field.label = (
                FieldDescriptorProto.LABEL_REPEATED if text[-1] == "*" else FieldDescriptorProto.LABEL_OPTIONAL
            )
            if kind in _MESSAGES:
                field.type = FieldDescriptorProto.TYPE_MESSAGE
                field.type_name = f".{_PACKAGE}.{kind}"
            else:
                field.type = FieldDescriptorProto.Type.Value(f"TYPE_{kind.upper()}")
    pool = DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Profile"))
