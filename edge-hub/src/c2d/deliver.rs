//! Hands messages to devices that are connected and take them.

use std::sync::Arc;

use edge_core::{Channel, Delivery, Feed, Identity, Offset, Settlement, Settler, StoreError};

use super::feedback::Fate;
use super::mailbox::GivenBack;
use super::{MAX_ABANDONS, Mail, Mailbox, PREFIX, is_mailbox};
use crate::clients::Connected;

/// How many messages a connected device may have and not have settled.
const WINDOW: usize = 16;

/// Hears what became of the messages that a session was given.
struct Handed {
    mail: Arc<Mail>,
    mailbox: Arc<Mailbox>,
}

impl Settler for Handed {
    fn settle(&self, offset: u64, settlement: Settlement) {
        let ended = match settlement {
            Settlement::Accept => self.mail.end(&self.mailbox, offset, Fate::Success),
            Settlement::Reject => self.mail.end(&self.mailbox, offset, Fate::Rejected),
            _ => {
                let given_back = self.mailbox.entries().release(offset, MAX_ABANDONS);
                match given_back {
                    GivenBack::TooOften(offset) => {
                        self.mail.end(&self.mailbox, offset, Fate::DeliveryCountExceeded)
                    }
                    GivenBack::Waits | GivenBack::Lost => Ok(()),
                }
            }
        };
        if let Err(error) = ended {
            tracing::error!(client = %self.mailbox.identity, %error, "a settled message for a device stays in the store");
        }
        self.mail.call(&self.mailbox.identity);
    }
}

impl Mail {
    /// Delivers what devices can take, for as long as it is polled.
    pub(crate) async fn run(self: Arc<Self>) {
        self.find_waiting().await;
        loop {
            let called = {
                let mut calls = self.calls.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                std::mem::take(&mut *calls)
            };
            if called.is_empty() {
                self.called.notified().await;
                continue;
            }
            for identity in called {
                if let Err(error) = self.serve(&identity).await {
                    tracing::warn!(client = %identity, error = %edge_core::Report(&error), "messages for a device cannot be read");
                }
            }
        }
    }

    /// Opens the mailboxes that the store holds something for, so that what is in them runs out in time.
    async fn find_waiting(&self) {
        for state in self.store.queues() {
            let endpoint = state.queue.endpoint();
            if state.is_empty() || !is_mailbox(endpoint) {
                continue;
            }
            let identity = endpoint.as_str().strip_prefix(PREFIX).and_then(|id| id.parse::<Identity>().ok());
            let Some(identity) = identity else { continue };
            match self.open(&identity).await {
                Ok(_) => self.call(&identity),
                Err(error) => {
                    tracing::warn!(client = %identity, %error, "messages for a device cannot be read yet")
                }
            }
        }
    }

    async fn serve(self: &Arc<Self>, identity: &Identity) -> Result<(), StoreError> {
        let Some(client) = self.clients.subscribed(identity, Feed::CloudToDevice) else { return Ok(()) };
        let mailbox = self.open(identity).await?;
        let held = mailbox.entries().hold_for(client.ticket(), self.clock.wall(), WINDOW);
        let mut rest = held.iter();
        while let Some(&(offset, before)) = rest.next() {
            match self.read(&mailbox, offset).await {
                Ok(Some((message, _))) => {
                    let settler = Arc::new(Handed { mail: self.clone(), mailbox: mailbox.clone() });
                    let delivery = Delivery::new(message, Channel::CloudToDevice, settler, offset);
                    let delivery = if before > 0 { delivery.redelivered() } else { delivery };
                    hand(&client, delivery);
                }
                // The store has lost the message, and counted it.
                Ok(None) => drop(mailbox.entries().take(offset)),
                Err(error) => {
                    // They were never handed out, so it is not counted.
                    let give_back = |offset: Offset| {
                        let _waits = mailbox.entries().release(offset, u32::MAX);
                    };
                    give_back(offset);
                    rest.for_each(|(offset, _)| give_back(*offset));
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}

fn hand(client: &Connected, delivery: Delivery) {
    client.outbox.push(client.ticket(), vec![delivery]);
}
