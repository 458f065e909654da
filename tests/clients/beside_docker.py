"""What the scripts share that run the same commands at our daemon and at Docker's: where do outcomes differ?"""
import json, tempfile

DOCKER = "/usr/local/bin/docker"
# the client makes directories in it
CONFIG_DIRECTORY = tempfile.TemporaryDirectory(prefix="lighter-config-")
CONFIG = CONFIG_DIRECTORY.name


def differences(a, b, path=""):
    if isinstance(a, dict) and isinstance(b, dict):
        for key in sorted({*a, *b}):
            if key not in a or key not in b:
                yield f"{path}.{key}: {'only ours: ' + json.dumps(a[key]) if key in a else 'only Docker: ' + json.dumps(b[key])}"
            else:
                yield from differences(a[key], b[key], f"{path}.{key}")
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for number, pair in enumerate(zip(a, b)):
            yield from differences(*pair, f"{path}[{number}]")
    elif a != b:
        yield f"{path}: {json.dumps(a)}, Docker {json.dumps(b)}"


def compare(ours, theirs, plain, settled=lambda value: value):
    """Outcomes are (status, stdout, stderr). `plain` and `settled` put what chance decides out of a text, and of what its JSON says."""
    for what, a, b in zip(("status", "stdout", "stderr"), ours, theirs):
        if what == "status":
            if a != b:
                yield f"status {a}, Docker {b}"
            continue
        a, b = plain(a), plain(b)
        if a == b:
            continue
        try:
            yield from differences(settled(json.loads(a)), settled(json.loads(b)))
        except ValueError:
            yield f"{what}:\n      {a.strip()!r}\n    Docker\n      {b.strip()!r}"
