//! What a connection remembers of its sessions and links.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use edge_core::Delivery;

use crate::limits::Share;

/// A link: its channel, and its handle, which is the same in both directions.
pub(super) type LinkKey = (u16, u32);

/// How many frames a client may send in a session before it is told that it may send more.
pub(super) const INCOMING_WINDOW: u32 = 4096;

/// A session of AMQP: a channel of the connection.
#[derive(Debug)]
pub(super) struct Channel {
    /// The id of the next transfer that the client sends.
    pub(super) next_incoming: u32,
    /// How many more transfers the client may send.
    pub(super) incoming_window: u32,
    /// The id of the next transfer to the client.
    pub(super) next_outgoing: u32,
    /// How many more transfers the client takes.
    pub(super) outgoing_window: u32,
    pub(super) next_delivery: u32,
    /// Deliveries that the client has not settled, by their ids.
    pub(super) unsettled: BTreeMap<u32, Unsettled>,
}

/// A delivery that the client has not settled.
#[derive(Debug)]
pub(super) struct Unsettled {
    pub(super) delivery: Delivery,
    pub(super) who: u32,
    pub(super) bytes: usize,
    pub(super) link: LinkKey,
}

/// What a link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The client sends.
    PutToken,
    Telemetry,
    TwinRequests,
    MethodAnswers,
    ServiceSend,
    /// The client receives.
    TokenAnswers,
    CloudToDevice,
    Inputs,
    TwinAnswers,
    Methods,
    Feedback,
}

/// One link.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) purpose: Purpose,
    /// Whose it is; nobody's for those that are the connection's.
    pub(super) who: Option<u32>,
    pub(super) delivery_count: u32,
    /// How many more deliveries may begin.
    pub(super) credit: u32,
    pub(super) way: Way,
}

/// What a link has in one of the two directions.
#[derive(Debug)]
pub(super) enum Way {
    /// From the client.
    In {
        /// Deliveries that were not answered yet.
        unanswered: u32,
        /// A delivery whose rest has not arrived.
        incoming: Option<Box<Incoming>>,
    },
    /// To the client.
    Out {
        queue: VecDeque<Queued>,
        /// Whether what is sent is settled at once.
        drain: bool,
    },
}

/// A delivery from the client that arrives in several transfers.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) id: u32,
    pub(super) settled: bool,
    pub(super) format: u32,
    pub(super) bytes: Vec<u8>,
    pub(super) share: Share,
    pub(super) since: Instant,
}

/// A message on its way to the client.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) bytes: Vec<u8>,
    /// How many of them were sent.
    pub(super) sent: usize,
    pub(super) tag: [u8; 16],
    /// What the client is to settle, and for whom; nothing for what is sent settled.
    pub(super) delivery: Option<(Delivery, u32, usize)>,
    /// The delivery's id, from its first transfer on.
    pub(super) id: Option<u32>,
}

impl Link {
    /// Whether the client would take one more message than those that wait.
    pub(super) fn has_credit_to_spare(&self) -> bool {
        match &self.way {
            Way::Out { queue, .. } => self.credit as usize > queue.len(),
            Way::In { .. } => false,
        }
    }
}

impl Purpose {
    pub(super) const fn is_urgent(self) -> bool {
        matches!(self, Self::TokenAnswers | Self::TwinAnswers | Self::Methods)
    }
}
