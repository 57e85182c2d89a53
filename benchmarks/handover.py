"""Lost requests while servers follow each other on one inherited listening socket: would the front be needed?

    python -m benchmarks.handover

Each server is uvicorn; the socket stays open in this process. Clients that keep their connections send without a pause.
"""

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time

SWAPS = 12
CLIENTS = 16
SERVER = """
import asyncio, socket, sys
import uvicorn

close = [(b"connection", b"close")] if sys.argv[2] == "close" else []


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": message["type"] + ".complete"})
        return await send({"type": "lifespan.shutdown.complete"})
    await receive()
    await asyncio.sleep(0.01)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2"), *close]})
    await send({"type": "http.response.body", "body": b"ok"})


uvicorn.Server(uvicorn.Config(app, log_config=None)).run(sockets=[socket.socket(fileno=int(sys.argv[1]))])
"""


def measure(mode: str) -> tuple[int, int]:
    """Return the answered and the lost requests. `mode`: `keep` or `close`, what servers do with a connection."""
    answered, lost, stop = [0], [0], threading.Event()
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as public:
        os.set_inheritable(public.fileno(), True)
        port = public.getsockname()[1]

        def start() -> "subprocess.Popen[bytes]":
            command = [sys.executable, "-c", SERVER, str(public.fileno()), mode]
            return subprocess.Popen(command, pass_fds=[public.fileno()])

        def ask() -> None:
            connection = None
            while not stop.is_set():
                try:
                    connection = connection or http.client.HTTPConnection("127.0.0.1", port, timeout=20)
                    connection.request("POST", "/", b"x" * 200)
                    answer = connection.getresponse()
                    answer.read()
                    answered[0] += 1
                    connection = None if answer.will_close else connection
                except (OSError, http.client.HTTPException):
                    lost[0] += 1
                    connection = None

        server = start()
        time.sleep(2)
        clients = [threading.Thread(target=ask) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        for _ in range(SWAPS):
            successor = start()
            time.sleep(1.5)
            server.send_signal(signal.SIGTERM)
            server.wait()
            server = successor
        stop.set()
        for client in clients:
            client.join()
        server.terminate()
        server.wait()
    return answered[0], lost[0]


if __name__ == "__main__":
    for mode in ("keep", "close"):
        done, missing = measure(mode)
        print(f"{mode}: {done} answered, {missing} lost in {SWAPS} changes of the server")
