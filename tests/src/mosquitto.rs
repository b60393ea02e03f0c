//! A real Mosquitto, and somebody who listens to it.

use std::env;
use std::fmt;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rumqttc::{Client, Event, MqttOptions, Packet, QoS};
use rustix::process::{Pid, Signal, kill_process};

use crate::wait;

/// A broker that keeps what it was given while it is stopped.
#[derive(Debug)]
pub struct Mosquitto {
    address: SocketAddr,
    config: PathBuf,
    child: Option<Child>,
}

impl Mosquitto {
    /// Starts it in a folder, at an address that stays the same when it is started again.
    ///
    /// # Panics
    /// When it is not installed, or does not listen.
    #[must_use]
    pub fn start(folder: &Path, ip: Ipv4Addr, port: u16) -> Self {
        let data = folder.join("mosquitto");
        fs::create_dir_all(&data).expect("the folder can be written to");
        let config = data.join("mosquitto.conf");
        let text = format!(
            "listener {port} {ip}\nuser root\nallow_anonymous true\npersistence true\npersistence_location {}/\n\
             max_queued_messages 0\nlog_type error\n",
            data.display()
        );
        fs::write(&config, text).expect("the folder can be written to");
        let mut broker = Self { address: (ip, port).into(), config, child: None };
        broker.resume();
        broker
    }

    /// Starts it again.
    ///
    /// # Panics
    /// When it is not installed, or does not listen.
    pub fn resume(&mut self) {
        let program = env::var_os("EDGE_MOSQUITTO").unwrap_or_else(|| "/usr/sbin/mosquitto".into());
        let log = File::create(self.config.with_extension("log")).expect("the folder can be written to");
        let mut command = Command::new(program);
        command.arg("-c").arg(&self.config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let child =
            command.spawn().unwrap_or_else(|error| panic!("{command:?} could not be started: {error}"));
        self.child = Some(child);
        wait::until("mosquitto to listen", || TcpStream::connect(self.address).ok());
    }

    /// Stops it; connections to it end, and new ones are refused.
    ///
    /// # Panics
    /// When it does not end.
    pub fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a process has a number");
        kill_process(id, Signal::TERM).expect("a running process can be signalled");
        wait::until("mosquitto to end", || child.try_wait().ok().flatten());
    }

    /// Subscribes to everything, also across stops.
    ///
    /// # Panics
    /// When the subscription is not confirmed.
    #[must_use]
    pub fn listen(&self) -> Listener {
        let mut options = MqttOptions::new("listener", self.address.ip().to_string(), self.address.port());
        options.set_clean_session(false).set_keep_alive(Duration::from_secs(60));
        let (client, mut connection) = Client::new(options, 100);
        client.subscribe("#", QoS::AtLeastOnce).expect("a request can be queued");
        let heard = Arc::new(Mutex::new(Heard::default()));
        let shared = Arc::clone(&heard);
        let listen = move || {
            // The iterator connects again by itself after an error.
            for event in connection.iter() {
                let mut heard = shared.lock().unwrap_or_else(PoisonError::into_inner);
                match event {
                    Ok(Event::Incoming(Packet::SubAck(_))) => heard.subscribed = true,
                    Ok(Event::Incoming(Packet::Publish(publish))) => {
                        heard.bodies.push(publish.payload.to_vec())
                    }
                    Ok(_) => {}
                    Err(_) => {
                        drop(heard);
                        edge_bench::clock::pause(Duration::from_millis(100));
                    }
                }
            }
        };
        thread::Builder::new().name("listener".into()).spawn(listen).expect("a thread can be started");
        let listener = Listener { heard, client };
        wait::until("the subscription", || listener.lock().subscribed.then_some(()));
        listener
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended already, which is no mistake.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[derive(Debug, Default)]
struct Heard {
    subscribed: bool,
    bodies: Vec<Vec<u8>>,
}

/// What somebody heard who subscribed to everything.
pub struct Listener {
    heard: Arc<Mutex<Heard>>,
    client: Client,
}

impl Listener {
    /// Returns the numbers `n` of all messages so far, in the order of arrival.
    ///
    /// # Panics
    /// When a message is not as the tests send them.
    #[must_use]
    pub fn numbers(&self) -> Vec<u64> {
        let number = |body: &Vec<u8>| {
            let value: serde_json::Value = serde_json::from_slice(body).expect("messages are JSON");
            value["n"].as_u64().expect("messages are numbered")
        };
        self.lock().bodies.iter().map(number).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("heard", &self.lock().bodies.len()).finish_non_exhaustive()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // The broker may be gone before its listener.
        let _ = self.client.disconnect();
    }
}
