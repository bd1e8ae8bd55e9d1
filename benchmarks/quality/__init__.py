"""The protocol of docs/quality.md: any set of methods on any data set, scored in one way.

    python -m benchmarks.quality phantom --methods noisy nlm c2s --seeds 0 1 2 --steps 1500 \
        --out results --work cache

Several such processes may share `--out` and `--work`: each takes jobs that no other has.
"""
