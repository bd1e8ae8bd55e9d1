"""`python -m kspace_denoise`: the command line."""

from kspace_denoise.cli import main

if __name__ == "__main__":
    main(prog_name="kspace-denoise")
