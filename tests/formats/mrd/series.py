"""ISMRMRD files made by the package ismrmrd itself, good and bad."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ismrmrd
import numpy as np

HEADER = """<?xml version="1.0" encoding="utf-8"?>
<ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD">
 <acquisitionSystemInformation><systemFieldStrength_T>0.55</systemFieldStrength_T>
  <relativeReceiverNoiseBandwidth>0.8</relativeReceiverNoiseBandwidth>
  <receiverChannels>3</receiverChannels></acquisitionSystemInformation>
 <experimentalConditions><H1resonanceFrequency_Hz>23417000</H1resonanceFrequency_Hz>
 </experimentalConditions>
 <encoding>
  <encodedSpace><matrixSize><x>{x}</x><y>{y}</y><z>{z}</z></matrixSize>
   <fieldOfView_mm><x>{fx}</x><y>220</y><z>5</z></fieldOfView_mm></encodedSpace>
  <reconSpace><matrixSize><x>10</x><y>{y}</y><z>1</z></matrixSize>
   <fieldOfView_mm><x>200</x><y>220</y><z>5</z></fieldOfView_mm></reconSpace>
  <encodingLimits><kspace_encoding_step_1><minimum>0</minimum><maximum>{last}</maximum>
   <center>{centre}</center></kspace_encoding_step_1></encodingLimits>
  <trajectory>{trajectory}</trajectory>
  <parallelImaging><accelerationFactor><kspace_encoding_step_1>2</kspace_encoding_step_1>
   <kspace_encoding_step_2>1</kspace_encoding_step_2></accelerationFactor>
   <calibrationMode>{mode}</calibrationMode></parallelImaging>
 </encoding>
</ismrmrdHeader>"""

X, Y, COILS = 20, 11, 3


def header(**changes: Any) -> str:
    said = {"x": X, "y": Y, "z": 1, "fx": 400, "last": Y - 1, "centre": Y // 2}
    return HEADER.format(**{**said, "trajectory": "cartesian", "mode": "embedded", **changes})


def samples(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)


def acquisition(data: np.ndarray, line: int = 0, flags: tuple[int, ...] = (), **fields: Any) -> Any:
    """Return an acquisition `(coils, samples)`; fields that are counters go into `idx`."""
    made = ismrmrd.Acquisition.from_array(data)
    made.center_sample = data.shape[-1] // 2
    made.sample_time_us = 4.0
    made.idx.kspace_encode_step_1 = line
    made.read_dir, made.phase_dir, made.slice_dir = (1, 0, 0), (0, 1, 0), (0, 0, 1)
    for name, value in fields.items():
        setattr(made.idx if hasattr(made.idx, name) else made, name, value)
    made.position = (0, 0, 6.0 * made.idx.slice)
    for flag in flags:
        made.set_flag(flag)
    return made


def image(kspace: np.ndarray, **fields: Any) -> Iterator[Any]:
    """Yield the lines of k-space `(coils, ky, kx)`."""
    for line in range(kspace.shape[1]):
        yield acquisition(kspace[:, line], line, **fields)


def write(path: Path, acquisitions: Any, xml: str | None = "", group: str = "dataset") -> Path:
    file = ismrmrd.Dataset(str(path), group)
    if xml is not None:
        file.write_xml_header((xml or header()).encode())
    for one in acquisitions:
        file.append_acquisition(one)
    file.close()
    return path
