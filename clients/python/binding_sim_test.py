"""A Binding among instances that come, drain, hang, crash and come back, and a registry that is late and sometimes
forgets everything: many such lives, each from one seed. `binding_sim_test.py SEED` lives one of them again.
"""

import dataclasses
import math
import random
import sys
import unittest

from radix.binding import CONNECTING_MAX, Binding, Candidate, Kind, Options

STEP = 0.01
FAULTS = 20.0  # seconds; then nothing fails any more
CALM = 30.0  # within which the best must be bound
PATIENCE = 10.0  # so long after its last fault an instance that the registry lists must have been found
LIVES = range(1, 301)


@dataclasses.dataclass
class Server:
    candidate: Candidate
    up: bool  # takes connections
    hung: bool = False  # up, but does not answer
    draining: bool = False  # says so on its connections
    told: bool = False  # the registry lists it as serving
    well_since: float = math.inf  # all is well with it, the registry included


@dataclasses.dataclass
class Link:
    server: Server
    news: float  # when the next news of it arrives
    ready: bool = False
    told_draining: bool = False
    broken: bool = False  # but not noticed yet


class World:
    def __init__(self, seed):
        self.dice = random.Random(seed)
        self.binding = Binding(Options(node="n1", client="n1/1"), seed)
        self.start = self.now = 3600.0
        self.servers = [self.make_server(i) for i in range(self.dice.randint(1, 6))]
        self.links = {}
        self.bound = 0
        self.bound_broken = False

    def make_server(self, i):
        inst, node = f"g_{self.dice.randint(3, 5)}", f"n{self.dice.randint(1, 3)}"
        return Server(Candidate(inst, f"127.0.0.1:{1000 + i}", node), up=self.dice.random() < 0.5)

    def run(self):
        """Lives through the faults and the calm after them."""
        while self.now < self.start + FAULTS:
            self.now += STEP
            self.harm()
            self.step()
        for server in self.servers:
            server.hung = False
        self.tell()
        while self.now < self.start + FAULTS + CALM:  # only what happens
            self.step()
            self.now = max(self.now + STEP / 10, min(self.next_news(), self.start + FAULTS + CALM))
        self.step()

    def step(self):
        self.deliver()
        self.act()
        assert self.binding.bound == self.bound
        assert len(self.links) <= CONNECTING_MAX + 1
        well = [each for each in self.servers if each.well_since + PATIENCE < self.now]
        assert self.bound or not well, f"bound to nothing, and {well} could be called"

    def next_news(self):
        waiting = (link.news for link in self.links.values() if link.broken or not link.ready)
        return min([self.binding.next_time, *waiting])

    def harm(self):
        if self.dice.random() < 0.03:
            self.fault(self.dice.choice(self.servers))
        if self.dice.random() < 0.005:  # reeve began anew
            self.binding.replace([])
            for server in self.servers:
                server.told = False
        if self.dice.random() < 0.02:
            self.tell()
        for server in self.servers:
            if not (server.up and server.told and not server.hung and not server.draining):
                server.well_since = math.inf
            elif server.well_since == math.inf:
                server.well_since = self.now

    def fault(self, server):
        server.well_since = math.inf
        what = self.dice.choice(["power", "hang", "drain", "break"])
        if what == "power":
            server.up = not server.up
            server.draining = False
        elif what == "hang":
            server.hung = not server.hung
        elif what == "drain":
            server.draining = not server.draining
        if what == "break" or not server.up:
            for link in self.links.values():
                if link.server is server and not link.broken:
                    link.broken = True
                    link.news = self.now + self.dice.uniform(0, 0.005)

    def tell(self):
        """The registry's news, which may be old in a moment."""
        for server in self.servers:
            server.told = server.up and not server.draining
        self.binding.replace(
            dataclasses.replace(each.candidate, draining=each.draining) for each in self.servers if each.up
        )

    def deliver(self):
        for connection, link in list(self.links.items()):
            if link.news > self.now:
                continue
            server = link.server
            if link.broken or (not link.ready and not server.up):
                self.bound_broken |= connection == self.bound
                link.news = math.inf
                self.binding.on_broken(connection, self.now)
            elif not server.hung and (server.draining != link.told_draining or not link.ready):
                link.ready = True
                link.told_draining = server.draining
                say = self.binding.on_draining if server.draining else self.binding.on_serving
                say(connection, self.now)

    def act(self):
        for _ in range(100):
            act = self.binding.poll(self.now)
            if act is None:
                assert self.binding.next_time > self.now, "it wants to be polled without end"
                return
            getattr(self, act.kind.name.lower())(act)
        raise AssertionError("it does not come to rest")

    def connect(self, act):
        (server,) = (each for each in self.servers if each.candidate.net_id == act.candidate.net_id)
        assert all(link.server is not server for link in self.links.values()), "two connections to one"
        self.links[act.connection] = Link(server, self.now + self.dice.uniform(0, 0.02))

    def bind(self, act):
        link = self.links[act.connection]
        assert link.ready, "bound to one that does not work"
        assert not link.told_draining, "bound to one that drains"
        self.bound = act.connection
        self.bound_broken = False

    def unbind(self, act):
        assert act.connection == self.bound
        assert self.bound_broken, "left a connection that works for nothing"
        self.bound = 0

    def drop(self, act):
        assert act.connection != self.bound, "dropped the one in use"
        del self.links[act.connection]

    def best(self):
        """The greatest inst that takes calls; None when there is none."""
        return max((s.candidate.inst for s in self.servers if s.up and not s.draining), default=None)


class BindingSimTest(unittest.TestCase):
    def test_ends_up_with_the_best_and_never_lets_go_of_what_works(self):
        bound = 0
        for seed in LIVES:
            with self.subTest(seed=seed):
                world = World(seed)
                world.run()
                if world.best() is None:  # then it may keep one that drains, or look for one
                    continue
                bound += 1
                self.assertNotEqual(world.bound, 0)
                self.assertEqual(world.links[world.bound].server.candidate.inst, world.best())
                self.assertEqual(len(world.links), 1, "keeps what it does not need")
        self.assertGreater(bound, len(LIVES) // 2, "too few lives end with an instance to show anything")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        LIVES = [int(sys.argv.pop(1))]
    unittest.main()
