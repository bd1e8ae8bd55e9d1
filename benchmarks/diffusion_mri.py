"""DDM2 and what it is compared with on the diffusion phantom, at four noise levels.

Thirty directions of b = 1000 and four volumes of b = 0, complex, with white noise. Methods that
take real images get the real part beside the smooth phase, which is put back. PSNR and SSIM are of
the magnitudes of b = 1000 inside the brain (SSIM: of slices that are 0 outside), data range: the
largest true magnitude there. FA is by dipy's tensor fit of the volumes of b = 1000 that a method
returns, with the noisy ones of b = 0 for all, against the fit of the true images, over white
matter. Nothing here was used to choose a setting: those were chosen on the phantom of seed 100.

    python -m benchmarks.diffusion_mri
    python -m benchmarks.diffusion_mri --table

Takes two hours on 2 cores; --sigmas and --neighbours choose a part. What is done is kept in --out
and not done again.
"""

import argparse
import dataclasses
import json
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch

import kspace_denoise as kd
from kspace_denoise.classical.patch2self import patch2self
from kspace_denoise.dmri import shuffled
from kspace_denoise.dmri.classical import with_mppca
from kspace_denoise.dmri.expected import expected
from kspace_denoise.dmri.matched import states_of
from kspace_denoise.dmri.prepare import Prepared, prepare
from kspace_denoise.dmri.scores import fa_error
from kspace_denoise.dmri.tensor import fit_tensor, spread_directions
from kspace_denoise.objectives.ddm2 import DDM2
from kspace_denoise.scan import Images
from kspace_denoise.sim import diffusion_phantom, gradient_scheme

Numpy: TypeAlias = np.ndarray[Any, Any]
Denoise: TypeAlias = Callable[["Case"], Images]

SHAPE, SEED = (6, 64, 64), 0
SIGMAS = (0.16, 0.08, 0.04, 0.02)
ALL = 29
NEIGHBOURS = (1, 10, ALL)
STEPS = 600
OUT = Path("docs/diffusion_mri_results")


@dataclasses.dataclass
class Case:
    """A noisy scan, its truth, and how many other volumes a method may see."""

    noisy: Images
    truth: Images
    mask: Numpy
    white: Numpy
    sigma: float
    count: int
    kept: Path
    """Where noise models are kept, which several methods have in common."""
    seconds: float = 0.0
    """What a method says it took, where part of it was done before."""

    @property
    def shell(self) -> Prepared:
        """The volumes of b > 0, real, in units of the noise's."""
        return prepare(self.noisy, DDM2(neighbours=max(self.count, 1)))[-1]

    def with_shell(self, real: Numpy) -> Images:
        """Return the scan with other volumes of b > 0, real, in the unit of `shell`."""
        shell, data = self.shell, self.noisy.data.copy()
        data[shell.shell.volumes] = shell.restored(torch.from_numpy(np.ascontiguousarray(real)))
        return dataclasses.replace(self.noisy, data=data)


def case(sigma: float, count: int, out: Path = OUT) -> Case:
    """Scan the phantom."""
    scheme = gradient_scheme(30, 1000.0, 4)
    phantom = diffusion_phantom(SHAPE, scheme, seed=SEED)
    noise = np.random.default_rng(SEED).standard_normal((2, *phantom.image.shape))
    noisy = (phantom.image + sigma * (noise[0] + 1j * noise[1])).astype(np.complex64)
    about = {"bval": scheme.bval, "bvec": scheme.bvec}
    return Case(
        Images(data=noisy, **about),
        Images(data=phantom.image, **about),
        phantom.mask,
        phantom.regions["white"],
        sigma,
        count,
        out / "kept" / f"{sigma:g}-n{count}",
    )


def config(**changes: Any) -> kd.TrainConfig:
    """Return the training that all methods have: that of DDM2 is shared by its networks."""
    return kd.TrainConfig(steps=STEPS, batch=8, patch=64, parts=1).replace(**changes)


def trained(given: Case, paper: bool = False, **settings: Any) -> kd.VolumeDenoiser:
    """Return DDM2 with some settings; its noise model is that of others with the same."""
    folder = given.kept / ("paper" if paper else "ours")
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*diffusion"):
        old.unlink()
    chosen = config(paper=paper, objective={"neighbours": given.count, **settings})
    kept = {"checkpoint": folder / "ddm2", "resume": True}
    return kd.train_volumes("ddm2", given.noisy, chosen, **kept)


def ddm2(of_both: bool = True, **settings: Any) -> Denoise:
    """Return DDM2 with some settings, or what its noise model says."""

    def run(given: Case) -> Images:
        denoiser = trained(given, **settings)
        started = time.perf_counter()
        clean = denoiser(given.noisy, diffusion=of_both)
        given.seconds = denoiser.record["seconds"] + time.perf_counter() - started
        return clean

    return run


def unmatched(given: Case) -> Images:
    """Return what the paper's third stage makes of images that it takes for its noisiest."""
    denoiser = trained(given, diffusion="shuffled", chain_steps=8)
    prepared, model = denoiser.matched(given.noisy)[-1]
    told = expected(model.noise_model, prepared.volumes)
    states = states_of(prepared, told, denoiser.method)
    levels = torch.where(states[..., 1] > 0, denoiser.method.largest, 0.0)
    assert model.diffusion is not None
    settings = (denoiser.method, denoiser.config)
    started = time.perf_counter()
    clean = shuffled.denoised(model.diffusion, prepared.volumes, states, levels, *settings)
    given.seconds = denoiser.record["seconds"] + time.perf_counter() - started
    return given.with_shell(clean.numpy())


def limited_patch2self(given: Case) -> Images:
    """Return Patch2Self that sees the same other volumes as the noise model."""
    volumes = given.shell.volumes
    return given.with_shell(patch2self(volumes.images.numpy(), "ols", volumes.neighbours.numpy()))


def full_patch2self(regression: str) -> Denoise:
    """Return Patch2Self on all volumes of b > 0."""
    return lambda given: given.with_shell(
        patch2self(given.shell.volumes.images.numpy(), regression)
    )


def of_images(method: str) -> Denoise:
    """Return a method that sees single images, or pairs of them across volumes."""

    def run(given: Case) -> Images:
        shell = given.shell
        assert shell.level is not None
        images = shell.volumes.images.numpy()
        flat = Images(data=images.reshape(-1, *images.shape[-2:]), sigma=shell.level)
        chosen: dict[str, Any] = {}
        sources = [flat]
        if method == "noise2noise":
            pairs = [images[shell.volumes.neighbours[:, k]] for k in range(given.count)]
            chosen["targets"] = [
                dataclasses.replace(flat, data=p.reshape(flat.data.shape)) for p in pairs
            ]
            sources = [flat] * given.count
        denoiser = kd.train(method, sources, config=config(), **chosen)
        return given.with_shell(kd.denoise(flat, denoiser).image.reshape(images.shape))

    return run


ALONE: dict[str, Denoise] = {
    "noisy": lambda given: given.noisy,
    "mppca": lambda given: with_mppca(given.noisy),
    "patch2self-ols": full_patch2self("ols"),
    "patch2self-ridge": full_patch2self("ridge"),
    "patch2self-mlp": full_patch2self("mlp"),
    "noise2score": of_images("noise2score"),
    "c2s": of_images("c2s"),
}
"""Methods that see all volumes, or none but their own."""
LIMITED: dict[str, Denoise] = {
    "patch2self": limited_patch2self,
    "noise2noise": of_images("noise2noise"),
    "stage-1": ddm2(of_both=False),
    "ddm2": ddm2(),
    "ddm2-shuffled": ddm2(diffusion="shuffled"),
}
"""Methods that see some other volumes of each."""
DDM2_ALONE = {name: LIMITED[name] for name in ("stage-1", "ddm2")}
ABLATIONS: dict[str, Denoise] = {
    "matching-residual": ddm2(diffusion="shuffled", matching="residual"),
    "no-matching": unmatched,
    "no-shuffle": ddm2(diffusion="shuffled", noise="still"),
    "gaussian-noise": ddm2(diffusion="shuffled", noise="gaussian"),
    "no-j-invariance": ddm2(diffusion="shuffled", blind=False),
    "paper": ddm2(paper=True),
}
"""At the lowest SNR."""


TRAINED = {*LIMITED, *ABLATIONS, "noise2score", "c2s"} - {"patch2self"}
"""Methods of as many steps, all networks of a method together."""


def scores(found: Images, given: Case) -> dict[str, float]:
    """Return all scores of a result; all have the noisy volumes of b = 0 in common."""
    assert given.noisy.bval is not None
    data = np.where((given.noisy.bval < 50)[:, None, None, None], given.noisy.data, found.data)
    found = dataclasses.replace(found, data=data)
    weighted = given.noisy.bval >= 50
    clean, truth = np.abs(found.data[weighted]), np.abs(given.truth.data[weighted])
    top = float(truth[:, given.mask].max())
    everywhere = np.broadcast_to(given.mask, truth.shape)
    row = {
        "psnr_db": kd.metrics.psnr(clean, truth, data_range=top, mask=everywhere),
        "ssim": kd.metrics.ssim(clean * given.mask, truth * given.mask, data_range=top),
    }
    for name, chosen in (("", None), ("_6", spread_directions(given.noisy))):
        true_fa = fit_tensor(given.truth, given.mask, chosen).fa
        error = fa_error(fit_tensor(found, given.mask, chosen).fa, true_fa, given.white)
        row |= {f"fa{name}_{key}": value for key, value in error._asdict().items()}
    return row


def run(name: str, method: Denoise, given: Case, out: Path) -> None:
    """Run one method and keep its scores, unless that was done before."""
    file = out / f"phantom-{given.sigma:g}-n{given.count}-{name}.json"
    if file.exists():
        return
    started = time.perf_counter()
    found = method(given)
    seconds = given.seconds or time.perf_counter() - started
    row = {"method": name, "sigma": given.sigma, "neighbours": given.count, "seconds": seconds}
    row |= {"steps": STEPS if name in TRAINED else None, **scores(found, given)}
    file.write_text(json.dumps(row, indent=1) + "\n")
    images = out / "kept" / f"{file.stem}.npy"  # for scores that are thought of later
    images.parent.mkdir(exist_ok=True)
    np.save(images, np.abs(found.data).astype(np.float16))
    print(
        f"{file.stem}: {row['psnr_db']:.2f} dB, FA error {row['fa_rms']:.3f}, {seconds:.0f} s",
        flush=True,
    )


def table(out: Path) -> None:
    """Print the tables: images, tensors, ablations."""
    rows = [json.loads(file.read_text()) for file in sorted(out.glob("phantom-*.json"))]
    order = [*ALONE, *LIMITED, *ABLATIONS]
    rows.sort(key=lambda row: (row["neighbours"], order.index(row["method"])))
    of_all = [row for row in rows if row["method"] not in ABLATIONS]
    print("\nPSNR, dB, and SSIM\n")
    _wide(of_all, lambda row: f"{row['psnr_db']:.2f}, {row['ssim']:.3f}")
    print("\nFA: rms error of 30 directions (bias, spread), and of 6\n")
    _wide(
        of_all,
        lambda row: (
            f"{row['fa_rms']:.3f} ({row['fa_bias']:+.3f}, {row['fa_spread']:.3f}), "
            f"{row['fa_6_rms']:.3f}"
        ),
    )
    print(f"\nAblations, σ = {max(SIGMAS):g}\n")
    print("| | n | PSNR, dB | SSIM | FA rms | FA bias | s |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for row in rows:
        if row["sigma"] == max(SIGMAS) and row["neighbours"] in (1, 10):
            print(
                f"| {row['method']} | {row['neighbours']} | {row['psnr_db']:.2f} "
                f"| {row['ssim']:.3f} | {row['fa_rms']:.3f} | {row['fa_bias']:+.3f} "
                f"| {row['seconds']:.0f} |"
            )


def _wide(rows: list[dict[str, Any]], cell: Callable[[dict[str, Any]], str]) -> None:
    """Print one line for each method and number of volumes, one column for each noise level."""
    print("| method | n |" + "".join(f" σ = {sigma:g} |" for sigma in SIGMAS))
    print("| --- | ---: |" + " ---: |" * len(SIGMAS))
    lines: dict[tuple[str, int], dict[float, str]] = {}
    for row in rows:
        lines.setdefault((row["method"], row["neighbours"]), {})[row["sigma"]] = cell(row)
    for (method, count), cells in lines.items():
        values = "".join(f" {cells.get(sigma, 'not measured')} |" for sigma in SIGMAS)
        print(f"| {method} | {count or ''} |{values}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sigmas", type=float, nargs="*", default=SIGMAS)
    parser.add_argument("--neighbours", type=int, nargs="*", default=NEIGHBOURS)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--table", action="store_true", help="print what is there")
    options = parser.parse_args()
    if options.table:
        table(options.out)
        return
    warnings.simplefilter("ignore")  # scikit-learn's, on perceptrons that stop early
    options.out.mkdir(parents=True, exist_ok=True)
    for sigma in options.sigmas:
        for name, method in ALONE.items():
            run(name, method, case(sigma, 0, options.out), options.out)
        for count in options.neighbours:
            for name, method in (LIMITED if count < ALL else DDM2_ALONE).items():
                run(name, method, case(sigma, count, options.out), options.out)
    for count in options.neighbours:
        if max(SIGMAS) in options.sigmas and count < ALL:
            for name, method in ABLATIONS.items():
                run(name, method, case(max(SIGMAS), count, options.out), options.out)


if __name__ == "__main__":
    main()
