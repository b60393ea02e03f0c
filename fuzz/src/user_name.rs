//! User names of a CONNECT.

use edge_transport::iothub::UserName;

/// Reads a user name, and checks that it names the identity that stands in it.
///
/// # Panics
/// Panics when something does not hold.
pub fn user_name(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(name) = text.parse::<UserName>() else { return };
    let start = format!("{}/{}/", name.host, name.identity);
    assert!(text.starts_with(&start), "{text:?} names {start:?}");
    assert!(!name.host.contains('/'));
    let plain: UserName = format!("{start}?api-version=1").parse().expect("the same in a plain form");
    assert_eq!((plain.host, plain.identity), (name.host, name.identity));
}
