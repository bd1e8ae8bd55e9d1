"""ISMRMRD files of the package ismrmrd: every line at its place, noise in the unit of the scan."""

import pickle
from pathlib import Path

import ismrmrd
import numpy as np
import pytest

import kspace_denoise as kd
from kspace_denoise.crop import remove_oversampling
from kspace_denoise.scan import Images, Scan
from tests.formats.mrd.series import COILS, X, Y, acquisition, header, image, samples, write


def read(path: Path) -> Scan:
    scan = kd.read(path)
    assert isinstance(scan, Scan)
    return scan


def test_lines_come_to_their_place_whatever_their_order(tmp_path: Path) -> None:
    kspace = samples((3, COILS, Y, X))
    lines = [one for s, k in enumerate(kspace) for one in image(k, slice=s)]
    rng = np.random.default_rng(1)
    for order in (
        np.arange(len(lines)),
        np.argsort(np.arange(len(lines)) % Y),
        rng.permutation(len(lines)),
    ):
        path = write(tmp_path / f"{order[1]}.mrd", [lines[i] for i in order])
        scan = read(path)
        np.testing.assert_array_equal(scan.kspace[:], kspace)
        np.testing.assert_array_equal(scan.kspace[1], kspace[1])
        assert scan.mask is None
        assert (scan.readout_axis, scan.field_strength) == (-1, 0.55)
        path.unlink()


def test_it_is_told_by_what_is_in_it_and_can_be_sent_to_workers(tmp_path: Path) -> None:
    path = write(tmp_path / "scan.h5", image(samples((COILS, Y, X))))
    scan = pickle.loads(pickle.dumps(read(path).kspace))
    np.testing.assert_array_equal(scan[0], samples((COILS, Y, X)))
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(ValueError, match="changed while it was being read"):
        scan[0]


def test_partial_fourier_partial_echoes_and_acceleration_leave_a_mask(tmp_path: Path) -> None:
    kspace = samples((COILS, 8, X - 5))  # the first 8 of 11 lines, centre at 5; echo at 5 of 15
    lines = [acquisition(kspace[:, n], n, center_sample=5) for n in range(0, 8, 2)]
    scan = read(write(tmp_path / "part.mrd", lines))
    assert scan.mask is not None
    expected = np.zeros((Y, X), bool)
    expected[0:8:2, 5:] = True
    np.testing.assert_array_equal(scan.mask, expected)
    np.testing.assert_array_equal(scan.kspace[0][:, 0:8:2, 5:], kspace[:, ::2])
    assert not scan.kspace[0][:, ~expected].any()


def test_the_centre_of_the_header_is_the_centre_of_k_space(tmp_path: Path) -> None:
    kspace = samples((COILS, 9, X))
    xml = header(last=8, centre=3)  # partial Fourier: two lines before the centre are missing
    scan = read(write(tmp_path / "pf.mrd", image(kspace), xml))
    np.testing.assert_array_equal(scan.kspace[0][:, 2:], kspace)
    assert scan.mask is not None
    np.testing.assert_array_equal(scan.mask[:, 0], np.arange(Y) >= 2)


def test_samples_to_discard_are_no_part_of_k_space(tmp_path: Path) -> None:
    data = samples((COILS, X + 5))
    lines = [
        acquisition(data, n, discard_pre=2, discard_post=3, center_sample=2 + X // 2)
        for n in range(Y)
    ]
    scan = read(write(tmp_path / "discard.mrd", lines))
    np.testing.assert_array_equal(scan.kspace[0][:, 4], data[:, 2:-3])


def test_contrasts_and_repetitions_are_stacked_and_named(tmp_path: Path) -> None:
    kspace = samples((2, 2, 2, COILS, Y, X))
    lines = [
        one
        for r in range(2)
        for s in range(2)
        for c in range(2)
        for one in image(kspace[r, c, s], slice=s, contrast=c, repetition=r)
    ]
    scan = read(write(tmp_path / "series.mrd", lines))
    np.testing.assert_array_equal(scan.kspace[:], kspace.reshape(8, COILS, Y, X))
    counters = scan.header["mrd"]["counters"]
    assert counters["repetition"] == [0, 0, 0, 0, 1, 1, 1, 1]
    assert counters["contrast"] == [0, 0, 1, 1, 0, 0, 1, 1]
    assert counters["slice"] == [0, 1] * 4
    kd.write(tmp_path / "again.mrd", scan)
    assert read(tmp_path / "again.mrd").header["mrd"] == scan.header["mrd"]


def test_averages_become_their_mean_and_the_noise_says_so(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    shape = (6, 4, COILS, 16, 64)
    noise = (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)
    flags = (ismrmrd.ACQ_IS_NOISE_MEASUREMENT,)
    quiet = acquisition(samples((COILS, 50_000)), flags=flags, sample_time_us=4.0 * 0.8)
    lines = [quiet]
    for s in range(6):  # lines 0 to 7 once, the others four times
        for a in range(4):
            lines += [
                acquisition(noise[s, a, :, n], n, slice=s, average=a)
                for n in range(16)
                if a == 0 or n >= 8
            ]
    scan = read(write(tmp_path / "averages.mrd", lines, header(x=64, y=16, last=15, centre=8)))
    found = scan.kspace[:]
    np.testing.assert_allclose(found[3, :, 10], noise[3, :, :, 10].mean(axis=0), rtol=1e-5)
    assert scan.noise_covariance is not None
    assert scan.noise_spectrum is not None
    power = np.mean(np.abs(found) ** 2, axis=(0, 1, 3))
    expected = np.trace(scan.noise_covariance).real / COILS * scan.noise_spectrum[:, 0]
    bound = 5 / np.sqrt(6 * COILS * 64)  # five sigma of the power of a line
    np.testing.assert_allclose(power / expected, 1, atol=bound + 5 / np.sqrt(50_000 * COILS))


@pytest.mark.parametrize(("dwell", "factor"), [(4.0, 1 / 0.8), (2.0, 0.5 / 0.8), (8.0, 2 / 0.8)])
def test_noise_is_scaled_to_the_dwell_time_of_the_scan(
    tmp_path: Path, dwell: float, factor: float
) -> None:
    mixing = np.array([[1, 0, 0], [0.4j, 1.2, 0], [0.3, -0.2j, 0.7]])
    noise = [(mixing @ samples((COILS, 4000), n)).astype(np.complex64) for n in range(5)]
    flags = (ismrmrd.ACQ_IS_NOISE_MEASUREMENT,)
    lines = [acquisition(n, flags=flags, sample_time_us=dwell) for n in noise]
    scan = read(write(tmp_path / "noise.mrd", [*lines, *image(samples((COILS, Y, X)))]))
    assert scan.noise_covariance is not None
    together = np.concatenate(noise, axis=-1)
    exact = together @ together.conj().T / together.shape[-1] * factor
    np.testing.assert_allclose(scan.noise_covariance, exact, rtol=2e-3, atol=1e-3)
    assert scan.header["mrd"]["left_out"] == {"noise": 5}


def test_calibration_lines_fill_the_image_where_they_share_its_contrast(tmp_path: Path) -> None:
    kspace, extra = samples((COILS, Y, X)), samples((COILS, Y, X), 1)
    flags = (ismrmrd.ACQ_IS_PARALLEL_CALIBRATION,)
    lines = [acquisition(kspace[:, n], n) for n in range(0, Y, 2)]
    lines += [acquisition(extra[:, n], n, flags) for n in (4, 5, 6, 7)]
    scan = read(write(tmp_path / "embedded.mrd", lines))
    assert scan.mask is not None
    assert np.flatnonzero(scan.mask[:, 0]).tolist() == [0, 2, 4, 5, 6, 7, 8, 10]
    np.testing.assert_array_equal(scan.kspace[0][:, 4], kspace[:, 4])
    np.testing.assert_array_equal(scan.kspace[0][:, 5], extra[:, 5])
    assert scan.header["mrd"]["left_out"] == {"calibration": 2}
    apart = read(write(tmp_path / "separate.mrd", lines, header(mode="separate")))
    assert apart.header["mrd"]["left_out"] == {"separate_calibration": 4}
    assert not apart.kspace[0][:, 5].any()


def test_readout_oversampling_is_removed_on_demand(tmp_path: Path) -> None:
    scan = read(write(tmp_path / "scan.mrd", image(samples((COILS, Y, X)))))
    assert remove_oversampling(scan).kspace.shape == (1, COILS, Y, X // 2)


def test_slices_have_their_place_in_the_patient(tmp_path: Path) -> None:
    lines = [one for s in range(3) for one in image(samples((COILS, Y, X)), slice=s)]
    affine = np.array(read(write(tmp_path / "scan.mrd", lines)).header["affine"])
    step = (400 / X, 220 / Y)
    np.testing.assert_allclose(np.diag(affine), [-step[0], -step[1], 6, 1], rtol=1e-6)
    centre = affine @ [X // 2, Y // 2, 2, 1]
    np.testing.assert_allclose(centre, [0, 0, 12, 1], atol=1e-4)


def test_images_of_a_server_are_read(tmp_path: Path) -> None:
    data = samples((4, 6, 5))
    file = ismrmrd.Dataset(str(tmp_path / "out.mrd"), "dataset")
    for n, one in enumerate(data):
        made = ismrmrd.Image.from_array(one, transpose=False)
        made.slice = n
        file.append_image("image_0", made)
    file.close()
    images = kd.read(tmp_path / "out.mrd")
    assert isinstance(images, Images)
    np.testing.assert_array_equal(images.data, data)


BAD = {
    "no header": (None, [], "no header"),
    "no matrix": ("<ismrmrdHeader/>", [], "no encodedSpace"),
    "centre": (header(centre=Y), [], "contradicts itself: lines 0 to 10 with their centre at 11"),
    "limits": (header(last=Y), [], "lines 0 to 11, but a matrix of 11 lines"),
    "3-D": (header(z=8), [], "three-dimensional"),
    "radial": (header(trajectory="radial"), [], "trajectory is 'radial'"),
    "outside": ("", [acquisition(samples((COILS, X)), 40)], "acquisition 11 is line 40"),
    "twice": ("", [acquisition(samples((COILS, X)), 3)], "acquisitions 3 and 11 are both line 3"),
    "coils": ("", [acquisition(samples((2, X)), 3, average=1)], "acquisition 11 has active_chan"),
    "samples": (header(x=X - 2), [], "acquisition 0 has 20 samples"),
    "length": ("", [acquisition(samples((COILS, X)), 3, repetition=1)], "repetition 1 has 1 lines"),
    "backwards": (
        "",
        [acquisition(samples((COILS, X)), 3, (ismrmrd.ACQ_IS_REVERSE,), average=1)],
        "acquisition 11 runs backwards",
    ),
}


@pytest.mark.parametrize("case", list(BAD))
def test_bad_series_are_refused_by_the_number_of_the_acquisition(tmp_path: Path, case: str) -> None:
    xml, more, message = BAD[case]
    path = write(tmp_path / "bad.mrd", [*image(samples((COILS, Y, X))), *more], xml)
    with pytest.raises(ValueError, match=message) as caught:
        kd.read(path)
    assert str(path) in str(caught.value)


def test_only_noise_is_no_scan(tmp_path: Path) -> None:
    flags = (ismrmrd.ACQ_IS_NOISE_MEASUREMENT,)
    path = write(tmp_path / "noise.mrd", [acquisition(samples((COILS, X)), flags=flags)])
    with pytest.raises(ValueError, match="no acquisition belongs to an image: 1 noise"):
        kd.read(path)
