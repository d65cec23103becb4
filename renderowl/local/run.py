"""`make run`: runs server and worker in the foreground."""

from __future__ import annotations

import os
import socket
import sys

from renderowl.local.processes import ProcessGroup, StartFailed, manage, server_command, worker_command


def main() -> int:
    """Prepare the database, print the first credentials, serve until a signal. Returns the exit status."""
    env = dict(os.environ)
    port_text = env.get("PORT", "8000")
    if not port_text.isdigit() or not 1 <= int(port_text) <= 65535:
        print(f"PORT must be a port number, not {port_text!r}.", file=sys.stderr)
        return 2
    port = int(port_text)
    group = ProcessGroup(env)
    group.catch_signals()
    try:
        _refuse_port_in_use(port)
        manage(["migrate", "--noinput"], env)
        print(manage(["first_run"], env), end="", flush=True)
        group.start("server", server_command(port))
        group.start("worker", worker_command())
        group.wait_until_serving(port)
        print(
            f"Renderowl serves on http://127.0.0.1:{port} (admin at /admin/, API reference at /api/docs/).", flush=True
        )
        print("Ctrl-C stops server and worker.", flush=True)
        if ended := group.watch():
            print(f"The {ended} ended by itself; stopping.", file=sys.stderr)
            return 1
        return 0
    except StartFailed as error:
        print(f"Renderowl could not start: {error}", file=sys.stderr)
        return 1
    finally:
        group.stop()


def _refuse_port_in_use(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise StartFailed(f"port {port} is taken; choose another with PORT=...") from error


if __name__ == "__main__":
    sys.exit(main())
