"""``ptx ui``: the report's page for sweeps that are running, in a browser on this machine or through ssh."""

from __future__ import annotations

import argparse
import os
import secrets
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ptx.cli.parser import Parser
from ptx.errors import ConfigError, Problem
from ptx.hooks.host import get_host

if TYPE_CHECKING:
    from uvicorn import Config, Server

PORT, TRIES = 8765, 20
OUT = Path("ptx-out")
EXAMPLES = """\
examples:
  ptx ui                                   all sweeps below ./ptx-out
  ptx ui ptx-out/runs/train-sweep-1a2b3c4d one sweep
  ptx ui /big/disk/ptx-out --port 9000
  ssh -L 8765:localhost:8765 cluster       on your own machine; then open the address that ptx ui printed
  ptx ui --private                         on a machine that others use: nothing is shown without the token
  ptx ui --host 0.0.0.0 --name gpu7.lab    for the network, by that name; everything needs the token

The address that is printed has a token: with it the page has buttons that interrupt a sweep and run its
command again. On this machine reading needs none, unless you say --private. PTX_UI_TOKEN sets the token, so
that an open page keeps its buttons when ptx ui is started again. Ctrl-C ends ptx ui, and no sweep."""


def main(_verb: str, arguments: Sequence[str]) -> int:
    """Serve the page until Ctrl-C."""
    options = _parser().parse_args(list(arguments))
    root = _root(options.folder)
    try:
        import starlette  # noqa: F401
        import uvicorn
    except ImportError as error:
        raise ConfigError(
            Problem(f"ptx ui needs starlette and uvicorn ({error})", "pip install 'ptx[ui]'")
        ) from error
    from ptx.cli.ui.access import Rules, is_everywhere, is_loopback, names_of
    from ptx.cli.ui.app import Ui

    token = os.environ.get("PTX_UI_TOKEN") or secrets.token_urlsafe(24)
    names = [*options.name, options.host, *([socket.gethostname()] if is_everywhere(options.host) else [])]
    rules = Rules(token, options.private or not is_loopback(options.host), names_of(names))
    listening = _listen(options.host, options.port)
    held: list[uvicorn.Server] = []
    ui = Ui(root, rules, timed_evaluators(), lambda: held[0].should_exit)
    config = uvicorn.Config(
        ui.app(),
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=3,
    )
    _say(root, options, listening.getsockname()[1], token)
    _serve(config, held, listening)
    ui.builder.close()
    return 0


def _serve(config: Config, held: list[Server], listening: socket.socket) -> None:
    from uvicorn import Server

    held.append(Server(config))
    try:
        held[0].run([listening])
    except KeyboardInterrupt:
        print("ptx: the page has ended; sweeps go on")
    finally:
        listening.close()


def timed_evaluators() -> frozenset[str]:
    """The evaluators that run one after the other, because work beside them would disturb them."""
    choices = get_host().choices.values()
    return frozenset(
        one.name for one in choices if one.group == "eval" and getattr(one.config_type, "timed", False)
    )


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        "ptx ui",
        description="Show sweeps in a browser while they run: progress, curves, the front, failures.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "folder",
        metavar="FOLDER",
        type=Path,
        nargs="?",
        default=OUT,
        help="an output folder, a folder of sweeps, or a sweep; default: ptx-out",
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="the address to listen at; default: 127.0.0.1, this machine only"
    )
    parser.add_argument(
        "--port", type=int, help=f"the port; 0: any; default: {PORT}, or the next one that is free"
    )
    parser.add_argument(
        "--name",
        action="append",
        default=[],
        metavar="HOST",
        help="a further name under which a browser may ask, such as that of a proxy; may be given again",
    )
    parser.add_argument("--private", action="store_true", help="reading needs the token on this machine too")
    return parser


def _root(folder: Path) -> Path:
    """The folder to look in; a name below ptx-out/runs is one too. The first sweep may come later.

    Raises:
        ConfigError: there is none.
    """
    below = OUT / "runs" / folder
    for path in (folder, below):
        if path.is_dir():
            return path
    if folder == OUT:
        return folder
    raise ConfigError(Problem(f"no folder {folder}", "name an output folder or a sweep: ptx ui ptx-out"))


def _listen(host: str, port: int | None) -> socket.socket:
    """A socket that listens; without a given port, the next one that is free.

    Raises:
        ConfigError: the address or the port cannot be used.
    """
    if port is not None and not 0 <= port <= 65535:
        raise ConfigError(Problem(f"--port {port}: a port is a number from 0 to 65535", "--port 8765"))
    given = port is not None
    for number in [port] if port is not None else range(PORT, PORT + TRIES):
        try:
            family, kind, proto, _, address = socket.getaddrinfo(host, number, type=socket.SOCK_STREAM)[0]
            made = socket.socket(family, kind, proto)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(address)
            made.listen(64)
        except socket.gaierror as error:
            raise ConfigError(Problem(f"--host {host}: {error.strerror}", "--host 127.0.0.1")) from error
        except (OSError, OverflowError) as error:
            problem = Problem(f"--port {number}: {error}", "another --port, or 0 for any that is free")
            last = ConfigError(problem)
            if given:
                raise last from error
        else:
            return made
    raise last


def _say(root: Path, options: argparse.Namespace, port: int, token: str) -> None:
    """Print the address, and how to come to it from another machine."""
    from ptx.cli.ui.access import is_everywhere, is_loopback

    host = f"[{options.host}]" if ":" in options.host else options.host
    shown = options.name[0] if options.name else socket.gethostname() if is_everywhere(options.host) else host
    print(f"ptx ui   {root.resolve()}")
    print(f"open     http://{shown}:{port}/?token={token}")
    if is_loopback(options.host):
        print(f"via ssh  ssh -L {port}:localhost:{port} {socket.gethostname()}, then the same address")
    if not root.is_dir():
        print(
            "no sweep yet: the first one that is started in this folder appears; ptx ui FOLDER names another"
        )
    print("Ctrl-C ends it; sweeps go on", flush=True)
