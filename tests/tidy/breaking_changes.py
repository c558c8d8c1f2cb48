"""What breaks whoever was built against an older set of descriptors: on the wire, in JSON, or in generated code."""

from google.protobuf import descriptor_pb2

FIELD = descriptor_pb2.FieldDescriptorProto


def by_name(elements):
    return {each.name: each for each in elements}


def kind_of(field):
    """What a reader takes it for: type, one or many, and whether its absence can be told."""
    kind = FIELD.Type.Name(field.type)[5:].lower()
    presence = "optional " if field.proto3_optional else ""
    repeated = "repeated " if field.label == FIELD.LABEL_REPEATED else ""
    return presence + repeated + (field.type_name[1:] or kind)


def is_reserved(message, field):
    return field.name in message.reserved_name and any(each.start <= field.number < each.end for each in message.reserved_range)


def oneof_of(message, field):
    if field.proto3_optional or not field.HasField("oneof_index"):
        return None
    return message.oneof_decl[field.oneof_index].name


def messages_of(file):
    """All messages by full name, nested ones too."""
    found = {}
    waiting = [(f"{file.package}.{each.name}", each) for each in file.message_type]
    while waiting:
        name, message = waiting.pop()
        found[name] = message
        waiting += [(f"{name}.{each.name}", each) for each in message.nested_type]
    return found


def enums_of(file):
    found = {f"{file.package}.{each.name}": each for each in file.enum_type}
    for name, message in messages_of(file).items():
        found |= {f"{name}.{each.name}": each for each in message.enum_type}
    return found


def changes_of_message(name, old, new):
    numbers = {field.number: field for field in new.field}
    for field in old.field:
        now = numbers.get(field.number)
        what = f"{name}.{field.name} = {field.number}"
        if now is None:
            if not is_reserved(new, field):
                yield f"{what} was removed, and its number and name are not both reserved"
        elif now.name != field.name:
            yield f"{what} is called {now.name} now"
        elif kind_of(now) != kind_of(field):
            yield f"{what} was {kind_of(field)} and is {kind_of(now)}"
        elif oneof_of(new, now) != oneof_of(old, field):
            yield f"{what} was in oneof {oneof_of(old, field)} and is in {oneof_of(new, now)}"
    held = [number for each in old.reserved_range for number in range(each.start, min(each.end, each.start + 1000))]
    for number in held:
        if number in numbers:
            yield f"{name}.{numbers[number].name} = {number} takes a number that was reserved"
    for field in new.field:
        if field.name in old.reserved_name:
            yield f"{name}.{field.name} takes a name that was reserved"


def changes_of_enum(name, old, new):
    now = {value.name: value.number for value in new.value}
    for value in old.value:
        if now.get(value.name, value.number) != value.number:
            yield f"{name}.{value.name} was {value.number} and is {now[value.name]}"
        elif value.name not in now and value.name not in new.reserved_name:
            yield f"{name}.{value.name} = {value.number} was removed, and is not reserved"


def shape_of(method):
    asked = "stream " if method.client_streaming else ""
    told = "stream " if method.server_streaming else ""
    return f"({asked}{method.input_type[1:]}) returns ({told}{method.output_type[1:]})"


def changes_of_service(name, old, new):
    now = by_name(new.method)
    for method in old.method:
        if method.name not in now:
            yield f"{name}.{method.name} was removed"
        elif shape_of(now[method.name]) != shape_of(method):
            yield f"{name}.{method.name} was {shape_of(method)} and is {shape_of(now[method.name])}"


def breaking_changes(old, new):
    """One line for each change between two FileDescriptorSets that is not allowed within a version.

    A new version, as radix.reeve.v2 beside v1, may be whatever it likes.
    """
    kinds = (
        ("message", messages_of, changes_of_message),
        ("enum", enums_of, changes_of_enum),
        ("service", lambda file: {f"{file.package}.{each.name}": each for each in file.service}, changes_of_service),
    )
    found = []
    for kind, elements_of, changes in kinds:
        # By name, not by file: whoever was built with it does not see from which file it came.
        now = {name: each for file in new.file for name, each in elements_of(file).items()}
        for file in old.file:
            for name, each in sorted(elements_of(file).items()):
                found += changes(name, each, now[name]) if name in now else [f"{kind} {name} was removed"]
    return found
