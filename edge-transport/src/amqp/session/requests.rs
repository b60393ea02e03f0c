//! Twins and direct methods.

use bytes::Bytes;
use edge_core::{Feed, IncidentKind, MethodAnswer, MethodCall, TwinAnswer, TwinRequest};

use super::link::LinkKey;
use super::{Output, ServerConnection};
use crate::amqp::wire::{Properties, Reader, Sections, Value, Writer, condition, write_data};
use crate::iothub::uuid;

/// The most bytes of a correlation id.
const MAX_ID_BYTES: usize = 1024;
/// The first half of the ids of method calls; the number of the call is the other.
///
/// # Source
/// Our choice, because the .NET and Java SDKs take an id for a method that is no UUID for an error.
const METHOD_ID: [u8; 8] = *b"edge\x00\x00\x40\x00";

type Refused = (&'static str, String, IncidentKind);

impl ServerConnection {
    /// Takes a request about the twin.
    pub(super) fn twin_request(
        &mut self,
        key: LinkKey,
        sections: &Sections<'_>,
        buffer: &mut Vec<u8>,
    ) -> Result<(), Refused> {
        let malformed = |detail: &str| (condition::DECODE, detail.to_owned(), IncidentKind::Malformed);
        let Some(who) = self.links.get(&key).and_then(|link| link.who) else { return Ok(()) };
        let mut tag = Vec::new();
        Writer::new(&mut tag).value(sections.properties.correlation_id);
        if tag.len() > MAX_ID_BYTES {
            return Err(malformed("a correlation-id of more than 1024 bytes"));
        }
        let text = |name| sections.annotations.value(name).and_then(Value::text);
        let (operation, resource) = (text("operation").unwrap_or_default(), text("resource"));
        let body = sections.body_bytes(buffer).ok_or_else(|| malformed("a twin request without bytes"))?;
        let max = self.limits().max_twin_patch_bytes;
        let resource = resource.unwrap_or_default().trim_end_matches('/');
        let is_desired = resource.eq_ignore_ascii_case("/notifications/twin/properties/desired");
        let request = match operation {
            "GET" if resource.is_empty() => TwinRequest::Read,
            "PATCH" if !resource.eq_ignore_ascii_case("/properties/reported") => {
                self.refuse_twin(who, &tag, 400, "only reported properties can be changed");
                return Ok(());
            }
            "PATCH" if body.len() > max => {
                self.refuse_twin(who, &tag, 413, "the change is too large");
                return Ok(());
            }
            "PATCH" => TwinRequest::Report(Bytes::copy_from_slice(body)),
            "PUT" if is_desired => {
                self.subscribe(who, Feed::Desired.into());
                self.twin_message(who, &tag, 200, None, b"");
                return Ok(());
            }
            "DELETE" if is_desired => {
                self.unsubscribe(who, Feed::Desired.into());
                self.twin_message(who, &tag, 200, None, b"");
                return Ok(());
            }
            _ => {
                self.report(Some(who), IncidentKind::Unsupported, "a twin request that there is not");
                self.refuse_twin(who, &tag, 400, "there is no such operation");
                return Ok(());
            }
        };
        let Some(client) = self.clients.get_mut(&who) else { return Ok(()) };
        let tag = Bytes::from(tag);
        client.twins.push(tag.clone());
        self.waiting_twins += 1;
        self.outputs.push_back(Output::Twin { who, tag, request });
        Ok(())
    }

    pub(super) fn refuse_twin(&mut self, who: u32, tag: &[u8], status: u16, message: &str) {
        let body = format!(r#"{{"errorCode":{status}000,"message":"{message}"}}"#);
        self.twin_message(who, tag, status, None, body.as_bytes());
    }

    /// Hands on the answer to a twin request.
    pub(super) fn twin_answer(&mut self, who: u32, tag: &[u8], answer: &TwinAnswer) {
        let Some(client) = self.clients.get_mut(&who) else { return };
        let Some(at) = client.twins.iter().position(|waiting| waiting == tag) else { return };
        client.twins.swap_remove(at);
        self.waiting_twins = self.waiting_twins.saturating_sub(1);
        self.twin_message(who, tag, answer.status, answer.version, &answer.body);
    }

    fn twin_message(&mut self, who: u32, tag: &[u8], status: u16, version: Option<u64>, body: &[u8]) {
        let Some(key) = self.clients.get(&who).and_then(|client| client.twin) else { return };
        let mut bytes = Vec::with_capacity(body.len() + tag.len() + 64);
        let mut w = Writer::new(&mut bytes);
        w.descriptor(0x72);
        w.map(|w| {
            w.symbol("status");
            w.int(status.into());
            if let Some(version) = version {
                w.symbol("version");
                w.long(i64::try_from(version).unwrap_or(i64::MAX));
            }
            1 + usize::from(version.is_some())
        });
        let correlation_id = Reader::new(tag).value().unwrap_or(Value::Null);
        Properties { correlation_id, ..Properties::default() }.write(&mut w);
        write_data(&mut w, body);
        self.enqueue_settled(key, bytes);
    }

    /// Tells of a change of the desired properties.
    pub(super) fn desired(&mut self, who: u32, patch: &[u8]) {
        let Some(client) = self.clients.get(&who).filter(|client| client.feeds.contains(Feed::Desired))
        else {
            return;
        };
        let Some(key) = client.twin else { return };
        let mut bytes = Vec::with_capacity(patch.len() + 16);
        write_data(&mut Writer::new(&mut bytes), patch);
        self.enqueue_settled(key, bytes);
    }

    /// Calls a direct method.
    pub(super) fn method(&mut self, who: u32, call: &MethodCall) {
        let Some(key) = self.clients.get(&who).and_then(|client| client.methods) else { return };
        let mut bytes = Vec::with_capacity(call.payload.len() + call.name.len() + 96);
        let mut w = Writer::new(&mut bytes);
        let mut id = [0; 16];
        let (first, second) = id.split_at_mut(8);
        first.copy_from_slice(&METHOD_ID);
        second.copy_from_slice(&call.id.to_be_bytes());
        Properties { correlation_id: Value::Uuid(id), ..Properties::default() }.write(&mut w);
        w.descriptor(0x74);
        w.map(|w| {
            w.string("IoThub-methodname");
            w.string(&call.name);
            1
        });
        write_data(&mut w, &call.payload);
        self.enqueue_settled(key, bytes);
    }

    /// Takes the answer to a direct method.
    pub(super) fn method_answer(
        &mut self,
        key: LinkKey,
        sections: &Sections<'_>,
        buffer: &mut Vec<u8>,
    ) -> Result<(), Refused> {
        let malformed = |detail: &str| (condition::DECODE, detail.to_owned(), IncidentKind::Malformed);
        let Some(who) = self.links.get(&key).and_then(|link| link.who) else { return Ok(()) };
        let id = match sections.properties.correlation_id {
            Value::Uuid(id) => Some(id),
            Value::Binary(id) => id.try_into().ok(),
            Value::Text(id) => uuid::from_text(id),
            _ => None,
        };
        let id = id.and_then(|id| {
            let (first, second) = id.split_first_chunk::<8>()?;
            (*first == METHOD_ID).then(|| second.try_into().map(u64::from_be_bytes).ok())?
        });
        let status = sections.application.value("IoThub-status").and_then(Value::integer);
        let status = status.and_then(|status| i32::try_from(status).ok());
        let Some(id) = id else { return Err(malformed("an answer to a method without its id")) };
        let Some(status) = status else {
            self.outputs.push_back(Output::AnswerMethod { who, id, answer: MethodAnswer::malformed() });
            return Err(malformed("an answer to a method without its status"));
        };
        let body = sections.body_bytes(buffer).ok_or_else(|| malformed("an answer without bytes"))?;
        let max = self.limits().max_method_answer_bytes;
        if body.len() > max {
            let detail = format!("an answer of {} bytes, at most {max} are allowed", body.len());
            return Err((condition::MESSAGE_SIZE, detail, IncidentKind::Oversize));
        }
        let answer = MethodAnswer::new(status, Bytes::copy_from_slice(body));
        self.outputs.push_back(Output::AnswerMethod { who, id, answer });
        Ok(())
    }
}
