"""The text of a .proto file (proto2) as a FileDescriptorProto: what Caffe's and its forks' need, without protoc."""

from __future__ import annotations

import re

from google.protobuf import text_encoding
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)

from caffe.errors import CaffeError

_TOKEN = re.compile(r'\s+|//[^\n]*|/\*.*?\*/'
                    r'|(?P<token>"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'|[\w.+-]+|[{}\[\]();=,<>])', re.DOTALL)
_LABELS = {"optional": 1, "required": 2, "repeated": 3}
_SCALARS = {name: getattr(FieldDescriptorProto, f"TYPE_{name.upper()}")
            for name in ("double", "float", "int64", "uint64", "int32", "fixed64", "fixed32", "bool", "string", "bytes",
                         "uint32", "sfixed32", "sfixed64", "sint32", "sint64")}
_SKIPPED = ("option", "reserved", "extensions", "import", "syntax", "package")


def parse(text: str, source: str) -> FileDescriptorProto:
    """The messages and enums of the text; names of types are left as they are written.

    Raises CaffeError with the line for what is not proto2, and for parts that Caffe's protos do not use (groups,
    maps, oneof, extend, services).
    """
    return _Parser(text, source).file()


class _Parser:
    def __init__(self, text: str, source: str):
        self.source = source
        self.tokens: list[tuple[str, int]] = []
        place, line = 0, 1
        while place < len(text):
            match = _TOKEN.match(text, place)
            if match is None:
                raise CaffeError(f"{source}:{line}: is no .proto: {text[place]!r} was not expected")
            if match["token"]:
                self.tokens.append((match["token"], line))
            line += match[0].count("\n")
            place = match.end()
        self.tokens.append(("", line))
        self.next = 0

    def fault(self, expected: str) -> CaffeError:
        token, line = self.tokens[self.next]
        return CaffeError(f"{self.source}:{line}: {expected} was expected, not {token[:60] or 'the end'}")

    def take(self, expected: str = "") -> str:
        token = self.tokens[self.next][0]
        if not token or (expected and token != expected):
            raise self.fault(repr(expected) if expected else "more")
        self.next += 1
        return token

    def skip_to_end_of_statement(self) -> None:
        while self.take() != ";":
            pass

    def name(self) -> str:
        if not re.fullmatch(r"[A-Za-z_]\w*", self.tokens[self.next][0]):
            raise self.fault("a name")
        return self.take()

    def integer(self) -> int:
        try:
            return int(self.tokens[self.next][0], 0)
        except ValueError:
            raise self.fault("a whole number") from None
        finally:
            self.next += 1

    def file(self) -> FileDescriptorProto:
        file = FileDescriptorProto()
        while self.tokens[self.next][0]:
            word = self.take()
            if word in _SKIPPED:
                self.skip_to_end_of_statement()
            elif word == "message":
                self.message(file.message_type.add())
            elif word == "enum":
                self.enum(file.enum_type.add())
            elif word != ";":
                self.next -= 1
                raise self.fault("message or enum")
        return file

    def message(self, message: DescriptorProto) -> None:
        message.name = self.name()
        self.take("{")
        while (word := self.take()) != "}":
            if word in _SKIPPED:
                self.skip_to_end_of_statement()
            elif word == "message":
                self.message(message.nested_type.add())
            elif word == "enum":
                self.enum(message.enum_type.add())
            elif word in _LABELS:
                self.field(message.field.add(label=_LABELS[word]))
            elif word != ";":
                self.next -= 1
                raise self.fault("optional, required or repeated")

    def field(self, field: FieldDescriptorProto) -> None:
        kind = self.take()
        if kind in _SCALARS:
            field.type = _SCALARS[kind]
        else:
            field.type_name = kind
        field.name = self.name()
        self.take("=")
        field.number = self.integer()
        if self.tokens[self.next][0] == "[":
            while self.take() != "]":
                self.option(field)
        self.take(";")

    def option(self, field: FieldDescriptorProto) -> None:
        name = self.take()
        self.take("=")
        value = self.take()
        if name == "packed":
            field.options.packed = value == "true"
        elif name == "default" and value[0] in "\"'":
            field.default_value = text_encoding.CUnescape(value[1:-1]).decode("utf-8", "replace")
        elif name == "default":
            field.default_value = value
        if self.tokens[self.next][0] not in (",", "]"):
            raise self.fault("',' or ']'")

    def enum(self, enum: EnumDescriptorProto) -> None:
        enum.name = self.name()
        self.take("{")
        while (word := self.take()) != "}":
            if word in _SKIPPED:
                self.skip_to_end_of_statement()
            elif word != ";":
                self.take("=")
                enum.value.add(name=word, number=self.integer())
                while self.take() != ";":
                    pass
