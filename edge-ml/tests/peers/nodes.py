"""Writes the test data that the ONNX project ships in its own package: models, inputs, and the outputs that must come of them.

    python nodes.py FOLDER
"""

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.case.node import collect_testcases

from cases import Cases


def value(proto, kind):
    """Returns the array of a file, or nothing for what is no tensor."""
    if kind != "tensor_type":
        return None
    tensor = onnx.TensorProto()
    tensor.ParseFromString(proto)
    return numpy_helper.to_array(tensor)


def ports(model):
    constants = {constant.name for constant in model.graph.initializer}
    return [port for port in model.graph.input if port.name not in constants], list(model.graph.output)


def row(model, name):
    """Returns what a case is counted under in the table: its operator, when that is what it is about."""
    if "_expanded" in name:
        return "(operators that are made of others, written out)"
    if len(model.graph.node) != 1:
        return "(several operators)"
    node = model.graph.node[0]
    return node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"


def nodes(cases):
    np.random.seed(0)
    for case in collect_testcases(None):
        model = case.model
        inputs, outputs = ports(model)
        for number, (given, wanted) in enumerate(case.data_sets):
            cases.add(f"node/{case.name}" + (f".{number}" if number else ""), model.SerializeToString(),
                      zip((port.name for port in inputs), given),
                      zip((port.name for port in outputs), wanted), rtol=case.rtol, atol=case.atol,
                      row=row(model, case.name))


def files(cases):
    data = Path(onnx.__file__).parent / "backend" / "test" / "data"
    for folder in sorted(path for kind in ("simple", "pytorch-operator", "pytorch-converted") for path in (data / kind).iterdir()):
        model = onnx.load(folder / "model.onnx")
        inputs, outputs = ports(model)
        for number, files in enumerate(sorted(folder.glob("test_data_set_*"))):
            read = lambda kind, all: [
                (port.name, value((files / f"{kind}_{n}.pb").read_bytes(), port.type.WhichOneof("value")))
                for n, port in enumerate(all)]
            cases.add(f"{folder.parent.name}/{folder.name}" + (f".{number}" if number else ""),
                      (folder / "model.onnx").read_bytes(), read("input", inputs), read("output", outputs),
                      rtol=1e-3, atol=1e-7, row=f"({folder.parent.name})")
    # Large networks with weights that a generator gives: their inputs are ones.
    for path in sorted((data / "light").glob("*.onnx")):
        model = onnx.load(path)
        inputs, outputs = ports(model)
        shape = [dim.dim_value for dim in inputs[0].type.tensor_type.shape.dim]
        cases.add(f"light/{path.stem}", path.read_bytes(), [(inputs[0].name, np.ones(shape, np.float32))],
                  [(outputs[0].name, value(path.with_name(path.stem + "_output_0.pb").read_bytes(), "tensor_type"))],
                  rtol=1e-3, atol=1e-7, row="(light)")


def main(folder):
    cases = Cases(folder)
    nodes(cases)
    files(cases)
    cases.close()


main(sys.argv[1])
