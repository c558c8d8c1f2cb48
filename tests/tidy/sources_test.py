"""Holds every source file to the rules of CONTRIBUTING.md: who may include whom, what a core may
not touch, sizes and names. Prints one line for each breach and exits 1 if there is one.

usage: sources_test.py ROOT
"""

import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(sys.argv[1])
CODE = {".h", ".cc"}
TEXT = CODE | {".py", ".js", ".sh", ".proto", ".cmake", ".txt", ".md", ".yaml", ".json"}
LINES_MAX = 500
MAIN_LINES_MAX = 80

# Those of confab that are values; everything else of confab is shell.
VOCABULARY = {"time", "random", "backoff", "address", "charter", "fingerprint", "key_id", "plugin_user"}
# flock's packet codec is none of protobuf: it is the protocol, and runs in the simulator.
# What decides in confab.
CONFAB_CORES = {"peer_budget", "places", "traffic_ledger", "waiting_line"}
SHELL_STEM = re.compile(r"(?<!^packet)(_codec|_service|_driver)$|^pulled_stream$|^run$")
# Cores that are a vocabulary or a language of their own, and who may use them.
SHARED_CORES = {"registry": {"heartbeater", "reeve", "steward", "healthminder", "muster", "proctor", "trust"}, "khan": {"proctor"},
                "muster": {"steward"}, "trust": {"flock", "proctor", "reeve"}}
FORBIDDEN_STEM = re.compile(r"^(utils?|common|misc|types|helpers?|manager)$|_(utils?|manager|helpers?)$")

CORE_BANS = {
    r"#include <(thread|mutex|condition_variable|random|future|atomic)>": "threads and dice",
    r"::now\(|clock_gettime": "a clock",
    r"#include [<\"](grpc|google/protobuf|spdlog|yaml-cpp|sqlite3|nlohmann|CLI/)": "a shell's library",
    r"\.pb\.h": "generated code",
    r"#include <(sys/socket|unistd|fcntl|poll|sys/epoll)": "the system",
    r"flat_hash_map|unordered_(map|set)": "a container whose order varies",
}
EVERYWHERE_BANS = {
    r"\b(TODO|FIXME|XXX)\b": "leftover mark",
    r"#include <random>|absl::BitGen": "randomness that differs between machines: services/confab/random.h",
}
CLOCK_BAN = re.compile(r"(steady|system)_clock::now\(|clock_gettime")
MACHINE_PATH = re.compile(r"(?<![\w./])/(work|farm|root/\.pyenv)/|/tmp/b/")

NETWORK_BAN = re.compile(r"\b(ServerBuilder|Create(Custom)?Channel)\b")
# What Radix is measured against holds nothing of Radix.
PEERS = {"tests/bench/bare_server.cc"}
FUNCTION_LINES_MAX = 70
FUNCTION_START = re.compile(r" *.*(\)|const|override|noexcept|>) (-> .* )?\{$")
NO_FUNCTION = re.compile(r"\b(namespace|class|struct|enum|union)\b|^\s*//|^\s*(\} )?(if|else|for|while|do|switch|try|catch)\b")

# The sanitizers' builds compile the files of a library together: what is unnamed in two of them cannot have one name.
LIBRARY = re.compile(r"radix_(?:library|core)\((\w+)\s+SOURCES(.*?)(?:DEPS|\))", re.S)
SEPARATE = re.compile(r"set_target_properties\((\w+) PROPERTIES UNITY_BUILD OFF\)")
UNNAMED = re.compile(r"^namespace \{\n(.*?)^\}  // namespace$", re.S | re.M)
DEFINED = re.compile(r"^(?:(?:struct|class|enum class|enum) (\w+)|"
                     r"(?!namespace|using)[a-zA-Z][\w:<>,*& \[\]]*[ *&](\w+) ?[(={;])", re.M)

breaches = []


def breach(path, line, message):
    breaches.append(f"{path.relative_to(ROOT)}:{line}: {message}")


def tracked_files():
    """Every file of the tree. Walked rather than asked of git, which a fresh machine may not have."""
    found, folders = [], [ROOT]
    while folders:
        for entry in folders.pop().iterdir():
            if entry.is_dir() and not entry.is_symlink():
                if entry.name not in (".git", "build", "__pycache__"):
                    folders.append(entry)
            elif entry.is_file():
                found.append(entry)
    return sorted(found)


def part_of(path):
    """(kind, component) of a source file; kind is what the include rules are about."""
    parts = path.relative_to(ROOT).parts
    if path.stem.endswith("_test") or path.stem.startswith("fake_") or parts[0] == "tests":
        return "test", None
    if parts[0] == "services" and len(parts) > 2:
        component = parts[1]
        if component == "confab":
            if path.stem in CONFAB_CORES:
                return "core", component
            return ("vocabulary" if path.stem in VOCABULARY else "confab"), component
        return ("shell" if SHELL_STEM.search(path.stem) else "core"), component
    if parts[0] == "clients":
        return "cli" if parts[1] == "cli" else "client", None
    if parts[0] == "fulcrum":
        return "fulcrum", None
    return "other", None


def may_include(kind, component, included):
    """Whether a file of this kind may include the file named `included`, rooted at the tree."""
    parts = included.split("/")
    if parts[0] == "tests":
        return kind == "test"
    if parts[0] == "fulcrum":
        return kind in ("fulcrum", "test")
    if parts[0] == "clients":
        if kind == "client":
            return parts[1] == "cpp"
        return kind in ("shell", "cli", "test")
    if parts[0] != "services":
        return True
    target, stem = parts[1], parts[-1].removesuffix(".h")
    is_vocabulary = target == "confab" and stem in VOCABULARY
    if kind == "test" or is_vocabulary:
        return True
    if kind == "vocabulary":
        return False
    if kind == "confab":
        return target == "confab"
    if kind == "core" and component == "confab":
        return stem in CONFAB_CORES
    if kind == "core":
        return (target == component and not SHELL_STEM.search(stem)) or (
            target == "registry" and component in SHARED_CORES["registry"] and not SHELL_STEM.search(stem))
    if kind == "shell":
        return target in ("confab", component) or component in SHARED_CORES.get(target, ())
    if kind in ("client", "cli"):
        return target == "confab" or (target in ("registry", "trust") and (stem.endswith("_codec") or not SHELL_STEM.search(stem)))
    if kind == "fulcrum":
        return target == "confab" or stem == "run"
    return False


def check_functions(path, lines):
    """clang-format's indentation says where a function ends."""
    for start, line in enumerate(lines):
        if not FUNCTION_START.match(line) or NO_FUNCTION.search(line):
            continue
        # The line may only continue a signature; the body, one step deeper, says where it ends.
        body = next((later for later in lines[start + 1:] if later.strip()), "")
        end = " " * (len(body) - len(body.lstrip()) - 2) + "}"
        length = next((i for i, later in enumerate(lines[start + 1:], 2) if later.startswith(end)), 0)
        if length > FUNCTION_LINES_MAX:
            breach(path, start + 1, f"a function of {length} lines; at most {FUNCTION_LINES_MAX}")


def check_code(path, lines):
    check_functions(path, lines)
    kind, component = part_of(path)
    for number, line in enumerate(lines, 1):
        included = re.match(r'#include "((services|clients|fulcrum|tests)/[^"]+)"', line)
        if included and not may_include(kind, component, included.group(1)):
            breach(path, number, f"a {kind} file may not include {included.group(1)}")
        code = line.split("//")[0]
        if kind in ("core", "vocabulary"):
            for pattern, what in CORE_BANS.items():
                if re.search(pattern, code):
                    breach(path, number, f"a core may not use {what}: {code.strip()}")
        elif kind not in ("confab", "test"):
            if CLOCK_BAN.search(code):
                breach(path, number, "only confab reads the clock: services/confab/clock.h")
            if NETWORK_BAN.search(code) and str(path.relative_to(ROOT)) not in PEERS:
                breach(path, number, "only confab serves and dials: services/confab/serve.h, dial.h")
    if path.suffix == ".h" and "#pragma once" not in "\n".join(lines[:40]):
        breach(path, 1, "header without #pragma once")
    if path.name in ("main.cc", "run.cc") and len(lines) > MAIN_LINES_MAX:
        breach(path, len(lines), f"main and run read as a table of contents: at most {MAIN_LINES_MAX} lines")


def check(path):
    if path.suffix not in TEXT and path.name not in ("Makefile", "run"):
        return
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    if FORBIDDEN_STEM.search(path.stem):
        breach(path, 1, f"'{path.stem}' says nothing: name the one concept inside")
    if path.suffix in CODE | {".py", ".js"} and len(lines) > LINES_MAX:
        breach(path, len(lines), f"more than {LINES_MAX} lines: there is a second concept inside")
    if path.resolve() == pathlib.Path(__file__).resolve():
        return
    for number, line in enumerate(lines, 1):
        if MACHINE_PATH.search(line):
            breach(path, number, "a path of one machine")
        if path.suffix in CODE | {".py", ".js", ".sh", ".proto"}:
            for pattern, what in EVERYWHERE_BANS.items():
                if re.search(pattern, line if what == "leftover mark" else line.split("//")[0]):
                    breach(path, number, what)
    if path.suffix in CODE:
        check_code(path, lines)


def check_unnamed(path):
    text = path.read_text(encoding="utf-8")
    for name, sources in LIBRARY.findall(text):
        if name in SEPARATE.findall(text):
            continue
        seen = {}
        for source in re.findall(r"(?<=\s)[a-z][\w/]*\.cc", sources):
            code = (path.parent / source).read_text(encoding="utf-8")
            for defined in {a or b for space in UNNAMED.findall(code) for a, b in DEFINED.findall(space)}:
                if seen.setdefault(defined, source) != source:
                    breach(path.parent / source, 1, f"{defined}, unnamed, is in {seen[defined]} too: rename one")


def check_format(paths):
    tool = shutil.which("clang-format")
    if tool is None:
        print("clang-format is not there: the format was not checked")
        return
    done = subprocess.run([tool, "--dry-run", "-Werror", *map(str, paths)], cwd=ROOT,
                          capture_output=True, text=True)
    seen = set()
    for line in done.stderr.splitlines():
        found = re.match(r"(.+?):(\d+):\d+: error:", line)
        if found and found.group(1) not in seen:
            seen.add(found.group(1))
            breach(pathlib.Path(found.group(1)), int(found.group(2)), "not formatted: clang-format -i")


files = tracked_files()
for file in files:
    check(file)
    if file.name == "CMakeLists.txt" or file.suffix == ".cmake":
        check_unnamed(file)
check_format([file for file in files if file.suffix in CODE | {".proto"}])
print("\n".join(breaches) if breaches else f"{len(files)} files checked")
sys.exit(1 if breaches else 0)
