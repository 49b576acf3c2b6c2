"""Crash tests: real processes, killed, frozen and cut off at points that a seed chooses; then everything is compared.

    python -m e2e.crash --runs 20      the runs of CI
    python -m e2e.crash --seed 7       one run again

`plan` derives a run from its seed, `driver` carries it out, `evidence` is what is left behind, `rules` compares.
"""
