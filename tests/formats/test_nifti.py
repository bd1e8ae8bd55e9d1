import sys

import numpy as np
import pytest

from kspace_denoise.formats.nifti import read_nifti, write_nifti
from kspace_denoise.scan import Images

nibabel = pytest.importorskip("nibabel")

AFFINE = np.array([[-2.0, 0, 0, 90], [0, 2, 0.1, -126], [0, 0, 2.5, -72], [0, 0, 0, 1]])


def save(path, data, affine=AFFINE, **fields):
    image = nibabel.Nifti1Image(data, affine)
    for name, value in fields.items():
        image.header[name] = value
    nibabel.save(image, path)
    return path


def gradients(folder, bval, bvec, name="dwi"):
    (folder / f"{name}.bval").write_text(" ".join(map(str, bval)))
    rows = np.asarray(bvec, float).T
    (folder / f"{name}.bvec").write_text("\n".join(" ".join(map(str, r)) for r in rows))


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("kind", [np.float32, np.complex64])
def test_volumes_come_back_with_geometry_and_gradients(tmp_path, suffix, kind):
    rng = np.random.default_rng(0)
    stored = rng.standard_normal((5, 7, 3, 4)).astype(kind)
    path = save(tmp_path / f"dwi{suffix}", stored, descrip=b"a scan", xyzt_units=10)
    bvec = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0.6, 0.8]]
    gradients(tmp_path, [0, 1000, 1000, 1000], bvec)
    images = read_nifti(path)
    assert images.data.shape == (4, 3, 7, 5)
    assert images.data[2, 1, 6, 4] == stored[4, 6, 1, 2]
    assert images.data.dtype == kind
    np.testing.assert_allclose(images.affine, AFFINE)
    assert images.bval.tolist() == [0, 1000, 1000, 1000]
    np.testing.assert_allclose(images.bvec, bvec)
    write_nifti(tmp_path / f"again{suffix}", images)
    again = nibabel.load(tmp_path / f"again{suffix}")
    np.testing.assert_array_equal(np.asanyarray(again.dataobj), stored)
    np.testing.assert_allclose(again.affine, AFFINE)
    assert bytes(again.header["descrip"]).startswith(b"a scan")
    assert int(again.header["xyzt_units"]) == 10
    once_more = read_nifti(tmp_path / f"again{suffix}")
    np.testing.assert_allclose(once_more.bvec, bvec, atol=1e-6)
    assert once_more.bval.tolist() == [0, 1000, 1000, 1000]
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith(".")) == []


def test_scaled_integers_are_scaled(tmp_path):
    image = nibabel.Nifti1Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4), AFFINE)
    image.header.set_slope_inter(0.5, 10)
    nibabel.save(image, tmp_path / "scaled.nii")
    images = read_nifti(tmp_path / "scaled.nii")
    assert images.data.shape == (4, 3, 2)
    assert images.data.dtype == np.float32
    raw = np.asanyarray(nibabel.load(tmp_path / "scaled.nii").dataobj)
    np.testing.assert_allclose(images.data, raw.T)
    write_nifti(tmp_path / "out.nii", images)
    np.testing.assert_allclose(np.asanyarray(nibabel.load(tmp_path / "out.nii").dataobj), raw)


def test_columns_of_directions_are_read_as_well(tmp_path):
    path = save(tmp_path / "dwi.nii", np.ones((4, 4, 2, 2), np.float32))
    np.savetxt(tmp_path / "dwi.bval", [[0.0], [700.0]])
    np.savetxt(tmp_path / "dwi.bvec", [[0.0, 0, 0], [0, 0, 1]])
    images = read_nifti(path)
    assert images.bval.tolist() == [0, 700]
    assert images.bvec.tolist() == [[0, 0, 0], [0, 0, 1]]


def test_what_a_mask_made_nan_becomes_blank_with_a_warning(tmp_path):
    data = np.ones((4, 5, 2, 3), np.float32)
    data[0] = np.nan
    path = save(tmp_path / "dwi.nii", data)
    with pytest.warns(UserWarning, match="10 of 40 voxels are NaN and were set to 0"):
        images = read_nifti(path)
    assert not images.data[..., 0].any()
    assert images.data[..., 1:].all()
    data[1, 1, 1, 1] = np.inf
    with pytest.raises(ValueError, match="NaN or infinite in some volumes only"):
        read_nifti(save(tmp_path / "dwi.nii", data))


@pytest.mark.parametrize(
    ("bval", "bvec", "words"),
    [
        ("0 1000 1000", "", "has 3 b-values, and .* 2 volumes"),
        ("0 -1", "", "none negative"),
        ("0 x", "", "no table of numbers"),
        ("0 1000", "0 1\n0 0", "2 lines of 2 numbers, expected 3 lines of 2"),
        ("0 1000", "0 3\n0 0\n0 0", "direction of volume 1 has length 3, expected 1"),
    ],
)
def test_gradients_that_do_not_fit(tmp_path, bval, bvec, words):
    path = save(tmp_path / "dwi.nii", np.ones((4, 4, 2, 2), np.float32))
    (tmp_path / "dwi.bval").write_text(bval)
    if bvec:
        (tmp_path / "dwi.bvec").write_text(bvec)
    with pytest.raises(ValueError, match=words):
        read_nifti(path)


def test_files_that_are_missing_or_damaged(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_nifti(tmp_path / "none.nii")
    (tmp_path / "bad.nii.gz").write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match="cannot be read as NIfTI"):
        read_nifti(tmp_path / "bad.nii.gz")
    path = save(tmp_path / "cut.nii", np.ones((40, 40, 4), np.float32))
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ValueError, match="cannot be read as NIfTI"):
        read_nifti(path)
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_nifti(save(tmp_path / "dwi.nii", np.ones((4, 4, 2))), bval=tmp_path / "other.bval")


def test_more_than_four_axes_are_refused(tmp_path):
    images = Images(data=np.ones((2, 2, 2, 4, 4), np.float32))
    with pytest.raises(ValueError, match=r"shape \(2, 2, 2, 4, 4\)"):
        write_nifti(tmp_path / "x.nii", images)
    assert not list(tmp_path.iterdir())


def test_real_scans(real_data):
    images = read_nifti(real_data / "dwi_philips3T_b1000_slicesa.nii.gz")
    assert images.data.shape == (17, 16, 112, 112)
    assert (images.bval < 50).sum() == 5
    assert images.bvec.shape == (17, 3)


def test_a_missing_library_tells_what_to_install(tmp_path, monkeypatch):
    path = save(tmp_path / "dwi.nii", np.ones((4, 4, 2), np.float32))
    monkeypatch.setitem(sys.modules, "nibabel", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'kspace-denoise\[dmri\]'"):
        read_nifti(path)
    with pytest.raises(ModuleNotFoundError, match=r"kspace-denoise\[dmri\]"):
        write_nifti(path, Images(data=np.ones((2, 4, 4), np.float32)))
