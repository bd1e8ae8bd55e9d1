"""The command line `kspace-denoise`: one file per command, loaded when it is called."""

import os

from kspace_denoise.cli.group import LazyGroup

# Threads that wait by spinning for long make training up to 60 times slower on a machine that is
# also doing something else; a short spin costs nothing. Read when the libraries are loaded.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

main = LazyGroup(
    name="kspace-denoise",
    commands_at={
        "demo": ("kspace_denoise.cli.demo", "Run the whole chain and write a report."),
        "info": ("kspace_denoise.cli.info", "Say what a file holds."),
        "simulate": (
            "kspace_denoise.cli.simulate",
            "Make a scan noisier: low field, added noise, undersampling.",
        ),
        "train": ("kspace_denoise.cli.train", "Train a denoiser on noisy scans alone."),
        "denoise": ("kspace_denoise.cli.denoise", "Denoise a scan, before or after SENSE."),
        "reconstruct": ("kspace_denoise.cli.reconstruct", "Reconstruct images from k-space."),
        "evaluate": ("kspace_denoise.cli.evaluate", "Score an image against a reference."),
        "serve": ("kspace_denoise.cli.serve", "Denoise a scanner's stream."),
        "send": ("kspace_denoise.cli.send", "Send a file to a server."),
    },
    help="Self-supervised MRI denoising that starts from raw multi-coil k-space.",
    example="kspace-denoise demo --out demo",
)
