"""What decoders may do, for the workers to survive: imported by them, so a module of its own."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from pathlib import Path

from graft.errors import PictureError
from graft.images.checking import PictureFacts, check_picture

# The bytes of a "picture" say what its decoder does.
DEEDS = {}


def deed(function):
    DEEDS[function.__name__.encode()] = function
    return function


def decode(data, crop=None):
    """Do what the bytes say, perhaps with an argument behind a space; else answer them."""
    name, _, argument = data.partition(b" ")
    return DEEDS[name](argument.decode()) if name in DEEDS else data


def check(data, min_side, max_pixels, crop=None) -> PictureFacts:
    """As ``check_picture``, unless the bytes say what to do."""
    decode(data)
    return check_picture(data, min_side, max_pixels, crop)


def decode_in_size(data, image_size, max_pixels, crop=None, colour="rgb"):
    """As ``decode``, with the arguments of ``decode_picture``."""
    return decode(data)


@deed
def sleep(_):
    time.sleep(600)


@deed
def loop(_):
    while True:
        pass


@deed
def loop_in_c(_):
    """Hold the interpreter's lock for ever, out of reach of Python's signal handlers."""
    ctypes.PyDLL(None).sleep(600)


@deed
def crash(_):
    os.kill(os.getpid(), signal.SIGSEGV)


@deed
def abort(_):
    os.abort()


@deed
def be_killed(_):
    os.kill(os.getpid(), signal.SIGKILL)


@deed
def exit_at_once(_):
    os._exit(3)


@deed
def exit_politely(_):
    raise SystemExit(4)


@deed
def eat(_):
    eaten = bytearray()
    while True:
        eaten += bytes(2**20)


@deed
def take(megabytes):
    return len(bytearray(int(megabytes) * 2**20)) // 2**20


@deed
def complain(_):
    os.write(2, b"TIFFReadDirectory: Warning\n")
    os.write(1, b"libpng warning\n")
    return "complained"


@deed
def refuse(_):
    raise PictureError("I refuse")


@deed
def fail(_):
    raise LookupError("a defect of ours")


@deed
def tell_process(_):
    return os.getpid()


@deed
def remember(_):
    """Answer with how often this process was asked."""
    remember.count = getattr(remember, "count", 0) + 1
    return remember.count


@deed
def crash_once(path):
    """Crash where the file is not there yet."""
    if not Path(path).exists():
        Path(path).touch()
        crash(None)
    return "well"
