"""Refuses changes of the protos that break who was built against the last release, and shows that it would see each kind of them.

    breaking_changes_test.py DESCRIPTOR_SET RELEASED_DESCRIPTOR_SET

The released set is protos/released.binpb; `make release-protos` writes it anew, when a version is released.
"""

import pathlib
import sys
import unittest

from google.protobuf import descriptor_pb2

from breaking_changes import breaking_changes

RELEASED = pathlib.Path(sys.argv.pop(2))
PRESENT = pathlib.Path(sys.argv.pop(1))


def read(path):
    return descriptor_pb2.FileDescriptorSet.FromString(path.read_bytes())


class BreakingChangesTest(unittest.TestCase):
    def setUp(self):
        self.changed = read(RELEASED)
        self.reeve = next(file for file in self.changed.file if file.package == "radix.reeve.v1")
        self.registry = next(file for file in self.changed.file if file.package == "radix.registry.v1")
        self.instance = next(each for each in self.registry.message_type if each.name == "Instance")

    def changes(self):
        return breaking_changes(read(RELEASED), self.changed)

    def test_nothing_since_the_release_breaks_anybody(self):
        self.assertEqual(breaking_changes(read(RELEASED), read(PRESENT)), [])

    def test_what_is_added_breaks_nobody(self):
        self.instance.field.add(name="new_one", number=999, type=9, label=1)
        self.registry.message_type.add(name="New")
        self.reeve.service[0].method.add(name="New", input_type=".radix.registry.v1.New", output_type=".radix.registry.v1.New")
        self.assertEqual(self.changes(), [])

    def test_a_removed_field_has_to_be_reserved(self):
        gone = self.instance.field[0]
        name, number = gone.name, gone.number
        del self.instance.field[0]
        self.assertRegex("\n".join(self.changes()), f"Instance.{name} = {number} was removed")
        self.instance.reserved_name.append(name)
        self.assertRegex("\n".join(self.changes()), f"Instance.{name} = {number} was removed")
        self.instance.reserved_range.add(start=number, end=number + 1)
        self.assertEqual(self.changes(), [])

    def test_a_field_keeps_its_name_number_and_type(self):
        field = self.instance.field[0]
        for attribute, value, said in (
            ("name", "other", "is called other now"),
            ("type", 3, "and is int64"),
            ("label", 3, "and is repeated"),
            ("proto3_optional", True, "and is optional"),
            ("number", 998, "was removed"),
        ):
            before = getattr(field, attribute)
            setattr(field, attribute, value)
            self.assertEqual(len(self.changes()), 1, attribute)
            self.assertIn(said, self.changes()[0])
            setattr(field, attribute, before)

    def test_a_oneof_stays_one(self):
        self.instance.oneof_decl.add(name="either")
        self.instance.field[0].oneof_index = len(self.instance.oneof_decl) - 1
        self.assertIn("is in either", self.changes()[0])

    def test_what_is_reserved_stays_free(self):
        released = read(RELEASED)
        old = next(each for file in released.file if file.package == "radix.registry.v1" for each in file.message_type if each.name == "Instance")
        old.reserved_name.append("gone")
        old.reserved_range.add(start=900, end=901)
        self.instance.field.add(name="gone", number=900, type=9, label=1)
        self.assertEqual(len(breaking_changes(released, self.changed)), 2)

    def test_an_rpc_keeps_its_shape(self):
        method = self.reeve.service[0].method[0]
        method.server_streaming = not method.server_streaming
        self.assertIn(f"{method.name} was (", self.changes()[0])
        del self.reeve.service[0].method[0]
        self.assertIn("was removed", self.changes()[0])

    def test_nothing_goes_away(self):
        for elements, kind in ((self.registry.message_type, "message"), (self.reeve.service, "service"), (self.registry.enum_type, "enum")):
            self.assertTrue(elements, kind)
            name = elements[0].name
            del elements[0]
            self.assertTrue(any(change.startswith(kind) and f"{name} was removed" in change for change in self.changes()), kind)

    def test_an_enum_keeps_its_numbers(self):
        value = self.registry.enum_type[0].value[1]
        value.number += 100
        self.assertIn(f"{value.name} was", self.changes()[0])
        del self.registry.enum_type[0].value[1]
        self.assertIn("was removed, and is not reserved", self.changes()[0])


if __name__ == "__main__":
    unittest.main()
