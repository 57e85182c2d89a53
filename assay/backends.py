"""Names of what can compute a network: a library, and the arithmetic that it is asked for."""

REFERENCE = "pytorch"
"""PyTorch in the model's own precision, in which it was calibrated and evaluated."""
BACKENDS = (
    REFERENCE,
    "pytorch-bf16",
    "pytorch-int8",
    "onnxruntime-fp32",
    "onnxruntime-int8",
    "openvino-fp32",
    "openvino-bf16",
    "openvino-int8",
    "openvino-int8-bf16",
)
"""int8: products with weights in int8, all else in fp32. int8-bf16: all else in bf16."""
