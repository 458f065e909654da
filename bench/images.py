#!/usr/bin/env python3
"""Times what users do with images side by side, interleaved; prints medians and ratios to the first engine.

  bench/images.py prepare --engine docker=… IMAGE=REFERENCE…     fills the work directory from an engine that has the images
  bench/images.py run --engine docker=… --engine ours=… [--rounds 5] [ROW…]

An engine is NAME=PROGRAM,HOST[,PID]; with the daemon's pid its peak memory during the pulls is shown, too. Rows: pull, zstd,
load, save, push, rmi, start, cp, commit, diff; all of them without any. The work directory (--work, /dev/shm/lighter-images)
and the daemons' data roots belong on tmpfs. The registries are Debian's docker-registry on loopback, a new and empty one for
each push. Only ratios of one run mean something.
"""
import argparse, contextlib, gzip, hashlib, io, json, os, shutil, socket, statistics, subprocess, tarfile, threading, time
import urllib.error, urllib.request

TAR, GZIP, ZSTD = ("application/vnd.oci.image.layer.v1.tar" + suffix for suffix in ("", "+gzip", "+zstd"))
CONFIG, MANIFEST = (f"application/vnd.oci.image.{what}.v1+json" for what in ("config", "manifest"))


class Engine:
    def __init__(self, text):
        self.name, rest = text.split("=", 1)
        self.program, self.host, self.pid = (rest.split(",") + [None])[:3]

    def run(self, *args, check=True):
        """Seconds it took."""
        env = dict(os.environ, DOCKER_HOST=self.host, DOCKER_CONFIG="/tmp/lighter-bench-config")
        begin = time.monotonic()
        done = subprocess.run([self.program, *args], env=env, capture_output=True, text=True)
        took = time.monotonic() - begin
        if check and done.returncode:
            raise SystemExit(f"{self.name} {' '.join(args)}: {done.stderr}")
        self.out = done.stdout.strip()
        return took

    def memory(self):
        """PSS of the daemon in MB."""
        for line in open(f"/proc/{self.pid}/smaps_rollup"):
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024

    def peak(self, work):
        """MB above what it took before, while `work` runs."""
        before, most, over = self.memory(), 0.0, threading.Event()

        def watch():
            nonlocal most
            while not over.wait(0.02):
                most = max(most, self.memory())

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            work()
        finally:
            over.set()
            thread.join()
        return most - before


@contextlib.contextmanager
def registry(root):
    """An address; `root` is made where it is not there."""
    os.makedirs(root, exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = "127.0.0.1:%d" % probe.getsockname()[1]
    config = f"{root}.yml"
    with open(config, "w") as out:
        out.write(f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {root}}}}}\nhttp: {{addr: '{address}'}}\n")
    with open(f"{root}.log", "w") as log:
        server = subprocess.Popen(["docker-registry", "serve", config], stdout=log, stderr=log)
    try:
        for _ in range(200):
            with contextlib.suppress(OSError):
                socket.create_connection(tuple(address.split(":"))).close()
                break
            time.sleep(0.05)
        yield address
    finally:
        server.terminate()
        server.wait()


def ask(method, url, body=None, **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, data=body, method=method, headers=headers)
    with urllib.request.urlopen(request) as answer:
        return answer.read(), answer.headers


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def put_image(address, name, layers, diff_ids):
    """Uploads an image of layers that are given as (media type, bytes)."""
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Cmd": ["/bin/true"]},
                         "rootfs": {"type": "layers", "diff_ids": diff_ids}}).encode()
    descriptors = []
    for kind, data in [(CONFIG, config), *layers]:
        where = ask("POST", f"http://{address}/v2/{name}/blobs/uploads/", b"")[1]["Location"]
        ask("PUT", f"{where}&digest={digest(data)}", data, Content_Type="application/octet-stream")
        descriptors.append({"mediaType": kind, "digest": digest(data), "size": len(data)})
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": descriptors[0], "layers": descriptors[1:]}
    ask("PUT", f"http://{address}/v2/{name}/manifests/1", json.dumps(manifest).encode(), Content_Type=MANIFEST)


def layers_of(archive):
    """Plain tars of a `docker save`d image."""
    with tarfile.open(archive) as tar:
        names = json.load(tar.extractfile("manifest.json"))[0]["Layers"]
        return [tar.extractfile(name).read() for name in names]


def layered(busybox, count):
    """A docker archive: busybox, and `count` - 1 layers of a few files."""
    layers = [busybox]
    for i in range(count - 1):
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w") as tar:
            for j in range(5):
                entry = tarfile.TarInfo(f"data/l{i}/f{j}")
                entry.size = 1000
                tar.addfile(entry, io.BytesIO(b"%d" % (j % 10) * 1000))
        layers.append(data.getvalue())
    config = {"architecture": "amd64", "os": "linux", "config": {"Cmd": ["/bin/true"]},
              "rootfs": {"type": "layers", "diff_ids": [digest(layer) for layer in layers]}}
    return layers, config


def write_archive(path, tag, layers, config):
    names = [f"l{i}/layer.tar" for i in range(len(layers))]
    manifest = [{"Config": "config.json", "RepoTags": [tag], "Layers": names}]
    with tarfile.open(path, "w") as tar:
        for name, data in [("config.json", json.dumps(config).encode()), *zip(names, layers), ("manifest.json", json.dumps(manifest).encode())]:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))


def prepare(given):
    work, engine = given.work, Engine(given.engine[0])
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    with registry(f"{work}/registry") as address:
        for text in given.names:
            name, reference = text.split("=", 1)
            engine.run("tag", reference, f"{name}:1")
            engine.run("save", "-o", f"{work}/{name}.tar", f"{name}:1")
            layers = layers_of(f"{work}/{name}.tar")
            ids = [digest(layer) for layer in layers]
            put_image(address, name, [(GZIP, gzip.compress(layer, 6, mtime=0)) for layer in layers], ids)
            if len(layers) == 1:
                zstd = subprocess.run(["zstd", "-q", "-3", "-c"], input=layers[0], capture_output=True, check=True).stdout
                put_image(address, f"{name}-zstd", [(ZSTD, zstd)], ids)
            print(f"{name}: {len(layers)} layers, {sum(map(len, layers)) / 1e6:.0f} MB plain")
    busybox = open("/var/cache/lighter-tests/busybox.tar", "rb").read()
    for count in (1, 100):
        write_archive(f"{work}/layers-{count}.tar", f"layers-{count}:1", *layered(busybox, count))
    files = f"{work}/files"
    for i in range(100):
        os.makedirs(f"{files}/d{i}")
        for j in range(100):
            with open(f"{files}/d{i}/f{j}", "w") as out:
                out.write(f"{i} {j}\n" * 100)


class Bench:
    def __init__(self, given):
        self.work, self.rounds = given.work, given.rounds
        self.engines = [Engine(text) for text in given.engine]
        known = sorted(name[:-4] for name in os.listdir(self.work) if name.endswith(".tar"))
        self.images = [name for name in known if not name.startswith(("layers-", "out-"))]
        self.rows = {}

    def add(self, row, engine, value):
        self.rows.setdefault(row, {}).setdefault(engine.name, []).append(value)

    def each(self):
        for i in range(self.rounds):
            for engine in self.engines:
                yield i, engine

    def forget(self, engine, *references):
        for reference in references:
            engine.run("rmi", "-f", reference, check=False)
        # what is removed in the background is not to be paid by the next row
        time.sleep(0.5)

    def pull(self, names=None, label="pull"):
        with registry(f"{self.work}/registry") as address:
            for name in names or self.images:
                reference = f"{address}/{name}:1"
                for i, engine in self.each():
                    self.forget(engine, reference, f"{name}:1")
                    work = lambda: self.add(f"{label} {name} s", engine, engine.run("pull", "-q", reference))
                    if i == 0 and engine.pid:
                        self.add(f"{label} {name} peak MB", engine, engine.peak(work))
                    else:
                        work()
                    self.forget(engine, reference)

    def zstd(self):
        zstd = [name[:-len("-zstd")] for name in os.listdir(f"{self.work}/registry/docker/registry/v2/repositories") if name.endswith("-zstd")]
        # Docker 28's own store cannot pull zstd in all versions: ours against our gzip, then
        everyone, self.engines = self.engines, self.engines[-1:]
        for name in zstd:
            self.pull([name, f"{name}-zstd"], "zstd:")
        self.engines = everyone

    def load(self):
        for name in self.images:
            for _, engine in self.each():
                self.forget(engine, f"{name}:1")
                self.add(f"load {name} s", engine, engine.run("load", "-q", "-i", f"{self.work}/{name}.tar"))

    def loaded(self, engine, name):
        engine.run("load", "-q", "-i", f"{self.work}/{name}.tar")

    def save(self):
        for name in self.images:
            for _, engine in self.each():
                self.loaded(engine, name)
                self.add(f"save {name} s", engine, engine.run("save", "-o", f"{self.work}/out-save.tar", f"{name}:1"))
                os.unlink(f"{self.work}/out-save.tar")

    def push(self):
        """Of what was pulled, to an empty registry."""
        with registry(f"{self.work}/registry") as source:
            for name in self.images:
                pulled = f"{source}/{name}:1"
                for _, engine in self.each():
                    self.forget(engine, pulled, f"{name}:1")
                    engine.run("pull", "-q", pulled)
                    with registry(f"{self.work}/empty") as address:
                        target = f"{address}/{name}:1"
                        engine.run("tag", pulled, target)
                        self.add(f"push {name} s", engine, engine.run("push", "-q", target))
                        self.add(f"push {name} again s", engine, engine.run("push", "-q", target))
                    shutil.rmtree(f"{self.work}/empty")
                    self.forget(engine, target, pulled)

    def rmi(self):
        for name in self.images:
            for _, engine in self.each():
                self.loaded(engine, name)
                time.sleep(0.3)
                self.add(f"rmi {name} s", engine, engine.run("rmi", f"{name}:1"))
                time.sleep(0.5)

    def start(self):
        """The first start of an image that has just come."""
        for count in (1, 100):
            for _, engine in self.each():
                self.forget(engine, f"layers-{count}:1")
                self.loaded(engine, f"layers-{count}")
                time.sleep(0.3)
                self.add(f"first start, {count} layers s", engine, engine.run("run", "--rm", "--network", "none", f"layers-{count}:1", "/bin/true"))

    @contextlib.contextmanager
    def container(self, engine, script):
        engine.run("run", "-d", "--network", "none", "layers-1:1", "/bin/sh", "-c", f"{script}; exec sleep 1000")
        container = engine.out
        try:
            deadline = time.monotonic() + 60
            while subprocess.run([engine.program, "exec", container, "/bin/test", "-e", "/ready"], capture_output=True,
                                 env=dict(os.environ, DOCKER_HOST=engine.host)).returncode and time.monotonic() < deadline:
                time.sleep(0.1)
            yield container
        finally:
            engine.run("rm", "-f", container)

    def cp(self):
        for _, engine in self.each():
            self.loaded(engine, "layers-1")
            with self.container(engine, "touch /ready") as container:
                self.add("cp 10,000 files in s", engine, engine.run("cp", "-q", f"{self.work}/files", f"{container}:/files"))
                self.add("cp 10,000 files out s", engine, engine.run("cp", "-q", f"{container}:/files", f"{self.work}/out-files"))
            shutil.rmtree(f"{self.work}/out-files")

    def commit(self):
        for _, engine in self.each():
            self.loaded(engine, "layers-1")
            with self.container(engine, "head -c 100000000 /dev/urandom >/big; touch /ready") as container:
                self.add("commit of 100 MB s", engine, engine.run("commit", "-p=false", container, "committed:1"))
            self.forget(engine, "committed:1")

    def diff(self):
        for _, engine in self.each():
            self.loaded(engine, "layers-1")
            with self.container(engine, "for i in $(seq 100); do mkdir /d$i; for j in $(seq 100); do : >/d$i/f$j; done; done; touch /ready") as container:
                self.add("diff of 10,000 files s", engine, engine.run("diff", container))

    def show(self):
        first = self.engines[0].name
        print(f"{'':28}" + "".join(f"{engine.name:>16}" for engine in self.engines) + "   ratio")
        for row, values in self.rows.items():
            medians = {who: statistics.median(all) for who, all in values.items()}
            cells = "".join(f"{medians[e.name]:16.3f}" if e.name in medians else f"{'':16}" for e in self.engines)
            ratios = [m / medians[first] for who, m in medians.items() if first in medians and who != first]
            print(f"{row:28}{cells}   " + " ".join(f"{r:.3f} (1/{1 / r:.1f})" for r in ratios))


ROWS = ["pull", "zstd", "load", "save", "push", "rmi", "start", "cp", "commit", "diff"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["prepare", "run"])
    parser.add_argument("--engine", action="append", required=True, help="NAME=PROGRAM,HOST[,PID]")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--work", default="/dev/shm/lighter-images")
    parser.add_argument("names", nargs="*")
    given = parser.parse_intermixed_args()
    if given.what == "prepare":
        return prepare(given)
    bench = Bench(given)
    for row in given.names or ROWS:
        getattr(bench, row)()
    bench.show()


if __name__ == "__main__":
    main()
