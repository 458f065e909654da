#!/usr/bin/env python3
"""Times pull, push and re-push side by side, interleaved, and the daemons' peak memory during a pull.

  bench/registry.py --registry 127.0.0.1:5000 \\
    --engine docker=/opt/peers/bin/docker,unix:///opt/peers/run/docker.sock,PID \\
    --engine ours=target/x86_64-unknown-linux-gnu/release/lighter,unix:///tmp/lighter-bench/sock,PID \\
    IMAGE...

Every IMAGE is a name in the registry (`t/deb:1`). Pushes go to names that are new each time, so that nothing is there.
Data roots belong on tmpfs. Only ratios of one run mean something.
"""
import argparse, os, statistics, subprocess, threading, time


def run(engine, *args):
    program, host, _ = engine
    env = dict(os.environ, DOCKER_HOST=host, DOCKER_CONFIG="/tmp/lighter-bench-config")
    begin = time.monotonic()
    done = subprocess.run([program, *args], env=env, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{program} {' '.join(args)}: {done.stderr}")
    return time.monotonic() - begin


def memory(pid):
    for line in open(f"/proc/{pid}/smaps_rollup"):
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0


def peak(pid, work):
    before, most, over = memory(pid), 0, threading.Event()

    def watch():
        nonlocal most
        while not over.is_set():
            most = max(most, memory(pid))
            time.sleep(0.02)

    thread = threading.Thread(target=watch)
    thread.start()
    work()
    over.set()
    thread.join()
    return most - before


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--registry", default="127.0.0.1:5000")
    parser.add_argument("--engine", action="append", required=True, help="NAME=PROGRAM,HOST[,PID]")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("images", nargs="+")
    given = parser.parse_args()
    engines = {}
    for text in given.engine:
        name, rest = text.split("=", 1)
        engines[name] = (rest.split(",") + [None])[:3]
    rows = {}
    for image in given.images:
        name = f"{given.registry}/{image}"
        for i in range(given.rounds):
            for who, engine in engines.items():
                target = f"{given.registry}/bench/{who}{os.getpid()}x{i}/{image.replace(':', '-')}:1"
                add = lambda what, value: rows.setdefault((image, what), {}).setdefault(who, []).append(value)
                subprocess.run([engine[0], "rmi", "-f", name], env=dict(os.environ, DOCKER_HOST=engine[1]), capture_output=True)
                time.sleep(0.5)
                if i == 0 and engine[2]:
                    add("peak MB above idle", peak(int(engine[2]), lambda: add("pull s", run(engine, "pull", "-q", name))))
                else:
                    add("pull s", run(engine, "pull", "-q", name))
                run(engine, "tag", name, target)
                add("push s (mounted)", run(engine, "push", "-q", target))
                add("re-push s", run(engine, "push", "-q", target))
                run(engine, "rmi", target)
    first = next(iter(engines))
    for (image, what), values in rows.items():
        medians = {who: statistics.median(all) for who, all in values.items()}
        shown = "  ".join(f"{who} {m:.3f} ({m / medians[first]:.2f}×)" for who, m in medians.items())
        print(f"{image:20} {what:22} {shown}")


if __name__ == "__main__":
    main()
