"""Drives an echo server with the websockets package.

Usage: echo.py <url> <largest message the server accepts, in bytes>
"""

import asyncio
import json
import sys
import time

import websockets

CHECK_DEADLINE_SECONDS = 15
CONNECTIONS = 20
MESSAGES = 50
SIZES = [0, 125, 126, 65_535, 65_536, 1_048_576]

URL, LIMIT = sys.argv[1], int(sys.argv[2])


def connect():
    return websockets.connect(URL, max_size=None)


def expect(condition, message):
    # Not an assert statement: those vanish under python -O.
    if not condition:
        raise AssertionError(message)


def pattern(size):
    """A period of 251 is prime, so a shifted, repeated or lost piece shows."""
    return (bytes(range(251)) * (size // 251 + 1))[:size]


async def expect_echo(ws, payload):
    await ws.send(payload)
    await expect_message(ws, payload)


async def expect_message(ws, payload):
    got = await ws.recv()
    expect(type(got) is type(payload), f"{type(got).__name__} came back")
    expect(got == payload, f"{len(got)} came back, not the {len(payload)} sent")


def expect_close(ws, code, *reasons):
    """Checks a close against the code and the reasons that are right."""
    expect(ws.close_code == code, f"close code {ws.close_code}, expected {code}")
    expect(ws.close_reason in reasons, f"close reason {ws.close_reason!r}")


async def text():
    async with connect() as ws:
        await expect_echo(ws, "κόσμε, hello, 你好, 👋")


async def binary():
    async with connect() as ws:
        await expect_echo(ws, b"\x00\xff\x80\n\r")


def payload(size):
    async def check():
        async with connect() as ws:
            await expect_echo(ws, pattern(size))
            await expect_echo(ws, "x" * size)

    return check


async def fragmented():
    async with connect() as ws:

        async def pieces():
            yield "zwölf "
            pong = await ws.ping(b"between")
            await pong
            yield ""
            yield "Boxkämpfer"

        await ws.send(pieces())
        await expect_message(ws, "zwölf Boxkämpfer")


async def ping():
    async with connect() as ws:
        # The returned future completes only for a pong with the same body.
        for body in (b"tandem", b"p" * 125):
            pong = await ws.ping(body)
            await pong


async def close():
    async with connect() as ws:
        await ws.close(4000, "going home")
        # An answer repeats the code (RFC 6455 section 5.5.1); the reason is optional.
        expect_close(ws, 4000, "going home", "")


async def server_close():
    async with connect() as ws:
        await ws.send("close me")
        await ws.wait_closed()
        expect_close(ws, 4001, "bye")


async def too_large():
    async with connect() as ws:
        try:
            await ws.send(pattern(LIMIT + 1))
        except websockets.ConnectionClosed:
            pass  # The server may refuse at the header, before the send is done.
        await ws.wait_closed()
        expect(ws.close_code == 1009, f"close code {ws.close_code}, expected 1009")


async def concurrent():
    async def one(number):
        async with connect() as ws:
            messages = [f"connection {number} message {i}" for i in range(MESSAGES)]
            for message in messages:
                await ws.send(message)
            for message in messages:
                await expect_message(ws, message)
        expect_close(ws, 1000, "")

    await asyncio.gather(*(one(number) for number in range(CONNECTIONS)))


CHECKS = [
    ("text", text),
    ("binary", binary),
    *((f"payload-{size}", payload(size)) for size in SIZES),
    ("fragmented", fragmented),
    ("ping", ping),
    ("close", close),
    ("server-close", server_close),
    ("too-large", too_large),
    ("concurrent", concurrent),
]


async def main():
    failed = False
    for name, check in CHECKS:
        line = {"check": name, "ok": True}
        started = time.monotonic()
        try:
            await asyncio.wait_for(check(), CHECK_DEADLINE_SECONDS)
        except asyncio.TimeoutError:
            line["error"] = f"not done within {CHECK_DEADLINE_SECONDS} s"
        except Exception as error:  # Whatever went wrong is this check's result.
            line["error"] = f"{type(error).__name__}: {error}"
        if "error" in line:
            failed = True
            line["ok"] = False
        line["ms"] = round((time.monotonic() - started) * 1000)
        print(json.dumps(line), flush=True)
    return 1 if failed else 0


sys.exit(asyncio.run(main()))
