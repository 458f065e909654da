#!/usr/bin/env python3
"""Networks under churn, the daemon killed every few seconds. See README.md.

    bench/network_churn.py --networks 200 --containers 500 --seconds 300

Every container is on three networks of its own choice; users connect, disconnect, restart, stop and start them all the time and
know what ought to be. Meanwhile names are asked for at 127.0.0.11 in the containers' namespaces, by sockets that live as long as
the container does: whatever is answered must be right, and once the daemon is back everything must be answered within a second.
Afterwards each container must find each other one on its networks by name, and nobody else; bridges, links, rules, addresses and
names must be those of what there is; and when all is removed the machine must be as before.

Ends with 0 when every promise was kept, else with 1 and the list of broken ones.
"""
import argparse, collections, ctypes, json, os, random, re, shutil, socket, struct, subprocess, sys, threading, time

from chaos import CACHE, Daemon, Refused, instance, read

CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)
#: Whom the daemon asks, from within the containers, what it does not know: a server of ours, which knows nothing. The host has
#: the address for so long (of RFC 2544's for benchmarks).
OUTSIDE = f"198.18.{os.getpid() >> 8 & 255}.{os.getpid() & 255}"


def inside(pid, work):
    """Runs `work` in the network namespace of a process, on this thread."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        there = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
        try:
            if LIBC.setns(there, CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
            return work()
        finally:
            os.close(there)
            if LIBC.setns(home, CLONE_NEWNET):
                os._exit(3)
    finally:
        os.close(home)


def question(number, name, kind=1):
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return struct.pack(">6H", number, 0x100, 1, 0, 0, 0) + labels + struct.pack(">BHH", 0, kind, 1)


def answers(data):
    """Code and addresses of an answer; names of PTR records."""
    _, flags, questions, count = struct.unpack(">4H", data[:8])
    at, found = 12, []

    def skip(at):
        while data[at]:
            if data[at] >= 0xc0:
                return at + 2
            at += data[at] + 1
        return at + 1

    for _ in range(questions):
        at = skip(at) + 4
    for _ in range(count):
        at = skip(at)
        kind, _, _, length = struct.unpack(">HHIH", data[at:at + 10])
        at += 10
        if kind == 1:
            found.append(socket.inet_ntoa(data[at:at + 4]))
        elif kind == 12:
            labels, place = [], at
            while data[place] and data[place] < 0xc0:
                labels.append(data[place + 1:place + 1 + data[place]].decode())
                place += data[place] + 1
            found.append(".".join(labels))
        at += length
    return flags & 15, sorted(found)


class Outside(threading.Thread):
    """Says of every name that there is none."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket, self.asked = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), collections.Counter()
        subprocess.run(["ip", "address", "add", OUTSIDE + "/32", "dev", "lo"], check=True)
        self.socket.bind((OUTSIDE, 53))

    def run(self):
        while True:
            data, back = self.socket.recvfrom(2048)
            self.socket.sendto(data[:2] + b"\x81\x83" + data[4:], back)

    def close(self):
        subprocess.run(["ip", "address", "del", OUTSIDE + "/32", "dev", "lo"], check=True)


class Box:
    """A container as its user knows it. `version` is odd while something changes."""

    def __init__(self, name, patience):
        self.patience = patience
        self.name, self.version, self.running, self.pid = name, 0, False, 0
        self.lost = False  # the daemon died before it answered
        self.places = {}  # network → address, "" while it does not run
        self.sure = False
        self.lock = threading.Lock()
        self.socket, self.of = None, None

    def ask(self, name, kind=1, patience=None):
        """By the same socket as long as it runs; `None`: no answer."""
        with self.lock:
            if self.of != self.pid or not self.socket:
                self.forget()
                self.socket = inside(self.pid, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                self.socket.connect(("127.0.0.11", 53))
                self.of = self.pid
            number, end = random.randrange(65536), time.time() + (patience or self.patience)
            while time.time() < end:
                try:
                    self.socket.send(question(number, name, kind))
                    self.socket.settimeout(min(0.25, max(0.01, end - time.time())))
                    while True:
                        data = self.socket.recv(4096)
                        if data[:2] == struct.pack(">H", number):
                            return answers(data)
                except socket.timeout:
                    pass
                except ConnectionRefusedError:
                    time.sleep(0.02)
            return None

    def forget(self):
        if self.socket:
            self.socket.close()
        self.socket = None


class Churn:
    def __init__(self, options):
        self.options, self.broken, self.stop = options, [], threading.Event()
        self.outside = None
        self.directory = options.directory or f"/tmp/lighter-netchurn-{os.getpid()}"
        os.makedirs(self.directory + "/data", exist_ok=True)
        subprocess.check_call(["mount", "-t", "tmpfs", "-o", "size=1g", "netchurn", self.directory + "/data"])
        self.before = self.kernel()
        self.daemon, self.name = Daemon(options.programs, self.directory), instance(self.directory)
        self.random = random.Random(options.seed)
        self.networks = [f"n{n}" for n in range(options.networks)]
        self.boxes = [Box(f"c{n}", options.patience) for n in range(options.containers)]
        self.members = {name: set() for name in self.networks}
        #: Up since when, and how often it was killed.
        self.up, self.kills = 0, 0
        self.counts, self.late, self.backs = collections.Counter(), [], []
        #: From its death to the next answer for a name.
        self.away = []

    def check(self, fine, what):
        if not fine and len(self.broken) < 200:
            self.broken.append(what)
            print("BROKEN:", what, flush=True)
        return fine

    # ---- what the machine has

    def kernel(self):
        """Everything of networks that could be left behind."""
        run = lambda *words: subprocess.run(words, capture_output=True, text=True).stdout
        links = [l.split(": ")[1].split("@")[0] for l in run("ip", "-o", "link").splitlines()]
        rules = run("nft", "list", "tables").splitlines()
        return {"links": sorted(links), "tables": sorted(rules)}

    def own_links(self):
        text = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True).stdout
        return [l for l in text.splitlines() if self.name in l and not l.endswith(":spare")]

    # ---- what users do

    def create(self, number):
        d, box = self.daemon, self.boxes[number]
        chosen = random.Random(number).sample(self.networks, min(self.options.on, len(self.networks)))
        endpoints = {name: {"Aliases": ["all-" + name]} for name in chosen}
        host = {"NetworkMode": chosen[0], "Dns": [OUTSIDE]}
        if number % 10 == 0:
            host["PortBindings"] = {"80/tcp": [{"HostPort": ""}]}
        body = {"Image": "busybox", "Cmd": ["sleep", "100000"], "HostConfig": host, "StopSignal": "SIGKILL",
                "NetworkingConfig": {"EndpointsConfig": endpoints}}
        d.json("POST", f"/containers/create?name={box.name}", body)
        d.ask("POST", f"/containers/{box.name}/start")
        for name in chosen:
            self.members[name].add(box)
        self.look(box)

    def look(self, box):
        """What there is now; an answer of the daemon must be whole."""
        one = self.daemon.json("GET", f"/containers/{box.name}/json")
        state, places = one["State"], one["NetworkSettings"]["Networks"]
        box.running, box.pid = state["Running"], state["Pid"]
        if box.of != box.pid:
            with box.lock:
                box.forget()  # it would keep the namespace alive
        box.places = {name: place["IPAddress"] for name, place in places.items() if name != "none"}
        if box.running:
            without = [name for name, ip in box.places.items() if not ip]
            self.check(not without, f"{box.name} runs and has no address on {without}")
        for name in self.networks:
            (self.members[name].add if name in box.places else self.members[name].discard)(box)
        box.sure = True

    def change(self, box, what, joins=None):
        box.version += 1
        box.sure = False
        if joins:
            self.members[joins].add(box)  # whoever counts them now knows of it
        try:
            what()
        except Refused as e:
            self.counts["refused"] += 1
            self.check("409" in str(e) or "404" in str(e) or "304" in str(e) or box.lost, f"{box.name}: {e}")
        except OSError:
            box.lost = True  # the daemon died: who knows
        while not box.sure and not self.stop.is_set():
            kills = self.kills
            try:
                self.look(box)
                if box.lost:
                    # what it had begun, and did not answer, the next daemon carries out
                    time.sleep(2)
                    self.look(box)
                box.sure = kills == self.kills
                box.lost = not box.sure
            except OSError:
                box.lost = True
                time.sleep(0.05)
        box.version += 1

    def user(self, number):
        rnd, d = random.Random(self.options.seed * 1000 + number), self.daemon
        mine = self.boxes[number::self.options.users]
        for box in mine:
            box.lost = False
        while not self.stop.is_set():
            box = rnd.choice(mine)
            absent = [name for name in rnd.sample(self.networks, min(8, len(self.networks))) if name not in box.places]
            present = [name for name in box.places]
            verbs = ["connect", "connect", "disconnect", "disconnect", "restart", "stop", "kill"] if box.running else ["start", "connect"]
            verb = rnd.choice(verbs)
            if verb == "connect" and absent and len(present) < 6:
                network = absent[0]
                body = {"Container": box.name, "EndpointConfig": {"Aliases": ["all-" + network]}}
                self.change(box, lambda: d.ask("POST", f"/networks/{network}/connect", body), joins=network)
            elif verb == "disconnect" and len(present) > 1:
                network = rnd.choice(present)
                self.change(box, lambda: d.ask("POST", f"/networks/{network}/disconnect", {"Container": box.name}))
            elif verb == "start":
                self.change(box, lambda: d.ask("POST", f"/containers/{box.name}/start"))
            elif verb in ("restart", "stop"):
                self.change(box, lambda: d.ask("POST", f"/containers/{box.name}/{verb}?t=1"))
            elif verb == "kill":
                self.change(box, lambda: (d.ask("POST", f"/containers/{box.name}/kill"), d.ask("POST", f"/containers/{box.name}/wait")))
            else:
                continue
            self.counts[verb] += 1

    # ---- what is asked

    def expected(self, asker, target):
        shared = [name for name in asker.places if name in target.places] if target.running else []
        return sorted(target.places[name] for name in shared)

    def asker(self, number):
        rnd = random.Random(self.options.seed * 77 + number)
        while not self.stop.is_set():
            time.sleep(0.002)
            asker, network = rnd.choice(self.boxes), None
            if rnd.random() < 0.8 and asker.places:
                network = rnd.choice(list(asker.places) or [None])
            candidates = list(self.members.get(network) or ()) or self.boxes
            target = rnd.choice(candidates)
            alias = network and rnd.random() < 0.15
            crowd = [asker, *candidates] if alias else [asker, target]
            before = [(box, box.version) for box in crowd]
            if any(version % 2 for _, version in before) or not asker.running:
                continue
            if alias:
                name, wanted = "all-" + network, sorted(box.places[network] for box in candidates if box.running and network in box.places)
            else:
                name, wanted = target.name, self.expected(asker, target)
            kills, up = self.kills, self.up
            try:
                got = asker.ask(name)
            except OSError:
                got = "gone"
            same = all(box.version == version for box, version in before) and (not alias or set(candidates) == set(self.members[network]))
            if got == "gone":
                self.check(not same, f"the namespace of {asker.name} is gone, which runs")
            elif not same:
                self.counts["asked while it changed"] += 1
            elif got is None:
                calm = kills == self.kills and up and time.time() - up > 2 * self.options.patience
                self.check(not calm, f"{asker.name} asked for {name}: no answer within {asker.patience} s")
                self.counts["not answered while the daemon was away"] += 1
            else:
                # who is on no network asks nobody outside either
                codes = [0] if wanted else [3] if asker.places else [2, 3]
                self.check(got in [(code, wanted) for code in codes], f"{asker.name} asked for {name}: {got}, not {codes} {wanted}")
                self.counts["answered"] += 1

    # ---- what happens to us

    def kill_daemon(self):
        self.up = 0
        self.daemon.kill()
        self.kills += 1
        waiting = threading.Thread(target=self.until_answered, args=(time.time(),))
        waiting.start()
        took = self.daemon.start()
        self.backs.append(took)
        waiting.join()
        # names are back when the daemon is
        calm = [box for box in self.boxes if box.running and box.sure and box.version % 2 == 0 and box.of == box.pid]
        if calm:
            begin, box = time.time(), self.random.choice(calm)
            version = box.version
            try:
                got = box.ask(box.name, patience=3 * box.patience)
            except OSError:
                got = "gone"
            if box.version == version:
                self.late.append(time.time() - begin)
                self.check(got not in (None, "gone") and time.time() - begin < box.patience, f"back, but {box.name} was answered {got} after {time.time() - begin:.2f} s")
        self.up = time.time()

    def until_answered(self, died):
        calm = [box for box in self.boxes if box.running and box.sure and box.version % 2 == 0 and box.of == box.pid]
        if calm:
            box = self.random.choice(calm)
            version = box.version
            try:
                got = box.ask(box.name, patience=30)
            except OSError:
                got = None
            if got and box.version == version:
                self.away.append(time.time() - died)

    # ---- the whole

    def run(self):
        d, options = self.daemon, self.options
        self.outside = Outside()
        self.outside.start()
        d.start()
        with open(CACHE + "/busybox.tar", "rb") as f:
            subprocess.run([options.programs + "/lighter", "import", "-", "busybox:latest"], stdin=f, check=True,
                           stdout=subprocess.DEVNULL, env=dict(os.environ, DOCKER_HOST="unix://" + d.socket))
        begin = time.time()
        for name in self.networks:
            d.json("POST", "/networks/create", {"Name": name})
        print(f"{len(self.networks)} networks in {time.time() - begin:.1f} s", flush=True)
        begin = time.time()
        for number in range(options.containers):
            self.create(number)
        print(f"{options.containers} containers in {time.time() - begin:.1f} s", flush=True)
        self.up = time.time()
        self.everybody_finds_each_other("at the beginning")
        workers = [threading.Thread(target=self.user, args=(n,)) for n in range(options.users)]
        workers += [threading.Thread(target=self.asker, args=(n,)) for n in range(2)]
        [w.start() for w in workers]
        end = time.time() + options.seconds
        while time.time() < end and len(self.broken) < 100:
            time.sleep(self.random.uniform(*options.every))
            self.kill_daemon()
        self.stop.set()
        [w.join(60) for w in workers]
        self.verdict()

    def everybody_finds_each_other(self, when):
        begin, asked = time.time(), 0
        for asker in [box for box in self.boxes if box.running]:
            others = {box.name: box for name in asker.places for box in self.members[name]}
            strangers = self.random.sample(self.boxes, min(3, len(self.boxes)))
            for target in [*others.values(), *strangers]:
                wanted = self.expected(asker, target)
                got = asker.ask(target.name)
                self.check(got == (0 if wanted else 3, wanted), f"{when}: {asker.name} asked for {target.name}: {got}, not {wanted}")
                asked += 1
            for network, ip in list(asker.places.items())[:1]:
                reverse = ".".join(reversed(ip.split("."))) + ".in-addr.arpa"
                got = asker.ask(reverse, 12)
                self.check(got == (0, [f"{asker.name}.{network}"]), f"{when}: PTR of {ip}: {got}")
        print(f"{when}: {asked} names asked for in {time.time() - begin:.1f} s", flush=True)

    def verdict(self):
        d = self.daemon
        self.check(not d.hangs, f"{len(d.hangs)} calls hung: {d.hangs[:5]}")
        print("did:", ", ".join(f"{n} × {what}" for what, n in sorted(self.counts.items())), f"; {d.calls} calls, {self.kills} kills")
        measured = (("the daemon was back after", self.backs), ("its names then after", self.late), ("names were answered, since its death, after", self.away))
        for what, times in measured:
            if times:
                print(f"{what} {sorted(times)[len(times) // 2]:.2f} s, at most {max(times):.2f} s")
        for box in self.boxes:
            try:
                self.look(box)
            except (OSError, Refused) as e:
                self.check(False, f"{box.name}: {e}")
        self.everybody_finds_each_other("afterwards")
        self.agrees_with_the_kernel()
        self.addresses_are_free()
        self.remove_all()

    def agrees_with_the_kernel(self):
        d = self.daemon
        deadline, links = time.time() + 20, []
        running = [box for box in self.boxes if box.running]
        wanted = 1 + len(self.networks) + sum(len(box.places) for box in running)
        while time.time() < deadline and len(links) != wanted:
            links = self.own_links()
            time.sleep(0.3)
        self.check(len(links) == wanted, f"{len(links)} links are there, {wanted} should be")
        for box in running:
            names = inside(box.pid, lambda: [name for _, name in socket.if_nameindex()])
            self.check(len(names) == 1 + len(box.places), f"{box.name} has {names} on {list(box.places)}")
            route = inside(box.pid, lambda: [l.split()[1] for l in read("/proc/thread-self/net/route").splitlines()[1:]])
            self.check(route.count("00000000") == (1 if box.places else 0), f"{box.name} has {route.count('00000000')} default routes on {list(box.places)}")
        for network in self.networks:
            shown = d.json("GET", f"/networks/{network}")["Containers"]
            shown = {one["Name"]: one["IPv4Address"].partition("/")[0] for one in shown.values()}
            real = {box.name: box.places[network] for box in running if network in box.places}
            self.check(shown == real, f"network {network} shows {shown}, not {real}")
            self.check(len(set(real.values())) == len(real), f"network {network}: an address twice: {real}")
        def sets_of(family):
            table = subprocess.run(["nft", "-j", "list", "table", family, "lighter_" + self.name], capture_output=True, text=True).stdout
            return {one[kind]["name"]: one[kind].get("elem", []) for one in json.loads(table)["nftables"] for kind in one if kind in ("set", "map")}
        sets = sets_of("inet")
        published = [one for box in running for one in (d.json("GET", f"/containers/{box.name}/json")["NetworkSettings"]["Ports"] or {}).get("80/tcp") or [] if ":" not in one["HostIp"]]
        for name, count in (("bridges", 1 + len(self.networks)), ("icc", 1 + len(self.networks)), ("all_ports4", len(published))):
            self.check(len(sets[name]) == count, f"{len(sets[name])} elements in {name}, not {count}")
        # who may claim what; the port of one that has ended is forgotten a moment later
        places, deadline = sum(len(box.places) for box in running), time.time() + 10
        while len((sets := sets_of("bridge"))["ports"]) != places and time.time() < deadline:
            time.sleep(0.2)
        for name in ("ports", "macs"):
            self.check(len(sets[name]) == places, f"{len(sets[name])} elements in {name}, not {places}")

    def addresses_are_free(self):
        """A small network, emptied and filled: nobody has kept an address of it."""
        d = self.daemon
        d.json("POST", "/networks/create", {"Name": "small", "IPAM": {"Config": [{"Subnet": "10.231.77.0/28"}]}})
        some = [box for box in self.boxes if box.running][:13]
        for _ in range(3):
            for box in some:
                d.ask("POST", "/networks/small/connect", {"Container": box.name})
            for box in some:
                d.ask("POST", "/networks/small/disconnect", {"Container": box.name})
        d.ask("DELETE", "/networks/small")

    def remove_all(self):
        d = self.daemon
        begin = time.time()
        for box in self.boxes:
            box.forget()
            d.ask("DELETE", f"/containers/{box.name}?force=1")
        for name in self.networks:
            d.ask("DELETE", f"/networks/{name}")
        print(f"all removed in {time.time() - begin:.1f} s", flush=True)
        deadline, links = time.time() + 20, ["?", "?"]
        while time.time() < deadline and len(links) > 1:
            links = self.own_links()
            time.sleep(0.2)
        self.check(len(links) == 1, f"links are left: {links[:3]}")

    def close(self):
        self.stop.set()
        if self.outside:
            self.outside.close()
        process = self.daemon.process
        if process and process.poll() is None:
            for one in self.daemon.json("GET", "/containers/json?all=1"):
                self.daemon.ask("DELETE", f"/containers/{one['Id']}?force=1")
            for one in self.daemon.json("GET", "/networks"):
                if one["Name"] in self.networks + ["small"]:
                    self.daemon.ask("DELETE", f"/networks/{one['Id']}")
            process.terminate()
            process.wait()
        time.sleep(0.5)
        mine = lambda what: [one for one in self.kernel()[what] if one not in self.before[what] and self.name in one]
        self.check(not mine("links") and not mine("tables"), f"left behind: {mine('links')} {mine('tables')}")
        errors = [l for l in read(self.directory + "/log").splitlines() if "level=error" in l or "panicked" in l]
        self.check(not errors, f"{len(errors)} errors in the daemon's log, such as {errors[:2]}")
        subprocess.call(["umount", "-l", self.directory + "/data"])
        if not self.broken:
            shutil.rmtree(self.directory, ignore_errors=True)


def main():
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--networks", type=int, default=200)
    p.add_argument("--containers", type=int, default=500)
    p.add_argument("--on", type=int, default=3, help="networks that a container is on")
    p.add_argument("--seconds", type=float, default=300)
    p.add_argument("--every", type=float, nargs=2, default=(2, 5), help="between a daemon's start and its death, from and to")
    p.add_argument("--users", type=int, default=4)
    p.add_argument("--patience", type=float, default=1, help="seconds within which a daemon that is there must answer for a name")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--programs", default=here + "/target/x86_64-unknown-linux-gnu/release")
    p.add_argument("--directory", help="for the daemon's roots; kept if a promise was broken")
    options = p.parse_args()
    churn = Churn(options)
    try:
        churn.run()
    finally:
        churn.close()
    print("kept every promise" if not churn.broken else f"{len(churn.broken)} promises broken: see {churn.directory}/log")
    sys.exit(bool(churn.broken))


main()
