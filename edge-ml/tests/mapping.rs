//! Mappings: what they make of messages, and what they say when they cannot.

use std::path::Path;

use edge_core::{Message, Report, Source, SystemKey};
use edge_ml::mapping::{MapError, Mapping, MappingMistakes, MappingSpec, MappingWindows, OnMapError};
use edge_ml::{Dim, ElementType, F16, Port, Signature, Tensor};

fn port(name: &str, element: ElementType, dims: &[usize]) -> Port {
    let dim = |size: &usize| if *size == 0 { Dim::Symbol("n".into()) } else { Dim::Fixed(*size) };
    Port::new(name, element, dims.iter().map(dim).collect())
}

fn model(input: ElementType, dims: &[usize], outputs: &[(&str, ElementType, &[usize])]) -> Signature {
    let outputs = outputs.iter().map(|(name, element, dims)| port(name, *element, dims)).collect();
    Signature::new(vec![port("x", input, dims)], outputs)
}

fn check(spec: &str, signature: &Signature) -> Result<Mapping, MappingMistakes> {
    serde_json::from_str::<MappingSpec>(spec).unwrap().check(signature, Path::new("."))
}

fn message(body: &str) -> Message {
    Message::builder(&Source::telemetry())
        .system(SystemKey::ConnectionDeviceId, "d1")
        .property("line", "7")
        .body(body.as_bytes())
        .build()
}

const Y: &[(&str, ElementType, &[usize])] = &[("y", ElementType::F32, &[0, 1])];

/// Maps a body by these fields to a tensor of as many elements.
fn map(fields: &str, element: ElementType, len: usize, body: &str) -> Result<Tensor, MapError> {
    let spec = format!(r#"{{"inputs":{{"x":{{"fields":{fields}}}}},"outputs":{{"y":{{}}}}}}"#);
    let mapping = check(&spec, &model(element, &[0, len], Y)).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let tensors = mapping.inputs(&message(body), &mut MappingWindows::new(&mapping))?;
    Ok(tensors.unwrap().remove(0))
}

#[test]
fn fields_become_elements() {
    let fields = r#"["$body.a", {"field":"$body.b","scale":0.5,"offset":-2}, "line", {"field":"$body.z","default":-1}]"#;
    let tensor = map(fields, ElementType::F32, 4, r#"{"a":1.5,"b":10}"#).unwrap();
    assert_eq!((tensor.shape(), tensor.values::<f32>()), (&[1, 4][..], Some(&[1.5, 4.0, 7.0, -1.0][..])));
    let tensor = map(r#"[{"field":"$body.a","count":3}]"#, ElementType::I64, 3, r#"{"a":[1,2,-3]}"#).unwrap();
    assert_eq!(tensor.values::<i64>(), Some(&[1, 2, -3][..]));
    let tensor = map(r#"["$body.a","$body.b"]"#, ElementType::Text, 2, r#"{"a":"x","b":3}"#).unwrap();
    assert_eq!(tensor.values::<String>(), Some(&["x".to_owned(), "3".to_owned()][..]));
    let tensor = map(r#"["$body.a"]"#, ElementType::Bool, 1, r#"{"a":true}"#).unwrap();
    assert_eq!(tensor.values::<bool>(), Some(&[true][..]));
    let tensor = map(r#"["$body.a"]"#, ElementType::F16, 1, r#"{"a":0.5}"#).unwrap();
    assert_eq!(tensor.values::<F16>(), Some(&[F16::from_f32(0.5)][..]));
}

#[track_caller]
fn fails(fields: &str, element: ElementType, len: usize, body: &str, expected: &str) {
    assert_eq!(Report(&map(fields, element, len, body).unwrap_err()).to_string(), expected, "{body}");
}

#[test]
fn what_cannot_be_mapped_says_why() {
    let a = r#"["$body.a"]"#;
    let three = r#"[{"field":"$body.a","count":3}]"#;
    let f32 = ElementType::F32;
    fails(a, f32, 1, "{}", "there is nothing at `$body.a`, which has no default");
    fails(
        a,
        f32,
        1,
        "x",
        "a field is in the body, which cannot be read: the body is not JSON at line 1, column 1",
    );
    fails(a, f32, 1, r#"{"a":"1"}"#, "`$body.a` is a text, where a finite number is wanted");
    fails(a, f32, 1, r#"{"a":null}"#, "`$body.a` is null, where a finite number is wanted");
    fails(
        a,
        f32,
        1,
        r#"{"a":1e999}"#,
        "`$body.a` is infinite or not a number, where a finite number is wanted",
    );
    fails(
        a,
        f32,
        1,
        r#"{"a":1e39}"#,
        "`$body.a` is 1000000000000000000000000000000000000000, which is no f32",
    );
    fails(a, ElementType::U8, 1, r#"{"a":256}"#, "`$body.a` is 256, which is no u8");
    fails(a, ElementType::I32, 1, r#"{"a":1.5}"#, "`$body.a` is 1.5, which is no i32");
    fails(three, f32, 3, r#"{"a":[1,2]}"#, "`$body.a` has 2 numbers, where 3 are wanted");
    fails(three, f32, 3, r#"{"a":1}"#, "`$body.a` has 1 numbers, where 3 are wanted");
    fails(
        three,
        f32,
        3,
        r#"{"a":[1,"2",3]}"#,
        "`$body.a` is an array with other things than numbers, where a finite number is wanted",
    );
}

#[test]
fn windows_fill_by_key_and_slide() {
    let spec = r#"{"inputs":{"x":{"fields":["$body.t"],"window":3}},"outputs":{"y":{}},"key":"$body.d","max_keys":2}"#;
    let mapping = check(spec, &model(ElementType::F64, &[0, 3], Y)).unwrap();
    let mut windows = MappingWindows::new(&mapping);
    let mut push = |body: &str| {
        let tensors = mapping.inputs(&message(body), &mut windows)?;
        Ok(tensors.map(|tensors| tensors[0].values::<f64>().unwrap().to_vec()))
    };
    for t in 1..=2 {
        assert_eq!(push(&format!(r#"{{"d":"a","t":{t}}}"#)), Ok(None));
        assert_eq!(push(&format!(r#"{{"d":"b","t":-{t}}}"#)), Ok(None));
    }
    assert!(matches!(push(r#"{"d":"a","t":"x"}"#), Err(MapError::Kind { .. })), "the window has not changed");
    assert_eq!(push(r#"{"d":"a","t":3}"#), Ok(Some(vec![1.0, 2.0, 3.0])));
    assert_eq!(push(r#"{"d":"a","t":4}"#), Ok(Some(vec![2.0, 3.0, 4.0])));
    assert_eq!(push(r#"{"d":"c","t":0}"#), Ok(None));
    assert_eq!(push(r#"{"d":"b","t":-3}"#), Ok(None), "it was silent longest, and was forgotten");
    assert!(matches!(push(r#"{"t":1}"#), Err(MapError::Missing { .. })));
    assert_eq!((windows.len(), windows.forgotten()), (2, 2));
}

#[test]
fn raw_bodies_are_little_endian() {
    let spec = r#"{"inputs":{"x":{"raw":true}},"outputs":{"y":{}}}"#;
    let mapping = check(spec, &model(ElementType::F32, &[0, 2], Y)).unwrap();
    let map = |bytes: &[u8]| {
        let message = Message::builder(&Source::telemetry()).body(bytes).build();
        mapping.inputs(&message, &mut MappingWindows::new(&mapping))
    };
    let bytes = [1.5f32.to_le_bytes(), (-2f32).to_le_bytes()].concat();
    assert_eq!(map(&bytes).unwrap().unwrap()[0].values::<f32>(), Some(&[1.5, -2.0][..]));
    assert_eq!(map(&bytes[1..]), Err(MapError::RawLength { found: 7, wanted: 8 }));
    let bytes = [1.5f32.to_le_bytes(), f32::NAN.to_le_bytes()].concat();
    assert_eq!(map(&bytes), Err(MapError::RawValue));
}

/// Makes the result of these outputs.
fn result(spec: &str, outputs: &[(&str, Tensor)], body: &str) -> Result<Message, MapError> {
    let ports: Vec<_> =
        outputs.iter().map(|(name, tensor)| port(name, tensor.element_type(), tensor.shape())).collect();
    let signature = Signature::new(vec![], ports);
    let mapping = check(spec, &signature).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let tensors: Vec<_> = outputs.iter().map(|(_, tensor)| tensor.clone()).collect();
    mapping.result(&message(body), &tensors).map(edge_core::MessageBuilder::build)
}

fn scores() -> Vec<(&'static str, Tensor)> {
    let scores = Tensor::new([1, 3], vec![0.25f32, 0.5, 0.25]).unwrap();
    vec![("scores", scores), ("label", Tensor::new([1], vec!["cat".to_owned()]).unwrap())]
}

#[test]
fn outputs_become_fields() {
    let spec = r#"{"outputs":{
        "a":{"from":"scores","take":"argmax","labels":["cat","dog","cow"]}, "b":{"from":"scores","take":"max","scale":100},
        "c":{"from":"scores","take":"all"}, "d":{"from":"scores","take":"above","index":1,"threshold":0.4},
        "e":{"from":"label"}, "f":{"from":"scores","take":"argmax"}, "g":{"from":"scores","index":2,"property":true}}}"#;
    let message = result(spec, &scores(), "JPEG").unwrap();
    let body = std::str::from_utf8(message.body()).unwrap();
    assert_eq!(body, r#"{"a":"dog","b":50,"c":[0.25,0.5,0.25],"d":true,"e":"cat","f":1}"#);
    assert_eq!(message.properties().value("g"), Some(Some("0.25")));
    assert_eq!(message.properties().value("line"), Some(Some("7")));
    assert_eq!(message.system().value(SystemKey::ContentType), Some("application/json"));
}

#[test]
fn the_message_that_came_is_kept_or_extended() {
    let spec = |how: &str| format!(r#"{{"outputs":{{"s":{{"from":"label"}}}},"message":"{how}"}}"#);
    let body = |how: &str, body: &str| {
        let message = result(&spec(how), &scores(), body)?;
        Ok(String::from_utf8(message.body().to_vec()).unwrap())
    };
    assert_eq!(body("extend", r#" {"t": 1.50 } "#), Ok(r#"{"t": 1.50,"s":"cat"}"#.into()));
    assert_eq!(body("extend", "{}"), Ok(r#"{"s":"cat"}"#.into()));
    for no_object in ["[1]", "x", "{\"a\":}", "", "{}{}"] {
        assert_eq!(body("extend", no_object), Err(MapError::NotAnObject), "{no_object}");
    }
    let message = result(&spec("keep"), &scores(), "JPEG").unwrap();
    assert_eq!((message.body(), message.properties().value("s")), (&b"JPEG"[..], Some(Some("cat"))));
}

#[test]
fn outputs_that_json_cannot_hold_are_errors() {
    for take in ["value", "all", "max", "argmax", "above"] {
        let spec = format!(r#"{{"outputs":{{"s":{{"take":"{take}"}}}}}}"#);
        let outputs = [("y", Tensor::new([1], vec![f32::NAN]).unwrap())];
        assert_eq!(
            result(&spec, &outputs, "").unwrap_err(),
            MapError::NotFinite { result: "s".into() },
            "{take}"
        );
    }
}

#[test]
fn all_mistakes_are_found_at_once_with_the_signature() {
    let signature = Signature::new(
        vec![port("x", ElementType::F32, &[0, 4]), port("mask", ElementType::Bool, &[1])],
        vec![port("y", ElementType::F32, &[0, 2]), port("name", ElementType::Text, &[1])],
    );
    let mistakes = check(
        r#"{"inputs":{"x":{"fields":["$body..t","line"]},"z":{"raw":true}},
            "outputs":{"a":{},"b":{"from":"yy"},"c":{"from":"y","index":2},"d":{"from":"y","take":"top"},
                "e":{"from":"y","take":"argmax","labels":["x"]},"f":{"from":"name","take":"max"},
                "g":{"from":"y","take":"argmax","labels_file":"/nowhere"},"h":{"from":"y","threshold":1}},
            "message":"add","on_error":"retry","key":"$x","max_keys":0}"#,
        &signature,
    )
    .unwrap_err();
    let mut keys: Vec<_> = mistakes.iter().map(|(key, _)| key).collect();
    keys.sort_unstable();
    let expected = [
        "inputs.mask",
        "inputs.x.fields",
        "inputs.x.fields",
        "inputs.z",
        "key",
        "max_keys",
        "message",
        "on_error",
        "outputs.a.from",
        "outputs.b.from",
        "outputs.c.index",
        "outputs.d.take",
        "outputs.e.labels",
        "outputs.f.take",
        "outputs.g.labels_file",
        "outputs.h.threshold",
    ];
    assert_eq!(keys, expected, "{mistakes}");
    let text = mistakes.to_string();
    assert!(
        text.ends_with("the model is x: f32[n, 4], mask: bool[1] -> y: f32[n, 2], name: text[1]"),
        "{text}"
    );
}

#[test]
fn what_is_left_out_has_a_default() {
    let spec = r#"{"inputs":{"x":{"fields":["a"]}},"outputs":{"y":{}}}"#;
    let mapping = check(spec, &model(ElementType::F32, &[0, 1], Y)).unwrap();
    assert_eq!(mapping.on_error(), OnMapError::DeadLetter);
    let unknown = serde_json::from_str::<MappingSpec>(r#"{"input":{}}"#).unwrap_err();
    assert!(unknown.to_string().contains("unknown field `input`, expected one of `inputs`"));
}

#[cfg(feature = "image")]
mod images {
    use std::io::Cursor;

    use super::*;

    /// A picture that is red on the left and blue on the right.
    fn picture(format: image::ImageFormat, width: u32, height: u32) -> Vec<u8> {
        let colour = |x, _| if 2 * x < width { image::Rgb([255, 0, 0]) } else { image::Rgb([0, 0, 255]) };
        let mut bytes = Vec::new();
        let image = image::DynamicImage::from(image::RgbImage::from_fn(width, height, colour));
        image.write_to(&mut Cursor::new(&mut bytes), format).unwrap();
        bytes
    }

    fn map(image: &str, element: ElementType, dims: &[usize], body: &[u8]) -> Result<Tensor, MapError> {
        let spec = format!(r#"{{"inputs":{{"x":{{"image":{image}}}}},"outputs":{{"y":{{}}}}}}"#);
        let mapping = check(&spec, &model(element, dims, Y)).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        let message = Message::builder(&Source::telemetry()).body(body).build();
        Ok(mapping.inputs(&message, &mut MappingWindows::new(&mapping))?.unwrap().remove(0))
    }

    #[test]
    fn colours_and_pixels_are_where_the_model_wants_them() {
        let png = picture(image::ImageFormat::Png, 4, 2);
        let tensor = map("{}", ElementType::F32, &[0, 3, 1, 2], &png).unwrap();
        assert_eq!(tensor.shape(), [1, 3, 1, 2]);
        let near = |tensor: &Tensor, expected: &[f32]| {
            let values = tensor.values::<f32>().unwrap();
            assert!(values.iter().zip(expected).all(|(a, b)| (a - b).abs() < 0.3), "{values:?}");
        };
        near(&tensor, &[1.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
        let nhwc =
            map(r#"{"layout":"nhwc","colours":"bgr"}"#, ElementType::F32, &[1, 1, 2, 3], &png).unwrap();
        near(&nhwc, &[0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
        let normal = r#"{"mean":[1,0,0],"std":[0.5,1,1]}"#;
        near(&map(normal, ElementType::F32, &[1, 3, 1, 2], &png).unwrap(), &[0.0, -2.0, 0.0, 0.0, 0.0, 1.0]);
        let grey = map("{}", ElementType::U8, &[1, 1, 2, 4], &png).unwrap();
        assert_eq!(grey.values::<u8>().map(<[u8]>::len), Some(8));
        let jpeg = picture(image::ImageFormat::Jpeg, 64, 64);
        let tensor = map(r#"{"fit":"crop"}"#, ElementType::F32, &[1, 3, 8, 4], &jpeg).unwrap();
        near(&tensor, &[0.95, 0.95, 0.05, 0.05]);
    }

    #[test]
    fn images_that_are_damaged_or_too_large_are_errors() {
        let small = r#"{"max_pixels":64}"#;
        let dims = &[1, 3, 4, 4];
        let png = picture(image::ImageFormat::Png, 9, 8);
        assert_eq!(
            map(small, ElementType::F32, dims, &png),
            Err(MapError::ImageSize { pixels: 72, limit: 64 })
        );
        for format in [image::ImageFormat::Png, image::ImageFormat::Jpeg] {
            let good = picture(format, 8, 8);
            assert!(map(small, ElementType::F32, dims, &good).is_ok());
            for cut in 0..good.len() {
                // A JPEG may be shown as far as it came; nothing panics.
                let cut = map(small, ElementType::F32, dims, &good[..cut]);
                assert!(matches!(cut, Ok(_) | Err(MapError::Image { .. } | MapError::ImageSize { .. })));
            }
        }
        for bytes in [&b""[..], b"GIF89a", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"] {
            assert!(matches!(map("{}", ElementType::F32, dims, bytes), Err(MapError::Image { .. })));
        }
    }

    #[test]
    fn images_that_do_not_fit_the_model_are_mistakes() {
        let spec = r#"{"inputs":{"x":{"image":{"width":10,"mean":[1],"std":[0,1,1],"fit":"pad","colours":"grey"}}},"outputs":{"y":{}}}"#;
        let mistakes = check(spec, &model(ElementType::F32, &[0, 3, 4, 4], Y)).unwrap_err();
        assert_eq!(mistakes.iter().len(), 5, "{mistakes}");
        let mistakes = check(spec, &model(ElementType::F32, &[0, 4], Y)).unwrap_err();
        assert!(mistakes.to_string().contains("an image has 4 dimensions"), "{mistakes}");
    }
}
