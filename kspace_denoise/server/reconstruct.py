"""From the acquisitions of an image to the images that are sent back."""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import numpy as np

from kspace_denoise.crop import centre_crop, recon_matrix, remove_oversampling
from kspace_denoise.formats.mrd.lines import ismrmrd
from kspace_denoise.pipeline import AnyDenoiser, Denoised, denoise_slices
from kspace_denoise.scan import Numpy, Scan
from kspace_denoise.server.groups import Group, Series
from kspace_denoise.server.messages import Image, image_type
from kspace_denoise.stages import Stage, known_noise

Also: TypeAlias = Literal["noisy", "noise-map"]
ALSO: tuple[str, ...] = get_args(Also)
_MAGNITUDE, _COMPLEX = 1, 5
_COPIED = (
    "measurement_uid",
    "position",
    "read_dir",
    "phase_dir",
    "slice_dir",
    "patient_table_position",
    "acquisition_time_stamp",
    "physiology_time_stamp",
    "user_int",
    "user_float",
)
_COUNTERS = ("average", "slice", "contrast", "phase", "repetition", "set")


class Work(NamedTuple):
    """What is done to every image.

    Beside the denoised image, series 1, `also` sends the noisy one (series 2) and its noise map,
    sigma per real component in the unit of the image (series 3). Magnitudes, unless `complex`.
    `name` is the denoiser's in the attributes of the images.
    """

    denoiser: AnyDenoiser
    name: str
    stage: Stage = "after-sense"
    calibration: int | None = None
    replicas: int = 0
    also: tuple[Also, ...] = ()
    complex_images: bool = False


def images_of(series: Series, group: Group, work: Work) -> Iterator[Image]:
    """Yield the images of a group: denoised, and what else is asked for.

    The field of view is what the header says for images: oversampling goes, nothing is
    interpolated.

    Raises:
        ValueError: if the lines do not fit together, or the noise is not known.
    """
    scan = series.scan(group)
    found, field_of_view = denoise_group(scan, work)
    head = _head(group.middle, field_of_view)
    kinds: dict[str, Numpy | None] = {
        "denoised": found.image,
        "noisy": found.noisy,
        "noise-map": found.sigma,
    }
    for number, (kind, image) in enumerate(kinds.items(), 1):
        if image is None or (kind != "denoised" and kind not in work.also):
            continue
        data = image if work.complex_images and np.iscomplexobj(image) else np.abs(image)
        yield _image(head, data, number, _attributes(head, kind, found, work))


def denoise_group(scan: Scan, work: Work) -> tuple[Denoised, tuple[float, float, float]]:
    """Return the slice of a scan denoised and cropped, and its field of view (x, y, z) in mm."""
    said = scan.header["ismrmrd"]
    try:
        ny, nx = recon_matrix(scan)
    except ValueError:
        ny, nx = scan.kspace.shape[-2:]
    whole = scan.mask is None or scan.mask.shape[-1] == 1
    if nx < scan.kspace.shape[-1] and whole:
        scan = remove_oversampling(scan)
    noise = known_noise(scan)
    options: dict[str, Any] = {"calibration": work.calibration, "replicas": work.replicas}
    (found,) = denoise_slices(scan, work.denoiser, work.stage, noise, **options)
    size = min(ny, found.image.shape[-2]), min(nx, found.image.shape[-1])
    image, noisy = centre_crop(found.image, size), centre_crop(found.noisy, size)
    sigma = None if found.sigma is None else centre_crop(found.sigma, size)
    encoded, extent = said["encoded_matrix"], said.get("encoded_field_of_view_mm")
    x, y, z = (float(n) for n in extent or encoded)
    shape = size[1] * x / encoded[0], size[0] * y / encoded[1], z
    return Denoised(image, noisy, sigma), shape


def _head(acquired: Numpy, field_of_view: tuple[float, float, float]) -> Numpy:
    """Return the header of an image from that of its central line."""
    head = np.zeros((), ismrmrd().hdf5.image_header_dtype)
    head["version"] = head["channels"] = 1
    for name in _COPIED:
        head[name] = acquired[name]
    for name in _COUNTERS:
        head[name] = acquired["idx"][name]
    head["field_of_view"] = field_of_view
    head["image_index"] = int(acquired["idx"]["slice"]) + 1
    return head


def _image(head: Numpy, data: Numpy, number: int, attributes: str) -> Image:
    own = head.copy()
    data = np.ascontiguousarray(data, np.complex64 if data.dtype.kind == "c" else np.float32)
    own["matrix_size"] = (*data.shape[::-1], 1)
    own["image_series_index"] = number
    own["image_type"] = _COMPLEX if data.dtype.kind == "c" else _MAGNITUDE
    own["data_type"] = image_type(data)
    return Image(own, attributes, data[None, None])


def _attributes(head: Numpy, kind: str, found: Denoised, work: Work) -> str:
    meta = ismrmrd().Meta()
    meta["DataRole"] = "Quantitative" if kind == "noise-map" else "Image"
    meta["ImageProcessingHistory"] = ["kspace-denoise", work.stage, work.name]
    meta["SeriesDescriptionAdditional"] = kind
    meta["Keep_image_geometry"] = 1
    for name, direction in (("ImageRowDir", "read_dir"), ("ImageColumnDir", "phase_dir")):
        meta[name] = [f"{value:.9g}" for value in head[direction]]
    if found.sigma is not None and found.sigma.any():
        meta["NoiseSigma"] = f"{np.median(found.sigma[found.sigma > 0]):.6g}"
        meta["NoiseSigmaUnit"] = "of the noisy image, per real component, median over the image"
    return str(meta.serialize())
