"""Structured interference of an unshielded room, in the coils and in external detectors.

Sources outside the scanner reach every receiver with a complex weight of its own; the receiver
then rings. Nothing outside is synchronous with the acquisition: every readout starts at random
phases. Such data are what reference-channel methods remove (Srinivas et al., Magn. Reson. Med.
87:614, 2022: EDITER).
"""

import math
from typing import Any, NamedTuple

import numpy as np

from kspace_denoise.arrays import Array
from kspace_denoise.random import Seed, numpy_generator
from kspace_denoise.sim.coil_data import check_coil_data
from kspace_denoise.sim.distribution import positive_number
from kspace_denoise.sim.readouts import check_readout_axis, from_readouts, readout_shape
from kspace_denoise.sim.room import Room

Samples = np.ndarray[Any, Any]


class Interference(NamedTuple):
    """K-space with interference, what the detectors received, and what was done.

    Attributes:
        kspace: `(..., coils, ky, kx)`.
        detectors: `(..., detectors, ky, kx)`, sampled together with the coils.
        record: ready for JSON; for each source its kind, frequency (cycles per sample, None for
            broadband) and expected power E|x|^2 in every coil and every detector.
    """

    kspace: Array
    detectors: Array
    record: dict[str, Any]


class Couplings(NamedTuple):
    """How sources reach receivers: weights (slices, encodings, receivers, sources), responses.

    The response `(receivers, taps)` is that of the receiver, the same for all sources, of unit
    energy; `power` `(receivers, sources)` is the expected power of each source in each receiver.
    """

    weights: Samples
    responses: Samples
    power: Samples


def interference(
    kspace: Array,
    sigma: float,
    seed: Seed,
    *,
    readout_axis: int,
    room: Room | None = None,
    couplings_seed: Seed | None = None,
) -> Interference:
    """Add the interference of a room to k-space and record it with external detectors.

    A line of frequency f multiplies its source by exp(2 pi i f t) at sample t of the readout, and
    so lies at pixel n // 2 - f n of the image along the readout axis. It fills the image along
    phase encoding, because its phase is random in every readout. The interference is added to
    all of k-space: multiply the result by the mask of what was acquired. It holds no thermal
    noise of the coils: see `add_noise`.

    Args:
        kspace: complex `(..., coils, ky, kx)`, in the order of acquisition along phase encoding
            and the leading axes, over which the couplings wander.
        sigma: standard deviation of the interference per real component, in the unit of
            `kspace`; E|x|^2 = 2 sigma^2, averaged over coils and readouts. The detectors receive
            the same power, and their thermal noise on top.
        seed: integer or numpy generator.
        readout_axis: -1 or -2, along which axis the receiver samples in time.
        room: the sources and detectors.
        couplings_seed: of how the sources couple to coils and detectors, the same for all slices
            of a scan that are simulated one at a time; None: drawn from `seed` as well. Every call
            is a scan of its own: the couplings wander all the way in each such slice, and begin
            anew in the next.

    Raises:
        TypeError: if the k-space is not complex, or sigma no number.
        ValueError: if k-space, sigma or readout axis do not fit.
    """
    check_coil_data(kspace, "k-space")
    check_readout_axis(readout_axis)
    positive_number(sigma, "sigma")
    room = Room() if room is None else room
    generator = numpy_generator(seed)
    fixed = generator if couplings_seed is None else numpy_generator(couplings_seed)
    shape = readout_shape(kspace, readout_axis)
    groups = (
        draw_couplings(room, kspace.shape[-3], room.ringing, shape[:2], fixed),
        draw_couplings(room, room.detectors, room.detector_ringing, shape[:2], fixed),
    )
    taps = max(group.responses.shape[-1] for group in groups)
    received: list[list[Samples]] = [[], []]
    for index in range(shape[0]):
        sources = draw_sources(room, shape[1], shape[2] + taps - 1, generator)
        for channels, group in zip(received, groups, strict=True):
            heard = _receive(sources, group.weights[index], group.responses)
            channels.append(heard[..., -shape[2] :])
    scale = math.sqrt(2) * sigma
    in_coils, detected = (scale * np.stack(channels) for channels in received)
    thermal: Samples = generator.standard_normal((*detected.shape, 2)).view(np.complex128)[..., 0]
    return Interference(
        kspace + from_readouts(in_coils, kspace, readout_axis),
        from_readouts(
            detected + sigma * room.detector_noise * thermal, kspace, readout_axis, room.detectors
        ),
        _record(room, sigma, readout_axis, [2 * sigma**2 * group.power for group in groups]),
    )


def draw_sources(
    room: Room, encodings: int, samples: int, generator: np.random.Generator
) -> Samples:
    """Return the sources (encodings, sources, samples) of one slice, each of unit power."""
    time = np.arange(samples)
    drawn = []
    for line in room.lines:
        frequency = line + room.drift * generator.standard_normal((encodings, 1))
        gain = 1 - room.modulation + room.modulation * generator.exponential(size=(encodings, 1))
        turns = frequency * time + generator.random((encodings, 1))
        drawn.append(np.sqrt(gain) * np.exp(2j * np.pi * turns))
    pairs = generator.standard_normal((room.broadband, encodings, samples, 2))
    white = pairs.view(np.complex128)[..., 0] * math.sqrt(0.5)
    return np.stack([*drawn, *white], axis=1)


def draw_couplings(
    room: Room,
    receivers: int,
    ringing: float,
    readouts: tuple[int, int],
    generator: np.random.Generator,
) -> Couplings:
    """Return the couplings of a group of receivers, scaled to unit power on average over them."""
    sources = len(room.lines) + room.broadband
    pairs = generator.standard_normal((2, receivers, sources, 2)).view(np.complex128)[..., 0]
    responses = _responses(ringing, receivers, generator)
    when = np.linspace(-1, 1, math.prod(readouts)) if math.prod(readouts) > 1 else np.zeros(1)
    weights = pairs[0] + room.wander * when.reshape(*readouts, 1, 1) * pairs[1]
    lines = np.array(room.lines)[:, None]
    tones = np.exp(-2j * np.pi * lines * np.arange(responses.shape[-1]))
    gain = np.ones((receivers, sources))
    gain[:, : len(room.lines)] = np.abs(responses @ tones.T) ** 2
    power = np.mean(np.abs(weights) ** 2, axis=(0, 1)) * gain
    level = np.array(room.shares) / np.mean(power, axis=0)
    return Couplings(weights * np.sqrt(level), responses, power * level)


def _responses(ringing: float, receivers: int, generator: np.random.Generator) -> Samples:
    """Return the responses of resonant receivers, detuned by up to a fifth of their width."""
    if ringing == 0:
        return np.ones((receivers, 1), np.complex128)
    taps = np.arange(math.ceil(6 * ringing) + 1)
    detuning = generator.uniform(-0.2, 0.2, (receivers, 1))
    responses = np.exp((-1 + 1j * detuning) * taps / ringing)
    scaled: Samples = responses / np.linalg.norm(responses, axis=-1, keepdims=True)
    return scaled


def _receive(sources: Samples, weights: Samples, responses: Samples) -> Samples:
    """Return (receivers, encodings, samples): weighted sums of the sources, ringing on."""
    mixed = np.swapaxes(weights @ sources, 0, 1)
    taps = responses.shape[-1]
    samples = mixed.shape[-1] - taps + 1
    received = np.zeros((*mixed.shape[:-1], samples), np.complex128)
    for tap in range(taps):
        start = taps - 1 - tap
        received += responses[:, tap, None, None] * mixed[..., start : start + samples]
    return received


def _record(room: Room, sigma: float, readout_axis: int, power: list[Samples]) -> dict[str, Any]:
    kinds = ["line"] * len(room.lines) + ["broadband"] * room.broadband
    frequencies = [*room.lines, *(None for _ in range(room.broadband))]
    sources = [
        {
            "kind": kind,
            "frequency": frequency,
            "coil_power": power[0][:, index].tolist(),
            "detector_power": power[1][:, index].tolist(),
        }
        for index, (kind, frequency) in enumerate(zip(kinds, frequencies, strict=True))
    ]
    return {
        "sigma": float(sigma),
        "readout_axis": readout_axis,
        "detector_sigma": float(sigma * room.detector_noise),
        "room": room.record(),
        "sources": sources,
    }
