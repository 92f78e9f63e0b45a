//! Who is let through.

use super::{Refusal, Visitor, once};

type Headers = [(&'static str, &'static str)];

/// The status of a request with these headers at this address.
fn status(address: &str, headers: &Headers, changes: bool) -> u16 {
    let address = address.parse().expect("an address");
    let values = |name: &str| {
        once(headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_bytes()))
    };
    let checked = Visitor::of(values).and_then(|visitor| {
        visitor.check_host(address)?;
        visitor.check_page(changes)
    });
    checked.map_or_else(|Refusal { status, .. }| status, |()| 200)
}

#[test]
fn a_page_of_another_origin_and_a_name_of_another_machine_get_nothing() {
    let requests: &[(&Headers, u16)] = include!("table.rs");
    for (headers, expected) in requests {
        assert_eq!(status("127.0.0.1:6060", headers, false), *expected, "{headers:?}");
    }
}

/// What reads and is let through also changes, but for a link of another page.
#[test]
fn a_followed_link_changes_nothing() {
    let requests: &[(&Headers, u16)] = include!("table.rs");
    for (headers, reads) in requests {
        let is_link = headers.contains(&("Sec-Fetch-Site", "cross-site"));
        let expected = if is_link { 403 } else { *reads };
        assert_eq!(status("127.0.0.1:6060", headers, true), expected, "{headers:?}");
    }
}

#[test]
fn the_address_itself_is_one_of_the_names() {
    for (address, host, expected) in [
        ("127.0.0.2:80", "127.0.0.2", 200),
        ("127.0.0.2:80", "127.0.0.2:80", 200),
        ("127.0.0.2:80", "127.0.0.3", 403),
        ("[::1]:6060", "[::1]:6060", 200),
        ("[::1]:80", "[::1]", 200),
        ("[::ffff:127.0.0.1]:6060", "[::ffff:127.0.0.1]:6060", 200),
        ("[::ffff:127.0.0.1]:6060", "::ffff:127.0.0.1:6060", 403),
    ] {
        let headers = [("Host", host)];
        assert_eq!(status(address, &headers, false), expected, "{address} {host}");
    }
}
