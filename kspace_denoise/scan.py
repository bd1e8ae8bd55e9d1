"""What a file holds once it is read: raw k-space (`Scan`) or images (`Images`)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import numpy as np

Numpy: TypeAlias = np.ndarray[Any, Any]

_SINGULAR = 1e-7  # of the largest eigenvalue: a covariance below cannot whiten


class Sliceable(Protocol):
    """What k-space must offer: `kspace[i]` and `kspace[:]` give numpy arrays."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of every axis."""
        ...

    @property
    def dtype(self) -> Any:
        """The numpy dtype."""
        ...

    def __len__(self) -> int: ...
    def __getitem__(self, key: Any, /) -> Any: ...


class LazySlices:
    """An array `(slices, ...)` whose slices are read, or computed, when they are asked for.

    `read_slice(i)` returns slice i; the first axis is indexed there, all others in memory. It can
    be pickled and sent to workers where `read_slice` can. Nothing is kept between reads.

    Raises:
        ValueError: when a slice that is read holds NaN or infinity, naming the slice.
    """

    def __init__(
        self, shape: tuple[int, ...], dtype: Any, read_slice: Callable[[int], Numpy]
    ) -> None:
        self.shape = tuple(int(n) for n in shape)
        self.dtype = np.dtype(dtype)
        self._read_slice = read_slice

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[Numpy]:
        return (self._checked(i) for i in range(len(self)))

    def __getitem__(self, key: Any) -> Numpy:
        first, *rest = key if isinstance(key, tuple) else (key,)
        if first is Ellipsis or first is None:
            return np.asarray(self._stack(range(len(self)))[key])
        chosen = np.arange(len(self))[first]
        if np.ndim(chosen) == 0:
            return np.asarray(self._checked(int(chosen))[tuple(rest)])
        return np.asarray(self._stack(chosen)[(slice(None), *rest)])

    def unchecked(self, index: int) -> Numpy:
        """Return a slice also where it holds NaN or infinity, to look into what is wrong."""
        return self._read_slice(index)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Numpy:
        if copy is False:
            raise ValueError("k-space that is read when asked for cannot be viewed without a copy")
        return np.asarray(self[:], dtype=dtype)

    def __repr__(self) -> str:
        return f"LazySlices(shape={self.shape}, dtype={self.dtype}, {self._read_slice!r})"

    def _stack(self, indices: Any) -> Numpy:
        stacked = np.empty((len(indices), *self.shape[1:]), self.dtype)
        for position, index in enumerate(indices):
            stacked[position] = self._checked(int(index))
        return stacked

    def _checked(self, index: int) -> Numpy:
        values = self._read_slice(index)
        check_finite(values, index)
        return values


def check_finite(values: Numpy, index: int) -> None:
    """Refuse a slice that holds NaN or infinity.

    Raises:
        ValueError: naming the slice and how many values are bad.
    """
    bad = values.size - int(np.count_nonzero(np.isfinite(values)))
    if bad:
        raise ValueError(
            f"slice {index} holds {bad} values of {values.size} that are NaN or infinite; "
            "leave this slice out or repair the data"
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class Scan:
    """Raw k-space of one scan and what is known about it.

    Attributes:
        kspace: complex `(slices, coils, ky, kx)`, DC at index n // 2; a numpy array, or
            `LazySlices` where it is read when asked for: `scan.kspace[i]`, `scan.kspace[:]`.
        mask: bool, True where sampled, broadcastable to `(slices, ky, kx)`; None: all sampled.
        noise_covariance: complex `(coils, coils)`, E[n_i conj n_j]; white noise of standard
            deviation sigma per real component has 2 sigma² I.
        noise_profile: standard deviation of the noise over the image, broadcastable to `(y, x)`,
            as a receiver filter leaves it: root mean square 1, so that the covariance is the mean
            over the field of view. None where flat.
        noise_spectrum: power of the noise over k-space, broadcastable to `(ky, kx)`, relative to
            the covariance: unequal averaging, a taper, 0 where nothing was acquired; mean 1 over
            the acquired samples. None where flat.
        field_strength: in tesla.
        readout_axis: -1, -2, or None where unknown or where both axes are phase-encoded.
        trajectory: float32 `(readouts, samples, 2)`, the position (ky, kx) of every sample in
            cycles per field of view, the same for all slices; k-space is then
            `(slices, coils, readouts, samples)`. None: Cartesian.
        image_shape: `(y, x)` of the images that a trajectory samples; None where Cartesian.
        header: whatever else the file says, by name.

    Raises:
        TypeError, ValueError: where these do not fit together.
    """

    kspace: Sliceable
    mask: Numpy | None = None
    noise_covariance: Numpy | None = None
    noise_profile: Numpy | None = None
    noise_spectrum: Numpy | None = None
    field_strength: float | None = None
    readout_axis: int | None = None
    trajectory: Numpy | None = None
    image_shape: tuple[int, int] | None = None
    header: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_kspace(self.kspace)
        _check_trajectory(self)
        _, coils, ky, kx = self.kspace.shape
        if self.mask is not None:
            object.__setattr__(self, "mask", _checked_mask(self.mask, self.kspace.shape))
        if self.noise_covariance is not None:
            covariance = np.asarray(self.noise_covariance)
            _check_covariance(covariance, coils)
            object.__setattr__(self, "noise_covariance", covariance)
        for name, axes in (("noise_profile", "(y, x)"), ("noise_spectrum", "(ky, kx)")):
            if getattr(self, name) is not None:
                relative = np.asarray(getattr(self, name))
                _check_broadcast(name, relative.shape, (ky, kx), axes)
                _check_relative(name, relative)
                object.__setattr__(self, name, relative)
        if self.field_strength is not None and not 0 < self.field_strength < np.inf:
            raise ValueError(
                f"field_strength is {self.field_strength}, expected tesla above zero or None"
            )
        if self.readout_axis not in (-1, -2, None):
            raise ValueError(f"readout_axis is {self.readout_axis!r}, expected -1, -2 or None")

    def slice_mask(self, index: int) -> Numpy | None:
        """Return the mask of one slice, broadcastable to `(ky, kx)`, or None."""
        if self.mask is None or self.mask.ndim < 3:
            return self.mask
        mask: Numpy = self.mask[index if len(self.mask) > 1 else 0]
        return mask


@dataclass(frozen=True, eq=False, kw_only=True)
class Images:
    """Reconstructed images and what is known about them.

    Attributes:
        data: complex, or real magnitude, `(slices, y, x)`; more axes may lead.
        sigma: noise standard deviation per real component, in the unit of `data`: a number, a
            map that broadcasts to `data`, or None where unknown.
        affine: `(4, 4)` voxel-to-world matrix in millimetres.
        bval: diffusion weighting per volume in s/mm².
        bvec: diffusion direction per volume, `(volumes, 3)`.
        header: whatever else the file says, by name.

    Raises:
        TypeError, ValueError: where these do not fit together.
    """

    data: Numpy
    sigma: float | Numpy | None = None
    affine: Numpy | None = None
    bval: Numpy | None = None
    bvec: Numpy | None = None
    header: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_images(self.data)
        if self.sigma is not None:
            sigma = np.asarray(self.sigma)
            _check_broadcast("sigma", sigma.shape, self.data.shape, "data")
            if not (np.isfinite(sigma).all() and (sigma >= 0).all()):
                raise ValueError("sigma holds values that are negative, NaN or infinite")


def _described(value: Any) -> str:
    dtype = getattr(value, "dtype", None)
    return f"a {type(value).__name__}" + ("" if dtype is None else f" of {dtype}")


def _check_kspace(kspace: Any) -> None:
    if not isinstance(getattr(kspace, "dtype", None), np.dtype):
        raise TypeError(f"kspace is {_described(kspace)}, expected a complex numpy array")
    if kspace.dtype not in (np.complex64, np.complex128):
        raise TypeError(
            f"kspace is {kspace.dtype}, expected complex64 or complex128: images or magnitudes "
            "cannot stand in for k-space"
        )
    if len(kspace.shape) != 4 or 0 in kspace.shape:
        raise ValueError(
            f"kspace has shape {tuple(kspace.shape)}, expected (slices, coils, ky, kx); add an "
            "axis of length 1 for a single slice or a single coil"
        )
    if isinstance(kspace, np.ndarray):
        _check_all_finite(kspace)
        if not kspace.any():
            raise ValueError("kspace holds zeros only")


def _check_images(data: Any) -> None:
    if not isinstance(data, np.ndarray) or data.dtype.kind not in "fc":
        raise TypeError(f"data is {_described(data)}, expected a complex or floating numpy array")
    if data.ndim < 3 or 0 in data.shape:
        raise ValueError(f"data has shape {data.shape}, expected (slices, y, x)")
    _check_all_finite(data)


def _check_all_finite(data: Numpy) -> None:
    for index, values in enumerate(data):
        check_finite(values, index)


def _check_trajectory(scan: Scan) -> None:
    if scan.trajectory is None:
        if scan.image_shape is not None:
            raise ValueError("image_shape belongs to a trajectory, and this scan is Cartesian")
        return
    trajectory, grid = np.asarray(scan.trajectory), scan.kspace.shape[2:]
    if trajectory.shape != (*grid, 2) or trajectory.dtype.kind != "f":
        raise ValueError(
            f"trajectory is {trajectory.dtype} {trajectory.shape}, but k-space has {grid} "
            f"(readouts, samples): expected real numbers {(*grid, 2)}, the last axis (ky, kx)"
        )
    if not np.isfinite(trajectory).all():
        raise ValueError("trajectory holds NaN or infinite values")
    shape: Any = scan.image_shape
    if shape is None or len(shape) != 2 or min(shape) < 1:
        raise ValueError(
            f"image_shape is {shape}, expected (y, x), two positive numbers: the size "
            "of the images that the trajectory samples"
        )
    for name in ("mask", "noise_profile", "noise_spectrum"):
        if getattr(scan, name) is not None:
            raise ValueError(f"{name} belongs to a Cartesian grid, and this scan has a trajectory")


def _checked_mask(mask: Any, shape: tuple[int, ...]) -> Numpy:
    slices, _, ky, kx = shape
    mask = np.asarray(mask)
    if mask.ndim == 1 and mask.size not in (1, kx):
        raise ValueError(
            f"mask has {mask.size} values, but the k-space has {kx} columns (kx); "
            f"a mask of its {ky} rows (ky) has shape ({ky}, 1)"
        )
    _check_broadcast("mask", mask.shape, (slices, ky, kx), "(slices, ky, kx)")
    if mask.dtype != np.bool_ and not np.isin(mask, (0, 1)).all():
        raise ValueError(
            "mask holds values other than 0 and 1; a mask says which points are sampled"
        )
    if not mask.any():
        raise ValueError("mask holds zeros only: no point is sampled")
    return np.asarray(mask, dtype=np.bool_)


def _check_broadcast(name: str, given: tuple[int, ...], wanted: tuple[int, ...], of: str) -> None:
    try:
        fits = np.broadcast_shapes(given, wanted) == wanted
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"{name} has shape {given}, which does not fit {of} = {wanted}")


def _check_relative(name: str, values: Numpy) -> None:
    if values.dtype.kind not in "fiu" or not (np.isfinite(values).all() and (values >= 0).all()):
        raise ValueError(f"{name} must be real, finite and not negative")
    if not values.any():
        raise ValueError(f"{name} holds zeros only: no noise at all")


def _check_covariance(covariance: Numpy, coils: int) -> None:
    if covariance.shape != (coils, coils):
        raise ValueError(
            f"noise_covariance has shape {covariance.shape}, but the k-space has {coils} coils: "
            f"expected ({coils}, {coils})"
        )
    if not np.isfinite(covariance).all():
        raise ValueError("noise_covariance holds NaN or infinite values")
    scale = np.abs(covariance).max()
    if np.abs(covariance - covariance.conj().T).max() > 1e-5 * scale:
        raise ValueError("noise_covariance is not Hermitian, so it is not a covariance")
    values = np.linalg.eigvalsh(covariance)
    if not values[0] > _SINGULAR * values[-1]:
        raise ValueError(
            f"noise_covariance is not positive definite (eigenvalues {values[0]:.3g} to "
            f"{values[-1]:.3g}): remove dead or duplicate coils, or measure it with more samples"
        )
