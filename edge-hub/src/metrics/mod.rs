//! Counts for Prometheus; `names.md` lists them.

mod device_api;
mod family;
mod more;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use edge_core::{
    DropCause, EndpointError, EndpointId, Gone, Identity, Incident, Message, MessageStore, QueueId, Report,
    RouteName, Stored, SystemKey, Timestamp,
};

pub(crate) use family::Handle;
use family::{Family, Summary, label, write_head, write_sample};
pub(crate) use more::More;

use crate::ledger::Ledger;
use crate::throttle::Throttle;

/// All counts of a hub.
#[derive(Debug)]
pub(crate) struct Metrics {
    common: String,
    received: Family,
    sizes: Summary,
    sent: Family,
    send_time: Summary,
    process_time: Summary,
    dropped: Family,
    unack: Family,
    retries: Family,
    connected: Family,
    disconnected: Family,
    refused: Family,
    incidents: Family,
    pub(crate) device_api: device_api::DeviceApi,
    throttle: Throttle,
}

/// What is asked of the rest of the hub when the metrics are written.
pub(crate) struct Gauges<'a> {
    pub(crate) store: &'a dyn MessageStore,
    pub(crate) ledger: &'a Ledger,
    pub(crate) clients: usize,
}

impl Metrics {
    pub(crate) fn new(hub_name: &str, device: &str, most: usize, throttle: Throttle) -> Self {
        let family = |name, help| Family::new(name, help, most);
        let summary = |name, help, scale| Summary::new(name, help, scale, most);
        Self {
            common: label(&[("iothub", hub_name), ("edge_device", device), ("instance_number", "1")]),
            received: family("edgehub_messages_received_total", "Messages taken from a client."),
            sizes: summary("edgehub_message_size_bytes", "Sizes of the messages taken.", 1.0),
            sent: family("edgehub_messages_sent_total", "Messages that an endpoint accepted."),
            send_time: summary("edgehub_message_send_duration_seconds", "Time that sends took.", 1e-6),
            process_time: summary(
                "edgehub_message_process_duration_seconds",
                "Time from taken to accepted.",
                1e-3,
            ),
            dropped: family("edgehub_messages_dropped_total", "Copies dropped."),
            unack: family("edgehub_messages_unack_total", "Messages that were not taken."),
            retries: family("edgehub_operation_retry_total", "Sends that are tried again."),
            connected: family("edgehub_client_connect_success_total", "Sessions opened."),
            disconnected: family("edgehub_client_disconnect_total", "Sessions ended."),
            refused: family("edgehub_client_connect_failed_total", "Sessions refused."),
            incidents: family("edge_incidents_total", "What clients did wrong."),
            device_api: device_api::DeviceApi::new(most),
            throttle,
        }
    }

    /// Returns the counter of messages from one client's output.
    pub(crate) fn received(&self, id: &Identity, output: &str) -> Handle {
        self.received.handle(&label(&[("route_output", output), ("id", &id.to_string())]))
    }

    /// Returns the sum and the count of message sizes.
    pub(crate) fn sizes(&self) -> (Handle, Handle) {
        self.sizes.handles("")
    }

    pub(crate) fn not_taken(&self, n: usize) {
        self.unack.add("reason=\"storage_failure\"", n as u64);
    }

    /// Counts dropped copies of a message.
    pub(crate) fn dropped(&self, cause: DropCause, message: &Message, n: u64) {
        let (from, output) = sender(message);
        let labels = label(&[("from", &from), ("from_route_output", output), ("reason", cause.name())]);
        self.dropped.add(&labels, n);
    }

    /// Counts dropped copies whose senders are not known any more.
    pub(crate) fn lost(&self, cause: DropCause, route: Option<&RouteName>, n: u64) {
        let reason = ("reason", cause.name());
        match route {
            Some(route) => self.dropped.add(&label(&[reason, ("route", route.as_str())]), n),
            None => self.dropped.add(&label(&[reason]), n),
        }
    }

    /// Counts what found no room, or had to make room, and logs it at a bounded rate; `batch` is a message of the batch
    /// that needed the room.
    pub(crate) fn overflowed(&self, gone: &Gone, batch: Option<&Message>) {
        let Gone { queue, route, entries, cause, .. } = gone;
        match batch.filter(|_| *cause == DropCause::OverflowNewest) {
            Some(message) => self.dropped(*cause, message, *entries),
            None => self.lost(*cause, Some(route), *entries),
        }
        if let Some(more) = self.throttle.pass(&format!("{} {route}", cause.name())) {
            let cause = cause.name();
            tracing::warn!(%queue, %route, entries, cause, more, "messages are dropped for want of room");
        }
    }

    pub(crate) fn retry(&self, endpoint: &EndpointId) {
        self.retries.add(&label(&[("id", endpoint.as_str()), ("operation", "send")]), 1);
    }

    /// Logs, at a bounded rate, that a send failed.
    pub(crate) fn send_failed(&self, endpoint: &EndpointId, error: &EndpointError) {
        if matches!(error, EndpointError::Absent) {
            tracing::debug!(%endpoint, "nobody is connected to take messages");
        } else if let Some(more) = self.throttle.pass(endpoint.as_str()) {
            tracing::warn!(%endpoint, error = %Report(error), more, "sending failed, and is tried again");
        }
    }

    /// Counts what an endpoint accepted.
    pub(crate) fn sent<'s>(
        &self,
        queue: &QueueId,
        delivered: impl Iterator<Item = &'s Stored>,
        took: Duration,
        now: Timestamp,
    ) {
        let mut by_sender: HashMap<(&str, &str, &str), u64> = HashMap::new();
        let (mut count, mut waited) = (0, 0u64);
        for stored in delivered {
            count += 1;
            waited = waited.saturating_add(millis(now.saturating_since(stored.enqueued)));
            *by_sender.entry(sender_parts(&stored.message)).or_default() += 1;
        }
        if count == 0 {
            return;
        }
        let to = queue.endpoint().as_str();
        let priority = queue.priority().to_string();
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.send_time.add(&label(&[("to", to)]), micros, 1);
        let process = label(&[("to", to), ("priority", &priority)]);
        self.process_time.add(&process, waited, count);
        let input = to.rsplit_once('/').map_or("", |(_, input)| input);
        for ((device, module, output), n) in by_sender {
            let from = identity(device, module);
            let labels = label(&[
                ("from", &from),
                ("to", to),
                ("from_route_output", output),
                ("to_route_input", input),
                ("priority", &priority),
            ]);
            self.sent.add(&labels, n);
        }
    }

    pub(crate) fn connected(&self, id: &Identity) {
        self.connected.add(&label(&[("id", &id.to_string())]), 1);
    }

    pub(crate) fn disconnected(&self, id: &Identity) {
        self.disconnected.add(&label(&[("id", &id.to_string())]), 1);
    }

    /// Counts a refused session, and logs it at a bounded rate.
    pub(crate) fn refused(&self, reason: &'static str, who: &str, error: &edge_core::Refusal) {
        self.refused.add(&label(&[("reason", reason)]), 1);
        if let Some(more) = self.throttle.pass(who) {
            tracing::warn!(client = who, error = %Report(error), more, "a client is refused");
        }
    }

    /// Counts an incident, and logs it at a bounded rate.
    pub(crate) fn incident(&self, incident: &Incident<'_>) {
        let kind = incident.kind.name();
        self.incidents.add(&label(&[("kind", kind), ("protocol", incident.protocol)]), 1);
        let from = incident.peer.map(|peer| peer.ip().to_string()).unwrap_or_default();
        if let Some(more) = self.throttle.pass(&format!("{kind} {from}")) {
            let client = incident.identity.map(ToString::to_string).unwrap_or_default();
            let detail = incident.detail;
            tracing::warn!(kind, protocol = incident.protocol, client, from, more, "{detail}");
        }
    }

    /// Writes everything in Prometheus' text format.
    pub(crate) fn write(&self, gauges: &Gauges<'_>) -> String {
        let mut out = String::new();
        let counters = [
            &self.received,
            &self.sent,
            &self.dropped,
            &self.unack,
            &self.retries,
            &self.connected,
            &self.disconnected,
            &self.refused,
            &self.incidents,
        ];
        for family in counters {
            family.write(&mut out, &self.common);
        }
        for summary in [&self.sizes, &self.send_time, &self.process_time] {
            summary.write(&mut out, &self.common);
        }
        self.device_api.write(&mut out, &self.common);
        self.write_gauges(&mut out, gauges);
        out
    }

    fn write_gauges(&self, out: &mut String, gauges: &Gauges<'_>) {
        let gauge = |out: &mut String, name: &str, kind: &str, help: &str, samples: &[(String, f64)]| {
            write_head(out, name, kind, help);
            for (labels, value) in samples {
                write_sample(out, name, &self.common, labels, *value);
            }
        };
        let one = |value: u64| [(String::new(), value as f64)];
        let clients = [(String::new(), gauges.clients as f64)];
        gauge(out, "edgehub_connected_clients", "gauge", "Clients with a session.", &clients);
        let queues: Vec<_> = gauges
            .store
            .queues()
            .iter()
            .map(|state| {
                let (endpoint, priority) =
                    (state.queue.endpoint().as_str(), state.queue.priority().to_string());
                (label(&[("endpoint", endpoint), ("priority", &priority)]), state.len() as f64)
            })
            .collect();
        gauge(out, "edgehub_queue_length", "gauge", "Messages that wait.", &queues);
        let usage = gauges.store.usage();
        gauge(out, "edge_store_used_bytes", "gauge", "Bytes that the store holds.", &one(usage.used_bytes));
        if let Some(limit) = usage.limit_bytes {
            gauge(out, "edge_store_limit_bytes", "gauge", "Bytes that the store may hold.", &one(limit));
        }
        let written = one(usage.written_bytes);
        gauge(
            out,
            "edge_store_written_bytes_total",
            "counter",
            "Bytes that the store has written.",
            &written,
        );
        let help = "Bytes of messages, among those written, each message once.";
        gauge(out, "edge_store_message_bytes_total", "counter", help, &one(usage.message_bytes));
        let help = "Bytes of messages that were written again to give space back.";
        gauge(out, "edge_store_moved_bytes_total", "counter", help, &one(usage.moved_bytes));
        if let Some(ratio) = usage.write_amplification() {
            let help = "Bytes written for each byte of a message.";
            gauge(out, "edge_store_write_amplification", "gauge", help, &[(String::new(), ratio)]);
        }
        gauge(out, "edge_store_syncs_total", "counter", "Syncs of the store.", &one(usage.syncs));
        let mut lines = Vec::new();
        for (route, line) in &gauges.ledger.routes {
            let sample = |state: &str| label(&[("route", route.as_str()), ("state", state)]);
            lines.push((sample("accepted"), line.accepted as f64));
            lines.push((sample("delivered"), line.delivered as f64));
            lines.push((sample("stored"), line.stored as f64));
            for (cause, copies) in line.dropped.iter() {
                lines.push((sample(&format!("dropped_{}", cause.name())), copies as f64));
            }
        }
        gauge(out, "edge_ledger_copies", "gauge", "accepted = delivered + stored + dropped.", &lines);
    }
}

/// Returns device, module and output of the sender of a message.
fn sender_parts(message: &Message) -> (&str, &str, &str) {
    let system = message.system();
    let part = |key| system.value(key).unwrap_or_default();
    (part(SystemKey::ConnectionDeviceId), part(SystemKey::ConnectionModuleId), part(SystemKey::OutputName))
}

/// Returns who sent a message, and by which output.
fn sender(message: &Message) -> (String, &str) {
    let (device, module, output) = sender_parts(message);
    (identity(device, module), output)
}

fn identity(device: &str, module: &str) -> String {
    if module.is_empty() { device.to_owned() } else { format!("{device}/{module}") }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Returns the metrics as shared by all parts of a hub.
pub(crate) fn shared(hub_name: &str, device: &str, most: usize, throttle: Throttle) -> Arc<Metrics> {
    Arc::new(Metrics::new(hub_name, device, most, throttle))
}
