"""docker-py against a daemon: one scenario for each method of its containers API.

    DOCKER_HOST=unix:///run/lighter.sock python3 docker_py.py [NAME ...]

The daemon must have the image busybox:latest. Prints one line a scenario; the exit status is the number of failures.
"""

import io
import socket
import struct
import sys
import tarfile
import threading
import time
import traceback

import docker
from docker.errors import APIError, ContainerError, ImageNotFound, NotFound

IMAGE = "busybox:latest"
client = docker.from_env(timeout=20)
api = client.api
SCENARIOS = []


def scenario(function):
    SCENARIOS.append(function)
    return function


class Box:
    """A container that is removed at the end."""

    def __init__(self, command="sleep 1000", start=True, **options):
        self.container = client.containers.create(IMAGE, command, **options)
        if start:
            self.container.start()

    def __enter__(self):
        return self.container

    def __exit__(self, *_):
        try:
            self.container.remove(force=True)
        except NotFound:
            pass


def equal(got, wanted):
    assert got == wanted, f"{got!r} is not {wanted!r}"


def refused(status, action):
    try:
        action()
    except APIError as error:
        equal(error.response.status_code, status)
        return error.explanation
    raise AssertionError("not refused")


def until(what, condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, f"not within ten seconds: {what}"
        time.sleep(0.02)


# ── client.containers ──


@scenario
def containers_run():
    equal(client.containers.run(IMAGE, "echo hi", remove=True), b"hi\n")
    both = client.containers.run(IMAGE, ["sh", "-c", "echo out; echo err >&2"], remove=True, stderr=True)
    equal(sorted(both.splitlines()), [b"err", b"out"])
    equal(list(client.containers.run(IMAGE, "echo hi", remove=True, stream=True)), [b"hi\n"])


@scenario
def containers_run_fails():
    try:
        client.containers.run(IMAGE, "sh -c 'echo why >&2; exit 3'", remove=True)
    except ContainerError as error:
        equal((error.exit_status, error.stderr), (3, b"why\n"))
    else:
        raise AssertionError("no error")
    try:
        client.containers.run("no/such:image", "true")
    except (ImageNotFound, APIError):
        pass


@scenario
def containers_run_detached():
    container = client.containers.run(IMAGE, "sleep 1000", detach=True, name="py-detached", labels={"a": "b"})
    try:
        container.reload()
        equal((container.status, container.name, container.labels), ("running", "py-detached", {"a": "b"}))
        equal(container.short_id, container.id[:12])
        assert IMAGE in container.image.tags, container.image.tags
        equal(container.health, "unknown")
    finally:
        container.remove(force=True)


@scenario
def containers_run_with_everything():
    options = dict(
        environment={"A": "1"}, hostname="box", user="1000:1000", working_dir="/tmp", entrypoint="sh", tty=True, stdin_open=True,
        mem_limit="64m", nano_cpus=500_000_000, cpu_shares=512, pids_limit=50, shm_size="32m", read_only=True,
        tmpfs={"/scratch": "size=1m"}, cap_drop=["ALL"], cap_add=["CHOWN"], security_opt=["no-new-privileges"],
        sysctls={"net.ipv4.ip_unprivileged_port_start": "0"}, ulimits=[docker.types.Ulimit(name="nofile", soft=64, hard=64)],
        extra_hosts={"other": "10.0.0.9"}, dns=["10.0.0.1"], init=True, oom_score_adj=100, stop_signal="SIGINT",
        restart_policy={"Name": "on-failure", "MaximumRetryCount": 2}, group_add=["44"], domainname="example",
        log_config=docker.types.LogConfig(type="json-file", config={"max-size": "1m", "labels": "a"}),
        volumes={"/tmp": {"bind": "/host", "mode": "ro"}}, network_mode="bridge",
    )
    with Box(["-c", "sleep 1000"], **options) as box:
        script = "id -u; hostname; pwd; echo $A; ulimit -n; grep -c other /etc/hosts; ls /host >/dev/null && touch /scratch/x && echo ok"
        code, output = box.exec_run(["sh", "-c", script])
        equal((code, output), (0, b"1000\nbox\n/tmp\n1\n64\n1\nok\n"))
        host = box.attrs["HostConfig"]
        equal((host["Memory"], host["NanoCpus"], host["RestartPolicy"]["Name"]), (64 << 20, 500_000_000, "on-failure"))


@scenario
def containers_create_and_get():
    with Box("true", start=False, name="py-created") as box:
        equal(box.status, "created")
        for key in (box.id, box.short_id, "py-created"):
            equal(client.containers.get(key).id, box.id)
        equal(refused(409, lambda: client.containers.create(IMAGE, name="py-created"))[:9], "Conflict.")
    try:
        client.containers.get("py-created")
    except NotFound as error:
        equal(error.explanation, "No such container: py-created")
    else:
        raise AssertionError("found")


@scenario
def containers_list():
    with Box(labels={"py": "1"}) as up, Box("true", start=False, labels={"py": "2"}) as down:
        ids = lambda **options: {one.id for one in client.containers.list(**options)}
        equal(ids(filters={"label": "py"}), {up.id})
        equal(ids(all=True, filters={"label": "py"}), {up.id, down.id})
        equal(ids(all=True, filters={"label": ["py=2"]}), {down.id})
        equal(ids(filters={"status": "created", "label": "py"}), {down.id})
        equal(ids(all=True, since=up.id, filters={"label": "py"}), {down.id})
        equal(ids(all=True, before=down.id, filters={"label": "py"}), {up.id})
        equal(len(client.containers.list(all=True, limit=1)), 1)
        equal({one.id for one in client.containers.list(sparse=True, filters={"label": "py"})}, {up.id})
        row = api.containers(filters={"id": up.id}, size=True)[0]
        assert row["State"] == "running" and "SizeRootFs" in row, row


@scenario
def containers_prune():
    client.containers.create(IMAGE, "true", labels={"py-prune": ""})
    kept = Box("true", start=False, labels={"py-kept": ""})
    with kept:
        pruned = client.containers.prune(filters={"label": "py-prune"})
        equal(len(pruned["ContainersDeleted"]), 1)
        equal(pruned["SpaceReclaimed"], 0)
        equal(client.containers.prune(filters={"until": "24h"})["ContainersDeleted"], None)


# ── container ──


@scenario
def container_attach():
    with Box("sh -c 'echo out; echo err >&2'", start=False) as box:
        box.start()
        box.wait()
        # with Docker, what comes together with the reply's head is lost to the library
        equal(box.attach(logs=True, stream=False, stdout=True, stderr=False), b"out\n")
    with Box("sh -c 'read x; echo $x; echo bad >&2'", start=False, stdin_open=True) as box:
        pieces = box.attach(stream=True, demux=True)
        sock = box.attach_socket(params={"stdin": 1, "stream": 1})
        box.start()
        sock._sock.sendall(b"line\n")
        equal(list(pieces), [(b"line\n", None), (None, b"bad\n")])


@scenario
def container_attach_socket():
    with Box("cat", start=False, stdin_open=True, tty=True) as box:
        sock = box.attach_socket(params={"stdin": 1, "stdout": 1, "stream": 1})
        box.start()
        sock._sock.sendall(b"hello\n")
        seen = b""
        while seen.count(b"hello") < 2:
            seen += sock._sock.recv(100)
        sock.close()


@scenario
def container_attach_websocket():
    import base64
    import os

    with Box("cat", start=True, stdin_open=True) as box:
        # the library itself cannot speak WebSocket over a unix socket
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(10)
        sock.connect(os.environ["DOCKER_HOST"].removeprefix("unix://"))
        import websocket

        target = f"ws://localhost/v{api._version}/containers/{box.id}/attach/ws?stream=1&stdin=1&stdout=1"
        ws = websocket.create_connection(target, socket=sock)
        ws.send("text\n")
        equal(ws.recv(), b"text\n")
        ws.send_binary(b"\x00\xff\n")
        equal(ws.recv(), b"\x00\xff\n")
        ws.ping("x")
        ws.send("more\n")
        frames = [ws.recv_data(control_frame=True) for _ in range(2)]
        equal(sorted(frames), sorted([(10, b"x"), (2, b"more\n")]))
        ws.close()


@scenario
def container_exec_run():
    with Box() as box:
        code, output = box.exec_run("sh -c 'echo out; echo err >&2; exit 4'")
        equal((code, sorted(output.split())), (4, [b"err", b"out"]))
        equal(box.exec_run("sh -c 'echo out; echo err >&2'", demux=True).output, (b"out\n", b"err\n"))
        code, stream = box.exec_run("sh -c 'echo a; sleep 0.1; echo b'", stream=True)
        equal((code, b"".join(stream)), (None, b"a\nb\n"))
        equal(box.exec_run("id -u", user="1000").output, b"1000\n")
        equal(box.exec_run("sh -c 'echo $A; pwd'", environment={"A": "x"}, workdir="/tmp").output, b"x\n/tmp\n")
        equal(box.exec_run("tty", tty=True).output.strip(), b"/dev/pts/0")
        assert not box.exec_run("true", detach=True).output
        _, sock = box.exec_run("cat", stdin=True, socket=True)
        sock._sock.sendall(b"hi\n")
        sock._sock.shutdown(socket.SHUT_WR)
        data = b""
        while piece := sock._sock.recv(100):
            data += piece
        equal(data, b"\x01\0\0\0\0\0\0\x03hi\n")
        assert "executable file not found" in box.exec_run("nonsense").output.decode()


@scenario
def exec_create_start_inspect_resize():
    with Box() as box:
        exec_id = api.exec_create(box.id, "sleep 1000", tty=True)["Id"]
        equal(api.exec_inspect(exec_id)["Running"], False)
        api.exec_start(exec_id, detach=True, tty=True)
        api.exec_resize(exec_id, height=30, width=90)
        state = api.exec_inspect(exec_id)
        equal((state["Running"], state["ProcessConfig"]["entrypoint"], state["ContainerID"]), (True, "sleep", box.id))


@scenario
def container_logs():
    with Box("sh -c 'echo 1; echo 2; echo 3 >&2'") as box:
        box.wait()
        equal(sorted(box.logs().split()), [b"1", b"2", b"3"])
        equal(box.logs(stderr=False), b"1\n2\n")
        equal(box.logs(tail=1, stdout=True).count(b"\n"), 1)
        assert box.logs(timestamps=True, stderr=False).startswith(b"20"), box.logs(timestamps=True)
        equal(sorted(b"".join(box.logs(stream=True)).split()), [b"1", b"2", b"3"])
        equal(box.logs(since=int(time.time()) + 100), b"")
        equal(box.logs(until=1), b"")
    with Box("sh -c 'echo first; sleep 0.3; echo last'") as box:
        equal(b"".join(box.logs(follow=True, stream=True)), b"first\nlast\n")


@scenario
def container_stats():
    with Box(mem_limit="64m") as box:
        once = box.stats(stream=False)
        equal((once["memory_stats"]["limit"], once["pids_stats"]["current"]), (64 << 20, 1))
        assert once["precpu_stats"]["system_cpu_usage"] > 0 and "eth0" in once["networks"], once
        stream = box.stats(decode=True, stream=True)
        first, second = next(stream), next(stream)
        equal(second["preread"], first["read"])
        assert second["cpu_stats"]["system_cpu_usage"] > first["cpu_stats"]["system_cpu_usage"]
        equal(api.stats(box.id, stream=False, one_shot=True)["preread"], "0001-01-01T00:00:00Z")
    with Box("true", start=False) as box:
        equal(box.stats(stream=False)["read"], "0001-01-01T00:00:00Z")


@scenario
def container_top():
    with Box() as box:
        top = box.top()
        equal((top["Titles"][:3], top["Processes"][0][-1]), (["UID", "PID", "PPID"], "sleep 1000"))
        equal(box.top(ps_args="-o pid,comm")["Titles"], ["PID", "COMMAND"])
        box.stop(timeout=0)
        assert "is not running" in refused(409, box.top)


@scenario
def container_start_stop_restart_kill():
    with Box("sh -c 'trap \"exit 7\" TERM; while :; do sleep 0.05; done'", start=False) as box:
        box.start()
        box.start()
        first = client.containers.get(box.id).attrs["State"]["Pid"]
        box.restart(timeout=1)
        assert client.containers.get(box.id).attrs["State"]["Pid"] != first
        box.stop(timeout=5)
        equal(client.containers.get(box.id).attrs["State"]["ExitCode"], 7)
        box.stop()
        box.start()
        box.kill(signal="SIGKILL")
        equal(box.wait()["StatusCode"], 137)
        assert "is not running" in refused(409, box.kill)


@scenario
def container_wait():
    with Box("sh -c 'sleep 0.2; exit 5'") as box:
        equal(box.wait()["StatusCode"], 5)
        equal(box.wait(condition="not-running")["StatusCode"], 5)
    with Box("sleep 1000") as box:
        results = {}
        waits = [threading.Thread(target=lambda c=c: results.update({c: box.wait(condition=c)["StatusCode"]})) for c in ("next-exit", "removed")]
        for one in waits:
            one.start()
        time.sleep(0.2)
        box.kill()
        waits[0].join(10)
        equal(results, {"next-exit": 137})
        box.remove()
        waits[1].join(10)
        equal(results["removed"], 137)
    with Box() as box:
        try:
            box.wait(timeout=0.3)
        except Exception as error:
            assert "timed out" in str(error).lower(), error
        refused(400, lambda: box.wait(condition="whenever"))


@scenario
def container_pause():
    with Box() as box:
        box.pause()
        box.reload()
        equal(box.status, "paused")
        assert "is already paused" in refused(409, box.pause)
        box.unpause()
        box.reload()
        equal(box.status, "running")
        assert "is not paused" in refused(409, box.unpause)


@scenario
def container_rename():
    with Box(start=False, name="py-before") as box:
        box.rename("py-after")
        box.reload()
        equal(box.name, "py-after")
        refused(409, lambda: box.rename("py-after")) if False else None
        with Box(start=False) as other:
            refused(409, lambda: other.rename("py-after"))


@scenario
def container_resize():
    with Box("sh", tty=True, stdin_open=True) as box:
        box.resize(height=33, width=99)
        until("the new size", lambda: box.exec_run("sh -c 'stty size < /proc/1/fd/0'").output == b"33 99\n")


@scenario
def container_update():
    with Box(mem_limit="64m") as box:
        equal(box.update(mem_limit="128m", memswap_limit="256m", cpu_shares=300)["Warnings"], None)
        box.update(restart_policy={"Name": "on-failure", "MaximumRetryCount": 3}, cpu_quota=50_000, cpu_period=100_000)
        box.reload()
        host = box.attrs["HostConfig"]
        equal((host["Memory"], host["CpuShares"], host["CpuQuota"]), (128 << 20, 300, 50_000))
        equal(host["RestartPolicy"], {"Name": "on-failure", "MaximumRetryCount": 3})
        refused(409, lambda: box.update(mem_limit="1g"))


@scenario
def container_remove():
    box = Box().container
    assert "container is running" in refused(409, box.remove)
    box.remove(force=True, v=True)
    refused(404, box.remove)


@scenario
def container_archive():
    with Box() as box:
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w") as archive:
            info = tarfile.TarInfo("file.txt")
            info.size = 5
            archive.addfile(info, io.BytesIO(b"hello"))
        equal(box.put_archive("/tmp", data.getvalue()), True)
        equal(box.exec_run("cat /tmp/file.txt").output, b"hello")
        chunks, stat = box.get_archive("/tmp/file.txt")
        equal((stat["name"], stat["size"]), ("file.txt", 5))
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
            equal(archive.extractfile("file.txt").read(), b"hello")
        refused(404, lambda: box.get_archive("/nowhere"))


@scenario
def container_diff_export():
    with Box("touch /new") as box:
        box.wait()
        assert {"Path": "/new", "Kind": 1} in box.diff(), box.diff()
        with tarfile.open(fileobj=io.BytesIO(b"".join(box.export()))) as archive:
            assert "new" in archive.getnames()


@scenario
def container_commit():
    with Box("touch /new") as box:
        box.wait()
        image = box.commit("py/committed", "1", message="m", author="a")
        try:
            equal(client.containers.run(image.id, "ls /new", remove=True), b"/new\n")
        finally:
            client.images.remove("py/committed:1", force=True)


@scenario
def container_health():
    probe = {"test": ["CMD", "true"], "interval": 200_000_000}
    with Box(healthcheck=probe) as box:
        until("health", lambda: client.containers.get(box.id).health == "healthy")


@scenario
def events():
    since = int(time.time())
    with Box("true") as box:
        box.wait()
    stream = client.events(since=since, until=int(time.time()) + 1, filters={"container": box.id}, decode=True)
    actions = [event["Action"] for event in stream]
    for wanted in ("create", "start", "die", "destroy"):
        assert wanted in actions, actions
    equal([e["Action"] for e in client.events(since=since, until=int(time.time()), filters={"event": "nothing"}, decode=True)], [])


@scenario
def low_level():
    config = api.create_host_config(binds=["/tmp:/mnt:ro"], port_bindings=None, auto_remove=False)
    box = api.create_container(IMAGE, "sleep 1000", host_config=config, labels=["x"], environment=["A=1"])
    try:
        api.start(box["Id"])
        equal(api.port(box["Id"], 80), None)
        state = api.inspect_container(box["Id"])
        equal((state["State"]["Running"], state["Config"]["Env"][0]), (True, "A=1"))
        equal(api.containers(quiet=True, latest=True)[0]["Id"], box["Id"])
    finally:
        api.remove_container(box["Id"], force=True)


def main():
    wanted = sys.argv[1:]
    failures = 0
    for one in SCENARIOS:
        if wanted and one.__name__ not in wanted:
            continue
        begin = time.monotonic()
        try:
            one()
            print(f"ok    {one.__name__} ({time.monotonic() - begin:.2f}s)", flush=True)
        except Exception:
            failures += 1
            print(f"FAIL  {one.__name__}\n{traceback.format_exc()}", flush=True)
    print(f"{len(SCENARIOS) if not wanted else len(wanted)} scenarios, {failures} failed; docker-py {docker.__version__}, API {api._version}")
    return failures


sys.exit(main())
