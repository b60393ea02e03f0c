//! Reads an event as its receiver would, for the law that messages survive.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use edge_core::{MessageBuilder, Stored};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::HttpFormat;
use crate::iothub::bag;

#[derive(Deserialize)]
struct Event<'e> {
    edgeproperties: Option<String>,
    datacontenttype: Option<String>,
    #[serde(borrow)]
    data: Option<&'e RawValue>,
    data_base64: Option<String>,
}

/// Writes an event and reads it into `builder`.
pub(crate) fn through_cloud_events(stored: &Stored, builder: &mut MessageBuilder) {
    let body = HttpFormat::CloudEvents.write("edge1", std::slice::from_ref(stored));
    let events: Vec<Event<'_>> = serde_json::from_slice(&body).expect("an event was written just now");
    let [event] = events.as_slice() else { panic!("one event") };
    bag::read_all(event.edgeproperties.as_deref().unwrap_or_default(), builder)
        .expect("an event was written just now");
    let is_text = event.datacontenttype.as_deref().is_some_and(|kind| kind.starts_with("text/"));
    match (&event.data, &event.data_base64) {
        (Some(data), None) if is_text => {
            builder.set_body(
                serde_json::from_str::<String>(data.get()).expect("an event was written just now").as_bytes(),
            );
        }
        (Some(data), None) => builder.set_body(data.get().as_bytes()),
        (None, Some(text)) => {
            builder.set_body(&STANDARD.decode(text).expect("an event was written just now"))
        }
        _ => panic!("an event has one body"),
    }
}
