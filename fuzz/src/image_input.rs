//! Images from messages, within their limits.

use std::path::Path;

use edge_core::{Message, Source};
use edge_ml::mapping::{MapError, MappingSpec, MappingWindows};
use edge_ml::{Dim, ElementType, Port, Signature};

/// Decodes the input as an image of at most 4,096 pixels, and checks that the tensor fits the model.
///
/// # Panics
/// Panics when something does not hold.
pub fn image_input(data: &[u8]) {
    let dims = [1, 3, 8, 8].map(Dim::Fixed).to_vec();
    let signature = Signature::new(
        vec![Port::new("x", ElementType::F32, dims)],
        vec![Port::new("y", ElementType::F32, vec![Dim::Fixed(1)])],
    );
    let spec = r#"{"inputs":{"x":{"image":{"max_pixels":4096}}},"outputs":{"y":{}}}"#;
    let spec: MappingSpec = serde_json::from_str(spec).expect("it is a mapping");
    let mapping = spec.check(&signature, Path::new("/nowhere")).expect("it fits");
    let message = Message::builder(&Source::telemetry()).body(data).build();
    match mapping.inputs(&message, &mut MappingWindows::new(&mapping)) {
        Ok(tensors) => {
            let tensors = tensors.expect("there is no window to fill");
            let views: Vec<_> = tensors.iter().map(edge_ml::Tensor::view).collect();
            signature.check_inputs(&views).expect("they fit the model");
        }
        Err(MapError::ImageSize { pixels, limit }) => assert!(pixels > limit),
        Err(MapError::Image { .. }) => {}
        Err(other) => panic!("{other}"),
    }
}
