#!/usr/bin/env python3
"""Times docker-compatible engines side by side. See README.md."""
import argparse, datetime, json, os, re, statistics, subprocess, sys, time

GROUP = "/sys/fs/cgroup/cpuacct/peersbench"


class Engine:
    def __init__(self, text):
        self.name, rest = text.split("=", 1)
        self.program, _, self.host = rest.partition(",")
        self.env = dict(os.environ, DOCKER_HOST=self.host, DOCKER_CONFIG="/nonexistent")

    def run(self, *args, check=True, out=subprocess.DEVNULL):
        done = subprocess.run([self.program, *args], env=self.env, stdin=subprocess.DEVNULL, stdout=out,
                              stderr=subprocess.PIPE)
        if check and done.returncode:
            sys.exit(f"{self.name}: {' '.join(args)}: {done.returncode}: {done.stderr.decode()}")
        return done.stdout.decode() if done.stdout else ""

    def many(self, jobs, lists):
        """Runs the commands, so many at a time."""
        running = []
        for args in lists:
            if len(running) == jobs:
                running.pop(0).wait()
            running.append(subprocess.Popen([self.program, *args], env=self.env, stdin=subprocess.DEVNULL,
                                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        for process in running:
            process.wait()


def cpu():
    try:
        with open(GROUP + "/cpuacct.usage") as f:
            return int(f.read()) / 1e6
    except OSError:
        return None


def idle():
    """CPU that the daemons take in a millisecond while nobody asks them for anything."""
    c0 = cpu()
    if c0 is None:
        return 0
    time.sleep(2)
    return (cpu() - c0) / 2000


def measure(what, rest):
    """Wall and CPU time of it in ms. `rest`: what is taken anyway, see `idle`."""
    c0, t0 = cpu(), time.perf_counter()
    what()
    wall = (time.perf_counter() - t0) * 1e3
    if c0 is None:
        return wall, None
    time.sleep(0.25)  # what an engine does after it answered counts too
    return wall, cpu() - c0 - rest * (time.perf_counter() - t0) * 1e3


def row(title, engines, times, n, what, prepare=lambda e: None, after=lambda e: None):
    """Interleaves `n` runs of `what(engine)` over all engines; prints medians and ratios to the first engine."""
    for engine in engines:
        for _ in range(2 if n > 3 else 0):
            prepare(engine), what(engine), after(engine)
    walls, cpus = {e.name: [] for e in engines}, {e.name: [] for e in engines}
    time.sleep(1 if n > 3 else 0)
    rest = idle()
    for _ in range(n):
        for engine in engines:
            prepare(engine)
            wall, used = measure(lambda: what(engine), rest)
            walls[engine.name].append(wall)
            if used is not None:
                cpus[engine.name].append(used)
            after(engine)
    cells, base = [], None
    for engine in engines:
        w = statistics.median(walls[engine.name])
        c = statistics.median(cpus[engine.name]) if cpus[engine.name] else None
        text = f"{engine.name} {w:.1f} ms [{min(walls[engine.name]):.1f}-{max(walls[engine.name]):.1f}]"
        if c is not None and times != "wall":
            text += f", CPU {c:.1f} ms"
        if base:
            text += f" = 1/{base[0] / w:.1f}"
            if c and base[1] and times != "wall":
                text += f", CPU 1/{base[1] / c:.1f}"
        else:
            base = (w, c)
        cells.append(text)
    print(f"{title:34} | " + " | ".join(cells), flush=True)


def pss(pattern):
    """Sum in KiB and number of the processes whose command line matches."""
    total = count = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                line = f.read().replace(b"\0", b" ").decode(errors="replace")
            if not re.search(pattern, line) or int(pid) == os.getpid():
                continue
            with open(f"/proc/{pid}/smaps_rollup") as f:
                total += int(re.search(r"^Pss:\s+(\d+)", f.read(), re.M).group(1))
            count += 1
        except (OSError, AttributeError):
            pass
    return total, count


class Bench:
    def __init__(self, engines, image, n, containers):
        self.engines, self.image, self.n, self.containers = engines, image, n, containers

    def images(self):
        for e in self.engines:
            if not e.run("images", "-q", self.image, out=subprocess.PIPE).strip():
                e.run("import", "-c", 'CMD ["/bin/sh"]', "/var/cache/lighter-tests/busybox.tar", self.image)

    def run(self):
        row("run --rm true, default network", self.engines, "both", self.n, lambda e: e.run("run", "--rm", self.image, "true"))
        row("run --rm true, --network none", self.engines, "both", self.n,
            lambda e: e.run("run", "--rm", "--network", "none", self.image, "true"))

    def detached(self):
        row("run -d", self.engines, "both", self.n,
            lambda e: e.run("run", "-d", "--name", "bench", "--stop-timeout", "0", self.image, "sleep", "1000"),
            after=lambda e: e.run("rm", "-f", "bench"))
        for e in self.engines:
            e.run("run", "-d", "--name", "bench", self.image, "sleep", "1000")
        row("exec true", self.engines, "both", self.n, lambda e: e.run("exec", "bench", "true"))
        for e in self.engines:
            e.run("rm", "-f", "bench")

    def ps(self):
        for e in self.engines:
            e.many(8, [["run", "-d", "--name", f"ps{i}", self.image, "sleep", "100000"] for i in range(100)])
        row("ps with 100 containers", self.engines, "both", max(self.n, 10), lambda e: e.run("ps"))
        for e in self.engines:
            e.run("rm", "-f", *[f"ps{i}" for i in range(100)])

    def scale(self, count=100):
        start = lambda i: ["run", "-d", "--stop-timeout", "0", "--name", f"s{i}", self.image, "sleep", "100000"]
        names = [f"s{i}" for i in range(count)]
        remove = lambda e: e.run("rm", "-f", *names, check=False)
        n = max(1, self.n // 5)
        row(f"{count} starts in a row", self.engines, "both", n, lambda e: [e.run(*start(i)) for i in range(count)], after=remove)
        row(f"{count} starts, ten at a time", self.engines, "both", n, lambda e: e.many(10, map(start, range(count))), after=remove)
        row(f"stop {count} in one command", self.engines, "both", n, lambda e: e.run("stop", *names),
            prepare=lambda e: e.many(10, map(start, range(count))), after=remove)
        row(f"rm {count} in one command", self.engines, "both", n, lambda e: e.run("rm", *names),
            prepare=lambda e: (e.many(10, map(start, range(count))), e.run("stop", *names)))

    def logs(self, lines=1_000_000):
        text = "x" * 99
        make = ["run", "-d", "--name", "log", self.image, "sh", "-c", f"yes {text} | head -n {lines}"]

        def write(e):
            e.run(*make)
            e.run("wait", "log")
        n = max(1, self.n // 5)
        remove = lambda e: e.run("rm", "-f", "log", check=False)
        row(f"{lines} lines written", self.engines, "both", n, write, prepare=remove)
        row("logs reads them back", self.engines, "both", n, lambda e: e.run("logs", "log"))
        for e in self.engines:
            with subprocess.Popen([e.program, "logs", "log"], env=e.env, stdout=subprocess.PIPE) as p:
                got = sum(chunk.count(b"\n") for chunk in iter(lambda: p.stdout.read(1 << 20), b""))
            print(f"  {e.name}: {got} lines read back")
            remove(e)

    def memory(self, count=200):
        for e in self.engines:
            daemon, shim = MEMORY.get(e.name, MEMORY["ours"])
            before = pss(daemon)
            print(f"{e.name}: daemon {before[0]} KiB in {before[1]} processes")
            e.many(8, [["run", "-d", "--name", f"m{i}", self.image, "sleep", "100000"] for i in range(count)])
            time.sleep(3)
            d, s = pss(daemon), pss(shim)
            print(f"{e.name}: with {count} containers: daemon {d[0]} KiB, shims {s[0]} KiB in {s[1]}; "
                  f"each container {(d[0] - before[0] + s[0]) / count:.0f} KiB")
            e.many(8, [["rm", "-f", f"m{i}"] for i in range(count)])
            time.sleep(3)
            print(f"{e.name}: after their removal: daemon {pss(daemon)[0]} KiB")

    def health(self, seconds=20):
        """CPU of containers, each with a health check every second, above that of the same without."""
        names, base = [f"h{i}" for i in range(self.containers)], None
        check = ["--health-cmd", "true", "--health-interval", "1s", "--health-retries", "3"]

        def used(e, flags):
            e.many(8, [["run", "-d", "--stop-timeout", "0", *flags, "--name", name, self.image, "sleep", "100000"]
                       for name in names])
            time.sleep(5)
            c0, t0 = cpu(), time.perf_counter()
            time.sleep(seconds)
            if c0 is None:
                sys.exit("health: there is no CPU to count without the cpuacct group, see README.md")
            return (cpu() - c0) / (time.perf_counter() - t0)

        # one engine after the other: their containers' CPU is in one group
        for e in self.engines:
            idle = used(e, [])
            e.run("rm", "-f", *names)
            probing = used(e, check)
            well = len(e.run("ps", "-q", "--filter", "health=healthy", out=subprocess.PIPE).split())
            logs = e.run("inspect", "--format", "{{json .State.Health.Log}}", *names, out=subprocess.PIPE).splitlines()
            ends = [[outcome["End"] for outcome in json.loads(log)] for log in logs]
            moment = lambda text: datetime.datetime.fromisoformat(re.sub(r"(\.\d{6})\d*|Z$", r"\1", text))
            gaps = [(moment(all[-1]) - moment(all[0])).total_seconds() / (len(all) - 1) for all in ends]
            e.run("rm", "-f", *names)
            cost = probing - idle
            text = (f"{e.name}: {probing:.0f} ms of CPU a second, {idle:.0f} without checks: {cost:.0f} for probes; "
                    f"{well} healthy, a probe every {statistics.median(gaps):.2f} s")
            # a probe that comes late costs nothing meanwhile: compare by the probe
            each = cost * statistics.median(gaps) / self.containers
            print(f"{text}; {each:.2f} ms each" + (f" = 1/{base / each:.1f}" if base else ""), flush=True)
            base = base or each

    def all(self):
        self.images(), self.run(), self.detached(), self.ps(), self.scale(), self.logs(), self.memory(), self.health()


MEMORY = {
    "docker": (r"^[^ ]*(dockerd|containerd) ", r"^[^ ]*containerd-shim"),
    "ours": (r"lighterd .*lighter-bench", r"/release/lighter-shim"),
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", action="append", required=True, help="NAME=PROGRAM,HOST")
    parser.add_argument("--image", default="bb:1")
    parser.add_argument("-n", type=int, default=15)
    parser.add_argument("--containers", type=int, default=100, help="of the row health; Docker needs several cores for 100")
    parser.add_argument("what", nargs="+", choices=["all", "images", "run", "detached", "ps", "scale", "logs", "memory", "health"])
    options = parser.parse_args()
    try:
        with open(GROUP + "/cgroup.procs", "w") as f:
            f.write(str(os.getpid()))
    except OSError:
        pass
    bench = Bench([Engine(t) for t in options.engine], options.image, options.n, options.containers)
    for name in options.what:
        getattr(bench, name)()
