//! Those who send: devices by each protocol, and an operator.

use edge_core::{Message, SystemKey};
use edge_transport::iothub::bag;
use edge_transport::mqtt::packet::{ConnectCode, Packet};
use edge_transport::testing::{AmqpClient, HttpClient, MqttClient};
use tokio::net::TcpStream;

use crate::Fallible;
use crate::stage::{Doors, HUB};

/// The handle of the link that messages go out by; those before it belong to the token.
const LINK: u32 = 5;

/// Properties stand in the sections of the message.
pub(crate) async fn by_amqp(doors: &Doors, device: &str, message: &Message) -> Fallible<()> {
    let audience = format!("{HUB}/devices/{device}");
    let address = format!("/devices/{device}/messages/events");
    send_by_amqp(doors, (&audience, &doors.token(device)?), &address, message).await
}

/// The same link and message, with the device in `to`, by whoever may.
pub(crate) async fn to_device_by_amqp(doors: &Doors, device: &str, message: &Message) -> Fallible<()> {
    let to = format!("/devices/{device}/messages/devicebound");
    let message = message.to_builder().system(SystemKey::To, &to).build();
    send_by_amqp(doors, (HUB, &doors.owner_token()), "/messages/devicebound", &message).await
}

async fn send_by_amqp(
    doors: &Doors,
    (audience, token): (&str, &str),
    address: &str,
    message: &Message,
) -> Fallible<()> {
    let mut client = AmqpClient::dial(doors.amqp).await?;
    client.open().await?;
    if client.put_token(audience, token).await? != 200 || !client.attach_sender(LINK, address).await? {
        return Err(format!("{audience} may not send to {address}").into());
    }
    let id = client.send_message(LINK, message).await?;
    if !client.accepted(id).await? {
        return Err("the message was not accepted".into());
    }
    client.close().await?;
    Ok(())
}

/// Properties stand in the topic, as a property bag.
pub(crate) async fn by_mqtt(doors: &Doors, device: &str, message: &Message) -> Fallible<()> {
    let mut client = MqttClient::dial(doors.mqtt).await?;
    let answer = client.connect(device, &doors.token(device)?).await?;
    if answer != ConnectCode::Accepted {
        return Err(format!("{device} was answered {answer:?}").into());
    }
    let mut topic = format!("devices/{device}/messages/events/");
    bag::write(message, &mut topic);
    let id = client.publish(&topic, message.body()).await?;
    while !client.receive(|packet| packet == Packet::PubAck(id)).await? {}
    client.send(&Packet::Disconnect).await?;
    Ok(())
}

/// Properties stand in headers.
pub(crate) async fn by_http(doors: &Doors, device: &str, message: &Message) -> Fallible<()> {
    let mut client = HttpClient::new(TcpStream::connect(doors.http).await?);
    let mut headers = vec![("authorization".to_owned(), doors.token(device)?)];
    for (key, value) in message.system() {
        headers.push((format!("iothub-{}", header(key)?), value.to_owned()));
    }
    for (name, value) in message.properties() {
        headers.push((format!("iothub-app-{name}"), value.unwrap_or_default().to_owned()));
    }
    let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let line = format!("POST /devices/{device}/messages/events?api-version=2021-04-12");
    let answer = client.ask(&line, &headers, message.body()).await?;
    if answer.status == 204 { Ok(()) } else { Err(format!("{device} was answered {answer:?}").into()) }
}

fn header(key: SystemKey) -> Fallible<&'static str> {
    match key {
        SystemKey::MessageId => Ok("messageid"),
        SystemKey::CorrelationId => Ok("correlationid"),
        SystemKey::ContentType => Ok("contenttype"),
        SystemKey::ContentEncoding => Ok("contentencoding"),
        other => Err(format!("this example sets no {other:?}").into()),
    }
}
