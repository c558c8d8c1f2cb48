"""Says which libraries programs link when they are started, and fails when there are others than the C library's: each takes its
time, on every node, for every service. One is added where it stands beside no static twin, for example.

usage: linked_test.py PROGRAM...
"""

import re
import subprocess
import sys

MAY = re.compile(r"(libc|libm|ld-linux.*)\.so\.\d+")

failed = False
for program in sys.argv[1:]:
    entries = subprocess.run(["readelf", "--dynamic", program], capture_output=True, text=True, check=True).stdout
    needed = set(re.findall(r"\(NEEDED\).*\[(.+)\]", entries))
    others = sorted(each for each in needed if not MAY.fullmatch(each))
    failed |= not needed or bool(others)
    print(f"{program}: {', '.join(sorted(needed))}" + (f"; these may not be: {', '.join(others)}" if others else ""))
sys.exit(1 if failed else 0)
