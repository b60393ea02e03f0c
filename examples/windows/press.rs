//! Three simulated presses, of which the second begins to shake.

use edge_core::Timestamp;

/// One reading, as its press sends it.
pub(crate) struct Reading {
    pub(crate) press: &'static str,
    pub(crate) body: String,
}

/// Returns the readings of 70 seconds from `begin`, four a second of each press, slightly out of order.
pub(crate) fn readings(begin: u64) -> Vec<Reading> {
    let presses = ["press-1", "press-2", "press-3"];
    let mut all = Vec::new();
    for tick in 0..280u64 {
        for (n, press) in presses.into_iter().enumerate() {
            let swapped = if tick.is_multiple_of(7) { tick.saturating_sub(3) } else { tick };
            let at = Timestamp::from_unix_ms(begin + 250 * swapped + n as u64);
            let shakes = n == 1 && (80..160).contains(&tick);
            let wave = (tick as f64 * 0.7 + n as f64).sin();
            let rms = 2.0 + 0.3 * wave + if shakes { 2.5 } else { 0.0 };
            all.push(Reading { press, body: format!(r#"{{"at":"{at}","rms":{rms:.3}}}"#) });
        }
    }
    all
}
