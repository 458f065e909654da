#!/usr/bin/env python3
"""The seeds' example projects on networks, by real programs and both clients. See README.md.

    tests/stories/networks.py [--cli lighter|docker|both] [--programs DIR] [--hold SECONDS] [--install] [STORY ...]
"""
import argparse, contextlib, http.client, json, os, re, shutil, signal, socket, subprocess, sys, tempfile, threading, time
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
CACHE = os.environ.get("LIGHTER_TEST_CACHE", "/var/cache/lighter-tests")
PROGRAMS = CACHE + "/stories.tar"
PACKAGES = """redis-server nginx-light gunicorn python3-flask python3-gevent python3-redis python3-psycopg2 postgresql
              docker-registry socat curl iproute2 iputils-ping""".split()
HOST, WORLD, HOST6, WORLD6 = "203.0.113.2", "203.0.113.1", "2001:db8::2", "2001:db8::1"
REAL_DOCKER = "/usr/local/bin/docker"
WITHIN = "LIGHTER_STORIES_WORLD"


def sh(*command, **more):
    return subprocess.run(command, check=True, **more)


class Daemon:
    """A private daemon in the network namespace of this process."""

    def __init__(self, programs, directory, flags=()):
        self.programs, self.directory, self.flags = programs, directory, list(flags)
        self.socket = "unix://" + directory + "/sock"
        os.makedirs(directory, exist_ok=True)
        self.start()

    def start(self):
        log = open(self.directory + "/log", "ab")
        self.process = subprocess.Popen(
            [self.programs + "/lighter", "daemon", "--data-root", self.directory + "/data", "--exec-root",
             self.directory + "/run", "-H", self.socket, *self.flags], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        eventually("the daemon answers", lambda: self.command("lighter", "version").returncode == 0, 20)

    def command(self, cli, *args, **more):
        program = self.programs + "/lighter" if cli == "lighter" else REAL_DOCKER
        env = dict(os.environ, DOCKER_HOST=self.socket, DOCKER_CONFIG=self.directory + "/config")
        more.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run([program, *args], env=env, capture_output=True, text=True, **more)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        for id in self.command("lighter", "ps", "-aq").stdout.split():
            self.command("lighter", "rm", "-f", id)
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.directory)


def eventually(what, ready, seconds=30):
    end = time.time() + seconds
    while not ready():
        if time.time() > end:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.05)


def install(programs):
    """Debian's programs by apt-get in a container on the default bridge; kept as a tar."""
    directory = tempfile.mkdtemp(prefix="lighter-stories-install-")
    daemon = Daemon(programs, directory)
    try:
        def run(*args):
            done = daemon.command("lighter", *args)
            if done.returncode:
                sys.exit(f"{' '.join(args)}: {done.stderr}{done.stdout[-2000:]}")
        run("import", "-c", 'CMD ["/bin/bash"]', CACHE + "/debian.tar", "debian")
        script = ("echo 'Acquire::Check-Valid-Until \"false\";' > /etc/apt/apt.conf.d/90stories; export DEBIAN_FRONTEND=noninteractive; "
                  "apt-get update -qq && apt-get install -y -qq --no-install-recommends " + " ".join(PACKAGES) +
                  " && apt-get clean && rm -rf /var/lib/apt/lists/*")
        print("== apt-get in a container", flush=True)
        run("run", "--name", "install", "debian", "sh", "-c", script)
        run("export", "-o", PROGRAMS + ".new", "install")
        os.rename(PROGRAMS + ".new", PROGRAMS)
    finally:
        daemon.stop()


def enter(arguments):
    """Runs this program again in a namespace of its own, cabled to another one: the world."""
    world = subprocess.Popen(["unshare", "-n", "sleep", "infinity"])
    try:
        env = dict(os.environ, **{WITHIN: str(world.pid)})
        return subprocess.call(["unshare", "-n", sys.executable, os.path.abspath(__file__), *arguments], env=env)
    finally:
        world.kill()
        world.wait()


def cable(world):
    ip = lambda *args: sh("ip", *args)
    there = lambda *args: sh("nsenter", "-t", world, "-n", "ip", *args)
    eventually("a world", lambda: os.readlink(f"/proc/{world}/ns/net") != os.readlink(f"/proc/{os.getppid()}/ns/net"))
    ip("link", "set", "lo", "up")
    ip("link", "add", "uplink", "type", "veth", "peer", "name", "cable", "netns", world)
    for on, link, own, own6, other in ((ip, "uplink", HOST, HOST6, WORLD), (there, "cable", WORLD, WORLD6, None)):
        on("addr", "add", own + "/24", "dev", link)
        on("-6", "addr", "add", own6 + "/64", "dev", link, "nodad")
        on("link", "set", link, "up")
        if other:
            on("route", "add", "default", "via", other)
    there("link", "set", "lo", "up")


class Story:
    """One story by one client. `self("run", …)` runs a command that must succeed and answers its output."""

    def __init__(self, daemon, cli, world, options):
        self.daemon, self.cli, self.world, self.options, self.broken = daemon, cli, world, options, 0

    def __call__(self, *args, fails=None, **more):
        done = self.daemon.command(self.cli, *args, **more)
        if fails is not None:
            self.check(done.returncode and fails in done.stderr, f"`{' '.join(args)}` fails by {fails!r}", done.stderr)
            return done.stderr
        if done.returncode:
            raise AssertionError(f"{' '.join(args)}: {done.returncode}: {done.stderr}{done.stdout[-500:]}")
        return done.stdout.rstrip("\n")

    def check(self, fine, what, got=""):
        print(("ok    " if fine else "BROKEN") + f" {self.cli}: {what}" + ("" if fine or got == "" else f": {got!r}"), flush=True)
        self.broken += not fine

    def equal(self, got, wanted, what):
        self.check(got == wanted, what, f"{got} instead of {wanted}")

    def inspect(self, name, format):
        return self("inspect", "--format", format, name)

    def ip(self, name, network="bridge"):
        return self.inspect(name, f'{{{{(index .NetworkSettings.Networks "{network}").IPAddress}}}}')

    def execute(self, name, *command):
        return self("exec", name, *command)

    def remove_all(self):
        for id in self("ps", "-aq").split():
            self("rm", "-f", id)

    def get(self, address, path="/", form=None, cookie="", timeout=5):
        """A page from this host; `None` if there is none."""
        try:
            connection = http.client.HTTPConnection(address, timeout=timeout)
            body = urllib.parse.urlencode(form) if form else None
            headers = {"Cookie": cookie} if cookie else {}
            if form:
                headers["Content-Type"] = "application/x-www-form-urlencoded"
            connection.request("POST" if form else "GET", path, body, headers)
            answer = connection.getresponse()
            return answer.read().decode() if answer.status == 200 else None
        except OSError:
            return None
        finally:
            connection.close()

    def from_world(self, url, *curl):
        """What curl of the world gets; `None` if nothing."""
        done = subprocess.run(["nsenter", "-t", self.world, "-n", "curl", "-sg", "-m", "3", *curl, url], capture_output=True, text=True)
        return done.stdout if done.returncode == 0 else None

    def page(self, address, path="/"):
        eventually(f"a page at {address}", lambda: self.get(address, path) is not None, 60)
        return self.get(address, path)

    def image(self, name, files=(), setup="true", **changes):
        """From the programs of Debian: files laid in, a command run, and committed."""
        self("create", "--name", "making", "programs", "sh", "-c", setup)
        for source, place in files:
            self("cp", os.path.join(HERE, source), "making:" + place)
        self("start", "-a", "making")
        flags = [word for key, value in changes.items() for word in ("-c", f"{key} {value}")]
        self("commit", *flags, "making", name)
        self("rm", "making")

    # ---- images under the seeds' names

    def images(self):
        if "programs" not in self("images", "--format", "{{.Repository}}").split():
            self("import", "-c", 'CMD ["/bin/bash"]', PROGRAMS, "programs")
        exec_form = lambda *words: json.dumps(words)
        redis = dict(CMD=exec_form("redis-server", "--bind", "*", "--protected-mode", "no", "--save", "60 1", "--dir", "/var/lib/redis"), EXPOSE="6379")
        for name in ("redis:2.8.19", "redis"):
            self.image(name, **redis)
        nginx = dict(CMD=exec_form("nginx", "-g", "daemon off;"), EXPOSE="80 443")
        self.image("nginx:1.7.9", setup="rm -f /etc/nginx/sites-enabled/default", **nginx)
        self.image("nginx", setup="echo welcome to nginx > /var/www/html/index.html", **nginx)
        self.image("flask-sse_nginx", [("flask-sse/default.conf", "/etc/nginx/conf.d/default.conf")], setup="rm -f /etc/nginx/sites-enabled/default", **nginx)
        self.image("flask-sse_gunicorn", [("flask-sse", "/opt/flask-sse")], WORKDIR="/opt/flask-sse", CMD="/opt/flask-sse/run.sh", ENV="MODIFIED_AT=201512061738")
        self.image("postgres:9.4", [("voting/db.sh", "/db.sh")], ENTRYPOINT=exec_form("/db.sh"), EXPOSE="5432")
        for name, program in (("voting-app", "vote"), ("result-app", "result"), ("worker", "worker")):
            self.image(name, [(f"voting/{program}.py", "/app.py")], CMD=exec_form("python3", "-u", "/app.py"), **({} if program == "worker" else {"EXPOSE": "80"}))
        self.image("registry:2", ENTRYPOINT=exec_form("docker-registry", "serve", "/etc/docker/registry/config.yml"), EXPOSE="5000",
                   setup="sed -i 's/addr: .*/addr: :5000/; /^auth:/,$d' /etc/docker/registry/config.yml; cat /etc/docker/registry/config.yml")
        web = "import os,http.server as h\\nclass P(h.BaseHTTPRequestHandler):\\n def do_GET(s):\\n  s.send_response(200);s.end_headers();s.wfile.write(os.environ.get('APP_COLOR','red').encode())\\nh.HTTPServer(('',8080),P).serve_forever()\\n"
        self.image("my-web-page", setup=f"printf \"{web}\" > /web.py", ENTRYPOINT=exec_form("python3", "/web.py"), EXPOSE="8080")

    # ---- the stories

    def voting(self):
        """Voting application, §11.3."""
        self("create", "--name=vote", "-p", "5000:80", "--link", "redis:redis", "voting-app", fails="could not get container for redis: No such container: redis")
        # without links: nobody is found
        self("run", "-d", "--name=lonely", "worker")
        eventually("the worker waits", lambda: "Waiting for redis" in self("logs", "lonely"))
        self("rm", "-f", "lonely")

        self("run", "-d", "--name=redis", "redis")
        self("run", "-d", "--name=db", "postgres:9.4", "db")
        self("run", "-d", "--name=vote", "-p", "5000:80", "--link", "redis:redis", "voting-app")
        self("run", "-d", "--name=result", "-p", "5001:80", "--link", "db:db", "result-app")
        self("run", "-d", "--name=worker", "--link", "db:db", "--link", "redis:redis", "worker")
        self.equal(self.inspect("db", "{{json .Config.Cmd}}"), '["db"]', "`postgres:9.4 db` passes db as command")
        eventually("the worker works", lambda: "Connected" in self("logs", "worker"), 60)
        self.page("127.0.0.1:5000")
        eventually("results", lambda: self.get("127.0.0.1:5001") is not None, 60)

        def result():
            return json.loads(self.get("127.0.0.1:5001") or "null")
        self.get("127.0.0.1:5000", form={"vote": "a"}, cookie="voter_id=one")
        self.get("127.0.0.1:5000", form={"vote": "b"}, cookie="voter_id=two")
        eventually("two votes", lambda: result() == {"a": 1, "b": 1})
        self.get("127.0.0.1:5000", form={"vote": "b"}, cookie="voter_id=one")
        eventually("a changed vote", lambda: result() == {"b": 2})
        self.check(True, "votes go vote → redis → worker → db → result")

        self.equal(self.from_world(f"http://{HOST}:5001/"), '{"b": 2}\n', "the world reads the result")
        self.check("Cats" in (self.from_world(f"http://[{HOST6}]:5000/") or ""), "the world votes by IPv6")
        self.equal([self.from_world(f"http://{HOST}:{port}/") for port in (6379, 5432, 80)], [None] * 3, "nothing else is open to the world")
        ports = dict(line.split("|") for line in self("ps", "--format", "{{.Names}}|{{.Ports}}").splitlines())
        self.equal(ports, {"redis": "6379/tcp", "db": "5432/tcp", "vote": "0.0.0.0:5000->80/tcp, [::]:5000->80/tcp",
                           "result": "0.0.0.0:5001->80/tcp, [::]:5001->80/tcp", "worker": ""}, "ps shows what is published")
        self.check(f"{self.ip('redis')}\tredis" in self.execute("worker", "cat", "/etc/hosts"), "a hosts entry for the link")
        self.check(f"DB_PORT_5432_TCP=tcp://{self.ip('db')}:5432" in self.execute("worker", "env"), "variables for the link")

        # votes go on while the daemon dies
        voters = 40
        def cast():
            for n in range(voters):
                self.get("127.0.0.1:5000", form={"vote": "a"}, cookie=f"voter_id=v{n}")
                time.sleep(0.05)
        casting = threading.Thread(target=cast)
        casting.start()
        for _ in range(3):
            time.sleep(0.4)
            self.daemon.kill()
            time.sleep(0.2)
            self.daemon.start()
        casting.join()
        eventually("all votes", lambda: result() == {"a": voters, "b": 2})
        self.check(True, "no vote is lost while the daemon is killed three times")

        # a restart of redis reaches those that are linked to it
        self("stop", "-t", "2", "redis")
        self("run", "-d", "--name=between", "programs", "sleep", "1000")
        self("start", "redis")
        for name in ("vote", "worker"):
            self.check(f"{self.ip('redis')}\tredis" in self.execute(name, "cat", "/etc/hosts"), f"the hosts entry of {name} follows redis")
        self.get("127.0.0.1:5000", form={"vote": "c"}, cookie="voter_id=late")
        eventually("a vote after redis was restarted", lambda: (result() or {}).get("c") == 1)
        self.check(True, "votes are carried on")
        self("stop", "-t", "2", "db")
        self("rm", "-f", "result")
        self("run", "--name=result", "--link", "db:db", "result-app", fails="Cannot link to a non running container: /db AS /result/db")
        self("run", "---link", "db:db", "result-app", fails="bad flag syntax: ---link")

    def sse(self):
        """Flask-SSE, §11.1."""
        self("run", "-d", "--name=redis", "redis:2.8.19")
        self("run", "-d", "--link=redis:redis", "--name=flask-sse_gunicorn", "flask-sse_gunicorn")
        nginx = self("run", "-d", "-p", "80:80", "--link=flask-sse_gunicorn:flask-sse_gunicorn", "flask-sse_nginx")
        self.check("testevent" in self.page("127.0.0.1:80"), "the page comes through nginx")
        self.check("<form" in self.get("127.0.0.1:80", "/new"), "and the form")
        for name, alias, of in (("flask-sse_gunicorn", "redis", "redis"), (nginx, "flask-sse_gunicorn", "flask-sse_gunicorn")):
            self.check(re.search(rf"^{self.ip(of)}\t{alias}\b", self.execute(name, "cat", "/etc/hosts"), re.M), f"hosts entry {alias}")
        self.check("REDIS_PORT_6379_TCP_ADDR=" + self.ip("redis") in self.execute("flask-sse_gunicorn", "env"), "link variables of redis")
        published = [line for line in self("ps", "--format", "{{.Ports}}").splitlines() if "->" in line]
        self.equal(published, ["0.0.0.0:80->80/tcp, [::]:80->80/tcp, 443/tcp"], "only 80 is published")

        # a stream without a browser, here and from the world, held while the daemon dies
        world = subprocess.Popen(["nsenter", "-t", self.world, "-n", "curl", "-sN", f"http://{HOST}/events"], stdout=subprocess.PIPE, text=True)
        connection = http.client.HTTPConnection("127.0.0.1", 80, timeout=20)
        connection.request("GET", "/events")
        stream = connection.getresponse()
        self.equal(stream.getheader("content-type"), "text/event-stream; charset=utf-8", "the stream's type")
        heard, heard_outside = [], []
        def listen(lines, into):
            for line in lines:
                line = line.decode() if isinstance(line, bytes) else line
                if line.startswith("data:"):
                    into.append(line[5:].strip())
        listeners = [threading.Thread(target=listen, args=(source, into), daemon=True) for source, into in ((stream, heard), (world.stdout, heard_outside))]
        [one.start() for one in listeners]
        eventually("both listen", lambda: self.get("127.0.0.1:80", "/send", form={"message": "ready"}) == "2\n")
        begin, sent, killed = time.time(), 0, 0
        eventually("both hear it", lambda: heard and heard_outside)
        heard.clear(), heard_outside.clear()
        while time.time() - begin < self.options.hold:
            self.get("127.0.0.1:80", "/send", form={"message": f"m{sent}"})
            sent += 1
            if sent % 8 == 4:
                self.daemon.kill()
                time.sleep(0.3)
                self.daemon.start()
                killed += 1
            time.sleep(1)
        expected = [f"m{n}" for n in range(sent)]
        eventually("every event", lambda: len(heard) >= sent and len(heard_outside) >= sent, 5)
        self.equal(heard, expected, f"a stream of {self.options.hold:.0f} s through 127.0.0.1:80, the daemon killed {killed} times: every event, in order")
        self.equal(heard_outside, expected, "the same to the world")
        world.kill(), world.wait(), connection.close()

        self("stop", "-t", "2", "redis")
        self("run", "-d", "--name=between", "programs", "sleep", "1000")
        self("start", "redis")
        self.check(f"{self.ip('redis')}\tredis" in self.execute("flask-sse_gunicorn", "cat", "/etc/hosts"), "the hosts entry follows a restarted redis")
        eventually("a message after that", lambda: self.get("127.0.0.1:80", "/send", form={"message": "again"}) == "0\n")
        self.check(f"{WORLD} - - " in self.execute(nginx, "cat", "/var/log/nginx/access.log"), "nginx's log has the world's own address")

    def isolated(self):
        """custom-isolated-network, none and host."""
        names = [tuple(line.split()) for line in self("network", "ls", "--format", "{{.ID}} {{.Name}} {{.Driver}} {{.Scope}}").splitlines()]
        self.equal([name[1:] for name in names], [("bridge", "bridge", "local"), ("host", "host", "local"), ("none", "null", "local")], "three networks")
        self.check(all(re.fullmatch("[0-9a-f]{12}", name[0]) for name in names), "with ids of 12 digits")
        self("network", "create", "--driver", "bridge", "--subnet", "182.18.0.0/16", "custom-isolated-network")
        self.equal(self("network", "inspect", "-f", "{{(index .IPAM.Config 0).Subnet}}", "custom-isolated-network"), "182.18.0.0/16", "its subnet")
        for name in ("web", "db"):
            self("run", "-d", "--name", name, "--network", "custom-isolated-network", "programs", "sleep", "1000")
        self("run", "-d", "--name", "other", "programs", "sleep", "1000")
        self("run", "-d", "--name", "neighbour", "programs", "sleep", "1000")
        self.check(self.ip("web", "custom-isolated-network").startswith("182.18.0."), "addresses in it")
        self.equal(self.inspect("web", "{{range .NetworkSettings.Networks}}{{.Gateway}}{{end}}"), "182.18.0.1", "its gateway")
        ping = lambda a, b: self.daemon.command(self.cli, "exec", a, "ping", "-c1", "-W1", b).returncode == 0
        self.check(ping("web", "db"), "they find each other by name")
        self.check(ping("other", self.ip("neighbour")) and not ping("other", "neighbour"), "on the default bridge by address, not by name")
        self.check(not ping("other", self.ip("web", "custom-isolated-network")) and not ping("web", self.ip("other")), "no way between the two")
        old = self.ip("db", "custom-isolated-network")
        self("stop", "-t", "0", "db")
        self.equal(self.ip("db", "custom-isolated-network"), "", "no address while stopped")
        self("run", "-d", "--name", "third", "--network", "custom-isolated-network", "programs", "sleep", "1000")
        self("start", "db")
        new = self.ip("db", "custom-isolated-network")
        self.check(new in self.execute("web", "getent", "hosts", "db"), f"the name follows ({old} → {new})")
        for name in ("rr1", "rr2", "rr3"):
            self("run", "-d", "--name", name, "--network", "custom-isolated-network", "--network-alias", "rr", "programs", "sleep", "1000")
        first = {self.execute("web", "getent", "ahostsv4", "rr").split()[0] for _ in range(12)}
        self.equal(len(first), 3, "an alias of three: each comes first in its turn")
        self.equal(self("run", "--rm", "--network", "none", "programs", "ls", "/sys/class/net"), "lo", "none: only lo")
        self("run", "-d", "--name", "h1", "--network=host", "nginx")
        self.equal(self.page("127.0.0.1:80"), "welcome to nginx\n", "host: its port is the host's")
        self.check("welcome" in (self.from_world(f"http://{HOST}/") or ""), "for the world, too")
        second = self("run", "-d", "--network=host", "nginx")
        self.equal(self("wait", second), "1", "a second one on the same port ends")
        self.check("Address already in use" in self.daemon.command(self.cli, "logs", second).stderr, "and says why")
        self("network", "rm", "custom-isolated-network", fails="has active endpoints")
        self.remove_all()
        self("network", "rm", "custom-isolated-network")

    def ports(self):
        """Every form of -p in the seeds, and who reaches what."""
        # the port of a container that has ended is mute until it is gone
        rules = lambda: sh("nft", "list", "ruleset", capture_output=True, text=True).stdout
        eventually("the ports of what was removed are forgotten", lambda: '"veth' not in rules(), 10)
        before = rules()
        for flag, port in (("-p 80:80", 80), ("-p 8000:80", 8000), ("-p80:80", 80), ("-p 8080:80", 8080)):
            self("run", "-d", "--name", "web", *flag.split(" "), "nginx")
            self.equal(self.page(f"127.0.0.1:{port}"), "welcome to nginx\n", f"{flag} here")
            self.check("welcome" in (self.from_world(f"http://{HOST}:{port}/") or ""), f"{flag} for the world")
            self.check("welcome" in (self.from_world(f"http://[{HOST6}]:{port}/") or ""), f"{flag} for the world, IPv6")
            self.equal(self("port", "web"), f"80/tcp -> 0.0.0.0:{port}\n80/tcp -> [::]:{port}", f"{flag} in `port`")
            self.check(f"tcp . {port} : {self.ip('web')} . 80" in rules(), "a rule of the kernel's leads there")
            self("rm", "-f", "web")
        eventually("the rules are as before", lambda: rules() == before, 10)
        self.check(True, "the rules are as before")
        self("run", "-d", "--name", "mysql57", "--restart=always", "-p", "127.0.0.1:3306:3306", "-e", "MYSQL_ROOT_PASSWORD=my-secret-pw",
             "programs", "socat", "TCP-LISTEN:3306,fork,reuseaddr", "SYSTEM:echo mysql")
        eventually("mysql", lambda: self.talk(("127.0.0.1", 3306)) == b"mysql\n")
        self.equal(self.from_world(f"telnet://{HOST}:3306"), None, "127.0.0.1:3306 is closed to the world")
        self.equal(self.talk((HOST, 3306)), None, "and by the host's other address")
        self("run", "-d", "--name", "any", "-p", "3306", "programs", "socat", "TCP-LISTEN:3306,fork,reuseaddr", "SYSTEM:echo any")
        port = int(self("port", "any", "3306/tcp").splitlines()[0].rpartition(":")[2])
        eventually("any", lambda: self.talk(("127.0.0.1", port)) == b"any\n")
        self.check(port >= 32768, f"-p 3306 is a port of its own ({port})")
        self.check(f"0.0.0.0:{port}->3306/tcp" in self("ps", "--format", "{{.Ports}}", "--filter", "name=any"), "which ps shows")
        self.remove_all()
        # without -p: the host's side is closed, others reach it
        self("run", "-d", "--name", "redis", "redis")
        self("run", "-d", "--name", "user", "programs", "sleep", "1000")
        ask = ["sh", "-c", f"printf 'PING\\r\\n' | socat -t1 - TCP:{self.ip('redis')}:6379"]
        eventually("redis", lambda: self.daemon.command(self.cli, "exec", "user", *ask).stdout.strip() == "+PONG")
        self.equal(self.talk(("127.0.0.1", 6379)), None, "without -p 6379:6379 the host's port is closed")
        self("rm", "-f", "redis")
        self("run", "-d", "--name", "redis", "-p", "6379:6379", "redis")
        eventually("redis", lambda: self.talk(("127.0.0.1", 6379), b"PING\r\nQUIT\r\n") == b"+PONG\r\n+OK\r\n")
        self.check(True, "with -p 6379:6379 it is open")
        self.remove_all()

    def talk(self, address, say=b"", timeout=3):
        try:
            with socket.create_connection(address, timeout) as stream:
                stream.sendall(say)
                return b"".join(iter(lambda: stream.recv(1 << 16), b""))
        except OSError:
            return None

    def others(self):
        """§11.4: pages, a stream both ways, a registry in a container, daemon.json's dns."""
        directory = tempfile.mkdtemp(prefix="lighter-story-")
        open(directory + "/hello.txt", "w").write("hello\n")
        self("run", "-d", "-v", f"{directory}:/opt", "-w", "/opt", "-p", "8000:8000", "programs", "python3", "-m", "http.server")
        self.check("hello.txt" in self.page("127.0.0.1:8000"), "python3 -m http.server: a listing on 8000")
        for color in ("orange", None):
            self("run", "-d", "--name", "web", "-p", "8080:8080", *(["-e", f"APP_COLOR={color}"] if color else []), "my-web-page")
            self.equal(self.page("127.0.0.1:8080"), color or "red", f"my-web-page is {color or 'red by default'}")
            self("rm", "-f", "web")
        self("run", "-d", "-p", "80:8080", "my-web-page")
        self.equal(self.page("127.0.0.1:80"), "red", "-p 80:8080 (docker-node-hello)")
        # long-lived, both ways, 10 MB: the seed's ssh -X
        self("run", "-d", "-P", "--expose", "22", "--name", "desk", "programs", "socat", "TCP-LISTEN:22,fork,reuseaddr", "SYSTEM:cat")
        port = int(self("port", "desk", "22").splitlines()[0].rpartition(":")[2])
        data = os.urandom(10 << 20)
        self.check(self.echo(("127.0.0.1", port), data), "10 MB both ways through a port of -P")
        self.check(self.echo(("::1", port), data), "and by [::1]")
        self.remove_all()
        shutil.rmtree(directory)
        # a registry
        self("run", "-d", "-p", "5000:5000", "--name", "registry", "registry:2")
        self.equal(self.page("127.0.0.1:5000", "/v2/"), "{}", "a registry in a container answers")
        self("image", "tag", "my-web-page", "localhost:5000/my-image")
        self("push", "localhost:5000/my-image")
        self("rmi", "localhost:5000/my-image")
        self("pull", "localhost:5000/my-image")
        self.equal(self.inspect("localhost:5000/my-image", "{{.Id}}"), self.inspect("my-web-page", "{{.Id}}"), "push and pull through its published port")
        self("pull", f"{HOST}:5000/my-image")
        self.check(True, "and by the host's address")
        self("rmi", "localhost:5000/my-image", f"{HOST}:5000/my-image")
        self.remove_all()
        self.equal([line for line in self("run", "--rm", "programs", "cat", "/etc/resolv.conf").splitlines() if line.startswith("nameserver")],
                   ["nameserver 10.10.10.1", "nameserver 10.10.10.2"], "daemon.json's dns")

    def echo(self, address, data):
        with socket.create_connection(address, 10) as stream:
            def send():
                stream.sendall(data)
                stream.shutdown(socket.SHUT_WR)
            sender = threading.Thread(target=send)
            sender.start()
            got = b"".join(iter(lambda: stream.recv(1 << 16), b""))
            sender.join()
        return got == data


STORIES = ("isolated", "ports", "voting", "sse", "others")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cli", choices=["lighter", "docker", "both"], default="both")
    parser.add_argument("--programs", default=TOP + "/target/x86_64-unknown-linux-gnu/debug")
    parser.add_argument("--hold", type=float, default=60, help="seconds that the stream of events is held open")
    parser.add_argument("--install", action="store_true", help="the programs of Debian anew")
    parser.add_argument("stories", nargs="*", metavar="STORY", help=" ".join(STORIES))
    options = parser.parse_args()
    unknown = [name for name in options.stories if name not in STORIES]
    if unknown:
        parser.error(f"no story {unknown[0]}: " + ", ".join(STORIES))
    world = os.environ.get(WITHIN)
    if not world:
        if options.install or not os.path.exists(PROGRAMS):
            install(options.programs)
        arguments = [word for word in sys.argv[1:] if word != "--install"]
        sys.exit(enter(arguments))
    cable(world)
    directory = tempfile.mkdtemp(prefix="lighter-stories-")
    open(directory + "/daemon.json", "w").write(json.dumps({"dns": ["10.10.10.1", "10.10.10.2"], "insecure-registries": [HOST + ":5000"]}))
    daemon = Daemon(options.programs, directory, ["--config-file", directory + "/daemon.json"])
    broken = []
    try:
        clients = {"both": ["lighter", "docker"]}.get(options.cli, [options.cli])
        if not os.path.exists(REAL_DOCKER) and "docker" in clients:
            print("no real docker client: left out")
            clients.remove("docker")
        for cli in clients:
            story = Story(daemon, cli, world, options)
            begin = time.time()
            story.images()
            print(f"== {cli}: images in {time.time() - begin:.1f} s", flush=True)
            for name in options.stories or STORIES:
                begin = time.time()
                print(f"== {cli}: {getattr(story, name).__doc__}", flush=True)
                try:
                    getattr(story, name)()
                except AssertionError as e:
                    story.check(False, f"{name} goes on", str(e))
                story.remove_all()
                print(f"== {time.time() - begin:.1f} s", flush=True)
            broken.append(story.broken)
        errors = [line for line in open(directory + "/log") if "level=error" in line or "panicked" in line]
        print("".join(f"BROKEN the daemon's log: {line}" for line in errors[:20]), end="")
        broken.append(len(errors))
    finally:
        daemon.stop()
    print(f"{sum(broken)} promises broken" if sum(broken) else "kept every promise")
    sys.exit(bool(sum(broken)))


main()
