"""Makes press.csv, spans.json and anomaly.onnx: a series of a press, what is wrong in it, and a model of what is right.

    pip install numpy==2.4.6 onnx==1.23.2 scikit-learn==1.9.1
    python train.py

The series is simulated here: the vibration of a press that works in strokes of 24 readings. Its first half is good,
and the model learns it: from 32 readings to 6 numbers and back. What it cannot give back it has not seen. Its output
is the distance from what it gives back, in relation to the largest one of good readings: above 1 something is wrong.
"""

import json
import warnings

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.neural_network import MLPRegressor

READINGS, LEARNED, WINDOW, STROKE = 4000, 2000, 32, 24
FAULTS = [
    {"from": 2300, "to": 2320, "what": "a loose bolt: bursts"},
    {"from": 2700, "to": 2790, "what": "the sensor is stuck"},
    {"from": 3100, "to": 3200, "what": "a worn bearing: a hum beside the strokes"},
    {"from": 3550, "to": 3650, "what": "strokes that are too slow"},
]


def press(random):
    slow = np.ones(READINGS)
    slow[FAULTS[3]["from"] : FAULTS[3]["to"]] = 0.55
    phase = np.cumsum(slow) * 2 * np.pi / STROKE
    series = 2.0 + np.sin(phase) + 0.4 * np.sin(2 * phase + 0.7) + random.normal(0, 0.05, READINGS)
    bolt = slice(FAULTS[0]["from"], FAULTS[0]["to"])
    series[bolt] += random.choice([-1.8, 1.8], 20)
    stuck = slice(FAULTS[1]["from"], FAULTS[1]["to"])
    series[stuck] = series[FAULTS[1]["from"] - 1]
    worn = np.arange(FAULTS[2]["from"], FAULTS[2]["to"])
    series[worn] += 0.6 * np.sin(worn * 2 * np.pi / 5)
    return np.round(series, 3)


def main():
    random = np.random.default_rng(7)
    series = press(random)
    windows = np.lib.stride_tricks.sliding_window_view(series, WINDOW)
    good = windows[: LEARNED - WINDOW]
    mean, scale = good.mean(), good.std()
    x = (good - mean) / scale
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MLPRegressor(hidden_layer_sizes=(6,), activation="tanh", max_iter=400, random_state=7, alpha=1e-4).fit(x, x)
    largest = np.mean((x - model.predict(x)) ** 2, axis=1).max() * 1.5

    def constant(name, value):
        return numpy_helper.from_array(np.asarray(value, np.float32), name)

    (w1, w2), (b1, b2) = model.coefs_, model.intercepts_
    constants = [
        constant("mean", mean), constant("scale", 1 / scale), constant("largest", 1 / largest),
        constant("w1", w1), constant("b1", b1), constant("w2", w2), constant("b2", b2),
    ]
    node = helper.make_node
    nodes = [
        node("Sub", ["readings", "mean"], ["centred"]), node("Mul", ["centred", "scale"], ["scaled"]),
        node("MatMul", ["scaled", "w1"], ["m1"]), node("Add", ["m1", "b1"], ["a1"]), node("Tanh", ["a1"], ["code"]),
        node("MatMul", ["code", "w2"], ["m2"]), node("Add", ["m2", "b2"], ["back"]),
        node("Sub", ["scaled", "back"], ["lost"]), node("Mul", ["lost", "lost"], ["square"]),
        node("ReduceMean", ["square"], ["error"], axes=[1], keepdims=1), node("Mul", ["error", "largest"], ["score"]),
    ]
    port = helper.make_tensor_value_info
    inputs = [port("readings", TensorProto.FLOAT, ["n", WINDOW])]
    outputs = [port("score", TensorProto.FLOAT, ["n", 1])]
    graph = helper.make_graph(nodes, "anomaly", inputs, outputs, constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(made)
    onnx.save(made, "anomaly.onnx")
    np.savetxt("press.csv", series, "%.3f")
    with open("spans.json", "w") as file:
        json.dump(FAULTS, file, indent=1)
        file.write("\n")
    score = np.mean(((windows - mean) / scale - model.predict((windows - mean) / scale)) ** 2, axis=1) / largest
    flagged = np.flatnonzero(score > 1) + WINDOW - 1
    print(f"{len(flagged)} readings are flagged; the largest score of what was learned is {score[:LEARNED - WINDOW].max():.2f}")
    for fault in FAULTS:
        inside = ((flagged >= fault["from"]) & (flagged < fault["to"] + WINDOW)).sum()
        print(fault["what"], inside, "of", fault["to"] - fault["from"])
    outside = [f for f in flagged if not any(s["from"] <= f < s["to"] + WINDOW for s in FAULTS)]
    print("false:", outside)


if __name__ == "__main__":
    main()
