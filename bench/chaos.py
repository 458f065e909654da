#!/usr/bin/env python3
"""Chaos, and a soak. See README.md.

    bench/chaos.py --seconds 600 --containers 300       everything fails now and then; afterwards all must agree
    bench/chaos.py --soak --seconds 600                 execs, starts and attaches without end; nothing may grow

Ends with 0 when every promise was kept, else with 1 and the list of broken ones.
"""
import argparse, http.client, json, multiprocessing, os, random, re, resource, shutil, signal, socket, subprocess, sys, threading, time

CACHE = os.environ.get("LIGHTER_TEST_CACHE", "/var/cache/lighter-tests")
DISK = 256 << 20


class Http(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Refused(Exception):
    pass


class Daemon:
    def __init__(self, programs, directory):
        self.programs, self.directory, self.process = programs, directory, None
        self.socket = directory + "/sock"
        self.calls, self.hangs = 0, []

    def start(self):
        log = open(self.directory + "/log", "ab")
        command = [self.programs + "/lighter", "daemon", "--data-root", self.directory + "/data", "--exec-root",
                   self.directory + "/run", "-H", "unix://" + self.socket]
        # in a session of its own, as service managers start it
        start = lambda: subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.process = start()
        begin = time.time()
        while time.time() - begin < 60:
            try:
                self.ask("GET", "/_ping", timeout=5)
                return time.time() - begin
            except OSError:
                if self.process.poll() is not None:
                    # no disk, no descriptors: it says so and ends; a service manager would try again
                    self.process = start()
                    time.sleep(0.2)
                time.sleep(0.02)
        sys.exit("the daemon does not start: see " + self.directory + "/log")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def ask(self, method, path, body=None, timeout=90):
        """The answer's body. OSError: nobody answers; Refused: an error answer."""
        self.calls += 1
        text = None if body is None else json.dumps(body)
        begin, connection = time.time(), Http(self.socket, timeout)
        try:
            connection.request(method, "/v1.44" + path, text, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            data = answer.read()
        except socket.timeout:
            self.hangs.append(f"{method} {path} not answered within {timeout} s")
            raise
        except http.client.HTTPException as e:
            raise OSError(str(e))
        finally:
            connection.close()
        if answer.status >= 400:
            raise Refused(f"{answer.status} {data[:300]!r} after {time.time() - begin:.1f} s")
        return data

    def json(self, method, path, body=None):
        return json.loads(self.ask(method, path, body))

    def create(self, name, script, **host):
        config = host.pop("config", {})
        body = dict({"Image": "busybox", "Cmd": ["sh", "-c", script]}, HostConfig=dict({"NetworkMode": "none"}, **host), **config)
        return self.json("POST", "/containers/create" + (f"?name={name}" if name else ""), body)["Id"]

    def execute(self, container, command):
        wish = {"Cmd": command, "AttachStdout": True, "AttachStderr": True}
        id = self.json("POST", f"/containers/{container}/exec", wish)["Id"]
        output = self.ask("POST", f"/exec/{id}/start", {"Detach": False})
        return self.json("GET", f"/exec/{id}/json")["ExitCode"], output


def read(path):
    try:
        with open(path) as f:
            return f.read()
    except OSError:
        return ""


def shims(daemon):
    """Container id → shim's process id, by the listening sockets' owners: the parents of first processes."""
    found = {}
    for one in daemon.json("GET", "/containers/json"):
        try:
            pid = daemon.json("GET", f"/containers/{one['Id']}/json")["State"]["Pid"]
        except Refused:
            continue
        stat = read(f"/proc/{pid}/stat").rpartition(")")[2].split()
        if len(stat) > 1:
            found[one["Id"]] = int(stat[1])
    return found


def cgroups(daemon_name):
    roots = ["/sys/fs/cgroup"] + ["/sys/fs/cgroup/" + n for n in os.listdir("/sys/fs/cgroup")]
    found = set()
    for root in roots:
        parent = f"{root}/lighter-{daemon_name}"
        if os.path.isdir(parent):
            found |= {n for n in os.listdir(parent) if re.fullmatch("[0-9a-f]{64}", n)}
    return found


def instance(directory):
    h = 0xcbf29ce484222325
    for byte in (directory + "/data").encode():
        h = ((h ^ byte) * 0x100000001b3) % (1 << 64)
    return f"{(h ^ (h >> 32)) & 0xffffffff:08x}"


class Chaos:
    def __init__(self, options):
        self.options, self.broken, self.stop = options, [], threading.Event()
        self.directory = options.directory or f"/tmp/lighter-chaos-{os.getpid()}"
        os.makedirs(self.directory + "/data", exist_ok=True)
        subprocess.check_call(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "chaos", self.directory + "/data"])
        self.daemon = Daemon(options.programs, self.directory)
        self.tickers, self.up = [], multiprocessing.Event()
        self.counts = {}
        self.random = random.Random(options.seed)

    def check(self, fine, what):
        if not fine:
            self.broken.append(what)
            print("BROKEN:", what, flush=True)

    def count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    # ---- what users do

    def user(self, number):
        rnd, d = random.Random(self.options.seed * 1000 + number), self.daemon
        while not self.stop.is_set():
            try:
                verb = rnd.choice(["run", "run", "exec", "exec", "exec", "stop", "kill", "replace", "logs"])
                if verb == "run":
                    id = d.create(None, "echo hello; exit 3", AutoRemove=True)
                    d.ask("POST", f"/containers/{id}/start")
                elif verb == "replace":
                    name = f"load-{number}"
                    try:
                        d.ask("DELETE", f"/containers/{name}?force=1")
                    except Refused:
                        pass
                    d.ask("POST", f"/containers/{d.create(name, 'sleep 1000')}/start")
                else:
                    one = f"c{rnd.randrange(self.options.containers)}"
                    if verb == "exec":
                        d.execute(one, ["echo", "x"])
                    elif verb == "logs":
                        d.ask("GET", f"/containers/{one}/logs?stdout=1&tail=10")
                    elif verb == "stop":
                        d.ask("POST", f"/containers/{one}/stop?t=1")
                        d.ask("POST", f"/containers/{one}/start")
                    else:
                        d.ask("POST", f"/containers/{one}/kill")
                self.count(verb)
            except Refused as e:
                self.count("refused")
            except OSError:
                time.sleep(0.05)

    def watch(self, over, answers):
        """Times `ps` and `inspect`, in a process and session of its own: beside the users' threads it would time their
        interpreter's lock, and their share of the processors."""
        users = os.getppid()
        os.setsid()
        times = {"ps": [], "inspect": []}
        calls = (("ps", "/containers/json"), ("inspect", f"/containers/{self.tickers[0]}/json"))
        while not over.wait(0.03) and os.getppid() == users:
            if not self.up.is_set():
                continue
            try:
                for what, path in calls:
                    begin = time.perf_counter()
                    self.daemon.ask("GET", path, timeout=20)
                    times[what].append((time.perf_counter() - begin) * 1e3)
            except (OSError, Refused):
                pass
        answers.send((times, self.daemon.hangs))

    # ---- what happens to us

    def kill_daemon(self):
        self.up.clear()
        self.daemon.kill()
        self.count("daemon killed")
        took = self.daemon.start()
        self.up.set()
        self.check(took < 15, f"a restart took {took:.1f} s")

    def hurt_shims(self):
        found = shims(self.daemon)
        victims = [pid for id, pid in found.items() if id not in self.tickers]
        for pid in self.random.sample(victims, min(len(victims), 2)):
            try:
                if self.random.random() < 0.7:
                    os.kill(pid, signal.SIGKILL)
                    self.count("shim killed")
                else:
                    os.kill(pid, signal.SIGSTOP)
                    self.count("shim stopped")
                    threading.Timer(3, lambda pid=pid: os.path.exists(f"/proc/{pid}") and os.kill(pid, signal.SIGCONT)).start()
            except OSError:
                pass

    def fill_disk(self):
        path = self.directory + "/data/ballast"
        try:
            with open(path, "wb") as f:
                while True:
                    f.write(b"\0" * (1 << 20))
        except OSError:
            pass
        self.count("disk full")
        time.sleep(1.5)
        os.unlink(path)

    def exhaust_descriptors(self):
        pid = self.daemon.process.pid
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        open_now = len(os.listdir(f"/proc/{pid}/fd"))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (open_now + 2, before[1]))
        self.count("descriptors exhausted")
        time.sleep(1.5)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)

    # ---- the whole

    def run(self):
        d, options = self.daemon, self.options
        d.start()
        with open(CACHE + "/busybox.tar", "rb") as f:
            subprocess.run([options.programs + "/lighter", "import", "-", "busybox:latest"], stdin=f, check=True,
                           stdout=subprocess.DEVNULL, env=dict(os.environ, DOCKER_HOST="unix://" + d.socket))
        tick = "i=0; while :; do echo $i; i=$((i+1)); usleep 20000; done"
        for n in range(3):
            id = d.create(f"ticker{n}", tick)
            d.ask("POST", f"/containers/{id}/start")
            self.tickers.append(id)
        policies = [{"Name": "always"}, {"Name": "on-failure"}, {"Name": "unless-stopped"}]
        scripts = ["sleep 1000", "sleep 1.5; exit 1", "trap 'exit 0' TERM; while :; do sleep 1; done"]
        begin = time.time()
        for n in range(options.containers):
            config = {}
            if n % 3 == 0:
                config["Healthcheck"] = {"Test": ["CMD", "true"], "Interval": 2_000_000_000, "Timeout": 1_000_000_000}
            network = "bridge" if n % 5 == 0 else "none"
            id = d.create(f"c{n}", scripts[n % 3], RestartPolicy=policies[n % 3], NetworkMode=network, config=config)
            d.ask("POST", f"/containers/{id}/start")
        print(f"{options.containers} containers in {time.time() - begin:.1f} s", flush=True)
        self.up.set()
        over, (answers, sender) = multiprocessing.Event(), multiprocessing.Pipe(duplex=False)
        watcher = multiprocessing.Process(target=self.watch, args=(over, sender), daemon=True)
        watcher.start()
        threads = [threading.Thread(target=self.user, args=(n,)) for n in range(options.users)]
        [t.start() for t in threads]
        end, next_kill, round = time.time() + options.seconds, time.time() + 2, 0
        while time.time() < end:
            time.sleep(0.5)
            round += 1
            try:
                if time.time() >= next_kill:
                    self.kill_daemon()
                    next_kill = time.time() + self.random.uniform(2, 5)
                if round % 4 == 0:
                    self.hurt_shims()
                if round % 25 == 10:
                    self.fill_disk()
                if round % 25 == 20:
                    self.exhaust_descriptors()
            except (OSError, Refused) as e:
                self.count("chaos disturbed: " + type(e).__name__)
        self.stop.set()
        [t.join() for t in threads]
        over.set()
        times, hangs = answers.recv()
        watcher.join()
        d.hangs += hangs
        self.verdict(times)

    def verdict(self, times):
        d = self.daemon
        self.check(not d.hangs, f"{len(d.hangs)} calls hung: {d.hangs[:5]}")
        deadline = time.time() + 60
        wrong = ["?"]
        while wrong and time.time() < deadline:
            time.sleep(1)
            wrong = self.disagreements()
        self.check(not wrong, f"a minute later still: {wrong[:10]}")
        for id in self.tickers:
            self.whole_log(id)
        for what, of in times.items():
            of.sort()
            if of:
                p = lambda q: of[min(len(of) - 1, int(len(of) * q))]
                print(f"{what}: {len(of)} calls, median {p(.5):.1f} ms, p99 {p(.99):.1f} ms, most {of[-1]:.1f} ms")
                self.check(p(.99) < self.options.p99, f"p99 of {what} is {p(.99):.1f} ms")
        print("did:", ", ".join(f"{n} × {what}" for what, n in sorted(self.counts.items())), f"; {d.calls} calls")
        self.remove_all()

    def disagreements(self):
        """What the daemon says and the kernel does not, or the other way round."""
        d, wrong = self.daemon, []
        running = {}
        for one in d.json("GET", "/containers/json?all=1"):
            if one["State"] == "running":
                try:
                    running[one["Id"]] = d.json("GET", f"/containers/{one['Id']}/json")["State"]["Pid"]
                except Refused:
                    pass
            elif one["State"] not in ("exited", "created", "restarting"):
                wrong.append(f"{one['Names'][0]} is {one['State']}")
        for id, pid in running.items():
            if id not in read(f"/proc/{pid}/cgroup"):
                wrong.append(f"{id[:12]} has no process {pid}")
        groups = cgroups(instance(self.directory))
        wrong += [f"cgroup of {id[:12]}, which does not run" for id in groups - set(running)]
        wrong += [f"{id[:12]} runs without a cgroup" for id in set(running) - groups]
        directories = {n.partition(".")[0] for n in os.listdir(self.directory + "/run/shims")}
        wrong += [f"shim directory of {id[:12]}" for id in directories - set(running)]
        return wrong

    def whole_log(self, id):
        data, text = self.daemon.ask("GET", f"/containers/{id}/logs?stdout=1&stderr=1"), b""
        while len(data) >= 8:
            size = int.from_bytes(data[4:8], "big")
            text, data = text + data[8:8 + size], data[8 + size:]
        expected, holes, owned = 0, 0, 0
        for line in text.decode().splitlines():
            note = re.match(r"lighter: (\d+) log lines were dropped", line)
            if note:
                owned += int(note[1])
                continue
            holes += int(line) - expected
            expected = int(line) + 1
        print(f"ticker {id[:12]}: {expected} lines, {owned} of them not written while the disk was full")
        self.check(expected > 10 and holes == owned, f"the log of {id[:12]} has holes of {holes} lines, {owned} told")

    def remove_all(self):
        d = self.daemon
        for one in d.json("GET", "/containers/json?all=1"):
            try:
                d.ask("DELETE", f"/containers/{one['Id']}?force=1")
            except Refused as e:
                self.check(False, f"cannot remove {one['Names']}: {e}")
        time.sleep(1)
        self.check(len(os.listdir(self.directory + "/run/shims")) == 0, "shim directories are left")
        self.check(not cgroups(instance(self.directory)), "cgroups are left")
        left = os.listdir(self.directory + "/data/containers") + os.listdir(self.directory + "/data/snapshots/roots")
        self.check(not left, f"directories are left: {left[:3]}")
        links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True).stdout
        veths = [l for l in links.splitlines() if "veth" in l and instance(self.directory) in l and not l.endswith(":spare")]
        self.check(not veths, f"links are left: {veths[:2]}")

    def close(self):
        self.stop.set()
        process = self.daemon.process
        if process and process.poll() is None:
            process.terminate()
            process.wait()
        subprocess.call(["umount", "-l", self.directory + "/data"])
        mounts = [l for l in read("/proc/self/mountinfo").splitlines() if self.directory in l]
        self.check(not mounts, f"mounts are left: {mounts[:2]}")
        if not self.broken:
            shutil.rmtree(self.directory, ignore_errors=True)


class Soak(Chaos):
    """Nothing fails here: what grows, leaks."""

    def run(self):
        d, options = self.daemon, self.options
        d.start()
        with open(CACHE + "/busybox.tar", "rb") as f:
            subprocess.run([options.programs + "/lighter", "import", "-", "busybox:latest"], stdin=f, check=True,
                           stdout=subprocess.DEVNULL, env=dict(os.environ, DOCKER_HOST="unix://" + d.socket))
        id = d.create("soak", "while :; do echo line; usleep 100000; done")
        d.ask("POST", f"/containers/{id}/start")
        shim = shims(d)[id]
        threads = [threading.Thread(target=self.work, args=(id, n)) for n in range(options.users)]
        [t.start() for t in threads]
        samples, end = [], time.time() + options.seconds
        while time.time() < end:
            time.sleep(max(1, options.seconds / 12))
            samples.append([self.size(d.process.pid), self.size(shim)])
            print("daemon, shim:", samples[-1], flush=True)
        self.stop.set()
        [t.join() for t in threads]
        time.sleep(6)
        samples.append([self.size(d.process.pid), self.size(shim)])
        print("at rest:", samples[-1])
        third = max(1, len(samples) // 3)
        for who, index in (("daemon", 0), ("shim", 1)):
            early, late = samples[third:2 * third] or samples[:1], samples[-third:]
            for what, slack in (("pss", 1500), ("fds", 12), ("threads", 4)):
                # a burst of work holds more for a moment; what leaks never comes down again
                a, b = max(s[index][what] for s in early), min(s[index][what] for s in late)
                self.check(b <= a * 1.05 + slack, f"{what} of the {who} grew from {a} to {b}")
        print("did:", ", ".join(f"{n} × {what}" for what, n in sorted(self.counts.items())))
        self.check(not d.hangs, f"calls hung: {d.hangs[:3]}")
        self.remove_all()

    def work(self, id, number):
        d = self.daemon
        while not self.stop.is_set():
            code, output = d.execute(id, ["echo", "x"])
            self.check(code == 0 and b"x" in output, f"exec: {code} {output!r}")
            self.count("exec")
            one = d.create(None, "exit 0", AutoRemove=True)
            d.ask("POST", f"/containers/{one}/start")
            self.count("start")
            connection = Http(d.socket, 10)
            connection.request("POST", f"/v1.44/containers/{id}/attach?stream=1&stdout=1")
            answer = connection.getresponse()
            answer.read(8)
            connection.close()
            self.count("attach")

    def size(self, pid):
        pss = sum(int(l.split()[1]) for l in read(f"/proc/{pid}/smaps_rollup").splitlines() if l.startswith("Pss:"))
        return {"pss": pss, "fds": len(os.listdir(f"/proc/{pid}/fd")), "threads": len(os.listdir(f"/proc/{pid}/task"))}


def main():
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seconds", type=float, default=20)
    p.add_argument("--containers", type=int, default=20)
    p.add_argument("--users", type=int, default=4)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--p99", type=float, default=20, help="milliseconds that ps and inspect may take")
    p.add_argument("--programs", default=here + "/target/x86_64-unknown-linux-gnu/release")
    p.add_argument("--directory")
    p.add_argument("--soak", action="store_true")
    options = p.parse_args()
    chaos = (Soak if options.soak else Chaos)(options)
    try:
        chaos.run()
    finally:
        chaos.close()
    print("kept every promise" if not chaos.broken else f"{len(chaos.broken)} promises broken")
    sys.exit(bool(chaos.broken))


if __name__ == "__main__":
    main()
