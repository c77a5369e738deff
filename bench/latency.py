"""A TCP proxy that simulates network latency: it delays all data by half a round trip in each direction."""

import asyncio
import threading
from typing import Self


class Latency:
    """Forwards loopback connections to a port of the loopback interface, with added latency.

    Bandwidth is not limited: data in flight does not wait for other data.
    """

    def __init__(self, port: int, *, round_trip_seconds: float) -> None:
        self._target = port
        self._delay = round_trip_seconds / 2
        self._loop = asyncio.new_event_loop()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self._listening.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._accept, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            target_reader, target_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.close()
            return
        await asyncio.gather(self._forward(reader, target_writer), self._forward(target_reader, writer))

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(1 << 18):
                self._loop.call_later(self._delay, self._write, writer, chunk)
        except OSError:
            pass
        finally:
            self._loop.call_later(self._delay, writer.close)

    @staticmethod
    def _write(writer: asyncio.StreamWriter, chunk: bytes) -> None:
        if not writer.is_closing():
            writer.write(chunk)
