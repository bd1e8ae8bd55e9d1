import subprocess
import sys

from kspace_denoise import recon


def test_every_exported_name_exists():
    assert all(hasattr(recon, name) for name in recon.__all__)
    assert sorted(recon.__all__) == recon.__all__


def test_importing_recon_loads_nothing_heavy():
    code = (
        "import sys, kspace_denoise.recon\n"
        "print({'torch', 'sigpy', 'skimage', 'matplotlib', 'scipy.stats'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
