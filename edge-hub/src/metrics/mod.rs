//! Counts for Prometheus; `names.md` lists them.

mod device_api;
mod family;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use edge_core::{
    EndpointError, EndpointId, Identity, Incident, MessageStore, QueueId, Report, Stored, SystemKey,
    Timestamp,
};

pub(crate) use family::Handle;
use family::{Family, Summary, label, write_head, write_sample};

use crate::ledger::{DropCause, Ledger};
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

    pub(crate) fn dropped(&self, cause: DropCause, n: usize) {
        self.dropped.add(&label(&[("reason", cause.name())]), n as u64);
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
    pub(crate) fn sent(&self, queue: &QueueId, delivered: &[Stored], took: Duration, now: Timestamp) {
        if delivered.is_empty() {
            return;
        }
        let to = queue.endpoint().as_str();
        let priority = queue.priority().to_string();
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.send_time.add(&label(&[("to", to)]), micros, 1);
        let process = label(&[("to", to), ("priority", &priority)]);
        let waited: u64 = delivered.iter().map(|s| millis(now.saturating_since(s.enqueued))).sum();
        self.process_time.add(&process, waited, delivered.len() as u64);
        let mut by_sender: HashMap<(&str, &str, &str), u64> = HashMap::new();
        for stored in delivered {
            let system = stored.message.system();
            let sender = |key| system.value(key).unwrap_or_default();
            let key = (
                sender(SystemKey::ConnectionDeviceId),
                sender(SystemKey::ConnectionModuleId),
                sender(SystemKey::OutputName),
            );
            *by_sender.entry(key).or_default() += 1;
        }
        let input = to.rsplit_once('/').map_or("", |(_, input)| input);
        for ((device, module, output), n) in by_sender {
            let from = if module.is_empty() { device.to_owned() } else { format!("{device}/{module}") };
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
        gauge(out, "edge_store_syncs_total", "counter", "Syncs of the store.", &one(usage.syncs));
        let mut lines = Vec::new();
        for (route, line) in &gauges.ledger.routes {
            let sample = |state: &str| label(&[("route", route.as_str()), ("state", state)]);
            lines.push((sample("accepted"), line.accepted as f64));
            lines.push((sample("delivered"), line.delivered as f64));
            lines.push((sample("stored"), line.stored as f64));
            for cause in DropCause::ALL {
                lines.push((sample(&format!("dropped_{}", cause.name())), line.dropped_for(*cause) as f64));
            }
        }
        gauge(out, "edge_ledger_copies", "gauge", "accepted = delivered + stored + dropped.", &lines);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Returns the metrics as shared by all parts of a hub.
pub(crate) fn shared(hub_name: &str, device: &str, most: usize, throttle: Throttle) -> Arc<Metrics> {
    Arc::new(Metrics::new(hub_name, device, most, throttle))
}
