"""Runs the models that ship in packages by onnxruntime, and writes what went in and what came out.

    python real.py FOLDER
"""

import sys
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import onnxruntime

from cases import Cases

random = np.random.default_rng(11)


def file(package, path):
    """Returns the content of a file of an installed package, without importing the package."""
    return Path(distribution(package).locate_file(path)).read_bytes()


def sound(chunks, samples):
    time = np.arange(chunks * samples) / 16000
    voice = sum(np.sin(2 * np.pi * 140 * n * time) / n for n in range(1, 9)) * (np.sin(2 * np.pi * 3 * time) > 0)
    return (0.1 * voice + 0.01 * random.normal(size=time.size)).astype(np.float32).reshape(chunks, samples)


def picture(channels, height, width):
    y, x = np.mgrid[0:height, 0:width]
    planes = [np.sin(x / (7 + n)) * np.cos(y / (5 + n)) + ((x // 16 + y // 16) % 2) for n in range(channels)]
    return np.stack(planes)[None].astype(np.float32)


VOICE = "silero_vad/data/"
OCR = "rapidocr_onnxruntime/models/"


def state():
    return (0.1 * random.normal(size=(2, 1, 128))).astype(np.float32)


MODELS = [
    # name, package, file, inputs, and what the options say: inputs that are constants, shapes, sizes of symbols.
    ("silero-vad", "silero-vad", VOICE + "silero_vad.onnx",
     {"input": sound(1, 576), "state": state()}, {"constants": {"sr": 16000}}),
    ("silero-vad at 8 kHz", "silero-vad", VOICE + "silero_vad.onnx",
     {"input": sound(1, 288), "state": state()}, {"constants": {"sr": 8000}}),
    ("silero-vad op15", "silero-vad", VOICE + "silero_vad_16k_op15.onnx",
     {"input": sound(1, 576), "state": state()}, {"constants": {"sr": 16000}}),
    ("silero-vad half", "silero-vad", VOICE + "silero_vad_half.onnx",
     {"input": sound(1, 576), "state": state()}, {}),
    ("silero-vad op18 ifless", "silero-vad", VOICE + "silero_vad_op18_ifless.onnx",
     {"input": sound(1, 576), "state": state()}, {"constants": {"sr": 16000}}),
    ("silero-vad openvino", "silero-vad", VOICE + "silero_vad_openvino_16k.onnx",
     {"input": sound(1, 576), "state": state()}, {}),
    ("silero-vad sequence", "silero-vad", VOICE + "silero_vad_16k_sequence.onnx",
     {"input": sound(4, 576), "h": state()[:1], "c": state()[:1]}, {}),
    ("magika", "magika", "magika/models/standard_v3_3/model.onnx",
     {"bytes": random.integers(0, 257, (1, 2048)).astype(np.int32)}, {}),
    ("rapidocr cls", "rapidocr-onnxruntime", OCR + "ch_ppocr_mobile_v2.0_cls_infer.onnx",
     {"x": picture(3, 48, 192)}, {}),
    ("rapidocr rec", "rapidocr-onnxruntime", OCR + "ch_PP-OCRv4_rec_infer.onnx",
     {"x": picture(3, 48, 320)}, {}),
    ("rapidocr det", "rapidocr-onnxruntime", OCR + "ch_PP-OCRv4_det_infer.onnx",
     {"x": picture(3, 320, 320)}, {}),
    ("nudenet", "nudenet", "nudenet/320n.onnx", {"images": picture(3, 320, 320) / 2 + 0.5}, {}),
]


def main(folder):
    cases = Cases(folder)
    for name, package, path, inputs, options in MODELS:
        model = file(package, path)
        quiet = onnxruntime.SessionOptions()
        quiet.log_severity_level = 4
        session = onnxruntime.InferenceSession(model, quiet, providers=["CPUExecutionProvider"])
        fed = {**inputs, **{name: np.int64(value) for name, value in options.get("constants", {}).items()}}
        answers = session.run(None, {name: np.asarray(value) for name, value in fed.items()})
        shapes = {name: list(value.shape) for name, value in inputs.items()}
        # The inputs in the order of the file.
        order = [value.name for value in session.get_inputs() if value.name in inputs]
        outputs = zip((value.name for value in session.get_outputs()), answers)
        cases.add(name, model, [(name, inputs[name]) for name in order], outputs,
                  options={"shapes": shapes, **options})
    cases.close()


main(sys.argv[1])
