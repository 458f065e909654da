#!/usr/bin/env python3
"""The figures of networks, side by side with Docker in one interleaved run. See README.md.

    bench/serve.sh
    bench/network.py \\
      --engine docker=/opt/peers/bin/docker,unix:///opt/peers/run/docker.sock \\
      --engine ours=target/x86_64-unknown-linux-gnu/release/lighter,unix:///tmp/lighter-bench/sock \\
      [-n RUNS] [--seconds S] [--ports N] [--starts N] all
    bench/serve.sh stop

Rows (`all`, or some of them):
    run          what the default network adds to `run --rm`, against `--network none`
    verbs        network create + rm; connect + disconnect of a running container: by the API, and by the engine's own command
    throughput   iperf3 to 127.0.0.1's published port, to the container's address, from container to container (Gbit/s)
    connections  new connections a second through a published port: wrk, each request a connection
    memory       what N published ports take: PSS of the daemon, and of docker-proxy processes
    dns          names resolved a second by 10 containers on one network; times of one asker while containers start

Medians of interleaved runs, and ratios to the first engine. Needs wrk, iperf3 and cc of Debian's packages. All traffic stays on
127.0.0.1 and on addresses of containers here.
"""
import argparse, json, os, re, statistics, subprocess, sys, tarfile, tempfile, threading, time

from chaos import Http
from compare import GROUP, Engine, pss, row

IMAGE = "netbench:1"
HERE = os.path.dirname(os.path.abspath(__file__))


def image_tar():
    """busybox, netbench, iperf3 with its libraries."""
    path = tempfile.mkdtemp(prefix="lighter-netbench-")
    subprocess.check_call(["cc", "-O2", "-static", "-o", path + "/netbench", HERE + "/netbench.c"])
    iperf = subprocess.run(["sh", "-c", "command -v iperf3"], capture_output=True, text=True, check=True).stdout.strip()
    libraries = re.findall(r"(/\S+)", subprocess.run(["ldd", iperf], capture_output=True, text=True).stdout)
    tar = path + "/image.tar"
    with tarfile.open("/var/cache/lighter-tests/busybox.tar") as base, tarfile.open(tar, "w") as out:
        for member in base:
            out.addfile(member, base.extractfile(member) if member.isreg() else None)
        for source, place in [(path + "/netbench", "bin/netbench"), (iperf, "usr/bin/iperf3"), *((l, l[1:]) for l in libraries)]:
            info = out.gettarinfo(os.path.realpath(source), place)
            info.uid = info.gid = 0
            with open(source, "rb") as f:
                out.addfile(info, f)
    return tar


class Bench:
    def __init__(self, engines, options):
        self.engines, self.options, self.number = engines, options, 0
        self.tar = image_tar()
        for e in engines:
            e.remove = lambda *names, e=e: e.run("rm", "-f", *names, check=False)
            e.socket = e.host.partition("://")[2]
            e.run("rmi", "-f", IMAGE, check=False)
            e.run("import", "-c", 'CMD ["/bin/sh"]', self.tar, IMAGE)

    def close(self):
        for e in self.engines:
            e.run("rmi", "-f", IMAGE, check=False)

    def api(self, e, method, path, body=None):
        connection = Http(e.socket, 120)
        connection.request(method, "/v1.44" + path, None if body is None else json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        if answer.status >= 400:
            sys.exit(f"{e.name}: {method} {path}: {answer.status} {data[:300]!r}")
        return data

    def start(self, e, name, *words, flags=()):
        e.run("run", "-d", "--stop-timeout", "0", "--name", name, *flags, IMAGE, *words)

    def address(self, e, name, network="bridge"):
        text = e.run("inspect", "-f", f'{{{{(index .NetworkSettings.Networks "{network}").IPAddress}}}}', name, out=subprocess.PIPE)
        return text.strip()

    def more(self, title, unit, values, better="more"):
        """Medians of what was measured otherwise than by time, and ratios to the first engine."""
        cells, base = [], None
        for e in self.engines:
            v = statistics.median(values[e.name])
            text = f"{e.name} {v:.4g} {unit} [{min(values[e.name]):.4g}-{max(values[e.name]):.4g}]"
            if base is not None and v and base:
                text += f" = {v / base:.2f} ×" if better == "more" else f" = 1/{base / v:.1f}"
            base = v if base is None else base
            cells.append(text)
        print(f"{title:44} | " + " | ".join(cells), flush=True)

    # ---- the rows

    def run(self):
        walls = {e.name: ([], []) for e in self.engines}
        for round in range(self.options.n + 2):
            for e in self.engines:
                for which, flags in enumerate(([], ["--network", "none"])):
                    begin = time.perf_counter()
                    e.run("run", "--rm", *flags, IMAGE, "true")
                    if round > 1:
                        walls[e.name][which].append((time.perf_counter() - begin) * 1e3)
        self.more("run --rm true, default network", "ms", {n: w[0] for n, w in walls.items()}, "less")
        self.more("run --rm true, --network none", "ms", {n: w[1] for n, w in walls.items()}, "less")
        added = {n: [a - b for a, b in zip(*w)] for n, w in walls.items()}
        self.more("the default network adds", "ms", added, "less")

    def verbs(self):
        for e in self.engines:
            self.start(e, "nb-verbs", "sleep", "100000")
            e.run("network", "create", "nb-other")
        create = lambda e: (self.api(e, "POST", "/networks/create", {"Name": "nb-new"}), self.api(e, "DELETE", "/networks/nb-new"))
        body = {"Container": "nb-verbs"}
        connect = lambda e: (self.api(e, "POST", "/networks/nb-other/connect", body), self.api(e, "POST", "/networks/nb-other/disconnect", body))
        row("network create + rm (API)", self.engines, "both", self.options.n, create)
        row("connect + disconnect, running (API)", self.engines, "both", self.options.n, connect)
        row("network create + rm (command)", self.engines, "both", self.options.n,
            lambda e: (e.run("network", "create", "nb-new"), e.run("network", "rm", "nb-new")))
        row("connect + disconnect, running (command)", self.engines, "both", self.options.n,
            lambda e: (e.run("network", "connect", "nb-other", "nb-verbs"), e.run("network", "disconnect", "nb-other", "nb-verbs")))
        for e in self.engines:
            e.remove("nb-verbs")
            e.run("network", "rm", "nb-other")

    def gbit(self, command):
        done = subprocess.run(command, capture_output=True, text=True)
        try:
            return json.loads(done.stdout)["end"]["sum_received"]["bits_per_second"] / 1e9
        except (ValueError, KeyError):
            sys.exit(f"{' '.join(command)}: {done.stdout[-500:]}{done.stderr}")

    def throughput(self):
        ways = ("127.0.0.1's published port", "host to container's address", "container to container")
        values = {way: {e.name: [] for e in self.engines} for way in ways}
        client = ["iperf3", "-J", "-t", str(self.options.seconds)]
        for _ in range(self.options.n_long):
            for e in self.engines:
                port = 25201
                self.start(e, "nb-server", "iperf3", "-s", flags=["-p", f"127.0.0.1:{port}:5201"])
                self.start(e, "nb-client", "sleep", "100000")
                time.sleep(1)
                ip = self.address(e, "nb-server")
                values[ways[0]][e.name].append(self.gbit([*client, "-c", "127.0.0.1", "-p", str(port)]))
                values[ways[1]][e.name].append(self.gbit([*client, "-c", ip]))
                env = dict(e.env)
                done = subprocess.run([e.program, "exec", "nb-client", *client, "-c", ip], env=env, capture_output=True, text=True)
                values[ways[2]][e.name].append(json.loads(done.stdout)["end"]["sum_received"]["bits_per_second"] / 1e9)
                e.remove("nb-server", "nb-client")
        for way in ways:
            self.more("iperf3: " + way, "Gbit/s", values[way])

    def connections(self):
        values, failed = {e.name: [] for e in self.engines}, {e.name: 0 for e in self.engines}
        for _ in range(self.options.n_long):
            for e in self.engines:
                self.start(e, "nb-http", "netbench", "http", "80", flags=["-p", "127.0.0.1:25280:80"])
                time.sleep(1)
                done = subprocess.run(["wrk", "-t", "1", "-c", "16", "-d", f"{self.options.seconds}s", "-H", "Connection: close",
                                       "http://127.0.0.1:25280/"], capture_output=True, text=True)
                found = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
                if not found:
                    sys.exit(f"{e.name}: {done.stdout}{done.stderr}")
                errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", done.stdout)
                failed[e.name] += sum(map(int, errors.groups())) if errors else 0
                values[e.name].append(float(found[1]))
                e.remove("nb-http")
        self.more("new connections through a published port", "a second", values)
        if any(failed.values()):
            print("  failed:", failed)

    def memory(self):
        count, first = self.options.ports, 21000
        for e in self.engines:
            daemon, proxies = PROCESSES.get(e.name, PROCESSES["ours"])
            self.start(e, "nb-warm", "sleep", "100000", flags=["-p", f"127.0.0.1:{first}:80"])
            e.remove("nb-warm")
            time.sleep(3)
            before, proxies_before = pss(daemon), pss(proxies)
            begin = time.perf_counter()
            self.start(e, "nb-ports", "sleep", "100000", flags=["-p", f"{first}-{first + count - 1}:{first}-{first + count - 1}"])
            took = time.perf_counter() - begin
            time.sleep(3)
            after, proxies_after = pss(daemon), pss(proxies)
            begin = time.perf_counter()
            e.remove("nb-ports")
            gone = time.perf_counter() - begin
            time.sleep(3)
            print(f"{e.name}: {count} published ports: daemon {after[0] - before[0]:+} KiB (from {before[0]}), proxies {proxies_after[0] - proxies_before[0]:+} KiB in "
                  f"{proxies_after[1] - proxies_before[1]}; up in {took:.2f} s, removed in {gone:.2f} s; then {pss(daemon)[0] - before[0]:+} KiB", flush=True)

    def dns(self):
        names, rates, middles, tails = [f"nb-d{n}" for n in range(10)], *({e.name: [] for e in self.engines} for _ in range(3))
        calm, busy, worst = ({e.name: [] for e in self.engines} for _ in range(3))
        for _ in range(self.options.n_long):
            for e in self.engines:
                e.run("network", "create", "nb-dns")
                seconds = self.options.seconds
                for name in names:
                    self.start(e, name, "sleep", "100000", flags=["--network", "nb-dns"])
                results = self.ask_all(e, names, seconds)
                rates[e.name].append(sum(r[0] for r in results) / seconds)
                if sum(r[1] for r in results):
                    print(f"  {e.name}: {sum(r[1] for r in results)} questions failed")
                middles[e.name].append(statistics.median(r[2] for r in results))
                tails[e.name].append(max(r[3] for r in results))
                # one asker, at rest and while containers start
                calm[e.name].append(self.ask(e, names[0], seconds, 1000, names)[3])
                started = [f"nb-s{n}" for n in range(self.options.starts)]
                flags = ["--network", "nb-dns"]
                begin = threading.Thread(target=lambda: e.many(10, [["run", "-d", "--stop-timeout", "0", "--name", name, *flags, IMAGE, "sleep", "100000"] for name in started]))
                begin.start()
                during = []
                while begin.is_alive():
                    during.append(self.ask(e, names[0], 1, 1000, names))
                begin.join()
                busy[e.name].append(max(r[3] for r in during))
                worst[e.name].append(max(r[5] for r in during))
                e.remove(*started, *names)
                e.run("network", "rm", "nb-dns")
        self.more("names a second, 10 containers", "a second", rates)
        self.more("  a question then, median", "µs", middles, "less")
        self.more("  a question then, p99", "µs", tails, "less")
        self.more("one asker at rest, p99", "µs", calm, "less")
        self.more(f"one asker while {self.options.starts} start, p99", "µs", busy, "less")
        self.more("  the worst", "µs", worst, "less")

    def ask(self, e, name, seconds, pause, names):
        text = e.run("exec", name, "netbench", "ask", str(seconds), str(pause), *names, out=subprocess.PIPE)
        return [float(word) for word in text.split()]

    def ask_all(self, e, names, seconds):
        results = []
        threads = [threading.Thread(target=lambda name=name: results.append(self.ask(e, name, seconds, 0, names))) for name in names]
        [t.start() for t in threads]
        [t.join() for t in threads]
        return results

    def all(self):
        self.run(), self.verbs(), self.throughput(), self.connections(), self.dns(), self.memory()


PROCESSES = {
    "docker": (r"^[^ ]*(dockerd|containerd) ", r"docker-proxy"),
    "ours": (r"lighterd .*lighter-bench", r"nothing of that kind"),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", action="append", required=True, help="NAME=PROGRAM,HOST")
    parser.add_argument("-n", type=int, default=15, help="runs of what takes milliseconds")
    parser.add_argument("--n-long", type=int, default=3, help="runs of what takes seconds")
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--ports", type=int, default=1000)
    parser.add_argument("--starts", type=int, default=100)
    parser.add_argument("what", nargs="+", choices=["all", "run", "verbs", "throughput", "connections", "memory", "dns"])
    options = parser.parse_args()
    try:
        with open(GROUP + "/cgroup.procs", "w") as f:
            f.write(str(os.getpid()))
    except OSError:
        pass
    print(time.strftime("%Y-%m-%d %H:%M"), "load", os.getloadavg()[0], flush=True)
    bench = Bench([Engine(t) for t in options.engine], options)
    try:
        for name in options.what:
            getattr(bench, name)()
    finally:
        bench.close()


main()
