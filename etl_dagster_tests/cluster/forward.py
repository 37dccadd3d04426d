"""Pass TCP connections on: `python forward.py LISTEN:PORT=TARGET:PORT ...`, until it is killed.

Belongs here: this alone, without the project, so that it starts at once.
"""

import asyncio
import contextlib
import sys


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()


async def _serve(listen: str, target: str) -> None:
    host, port = target.split(":")

    async def passed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            onward = await asyncio.open_connection(host, int(port))
        except OSError:
            writer.close()
            return
        await asyncio.gather(_pump(reader, onward[1]), _pump(onward[0], writer))

    address, listening = listen.split(":")
    server = await asyncio.start_server(passed_on, address, int(listening))
    await server.serve_forever()


async def _main() -> None:
    await asyncio.gather(*(_serve(*pair.split("=")) for pair in sys.argv[1:]))


asyncio.run(_main())
