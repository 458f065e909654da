"""Takes the pulls out of bollard's tests: `let _ = &docker.create_image(...)....await?;` becomes nothing."""

import pathlib
import re
import sys

# also one that is never awaited, and no statement more
PULL = re.compile(r"let _ = &?docker\s*\.create_image\([^;]*?;", re.S)
for path in pathlib.Path(sys.argv[1]).rglob("*.rs"):
    text = path.read_text()
    changed = PULL.sub("", text)
    if changed != text:
        path.write_text(changed)
        print(f"{path}: {len(PULL.findall(text))} pulls taken out")
