"""The root sum of squares that fastMRI files hold beside their k-space, as its target."""

import h5py
import numpy as np

from kspace_denoise.crop import centre_crop, recon_matrix
from kspace_denoise.fourier import ifft2c
from kspace_denoise.scan import Numpy, Scan


class RssWriter:
    """Writes `reconstruction_rss`, `max` and `norm` of fully sampled Cartesian k-space.

    Its images have the size that the header asks for, as those of fastMRI, else that of k-space.
    Of any other scan nothing is written: its images take a reconstruction.
    """

    def __init__(self, file: h5py.File, scan: Scan) -> None:
        self._file, self._scan = file, scan
        self._maximum, self._power = 0.0, 0.0
        full = scan.mask is None or bool(np.all(scan.mask))
        self._dataset: h5py.Dataset | None = None
        if full and scan.trajectory is None and "reconstruction_rss" not in file:
            self._shape = _image_shape(scan)
            shape = (len(scan.kspace), *self._shape)
            self._dataset = file.create_dataset("reconstruction_rss", shape, np.float32)

    def write(self, index: int, kspace: Numpy) -> None:
        """Write the image of a slice `(coils, ky, kx)`."""
        if self._dataset is None:
            return
        images = centre_crop(ifft2c(kspace), self._shape)
        power = np.sum(images.real**2 + images.imag**2, axis=0)
        self._dataset[index] = np.sqrt(power)
        self._maximum = max(self._maximum, float(np.sqrt(power.max())))
        self._power += float(np.sum(power, dtype=np.float64))

    def finish(self) -> None:
        """Write the attributes of the whole volume, unless the header has its own."""
        if self._dataset is not None:
            for name, value in (("max", self._maximum), ("norm", float(np.sqrt(self._power)))):
                if name not in self._scan.header:
                    self._file.attrs[name] = value


def _image_shape(scan: Scan) -> tuple[int, int]:
    """Return `(y, x)` as the header says, where that is a part of the field of view."""
    grid = scan.kspace.shape[-2], scan.kspace.shape[-1]
    try:
        asked = recon_matrix(scan)
    except ValueError:
        return grid
    fits = all(0 < n <= m for n, m in zip(asked, grid, strict=True))
    return asked if fits else grid
