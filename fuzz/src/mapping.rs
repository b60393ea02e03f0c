//! Mappings from messages to tensors and back.

use std::path::Path;

use edge_core::{Message, Source, SystemKey};
use edge_ml::mapping::{MappingSpec, MappingWindows};
use edge_ml::{Dim, ElementType, Port, Signature, Tensor};

/// Reads a mapping and a body, which a line `---` parts, and checks that what comes of them fits the model.
///
/// # Panics
/// Panics when something does not hold.
pub fn mapping(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (spec, body) = text.split_once("\n---\n").unwrap_or((text, "{}"));
    let Ok(spec) = serde_json::from_str::<MappingSpec>(spec) else { return };
    let batch = || Dim::Symbol("n".into());
    let port = |name: &str, element, size| Port::new(name, element, vec![batch(), Dim::Fixed(size)]);
    let signature = Signature::new(
        vec![port("x", ElementType::F32, 4), Port::of_any_shape("i", ElementType::I64)],
        vec![port("y", ElementType::F32, 3), port("t", ElementType::Text, 1)],
    );
    let mapping = match spec.check(&signature, Path::new("/nowhere")) {
        Ok(mapping) => mapping,
        Err(mistakes) => {
            assert!(mistakes.iter().len() > 0);
            assert!(mistakes.to_string().ends_with("y: f32[n, 3], t: text[n, 1]"));
            return;
        }
    };
    let message = Message::builder(&Source::telemetry())
        .system(SystemKey::ConnectionDeviceId, "d")
        .property("p", "7")
        .body(body.as_bytes())
        .build();
    let mut windows = MappingWindows::new(&mapping);
    for _ in 0..3 {
        let Ok(Some(tensors)) = mapping.inputs(&message, &mut windows) else { continue };
        let views: Vec<_> = tensors.iter().map(Tensor::view).collect();
        signature.check_inputs(&views).expect("they fit the model");
    }
    let y = Tensor::new([1, 3], vec![0.5f32, -1.0, f32::MAX]).expect("three elements");
    let t = Tensor::new([1, 1], vec!["a\"b".to_owned()]).expect("one element");
    if let Ok(result) = mapping.result(&message, &[y, t]) {
        let result = result.build();
        let kept = result.body() == message.body();
        assert!(kept || serde_json::from_slice::<serde_json::Value>(result.body()).is_ok());
    }
}
