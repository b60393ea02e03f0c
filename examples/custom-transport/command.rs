//! What a client's lines mean.

use edge_core::{Feed, FeedSet, Identity, IncidentKind, Message, MessageBuilder, Origin, Settlement};

use crate::connection::{Connection, End};

impl Connection {
    /// Takes one line; a message joins `batch`.
    pub(crate) fn take_line(&mut self, line: &[u8], batch: &mut Vec<Message>) -> Result<(), End> {
        let malformed = || End::Wrong(IncidentKind::Malformed, "a line that means nothing");
        if line == b"LISTEN" {
            self.publish(std::mem::take(batch));
            let receipt = self.session.subscribe(self.feeds());
            self.waiting.push_back((receipt, vec!["LISTENING".to_owned()]));
            return Ok(());
        }
        if let Some(rest) = line.strip_prefix(b"SEND ") {
            batch.push(self.message(rest).ok_or_else(malformed)??);
            return Ok(());
        }
        let number =
            line.strip_prefix(b"TAKE ").and_then(|rest| std::str::from_utf8(rest).ok()?.parse().ok());
        let number: u64 = number.ok_or_else(malformed)?;
        if let Some(at) = self.deliveries.iter().position(|(known, _)| *known == number)
            && let Some((_, delivery)) = self.deliveries.remove(at)
        {
            delivery.settle(Settlement::Accept);
        }
        Ok(())
    }

    /// Publishes messages at once; the client hears of each when their receipt has resolved, and not before.
    pub(crate) fn publish(&mut self, batch: Vec<Message>) {
        if batch.is_empty() {
            return;
        }
        let first = self.next_message;
        self.next_message += batch.len() as u64;
        let answers = (first..self.next_message).map(|number| format!("OK {number}")).collect();
        let receipt = self.session.publish(batch);
        self.waiting.push_back((receipt, answers));
    }

    /// Makes a message of `<identity> <body>`; `None` when it is neither.
    fn message(&self, rest: &[u8]) -> Option<Result<Message, End>> {
        let at = rest.iter().position(|byte| *byte == b' ')?;
        let (sender, body) = rest.split_at(at);
        let sender: Identity = std::str::from_utf8(sender).ok()?.parse().ok()?;
        let origin = Origin::new(self.session.authenticated());
        if sender != *origin.identity() {
            return Some(Err(End::Wrong(IncidentKind::ForeignTopic, "a message in another's name")));
        }
        let mut builder = MessageBuilder::default();
        origin.stamp(&mut builder, None);
        Some(Ok(builder.body(body.get(1..).unwrap_or_default()).build()))
    }

    /// What LISTEN asks for: a module has inputs, a device has messages from the cloud.
    fn feeds(&self) -> FeedSet {
        match self.session.authenticated().identity.module() {
            Some(_) => Feed::Inputs.into(),
            None => Feed::CloudToDevice.into(),
        }
    }
}
