//! Counts of twins and methods.

use std::time::Duration;

use edge_core::Identity;

use super::family::{Family, Summary, label};

/// Counts of what clients and the service side ask besides messages.
#[derive(Debug)]
pub(crate) struct DeviceApi {
    twin_reads: Family,
    twin_read_time: Summary,
    reports: Family,
    report_time: Summary,
    methods: Family,
    method_time: Summary,
}

impl DeviceApi {
    pub(super) fn new(most: usize) -> Self {
        let family = |name, help| Family::new(name, help, most);
        let summary = |name, help| Summary::new(name, help, 1e-6, most);
        Self {
            twin_reads: family("edgehub_gettwin_total", "Twins that clients have read."),
            twin_read_time: summary("edgehub_gettwin_duration_seconds", "Time that reading twins took."),
            reports: family("edgehub_reported_properties_total", "Changes of reported properties."),
            report_time: summary(
                "edgehub_reported_properties_update_duration_seconds",
                "Time that changes of reported properties took.",
            ),
            methods: family("edgehub_direct_methods_total", "Direct methods called."),
            method_time: summary(
                "edgehub_direct_method_duration_seconds",
                "Time until methods were answered.",
            ),
        }
    }

    pub(crate) fn twin_read(&self, id: &Identity, took: Duration) {
        let labels = label(&[("source", "edge_hub"), ("id", &id.to_string())]);
        self.twin_reads.add(&labels, 1);
        self.twin_read_time.add(&labels, micros(took), 1);
    }

    pub(crate) fn reported(&self, id: &Identity, took: Duration) {
        let labels = label(&[("target", "edge_hub"), ("id", &id.to_string())]);
        self.reports.add(&labels, 1);
        self.report_time.add(&labels, micros(took), 1);
    }

    pub(crate) fn method(&self, to: &Identity, took: Duration) {
        let labels = label(&[("from", "service"), ("to", &to.to_string())]);
        self.methods.add(&labels, 1);
        self.method_time.add(&labels, micros(took), 1);
    }

    pub(super) fn write(&self, out: &mut String, common: &str) {
        for family in [&self.twin_reads, &self.reports, &self.methods] {
            family.write(out, common);
        }
        for summary in [&self.twin_read_time, &self.report_time, &self.method_time] {
            summary.write(out, common);
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
