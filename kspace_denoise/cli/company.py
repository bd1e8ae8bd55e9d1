"""What a scan is trained or denoised with: targets and other contrasts, each in a file."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from kspace_denoise import formats
from kspace_denoise.cli.common import PATH, Decorator, note
from kspace_denoise.cli.doubts import warn
from kspace_denoise.cli.options import group
from kspace_denoise.objectives import METHODS
from kspace_denoise.scan import Images, Scan

DATA = "What it works on"

NEEDS = {
    "c2s": "Corruption2Self: single noisy scans, nothing else. The one to begin with.",
    "supervised": "the clean image: --target FILE, a clean scan for each IN.",
    "noise2noise": "a second noisy scan of each IN, which did not move: --target FILE, or files "
    "beside IN named like it (brain_rep1.h5, brain_rep2.h5; M4Raw).",
    "noise2void": "single noisy scans whose noise is independent from pixel to pixel.",
    "noise2self": "as noise2void; hides a grid of pixels, at inference one grid after the other.",
    "noise2same": "as noise2void; sees all pixels, and is held to change little without some.",
    "blind-spot": "as noise2void, by a network that does not see the pixel, nor a hole around it "
    "where noise is correlated.",
    "neighbor2neighbor": "as noise2void; of neighbouring pixels one predicts the other.",
    "coil2coil": "fully sampled scans of two or more coils, some of which predict the others.",
    "noisier2noise": "single noisy scans, to which it adds noise, and which it predicts from that.",
    "r2r": "single noisy scans, of which it makes pairs with independent noise "
    "(Recorrupted2Recorrupted).",
    "sure": "single noisy scans, by Stein's unbiased estimate of the error.",
    "noise2score": "single noisy scans, by the score of their density.",
    "diffusion": "scans that are clean, or nearly: a prior for `reconstruct --method ddrm`, "
    "split-gibbs, dds and pigdm. What noise they hold is learnt as if it were image.",
    "gsure": "k-space, noisy and undersampled by masks that differ from slice to slice: such a "
    "prior too; or noisy complex images.",
    "diffdenoise": "as blind-spot, of which a diffusion model makes images that a student learns; "
    "takes three networks.",
    "ddm2": "the volumes of one diffusion scan, with b-values and directions; it is for that scan.",
}
"""The methods that can be trained, and what each learns from, for the help."""

_data = group(DATA)


def target_option() -> Decorator:
    """`--target FILE`, once for each IN."""
    return _data(
        "--target",
        "targets",
        type=PATH,
        multiple=True,
        metavar="FILE",
        help="What supervised (a clean scan) and noise2noise (another repetition) learn from: one "
        "for each IN, in the order of IN, in the unit of IN.",
    )


def contrast_option(text: str) -> Decorator:
    """`--contrast FILE`, any number of times."""
    return _data("--contrast", "contrasts", type=PATH, multiple=True, metavar="FILE", help=text)


def targets_of(method: str, sources: Sequence[Path], given: Sequence[Path]) -> list[Path]:
    """Return the file of the target of each source; none for methods that need none.

    Raises:
        click.UsageError: if there are too few or too many.
        FileNotFoundError: if a source is not there.
    """
    pair = METHODS[method].pair
    if pair == "nothing":
        if given:
            alone = "scans that are clean" if method == "diffusion" else "the noisy scans alone"
            raise click.UsageError(
                f"{method} learns from {alone}: leave --target out, or train supervised or "
                "noise2noise"
            )
        return []
    if not given and pair == "repetition":
        return [_next_repetition(source) for source in sources]
    if len(given) != len(sources):
        what = "another repetition" if pair == "repetition" else "a clean scan"
        raise click.UsageError(
            f"{method} learns from {what} for each IN: there are {len(sources)} IN and "
            f"{len(given)} --target; give one for each, in the same order"
        )
    return list(given)


def contrasts_of(sources: Sequence[Path], given: Sequence[Path]) -> list[list[Path]]:
    """Return the files of the other contrasts of each source: first those of the first, and so on.

    Raises:
        click.UsageError: if not all have equally many.
    """
    each, over = divmod(len(given), len(sources))
    if over:
        raise click.UsageError(
            f"{len(given)} --contrast for {len(sources)} IN: give equally many for each, those of "
            "the first IN first"
        )
    found = [list(given[i * each : (i + 1) * each]) for i in range(len(sources))]
    if each:
        for source, others in zip(sources, found, strict=True):
            note(f"{source} with {', '.join(map(str, others))}")
    return found


def warn_of_other_contrasts(
    contents: Mapping[Path, Scan | Images], sources: Sequence[Path], targets: Sequence[Path]
) -> None:
    """Tell where a target says that it is another contrast than its scan."""
    for source, target in zip(sources, targets, strict=False):
        for name in ("contrast", "acquisition"):
            have, given = (contents[path].header.get(name) for path in (source, target))
            if have and given and have != given:
                warn(f"{source} says that it is {have}, and its target {target} {given}")


def _next_repetition(source: Path) -> Path:
    """Return the repetition beside a file that follows it, after the last one the first.

    Raises:
        click.UsageError: if there is only one.
    """
    files = formats.repetitions(source)
    if len(files) == 1:
        raise click.UsageError(
            f"noise2noise needs a second repetition of {source}, and no other file beside it is "
            "named like it (brain_rep1.h5, brain_rep2.h5): give --target FILE, or train c2s, which "
            "learns from single scans"
        )
    position = [path.name for path in files].index(source.name)
    chosen = files[(position + 1) % len(files)]
    note(f"{source} is trained against its repetition {chosen}")
    return chosen
