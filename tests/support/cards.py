"""What GPUs are, as TensorFlow would describe them: no test needs one."""

CARD = {
    "name": "NVIDIA A100-SXM4-40GB",
    "compute_capability": "8.0",
    "cuda": "12.5.1",
    "cudnn": "90300",
    "packages": {"nvidia-cublas-cu12": "12.5.3.2"},
}
OTHER_CARD = CARD | {"name": "NVIDIA L4", "compute_capability": "8.9"}
