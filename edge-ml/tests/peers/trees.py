"""Writes ensembles of trees as large as people train them, with the answers of onnxruntime for many rows.

    python trees.py FOLDER
"""

import sys

import numpy as np
import onnxruntime
from onnx import TensorProto, helper

from cases import Cases

COLUMNS, ROWS = 20, 64
random = np.random.default_rng(7)


def ensemble(trees, depth, ids):
    """Returns the attributes of balanced trees; `ids` says how many sums there are, of which a leaf has a share."""
    nodes = {name: [] for name in ("treeids", "nodeids", "featureids", "modes", "values", "truenodeids", "falsenodeids")}
    weights = {name: [] for name in ("treeids", "nodeids", "ids", "weights")}
    inner = 2**depth - 1
    for tree in range(trees):
        for node in range(2 * inner + 1):
            is_leaf = node >= inner
            row = (tree, node, 0 if is_leaf else int(random.integers(COLUMNS)), "LEAF" if is_leaf else "BRANCH_LEQ",
                   0.0 if is_leaf else float(random.normal() * 0.7), 0 if is_leaf else 2 * node + 1,
                   0 if is_leaf else 2 * node + 2)
            for (_, values), value in zip(nodes.items(), row):
                values.append(value)
            for share in ids(tree) if is_leaf else ():
                for (_, values), value in zip(weights.items(), (tree, node, share, float(random.random() / trees))):
                    values.append(value)
    return {f"nodes_{name}": values for name, values in nodes.items()}, weights


def model(operator, attributes, outputs):
    node = helper.make_node(operator, ["x"], [name for name, *_ in outputs], domain="ai.onnx.ml", **attributes)
    graph = helper.make_graph(
        [node], "trees", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", COLUMNS])],
        [helper.make_tensor_value_info(*output) for output in outputs])
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


def regressor(trees, depth):
    nodes, weights = ensemble(trees, depth, lambda tree: (0,))
    attributes = {**nodes, **{f"target_{name}": values for name, values in weights.items()}, "n_targets": 1}
    return model("TreeEnsembleRegressor", attributes, [("y", TensorProto.FLOAT, ["rows", 1])])


def classifier(trees, depth, classes, ids, transform):
    nodes, weights = ensemble(trees, depth, ids)
    attributes = {**nodes, **{f"class_{name}": values for name, values in weights.items()},
                  "classlabels_int64s": list(range(classes)), "post_transform": transform}
    return model("TreeEnsembleClassifier", attributes,
                 [("label", TensorProto.INT64, ["rows"]), ("scores", TensorProto.FLOAT, ["rows", classes])])


MODELS = {
    "boosted regressor, 100 trees 4 deep": regressor(100, 4),
    "boosted regressor, 500 trees 6 deep": regressor(500, 6),
    "boosted three classes, 300 trees 3 deep": classifier(300, 3, 3, lambda tree: (tree % 3,), "SOFTMAX"),
    "forest three classes, 100 trees 8 deep": classifier(100, 8, 3, lambda tree: (0, 1, 2), "NONE"),
    "boosted two classes, 100 trees 3 deep": classifier(100, 3, 2, lambda tree: (0,), "LOGISTIC"),
}


def main(folder):
    cases = Cases(folder)
    x = random.normal(size=(ROWS, COLUMNS)).astype(np.float32)
    x[5, 3] = np.nan
    for name, content in MODELS.items():
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        outputs = zip((value.name for value in session.get_outputs()), session.run(None, {"x": x}))
        cases.add(name, content, [("x", x)], outputs)
    cases.close()


main(sys.argv[1])
