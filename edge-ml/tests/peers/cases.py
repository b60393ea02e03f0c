"""Writes cases for the tests: `index.json`, and `tensors.bin` with models and elements, little-endian, at stated places."""

import json
from pathlib import Path

import numpy as np

NAMES = {"float32": "f32", "float64": "f64", "float16": "f16", "int8": "i8", "int16": "i16", "int32": "i32",
         "int64": "i64", "uint8": "u8", "uint16": "u16", "uint32": "u32", "uint64": "u64", "bool": "bool"}


class Cases:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.blob = open(self.folder / "tensors.bin", "wb")
        self.cases = []

    def bytes(self, content):
        at = self.blob.tell()
        self.blob.write(content)
        return {"at": at, "bytes": len(content)}

    def tensor(self, name, value):
        """Describes a tensor; a value that is none, or of a type that has no name here, has the type `other`."""
        if not isinstance(value, (np.ndarray, np.generic)):
            return {"name": name, "type": "other"}
        value = np.asarray(value)
        described = {"name": name, "shape": list(value.shape)}
        if value.dtype == object or value.dtype.kind in "US":
            text = [item.decode() if isinstance(item, bytes) else str(item) for item in value.flatten()]
            return {**described, "type": "text", "texts": text}
        if str(value.dtype) not in NAMES:
            return {"name": name, "type": "other"}
        little = np.ascontiguousarray(value).astype(value.dtype.newbyteorder("<"))
        return {**described, "type": NAMES[str(value.dtype)], **self.bytes(little.tobytes())}

    def add(self, name, model, inputs, outputs, **more):
        self.cases.append({
            "name": name, "model": self.bytes(model),
            "inputs": [self.tensor(*pair) for pair in inputs],
            "outputs": [self.tensor(*pair) for pair in outputs], **more})

    def close(self):
        self.blob.close()
        (self.folder / "index.json").write_text(json.dumps(self.cases))
        print(len(self.cases), "cases")
