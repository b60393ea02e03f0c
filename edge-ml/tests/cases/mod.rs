//! Models with inputs and expected outputs, as `vectors/make.py` writes them.
#![allow(unreachable_pub, dead_code, reason = "used by several test files beside it")]

use base64::Engine;
use edge_ml::Tensor;

pub struct Case {
    pub name: String,
    pub model: Vec<u8>,
    pub inputs: Vec<(String, Tensor)>,
    pub outputs: Vec<(String, Tensor)>,
}

pub fn read(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in text.lines() {
        let (kind, rest) = line.split_once(' ').unwrap();
        match kind {
            "case" => cases.push(Case { name: rest.into(), model: vec![], inputs: vec![], outputs: vec![] }),
            "model" => {
                let model = base64::engine::general_purpose::STANDARD.decode(rest).unwrap();
                cases.last_mut().unwrap().model = model;
            }
            "in" => cases.last_mut().unwrap().inputs.push(tensor(rest)),
            _ => cases.last_mut().unwrap().outputs.push(tensor(rest)),
        }
    }
    cases
}

pub fn tensor(line: &str) -> (String, Tensor) {
    let mut words = line.split(' ');
    let (name, element, shape) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
    let shape: Vec<usize> =
        if shape == "-" { vec![] } else { shape.split(',').map(|dim| dim.parse().unwrap()).collect() };
    let words = words.filter(|word| !word.is_empty());
    let tensor = match element {
        "f32" => Tensor::new(shape, words.map(|word| float(word) as f32).collect()),
        "f64" => Tensor::new(shape, words.map(float).collect()),
        "i64" => Tensor::new(shape, words.map(|word| word.parse::<i64>().unwrap()).collect()),
        "i32" => Tensor::new(shape, words.map(|word| word.parse::<i32>().unwrap()).collect()),
        "u8" => Tensor::new(shape, words.map(|word| word.parse::<u8>().unwrap()).collect()),
        "bool" => Tensor::new(shape, words.map(|word| word == "1").collect()),
        _ => Tensor::new(shape, words.map(unquoted).collect()),
    };
    (name.into(), tensor.unwrap())
}

/// Reads a number in hexadecimal, as Python's `float.hex` writes it.
fn float(word: &str) -> f64 {
    let (sign, word) = word.strip_prefix('-').map_or((1.0, word), |rest| (-1.0, rest));
    match word {
        "nan" => f64::NAN,
        "inf" => sign * f64::INFINITY,
        _ => {
            let (digits, exponent) = word.strip_prefix("0x").unwrap().split_once('p').unwrap();
            let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
            let mantissa = u64::from_str_radix(&format!("{whole}{fraction}"), 16).unwrap() as f64;
            sign * mantissa * 2f64.powi(exponent.parse::<i32>().unwrap() - 4 * fraction.len() as i32)
        }
    }
}

fn unquoted(word: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = if word == "%" { b"" } else { word.as_bytes() };
    while let Some((&first, tail)) = rest.split_first() {
        if first == b'%' {
            bytes.push(u8::from_str_radix(std::str::from_utf8(&tail[..2]).unwrap(), 16).unwrap());
            rest = &tail[2..];
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// Says what differs between tensors and those expected, beyond rounding.
pub fn compare(found: &[Tensor], expected: &[(String, Tensor)], tolerance: f64) -> Result<(), String> {
    if found.len() != expected.len() {
        return Err(format!("{} outputs instead of {}", found.len(), expected.len()));
    }
    for (found, (name, expected)) in found.iter().zip(expected) {
        if (found.element_type(), found.shape()) != (expected.element_type(), expected.shape()) {
            return Err(format!("{name} is {found:?} and should be {expected:?}"));
        }
        let (Some(x), Some(y)) = (floats(found), floats(expected)) else {
            if found != expected {
                let texts = (found.values::<String>(), expected.values::<String>());
                let ints = (found.values::<i64>(), expected.values::<i64>());
                return Err(format!("{name} is {texts:?} {ints:?}"));
            }
            continue;
        };
        for (place, (x, y)) in x.iter().zip(&y).enumerate() {
            let near = (x - y).abs() <= tolerance * x.abs().max(y.abs()).max(1.0);
            if !(near || x == y || x.is_nan() && y.is_nan()) {
                return Err(format!("element {place} of {name} is {x} and should be {y}"));
            }
        }
    }
    Ok(())
}

fn floats(tensor: &Tensor) -> Option<Vec<f64>> {
    let wide = |values: &[f32]| values.iter().map(|value| f64::from(*value)).collect();
    tensor.values::<f32>().map(wide).or_else(|| tensor.values::<f64>().map(<[f64]>::to_vec))
}
