"""What a Binding decides: one step after the other, without network and time."""

import unittest

from radix.binding import CANDIDATES_MAX, CONNECTING_MAX, Binding, Candidate, Kind, Options


def of(inst, net_id, node="n9", draining=False):
    return Candidate(inst, net_id, node, draining)


class BindingTest(unittest.TestCase):
    def setUp(self):
        self.now = 3600.0
        self.binding = Binding(Options(node="n1", client="n1/1"), seed=1)

    def poll(self):
        """Carries nothing out; returns what was asked for."""
        acts = []
        while act := self.binding.poll(self.now):
            acts.append(act)
        return acts

    def connects(self, net_id):
        """The connection asked for by the only act there is."""
        (act,) = self.poll()
        self.assertEqual(act.kind, Kind.CONNECT)
        self.assertEqual(act.candidate.net_id, net_id)
        return act.connection

    def bind_to(self, candidate):
        """Connects and binds to the only instance there is."""
        self.binding.put(candidate)
        connection = self.connects(candidate.net_id)
        self.binding.on_serving(connection, self.now)
        self.poll()
        self.assertEqual(self.binding.bound, connection)
        return connection

    def kinds(self):
        return [act.kind for act in self.poll()]

    def test_connects_to_the_greatest_inst(self):
        self.binding.replace([of("g_3", "a:1"), of("g_4", "b:1"), of("g_10", "c:1")])
        self.connects("b:1")

    def test_prefers_its_own_node_among_equals(self):
        self.binding.replace([of("g_3", "a:1"), of("g_3", "b:1", "n1"), of("g_3", "c:1")])
        self.connects("b:1")

    def test_clients_are_spread_among_equals_and_each_stays_with_its_choice(self):
        chosen = {}
        for client in range(40):
            for _ in range(2):
                binding = Binding(Options(node="n1", client=f"n1/{client}"), seed=client)
                binding.replace([of("g_3", f"{name}:1") for name in "abcd"])
                choice = binding.poll(self.now).candidate.net_id
                self.assertEqual(chosen.setdefault(client, choice), choice)
        self.assertEqual(set(chosen.values()), {"a:1", "b:1", "c:1", "d:1"})

    def test_stays_until_the_better_one_works(self):
        old = self.bind_to(of("g_3", "a:1"))
        self.binding.put(of("g_4", "b:1"))
        new = self.connects("b:1")
        self.assertEqual(self.binding.bound, old)
        self.binding.on_serving(new, self.now)
        self.assertEqual([(act.kind, act.connection) for act in self.poll()], [(Kind.BIND, new), (Kind.DROP, old)])

    def test_leaves_a_draining_instance_for_a_lesser_one(self):
        old = self.bind_to(of("g_4", "b:1"))
        self.binding.put(of("g_3", "a:1"))
        self.assertEqual(self.poll(), [])
        self.binding.on_draining(old, self.now)
        new = self.connects("a:1")
        self.assertEqual(self.binding.bound, old, "left before the other worked")
        self.binding.on_serving(new, self.now)
        self.poll()
        self.assertEqual(self.binding.bound, new)

    def test_stays_with_a_draining_or_forgotten_instance_while_there_is_no_other(self):
        connection = self.bind_to(of("g_4", "b:1"))
        self.binding.on_draining(connection, self.now)
        self.assertEqual(self.poll(), [])
        self.binding.replace([])
        self.assertEqual(self.poll(), [])
        self.assertEqual(self.binding.bound, connection)
        self.binding.on_broken(connection, self.now)
        self.poll()
        self.assertEqual(self.binding.bound, 0)
        self.now += 3600
        self.assertEqual(self.poll(), [], "it is not listed, so nothing is tried")

    def test_does_not_leave_one_that_drains_for_another_that_drains(self):
        old = self.bind_to(of("g_3", "a:1"))
        self.binding.put(of("g_4", "b:1"))
        new = self.connects("b:1")
        self.binding.on_draining(old, self.now)
        self.binding.on_serving(new, self.now)
        self.binding.on_draining(new, self.now)
        self.assertEqual(self.kinds(), [Kind.DROP])
        self.assertEqual(self.binding.bound, old)

    def test_binds_to_nothing_that_drains_by_the_registry(self):
        self.binding.replace([of("g_4", "b:1", draining=True), of("g_3", "a:1")])
        self.connects("a:1")

    def test_replaces_a_broken_connection_at_once(self):
        old = self.bind_to(of("g_4", "b:1"))
        self.binding.on_broken(old, self.now)
        self.assertEqual(self.kinds(), [Kind.UNBIND, Kind.DROP, Kind.CONNECT])

    def test_replaces_a_connection_that_keeps_breaking_with_pauses(self):
        self.binding.on_broken(self.bind_to(of("g_4", "b:1")), self.now)
        connection = self.poll()[-1].connection
        self.binding.on_serving(connection, self.now)
        self.poll()
        self.binding.on_broken(connection, self.now)
        self.assertNotIn(Kind.CONNECT, self.kinds())
        self.assertGreater(self.binding.next_time, self.now)
        self.now = self.binding.next_time
        self.connects("b:1")

    def test_what_worked_for_long_is_replaced_at_once_again(self):
        self.binding.on_broken(self.bind_to(of("g_4", "b:1")), self.now)
        connection = self.poll()[-1].connection
        self.binding.on_serving(connection, self.now)
        self.poll()
        self.now += 10
        self.binding.on_broken(connection, self.now)
        self.assertIn(Kind.CONNECT, self.kinds())

    def test_tries_the_next_best_beside_one_that_does_not_answer(self):
        self.binding.replace([of("g_3", "a:1"), of("g_4", "b:1")])
        best = self.connects("b:1")
        self.assertEqual(self.poll(), [])
        self.assertEqual(self.binding.next_time, self.now + 0.1)
        self.now = self.binding.next_time
        second = self.connects("a:1")
        self.binding.on_serving(second, self.now)
        self.poll()
        self.assertEqual(self.binding.bound, second)
        self.binding.on_serving(best, self.now)
        self.poll()
        self.assertEqual(self.binding.bound, best, "the better one answered late, and is still wanted")

    def test_gives_up_an_attempt_after_its_limit_and_tries_again_later(self):
        self.binding.put(of("g_4", "b:1"))
        first = self.connects("b:1")
        self.now = self.binding.next_time
        self.assertEqual(self.now, 3602.0)
        (act,) = self.poll()
        self.assertEqual((act.kind, act.connection), (Kind.DROP, first))
        self.binding.on_serving(first, self.now)  # too late: ignored
        self.assertEqual(self.poll(), [])
        self.now = self.binding.next_time
        self.assertNotEqual(self.connects("b:1"), first)

    def test_another_inst_at_an_address_takes_the_place_of_the_one_before(self):
        old = self.bind_to(of("g_3", "a:1"))
        self.binding.put(of("g_4", "a:1"))
        new = self.connects("a:1")
        self.binding.on_serving(new, self.now)
        self.assertEqual([(act.kind, act.connection) for act in self.poll()], [(Kind.BIND, new), (Kind.DROP, old)])

    def test_an_attempt_ends_when_its_instance_is_removed(self):
        self.binding.put(of("g_3", "a:1"))
        connection = self.connects("a:1")
        self.binding.remove("g_3", "a:1")
        (act,) = self.poll()
        self.assertEqual((act.kind, act.connection), (Kind.DROP, connection))

    def test_looks_at_so_many_instances_and_connects_to_so_few_at_once(self):
        self.binding.replace(of("g_3", f"a:{i}") for i in range(CANDIDATES_MAX + 5))
        count = 0
        for _ in range(10):
            count += self.kinds().count(Kind.CONNECT)
            self.now += 0.1
        self.assertEqual(count, CONNECTING_MAX)
        self.binding.replace([of("g_4", "b:1")])
        self.now += 1
        self.assertIn("b:1", [act.candidate.net_id for act in self.poll() if act.kind is Kind.CONNECT])


if __name__ == "__main__":
    unittest.main()
