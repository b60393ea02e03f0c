//! The AMQP upstream against RabbitMQ and against a receiver made of Qpid Proton, which the test starts, stops in the
//! middle and starts again: `cargo test --features peers`.

mod upstream;

use std::fs;
use std::path::Path;

use edge_core::{Endpoint, EndpointId, Report};
use edge_transport::upstream::{AmqpUpstream, AmqpUpstreamOptions};
use fe2o3_amqp::sasl_profile::SaslProfile;
use fe2o3_amqp::types::messaging::Data;
use fe2o3_amqp::{Connection, Receiver, Session};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use upstream::peer::{check_firsts, free_port, pump, start, stop};
use upstream::{batch, message, stored};

const COUNT: u64 = 3000;

/// A RabbitMQ node with folders and ports of its own.
struct Rabbit<'d> {
    dir: &'d Path,
    port: u16,
    names_port: u16,
    nodes_port: u16,
}

impl<'d> Rabbit<'d> {
    fn new(dir: &'d Path) -> Self {
        fs::write(dir.join("plugins"), "[rabbitmq_amqp1_0].").unwrap();
        Self { dir, port: free_port(), names_port: free_port(), nodes_port: free_port() }
    }

    /// Starts the service of node names that Erlang wants, so that none is left running.
    async fn names(&self) -> Child {
        let mut epmd = Command::new("epmd");
        epmd.args(["-d", "-address", "127.0.0.1", "-port", &self.names_port.to_string()]);
        epmd.stderr(std::process::Stdio::null()).kill_on_drop(true).process_group(0);
        epmd.spawn().expect("rabbitmq-server is installed")
    }

    async fn start(&self) -> Child {
        let mut server = Command::new("/usr/lib/rabbitmq/bin/rabbitmq-server");
        server
            .current_dir(self.dir)
            .env("HOME", self.dir)
            .env("ERL_EPMD_PORT", self.names_port.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODENAME", format!("edge{}@localhost", self.port))
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", self.port.to_string())
            .env("RABBITMQ_DIST_PORT", self.nodes_port.to_string())
            .env("RABBITMQ_MNESIA_BASE", self.dir.join("data"))
            .env("RABBITMQ_LOG_BASE", self.dir.join("log"))
            .env("RABBITMQ_CONFIG_FILE", self.dir.join("none"))
            .env("RABBITMQ_PID_FILE", self.dir.join("pid"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", self.dir.join("plugins"));
        start(server, "completed with").await
    }

    fn upstream(&self, address: &str) -> AmqpUpstream {
        let url = format!("amqp://127.0.0.1:{}", self.port).parse().unwrap();
        let options = AmqpUpstreamOptions::new(url, address, "edge1").login("guest", "guest");
        AmqpUpstream::new(EndpointId::upstream(), options).unwrap()
    }

    /// Takes numbers out of a queue until the last one has come.
    async fn drain(&self, address: &str) -> Vec<u64> {
        let mut connection = Connection::builder()
            .container_id("reader")
            .sasl_profile(SaslProfile::Plain { username: "guest".into(), password: "guest".into() })
            .open(&*format!("amqp://127.0.0.1:{}", self.port))
            .await
            .unwrap();
        let mut session = Session::begin(&mut connection).await.unwrap();
        let mut receiver = Receiver::attach(&mut session, "reader", address).await.unwrap();
        let mut numbers = Vec::new();
        while numbers.last() != Some(&(COUNT - 1)) {
            let delivery = receiver.recv::<Data>().await.unwrap();
            receiver.accept(&delivery).await.unwrap();
            numbers.push(std::str::from_utf8(&delivery.body().0).unwrap().parse().unwrap());
        }
        // The library has it that a link which the broker has closed too is in an illegal state.
        let _either_way = receiver.close().await;
        connection.close().await.unwrap();
        numbers
    }
}

#[tokio::test]
async fn all_arrive_in_order_though_rabbitmq_is_restarted() {
    let dir = tempfile::tempdir().unwrap();
    let rabbit = Rabbit::new(dir.path());
    let names = rabbit.names().await;
    let first = rabbit.start().await;
    let upstream = rabbit.upstream("/queue/events");
    let (halfway, is_halfway) = oneshot::channel();
    let restart = async {
        is_halfway.await.unwrap();
        stop(first).await;
        rabbit.start().await
    };
    let ((), second) = tokio::join!(pump(&upstream, COUNT, halfway), restart);
    check_firsts(rabbit.drain("/amq/queue/events").await, COUNT);

    let wrong = rabbit.upstream("/exchange/nowhere");
    let error = wrong.send(&batch(0..1)).await.unwrap_err();
    assert!(Report(&error).to_string().contains("\"/exchange/nowhere\""), "{}", Report(&error));
    let url = format!("amqp://127.0.0.1:{}", rabbit.port).parse().unwrap();
    let stranger = AmqpUpstreamOptions::new(url, "/queue/events", "edge2").login("guest", "wrong");
    let error = AmqpUpstream::new(EndpointId::upstream(), stranger).unwrap();
    let error = error.send(&batch(0..1)).await.unwrap_err();
    assert!(Report(&error).to_string().contains("credentials"), "{}", Report(&error));
    let large = stored(0, message(0).to_builder().body(&[7; 255 << 10]).build());
    assert_eq!(upstream.send(&[large]).await.unwrap(), [edge_core::Outcome::Accepted]);

    upstream.close().await;
    stop(second).await;
    stop(names).await;
}

/// A receiver that writes each body down, a line each, before it accepts it.
const PROTON: &str = r#"
import os, sys
from proton.handlers import MessagingHandler
from proton.reactor import Container

class Receiver(MessagingHandler):
    def __init__(self, port, path):
        super().__init__(prefetch=50, auto_accept=False)
        self.port, self.file = port, open(path, "ab")

    def on_start(self, event):
        event.container.listen(f"127.0.0.1:{self.port}")
        print("listening", flush=True)

    def on_link_opening(self, event):
        event.link.target.copy(event.link.remote_target)
        event.link.source.copy(event.link.remote_source)

    def on_message(self, event):
        self.file.write(bytes(event.message.body) + b"\n")
        self.file.flush()
        os.fsync(self.file.fileno())
        self.accept(event.delivery)

Container(Receiver(int(sys.argv[1]), sys.argv[2])).run()
"#;

#[tokio::test]
async fn all_arrive_in_order_though_a_receiver_of_proton_is_restarted() {
    let dir = tempfile::tempdir().unwrap();
    let (port, out) = (free_port(), dir.path().join("out"));
    let run = async || {
        let mut python = Command::new("/usr/bin/python3");
        python.arg("-c").arg(PROTON).arg(port.to_string()).arg(&out);
        start(python, "listening").await
    };
    let first = run().await;
    let url = format!("amqp://127.0.0.1:{port}").parse().unwrap();
    let options = AmqpUpstreamOptions::new(url, "events", "edge1");
    let upstream = AmqpUpstream::new(EndpointId::upstream(), options).unwrap();
    let (halfway, is_halfway) = oneshot::channel();
    let restart = async {
        is_halfway.await.unwrap();
        stop(first).await;
        run().await
    };
    let ((), second) = tokio::join!(pump(&upstream, COUNT, halfway), restart);
    upstream.close().await;
    stop(second).await;
    let text = fs::read_to_string(&out).unwrap();
    check_firsts(text.lines().map(|line| line.parse().unwrap()), COUNT);
}
