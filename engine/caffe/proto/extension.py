"""Caffe's messages joined with those of a fork: see `caffe.proto.extend`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper

from caffe.errors import CaffeError
from caffe.formats.files import read_bytes
from caffe.proto import caffe_pb2
from caffe.proto.proto_text import parse

_PACKAGE = "caffe"
_FIRST_FREE = 100_000  # numbers of Caffe's fields that a fork's displace; protobuf's end at 2**29


def extend_messages(source: str) -> None:
    """Put the messages of the .proto file `source` joined with today's in the place of those in caffe_pb2."""
    added = parse(read_bytes(source, "a .proto file").decode("utf-8-sig", "replace"), source)
    if not added.message_type and not added.enum_type:
        raise CaffeError(f"{source}: has no message; a fork's caffe.proto was expected")
    joined = FileDescriptorProto()
    caffe_pb2.DESCRIPTOR.CopyToProto(joined)
    _join_enums(joined.enum_type, added.enum_type)
    _join_messages(joined.message_type, added.message_type)
    _resolve(joined, source)
    pool = descriptor_pool.DescriptorPool()
    try:
        pool.AddSerializedFile(joined.SerializeToString())
        classes = message_factory.GetMessageClassesForFiles([joined.name], pool)
    except (TypeError, KeyError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise CaffeError(f"{source}: does not go together with Caffe's messages: {reason}") from None
    file = pool.FindFileByName(joined.name)
    names = vars(caffe_pb2)
    names["DESCRIPTOR"] = file
    for name in file.message_types_by_name:
        names[name] = classes[f"{_PACKAGE}.{name}"]
        names[f"_{name.upper()}"] = names[name].DESCRIPTOR
    for name, enum in file.enum_types_by_name.items():
        names[name] = EnumTypeWrapper(enum)
        names.update((value.name, value.number) for value in enum.values)


def _join_messages(ours, theirs: Iterable[DescriptorProto]) -> None:
    known = {message.name: message for message in ours}
    for message in theirs:
        if message.name not in known:
            ours.add().CopyFrom(message)
            continue
        own = known[message.name]
        _join_enums(own.enum_type, message.enum_type)
        _join_messages(own.nested_type, message.nested_type)
        _join_fields(own, message.field)


def _join_fields(own: DescriptorProto, theirs: Iterable[FieldDescriptorProto]) -> None:
    new = {field.name: field for field in theirs}
    taken = {field.number for field in new.values()} | {
        field.number for field in own.field if field.name not in new}
    numbers = {field.number for field in new.values()}
    for field in own.field:
        if field.name in new:
            field.CopyFrom(new.pop(field.name))
        elif field.number in numbers:
            field.number = next(n for n in range(_FIRST_FREE, 2**29) if n not in taken)
            taken.add(field.number)
    own.field.extend(new.values())


def _join_enums(ours, theirs: Iterable[EnumDescriptorProto]) -> None:
    known = {enum.name: enum for enum in ours}
    for enum in theirs:
        if enum.name not in known:
            ours.add().CopyFrom(enum)
            continue
        new = {value.name: value.number for value in enum.value}
        for value in known[enum.name].value:
            value.number = new.pop(value.name, value.number)
        for name, number in new.items():
            known[enum.name].value.add(name=name, number=number)
        # a value of Caffe's and one of the fork's may have one number
        if len({value.number for value in known[enum.name].value}) < len(known[enum.name].value):
            known[enum.name].options.allow_alias = True


def _resolve(file: FileDescriptorProto, source: str) -> None:
    """Give every field whose type is a name the whole name, found from the inside out, and the kind of its type."""
    kinds = dict(_types(file))
    for scope, message in _messages(file.message_type, f".{_PACKAGE}"):
        for field in message.field:
            if not field.type_name or field.type_name in kinds:
                continue
            parts = scope.split(".")
            outside = [".".join([*parts[:n], field.type_name]) for n in range(len(parts), 0, -1)]
            found = next((name for name in outside if name in kinds), None)
            if found is None:
                raise CaffeError(f"{source}: {message.name}.{field.name}: there is no message or enum "
                                 f"{field.type_name}")
            field.type_name, field.type = found, kinds[found]


def _messages(messages, scope: str) -> Iterator[tuple[str, DescriptorProto]]:
    for message in messages:
        yield f"{scope}.{message.name}", message
        yield from _messages(message.nested_type, f"{scope}.{message.name}")


def _types(file: FileDescriptorProto) -> Iterator[tuple[str, FieldDescriptorProto.Type.ValueType]]:
    kind = FieldDescriptorProto
    yield from ((f".{_PACKAGE}.{enum.name}", kind.TYPE_ENUM) for enum in file.enum_type)
    for scope, message in _messages(file.message_type, f".{_PACKAGE}"):
        yield scope, kind.TYPE_MESSAGE
        yield from ((f"{scope}.{enum.name}", kind.TYPE_ENUM) for enum in message.enum_type)
