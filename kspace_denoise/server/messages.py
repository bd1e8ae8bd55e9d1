"""Messages of the MRD streaming protocol, as bytes and back.

Each begins with its number, uint16; all is little-endian. See `doc/mrd_messages.md` of the ISMRMRD
project.
"""

import enum
import struct
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np

from kspace_denoise.formats.mrd.lines import ismrmrd
from kspace_denoise.scan import Numpy


class Id(enum.IntEnum):
    """What a message is."""

    CONFIG_FILE = 1
    CONFIG_TEXT = 2
    HEADER = 3
    CLOSE = 4
    TEXT = 5
    ACQUISITION = 1008
    IMAGE = 1022
    WAVEFORM = 1026


class Words(NamedTuple):
    """A message that is text: the name of a configuration, one itself, a header, or information."""

    id: Id
    text: str


class Close(NamedTuple):
    """The end of what one side has to say."""


class Acquisition(NamedTuple):
    """A readout: its header, and complex64 samples `(coils, samples)`."""

    head: Numpy
    samples: Numpy


class Image(NamedTuple):
    """An image `(coils, z, y, x)` with its header and its attributes, which are XML."""

    head: Numpy
    attributes: str
    data: Numpy


class Waveform(NamedTuple):
    """What a physiological sensor recorded."""

    head: bytes


Message: TypeAlias = Words | Close | Acquisition | Image | Waveform

_CONFIG_FILE = 1024
_WAVEFORM_HEAD = 40
_LENGTH, _LONG_LENGTH, _ID = struct.Struct("<I"), struct.Struct("<Q"), struct.Struct("<H")
_TYPES = {1: "<u2", 2: "<i2", 3: "<u4", 4: "<i4", 5: "<f4", 6: "<f8", 7: "<c8", 8: "<c16"}


class Stream(Protocol):
    """Where bytes come from."""

    def read(self, count: int, what: str) -> bytes:
        """Return so many bytes, or raise `ValueError` saying that there are not as many."""
        ...


class ProtocolError(ValueError):
    """What came is no message of the protocol, or a larger one than is allowed."""


def read_message(stream: Stream, largest: int) -> Message:
    """Read one message; none of more than `largest` bytes is received.

    Raises:
        ProtocolError: saying what came and what was expected.
    """
    (number,) = _ID.unpack(stream.read(_ID.size, "the number of a message"))
    if number not in set(Id):
        raise ProtocolError(
            f"a message of number {number} came; there is {', '.join(str(int(i)) for i in Id)}"
        )
    kind = Id(number)
    if kind is Id.CLOSE:
        return Close()
    if kind is Id.CONFIG_FILE:
        return Words(kind, _text(stream.read(_CONFIG_FILE, "the name of a configuration")))
    if kind is Id.ACQUISITION:
        return _acquisition(stream, largest)
    if kind is Id.IMAGE:
        return _image(stream, largest)
    if kind is Id.WAVEFORM:
        return _waveform(stream, largest)
    (length,) = _LENGTH.unpack(stream.read(_LENGTH.size, "the length of a text"))
    _check(length, largest, kind)
    return Words(kind, _text(stream.read(length, "a text")))


def write_words(words: Words) -> bytes:
    """Return a text as bytes."""
    encoded = words.text.encode()
    if words.id is Id.CONFIG_FILE:
        if len(encoded) >= _CONFIG_FILE:
            raise ValueError(f"the name of a configuration has {len(encoded)} bytes, at most 1023")
        return _ID.pack(words.id) + encoded.ljust(_CONFIG_FILE, b"\0")
    return _ID.pack(words.id) + _LENGTH.pack(len(encoded)) + encoded


def write_close() -> bytes:
    """Return the message that ends a session."""
    return _ID.pack(Id.CLOSE)


def write_acquisitions(heads: Numpy, samples: Numpy) -> bytes:
    """Return acquisitions `(n,)` with their samples `(n, coils, samples)` as so many messages."""
    number = _ID.pack(Id.ACQUISITION)
    data = np.ascontiguousarray(samples, "<c8")
    parts = [number + h.tobytes() + d.tobytes() for h, d in zip(heads, data, strict=True)]
    return b"".join(parts)


def write_image(image: Image) -> bytes:
    """Return an image as bytes."""
    attributes = image.attributes.encode()
    head = image.head.copy()
    head["attribute_string_len"] = len(attributes)
    length = _LONG_LENGTH.pack(len(attributes))
    return b"".join([_ID.pack(Id.IMAGE), head.tobytes(), length, attributes, image.data.tobytes()])


def image_type(data: Numpy) -> int:
    """Return the number by which the protocol calls the type of an array."""
    return next(number for number, kind in _TYPES.items() if data.dtype == kind)


def _acquisition(stream: Stream, largest: int) -> Acquisition:
    dtype = ismrmrd().hdf5.acquisition_header_dtype
    head = np.frombuffer(stream.read(dtype.itemsize, "the header of an acquisition"), dtype)[0]
    samples, coils = int(head["number_of_samples"]), int(head["active_channels"])
    along = 4 * samples * int(head["trajectory_dimensions"])
    _check(along + 8 * samples * coils, largest, Id.ACQUISITION)
    stream.read(along, "a trajectory")
    data = np.frombuffer(stream.read(8 * samples * coils, "the samples of a readout"), "<c8")
    return Acquisition(head, data.reshape(coils, samples))


def _image(stream: Stream, largest: int) -> Image:
    dtype = ismrmrd().hdf5.image_header_dtype
    head = np.frombuffer(stream.read(dtype.itemsize, "the header of an image"), dtype)[0]
    (length,) = _LONG_LENGTH.unpack(stream.read(_LONG_LENGTH.size, "the length of attributes"))
    if int(head["data_type"]) not in _TYPES:
        raise ProtocolError(f"an image has data of type {head['data_type']}, expected 1 to 8")
    kind = np.dtype(_TYPES[int(head["data_type"])])
    nx, ny, nz = (int(n) for n in head["matrix_size"])
    shape = (int(head["channels"]), nz, ny, nx)
    size = kind.itemsize * shape[0] * nz * ny * nx
    _check(length + size, largest, Id.IMAGE)
    attributes = _text(stream.read(length, "attributes"))
    return Image(
        head, attributes, np.frombuffer(stream.read(size, "an image"), kind).reshape(shape)
    )


def _waveform(stream: Stream, largest: int) -> Waveform:
    head = stream.read(_WAVEFORM_HEAD, "the header of a waveform")
    samples, channels = struct.unpack_from("<HH", head, _WAVEFORM_SIZES)
    _check(4 * samples * channels, largest, Id.WAVEFORM)
    stream.read(4 * samples * channels, "a waveform")
    return Waveform(head)


_WAVEFORM_SIZES = 28
"""Where the header of a waveform says how many samples and channels it has."""


def _check(size: int, largest: int, kind: Id) -> None:
    if size > largest:
        raise ProtocolError(
            f"a message ({kind.name.lower()}) of {size} bytes came, at most {largest} are taken"
        )


def _text(data: bytes) -> str:
    return data.rstrip(b"\0").decode(errors="replace")
