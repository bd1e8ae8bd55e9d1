"""`kspace-denoise reconstruct`: images from k-space, with their noise map, slice by slice."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kspace_denoise import formats, provenance
from kspace_denoise.cli.chain import is_free_of_noise
from kspace_denoise.cli.common import (
    PATH,
    calibration_option,
    check_paths,
    command,
    command_line,
    counter,
    device_option,
    image_header,
    load_noise,
    noise_option,
    note,
    note_unsampled_data,
    read_scan,
    replicas_option,
    seed_option,
    to_device,
)
from kspace_denoise.cli.cropping import (
    crop_option,
    crop_size,
    cropped,
    oversampling_option,
    without_oversampling,
)
from kspace_denoise.cli.folders import of_folders
from kspace_denoise.cli.methods import (
    METHODS,
    SAMPLERS,
    ByName,
    Settings,
    sense_of_samples,
)
from kspace_denoise.cli.noise_words import noise_warnings
from kspace_denoise.cli.options import take
from kspace_denoise.cli.readout import readout_option, with_readout
from kspace_denoise.cli.sampling import Sampling, sampling_options
from kspace_denoise.cli.written import Written
from kspace_denoise.crop import remove_oversampling
from kspace_denoise.denoiser import Denoiser, load
from kspace_denoise.recon import NoiseNotFound
from kspace_denoise.scan import Numpy, Scan
from kspace_denoise.stages import KnownNoise, check_cartesian

if TYPE_CHECKING:
    from kspace_denoise.cli.pictures import Pictures


@command("kspace-denoise reconstruct brain.h5 image.h5 --method sense")
@click.argument("source", metavar="IN", type=PATH)
@click.argument("output", metavar="OUT", type=PATH)
@click.option("--method", required=True, metavar="METHOD", help=f"{' or '.join(METHODS)}.")
@calibration_option()
@replicas_option()
@click.option(
    "--lambda",
    "penalty",
    type=click.FloatRange(min=0, min_open=True),
    metavar="L",
    help="Weight of the penalty (sense, l1-wavelet, tv), in SNR units.  [default: 0 for sense, "
    "0.1 along a trajectory, the method's rule for the others]",
)
@crop_option()
@oversampling_option()
@click.option(
    "--model",
    type=PATH,
    metavar="MODEL",
    help=f"What samplers ({SAMPLERS}) ask for the clean image: a denoiser of every noise level, "
    "from `kspace-denoise train diffusion` or `train gsure`.",
)
@sampling_options()
@click.option(
    "--report",
    type=PATH,
    metavar="DIR",
    help="Write a page with pictures there: images, their spread or noise, samples.",
)
@noise_option()
@readout_option()
@seed_option()
@device_option()
@of_folders()
def reconstruct(
    source: Path,
    output: Path,
    method: str,
    calibration: int | None,
    replicas: int,
    penalty: float | None,
    model: Path | None,
    report: Path | None,
    crop: str | None,
    oversampling: bool,
    noise_file: Path | None,
    readout: int | None,
    seed: int,
    device: str,
    **options: Any,
) -> None:
    """Reconstruct images from the k-space of IN and write them to OUT; IN and OUT may be folders.

    `sense` and `adaptive` write the complex image as `reconstruction` with its noise map as
    `noise_sigma` (standard deviation per real component) beside it; `l1-wavelet` and `tv` have a
    noise map with --replicas; `rss` writes the magnitude as `reconstruction_rss`; `ddrm`,
    `split-gibbs`, `dds` and `pigdm` the mean of their samples, and as `posterior_std` the spread of
    each real component. Images have the unit of the raw data. They are not cropped unless --crop or
    --remove-oversampling says so.
    """
    _check_method(method, penalty, replicas)
    check_paths(output, source, noise_file, model)
    _check_folder(report)
    sampling = take(Sampling, options)
    sampling.check(method, METHODS[method].sampling, SAMPLERS)
    prior = _prior(method, model, device)
    sampling = sampling.over(METHODS[method].sampling or Sampling())
    scan = read_scan(source)
    scan = with_readout(scan, readout)
    if method != "sense":
        check_cartesian(scan, f"--method {method}")
    note_unsampled_data(scan)
    noise = _noise(scan, noise_file, prior is not None) if METHODS[method].uses_noise else None
    if prior is not None and noise is not None:
        for sentence in noise_warnings(noise):
            note(f"{source}: {sentence}; {method} takes it for white")
    if oversampling:
        scan, noise = _smaller(scan, noise)
    size = crop_size(crop, scan)
    record = provenance.record(
        command_line(),
        [path for path in (source, noise_file, model) if path is not None],
        seed=seed,
        sigma_unit="of the image, per real component, median over the image, then over the slices",
        method=method,
        calibration=calibration,
        replicas=replicas if noise else None,
        penalty=penalty,
        sampling=sampling._asdict() if prior else None,
        prior=None if prior is None else prior.record,
        crop=size,
        oversampling_removed=oversampling,
        noise=None if noise is None else noise.source,
        source_provenance=scan.header.get("provenance"),
    )
    keep = sampling.keep_samples
    drawn = sampling._replace(keep_samples=prior is not None and (keep or report is not None))
    settings = Settings(noise, calibration, replicas, seed, penalty, prior, drawn)
    pictures = None if report is None else _pictures(len(scan.kspace))
    with formats.image_writer(output, len(scan.kspace)) as writer:
        done = _write_slices(writer, scan, method, settings, size, device, keep, pictures)
        record["sigma"] = done.sigma
        writer.write_header({**image_header(scan, size), "provenance": record})
    click.echo(done.line(output, len(scan.kspace)))
    if report is not None and pictures is not None:
        pictures.write(report, source, method, record)
        click.echo(f"report: {report / 'report.html'}")


def _check_folder(report: Path | None) -> None:
    if report is not None and report.exists() and not report.is_dir():
        raise click.UsageError(f"--report {report} is a file, expected a folder, new or not")


def _pictures(slices: int) -> "Pictures":
    """Return what collects pictures; matplotlib takes its time to load."""
    from kspace_denoise.cli.pictures import Pictures

    return Pictures(slices)


def _check_method(method: str, penalty: float | None, replicas: int) -> None:
    if method not in METHODS:
        raise click.UsageError(f"--method {method} is no method; there is {', '.join(METHODS)}")
    if penalty is not None and not METHODS[method].has_penalty:
        raise click.UsageError(f"--lambda: {method} has no penalty")
    if replicas and not METHODS[method].has_penalty:
        raise click.UsageError(f"--replicas: {method} needs none")


def _smaller(scan: Scan, noise: KnownNoise | None) -> tuple[Scan, KnownNoise | None]:
    """Return the scan without oversampling, and its noise."""
    return (remove_oversampling(scan), None) if noise is None else without_oversampling(scan, noise)


def _prior(method: str, model: Path | None, device: str) -> Denoiser | None:
    """Return the denoiser that a sampler needs, None for other methods.

    Raises:
        click.UsageError: if it is missing, or the method has no use for it.
        ValueError: if it was not trained at every noise level.
    """
    if METHODS[method].sampling is None:
        if model is not None:
            raise click.UsageError(f"--model: {method} uses no denoiser; {SAMPLERS} do")
        return None
    if model is None:
        raise click.UsageError(
            f"--method {method} needs --model MODEL, a denoiser of every noise level: "
            "`kspace-denoise train diffusion clean.h5 --out MODEL`"
        )
    prior = load(model, device)
    prior.prior(1.0)  # refuses what is no prior
    return prior


def _noise(scan: Scan, noise_file: Path | None, needed: bool) -> KnownNoise | None:
    try:
        return load_noise(scan, noise_file)
    except NoiseNotFound as error:
        if needed:
            raise
        if is_free_of_noise(scan.header):
            note("the scan was simulated without noise: the image is written without a noise map")
            return None
        note(f"{error}. The image is written without a noise map; --noise FILE would give one.")
        return None


def _write_slices(
    writer: formats.ImageWriter,
    scan: Scan,
    method: str,
    settings: Settings,
    size: tuple[int, int] | None,
    device: str,
    keep_samples: bool,
    pictures: "Pictures | None",
) -> Written:
    """Reconstruct slice by slice, and add up what was written. Blank slices stay zero."""
    done, calls = Written(), settings.sampling.calls
    images: dict[str, Numpy] = {}
    blank: list[int] = []
    with counter((calls or 1) * len(scan.kspace), "reconstruct", "call" if calls else "it") as bar:
        settings = settings._replace(tick=bar.update)
        for index in range(len(scan.kspace)):
            kspace, counted = scan.kspace[index], bar.n
            if not kspace.any():
                blank.append(index)
                bar.update(calls or 1)
                continue
            images = cropped(_reconstructed(scan, index, kspace, method, settings, device), size)
            bar.update((calls or 1) - (bar.n - counted))  # what a sampler did not need
            if pictures is not None:
                pictures.add(index, images)
            if not keep_samples:
                images.pop("posterior_samples", None)
            writer.write(index, **images)
            done.add(next(iter(images.values())), images.get("noise_sigma"))
            done.spread |= "posterior_std" in images
    if blank:
        note(f"slices without data, counted from 0: {blank}; all that is written of them is 0")
    if method == "sense" and settings.noise is not None and "noise_sigma" not in images:
        note("no closed form of the noise map for this sampling: give --replicas N to measure it")
    return done


def _reconstructed(
    scan: Scan, index: int, kspace: Numpy, method: str, settings: Settings, device: str
) -> ByName:
    data = to_device(kspace, device)
    if scan.trajectory is not None:
        return sense_of_samples(scan, data, settings)
    return METHODS[method].run(data, scan.slice_mask(index), settings)
