//! A model that multiplies, written byte by byte.

use ring::digest::{SHA256, digest};

/// A field of Protocol Buffers with bytes in it.
fn bytes(number: u8, content: &[u8]) -> Vec<u8> {
    let mut all = vec![number << 3 | 2];
    let mut length = content.len();
    while length >= 0x80 {
        all.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    all.push(length as u8);
    all.extend_from_slice(content);
    all
}

fn number(field: u8, value: u8) -> Vec<u8> {
    vec![field << 3, value]
}

fn attribute(name: &str, value: f32) -> Vec<u8> {
    // The kind, field 20, is a list of numbers.
    let kind = vec![0xa0, 0x01, 6];
    bytes(5, &[bytes(1, name.as_bytes()), bytes(7, &value.to_le_bytes()), kind].concat())
}

/// An input or output of floats in any number of rows of one column.
fn port(field: u8, name: &str) -> Vec<u8> {
    let rows = bytes(1, &bytes(2, b"rows"));
    let columns = bytes(1, &number(1, 1));
    let shape = bytes(2, &[rows, columns].concat());
    let tensor = bytes(1, &[number(1, 1), shape].concat());
    bytes(field, &[bytes(1, name.as_bytes()), bytes(2, &tensor)].concat())
}

/// Returns the file of a model that multiplies by `factor`.
pub(crate) fn scaler(factor: f32) -> Vec<u8> {
    let node = [
        bytes(1, b"x"),
        bytes(2, b"y"),
        bytes(3, b"scale"),
        bytes(4, b"Scaler"),
        attribute("offset", 0.0),
        attribute("scale", factor),
        bytes(7, b"ai.onnx.ml"),
    ];
    let graph = [bytes(1, &node.concat()), bytes(2, b"g"), port(11, "x"), port(12, "y")];
    let opset = |domain: &str, version| bytes(8, &[bytes(1, domain.as_bytes()), number(2, version)].concat());
    [number(1, 8), bytes(7, &graph.concat()), opset("", 15), opset("ai.onnx.ml", 3)].concat()
}

/// Returns the checksum of a file.
pub(crate) fn sha256(file: &[u8]) -> String {
    digest(&SHA256, file).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
