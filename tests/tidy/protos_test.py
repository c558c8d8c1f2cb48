"""Holds the protos to their style: packages match folders and end in a version, everything has a
comment, enums begin with *_UNSPECIFIED = 0, names are spelled in the usual way, each rpc says its
errors. Prints one line for each breach and exits 1 if there is one.

usage: protos_test.py DESCRIPTOR_SET
"""

import re
import sys

from google.protobuf import descriptor_pb2

breaches = []


class File:
    """One proto file, and the comments of its elements by path."""

    def __init__(self, proto):
        self.proto = proto
        self.comments = {
            tuple(place.path): place.leading_comments.strip()
            for place in proto.source_code_info.location
        }

    def breach(self, message):
        breaches.append(f"{self.proto.name}: {message}")

    def want_comment(self, path, name):
        if not self.comments.get(tuple(path)):
            self.breach(f"{name} has no comment")

    def check(self):
        self.check_package()
        for i, service in enumerate(self.proto.service):
            self.check_service(service, [6, i])
        for i, message in enumerate(self.proto.message_type):
            self.check_message(message, [4, i], message.name)
        for i, enum in enumerate(self.proto.enum_type):
            self.check_enum(enum, [5, i])

    def check_package(self):
        package = self.proto.package
        folder = self.proto.name.rsplit("/", 1)[0]
        if package.replace(".", "/") != folder:
            self.breach(f"package {package} does not match folder {folder}")
        if not re.search(r"\.v[0-9]+$", package):
            self.breach(f"package {package} does not end in a version")

    def check_service(self, service, path):
        self.want_comment(path, service.name)
        if self.proto.package.startswith("radix.") and not service.name.endswith("Service"):
            self.breach(f"service {service.name} does not end in Service")
        for i, method in enumerate(service.method):
            where = [*path, 2, i]
            self.want_comment(where, f"{service.name}.{method.name}")
            if "Errors:" not in self.comments.get(tuple(where), "") and \
                    "Errors: none" not in self.comments.get(tuple(where), ""):
                self.breach(f"{service.name}.{method.name} does not list its errors")
            for kind, suffix in ((method.input_type, "Request"), (method.output_type, "Response")):
                if not kind.endswith(suffix):
                    self.breach(f"{service.name}.{method.name} uses {kind}: not a *{suffix}")

    def check_message(self, message, path, name):
        self.want_comment(path, name)
        if not re.fullmatch(r"[A-Z][A-Za-z0-9]*", message.name):
            self.breach(f"message {name} is not TitleCase")
        for i, field in enumerate(message.field):
            self.want_comment([*path, 2, i], f"{name}.{field.name}")
            if not re.fullmatch(r"[a-z][a-z0-9_]*", field.name):
                self.breach(f"field {name}.{field.name} is not lower_snake")
            if field.type_name == ".google.protobuf.Timestamp" and not field.name.endswith("_time"):
                self.breach(f"field {name}.{field.name} is a time: end it in _time")
            if field.type_name == ".google.protobuf.Duration" and not field.name.endswith("_duration"):
                self.breach(f"field {name}.{field.name} is a duration: end it in _duration")
        for i, nested in enumerate(message.nested_type):
            self.check_message(nested, [*path, 3, i], f"{name}.{nested.name}")
        for i, nested in enumerate(message.enum_type):
            self.check_enum(nested, [*path, 4, i])

    def check_enum(self, enum, path):
        self.want_comment(path, enum.name)
        prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", enum.name).upper() + "_"
        for i, value in enumerate(enum.value):
            self.want_comment([*path, 2, i], f"{enum.name}.{value.name}")
            if not value.name.startswith(prefix):
                self.breach(f"{value.name} does not begin with {prefix}")
        if enum.value[0].number != 0 or enum.value[0].name != prefix + "UNSPECIFIED":
            self.breach(f"enum {enum.name} does not begin with {prefix}UNSPECIFIED = 0")


descriptors = descriptor_pb2.FileDescriptorSet()
with open(sys.argv[1], "rb") as descriptor_file:
    descriptors.ParseFromString(descriptor_file.read())
for descriptor in descriptors.file:
    if descriptor.package.startswith("grpc."):
        continue  # not ours: spelled as gRPC spells it
    File(descriptor).check()
print("\n".join(breaches) if breaches else f"{len(descriptors.file)} protos checked")
sys.exit(1 if breaches else 0)
